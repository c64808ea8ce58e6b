//! Why nothing was sent, or nothing will change.

pub use crate::sync::send_error::SendError;

use std::error::Error;
use std::fmt;

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
