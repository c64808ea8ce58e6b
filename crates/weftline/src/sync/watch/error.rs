//! Why nothing was sent, or nothing will change.

use std::error::Error;
use std::fmt;

/// Nobody watches: there is no receiver. The value that was not sent is in it.
///
/// # Examples
///
/// ```
/// use weftline::sync::watch::{self, error::SendError};
///
/// let (sender, receiver) = watch::channel(1);
/// drop(receiver);
/// assert_eq!(sender.send(2), Err(SendError(2)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody watches the channel")
    }
}

impl<T> Error for SendError<T> {}

/// The value will not change any more: there is no sender.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = weftline::sync::watch::channel(1);
/// drop(sender);
/// let error = receiver.has_changed().unwrap_err();
/// assert_eq!(error.to_string(), "the value will not change any more");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError(pub(super) ());

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value will not change any more")
    }
}

impl Error for RecvError {}
