//! What code takes along from the place where it was handed over: the values of the task-local
//! variables, and the tracing span.

use super::context::Context;
use super::current::{current_id, with_context_owner};
use super::{Id, span};

/// Who spawns a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spawner {
    /// Its task.
    pub(crate) id: Option<Id>,
    /// It has no surroundings to hand down. If not, it may have.
    pub(crate) has_none: bool,
}

/// What is around some place of the program.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// The task-local variables.
    pub(crate) context: Context,
    /// The tracing span.
    pub(crate) span: span::Captured,
}

impl Surroundings {
    /// What is around the calling code.
    #[inline]
    pub(crate) fn here() -> Self {
        Self { context: Context::current(), span: span::Captured::here() }
    }

    /// What a spawner knows at a glance.
    #[inline]
    pub(crate) fn of_spawner() -> Spawner {
        let of_task = with_context_owner(|header| Spawner {
            id: Some(header.id),
            has_none: !span::MAY_BE_ENTERED && header.extra.get().is_none(),
        });
        of_task.unwrap_or_else(|| Spawner { id: current_id(), has_none: false })
    }

    /// Whether there is nothing.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.context.is_empty() && self.span.is_none()
    }

    /// Calls a function as if there.
    pub(crate) fn run<R>(&self, call: impl FnOnce() -> R) -> R {
        let _span = self.span.enter();
        self.context.run(call)
    }
}
