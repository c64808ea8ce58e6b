//! A channel for one value: the answer to a request, the result of work done elsewhere.
//!
//! [`channel`] makes a [`Sender`], whose [`send`](Sender::send) neither waits nor blocks, and a
//! [`Receiver`], which is a future of the value. Both work inside of tasks of any runtime and on
//! plain threads.
//!
//! ```
//! use weftline::sync::oneshot;
//!
//! weftline::run(async {
//!     let (sender, receiver) = oneshot::channel();
//!     std::thread::spawn(move || sender.send(6 * 7).expect("somebody waits for the answer"));
//!     assert_eq!(receiver.await, Ok(42));
//! });
//! ```
//!
//! # Guarantees
//!
//! - A value is received, or given back by `send`, or dropped with its receiver; once.
//! - Once `send` has returned `Ok`, the value is there for the receiver: closing the receiver
//!   does not lose it, nor does dropping a future that waits for it by reference.
//! - Whatever happened before `send` is seen by whoever receives the value.
//! - A waiting receiver is woken by `send` and by the drop of the sender, a sender that waits for
//!   [`closed`](Sender::closed) by the close and by the drop of the receiver.
//! - A receiver that has a value asks the [time slice](crate::task::budget) before it gives it, so
//!   that a task cannot keep its worker by receiving.
//!
//! # Behaviour today
//!
//! Both ends share one allocation. Sending is one atomic read-modify-write, receiving one if the
//! receiver had to wait and none if the value was there.
//!
//! Inside: `ends.rs` is the allocation and the rules of who may touch what, `state.rs` decides.

#[expect(unsafe_code, reason = "two ends share one allocation without a lock")]
mod ends;
mod error;
mod receiver;
mod sender;
mod state;
#[cfg(test)]
mod tests;

pub use error::{RecvError, TryRecvError};
pub use receiver::Receiver;
pub use sender::Sender;

/// Makes a channel for one value.
///
/// # Examples
///
/// ```
/// use weftline::sync::oneshot;
///
/// weftline::run(async {
///     let (sender, receiver) = oneshot::channel();
///     let task = weftline::spawn(async move { sender.send("done") });
///     assert_eq!(receiver.await, Ok("done"));
///     task.await.unwrap().expect("the receiver was there");
/// });
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = ends::allocate();
    (Sender::new(sender), Receiver::new(receiver))
}
