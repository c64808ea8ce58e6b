//! Why nothing was sent, or nothing received.

pub use crate::sync::send_error::SendError;

use std::error::Error;
use std::fmt;

/// Why a receiver has no message.
///
/// # Examples
///
/// ```
/// use weftline::sync::broadcast::{self, error::RecvError};
///
/// weftline::run(async {
///     let (sender, mut receiver) = broadcast::channel(2);
///     for n in 1..=5 {
///         sender.send(n).unwrap();
///     }
///     drop(sender);
///     assert_eq!(receiver.recv().await, Err(RecvError::Lagged(3)));
///     assert_eq!(receiver.recv().await, Ok(4));
///     assert_eq!(receiver.recv().await, Ok(5));
///     assert_eq!(receiver.recv().await, Err(RecvError::Closed));
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// None will come any more: there is no sender.
    Closed,
    /// So many messages were missed. The oldest that is there comes next.
    Lagged(u64),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Closed => f.write_str("the channel has no sender any more"),
            RecvError::Lagged(missed) => write!(f, "{missed} messages were missed"),
        }
    }
}

impl Error for RecvError {}

/// Why [`Receiver::try_recv`](super::Receiver::try_recv) has no message.
///
/// # Examples
///
/// ```
/// use weftline::sync::broadcast::{self, error::TryRecvError};
///
/// let (sender, mut receiver) = broadcast::channel(1);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// sender.send(1).unwrap();
/// sender.send(2).unwrap();
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Lagged(1)));
/// assert_eq!(receiver.try_recv(), Ok(2));
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// None is there now.
    Empty,
    /// As [`RecvError::Closed`].
    Closed,
    /// As [`RecvError::Lagged`].
    Lagged(u64),
}

impl From<RecvError> for TryRecvError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Closed => TryRecvError::Closed,
            RecvError::Lagged(missed) => TryRecvError::Lagged(missed),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryRecvError::Empty => f.write_str("no message was sent yet"),
            TryRecvError::Closed => RecvError::Closed.fmt(f),
            TryRecvError::Lagged(missed) => RecvError::Lagged(*missed).fmt(f),
        }
    }
}

impl Error for TryRecvError {}
