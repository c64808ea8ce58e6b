//! The tracing span around a task, where the feature `tracing` is on: taken at spawn, entered for
//! each poll and for the drop of the future. Without the feature the same names are empty and cost
//! nothing.

#[cfg(feature = "tracing")]
mod traced;
#[cfg(feature = "tracing")]
pub(crate) use traced::{Captured, Entered, MAY_BE_ENTERED, SpanPlace, enter_current};

#[cfg(not(feature = "tracing"))]
mod untraced;
#[cfg(not(feature = "tracing"))]
pub(crate) use untraced::{Captured, Entered, MAY_BE_ENTERED, SpanPlace, enter_current};
