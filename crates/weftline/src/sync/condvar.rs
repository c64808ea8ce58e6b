//! [`Condvar`]: waiting until what a mutex protects has changed. Next: `row.rs`, those who wait.

use super::line::Calls;
use super::mutex::MutexGuard;
use super::row::{HasRow, Row, Told};
use crate::platform::{Mutex, const_unless_model};
use crate::task::drive;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;

/// Waits for a change of what a [`Mutex`](super::Mutex) protects.
///
/// Who waits gives the lock back meanwhile, and has it again when the wait is over. Several of these
/// may be used with one mutex.
///
/// # Guarantees
///
/// - Whoever waits has a place before the lock is given back, so that no notification is missed by one
///   who looked, under the lock, and found that it must wait.
/// - Who came first is notified first.
/// - **A notification is not lost with one who leaves.** If the wait is dropped after it was notified
///   and before it has the lock again, the next one is notified in its place.
/// - Bound to no runtime.
///
/// A wait may end without a notification: look again, as [`wait_while`](Self::wait_while) and
/// [`wait_for`](Self::wait_for) do.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weftline::sync::{Condvar, Mutex};
///
/// weftline::run(async {
///     let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
///     let other = shared.clone();
///     let consumer = weftline::spawn(async move {
///         let (items, added) = &*other;
///         let (_guard, item) = added.wait_for(items.lock().await, Vec::pop).await;
///         item
///     });
///     let (items, added) = &*shared;
///     items.lock().await.push(5);
///     added.notify_one();
///     assert_eq!(consumer.await.unwrap(), 5);
/// });
/// ```
pub struct Condvar {
    /// Those who wait.
    state: Mutex<State>,
}

/// What the lock protects.
struct State(Row<()>);

impl Condvar {
    const_unless_model! {
        /// A condition that nobody waits for. It allocates nothing, and can be a `static`.
        pub fn new() -> Self {
            Self { state: Mutex::new(State(Row::new())) }
        }
    }

    /// Gives the lock back, waits to be notified, and locks again, in turn.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready it leaves the mutex unlocked by it, and passes on a notification
    /// that it has had.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::{Condvar, Mutex};
    ///
    /// weftline::run(async {
    ///     let shared = Arc::new((Mutex::new(false), Condvar::new()));
    ///     let other = shared.clone();
    ///     drop(weftline::spawn(async move {
    ///         *other.0.lock().await = true;
    ///         other.1.notify_one();
    ///     }));
    ///     let mut done = shared.0.lock().await;
    ///     while !*done {
    ///         done = shared.1.wait(done).await;
    ///     }
    /// });
    /// ```
    pub async fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let mutex = MutexGuard::mutex(&guard);
        let mut guard = Some(guard);
        let mut told = pin!(Told::new(&self.state, ()));
        poll_fn(|cx| {
            let polled = told.as_mut().poll(cx);
            // It has its place: whoever locks from now on may notify it.
            guard = None;
            polled
        })
        .await;
        let heard = Heard { condvar: self };
        let guard = mutex.lock().await;
        std::mem::forget(heard);
        guard
    }

    /// [Waits](Self::wait) as long as the condition holds, which is asked first of all, and each time
    /// under the lock.
    ///
    /// # Cancel safety
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::{Condvar, Mutex};
    ///
    /// weftline::run(async {
    ///     let shared = Arc::new((Mutex::new(3), Condvar::new()));
    ///     for _ in 0..3 {
    ///         let other = shared.clone();
    ///         drop(weftline::spawn(async move {
    ///             *other.0.lock().await -= 1;
    ///             other.1.notify_one();
    ///         }));
    ///     }
    ///     let left = shared.1.wait_while(shared.0.lock().await, |left| *left > 0).await;
    ///     assert_eq!(*left, 0);
    /// });
    /// ```
    pub async fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// [Waits](Self::wait) until there is a value, for which is asked first of all, and each time
    /// under the lock.
    ///
    /// # Cancel safety
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::{Condvar, Mutex};
    ///
    /// weftline::run(async {
    ///     let shared = Arc::new((Mutex::new(None), Condvar::new()));
    ///     let other = shared.clone();
    ///     drop(weftline::spawn(async move {
    ///         *other.0.lock().await = Some("an answer");
    ///         other.1.notify_all();
    ///     }));
    ///     let guard = shared.0.lock().await;
    ///     let (_guard, answer) = shared.1.wait_for(guard, Option::take).await;
    ///     assert_eq!(answer, "an answer");
    /// });
    /// ```
    pub async fn wait_for<'a, T: ?Sized, R>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut value: impl FnMut(&mut T) -> Option<R>,
    ) -> (MutexGuard<'a, T>, R) {
        loop {
            if let Some(value) = value(&mut guard) {
                return (guard, value);
            }
            guard = self.wait(guard).await;
        }
    }

    /// As [`wait`](Self::wait), and blocks the calling thread meanwhile. For plain threads: on a
    /// worker it keeps the worker from running anything else, whoever would notify it perhaps
    /// included.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::{Condvar, Mutex};
    ///
    /// static DONE: Mutex<bool> = Mutex::new(false);
    /// static CHANGED: Condvar = Condvar::new();
    ///
    /// std::thread::spawn(|| {
    ///     *DONE.lock_blocking() = true;
    ///     CHANGED.notify_all();
    /// });
    /// let mut done = DONE.lock_blocking();
    /// while !*done {
    ///     done = CHANGED.wait_blocking(done);
    /// }
    /// ```
    pub fn wait_blocking<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        drive(pin!(self.wait(guard)), None)
            .expect("without a deadline the wait ends with the result")
    }

    /// Notifies the first who waits, if anybody does. Whoever calls this need not hold the lock.
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Notifies the first so many who wait, or all, if there are fewer.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Condvar;
    ///
    /// let changed = Condvar::new();
    /// // Nobody waits, and nobody is told later.
    /// changed.notify(3);
    /// ```
    pub fn notify(&self, count: usize) {
        let mut calls = Calls::default();
        let mut state = self.state.lock();
        for _ in 0..count.min(state.0.waiting()) {
            state.0.tell_first((), &mut calls);
        }
        drop(state); // those who are called are foreign code
    }

    /// Notifies all who wait.
    pub fn notify_all(&self) {
        self.notify(usize::MAX);
    }
}

/// A notification, until the lock is there.
struct Heard<'a> {
    /// Whose.
    condvar: &'a Condvar,
}

impl Drop for Heard<'_> {
    fn drop(&mut self) {
        self.condvar.notify_one();
    }
}

impl HasRow for State {
    type News = ();
    type Ticket = ();

    fn row(&mut self) -> &mut Row<()> {
        &mut self.0
    }

    fn admit(&mut self, _ticket: (), _calls: &mut Calls) -> Option<()> {
        None
    }

    fn left(&mut self, news: Option<()>, calls: &mut Calls) {
        if news.is_some() {
            self.0.tell_first((), calls);
        }
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiters = self.state.lock().0.waiting();
        f.debug_struct("Condvar").field("waiters", &waiters).finish()
    }
}
