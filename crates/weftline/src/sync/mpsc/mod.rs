//! A channel from many senders to one receiver: work for a task, events, a stream of results.
//!
//! [`channel`] has a bound: a sender for which there is no room waits, which keeps a fast producer
//! from filling the memory (back-pressure). [`unbounded_channel`] has none, and sending never waits.
//! Both ends work inside of tasks of any runtime and on plain threads.
//!
//! ```
//! use weftline::sync::mpsc;
//!
//! weftline::run(async {
//!     let (sender, mut receiver) = mpsc::channel(64);
//!     for worker in 0..4 {
//!         let sender = sender.clone();
//!         drop(weftline::spawn(async move {
//!             sender.send(worker * 10).await.expect("somebody receives");
//!         }));
//!     }
//!     drop(sender); // the receiver ends when the last clone is gone
//!     let mut sum = 0;
//!     while let Some(n) = receiver.recv().await {
//!         sum += n;
//!     }
//!     assert_eq!(sum, 60);
//! });
//! ```
//!
//! # Guarantees
//!
//! - A message is received, or given back by what was to send it, or dropped with the receiver; once.
//! - What one sender sends is received in the order in which it was sent, and whatever happened
//!   before the sending is seen by whoever receives.
//! - Senders that wait for room get it in the order in which they came. One that is never polled
//!   again keeps the others waiting for a moment, not for ever.
//! - A receiver that waits is woken by the next message, and by the end: the drop of the last sender,
//!   or of the last permit of a channel that was closed.
//! - Sending and receiving take part in the [time slice](crate::task::budget), so that a task cannot
//!   keep its worker by either.
//!
//! # Behaviour today
//!
//! Sending takes a lock for as long as it takes to append to a queue; receiving takes it once for all
//! that was sent meanwhile. See `docs/decisions/014-a-channel-is-a-queue-under-a-lock.md`.

mod bounded;
pub mod error;
mod mailbox;
mod permit;
mod receiver;
mod room;
#[cfg(test)]
mod tests;
mod unbounded;

pub use bounded::{Sender, WeakSender};
pub use permit::{OwnedPermit, Permit, PermitIterator};
pub use receiver::Receiver;
pub use unbounded::{UnboundedSender, WeakUnboundedSender};

use mailbox::Mailbox;
use room::MAX_CAPACITY;
use std::sync::Arc;

/// The receiving end of a channel without a bound is the same as that of one with a bound.
pub type UnboundedReceiver<T> = Receiver<T>;

/// Makes a channel in which at most `capacity` messages may be on their way.
///
/// # Panics
///
/// If `capacity` is 0, or more than an eighth of `usize::MAX`.
///
/// # Examples
///
/// ```
/// use weftline::sync::mpsc;
///
/// weftline::run(async {
///     let (sender, mut receiver) = mpsc::channel(8);
///     sender.send("hello").await.unwrap();
///     assert_eq!(receiver.recv().await, Some("hello"));
/// });
/// ```
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "the capacity of a channel is 0, but at least 1 is needed");
    assert!(
        capacity <= MAX_CAPACITY,
        "the capacity of a channel is {capacity}, but at most {MAX_CAPACITY} is possible"
    );
    let mailbox = Arc::new(Mailbox::new(Some(capacity)));
    (Sender::new(mailbox.clone()), Receiver::new(mailbox))
}

/// Makes a channel in which any number of messages may be on their way.
///
/// # Examples
///
/// ```
/// use weftline::sync::mpsc;
///
/// weftline::run(async {
///     let (sender, mut receiver) = mpsc::unbounded_channel();
///     sender.send("hello").unwrap();
///     assert_eq!(receiver.recv().await, Some("hello"));
/// });
/// ```
pub fn unbounded_channel<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let mailbox = Arc::new(Mailbox::new(None));
    (UnboundedSender::new(mailbox.clone()), Receiver::new(mailbox))
}
