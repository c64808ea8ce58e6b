//! Why a task has no value to give.

use super::Id;
use super::extra::CancelReason;
use std::any::Any;
use std::sync::{Mutex, PoisonError};
use std::{fmt, io};

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// The error of a task that ended without a value: it was cancelled, it panicked, or it failed as
/// part of a [group](crate::group()).
///
/// # Examples
///
/// ```
/// weftline::run(async {
///     let task = weftline::spawn(async { panic!("no luck") });
///     let error = task.await.unwrap_err();
///     assert!(error.is_panic());
///     assert!(error.to_string().contains("no luck"));
/// });
/// ```
pub struct JoinError {
    /// The task that ended.
    id: Id,
    /// How it ended.
    repr: Repr,
}

enum Repr {
    Cancelled(Option<Box<CancelReason>>),
    Panicked(Box<Panicked>),
    Failed,
}

struct Panicked {
    /// The payload as a text, where it is one.
    message: String,
    /// What the panic carried. The lock makes it `Sync`; it is never contended.
    payload: Mutex<Payload>,
}

/// The text of a panic, where it has one.
pub(crate) fn message_of(payload: &Payload) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a value that is not a text".to_owned()
    }
}

impl JoinError {
    pub(crate) fn cancelled(id: Id, reason: Option<CancelReason>) -> Self {
        Self { id, repr: Repr::Cancelled(reason.map(Box::new)) }
    }

    pub(crate) fn panicked(id: Id, payload: Payload) -> Self {
        Self {
            id,
            repr: Repr::Panicked(Box::new(Panicked {
                message: message_of(&payload),
                payload: Mutex::new(payload),
            })),
        }
    }

    /// That of a task whose error its group has.
    pub(crate) fn failed(id: Id) -> Self {
        Self { id, repr: Repr::Failed }
    }

    /// Whether the task was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.repr, Repr::Cancelled(_))
    }

    /// Whether the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.repr, Repr::Panicked(_))
    }

    /// Whether the task gave an error, which its group has: only for the tasks of a
    /// [group](crate::group()).
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::group;
    ///
    /// weftline::run(async {
    ///     let error = group(|g| async move {
    ///         let child = g.spawn(async { Err::<(), _>("no luck") });
    ///         assert!(child.await.unwrap_err().is_failed());
    ///         Ok(())
    ///     })
    ///     .await
    ///     .unwrap_err();
    ///     assert_eq!(error.leaves().collect::<Vec<_>>(), [&"no luck"]);
    /// });
    /// ```
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self.repr, Repr::Failed)
    }

    /// The id of the task that ended.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }

    /// Why the task was cancelled, where that was said; see
    /// [`Task::cancel_with`](crate::Task::cancel_with).
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(async {
    ///     let task = weftline::spawn(std::future::pending::<()>());
    ///     task.cancel_with("no longer wanted");
    ///     assert_eq!(task.await.unwrap_err().cancel_reason(), Some("no longer wanted"));
    /// });
    /// ```
    #[must_use]
    pub fn cancel_reason(&self) -> Option<&str> {
        match &self.repr {
            Repr::Cancelled(reason) => reason.as_deref().map(AsRef::as_ref),
            Repr::Panicked(_) | Repr::Failed => None,
        }
    }

    /// The text of the panic; `None` for a task that did not panic.
    #[must_use]
    pub fn panic_message(&self) -> Option<&str> {
        match &self.repr {
            Repr::Cancelled(_) | Repr::Failed => None,
            Repr::Panicked(panicked) => Some(&panicked.message),
        }
    }

    /// What the panic carried, to be raised again by `std::panic::resume_unwind`.
    ///
    /// # Errors
    ///
    /// Gives the error back where the task did not panic.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(async {
    ///     let error = weftline::spawn(async { std::panic::panic_any(7) }).await.unwrap_err();
    ///     let payload = error.into_panic().unwrap();
    ///     assert_eq!(payload.downcast_ref::<i32>(), Some(&7));
    /// });
    /// ```
    pub fn into_panic(self) -> Result<Box<dyn Any + Send + 'static>, Self> {
        match self.repr {
            Repr::Panicked(panicked) => {
                Ok(panicked.payload.into_inner().unwrap_or_else(PoisonError::into_inner))
            }
            Repr::Cancelled(_) | Repr::Failed => Err(self),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repr {
            Repr::Cancelled(None) => write!(f, "task {} was cancelled", self.id),
            Repr::Cancelled(Some(reason)) => {
                write!(f, "task {} was cancelled: {reason}", self.id)
            }
            Repr::Panicked(panicked) => {
                write!(f, "task {} panicked: {}", self.id, panicked.message)
            }
            Repr::Failed => write!(f, "task {} failed: its group has the error", self.id),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repr {
            Repr::Cancelled(None) => write!(f, "JoinError::Cancelled({})", self.id),
            Repr::Cancelled(Some(reason)) => {
                write!(f, "JoinError::Cancelled({}, {reason:?})", self.id)
            }
            Repr::Panicked(panicked) => {
                write!(f, "JoinError::Panicked({}, {:?})", self.id, panicked.message)
            }
            Repr::Failed => write!(f, "JoinError::Failed({})", self.id),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        io::Error::other(error)
    }
}
