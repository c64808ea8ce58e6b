//! The time a runtime goes by, as one small value.
//!
//! [`Clock`] turns `Instant`s into nanoseconds since the runtime began, which is what timers are
//! kept in. It is the one place a virtual time has to enter: nothing else in the runtime
//! asks the operating system for the time. See `timers` for who uses the nanoseconds.

use std::time::Instant;

/// The deadline that never comes.
pub(crate) const NEVER_NS: u64 = u64::MAX;

/// Tells the time of one runtime. A copy is as good as the original.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The instant that counts as zero nanoseconds.
    base: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub(crate) fn new() -> Self {
        Self { base: Instant::now() }
    }

    /// The current time.
    #[inline]
    pub(crate) fn now(self) -> Instant {
        Instant::now()
    }

    /// Nanoseconds since the clock began.
    #[inline]
    pub(crate) fn now_ns(self) -> u64 {
        self.to_ns(self.now())
    }

    /// Nanoseconds from the clock's beginning to `instant`: zero for what lies before it, and
    /// [`NEVER_NS`] for what lies more than 584 years after it.
    #[inline]
    pub(crate) fn to_ns(self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.base);
        u64::try_from(since.as_nanos()).unwrap_or(NEVER_NS)
    }
}
