//! Why something was not sent, or nothing received.

pub use crate::sync::send_error::SendError;

use super::mailbox::Refusal;
use crate::sync::send_error::CLOSED;
use std::error::Error;
use std::fmt;

/// Why nothing was sent without waiting. What was not sent is in it.
///
/// # Examples
///
/// ```
/// use weftline::sync::mpsc::{self, error::TrySendError};
///
/// let (sender, receiver) = mpsc::channel(1);
/// sender.try_send(1).unwrap();
/// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
/// drop(receiver);
/// assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There is no room now, or others wait for it who came before.
    Full(T),
    /// As [`SendError`].
    Closed(T),
}

impl<T> TrySendError<T> {
    /// For what was refused.
    pub(super) fn of(refusal: Refusal, value: T) -> Self {
        match refusal {
            Refusal::Full => TrySendError::Full(value),
            Refusal::Closed => TrySendError::Closed(value),
        }
    }

    /// What was not sent.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = weftline::sync::mpsc::channel(1);
    /// sender.try_send("first").unwrap();
    /// assert_eq!(sender.try_send("second").unwrap_err().into_inner(), "second");
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(value) | TrySendError::Closed(value) => value,
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "the channel has no room",
            TrySendError::Closed(_) => CLOSED,
        })
    }
}

impl<T> Error for TrySendError<T> {}

impl<T> From<SendError<T>> for TrySendError<T> {
    fn from(error: SendError<T>) -> Self {
        TrySendError::Closed(error.0)
    }
}

/// Why nothing was sent within a time. What was not sent is in it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::sync::mpsc::{self, error::SendTimeoutError};
///
/// weftline::run(async {
///     let (sender, receiver) = mpsc::channel(1);
///     let limit = Duration::from_millis(1);
///     sender.send_timeout(1, limit).await.unwrap();
///     assert_eq!(sender.send_timeout(2, limit).await, Err(SendTimeoutError::Timeout(2)));
///     drop(receiver);
///     assert_eq!(sender.send_timeout(3, limit).await, Err(SendTimeoutError::Closed(3)));
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// There was no room in this time.
    Timeout(T),
    /// As [`SendError`].
    Closed(T),
}

impl<T> SendTimeoutError<T> {
    /// What was not sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc::error::SendTimeoutError;
    ///
    /// assert_eq!(SendTimeoutError::Timeout("letter").into_inner(), "letter");
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            SendTimeoutError::Timeout(value) | SendTimeoutError::Closed(value) => value,
        }
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendTimeoutError::Timeout(_) => "Timeout(..)",
            SendTimeoutError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendTimeoutError::Timeout(_) => "the channel had no room in time",
            SendTimeoutError::Closed(_) => CLOSED,
        })
    }
}

impl<T> Error for SendTimeoutError<T> {}

/// Why [`Receiver::try_recv`](super::Receiver::try_recv) has nothing.
///
/// # Examples
///
/// ```
/// use weftline::sync::mpsc::{self, error::TryRecvError};
///
/// let (sender, mut receiver) = mpsc::channel::<u32>(1);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing is there now.
    Empty,
    /// Nothing will come any more.
    Disconnected,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "nothing was sent yet",
            TryRecvError::Disconnected => "nothing will be sent any more",
        })
    }
}

impl Error for TryRecvError {}
