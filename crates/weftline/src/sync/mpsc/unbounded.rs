//! [`UnboundedSender`]: sends without waiting, however much is on its way. Next: `mailbox.rs`.

use super::error::SendError;
use super::mailbox::Mailbox;
use crate::sync::counted::{Counted, CountsSenders, Uncounted};
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// A sending end of a channel without a bound; made by
/// [`unbounded_channel`](super::unbounded_channel). Cloning it makes another one. When all are
/// dropped the receiver gets what was sent, and then the end.
///
/// Nothing slows a sender down: where it is faster than the receiver for long, memory grows.
///
/// # Examples
///
/// ```
/// use weftline::sync::mpsc;
///
/// weftline::run(async {
///     let (sender, mut receiver) = mpsc::unbounded_channel();
///     for n in 0..3 {
///         let sender = sender.clone();
///         drop(weftline::spawn(async move { sender.send(n).expect("somebody receives") }));
///     }
///     drop(sender);
///     let mut sum = 0;
///     while let Some(n) = receiver.recv().await {
///         sum += n;
///     }
///     assert_eq!(sum, 3);
/// });
/// ```
pub struct UnboundedSender<T> {
    /// The shared part.
    mailbox: Counted<Mailbox<T>>,
}

// As for the sender of `std::sync::mpsc`: a panic meanwhile leaves nothing half done.
impl<T> UnwindSafe for UnboundedSender<T> {}
impl<T> RefUnwindSafe for UnboundedSender<T> {}

impl<T> UnboundedSender<T> {
    /// The first sender.
    pub(super) fn new(mailbox: Arc<Mailbox<T>>) -> Self {
        Self { mailbox: Counted::first(mailbox) }
    }

    /// Sends a message. It neither waits nor blocks, and needs no runtime.
    ///
    /// `Ok` says that the receiver can have the message, not that it will: it may be dropped before.
    ///
    /// # Errors
    ///
    /// The message, if the channel was closed or the receiver dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc::{self, error::SendError};
    ///
    /// let (sender, mut receiver) = mpsc::unbounded_channel();
    /// sender.send(5).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// drop(receiver);
    /// assert_eq!(sender.send(6), Err(SendError(6)));
    /// ```
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        // Without a bound it is never full.
        self.mailbox.send(message).map_err(|(_closed, message)| SendError(message))
    }

    /// Waits until the channel is closed or the receiver dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc;
    ///
    /// weftline::run(async {
    ///     let (sender, receiver) = mpsc::unbounded_channel::<u32>();
    ///     let task = weftline::spawn(async move { drop(receiver) });
    ///     sender.closed().await;
    ///     assert!(sender.is_closed());
    ///     task.await.unwrap();
    /// });
    /// ```
    pub async fn closed(&self) {
        self.mailbox.closed().await;
    }

    /// Whether sending would fail. If not, it may by the time this returns.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::mpsc::unbounded_channel::<u32>();
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.mailbox.is_closed()
    }

    /// Whether both send to the same receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc;
    ///
    /// let (sender, _receiver) = mpsc::unbounded_channel::<u32>();
    /// let (another, _receiver) = mpsc::unbounded_channel::<u32>();
    /// assert!(sender.same_channel(&sender.clone()));
    /// assert!(!sender.same_channel(&another));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mailbox, &other.mailbox)
    }

    /// A sender that does not keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::unbounded_channel::<u32>();
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(sender);
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender { mailbox: self.mailbox.downgrade() }
    }

    /// How many senders keep the channel open, this one included.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::unbounded_channel::<u32>();
    /// assert_eq!(sender.strong_count(), 1);
    /// ```
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.mailbox.senders()
    }

    /// How many weak senders there are; see [`downgrade`](Self::downgrade).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::unbounded_channel::<u32>();
    /// let _weak = sender.downgrade();
    /// assert_eq!(sender.weak_count(), 1);
    /// ```
    #[must_use]
    pub fn weak_count(&self) -> usize {
        Arc::weak_count(&self.mailbox)
    }
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> Self {
        Self { mailbox: self.mailbox.clone() }
    }
}

impl<T> fmt::Debug for UnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnboundedSender")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// An [`UnboundedSender`] that does not keep the channel open; made by
/// [`downgrade`](UnboundedSender::downgrade).
///
/// # Examples
///
/// ```
/// let (sender, mut receiver) = weftline::sync::mpsc::unbounded_channel();
/// let weak = sender.downgrade();
/// weak.upgrade().expect("a sender is there").send(5).unwrap();
/// drop(sender);
/// assert!(weak.upgrade().is_none());
/// assert_eq!(receiver.blocking_recv(), Some(5));
/// assert_eq!(receiver.blocking_recv(), None);
/// ```
pub struct WeakUnboundedSender<T> {
    /// The shared part, as long as others keep it.
    mailbox: Uncounted<Mailbox<T>>,
}

impl<T> WeakUnboundedSender<T> {
    /// A sender that keeps the channel open; none, if no other one does any more.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::unbounded_channel::<u32>();
    /// let another = sender.downgrade().upgrade();
    /// assert!(another.is_some_and(|another| another.same_channel(&sender)));
    /// ```
    #[must_use]
    pub fn upgrade(&self) -> Option<UnboundedSender<T>> {
        Some(UnboundedSender { mailbox: self.mailbox.upgrade()? })
    }

    /// How many senders keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::unbounded_channel::<u32>();
    /// let weak = sender.downgrade();
    /// assert_eq!(weak.strong_count(), 1);
    /// drop(sender);
    /// assert_eq!(weak.strong_count(), 0);
    /// ```
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.mailbox.senders()
    }

    /// How many weak senders there are, this one included; 0 once both ends are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::unbounded_channel::<u32>();
    /// let weak = sender.downgrade();
    /// assert_eq!(weak.clone().weak_count(), 2);
    /// ```
    #[must_use]
    pub fn weak_count(&self) -> usize {
        self.mailbox.weak_senders()
    }
}

impl<T> Clone for WeakUnboundedSender<T> {
    fn clone(&self) -> Self {
        Self { mailbox: self.mailbox.clone() }
    }
}

impl<T> fmt::Debug for WeakUnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakUnboundedSender").finish_non_exhaustive()
    }
}
