//! How a worker blocks: in the driver, which one of them may do, or on its parker.

use super::sleep::Searching;
use super::worker::Local;
use crate::driver::clock::NEVER_NS;
use crate::platform::atomic::{AtomicBool, Ordering};
use crate::platform::timer_slack;
use std::ops::Range;
use std::time::Duration;

/// The right to wait in the driver, and to look into it. One worker has it at a time.
///
/// Whoever parks tries to get it, so that when all workers sleep one of them waits in the driver:
/// the one who holds it gives it back only when it is awake, and tries again before it sleeps.
pub(super) struct DriverToken(AtomicBool);

impl DriverToken {
    pub(super) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// True: the caller has it.
    pub(super) fn try_take(&self) -> bool {
        // A look first, to spare the exchange.
        !self.is_taken()
            // Acquire: pairs with the Release in `give_back`.
            && !self.0.swap(true, Ordering::Acquire)
    }

    /// Whether somebody has it.
    pub(super) fn is_taken(&self) -> bool {
        // Relaxed: a hint.
        self.0.load(Ordering::Relaxed)
    }

    /// Whether some worker has it or is about to, to be asked by one that has announced its sleep. Who
    /// had it when that one tried to get it may have gone for good since: then it must try again.
    pub(super) fn is_in_use(&self, in_driver: bool) -> bool {
        in_driver || self.is_taken()
    }

    /// The caller, who has it, has it no more.
    pub(super) fn give_back(&self) {
        // Release: pairs with the Acquire in `try_take`. An exchange, where hardware would do with
        // a store: only so does the model's order put it before or after each `try_take`.
        self.0.swap(false, Ordering::AcqRel);
    }
}

impl Local {
    /// Sleeps until there is something to do. `Some`: somebody chose this worker to search.
    pub(super) fn park(&self, searching: Option<Searching>) -> Option<Searching> {
        let shared = &*self.shared;
        self.begin_sleep();
        let in_driver = shared.driver_token.try_take();
        let all_rest = shared.sleep.announce(self.index, in_driver, searching);
        // The last look; `announce` has put the fence before it.
        let (slept, mut acts) = if self.must_not_sleep(in_driver) {
            (None, false)
        } else {
            if all_rest && !in_driver {
                shared.driver.notify();
            }
            let (slept, acts) = self.block(in_driver);
            (Some(slept), acts)
        };
        if in_driver {
            // Whoever waits there next must not let time pass over what was found there now.
            acts = acts || shared.begin_to_act();
            shared.driver_token.give_back();
        }
        let chosen = shared.sleep.leave(self.index, acts);
        self.begin_other();
        self.note_sleep(chosen.is_some());
        match slept {
            Some(slept) => self.harvest(slept, in_driver, chosen),
            // The last look found work: take part in the search for it.
            None => chosen.or_else(|| shared.sleep.start_search()),
        }
    }

    /// What a worker that has announced its sleep looks at: whether it is needed all the same.
    fn must_not_sleep(&self, in_driver: bool) -> bool {
        let shared = &*self.shared;
        shared.is_stopped()
            || shared.has_work(self.index)
            || !shared.driver_token.is_in_use(in_driver)
            || self.is_dismissed()
    }

    /// Blocks until this worker is woken or has something to look after. From when to when, in
    /// nanoseconds of the system's time; and whether virtual time has passed, or events came before
    /// it could, so that the worker is at work again.
    fn block(&self, in_driver: bool) -> (Range<u64>, bool) {
        let shared = &*self.shared;
        let began_ns = shared.clock.system_ns();
        self.ask_for_forks(began_ns);
        let mut acts = false;
        let limit = self.time_to_sleep(began_ns, in_driver);
        let parker = &shared.remotes[self.index].parker;
        if !in_driver {
            parker.park(limit);
        } else if parker.go_elsewhere() {
            acts = self.pass_time();
            // A look into the driver meanwhile may have used up the notification of whoever has
            // called this worker.
            if !acts && !parker.is_called() {
                self.turn_driver(limit);
            }
            parker.come_back();
        }
        (began_ns..shared.clock.system_ns(), acts)
    }

    /// How long this worker may sleep: until its own next timer, or that of the threads outside
    /// if it sleeps in the driver, or until its next look if it watches. Virtual time does not pass
    /// while anybody sleeps: nobody waits for it.
    fn time_to_sleep(&self, system_ns: u64, in_driver: bool) -> Option<Duration> {
        let shared = &*self.shared;
        let mut deadline_ns = if self.is_relief() {
            shared.everybodys_deadline_ns()
        } else {
            shared.remotes[self.index].timers.next_deadline_ns()
        };
        if in_driver {
            deadline_ns = deadline_ns.min(shared.outside_timers.next_deadline_ns());
        }
        let waits_for_it = deadline_ns != NEVER_NS && !shared.clock.is_virtual();
        let timer = waits_for_it.then(|| {
            let left = Duration::from_nanos(deadline_ns.saturating_sub(system_ns));
            timer_slack::wait_for(left, self.timer_slack.get())
        });
        match (timer, self.time_to_watch(system_ns)) {
            (Some(timer), Some(step)) => Some(timer.min(step)),
            (timer, step) => timer.or(step),
        }
    }

    /// What a sleep has brought: events, timers that are due, or the call of whoever chose this
    /// worker, who is told so still if nothing else has come.
    fn harvest(
        &self,
        slept: Range<u64>,
        in_driver: bool,
        chosen: Option<Searching>,
    ) -> Option<Searching> {
        if chosen.is_some() {
            self.patience.note_wait(Duration::from_nanos(slept.end.saturating_sub(slept.start)));
        }
        self.asking.wake(slept.end);
        self.watch_on(slept.end);
        let now_ns = self.shared.clock.ns_at(slept.end);
        if self.is_relief() {
            self.expire_everybodys_timers(now_ns);
        } else {
            self.expire_timers(now_ns);
        }
        if in_driver {
            self.expire_outside_timers(now_ns);
        }
        if self.wakers.borrow().is_empty() {
            return chosen;
        }
        // A waker may be foreign code that takes its time: nobody may rely on this worker then.
        self.found(chosen);
        self.deliver(true);
        None
    }

    /// Looks into the driver without waiting, if nobody else does.
    pub(super) fn look_at_driver(&self, now_ns: u64) {
        let shared = &*self.shared;
        if !shared.driver_token.try_take() {
            return;
        }
        self.expire_outside_timers(now_ns);
        if !shared.driver.is_idle() {
            self.turn_driver(Some(Duration::ZERO));
        }
        shared.driver_token.give_back();
    }

    /// # Panics
    ///
    /// If the kernel refuses to wait for events, which it does only for a descriptor that is none.
    pub(super) fn turn_driver(&self, limit: Option<Duration>) {
        let mut wakers = self.wakers.borrow_mut();
        if let Err(error) = self.shared.driver.turn(limit, &mut wakers) {
            panic!("the kernel refuses to wait for events: {error}");
        }
    }
}
