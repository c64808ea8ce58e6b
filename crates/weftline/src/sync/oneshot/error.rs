//! Why a receiver has no value.

use std::error::Error;
use std::fmt;

/// No value will come: the sender was dropped without sending, or the receiver was closed before
/// a value was sent.
///
/// # Examples
///
/// ```
/// use weftline::sync::oneshot;
///
/// weftline::run(async {
///     let (sender, receiver) = oneshot::channel::<u32>();
///     drop(sender);
///     let error = receiver.await.unwrap_err();
///     assert_eq!(error.to_string(), "the channel was closed before a value was sent");
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError(pub(super) ());

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel was closed before a value was sent")
    }
}

impl Error for RecvError {}

/// Why [`Receiver::try_recv`](super::Receiver::try_recv) has no value.
///
/// # Examples
///
/// ```
/// use weftline::sync::oneshot::{self, TryRecvError};
///
/// let (sender, mut receiver) = oneshot::channel::<u32>();
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// No value was sent yet.
    Empty,
    /// No value will come: as [`RecvError`], or the value was taken before.
    Closed,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "no value was sent yet",
            TryRecvError::Closed => "no value will come",
        })
    }
}

impl Error for TryRecvError {}
