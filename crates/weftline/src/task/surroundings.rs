//! What code takes along from the place where it was handed over: the values of the task-local
//! variables, and the tracing span.

use super::context::Context;
use super::span;

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
