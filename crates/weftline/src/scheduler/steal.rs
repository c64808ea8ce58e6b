//! Where an idle worker looks: the others' queues in a random order, and their slots once a job
//! has aged there.
//!
//! A job in a slot is announced to nobody, since its worker takes it next, almost always within
//! microseconds. For the other cases one idle worker *watches*: it sleeps in steps, and takes from
//! the slot of a worker that has not begun another poll since the last look. It stops watching once
//! all workers have slept for a while, so that an idle runtime makes no wake-up; the next job in a
//! slot calls a watcher again.

use super::worker::Local;
use crate::job::Job;
use crate::platform::TIME_PASSES;
use crate::platform::atomic::{Ordering, fence};
use std::cell::Cell;
use std::time::Duration;

/// How long a job may stay in the slot of a worker that is inside one poll before others take it.
/// Longer than almost every poll, so that a task stays with the one that woke it.
const SLOT_AGE: Duration = Duration::from_micros(500);

/// The longest step of watching.
const LONGEST_STEP: Duration = Duration::from_millis(4);

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
/// while the count stands still for [`SLOT_AGE`] belongs to a worker that will not come soon.
pub(super) struct SlotWatch {
    /// For each worker its count of polls, and when it was first seen so.
    seen: Box<[(u64, u64)]>,
}

impl SlotWatch {
    pub(super) fn new(workers: usize) -> Self {
        Self { seen: vec![(u64::MAX, 0); workers].into_boxed_slice() }
    }

    /// Whether a worker has been in its present poll for longer than [`SLOT_AGE`].
    fn is_stale(&mut self, worker: usize, polls: u64, now_ns: u64) -> bool {
        let (seen, since_ns) = &mut self.seen[worker];
        if *seen != polls {
            (*seen, *since_ns) = (polls, now_ns);
        }
        u128::from(now_ns - *since_ns) >= SLOT_AGE.as_nanos()
    }
}

impl Local {
    /// How long a worker that is about to sleep may do so, if it is the one that watches.
    pub(super) fn time_to_watch(&self) -> Option<Duration> {
        if !TIME_PASSES {
            return None;
        }
        if self.watch.get().is_none() {
            // The caller is counted among the sleepers already.
            let others_sleep = self.shared.sleep.sleeping() >= self.shared.workers();
            // Relaxed: no data hangs on it; only the exchange decides.
            if others_sleep || self.shared.watched.swap(true, Ordering::Relaxed) {
                return None;
            }
            self.watch.set(Some(SLOT_AGE));
        }
        self.watch.get()
    }

    /// After a step of watching: looks less often from step to step, and stops once all workers
    /// have slept through the longest one.
    pub(super) fn watch_on(&self) {
        let Some(step) = self.watch.get() else { return };
        let all_sleep = self.shared.sleep.sleeping() + 1 >= self.shared.workers();
        if step >= LONGEST_STEP && all_sleep {
            self.stop_watching();
        } else {
            self.watch.set(Some((step * 2).min(LONGEST_STEP)));
        }
    }

    /// The watcher has something else to do, or nothing to watch any more.
    pub(super) fn stop_watching(&self) {
        if self.watch.take().is_some() {
            // Relaxed: see `time_to_watch`.
            self.shared.watched.store(false, Ordering::Relaxed);
        }
    }

    /// Whether another worker's slot is full.
    pub(super) fn sees_full_slot(&self) -> bool {
        let mut others = self.shared.remotes.iter().enumerate();
        others.any(|(index, remote)| index != self.index && !remote.slot.is_empty())
    }

    /// The watcher has a job to run: if there is something to watch, another one must.
    #[cold]
    pub(super) fn hand_watch_over(&self) {
        self.stop_watching();
        // SeqCst: pairs with the fence in `call_watcher`: either whoever fills a slot sees that
        // nobody watches, or the slot is seen full here.
        fence(Ordering::SeqCst);
        if self.sees_full_slot() {
            self.shared.call_watcher_if_none();
        }
    }

    /// A job from the slot of a worker that has been in one poll for too long.
    pub(super) fn take_aged_slot(&self) -> Option<Job> {
        let others = || {
            let remotes = self.shared.remotes.iter().enumerate();
            remotes.filter(|(index, remote)| *index != self.index && !remote.slot.is_empty())
        };
        others().next()?;
        let now_ns = self.shared.clock.now_ns();
        let mut watch = self.slot_watch.borrow_mut();
        others()
            // Relaxed: see `Local::run_job`.
            .filter(|(index, remote)| {
                watch.is_stale(*index, remote.polls.load(Ordering::Relaxed), now_ns)
            })
            .find_map(|(_, remote)| remote.slot.take())
    }
}
