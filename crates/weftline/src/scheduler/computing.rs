//! Jobs that compute, apart from the others.
//!
//! A relief worker keeps events, timers and short polls going beside workers that compute. Were it to
//! compute, too, there would be one thread more than CPUs, and the next relief worker would have to be
//! called for what this one leaves behind. So jobs that are known to compute wait here: what was given
//! to `compute`, and tasks that yield out of a poll which was found to be stuck.
//!
//! A worker looks here when it has nothing else, and at every second upkeep before anything else, so that
//! neither kind keeps the other out. A relief worker may take something while a worker sleeps, or while
//! fewer threads run than there are workers, since the others block: the monitor says so.

use super::Shared;
use super::worker::Local;
use crate::job::Job;
use crate::platform::atomic::{AtomicBool, Ordering};
use crate::platform::deque::{Injector, Steal};

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

impl Local {
    /// The oldest job that computes, if that is for this worker.
    pub(super) fn take_computing(&self) -> Option<Job> {
        if self.shared.has_computing(self.index) { self.shared.computing.take() } else { None }
    }

    /// At every second call as [`Self::take_computing`]: for upkeep.
    pub(super) fn take_computing_in_turn(&self) -> Option<Job> {
        let turn = !self.computing_turn.get();
        self.computing_turn.set(turn);
        if turn { self.take_computing() } else { None }
    }
}
