//! A channel that shows each message to every receiver: events, changes that all must follow.
//!
//! [`channel`] makes a [`Sender`], which can be cloned, and a [`Receiver`];
//! [`Sender::subscribe`] makes more of them. Each receiver sees what is sent from then on, in order.
//! Senders never wait: the channel keeps the latest messages, as many as its capacity, and a receiver
//! that has not seen what must go learns how many messages it has missed
//! ([`RecvError::Lagged`](error::RecvError::Lagged)) and goes on with the oldest that is there.
//!
//! ```
//! use weftline::sync::broadcast;
//!
//! weftline::run(async {
//!     let (sender, mut first) = broadcast::channel(16);
//!     let mut second = sender.subscribe();
//!     let task = weftline::spawn(async move { second.recv().await });
//!     assert_eq!(sender.send("hello"), Ok(2));
//!     assert_eq!(first.recv().await, Ok("hello"));
//!     assert_eq!(task.await.unwrap(), Ok("hello"));
//! });
//! ```
//!
//! # Guarantees
//!
//! - A receiver gets each message that was sent since it was made, once and in order, or learns that
//!   it has missed it.
//! - A receiver that waits is woken by the next message, and by the drop of the last sender.
//! - A message goes when all receivers for which it was sent have got it, or are gone.
//! - Receiving takes part in the [time slice](crate::task::budget).
//!
//! # Behaviour today
//!
//! One allocation for each message, so that what is cloned for a receiver is cloned outside of the
//! lock; the last receiver gets the message itself.

pub mod error;
mod receiver;
mod ring;
mod sender;
#[cfg(test)]
mod tests;

pub use receiver::Receiver;
pub use sender::{Sender, WeakSender};

/// Makes a channel that keeps at most `capacity` messages.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Examples
///
/// ```
/// let (sender, mut receiver) = weftline::sync::broadcast::channel(2);
/// sender.send(5).unwrap();
/// assert_eq!(receiver.try_recv(), Ok(5));
/// ```
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(capacity);
    let receiver = sender.subscribe();
    (sender, receiver)
}
