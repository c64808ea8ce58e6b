//! Without the feature `tracing`: nothing, under the same names.

/// Whether code may be in a span.
pub(crate) const MAY_BE_ENTERED: bool = false;

/// No span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured;

/// Nothing entered.
#[derive(Debug)]
pub(crate) struct Entered;

/// No place for a span.
#[derive(Debug, Default)]
pub(crate) struct SpanPlace;

impl Captured {
    #[inline]
    pub(crate) fn here() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        true
    }

    #[inline]
    pub(crate) fn enter(&self) -> Entered {
        Entered
    }
}

impl SpanPlace {
    pub(crate) fn set(&mut self, _: Captured) {}

    pub(crate) fn take(&self) -> Captured {
        Captured
    }
}

/// Enters nothing.
#[inline]
pub(crate) fn enter_current() -> Entered {
    Entered
}
