//! Where an idle worker looks: the others' queues in a random order, and what those inside of a long
//! poll have left behind.
//!
//! A job in a slot is announced to nobody, since its worker takes it next, and its timers are its
//! own, almost always within microseconds. In the other cases it is whoever watches (`watch.rs`) that
//! takes the job, from the slot of a worker that has not begun another poll since the last look, and
//! that fires the timers.

use super::worker::Local;
use crate::job::Job;
use crate::platform::atomic::Ordering;
use std::cell::Cell;

/// A poll that lasts longer is a long one: others look after what its worker left behind. Longer than
/// almost every poll, so that a task stays with the one that woke it.
pub(super) const LONG_POLL_NS: u64 = 500_000;

/// The other workers, in an order that is new each time.
pub(super) struct Victims {
    /// This worker.
    own: usize,
    /// How many workers there are.
    workers: usize,
    /// The state of a xorshift generator; never zero.
    random: Cell<u64>,
}

impl Victims {
    pub(super) fn new(own: usize, workers: usize) -> Self {
        Self {
            own,
            workers,
            random: Cell::new(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(own as u64 + 1) | 1),
        }
    }

    /// The first that `look` finds something at, beginning anywhere.
    pub(super) fn find<T>(&self, mut look: impl FnMut(usize) -> Option<T>) -> Option<T> {
        let start = self.next_random() as usize % self.workers;
        (0..self.workers)
            .map(|offset| (start + offset) % self.workers)
            .filter(|&victim| victim != self.own)
            .find_map(&mut look)
    }

    /// Marsaglia's xorshift64 ("Xorshift RNGs", 2003): good enough to spread thieves.
    fn next_random(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        x >> 16
    }
}

/// What a worker remembers of the others' slots.
///
/// The owner of a slot counts its polls; an idle worker brings the clock. A slot that is full
/// while the count stands still for [`LONG_POLL_NS`] belongs to a worker that will not come soon.
pub(super) struct SlotWatch {
    /// For each worker its count of polls, and when it was first seen so.
    seen: Box<[(u64, u64)]>,
}

impl SlotWatch {
    pub(super) fn new(workers: usize) -> Self {
        Self { seen: vec![(u64::MAX, 0); workers].into_boxed_slice() }
    }

    /// Whether a worker has been in its present poll for longer than [`LONG_POLL_NS`].
    fn is_stale(&mut self, worker: usize, polls: u64, now_ns: u64) -> bool {
        let (seen, since_ns) = &mut self.seen[worker];
        if *seen != polls {
            (*seen, *since_ns) = (polls, now_ns);
        }
        now_ns - *since_ns >= LONG_POLL_NS
    }
}

impl Local {
    /// Harvests the timers of workers that have not come to do so for as long as a long poll.
    pub(super) fn expire_overdue_timers(&self, now_ns: u64) {
        for remote in &self.shared.remotes {
            if now_ns.saturating_sub(remote.timers.next_deadline_ns()) >= LONG_POLL_NS {
                self.expire(&remote.timers, now_ns);
            }
        }
    }

    /// A job from the slot of a worker that has been in one poll for too long.
    pub(super) fn take_aged_slot(&self) -> Option<Job> {
        let others = || {
            let remotes = self.shared.remotes.iter().enumerate();
            remotes.filter(|(index, remote)| *index != self.index && !remote.slot.is_empty())
        };
        others().next()?;
        // How long a poll really takes, whatever the runtime's time.
        let now_ns = self.shared.clock.system_ns();
        let mut watch = self.slot_watch.borrow_mut();
        others()
            // Relaxed: see `Local::run_job`.
            .filter(|(index, remote)| {
                watch.is_stale(*index, remote.polls.load(Ordering::Relaxed), now_ns)
            })
            .find_map(|(_, remote)| remote.slot.take())
    }
}
