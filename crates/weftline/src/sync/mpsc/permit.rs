//! [`Permit`]: room for one message, taken before there is the message.

use super::bounded::Sender;
use std::fmt;
use std::mem;

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

impl<'a, T> Permit<'a, T> {
    /// For a permit that is reserved already.
    pub(super) fn of(sender: &'a Sender<T>) -> Self {
        Self { sender }
    }

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
        let sender = self.sender;
        mem::forget(self);
        // What comes back is dropped here, without a lock.
        let _unsent = sender.mailbox().send_reserved(message);
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.sender.mailbox().give_up_reserved();
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("sender", self.sender).finish()
    }
}
