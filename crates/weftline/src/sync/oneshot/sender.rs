//! [`Sender`]: the right to send the value. Next: `receiver.rs`.

use super::ends::SenderEnd;
use crate::task::budget;
use std::fmt;
use std::future::poll_fn;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll, ready};

/// The right to send the one value of a channel; made by [`channel`](super::channel).
///
/// Dropping it without sending gives the receiver an error.
///
/// # Examples
///
/// ```
/// use weftline::sync::oneshot;
///
/// weftline::run(async {
///     let (sender, receiver) = oneshot::channel::<u32>();
///     drop(sender);
///     assert!(receiver.await.is_err());
/// });
/// ```
pub struct Sender<T> {
    /// The sender's end; no value was sent.
    end: SenderEnd<T>,
}

// As for the sender of `std::sync::mpsc`: a panic meanwhile leaves nothing half done.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    pub(super) fn new(end: SenderEnd<T>) -> Self {
        Self { end }
    }

    /// Sends the value. It neither waits nor blocks, and needs no runtime.
    ///
    /// `Ok` says that the receiver can have the value, not that it will: it may be dropped before
    /// it looks.
    ///
    /// # Errors
    ///
    /// The value, if the receiver was closed or dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::oneshot;
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// assert_eq!(sender.send(5), Ok(()));
    /// assert_eq!(receiver.try_recv(), Ok(5));
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send(5), Err(5));
    /// ```
    pub fn send(self, value: T) -> Result<(), T> {
        self.end.send(value)
    }

    /// Whether the receiver was closed or dropped, so that sending would fail. If not, it may be
    /// by the time this returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel::<u32>();
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// Waits until the receiver is closed or dropped: until nobody wants the value any more.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; the sender can be used further.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::oneshot;
    ///
    /// weftline::run(async {
    ///     let (mut sender, receiver) = oneshot::channel::<u32>();
    ///     let task = weftline::spawn(async move { drop(receiver) });
    ///     sender.closed().await;
    ///     assert!(sender.is_closed());
    ///     task.await.unwrap();
    /// });
    /// ```
    pub async fn closed(&mut self) {
        poll_fn(|cx| self.poll_closed(cx)).await;
    }

    /// As [`closed`](Self::closed), for one who writes a future by hand: `Pending` arranges for
    /// the task of `cx` to be woken, and no longer for that of an earlier call.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use weftline::sync::oneshot;
    ///
    /// weftline::run(async {
    ///     let (mut sender, mut receiver) = oneshot::channel::<u32>();
    ///     receiver.close();
    ///     poll_fn(|cx| sender.poll_closed(cx)).await;
    /// });
    /// ```
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.end.wait_with(cx.waker()) {
            return Poll::Pending;
        }
        ready!(budget::poll_proceed(cx));
        Poll::Ready(())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}
