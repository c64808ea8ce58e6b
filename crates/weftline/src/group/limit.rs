//! [`Limit`]: at most so many children of a group at once.

use super::{Child, Group};
use crate::platform::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Poll, Waker};

/// A way to spawn children of which at most so many run at once; made by [`Group::limit`].
///
/// Spawning waits until there is room, so that whoever produces the work is held back: no queue
/// grows anywhere. Who waits longest goes first. A limit counts the children that were spawned
/// through it and its clones; a group may have several, and others without any.
pub struct Limit<E> {
    group: Group<E>,
    places: Arc<Places>,
}

impl<E: Send + 'static> Limit<E> {
    pub(super) fn new(group: Group<E>, count: usize) -> Self {
        assert!(count > 0, "the limit is 0, but at least 1 is needed");
        let state = Mutex::new(State { free: count, next: 0, waiting: BTreeMap::new() });
        Self { group, places: Arc::new(Places { state }) }
    }

    /// Waits until there is room, and then spawns as [`Group::spawn`] does.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is ready drops the future, which has not begun then, and leaves the
    /// place in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::{GroupError, group};
    ///
    /// let done: Result<(), GroupError<()>> = weftline::run(group(|g| async move {
    ///     let two = g.limit(2);
    ///     for _ in 0..100 {
    ///         two.spawn(async {
    ///             weftline::yield_now().await;
    ///             Ok(())
    ///         })
    ///         .await;
    ///     }
    ///     Ok(())
    /// }));
    /// assert!(done.is_ok());
    /// ```
    pub async fn spawn<U, F>(&self, future: F) -> Child<U>
    where
        F: Future<Output = Result<U, E>> + Send + 'static,
        U: Send + 'static,
    {
        let place = self.places.take().await;
        self.group.spawn(async move {
            let _place = place;
            future.await
        })
    }
}

impl<E> Clone for Limit<E> {
    fn clone(&self) -> Self {
        Self { group: self.group.clone(), places: self.places.clone() }
    }
}

impl<E> fmt::Debug for Limit<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let free = self.places.state.lock().free;
        f.debug_struct("Limit").field("free", &free).finish()
    }
}

/// The places of a limit, and those who wait for one. Wakers are foreign code: none is cloned, called
/// or dropped under the lock.
struct Places {
    state: Mutex<State>,
}

struct State {
    /// Places that nobody has.
    free: usize,
    /// The next number to be drawn by one who waits.
    next: u64,
    /// Who waits, by the number that was drawn: the first one may take a free place. Without a waker,
    /// once it was called: it looks again, or leaves and wakes the next one.
    waiting: BTreeMap<u64, Option<Waker>>,
}

/// A place, until it is dropped.
struct Place(Arc<Places>);

/// One who waits, until dropped.
struct Waiting<'a> {
    places: &'a Arc<Places>,
    /// The number drawn; none before.
    number: Option<u64>,
}

impl Places {
    async fn take(self: &Arc<Self>) -> Place {
        let mut waiting = Waiting { places: self, number: None };
        poll_fn(|cx| waiting.poll(cx.waker())).await
    }

    /// Wakes the one who waits longest, if there is a place.
    fn wake_first(&self) {
        let mut state = self.state.lock();
        let has_place = state.free > 0;
        let first = state.waiting.values_mut().next().filter(|_| has_place);
        let waker = first.and_then(Option::take);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Waiting<'_> {
    fn poll(&mut self, waker: &Waker) -> Poll<Place> {
        let waker = waker.clone();
        let mut state = self.places.state.lock();
        let is_first = match (state.waiting.keys().next(), self.number) {
            (None, _) => true,
            (Some(first), Some(number)) => *first == number,
            (Some(_), None) => false,
        };
        if is_first && state.free > 0 {
            state.free -= 1;
            drop(state);
            // Leaves the queue when dropped, and then wakes the next one.
            return Poll::Ready(Place(self.places.clone()));
        }
        let number = *self.number.get_or_insert_with(|| {
            state.next += 1;
            state.next
        });
        let old = state.waiting.insert(number, Some(waker));
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let left = self.places.state.lock().waiting.remove(&number);
        drop(left);
        self.places.wake_first();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state.lock().free += 1;
        self.0.wake_first();
    }
}
