//! [`Permit`] and its kin: room for messages, taken before there are the messages. Next: `room.rs`.

use super::bounded::Sender;
use super::error::{SendError, TrySendError};
use std::fmt;
use std::iter::FusedIterator;
use std::mem;

impl<T> Sender<T> {
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
        reserved(self.mailbox().reserve(1).await)?;
        Ok(Permit { sender: self })
    }

    /// Waits for room for `count` messages, in its turn, and takes it: a batch can then be sent
    /// without waiting. Until there is room for all of them nobody who came later gets any.
    ///
    /// # Errors
    ///
    /// If the channel is closed or the receiver dropped, now or while this waits.
    ///
    /// # Panics
    ///
    /// If `count` is more than the capacity of the channel: there will never be room for so many.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has taken nothing; its turn is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = mpsc::channel(4);
    ///     for (permit, message) in sender.reserve_many(2).await.unwrap().zip(["first", "second"]) {
    ///         permit.send(message);
    ///     }
    ///     assert_eq!(receiver.recv().await, Some("first"));
    ///     assert_eq!(receiver.recv().await, Some("second"));
    /// });
    /// ```
    pub async fn reserve_many(&self, count: usize) -> Result<PermitIterator<'_, T>, SendError<()>> {
        let most = self.max_capacity();
        assert!(
            count <= most,
            "cannot reserve room for {count} messages in a channel with a capacity of {most}"
        );
        reserved(self.mailbox().reserve(count).await)?;
        Ok(PermitIterator { sender: self, count })
    }

    /// As [`reserve`](Self::reserve), with a permit that has the sender in it, and so may go
    /// anywhere.
    ///
    /// # Errors
    ///
    /// If the channel is closed or the receiver dropped, now or while this waits. The sender is
    /// dropped then.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has taken nothing, but drops the sender; its turn
    /// is lost. Give a clone of the sender to keep it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = mpsc::channel(1);
    ///     let permit = sender.reserve_owned().await.unwrap();
    ///     let task = weftline::spawn(async move { permit.send("from there") });
    ///     assert_eq!(receiver.recv().await, Some("from there"));
    ///     let sender = task.await.unwrap();
    ///     assert_eq!(sender.capacity(), 1);
    /// });
    /// ```
    pub async fn reserve_owned(self) -> Result<OwnedPermit<T>, SendError<()>> {
        reserved(self.mailbox().reserve(1).await)?;
        Ok(OwnedPermit { sender: Some(self) })
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
        self.try_take(1)?;
        Ok(Permit { sender: self })
    }

    /// Takes room for `count` messages if there is so much. It does not wait.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send), without a message. Where there is room for some but not for
    /// all, none is taken.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = weftline::sync::mpsc::channel(4);
    /// let permits = sender.try_reserve_many(3).unwrap();
    /// assert_eq!((permits.len(), sender.capacity()), (3, 1));
    /// assert!(sender.try_reserve_many(2).is_err());
    /// permits.take(1).for_each(|permit| permit.send("the only one"));
    /// assert_eq!(sender.capacity(), 3);
    /// assert_eq!(receiver.try_recv(), Ok("the only one"));
    /// ```
    pub fn try_reserve_many(
        &self,
        count: usize,
    ) -> Result<PermitIterator<'_, T>, TrySendError<()>> {
        self.try_take(count)?;
        Ok(PermitIterator { sender: self, count })
    }

    /// As [`try_reserve`](Self::try_reserve), with a permit that has the sender in it.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send), with the sender in place of a message.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = weftline::sync::mpsc::channel(1);
    /// let permit = sender.clone().try_reserve_owned().unwrap();
    /// let sender = sender.try_reserve_owned().unwrap_err().into_inner();
    /// permit.send(5);
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// assert!(sender.try_reserve_owned().is_ok());
    /// ```
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Self>> {
        match self.mailbox().try_reserve(1) {
            Ok(()) => Ok(OwnedPermit { sender: Some(self) }),
            Err(refusal) => Err(TrySendError::of(refusal, self)),
        }
    }

    fn try_take(&self, count: usize) -> Result<(), TrySendError<()>> {
        self.mailbox().try_reserve(count).map_err(|refusal| TrySendError::of(refusal, ()))
    }
}

/// Nothing was reserved where the channel is closed.
fn reserved(is_reserved: bool) -> Result<(), SendError<()>> {
    if is_reserved { Ok(()) } else { Err(SendError(())) }
}

/// Room for one message; made by [`Sender::reserve`] and [`Sender::try_reserve`]. Dropping it gives
/// the room back.
///
/// It is good also when the channel is closed meanwhile: the receiver waits for what comes by permits
/// that are there.
///
/// # Examples
///
/// ```
/// use weftline::sync::mpsc;
///
/// weftline::run(async {
///     let (sender, mut receiver) = mpsc::channel(1);
///     let permit = sender.reserve().await.unwrap();
///     assert!(sender.try_send("later").is_err()); // the room is taken
///     permit.send("now");
///     assert_eq!(receiver.recv().await, Some("now"));
/// });
/// ```
#[must_use = "dropping a permit gives the room back"]
pub struct Permit<'a, T> {
    /// Where the message goes.
    sender: &'a Sender<T>,
}

impl<T> Permit<'_, T> {
    /// Sends the message. Where the receiver is gone, it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = weftline::sync::mpsc::channel(1);
    /// sender.try_reserve().unwrap().send(5);
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// ```
    pub fn send(self, message: T) {
        let _unsent = self.deliver(message);
    }

    /// As [`Permit::send`], but where the receiver is gone the message comes back.
    pub(super) fn deliver(self, message: T) -> Result<(), T> {
        let sender = self.sender;
        mem::forget(self);
        sender.mailbox().send_reserved(message)
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.sender.mailbox().give_up_reserved(1);
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("sender", self.sender).finish()
    }
}

/// Room for several messages, as an iterator of [`Permit`]s; made by [`Sender::reserve_many`] and
/// [`Sender::try_reserve_many`]. Dropping it gives back the room for those that it has not given
/// out.
#[must_use = "dropping the permits gives the room back"]
pub struct PermitIterator<'a, T> {
    /// Where the messages go.
    sender: &'a Sender<T>,
    /// How many permits are left.
    count: usize,
}

impl<'a, T> Iterator for PermitIterator<'a, T> {
    type Item = Permit<'a, T>;

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        Some(Permit { sender: self.sender })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl<T> ExactSizeIterator for PermitIterator<'_, T> {}
impl<T> FusedIterator for PermitIterator<'_, T> {}

impl<T> Drop for PermitIterator<'_, T> {
    fn drop(&mut self) {
        if self.count > 0 {
            self.sender.mailbox().give_up_reserved(self.count);
        }
    }
}

impl<T> fmt::Debug for PermitIterator<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermitIterator")
            .field("sender", self.sender)
            .field("count", &self.count)
            .finish()
    }
}

/// As [`Permit`], with the sender in it; made by [`Sender::reserve_owned`] and
/// [`Sender::try_reserve_owned`].
///
/// # Examples
///
/// ```
/// use weftline::sync::mpsc;
///
/// weftline::run(async {
///     let (sender, mut receiver) = mpsc::channel(1);
///     let permit = sender.reserve_owned().await.unwrap();
///     std::thread::spawn(move || permit.send("from a thread"));
///     assert_eq!(receiver.recv().await, Some("from a thread"));
/// });
/// ```
#[must_use = "dropping a permit gives the room back, and drops the sender"]
pub struct OwnedPermit<T> {
    /// Where the message goes; taken out when the permit is used or given back.
    sender: Option<Sender<T>>,
}

impl<T> OwnedPermit<T> {
    /// Sends the message, and gives the sender back. Where the receiver is gone, the message is
    /// dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = weftline::sync::mpsc::channel(2);
    /// let sender = sender.try_reserve_owned().unwrap().send(1);
    /// sender.try_send(2).unwrap();
    /// assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(1), Ok(2)));
    /// ```
    pub fn send(mut self, message: T) -> Sender<T> {
        let sender = self.take();
        let _unsent = sender.mailbox().send_reserved(message);
        sender
    }

    /// Gives the room back, and the sender.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::channel::<u32>(1);
    /// let sender = sender.try_reserve_owned().unwrap().release();
    /// assert_eq!(sender.capacity(), 1);
    /// ```
    pub fn release(mut self) -> Sender<T> {
        let sender = self.take();
        sender.mailbox().give_up_reserved(1);
        sender
    }

    fn take(&mut self) -> Sender<T> {
        self.sender.take().expect("a permit is used once")
    }

    /// Whether it is for the same receiver as a sender.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::channel::<u32>(1);
    /// let permit = sender.clone().try_reserve_owned().unwrap();
    /// assert!(permit.same_channel_as_sender(&sender));
    /// ```
    #[must_use]
    pub fn same_channel_as_sender(&self, sender: &Sender<T>) -> bool {
        self.sender.as_ref().is_some_and(|own| own.same_channel(sender))
    }

    /// Whether both are for the same receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::channel::<u32>(2);
    /// let permit = sender.clone().try_reserve_owned().unwrap();
    /// assert!(permit.same_channel(&sender.try_reserve_owned().unwrap()));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        other.sender.as_ref().is_some_and(|sender| self.same_channel_as_sender(sender))
    }
}

impl<T> Drop for OwnedPermit<T> {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            sender.mailbox().give_up_reserved(1);
        }
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").field("sender", &self.sender).finish()
    }
}
