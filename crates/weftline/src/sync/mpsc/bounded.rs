//! [`Sender`]: sends where there is room, and waits where there is none. Next: `room.rs`.

use super::error::{SendError, SendTimeoutError, TrySendError};
use super::mailbox::{Mailbox, Refusal};
use crate::sync::counted::{Counted, CountsSenders, Uncounted};
use crate::task::{budget, drive};
use crate::time::timeout;
use std::fmt;
use std::future::poll_fn;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// A sending end of a channel with a bound; made by [`channel`](super::channel). Cloning it makes
/// another one. When all are dropped the receiver gets what was sent, and then the end.
///
/// # Examples
///
/// A producer that is faster than the consumer waits for it:
///
/// ```
/// use weftline::sync::mpsc;
///
/// weftline::run(async {
///     let (sender, mut receiver) = mpsc::channel(2);
///     let producer = weftline::spawn(async move {
///         for n in 0..100 {
///             sender.send(n).await.expect("somebody receives");
///         }
///     });
///     let mut count = 0;
///     while receiver.recv().await.is_some() {
///         assert!(receiver.len() <= 2);
///         count += 1;
///     }
///     assert_eq!(count, 100);
///     producer.await.unwrap();
/// });
/// ```
pub struct Sender<T> {
    /// The shared part, which has a room.
    mailbox: Counted<Mailbox<T>>,
}

// As for the sender of `std::sync::mpsc`: a panic meanwhile leaves nothing half done.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    /// The first sender.
    pub(super) fn new(mailbox: Arc<Mailbox<T>>) -> Self {
        Self { mailbox: Counted::first(mailbox) }
    }

    pub(super) fn mailbox(&self) -> &Mailbox<T> {
        &self.mailbox
    }

    /// Sends a message, as soon as there is room for it. Those who wait for room get it in the order
    /// in which they came.
    ///
    /// `Ok` says that the receiver can have the message, not that it will: it may be dropped before.
    ///
    /// # Errors
    ///
    /// The message, if the channel is closed or the receiver dropped, now or while this waits.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has sent nothing; the message is dropped with it,
    /// and the turn lost. [`reserve`](Self::reserve) waits without a message.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc::{self, error::SendError};
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = mpsc::channel(1);
    ///     sender.send(5).await.unwrap();
    ///     assert_eq!(receiver.recv().await, Some(5));
    ///     drop(receiver);
    ///     assert_eq!(sender.send(6).await, Err(SendError(6)));
    /// });
    /// ```
    pub async fn send(&self, message: T) -> Result<(), SendError<T>> {
        poll_fn(budget::poll_proceed).await;
        match self.mailbox.send(message) {
            Ok(()) => Ok(()),
            Err((Refusal::Closed, message)) => Err(SendError(message)),
            Err((Refusal::Full, message)) => {
                if !self.mailbox.admission(1).await {
                    return Err(SendError(message));
                }
                self.mailbox.send_admitted(message).map_err(SendError)
            }
        }
    }

    /// Sends a message if there is room for it. It does not wait, and needs no runtime.
    ///
    /// # Errors
    ///
    /// The message: [`TrySendError::Full`] if there is no room, or others wait for it,
    /// [`TrySendError::Closed`] if the channel is closed or the receiver dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc::{self, error::TrySendError};
    ///
    /// let (sender, receiver) = mpsc::channel(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    /// ```
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.mailbox.send(message).map_err(|(refusal, message)| TrySendError::of(refusal, message))
    }

    /// As [`send`](Self::send), where there is room within `limit`.
    ///
    /// # Errors
    ///
    /// The message: [`SendTimeoutError::Timeout`] if there was no room in this time,
    /// [`SendTimeoutError::Closed`] if the channel is closed or the receiver dropped.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, where it has to wait.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::sync::mpsc;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = mpsc::channel(1);
    ///     sender.send("in time").await.unwrap();
    ///     let late = sender.send_timeout("too late", Duration::from_millis(1)).await;
    ///     assert_eq!(late.unwrap_err().into_inner(), "too late");
    ///     assert_eq!(receiver.recv().await, Some("in time"));
    /// });
    /// ```
    pub async fn send_timeout(
        &self,
        message: T,
        limit: Duration,
    ) -> Result<(), SendTimeoutError<T>> {
        match timeout(limit, self.reserve()).await {
            Ok(Ok(permit)) => permit.deliver(message).map_err(SendTimeoutError::Closed),
            Ok(Err(_closed)) => Err(SendTimeoutError::Closed(message)),
            Err(_elapsed) => Err(SendTimeoutError::Timeout(message)),
        }
    }

    /// As [`send`](Self::send), blocking the calling thread. For plain threads: on a worker it keeps
    /// the worker from running anything else, the receiver perhaps included.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc;
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// let thread = std::thread::spawn(move || {
    ///     for n in 0..3 {
    ///         sender.blocking_send(n).expect("somebody receives");
    ///     }
    /// });
    /// let mut sum = 0;
    /// while let Some(n) = receiver.blocking_recv() {
    ///     sum += n;
    /// }
    /// assert_eq!(sum, 3);
    /// thread.join().unwrap();
    /// ```
    pub fn blocking_send(&self, message: T) -> Result<(), SendError<T>> {
        drive(pin!(self.send(message)), None)
            .expect("without a deadline the wait ends with the result")
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
    ///     let (sender, receiver) = mpsc::channel::<u32>(1);
    ///     let task = weftline::spawn(async move { drop(receiver) });
    ///     sender.closed().await;
    ///     assert!(sender.is_closed());
    ///     task.await.unwrap();
    /// });
    /// ```
    pub async fn closed(&self) {
        self.mailbox.closed().await;
    }

    /// Whether sending would fail, with or without room. If not, it may by the time this returns.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::mpsc::channel::<u32>(1);
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
    /// let (sender, _receiver) = weftline::sync::mpsc::channel::<u32>(1);
    /// assert!(sender.same_channel(&sender.clone()));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mailbox, &other.mailbox)
    }

    /// For how many more messages there is room, now. Permits and messages on their way take room.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::channel(4);
    /// sender.try_send("message").unwrap();
    /// let _permit = sender.try_reserve().unwrap();
    /// assert_eq!(sender.capacity(), 2);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.mailbox.capacity().unwrap_or(usize::MAX)
    }

    /// How many messages may be on their way, as the channel was made.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::channel(4);
    /// sender.try_send("message").unwrap();
    /// assert_eq!(sender.max_capacity(), 4);
    /// ```
    #[must_use]
    pub fn max_capacity(&self) -> usize {
        self.mailbox.max_capacity().unwrap_or(usize::MAX)
    }

    /// A sender that does not keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::channel::<u32>(1);
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(sender);
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { mailbox: self.mailbox.downgrade() }
    }

    /// How many senders keep the channel open, this one included.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::channel::<u32>(1);
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
    /// let (sender, _receiver) = weftline::sync::mpsc::channel::<u32>(1);
    /// let _weak = sender.downgrade();
    /// assert_eq!(sender.weak_count(), 1);
    /// ```
    #[must_use]
    pub fn weak_count(&self) -> usize {
        Arc::weak_count(&self.mailbox)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { mailbox: self.mailbox.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("capacity", &self.capacity())
            .field("max_capacity", &self.max_capacity())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// A [`Sender`] that does not keep the channel open; made by [`downgrade`](Sender::downgrade).
///
/// # Examples
///
/// ```
/// let (sender, mut receiver) = weftline::sync::mpsc::channel(1);
/// let weak = sender.downgrade();
/// weak.upgrade().expect("a sender is there").try_send(5).unwrap();
/// drop(sender);
/// assert_eq!(receiver.blocking_recv(), Some(5));
/// assert_eq!(receiver.blocking_recv(), None);
/// ```
pub struct WeakSender<T> {
    /// The shared part, as long as others keep it.
    mailbox: Uncounted<Mailbox<T>>,
}

impl<T> WeakSender<T> {
    /// A sender that keeps the channel open; none, if no other one does any more.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::channel::<u32>(1);
    /// let another = sender.downgrade().upgrade();
    /// assert!(another.is_some_and(|another| another.same_channel(&sender)));
    /// ```
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        Some(Sender { mailbox: self.mailbox.upgrade()? })
    }

    /// How many senders keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::channel::<u32>(1);
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
    /// let (sender, _receiver) = weftline::sync::mpsc::channel::<u32>(1);
    /// let weak = sender.downgrade();
    /// assert_eq!(weak.clone().weak_count(), 2);
    /// ```
    #[must_use]
    pub fn weak_count(&self) -> usize {
        self.mailbox.weak_senders()
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self { mailbox: self.mailbox.clone() }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}
