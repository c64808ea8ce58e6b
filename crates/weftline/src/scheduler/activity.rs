//! What a worker does, as the others see it, without asking it.
//!
//! A worker counts what it begins, the monitor brings the clock: it notes the count at which it found
//! the worker stuck. Both numbers are equal as long as the worker is still there, and nothing has to
//! be taken back when it returns. `docs/stalls.md` shows the two sides.

use crate::platform::atomic::{AtomicU64, Ordering};
use crate::platform::global;

/// What a worker's count has while it sleeps.
pub(super) const ASLEEP: u64 = 1;
/// What each poll adds.
pub(super) const BEGUN: u64 = 2;
/// What anything else adds.
pub(super) const OTHER: u64 = 1 << 32;
/// No count.
const NEVER: u64 = u64::MAX;
/// In the place of a job: something else than a job of a queue.
const NO_JOB: usize = 0;

/// What one worker does.
///
/// ```text
///  63 ................. 32 | 31 ........ 1 | 0
///  other things it has begun | polls       | it sleeps
/// ```
pub(super) struct Activity {
    /// What it has begun so far. A carry from one part to the next does no harm.
    count: AtomicU64,
    /// The job whose poll was begun last, by its address; that of no task once it has ended.
    job: global::AtomicUsize,
    /// The count at which the worker was stuck when somebody last looked, or said so itself.
    stuck_at: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            job: global::AtomicUsize::new(NO_JOB),
            stuck_at: AtomicU64::new(NEVER),
        }
    }

    /// The worker begins to run a job.
    #[inline]
    pub(super) fn begin(&self, count: u64, job: usize) {
        // Relaxed: others compare it with what they saw before.
        self.count.store(count, Ordering::Relaxed);
        // Release: pairs with the Acquire in `job_at`: who sees the job sees the count, too.
        self.job.store(job, global::Ordering::Release);
    }

    /// The worker begins something else than a job.
    pub(super) fn begin_other(&self, count: u64) {
        self.begin(count, NO_JOB);
    }

    /// The worker goes on with its job after it was stuck, as it said itself.
    pub(super) fn go_on(&self, count: u64) {
        // Relaxed: as in `begin`.
        self.count.store(count, Ordering::Relaxed);
    }

    /// What has been counted so far.
    #[inline]
    pub(super) fn count(&self) -> u64 {
        // Relaxed: it is compared with what was seen before.
        self.count.load(Ordering::Relaxed)
    }

    /// The job that the worker runs since `count`; `None`: it runs none, or has gone on meanwhile.
    pub(super) fn job_at(&self, count: u64) -> Option<usize> {
        // Acquire: pairs with the Release in `begin`: a job that was begun later is seen with its
        // count by the look that follows.
        let job = self.job.load(global::Ordering::Acquire);
        (job != NO_JOB && self.count() == count).then_some(job)
    }

    /// The worker is stuck in what it began with `count`, if it is still there.
    pub(super) fn note_stuck(&self, count: u64) {
        // Relaxed: it is compared with the count, and says nothing if the worker has gone on.
        self.stuck_at.store(count, Ordering::Relaxed);
    }

    /// Whether the worker is where it was found stuck.
    pub(super) fn is_stuck(&self) -> bool {
        // Relaxed: who acts on it takes what it finds by means of its own.
        self.stuck_at.load(Ordering::Relaxed) == self.count()
    }
}

/// Whether a worker slept when that was its count.
pub(super) fn is_asleep(count: u64) -> bool {
    count & ASLEEP != 0
}

/// How many polls a worker had begun when that was its count, modulo 2^31.
pub(super) fn polls_of(count: u64) -> u32 {
    let low = count & (OTHER - 1);
    u32::try_from(low).unwrap_or(0) / 2
}
