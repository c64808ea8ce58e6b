//! [`Receiver`]: looks at the latest value, and waits for the next.

use super::board::{Board, Ref, Version};
use super::error::RecvError;
use crate::sync::audience::Place;
use crate::sync::counted::CountsSenders;
use futures_core::Stream;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The end that watches; made by [`channel`](super::channel) and
/// [`Sender::subscribe`](super::Sender::subscribe). Each remembers which value it has seen; a clone
/// has seen the same.
///
/// # Examples
///
/// ```
/// use weftline::sync::watch;
///
/// weftline::run(async {
///     let (sender, mut receiver) = watch::channel(0);
///     let counts = weftline::spawn(async move {
///         for n in 1..=100 {
///             sender.send(n).expect("somebody watches");
///         }
///     });
///     let mut latest = 0;
///     while receiver.changed().await.is_ok() {
///         latest = *receiver.borrow_and_update();
///     }
///     assert_eq!(latest, 100);
///     counts.await.unwrap();
/// });
/// ```
pub struct Receiver<T> {
    /// The shared part.
    board: Arc<Board<T>>,
    /// Which value was seen last.
    seen: Version,
}

// As for a lock of parking_lot: a panic meanwhile leaves nothing half done but what users change.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    /// The handle of a receiver that is counted already. It has seen the latest value.
    pub(super) fn of(board: &Arc<Board<T>>) -> Self {
        Self { board: board.clone(), seen: board.version() }
    }

    /// The latest value, without marking it as seen.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_sender, receiver) = weftline::sync::watch::channel("hello");
    /// assert_eq!(*receiver.borrow(), "hello");
    /// ```
    pub fn borrow(&self) -> Ref<'_, T> {
        self.board.look(Some(self.seen))
    }

    /// The latest value, which is marked as seen.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = weftline::sync::watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.borrow_and_update(), 2);
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// ```
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let look = self.board.look(Some(self.seen));
        self.seen = look.version();
        look
    }

    /// Whether there is a value that was not seen.
    ///
    /// # Errors
    ///
    /// If there is no sender any more, whether or not a value was not seen.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::watch::channel(1);
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// sender.send(2).unwrap();
    /// assert_eq!(receiver.has_changed(), Ok(true));
    /// drop(sender);
    /// assert!(receiver.has_changed().is_err());
    /// ```
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        if self.is_closed() { Err(RecvError(())) } else { Ok(self.board.version() != self.seen) }
    }

    /// Whether there is no sender any more.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::watch::channel(1);
    /// assert!(!receiver.is_closed());
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.board.senders() == 0
    }

    /// From now on the present value counts as not seen.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_sender, mut receiver) = weftline::sync::watch::channel(1);
    /// receiver.mark_changed();
    /// assert_eq!(receiver.has_changed(), Ok(true));
    /// ```
    pub fn mark_changed(&mut self) {
        self.seen = self.board.version().before();
    }

    /// From now on the present value counts as seen.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = weftline::sync::watch::channel(1);
    /// sender.send(2).unwrap();
    /// receiver.mark_unchanged();
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// ```
    pub fn mark_unchanged(&mut self) {
        self.seen = self.board.version();
    }

    /// Waits until there is a value that was not seen, and marks it as seen.
    ///
    /// # Errors
    ///
    /// If none is there, and there is no sender any more.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has marked nothing as seen.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::watch;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = watch::channel(1);
    ///     sender.send(2).unwrap();
    ///     drop(sender);
    ///     assert_eq!(receiver.changed().await, Ok(())); // it was not seen
    ///     assert_eq!(*receiver.borrow(), 2);
    ///     assert!(receiver.changed().await.is_err());
    /// });
    /// ```
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        let (board, seen) = (&self.board, self.seen);
        self.seen = board.watchers.wait_until(|| newer(board, seen)).await?;
        Ok(())
    }

    /// Waits until the value is as `is_met` wants it, and marks it as seen. The present value is
    /// looked at first.
    ///
    /// # Errors
    ///
    /// If there is no sender any more, and the last value is not as wanted.
    ///
    /// # Panics
    ///
    /// If `is_met` does. It runs under the lock of the value and must not use the channel.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing. Values that were looked at count as seen.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::watch;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = watch::channel(0);
    ///     let counts = weftline::spawn(async move {
    ///         for n in 1..=10 {
    ///             let _ = sender.send(n);
    ///         }
    ///     });
    ///     let enough = receiver.wait_for(|n| *n >= 5).await.map(|n| *n);
    ///     assert!(enough.is_ok_and(|n| n >= 5));
    ///     counts.await.unwrap();
    /// });
    /// ```
    pub async fn wait_for(
        &mut self,
        mut is_met: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, RecvError> {
        loop {
            // Asked before the look: a sender that goes after it has changed nothing that the look
            // misses.
            let closed = self.is_closed();
            {
                let look = self.board.look(Some(self.seen));
                self.seen = look.version();
                if is_met(&look) {
                    return Ok(look);
                }
            }
            if closed {
                return Err(RecvError(()));
            }
            let (board, seen) = (&self.board, self.seen);
            // The end is looked at above, with the value.
            let _ = board.watchers.wait_until(|| newer(board, seen)).await;
        }
    }

    /// A stream of the present value and of each later one that is seen: what changes while nobody
    /// looks is seen as it is then. It ends after the last value when no sender is there any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_core::Stream;
    /// use std::future::poll_fn;
    /// use std::pin::pin;
    /// use weftline::sync::watch;
    ///
    /// weftline::run(async {
    ///     let (sender, receiver) = watch::channel(1);
    ///     let mut values = pin!(receiver.into_stream());
    ///     assert_eq!(poll_fn(|cx| values.as_mut().poll_next(cx)).await, Some(1));
    ///     sender.send(2).unwrap();
    ///     drop(sender);
    ///     assert_eq!(poll_fn(|cx| values.as_mut().poll_next(cx)).await, Some(2));
    ///     assert_eq!(poll_fn(|cx| values.as_mut().poll_next(cx)).await, None);
    /// });
    /// ```
    pub fn into_stream(mut self) -> Values<T>
    where
        T: Clone,
    {
        self.mark_changed();
        Values { receiver: self, place: Place::default() }
    }

    /// Whether both watch the same value.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_sender, receiver) = weftline::sync::watch::channel(1);
    /// assert!(receiver.same_channel(&receiver.clone()));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.board, &other.board)
    }
}

/// The version of the latest value, if it is another one than `seen`; an error where none will come.
fn newer<T>(board: &Board<T>, seen: Version) -> Option<Result<Version, RecvError>> {
    // Asked before the look, as in `wait_for`.
    let closed = board.senders() == 0;
    let version = board.version();
    if version != seen {
        return Some(Ok(version));
    }
    closed.then_some(Err(RecvError(())))
}

/// A stream of values; made by [`Receiver::into_stream`].
///
/// # Examples
///
/// ```
/// let (_sender, receiver) = weftline::sync::watch::channel(1);
/// let _values: weftline::sync::watch::Values<i32> = receiver.into_stream();
/// ```
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Values<T> {
    /// Who looks.
    receiver: Receiver<T>,
    /// Where its waker is, since it waited last.
    place: Place,
}

impl<T: Clone> Stream for Values<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Self { receiver, place } = &mut *self;
        let (board, seen) = (&receiver.board, receiver.seen);
        let newer = ready!(board.watchers.poll_until(place, cx, || newer(board, seen)));
        // Cloned under the lock, as everybody does who looks.
        Poll::Ready(newer.is_ok().then(|| receiver.borrow_and_update().clone()))
    }
}

impl<T> Drop for Values<T> {
    fn drop(&mut self) {
        self.receiver.board.watchers.leave(&mut self.place);
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.board.add_receiver();
        Self { board: self.board.clone(), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.board.remove_receiver();
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("board", &self.board).finish_non_exhaustive()
    }
}
