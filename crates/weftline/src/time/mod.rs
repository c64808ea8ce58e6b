//! Waiting for time to pass: sleeps, intervals and time limits.
//!
//! Time values are those of the standard library, `Duration` and `Instant`. Whatever waits here
//! costs nothing while it waits and wakes nobody when it is dropped.
//!
//! # Guarantees
//!
//! - Nothing fires early.
//! - A duration of zero is over at once; one that reaches beyond what `Instant` can say
//!   (`Duration::MAX`) is never over.
//! - Everything is `Send` and `Sync`, bound to no thread and to no runtime: it may be made
//!   outside of a runtime, and polled on another runtime than before.
//!
//! Tests need not wait: with [virtual time](crate::runtime::Builder::virtual_time) an hour is over
//! at once, and to the nanosecond.
//!
//! # Behaviour today
//!
//! Deadlines are kept to the nanosecond. Those that lie within the same 33 µs may fire together,
//! up to that much late. The operating system adds its own delay to a thread that slept.

mod deadline;
mod interval;
mod limited;
mod sleep;
mod timeout;

pub use deadline::{Deadline, DeadlineError, WithDeadline};
pub use interval::{Interval, MissedTickPolicy, interval, interval_at};
pub(crate) use sleep::wake_at;
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};

use crate::runtime::context;
use std::time::Instant;

/// The current time, by the clock of the current runtime; outside of a runtime by the system's.
///
/// Prefer it to `Instant::now()` wherever an instant is compared with what this module returns:
/// it follows the runtime, whatever clock that has.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::time::{now, sleep};
///
/// weftline::run(async {
///     let before = now();
///     sleep(Duration::from_millis(2)).await;
///     assert!(now() - before >= Duration::from_millis(2));
/// });
/// ```
#[must_use]
pub fn now() -> Instant {
    context::now()
}
