//! The time a runtime goes by, as one small value.
//!
//! [`Clock`] turns `Instant`s into nanoseconds since the runtime began, which is what timers are
//! kept in, and it alone knows whether time is the system's or virtual. Virtual time stands still
//! until somebody moves it on; who may do so, and when, is the scheduler's business. See `timers`
//! for who uses the nanoseconds, and `docs/time.md`.

use crate::platform::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The deadline that never comes.
pub(crate) const NEVER_NS: u64 = u64::MAX;

/// Tells the time of one runtime. A clone is as good as the original.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// The instant that counts as zero nanoseconds.
    base: Instant,
    /// How far virtual time has come, in nanoseconds; `None`: the time is the system's.
    virtual_ns: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// A clock that begins now and goes by the system's time.
    pub(crate) fn real() -> Self {
        Self { base: Instant::now(), virtual_ns: None }
    }

    /// A clock that begins now and stands still.
    pub(crate) fn standing() -> Self {
        Self { virtual_ns: Some(Arc::new(AtomicU64::new(0))), ..Self::real() }
    }

    /// Whether time is virtual.
    #[inline]
    pub(crate) fn is_virtual(&self) -> bool {
        self.virtual_ns.is_some()
    }

    /// The current time.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        match &self.virtual_ns {
            None => Instant::now(),
            Some(_) => self.base + Duration::from_nanos(self.now_ns()),
        }
    }

    /// Nanoseconds since the clock began.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        match &self.virtual_ns {
            None => self.system_ns(),
            // Acquire: pairs with the Release in `advance_to`.
            Some(now_ns) => now_ns.load(Ordering::Acquire),
        }
    }

    /// Nanoseconds of the system's time since the clock began: for what hangs on how long threads
    /// really take.
    #[inline]
    pub(crate) fn system_ns(&self) -> u64 {
        self.to_ns(Instant::now())
    }

    /// The time at an instant of the system's, which is that one unless time is virtual.
    #[inline]
    pub(crate) fn ns_at(&self, system_ns: u64) -> u64 {
        if self.is_virtual() { self.now_ns() } else { system_ns }
    }

    /// Moves virtual time on. Never back; without effect where time is the system's.
    pub(crate) fn advance_to(&self, ns: u64) {
        if let Some(now_ns) = &self.virtual_ns {
            // Release: pairs with the Acquire in `now_ns`: whoever sees the time also sees what
            // was done before it had come.
            now_ns.fetch_max(ns, Ordering::Release);
        }
    }

    /// Nanoseconds from the clock's beginning to `instant`: zero for what lies before it, and
    /// [`NEVER_NS`] for what lies more than 584 years after it.
    #[inline]
    pub(crate) fn to_ns(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.base);
        u64::try_from(since.as_nanos()).unwrap_or(NEVER_NS)
    }
}
