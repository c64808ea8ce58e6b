//! Where an idle worker looks: the others' queues in a random order, and what those inside of a long
//! poll have left behind.
//!
//! A job in a slot is announced to nobody, since its worker takes it next, and its timers are its
//! own, almost always within microseconds. In the other cases it is whoever watches (`watch.rs`) that
//! takes the job, from the slot of a worker that has not begun another poll since the last look, and
//! that fires the timers.

use super::Remote;
use super::queues::steal_from;
use super::worker::Local;
use crate::job::Job;
use std::cell::Cell;

/// A poll that lasts longer is a long one: others look after what its worker left behind. Longer than
/// almost every poll, so that a task stays with the one that woke it.
pub(super) const LONG_POLL_NS: u64 = 500_000;

/// The other workers, in an order that is new each time.
pub(super) struct Victims {
    /// This worker.
    own: usize,
    /// The state of a xorshift generator; never zero.
    random: Cell<u64>,
}

impl Victims {
    pub(super) fn new(own: usize) -> Self {
        Self { own, random: Cell::new(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(own as u64 + 1) | 1) }
    }

    /// The first of `all` that `look` finds something at, beginning anywhere.
    pub(super) fn find<V, T>(&self, all: &[V], mut look: impl FnMut(&V) -> Option<T>) -> Option<T> {
        let start = self.next_random() as usize % all.len();
        (0..all.len())
            .map(|offset| (start + offset) % all.len())
            .filter(|&victim| victim != self.own)
            .find_map(|victim| look(&all[victim]))
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
    seen: Vec<(u64, u64)>,
}

impl SlotWatch {
    pub(super) fn new() -> Self {
        Self { seen: Vec::new() }
    }

    /// Whether a worker has been in its present poll for longer than [`LONG_POLL_NS`].
    fn is_stale(&mut self, worker: usize, polls: u64, now_ns: u64) -> bool {
        if worker >= self.seen.len() {
            self.seen.resize(worker + 1, (u64::MAX, 0));
        }
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
        for remote in self.shared.seats() {
            let overdue_ns = now_ns.saturating_sub(remote.timers.next_deadline_ns());
            if overdue_ns >= LONG_POLL_NS || overdue_ns > 0 && remote.activity.is_stuck() {
                self.expire(&remote.timers, now_ns);
            }
        }
    }

    /// Takes over jobs that others have left behind who are stuck, while nobody is idle.
    #[cold]
    pub(super) fn rob_the_stuck(&self) -> Option<Job> {
        let stuck = || self.shared.seats().iter().filter(|remote| remote.activity.is_stuck());
        let take = |remote: &Remote| {
            remote.slot.take().or_else(|| steal_from(&remote.stealer, &self.queue))
        };
        stuck().find_map(|remote| take(remote))
    }

    /// A job from the slot of a worker that has been in one poll for too long.
    pub(super) fn take_aged_slot(&self) -> Option<Job> {
        let others = || {
            let remotes = self.shared.seats().iter().enumerate();
            remotes.filter(|(index, remote)| *index != self.index && !remote.slot.is_empty())
        };
        others().next()?;
        // How long a poll really takes, whatever the runtime's time.
        let now_ns = self.shared.clock.system_ns();
        let mut watch = self.slot_watch.borrow_mut();
        others()
            .filter(|(index, remote)| {
                remote.activity.is_stuck()
                    || watch.is_stale(*index, remote.activity.count(), now_ns)
            })
            .find_map(|(_, remote)| remote.slot.take())
    }
}
