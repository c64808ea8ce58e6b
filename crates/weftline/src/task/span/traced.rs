//! With the feature `tracing`: a span, and the guard that is dropped to leave it.

use crate::platform::Mutex;
use crate::task::current::with_current;
use std::sync::Arc;
use tracing::Span;
use tracing::span::EnteredSpan;

/// Whether code may be in a span.
pub(crate) const MAY_BE_ENTERED: bool = true;

/// The span that was current at some place, if one was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured(Option<Arc<Span>>);

/// Keeps a span current until it is dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    _span: Option<EnteredSpan>,
}

/// A task's place for its span. A span is the subscriber's code: it is cloned, entered and dropped
/// outside of the lock.
#[derive(Debug, Default)]
pub(crate) struct SpanPlace(Mutex<Captured>);

impl Captured {
    /// The span that is current here.
    #[inline]
    pub(crate) fn here() -> Self {
        let span = Span::current();
        Self((!span.is_none()).then(|| Arc::new(span)))
    }

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Makes the span the thread's current one.
    #[inline]
    pub(crate) fn enter(&self) -> Entered {
        Entered { _span: self.0.as_deref().map(|span| span.clone().entered()) }
    }
}

impl SpanPlace {
    pub(crate) fn set(&mut self, span: Captured) {
        *self.0.get_mut() = span;
    }

    pub(crate) fn take(&self) -> Captured {
        std::mem::take(&mut *self.0.lock())
    }
}

/// Makes the span of the task that is polled here the thread's current one.
#[inline]
pub(crate) fn enter_current() -> Entered {
    let span = with_current(|header| Some(header.extra.get()?.span.0.lock().clone())).flatten();
    span.unwrap_or_default().enter()
}
