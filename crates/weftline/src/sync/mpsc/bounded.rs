//! [`Sender`]: sends where there is room, and waits where there is none. Next: `room.rs`.

use super::error::{SendError, TrySendError};
use super::mailbox::{Mailbox, Refusal};
use super::permit::Permit;
use crate::task::{budget, drive};
use std::fmt;
use std::future::poll_fn;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::pin;
use std::sync::{Arc, Weak};

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
    mailbox: Arc<Mailbox<T>>,
}

// As for the sender of `std::sync::mpsc`: a panic meanwhile leaves nothing half done.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    /// The first sender.
    pub(super) fn new(mailbox: Arc<Mailbox<T>>) -> Self {
        Self { mailbox }
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
                if !self.mailbox.admission().await {
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
        self.mailbox.send(message).map_err(|(refusal, message)| with(refusal, message))
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

    /// Waits for room for one message, in its turn, and takes it: the message can then be sent
    /// without waiting.
    ///
    /// # Errors
    ///
    /// If the channel is closed or the receiver dropped, now or while this waits.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has taken nothing; its turn is lost.
    ///
    /// # Examples
    ///
    /// What is costly to make is made when it can be sent:
    ///
    /// ```
    /// use weftline::sync::mpsc;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = mpsc::channel(1);
    ///     let permit = sender.reserve().await.unwrap();
    ///     permit.send(vec![0; 1_000_000]);
    ///     assert_eq!(receiver.recv().await.map(|bytes| bytes.len()), Some(1_000_000));
    /// });
    /// ```
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        poll_fn(budget::poll_proceed).await;
        let reserved = match self.mailbox.try_reserve() {
            Ok(()) => true,
            Err(Refusal::Closed) => false,
            Err(Refusal::Full) => self.mailbox.admission().await && self.mailbox.reserve_admitted(),
        };
        // Not `then_some`: a permit that is made is given back when it is dropped.
        if reserved { Ok(Permit::of(self)) } else { Err(SendError(())) }
    }

    /// Takes room for one message if there is some. It does not wait.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send), without a message.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc::{self, error::TrySendError};
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// let permit = sender.try_reserve().unwrap();
    /// assert!(matches!(sender.try_reserve(), Err(TrySendError::Full(()))));
    /// permit.send(5);
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// ```
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        match self.mailbox.try_reserve() {
            Ok(()) => Ok(Permit::of(self)),
            Err(refusal) => Err(with(refusal, ())),
        }
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
        WeakSender { mailbox: Arc::downgrade(&self.mailbox) }
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
}

/// The error for what was refused.
fn with<T>(refusal: Refusal, message: T) -> TrySendError<T> {
    match refusal {
        Refusal::Full => TrySendError::Full(message),
        Refusal::Closed => TrySendError::Closed(message),
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.mailbox.add_sender();
        Self { mailbox: self.mailbox.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.mailbox.remove_sender();
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
    mailbox: Weak<Mailbox<T>>,
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
        let mailbox = self.mailbox.upgrade()?;
        // Not `then_some`: a sender that is made is counted when it is dropped.
        mailbox.add_another_sender().then(|| Sender { mailbox })
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
