//! Jobs that compute, apart from the others.
//!
//! A relief worker keeps events, timers and short polls going beside workers that compute. Were it to
//! compute, too, there would be one thread more than CPUs, and the next relief worker would have to be
//! called for what this one leaves behind. So jobs that are known to compute wait here: what was given
//! to `compute`, and tasks that yield out of a poll which was found to be stuck.
//!
//! A worker looks here when it has nothing else. Where it always has, the two kinds have equal shares of
//! its time: after a job that computes the others go first for as long as that took. A relief worker may take something while a worker sleeps, or while
//! fewer threads run than there are workers, since the others block: the monitor says so.

use super::Shared;
use super::worker::Local;
use crate::job::Job;
use crate::platform::atomic::{AtomicBool, Ordering};
use crate::platform::deque::{Injector, Steal};
use std::cell::Cell;

/// The longest that jobs which compute wait for others at a worker, in nanoseconds.
const LONGEST_REST_NS: u64 = 10_000_000;

/// The queue of jobs that compute.
pub(super) struct Computing {
    /// The jobs, the oldest first.
    jobs: Injector<Job>,
    /// Whether relief workers may take some, at the monitor's last look.
    for_relief: AtomicBool,
}

impl Computing {
    pub(super) fn new() -> Self {
        Self { jobs: Injector::new(), for_relief: AtomicBool::new(false) }
    }

    /// Takes the oldest.
    pub(super) fn take(&self) -> Option<Job> {
        while !self.jobs.is_empty() {
            match self.jobs.steal() {
                Steal::Success(job) => return Some(job),
                Steal::Empty => return None,
                Steal::Retry => std::hint::spin_loop(),
            }
        }
        None
    }
}

impl Shared {
    /// Whether jobs that compute are kept apart: where there may be relief.
    #[inline]
    pub(super) fn keeps_computing_apart(&self) -> bool {
        self.relief.max_workers() > 0 && self.monitor.is_some()
    }

    /// Queues a job that computes.
    pub(super) fn push_computing(&self, job: Job) {
        self.computing.jobs.push(job);
        self.work_posted();
    }

    /// Whether a job that computes waits for `worker`, or for one that sleeps.
    #[inline]
    pub(super) fn has_computing(&self, worker: usize) -> bool {
        !self.computing.jobs.is_empty() && self.may_compute(worker)
    }

    /// Whether jobs that compute are for `worker`, too.
    fn may_compute(&self, worker: usize) -> bool {
        // Relaxed: whoever changes it wakes somebody who looks after that.
        worker < self.workers
            || self.computing.for_relief.load(Ordering::Relaxed)
            || self.sleep.any_sleeper(|sleeper| sleeper < self.workers)
    }

    /// Relief workers may take jobs that compute from now on, or may not.
    pub(super) fn let_relief_compute(&self, may: bool) {
        // Relaxed: the fence in `work_posted` orders it, against whoever falls asleep.
        let could = self.computing.for_relief.swap(may, Ordering::Relaxed);
        if may && !could && !self.computing.jobs.is_empty() {
            self.work_posted();
        }
    }
}

/// When jobs that compute have their turn at one worker.
pub(super) struct Turn {
    /// When the one that it runs was taken; `None`: it runs none.
    began_ns: Cell<Option<u64>>,
    /// Until when others go first.
    rests_until_ns: Cell<u64>,
}

impl Turn {
    pub(super) fn new() -> Self {
        Self { began_ns: Cell::new(None), rests_until_ns: Cell::new(0) }
    }

    /// Whether the worker has run a job that computes since the last call: then others go first for as
    /// long.
    pub(super) fn ends(&self, now_ns: u64) -> bool {
        let Some(began_ns) = self.began_ns.take() else { return false };
        let took_ns = now_ns.saturating_sub(began_ns);
        self.rests_until_ns.set(now_ns + took_ns.min(LONGEST_REST_NS));
        true
    }
}

impl Local {
    /// The oldest job that computes, if that is for this worker. An upkeep follows it at once.
    pub(super) fn take_computing(&self) -> Option<Job> {
        if !self.shared.has_computing(self.index) {
            return None;
        }
        let job = self.shared.computing.take()?;
        self.turn.began_ns.set(Some(self.shared.clock.system_ns()));
        self.until_upkeep.set(1);
        Some(job)
    }

    /// As [`Self::take_computing`] where other jobs may wait, if they have had their share. They are
    /// left for others to take.
    pub(super) fn take_computing_in_turn(&self, now_ns: u64) -> Option<Job> {
        if now_ns < self.turn.rests_until_ns.get() || !self.shared.has_computing(self.index) {
            return None;
        }
        self.leave_to_others();
        self.take_computing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_go_first_for_as_long_as_a_job_computed() {
        let turn = Turn::new();
        assert!(!turn.ends(5), "there was none");
        turn.began_ns.set(Some(100));
        assert!(turn.ends(150));
        assert_eq!(turn.rests_until_ns.get(), 200);
        assert!(!turn.ends(160), "that was told");
        turn.began_ns.set(Some(200));
        assert!(turn.ends(200 + 2 * LONGEST_REST_NS));
        assert_eq!(turn.rests_until_ns.get(), 200 + 3 * LONGEST_REST_NS, "not for ever");
    }
}
