//! A channel that holds one value, the latest: configuration, progress, "go on" and "stop".
//!
//! [`channel`] makes a [`Sender`] and a [`Receiver`]; both can be cloned. Every receiver sees the
//! latest value whenever it looks, and is told that it has changed. Values in between may be missed:
//! for all of them there is [`broadcast`](super::broadcast).
//!
//! ```
//! use weftline::sync::watch;
//!
//! weftline::run(async {
//!     let (sender, mut receiver) = watch::channel("starting");
//!     let task = weftline::spawn(async move {
//!         receiver.changed().await.expect("a sender is there");
//!         *receiver.borrow()
//!     });
//!     sender.send("ready").expect("somebody watches");
//!     assert_eq!(task.await.unwrap(), "ready");
//! });
//! ```
//!
//! # Guarantees
//!
//! - A receiver that waits is woken by the next change, and by the drop of the last sender. It sees
//!   that change or a later one.
//! - A change that came before a receiver waits, and that it has not seen, is not waited for.
//! - What a receiver has not seen when the last sender goes can still be seen.
//! - Waiting takes part in the [time slice](crate::task::budget).
//!
//! # What to mind
//!
//! A [`Ref`] is a read lock: while one is held, senders block their threads. Look, copy what is
//! needed, and drop it; it cannot be held across an `await` in a task that moves between workers. For
//! the same reason the functions that are given to
//! [`send_modify`](Sender::send_modify), [`send_if_modified`](Sender::send_if_modified) and
//! [`wait_for`](Receiver::wait_for) must not use the channel.

mod board;
pub mod error;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;

pub use board::Ref;
pub use receiver::{Receiver, Values};
pub use sender::Sender;

use board::Board;
use std::sync::Arc;

/// Makes a channel that holds `value`. The receiver has seen it.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = weftline::sync::watch::channel(1);
/// assert_eq!(*receiver.borrow(), 1);
/// sender.send(2).unwrap();
/// assert_eq!(*receiver.borrow(), 2);
/// ```
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let board = Arc::new(Board::new(value));
    let receiver = Receiver::of(&board);
    (Sender::of(board), receiver)
}
