//! [`Sender`]: changes the value.

use super::board::{Board, Ref};
use super::error::SendError;
use super::receiver::Receiver;
use crate::sync::counted::{Counted, CountsSenders};
use std::fmt;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// The end that changes the value; made by [`channel`](super::channel) and by cloning. When all are
/// dropped, receivers that wait are told so.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = weftline::sync::watch::channel(vec![1]);
/// sender.send_modify(|numbers| numbers.push(2));
/// assert_eq!(*receiver.borrow(), [1, 2]);
/// ```
pub struct Sender<T> {
    /// The shared part.
    board: Counted<Board<T>>,
}

// As for a lock of parking_lot: a panic meanwhile leaves nothing half done but what users change.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    /// The handle of a sender that is counted already.
    pub(super) fn of(board: Arc<Board<T>>) -> Self {
        Self { board: Counted::first(board) }
    }

    /// A sender that nobody watches yet; see [`subscribe`](Self::subscribe).
    ///
    /// # Examples
    ///
    /// ```
    /// let sender = weftline::sync::watch::Sender::new(1);
    /// assert_eq!(sender.receiver_count(), 0);
    /// assert_eq!(*sender.subscribe().borrow(), 1);
    /// ```
    pub fn new(value: T) -> Self {
        super::channel(value).0
    }

    /// Replaces the value, and tells those who wait.
    ///
    /// # Errors
    ///
    /// The value, which is not taken, if there is no receiver. See
    /// [`send_replace`](Self::send_replace).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::watch::channel(1);
    /// sender.send(2).unwrap();
    /// drop(receiver);
    /// assert_eq!(sender.send(3).unwrap_err().0, 3);
    /// assert_eq!(*sender.borrow(), 2);
    /// ```
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError(value));
        }
        self.send_replace(value);
        Ok(())
    }

    /// Changes the value in its place, and tells those who wait, also where nobody watches.
    ///
    /// # Panics
    ///
    /// If `change` does: nobody is told then, and the value stays as it was left. It runs under the
    /// lock of the value and must not use the channel.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::watch::channel(1);
    /// sender.send_modify(|value| *value += 1);
    /// assert_eq!(*receiver.borrow(), 2);
    /// ```
    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    /// Changes the value in its place, and tells those who wait if `change` says that it has changed
    /// it. Gives what it said.
    ///
    /// # Panics
    ///
    /// As [`send_modify`](Self::send_modify).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::watch::channel(1);
    /// let raise = |to: u32| sender.send_if_modified(|value| {
    ///     let higher = to > *value;
    ///     *value = to.max(*value);
    ///     higher
    /// });
    /// assert!(raise(3));
    /// assert!(!raise(2));
    /// assert_eq!(*receiver.borrow(), 3);
    /// ```
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        self.board.change_if(change)
    }

    /// Replaces the value, tells those who wait, also where nobody watches, and gives the value that
    /// was there.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::watch::channel(1);
    /// assert_eq!(sender.send_replace(2), 1);
    /// assert_eq!(*receiver.borrow(), 2);
    /// ```
    pub fn send_replace(&self, mut value: T) -> T {
        self.send_modify(|present| mem::swap(present, &mut value));
        value
    }

    /// The latest value.
    ///
    /// # Examples
    ///
    /// ```
    /// let sender = weftline::sync::watch::Sender::new(1);
    /// assert_eq!(*sender.borrow(), 1);
    /// ```
    pub fn borrow(&self) -> Ref<'_, T> {
        self.board.look(None)
    }

    /// Whether there is no receiver. There may be one later.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::watch::channel(1);
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// let _receiver = sender.subscribe();
    /// assert!(!sender.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.board.receivers() == 0
    }

    /// Waits until there is no receiver.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::watch;
    ///
    /// weftline::run(async {
    ///     let (sender, receiver) = watch::channel(1);
    ///     let task = weftline::spawn(async move { drop(receiver) });
    ///     sender.closed().await;
    ///     task.await.unwrap();
    /// });
    /// ```
    pub async fn closed(&self) {
        self.board.until_left.wait_until(|| self.is_closed().then_some(())).await;
    }

    /// One more receiver. It has seen the latest value.
    ///
    /// # Examples
    ///
    /// ```
    /// let sender = weftline::sync::watch::Sender::new(1);
    /// let receiver = sender.subscribe();
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        self.board.add_receiver();
        Receiver::of(&self.board)
    }

    /// How many receivers there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::watch::channel(1);
    /// assert_eq!(sender.receiver_count(), 1);
    /// ```
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.board.receivers()
    }

    /// How many senders there are, this one included.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::watch::channel(1);
    /// let _another = sender.clone();
    /// assert_eq!(sender.sender_count(), 2);
    /// ```
    #[must_use]
    pub fn sender_count(&self) -> usize {
        self.board.senders()
    }

    /// Whether both change the same value.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::watch::channel(1);
    /// assert!(sender.same_channel(&sender.clone()));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.board, &other.board)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { board: self.board.clone() }
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("board", &**self.board).finish_non_exhaustive()
    }
}
