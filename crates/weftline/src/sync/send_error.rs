//! [`SendError`]: what all channels say when nobody receives.

use std::error::Error;
use std::fmt;

/// What [`SendError`] says, and others that may be for the same reason.
pub(super) const CLOSED: &str = "nobody receives from the channel";

/// Nobody will receive what was to be sent: the receivers were dropped, or the channel closed. What
/// was not sent is in it.
///
/// The same for [`mpsc`](crate::sync::mpsc), [`broadcast`](crate::sync::broadcast) and
/// [`watch`](crate::sync::watch).
///
/// # Examples
///
/// ```
/// use weftline::sync::mpsc::{self, error::SendError};
///
/// let (sender, receiver) = mpsc::unbounded_channel();
/// drop(receiver);
/// assert_eq!(sender.send("letter"), Err(SendError("letter")));
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
        f.write_str(CLOSED)
    }
}

impl<T> Error for SendError<T> {}
