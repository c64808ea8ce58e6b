//! How virtual time passes, and how the threads of a runtime with such a time wait.
//!
//! The worker that waits in the driver is the one that lets time pass: when all actors rest, no
//! queue holds a job and no descriptor is ready, it moves the clock to the next deadline and fires
//! all timers that are due then, whosesoever they are. Whoever is the last to rest sends it to
//! look. `docs/time.md` tells why nothing is overlooked.

use super::Shared;
use super::simulation::plays;
use super::worker::Local;
use crate::driver::clock::NEVER_NS;
use crate::driver::timers::Timers;
use crate::task::Pace;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

impl Local {
    /// In the driver: lets time pass if nothing else can happen. True: time has passed, or events
    /// came first; this worker is counted as at work and has a harvest to deliver.
    pub(super) fn pass_time(&self) -> bool {
        let shared = &*self.shared;
        let Some(actors) = &shared.actors else { return false };
        while let Some(rest) = actors.all_rest() {
            if shared.is_stopped() || shared.somebody_must_run(self.index) {
                return false;
            }
            self.turn_driver(Some(Duration::ZERO));
            if !self.wakers.borrow().is_empty() {
                return shared.begin_to_act();
            }
            let Some(next_ns) = shared.earliest_deadline_ns() else { return false };
            if actors.begin_first(rest) {
                shared.advance_to(next_ns, &mut self.wakers.borrow_mut());
                return true;
            }
            // Somebody acted meanwhile, and may rest again already: the turn above may have taken
            // its notification.
        }
        false
    }
}

impl Shared {
    /// Where time is virtual: the caller is at work from now on, and true.
    pub(super) fn begin_to_act(&self) -> bool {
        if let Some(actors) = &self.actors {
            actors.begin();
        }
        self.actors.is_some()
    }

    /// Whether a worker that sleeps, or is about to wake, has a job to run. Those of a worker that
    /// is held by its own poll do not count: nobody can run them before that ends.
    fn somebody_must_run(&self, here: usize) -> bool {
        self.has_work(here)
            || self.remotes.iter().any(|remote| !remote.slot.is_empty())
            || self.sleep.any_sleeper(|worker| !self.remotes[worker].inbox.is_empty())
    }

    /// The earliest deadline of all timers, to the nanosecond.
    pub(super) fn earliest_deadline_ns(&self) -> Option<u64> {
        loop {
            let bound_ns = self.all_timers().map(Timers::next_deadline_ns).min();
            let bound_ns = bound_ns.filter(|bound_ns| *bound_ns != NEVER_NS)?;
            // What is not found lies beyond the bound.
            let found_ns = self.all_timers().filter_map(|timers| timers.earliest_ns(bound_ns));
            if let Some(found_ns) = found_ns.min().filter(|found_ns| *found_ns <= bound_ns) {
                return Some(found_ns);
            }
        }
    }

    /// Moves virtual time to `next_ns`, the earliest deadline, and appends the wakers that are due.
    pub(super) fn advance_to(&self, next_ns: u64, wakers: &mut Vec<Waker>) {
        self.clock.advance_to(next_ns);
        self.all_timers().for_each(|timers| timers.expire_exactly(next_ns, wakers));
    }

    fn all_timers(&self) -> impl Iterator<Item = &Timers> {
        let workers = self.remotes.iter().map(|remote| &*remote.timers);
        workers.chain([&*self.outside_timers])
    }

    /// How the threads of this runtime wait; `None`: as any thread does.
    pub(crate) fn pace(self: &Arc<Self>) -> Option<Arc<dyn Pace>> {
        self.actors.is_some().then(|| self.clone() as Arc<dyn Pace>)
    }
}

impl Pace for Shared {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn call_at(&self, deadline: Instant, waker: Waker) -> Box<dyn FnOnce()> {
        let timers = self.outside_timers.clone();
        let (key, earliest) = timers.insert(self.clock.to_ns(deadline), waker);
        if earliest {
            self.outside_timer_added();
        }
        Box::new(move || {
            timers.remove(key);
        })
    }

    fn rest(&self) {
        let Some(actors) = &self.actors else { return };
        if plays(self) {
            return self.rest_in_play();
        }
        actors.rest();
    }

    fn begin(&self) {
        self.begin_to_act();
        if self.simulation.is_some() && !plays(self) {
            // It may be the player that was woken, which may wait in the driver.
            self.driver.notify();
        }
    }

    fn run_until(&self, is_woken: &dyn Fn() -> bool) -> bool {
        self.play_until(is_woken)
    }

    fn repeats(&self) -> bool {
        self.simulation.is_some()
    }
}
