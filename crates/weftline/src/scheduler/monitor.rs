//! The monitor: a thread that looks at the workers while none of them sleeps.
//!
//! It brings the clock to what the workers count (`activity.rs`) and does what `stall.rs` decides. While
//! some worker sleeps it rests, since sleepers watch (`watch.rs`); whoever leaves nobody asleep wakes
//! it. `docs/stalls.md` shows the two sides; the model is
//! `the_last_one_to_leave_its_sleep_wakes_the_monitor`.

use super::sleep::Sleep;
use super::stall::{Judge, Seen, Sighting, Tally, Verdict};
use super::worker::Local;
use super::{Remote, Shared};
use crate::platform::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use crate::platform::parker::{Parker, Unpark};
use crate::platform::slice;
use std::time::Duration;

/// Until the next look while somebody may be stuck.
const SUSPECT_STEP: Duration = Duration::from_micros(400);
/// Between two looks while somebody is stuck, or was a short while ago.
const ALERT_STEP: Duration = Duration::from_micros(800);
/// Between two looks otherwise.
const STEP: Duration = Duration::from_micros(1200);
/// After so many looks at which nobody was stuck the next one is not so soon.
const ALERT_LOOKS: u32 = 256;
/// After so many looks at which it was not needed it rests: somebody sleeps then and again in every
/// process that is not quite busy.
const IDLE_LOOKS: u32 = 8;
/// How long it rests at most while there is relief, which is to be sent away some time, or a poll that
/// may have to be told of.
const LIGHT_REST: Duration = Duration::from_millis(8);

/// It looks, or will by itself within a step.
const LOOKS: u32 = 0;
/// It rests as long as somebody sleeps.
const RESTS: u32 = 1;
/// It rests as long as all sleep.
const RESTS_WHILE_ALL_SLEEP: u32 = 2;

/// Reports that a job, known by its address, has been run for so long, if that is a task's.
pub(crate) type ReportSlow = Box<dyn Fn(usize, Duration) + Send + Sync>;

/// What is told of slow polls.
pub(crate) struct SlowPolls {
    /// How long a poll must last to be told of.
    pub(crate) threshold: Duration,
    /// Who is told.
    pub(crate) report: ReportSlow,
}

impl SlowPolls {
    /// Tells of a worker that is stuck in what was sighted, if that is news.
    fn tell_of(&self, remote: &Remote, sighting: &mut Sighting, stood_ns: u64) {
        let stood = Duration::from_nanos(stood_ns);
        if !sighting.is_news(stood >= self.threshold) {
            return;
        }
        if let Some(job) = remote.activity.job_at(sighting.count) {
            (self.report)(job, stood);
        }
    }
}

/// The monitor, as the workers see it.
pub(crate) struct Monitor {
    /// `LOOKS`, `RESTS` or `RESTS_WHILE_ALL_SLEEP`.
    state: AtomicU32,
    /// How it is woken.
    parker: Parker,
    /// Whether some are stuck while others have no time to watch: they are to help at their upkeep.
    needs_help: AtomicBool,
    /// What is told of slow polls; `None`: nothing.
    slow: Option<SlowPolls>,
}

impl Monitor {
    pub(super) fn new(slow: Option<SlowPolls>) -> Self {
        Self {
            state: AtomicU32::new(LOOKS),
            parker: Parker::new(),
            needs_help: AtomicBool::new(false),
            slow,
        }
    }

    /// Whether busy workers are to look after those that are stuck.
    #[inline]
    pub(super) fn needs_help(&self) -> bool {
        // Relaxed: a hint.
        self.needs_help.load(Ordering::Relaxed)
    }

    /// A worker that has left its sleep goes off to run something: the monitor is woken if it rests
    /// and must not.
    #[inline]
    pub(super) fn worker_goes_off(&self, sleep: &Sleep) {
        // Relaxed: the caller has passed the lock of the sleepers, as the monitor does after it has
        // said that it rests.
        match self.state.load(Ordering::Relaxed) {
            LOOKS => {}
            RESTS if sleep.sleeping() > 0 => {}
            _ => self.wake(),
        }
    }

    /// Makes it look at once.
    #[cold]
    pub(super) fn wake(&self) {
        // Relaxed: the parker's token orders.
        self.state.store(LOOKS, Ordering::Relaxed);
        let unpark = self.parker.unpark();
        debug_assert_eq!(unpark, Unpark::Done, "the monitor waits nowhere else");
    }

    /// Makes it look, if it rests.
    pub(super) fn wake_if_resting(&self) {
        // Relaxed: a look that is under way comes again soon.
        if self.state.load(Ordering::Relaxed) != LOOKS {
            self.wake();
        }
    }

    /// Says that it rests, and looks how: not if nobody sleeps. `all`: how many workers there are.
    pub(super) fn begin_rest(&self, sleep: &Sleep, all: impl Fn() -> usize) -> Rest {
        let tells = self.slow.is_some();
        let state = if tells { RESTS_WHILE_ALL_SLEEP } else { RESTS };
        // Relaxed: the lock orders it, against whoever leaves the list of sleepers after this look.
        self.state.store(state, Ordering::Relaxed);
        match sleep.sleeping_locked() {
            0 => {
                // Relaxed: the monitor's own.
                self.state.store(LOOKS, Ordering::Relaxed);
                Rest::None
            }
            sleeping if tells && sleeping < all() => {
                // Relaxed: both are for whoever leaves nobody asleep.
                self.state.store(RESTS, Ordering::Relaxed);
                Rest::Light
            }
            _ => Rest::Sound,
        }
    }

    /// Waits until it is woken, or for `limit`.
    pub(super) fn sleep_for(&self, limit: Option<Duration>) {
        self.parker.park(limit);
        // Relaxed: the monitor's own.
        self.state.store(LOOKS, Ordering::Relaxed);
    }
}

/// How the monitor rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Not at all.
    None,
    /// Not for long.
    Light,
    /// Until it is woken.
    Sound,
}

/// What the monitor's thread remembers.
struct Watchman<'a> {
    shared: &'a Shared,
    monitor: &'a Monitor,
    /// Of each seat.
    sightings: Vec<Sighting>,
    judge: Judge,
    /// At how many looks in a row nobody was stuck.
    good_looks: u32,
    /// At how many looks in a row it was not needed.
    idle_looks: u32,
}

impl Shared {
    /// What the monitor's thread does.
    pub(crate) fn monitor(&self) {
        let Some(monitor) = &self.monitor else { return };
        slice::shorten();
        let mut watchman = Watchman {
            shared: self,
            monitor,
            sightings: Vec::new(),
            judge: Judge::new(),
            good_looks: ALERT_LOOKS,
            idle_looks: 0,
        };
        while !self.is_stopped() {
            let tally = watchman.look();
            watchman.wait(&tally);
        }
    }
}

impl Watchman<'_> {
    /// Looks at everybody, and acts.
    fn look(&mut self) -> Tally {
        let shared = self.shared;
        let now_ns = shared.clock.system_ns();
        let mut tally = Tally::default();
        self.sightings.resize(shared.seats().len(), Sighting::new());
        for (remote, sighting) in shared.seats().iter().zip(&mut self.sightings) {
            let Some(role) = remote.duty.role() else { continue };
            let (count, is_stuck) = (remote.activity.count(), remote.activity.is_stuck());
            let standing = || {
                let standing = remote.probe.standing();
                (remote.activity.count() == count).then_some(standing)
            };
            let seen = sighting.look(count, is_stuck, now_ns, standing);
            let is_stuck = matches!(seen, Seen::Stuck(_));
            let runs = is_stuck && sighting.runs(remote.probe.used(), || remote.probe.standing());
            tally.add(role, seen, runs);
            if let Seen::Stuck(stood_ns) = seen {
                remote.activity.note_stuck(sighting.count);
                if let Some(slow) = &self.monitor.slow {
                    slow.tell_of(remote, sighting, stood_ns);
                }
            }
        }
        self.act(&tally);
        tally
    }

    fn act(&mut self, tally: &Tally) {
        let shared = self.shared;
        // Those that sleep, relief workers too, watch by themselves.
        let help = tally.stuck > 0 && shared.sleep.sleeping() == 0;
        // Relaxed: a hint.
        self.monitor.needs_help.store(help, Ordering::Relaxed);
        shared.let_relief_compute(tally.stuck > 0 && tally.running < shared.workers);
        match self.judge.decide(tally) {
            Verdict::Call => shared.call_relief(),
            Verdict::Dismiss => shared.dismiss_relief(),
            Verdict::Leave => {}
        }
    }

    /// Waits until the next look.
    fn wait(&mut self, tally: &Tally) {
        let shared = self.shared;
        self.good_looks = if tally.stuck > 0 { 0 } else { self.good_looks.saturating_add(1) };
        let goes_soon = tally.relief > 0 && tally.free > 0;
        let is_needed = shared.sleep.sleeping() == 0 || tally.relief_at_work > 0 || goes_soon;
        self.idle_looks = if is_needed { 0 } else { self.idle_looks + 1 };
        let step = match self.good_looks {
            _ if tally.suspect > 0 => SUSPECT_STEP,
            ..ALERT_LOOKS => ALERT_STEP,
            _ => STEP,
        };
        if self.idle_looks < IDLE_LOOKS {
            return self.monitor.sleep_for(Some(step));
        }
        let limit = match self.monitor.begin_rest(&shared.sleep, || shared.workers_at_work()) {
            Rest::None => Some(step),
            Rest::Light => Some(LIGHT_REST),
            Rest::Sound => (tally.relief > 0).then_some(LIGHT_REST),
        };
        self.monitor.sleep_for(limit);
    }
}

impl Shared {
    /// Sends one relief worker away.
    fn dismiss_relief(&self) {
        for (index, remote) in self.seats().iter().enumerate().rev() {
            if !remote.activity.is_stuck() && remote.duty.dismiss() {
                return self.wake_worker(index);
            }
        }
    }

    /// A worker is stuck from now on, and says so: if nobody is left, relief comes at once.
    fn one_is_stuck(&self) {
        let Some(monitor) = &self.monitor else { return };
        // SeqCst: pairs with itself: of two that get stuck at once one sees the other; and with the
        // fence in `announce`.
        fence(Ordering::SeqCst);
        if self.sleep.sleeping() > 0 {
            return;
        }
        let is_left =
            |remote: &Remote| remote.duty.role().is_some_and(|_| !remote.activity.is_stuck());
        if !self.seats().iter().any(|remote| is_left(remote)) {
            self.call_relief();
        }
        monitor.wake_if_resting();
    }
}

impl Local {
    /// This worker is about to block inside of a job: it leaves what others can take.
    pub(super) fn begin_blocking(&self) {
        self.leave_to_others();
        let remote = &self.shared.remotes[self.index];
        remote.activity.note_stuck(remote.activity.count());
        self.shared.one_is_stuck();
    }

    /// This worker goes on with that job.
    pub(super) fn end_blocking(&self) {
        self.go_on();
    }
}
