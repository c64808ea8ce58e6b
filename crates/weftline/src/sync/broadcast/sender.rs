//! [`Sender`]: sends to all receivers.

use super::error::SendError;
use super::receiver::Receiver;
use super::ring::Ring;
use crate::sync::counted::{Counted, CountsSenders, Uncounted};
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// The end that sends; made by [`channel`](super::channel), and by cloning. When all are dropped the
/// receivers get what was sent, and then the end.
///
/// # Examples
///
/// ```
/// use weftline::sync::broadcast;
///
/// let (sender, mut receiver) = broadcast::channel(4);
/// sender.clone().send(1).unwrap();
/// sender.send(2).unwrap();
/// assert_eq!(receiver.try_recv(), Ok(1));
/// assert_eq!(receiver.try_recv(), Ok(2));
/// ```
pub struct Sender<T> {
    /// The shared part.
    ring: Counted<Ring<T>>,
}

// As for the sender of `std::sync::mpsc`: a panic meanwhile leaves nothing half done.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    /// A sender of a new channel that nobody receives from yet.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::broadcast::Sender;
    ///
    /// let sender = Sender::new(4);
    /// assert!(sender.send("unheard").is_err());
    /// let mut receiver = sender.subscribe();
    /// sender.send("heard").unwrap();
    /// assert_eq!(receiver.try_recv(), Ok("heard"));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "the capacity of a broadcast is 0, but at least 1 is needed");
        Self { ring: Counted::first(Arc::new(Ring::new(capacity))) }
    }

    /// Sends a message to all receivers there are, and says how many. It neither waits nor blocks,
    /// and needs no runtime. Where the channel is full the oldest message goes: who has not got it
    /// has missed it.
    ///
    /// `Ok` does not say that they will get it: they may be dropped, or miss it.
    ///
    /// # Errors
    ///
    /// The message, if there is no receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::broadcast::{self, error::SendError};
    ///
    /// let (sender, receiver) = broadcast::channel(4);
    /// let another = sender.subscribe();
    /// assert_eq!(sender.send(1), Ok(2));
    /// drop((receiver, another));
    /// assert_eq!(sender.send(2), Err(SendError(2)));
    /// ```
    pub fn send(&self, message: T) -> Result<usize, SendError<T>> {
        self.ring.send(message).map_err(SendError)
    }

    /// One more receiver. It gets what is sent from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::broadcast::channel(4);
    /// sender.send("before").unwrap();
    /// let mut another = sender.subscribe();
    /// sender.send("after").unwrap();
    /// assert_eq!(another.try_recv(), Ok("after"));
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::of(Arc::clone(&self.ring))
    }

    /// How many messages some receiver has not got.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = weftline::sync::broadcast::channel(4);
    /// sender.send(1).unwrap();
    /// assert_eq!(sender.len(), 1);
    /// receiver.try_recv().unwrap();
    /// assert_eq!(sender.len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether all receivers have got all messages.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::broadcast::channel(4);
    /// assert!(sender.is_empty());
    /// sender.send(1).unwrap();
    /// assert!(!sender.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.len() == 0
    }

    /// How many receivers there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::broadcast::channel::<u32>(4);
    /// let _another = sender.subscribe();
    /// assert_eq!(sender.receiver_count(), 2);
    /// ```
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.ring.receivers()
    }

    /// Waits until there is no receiver. There may be one later.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::broadcast;
    ///
    /// weftline::run(async {
    ///     let (sender, receiver) = broadcast::channel::<u32>(4);
    ///     let task = weftline::spawn(async move { drop(receiver) });
    ///     sender.closed().await;
    ///     assert_eq!(sender.receiver_count(), 0);
    ///     task.await.unwrap();
    /// });
    /// ```
    pub async fn closed(&self) {
        let nobody = || (self.ring.receivers() == 0).then_some(());
        self.ring.until_left.wait_until(nobody).await;
    }

    /// Whether both send to the same receivers.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::broadcast::channel::<u32>(4);
    /// assert!(sender.same_channel(&sender.clone()));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ring, &other.ring)
    }

    /// A sender that does not keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::broadcast::channel::<u32>(4);
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(sender);
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { ring: self.ring.downgrade() }
    }

    /// How many senders keep the channel open, this one included.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::broadcast::channel::<u32>(4);
    /// assert_eq!(sender.strong_count(), 1);
    /// ```
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.ring.senders()
    }

    /// How many weak senders there are; see [`downgrade`](Self::downgrade).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::broadcast::channel::<u32>(4);
    /// let _weak = sender.downgrade();
    /// assert_eq!(sender.weak_count(), 1);
    /// ```
    #[must_use]
    pub fn weak_count(&self) -> usize {
        Arc::weak_count(&self.ring)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { ring: self.ring.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("receiver_count", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

/// A [`Sender`] that does not keep the channel open; made by [`downgrade`](Sender::downgrade).
///
/// # Examples
///
/// ```
/// let (sender, mut receiver) = weftline::sync::broadcast::channel(4);
/// let weak = sender.downgrade();
/// weak.upgrade().expect("a sender is there").send(5).unwrap();
/// assert_eq!(receiver.try_recv(), Ok(5));
/// ```
pub struct WeakSender<T> {
    /// The shared part, as long as others keep it.
    ring: Uncounted<Ring<T>>,
}

impl<T> WeakSender<T> {
    /// A sender that keeps the channel open; none, if no other one does any more.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::broadcast::channel::<u32>(4);
    /// let another = sender.downgrade().upgrade();
    /// assert!(another.is_some_and(|another| another.same_channel(&sender)));
    /// ```
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        Some(Sender { ring: self.ring.upgrade()? })
    }

    /// How many senders keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::broadcast::channel::<u32>(4);
    /// let weak = sender.downgrade();
    /// assert_eq!(weak.strong_count(), 1);
    /// drop(sender);
    /// assert_eq!(weak.strong_count(), 0);
    /// ```
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.ring.senders()
    }

    /// How many weak senders there are, this one included; 0 once both ends are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::broadcast::channel::<u32>(4);
    /// let weak = sender.downgrade();
    /// assert_eq!(weak.clone().weak_count(), 2);
    /// ```
    #[must_use]
    pub fn weak_count(&self) -> usize {
        self.ring.weak_senders()
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self { ring: self.ring.clone() }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}
