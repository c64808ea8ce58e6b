//! [`Receiver`]: the right to the value. Next: `ends.rs`, the allocation behind both ends.

use super::ends::ReceiverEnd;
use super::{RecvError, TryRecvError};
use crate::task::{budget, drive};
use futures_core::future::FusedFuture;
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The right to the one value of a channel; made by [`channel`](super::channel). As a future it
/// gives that value, or a [`RecvError`] where none will come.
///
/// Dropping it closes the channel. A value that was sent and not received is dropped then; to have
/// it, [`close`](Self::close) and [`try_recv`](Self::try_recv) first.
///
/// # Cancel safety
///
/// A receiver that is polled by reference and then left loses nothing: the value stays until it is
/// received.
///
/// # Panics
///
/// Polling it after it gave its result panics.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::sync::oneshot;
/// use weftline::time::timeout;
///
/// weftline::run(async {
///     let (sender, mut receiver) = oneshot::channel();
///     let early = timeout(Duration::from_millis(1), &mut receiver).await;
///     assert!(early.is_err());
///     sender.send("late, not lost").expect("the receiver is there");
///     assert_eq!(receiver.await, Ok("late, not lost"));
/// });
/// ```
#[must_use = "dropping a `Receiver` closes its channel"]
pub struct Receiver<T> {
    /// The receiver's end, until it gave its result.
    end: Option<ReceiverEnd<T>>,
}

// As for the receiver of `std::sync::mpsc`: a panic meanwhile leaves nothing half done.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    pub(super) fn new(end: ReceiverEnd<T>) -> Self {
        Self { end: Some(end) }
    }

    /// The value, if it was sent. It does not wait, and needs no runtime.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if a value may still come, [`TryRecvError::Closed`] if none will:
    /// the sender was dropped, the receiver was closed, or the value was received before.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::oneshot::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(5).expect("the receiver is there");
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let end = self.end.as_mut().ok_or(TryRecvError::Closed)?;
        let Poll::Ready(value) = end.receive() else { return Err(TryRecvError::Empty) };
        self.end = None;
        value.ok_or(TryRecvError::Closed)
    }

    /// Refuses any further value: sending fails from here on. What was sent before can still be
    /// received. No effect on a channel that is closed.
    ///
    /// # Examples
    ///
    /// Giving up without losing a value that arrives at the last moment:
    ///
    /// ```
    /// use weftline::sync::oneshot;
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// sender.send("just in time").expect("the receiver is there");
    /// receiver.close();
    /// assert_eq!(receiver.try_recv(), Ok("just in time"));
    /// ```
    pub fn close(&mut self) {
        if let Some(end) = &mut self.end {
            end.close();
        }
    }

    /// Whether the result was given: polling would panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::oneshot;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = oneshot::channel();
    ///     sender.send(5).expect("the receiver is there");
    ///     assert!(!receiver.is_terminated());
    ///     assert_eq!((&mut receiver).await, Ok(5));
    ///     assert!(receiver.is_terminated());
    /// });
    /// ```
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.end.is_none()
    }

    /// Whether there is no value to receive, now. Where none will ever come, that is so as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// assert!(receiver.is_empty());
    /// sender.send(5).expect("the receiver is there");
    /// assert!(!receiver.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.end.as_ref().is_some_and(ReceiverEnd::has_value)
    }

    /// Blocks the calling thread until there is a result. For plain threads: on a worker it keeps
    /// the worker from running anything else, the sending task perhaps included.
    ///
    /// # Errors
    ///
    /// As awaiting the receiver.
    ///
    /// # Panics
    ///
    /// If the result was already given.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// std::thread::spawn(move || sender.send("hello"));
    /// assert_eq!(receiver.wait(), Ok("hello"));
    /// ```
    #[doc(alias = "blocking_recv")]
    pub fn wait(self) -> Result<T, RecvError> {
        drive(pin!(self), None).expect("without a deadline the wait ends with the result")
    }

    /// As [`wait`](Self::wait), for at most `limit`. `None`: there is no result yet; the receiver
    /// can be used further.
    ///
    /// # Panics
    ///
    /// If the result was already given.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::sync::oneshot;
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// assert_eq!(receiver.wait_timeout(Duration::from_millis(1)), None);
    /// sender.send(5).expect("the receiver is there");
    /// assert_eq!(receiver.wait_timeout(Duration::from_millis(1)), Some(Ok(5)));
    /// ```
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<T, RecvError>> {
        drive(pin!(self), Some(limit))
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let end = self.end.as_mut().expect("a `Receiver` was polled after it gave its result");
        if end.wait_with(cx.waker()) {
            return Poll::Pending;
        }
        ready!(budget::poll_proceed(cx));
        let value = ready!(end.receive());
        self.end = None;
        Poll::Ready(value.ok_or(RecvError(())))
    }
}

impl<T> FusedFuture for Receiver<T> {
    fn is_terminated(&self) -> bool {
        self.end.is_none()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("is_empty", &self.is_empty())
            .field("is_terminated", &self.is_terminated())
            .finish()
    }
}
