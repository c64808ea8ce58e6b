//! [`Interval`]: ticks at a fixed rate, and what to do about ticks that were missed.

use super::sleep::{Sleep, after};
use crate::runtime::context;
use futures_core::Stream;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// A tick that is taken no later than this after its time has not been missed: the next one is
/// due a period after its time, whatever the policy. As in tokio; coarse timers and a busy machine
/// should not make an interval drift.
const TOLERANCE: Duration = Duration::from_millis(5);

/// Ticks every `period`, the first time at once.
///
/// # Panics
///
/// Panics if `period` is zero. Waiting for a tick panics outside of a runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::time::interval;
///
/// weftline::run(async {
///     let mut interval = interval(Duration::from_millis(2));
///     let first = interval.tick().await;
///     let second = interval.tick().await;
///     assert_eq!(second - first, Duration::from_millis(2));
/// });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(context::now(), period)
}

/// Ticks every `period`, the first time at `start`.
///
/// # Panics
///
/// Panics if `period` is zero. Waiting for a tick panics outside of a runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::time::{interval_at, now};
///
/// weftline::run(async {
///     let start = now() + Duration::from_millis(2);
///     let mut interval = interval_at(start, Duration::from_secs(3600));
///     assert_eq!(interval.tick().await, start);
/// });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "the period of an interval must not be zero");
    Interval { sleep: Sleep::new(Some(start)), period, policy: MissedTickPolicy::default() }
}

/// What an [`Interval`] does about ticks that nobody took in time.
///
/// A tick is missed when it is taken more than 5 ms after its time. Say the period is 50 ms, and
/// between the ticks of 50 ms and 100 ms some work takes until 170 ms. Ticks are then taken at
///
/// | policy | | | missed: due at 100 | | | |
/// |---|---|---|---|---|---|---|
/// | `Burst` | 0 | 50 | 170 | 170 (due at 150) | 200 | 250 |
/// | `Delay` | 0 | 50 | 170 | 220 | 270 | 320 |
/// | `Skip` | 0 | 50 | 170 | 200 | 250 | 300 |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::time::{MissedTickPolicy, interval};
///
/// let interval = interval(Duration::from_secs(1)).with_policy(MissedTickPolicy::Skip);
/// assert_eq!(interval.policy(), MissedTickPolicy::Skip);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickPolicy {
    /// Missed ticks are made up for, one right after the other: the number of ticks is right.
    #[default]
    Burst,
    /// The next tick is due one period after the late one was taken: ticks are never closer to
    /// each other than a period.
    Delay,
    /// Missed ticks are left out: ticks stay at multiples of the period from the start.
    Skip,
}

impl MissedTickPolicy {
    /// When the next tick is due if the one of `due` was taken at `now`, too late.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Option<Instant> {
        match self {
            Self::Burst => due.checked_add(period),
            Self::Delay => now.checked_add(period),
            Self::Skip => {
                // What has passed of the period that `now` lies in.
                let passed_ns = (now - due).as_nanos() % period.as_nanos();
                // A remainder below the period, which may exceed 64 bits of nanoseconds.
                let passed = Duration::new(
                    (passed_ns / 1_000_000_000) as u64,
                    (passed_ns % 1_000_000_000) as u32,
                );
                now.checked_add(period - passed)
            }
        }
    }
}

/// Ticks at a fixed rate; made by [`interval`] and [`interval_at`].
///
/// It is also a `Stream` of ticks without an end.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::time::interval;
///
/// weftline::run(async {
///     let mut seconds = interval(Duration::from_millis(1));
///     for _ in 0..3 {
///         seconds.tick().await;
///     }
/// });
/// ```
#[derive(Debug)]
#[must_use = "an interval does nothing unless its ticks are awaited"]
pub struct Interval {
    /// Over when the next tick is due.
    sleep: Sleep,
    /// From one tick to the next.
    period: Duration,
    /// What follows a tick that was taken late.
    policy: MissedTickPolicy,
}

impl Interval {
    /// Sets what to do about missed ticks, [`MissedTickPolicy::Burst`] to begin with.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::time::{MissedTickPolicy, interval};
    ///
    /// let _poll_often = interval(Duration::from_millis(10)).with_policy(MissedTickPolicy::Delay);
    /// ```
    pub fn with_policy(mut self, policy: MissedTickPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// What is done about missed ticks.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::time::{MissedTickPolicy, interval};
    ///
    /// assert_eq!(interval(Duration::from_secs(1)).policy(), MissedTickPolicy::Burst);
    /// ```
    #[must_use]
    pub fn policy(&self) -> MissedTickPolicy {
        self.policy
    }

    /// The time from one tick to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::time::interval;
    ///
    /// assert_eq!(interval(Duration::from_secs(1)).period(), Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Waits for the next tick; returns when it was due, which is not later than now.
    ///
    /// # Panics
    ///
    /// Panics outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// A tick that was not returned is not lost: the next call returns it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::time::{interval, now};
    ///
    /// weftline::run(async {
    ///     let mut interval = interval(Duration::from_millis(1));
    ///     assert!(interval.tick().await <= now());
    /// });
    /// ```
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// [`Self::tick`] for futures that are written by hand. The task of the latest call is woken.
    ///
    /// # Panics
    ///
    /// Panics outside of a runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::time::Duration;
    /// use weftline::time::interval;
    ///
    /// weftline::run(async {
    ///     let mut interval = interval(Duration::from_millis(1));
    ///     poll_fn(|cx| interval.poll_tick(cx)).await;
    /// });
    /// ```
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(Pin::new(&mut self.sleep).poll(cx));
        let Some(due) = self.sleep.deadline() else { return Poll::Pending };
        let now = context::now();
        let next = if now.saturating_duration_since(due) <= TOLERANCE {
            due.checked_add(self.period)
        } else {
            self.policy.next(due, now, self.period)
        };
        self.sleep.set_deadline(next);
        Poll::Ready(due)
    }

    /// Begins anew: the next tick is due one period from now.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::time::{interval, now};
    ///
    /// weftline::run(async {
    ///     let mut interval = interval(Duration::from_millis(2));
    ///     let before = now();
    ///     interval.reset();
    ///     assert!(interval.tick().await >= before + Duration::from_millis(2));
    /// });
    /// ```
    pub fn reset(&mut self) {
        self.sleep.set_deadline(after(self.period));
    }
}

impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}
