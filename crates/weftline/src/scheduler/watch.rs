//! Who watches while others run.
//!
//! A worker that goes into a poll leaves something behind that it alone looks after, and soon: the
//! job in its slot, its timers, the driver where it waited. Telling others of it each time would cost more than
//! it brings, since almost every poll is over within microseconds. For the others there is this
//! rule:
//!
//! > Whenever a worker runs and another sleeps, some sleeper *watches*, or somebody who is awake
//! > without a job will, or will see to it.
//!
//! A watcher sleeps in steps. After each it looks at the others' slots and timers (`steal.rs`), and
//! tries to get the driver token, as whoever parks does. Three places keep the rule:
//!
//! - Whoever parks while another is awake and nobody watches does so ([`Watch::begin_if_none`]).
//! - Whoever goes off to run something after it slept or searched watches no more
//!   ([`Watch::end`]), and if nobody does then, calls a sleeper ([`Watch::call`]).
//! - A watcher gives up only when all sleep or another one watches, and only awake: it parks again,
//!   which is the first place.
//!
//! So an idle runtime makes no wake-up. `docs/sleep.md` says why the rule holds; the models are
//! `a_watcher_that_goes_off_to_run_leaves_another_one` and those after it.

use super::sleep::Sleep;
use super::steal::LONG_POLL_NS;
use super::worker::Local;
use crate::platform::TIME_PASSES;
use crate::platform::atomic::{AtomicUsize, Ordering, fence};
use std::cell::Cell;
use std::time::Duration;

/// The first step.
const FIRST_STEP: Duration = Duration::from_nanos(LONG_POLL_NS);
/// The longest step. Each one is as long as all before it together.
const LONGEST_STEP: Duration = Duration::from_millis(4);
/// The longest step of a relief worker.
const RELIEF_STEP: Duration = Duration::from_millis(1);
/// How long a worker that begins to watch does so in each of its sleeps: workers that run and sleep
/// in turn need not call each other each time then. All steps together.
const SPELL_NS: u64 = 2 * LONGEST_STEP.as_nanos() as u64;

/// How many watch.
pub(super) struct Watch {
    /// Those in a sleep of steps, or between two of them.
    watchers: AtomicUsize,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { watchers: AtomicUsize::new(0) }
    }

    /// One more watches.
    pub(super) fn begin(&self) {
        // Relaxed: only the count matters.
        self.watchers.fetch_add(1, Ordering::Relaxed);
    }

    /// A worker that has announced its sleep watches if nobody does. True: it is counted.
    pub(super) fn begin_if_none(&self) -> bool {
        // Relaxed: `announce` has put its fence before this; see `end`.
        self.watchers.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// A watcher gives up, to park again.
    pub(super) fn give_up(&self) {
        // Relaxed: the lock in `announce`, which it passes next, orders this before the look of
        // whoever passes that lock later (in `leave`).
        self.watchers.fetch_sub(1, Ordering::Relaxed);
    }

    /// A watcher goes off to run something; it looks by [`Watch::call`] whether another one does.
    pub(super) fn end(&self) {
        // Relaxed: ordered by the fence.
        self.watchers.fetch_sub(1, Ordering::Relaxed);
        // SeqCst: pairs with the fence in `announce`: either whoever parks sees that nobody
        // watches, or `call` sees it asleep.
        fence(Ordering::SeqCst);
    }

    /// Whether more than one watches.
    fn has_several(&self) -> bool {
        // Relaxed: a matter of economy; whoever gives up for it looks again when it parks.
        self.watchers.load(Ordering::Relaxed) > 1
    }

    /// The caller goes off to run something. The sleeper to wake if nobody watches; it is counted
    /// as searching already.
    #[inline]
    pub(super) fn call(&self, sleep: &Sleep) -> Option<usize> {
        // Relaxed: the lock in `leave`, the fence in `end` or the one in `end_search`, of which the
        // caller has passed one, orders both looks after it.
        if self.watchers.load(Ordering::Relaxed) > 0 || sleep.sleeping() == 0 {
            return None;
        }
        // SeqCst: pairs with the fence in `end_search`: a searcher for whose sake nobody is chosen
        // here sees afterwards that nobody watches.
        fence(Ordering::SeqCst);
        sleep.choose_sleeper()
    }
}

/// One worker's part in it.
pub(super) struct Watcher {
    /// Whether it is counted in [`Watch`].
    counted: Cell<bool>,
    /// Until when it watches in each of its sleeps.
    spell_ends_ns: Cell<u64>,
    /// Whether it was chosen since it last began to park, perhaps to watch.
    chosen: Cell<bool>,
    /// Whether it slept or searched since it last went off to run something: others may rely on it.
    relied_on: Cell<bool>,
}

impl Watcher {
    pub(super) fn new() -> Self {
        Self {
            counted: Cell::new(false),
            spell_ends_ns: Cell::new(0),
            chosen: Cell::new(false),
            relied_on: Cell::new(false),
        }
    }
}

impl Local {
    /// How long this worker, which has announced its sleep, may sleep until its next look; `None`:
    /// it does not watch. In models, which know no time, nobody does.
    pub(super) fn time_to_watch(&self, now_ns: u64) -> Option<Duration> {
        if !TIME_PASSES {
            return None;
        }
        let (watch, watcher) = (&self.shared.watch, &self.watcher);
        let chosen = watcher.chosen.take();
        if !watcher.counted.get() {
            if now_ns < watcher.spell_ends_ns.get() {
                watch.begin();
            } else {
                let others_awake = self.shared.sleep.sleeping() < self.shared.workers_at_work();
                if !(chosen || others_awake) || !watch.begin_if_none() {
                    return None;
                }
                watcher.spell_ends_ns.set(now_ns + SPELL_NS);
            }
            watcher.counted.set(true);
        }
        let so_far_ns = (now_ns + SPELL_NS).saturating_sub(watcher.spell_ends_ns.get());
        // Who serves for all others must see soon what they do.
        let longest = if self.is_relief() { RELIEF_STEP } else { LONGEST_STEP };
        Some(Duration::from_nanos(so_far_ns).clamp(FIRST_STEP, longest))
    }

    /// This worker has left its sleep. `chosen`: somebody woke it.
    pub(super) fn note_sleep(&self, chosen: bool) {
        self.watcher.relied_on.set(true);
        if chosen {
            self.watcher.chosen.set(true);
        }
    }

    /// A watcher that has slept looks around; it gives up once its spell is over, unless it is
    /// needed.
    pub(super) fn watch_on(&self, now_ns: u64) {
        let (watch, watcher) = (&self.shared.watch, &self.watcher);
        if !watcher.counted.get() {
            return;
        }
        self.ask_for_all();
        if !self.shared.clock.is_virtual() {
            self.expire_overdue_timers(now_ns);
        }
        if now_ns >= watcher.spell_ends_ns.get() {
            let all_sleep = self.shared.sleep.sleeping() + 1 >= self.shared.workers_at_work();
            if all_sleep || watch.has_several() {
                watch.give_up();
                watcher.counted.set(false);
            }
        }
    }

    /// Whether this worker has to leave its watch before it runs something.
    #[inline]
    pub(super) fn is_relied_on(&self) -> bool {
        self.watcher.relied_on.get()
    }

    /// This worker goes off to run something, for who knows how long: somebody else must watch.
    #[cold]
    pub(super) fn leave_watch(&self) {
        if !TIME_PASSES {
            return;
        }
        self.watcher.relied_on.set(false);
        self.end_watch();
        if let Some(monitor) = &self.shared.monitor {
            monitor.worker_goes_off(&self.shared.sleep);
        }
        if let Some(worker) = self.shared.watch.call(&self.shared.sleep) {
            self.shared.wake_worker(worker);
        }
    }

    /// This worker watches no more.
    pub(super) fn end_watch(&self) {
        if self.watcher.counted.take() {
            self.shared.watch.end();
        }
    }
}
