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
    Cancelled(Option<Box<Details>>),
    Panicked(Box<Panicked>),
    Failed(Option<Box<Details>>),
}

/// What the errors of few tasks have.
struct Details {
    /// The name that the task's spawner gave it.
    name: Option<Box<str>>,
    /// Why it was cancelled.
    reason: Option<CancelReason>,
}

struct Panicked {
    /// The name that the task's spawner gave it.
    name: Option<Box<str>>,
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

impl Details {
    fn of(name: Option<&str>, reason: Option<CancelReason>) -> Option<Box<Self>> {
        let is_needed = name.is_some() || reason.is_some();
        is_needed.then(|| Box::new(Self { name: name.map(Box::from), reason }))
    }
}

impl JoinError {
    #[cold]
    pub(crate) fn cancelled(id: Id, name: Option<&str>, reason: Option<CancelReason>) -> Self {
        Self { id, repr: Repr::Cancelled(Details::of(name, reason)) }
    }

    #[cold]
    pub(crate) fn panicked(id: Id, name: Option<&str>, payload: Payload) -> Self {
        let name = name.map(Box::from);
        let message = message_of(&payload);
        let panicked = Panicked { name, message, payload: Mutex::new(payload) };
        Self { id, repr: Repr::Panicked(Box::new(panicked)) }
    }

    /// That of a task whose error its group has.
    pub(crate) fn failed(id: Id, name: Option<&str>) -> Self {
        Self { id, repr: Repr::Failed(Details::of(name, None)) }
    }

    fn name(&self) -> Option<&str> {
        match &self.repr {
            Repr::Cancelled(details) | Repr::Failed(details) => details.as_ref()?.name.as_deref(),
            Repr::Panicked(panicked) => panicked.name.as_deref(),
        }
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
        matches!(self.repr, Repr::Failed(_))
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
            Repr::Cancelled(details) => details.as_ref()?.reason.as_deref(),
            Repr::Panicked(_) | Repr::Failed(_) => None,
        }
    }

    /// The text of the panic; `None` for a task that did not panic.
    #[must_use]
    pub fn panic_message(&self) -> Option<&str> {
        match &self.repr {
            Repr::Cancelled(_) | Repr::Failed(_) => None,
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
            Repr::Cancelled(_) | Repr::Failed(_) => Err(self),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id)?;
        if let Some(name) = self.name() {
            write!(f, " {name:?}")?;
        }
        match &self.repr {
            Repr::Cancelled(_) => f.write_str(" was cancelled")?,
            Repr::Panicked(panicked) => write!(f, " panicked: {}", panicked.message)?,
            Repr::Failed(_) => f.write_str(" failed: its group has the error")?,
        }
        self.cancel_reason().map_or(Ok(()), |reason| write!(f, ": {reason}"))
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple(match &self.repr {
            Repr::Cancelled(_) => "JoinError::Cancelled",
            Repr::Panicked(_) => "JoinError::Panicked",
            Repr::Failed(_) => "JoinError::Failed",
        });
        tuple.field(&format_args!("{}", self.id));
        for text in [self.name(), self.cancel_reason(), self.panic_message()].iter().flatten() {
            tuple.field(text);
        }
        tuple.finish()
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        io::Error::other(error)
    }
}
