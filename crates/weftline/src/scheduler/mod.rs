//! Who runs what, and who sleeps.
//!
//! Begin reading here: [`Shared`] is everything that all workers of a runtime see. `worker.rs` is
//! the loop that each of them runs, `queues.rs` and `steal.rs` are where its jobs come from,
//! `sleep.rs` decides who sleeps and who is woken, `watch.rs` who looks after what a running worker
//! leaves behind, `park.rs` blocks, `forks.rs` asks those that compute for a part of it,
//! `computing.rs` keeps what computes apart, `calls.rs` is for what one worker alone must do.
//! `blocking.rs` is apart: the threads for jobs that may block.

mod activity;
mod actors;
mod blocking;
mod calls;
mod computing;
mod forks;
mod monitor;
mod pace;
mod park;
#[expect(unsafe_code, reason = "a job passes through an atomic pointer")]
mod queues;
mod random;
mod relief;
mod simulation;
mod sleep;
mod stall;
mod steal;
#[cfg(test)]
mod tests;
mod trace;
mod watch;
mod worker;

pub(crate) use blocking::{BlockingLimits, BlockingPool, StartThread};
pub(crate) use calls::{answer, forget};
pub(crate) use forks::{note_given, serve, served};
pub(crate) use monitor::SlowPolls;
pub(crate) use relief::{Relief, ReliefLimits};
pub(crate) use simulation::{NotHere, Playing};
pub(crate) use sleep::MAX_WORKERS;
pub use trace::Trace;
pub(crate) use worker::{Local, blocking_section, index_here, local_timers};

use crate::driver::Driver;
use crate::driver::clock::Clock;
use crate::driver::timers::Timers;
use crate::job::Job;
use crate::job::wanted::Wanted;
use crate::platform::atomic::{AtomicBool, Ordering, fence};
use crate::platform::deque::{Stealer, Worker};
use crate::platform::global::{self, AtomicUsize};
use crate::platform::parker::{Parker, Unpark};
use crate::platform::probe::Probe;
use crate::task::{Home, Hooks, Reason, Schedule};
use activity::Activity;
use actors::Actors;
use computing::Computing;
use crossbeam_utils::CachePadded;
use monitor::Monitor;
use park::DriverToken;
use queues::{Inbox, ShardedInjector, Slot};
use relief::Duty;
use simulation::Simulation;
use sleep::Sleep;
use std::sync::Arc;
use std::task::Waker;
use watch::Watch;

/// Everything that all workers of a runtime see.
pub(crate) struct Shared {
    /// Each worker, as the others see it, and behind them the seats of relief workers.
    remotes: Box<[CachePadded<Remote>]>,
    /// How many workers there are, without relief workers.
    workers: usize,
    /// Workers that come when all others are stuck.
    relief: Relief,
    /// Who sees that; `None`: nobody, since time is not the system's or there is nothing to do about
    /// it.
    monitor: Option<Monitor>,
    /// Jobs from outside.
    injector: ShardedInjector,
    /// Jobs that compute.
    computing: Computing,
    /// Who sleeps.
    sleep: Sleep,
    /// Who watches meanwhile.
    watch: Watch,
    /// Who would run a fork.
    wanted: &'static Wanted,
    /// The kernel's events.
    pub(crate) driver: Arc<Driver>,
    /// The right to wait in the driver.
    driver_token: DriverToken,
    /// Timers of threads that are no workers.
    pub(crate) outside_timers: Arc<Timers>,
    /// The time.
    pub(crate) clock: Clock,
    /// Where time is virtual: who keeps it from passing.
    actors: Option<Arc<Actors>>,
    /// Where one thread plays all workers.
    simulation: Option<Simulation>,
    /// What users hang around threads and tasks.
    pub(crate) hooks: Hooks,
    /// Threads for jobs that may block.
    pub(crate) blocking: BlockingPool,
    /// The workers end as soon as they see it.
    stop: AtomicBool,
    /// The worker that the next pinned task goes to.
    next_pinned: AtomicUsize,
}

/// What time a scheduler goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Time {
    /// The system's.
    System,
    /// Its own, which passes only when nothing else can happen.
    Virtual,
    /// As virtual, and this seed determines the order in which one thread plays all workers.
    Deterministic(u64),
}

/// What is done about workers that are stuck.
pub(crate) struct Stalls {
    /// Workers that come in their place.
    pub(crate) relief: Relief,
    /// What is told of slow polls; `None`: nothing.
    pub(crate) slow: Option<SlowPolls>,
}

/// A worker, as the others see it.
pub(crate) struct Remote {
    /// The thieves' end of its queue.
    stealer: Stealer<Job>,
    /// Its last-woken job.
    slot: Slot,
    /// What it does: a thief that sees it unchanged knows how old the slot is.
    activity: Activity,
    /// What its thread does, as the kernel sees it.
    probe: Probe,
    /// Whether anybody is there, and for how long.
    duty: Duty,
    /// How it is woken.
    parker: Parker,
    /// Jobs that it alone may run.
    inbox: Inbox,
    /// Its timers.
    timers: Arc<Timers>,
}

impl Shared {
    /// What `workers` workers share, and the owners' ends of their queues.
    pub(crate) fn new(
        workers: usize,
        driver: Driver,
        mut hooks: Hooks,
        mut blocking: BlockingPool,
        time: Time,
        stalls: Stalls,
    ) -> (Arc<Self>, Vec<Worker<Job>>) {
        let Stalls { mut relief, slow } = stalls;
        let queues: Vec<_> = (0..workers).map(|_| Worker::new_fifo()).collect();
        let passes = matches!(time, Time::System);
        let seats = if passes { relief.max_workers() } else { 0 };
        let relief_queues: Vec<_> = (0..seats).map(|_| Worker::new_fifo()).collect();
        let monitor = (passes && (seats > 0 || slow.is_some())).then(|| Monitor::new(slow));
        let driver = Arc::new(driver);
        let actors = |at_work| Some(Arc::new(Actors::new(at_work, driver.clone())));
        let (actors, simulation) = match time {
            Time::System => (None, None),
            Time::Virtual => (actors(workers), None),
            // Its workers act only while they are played.
            Time::Deterministic(seed) => (actors(0), Some(Simulation::new(seed, &mut hooks))),
        };
        let acting_workers = actors.clone().filter(|_| simulation.is_none());
        blocking.count_in(actors.clone());
        let outside_timers = Arc::new(Timers::new());
        let remotes = queues.iter().map(Remote::of_worker);
        let relief_seats =
            relief_queues.iter().map(|queue| Remote::of_relief(queue, &outside_timers));
        let remotes = remotes.chain(relief_seats).map(CachePadded::new).collect();
        relief.furnish(workers, relief_queues);
        let shared = Self {
            remotes,
            workers,
            relief,
            monitor,
            injector: ShardedInjector::new(workers),
            computing: Computing::new(),
            sleep: Sleep::new(workers, acting_workers),
            watch: Watch::new(),
            wanted: Wanted::assign(),
            driver,
            driver_token: DriverToken::new(),
            outside_timers,
            clock: if actors.is_some() { Clock::standing() } else { Clock::real() },
            actors,
            simulation,
            hooks,
            blocking,
            stop: AtomicBool::new(false),
            next_pinned: AtomicUsize::new(0),
        };
        (Arc::new(shared), queues)
    }

    /// How many workers there are, without relief workers.
    pub(crate) fn workers(&self) -> usize {
        self.workers
    }

    /// Whether somebody is to look at the workers, by [`Shared::monitor`].
    pub(crate) fn has_monitor(&self) -> bool {
        self.monitor.is_some()
    }

    /// How many workers there are now, with relief workers.
    fn workers_at_work(&self) -> usize {
        self.workers + self.relief.active()
    }

    /// Each worker, and each relief worker that there has been.
    #[inline]
    fn seats(&self) -> &[CachePadded<Remote>] {
        &self.remotes[..self.workers + self.relief.used()]
    }

    /// Queues a job from a thread that is no worker of this scheduler.
    fn inject(&self, job: Job, reason: Reason) {
        if reason == Reason::Computes && self.keeps_computing_apart() {
            self.push_computing(job);
        } else {
            self.injector.push(thread_number(), job);
            self.work_posted();
        }
        self.run_if_stopped();
    }

    /// Wakes a worker if one is needed for what was just posted.
    #[inline]
    fn work_posted(&self) {
        if let Some(worker) = self.sleep.work_posted() {
            self.wake_worker(worker);
        }
    }

    fn wake_worker(&self, worker: usize) {
        if self.remotes[worker].parker.unpark() == Unpark::Elsewhere {
            self.driver.notify();
        }
    }

    /// Queues a job for one worker alone.
    fn send_to(&self, worker: usize, job: Job) {
        match self.remotes[worker].inbox.push(job) {
            None => self.wake_worker(worker),
            Some(job) => job.discard(),
        }
    }

    /// Queues a job for any worker, for that reason.
    #[inline]
    pub(crate) fn give_any(self: &Arc<Self>, job: Job, reason: Reason) {
        if let Some(job) = worker::schedule_here(self, job, reason) {
            self.inject(job, reason);
        }
    }

    /// Queues a job for one worker alone, which may be the calling one.
    pub(crate) fn give_to(self: &Arc<Self>, worker: usize, job: Job) {
        if let Some(job) = worker::schedule_pinned_here(self, worker, job) {
            self.send_to(worker, job);
        }
    }

    /// A timer of a thread that is no worker has become the earliest of these: whoever waits in
    /// the driver must wait for less.
    pub(crate) fn outside_timer_added(&self) {
        self.driver.notify();
    }

    /// Makes all workers end. They finish the poll they are in.
    pub(crate) fn stop(&self) {
        // Release: pairs with the Acquire in `is_stopped`: the rosters are seen closed.
        self.stop.store(true, Ordering::Release);
        // SeqCst: pairs with the fence in `announce`, after which a worker looks at the flag; one
        // that does not see it yet finds its parker's token.
        fence(Ordering::SeqCst);
        for worker in 0..self.seats().len() {
            self.wake_worker(worker);
        }
        self.driver.notify();
        self.blocking.stop();
        self.relief.stop();
        if let Some(monitor) = &self.monitor {
            monitor.wake();
        }
    }

    /// Whether the workers are to end.
    pub(crate) fn is_stopped(&self) -> bool {
        // Acquire: see `stop`.
        self.stop.load(Ordering::Acquire)
    }

    /// Once the workers are told to end nobody may look at the queues any more: whoever adds a job
    /// then runs it. All tasks are cancelled by that time, so running one ends it.
    fn run_if_stopped(&self) {
        fence(Ordering::SeqCst); // pairs with the fence in `stop`
        if self.is_stopped() {
            self.drain();
        }
    }

    /// Runs what is left in the queues that any thread may take from.
    #[cold]
    pub(crate) fn drain(&self) {
        let queue = Worker::new_fifo();
        loop {
            let injected = self.injector.take(0, &queue).map(|taken| taken.job);
            let job = injected.or_else(|| {
                let victims = self.seats().iter();
                let mut taken = victims.filter_map(|remote| {
                    queues::steal_from(&remote.stealer, &queue).or_else(|| remote.slot.take())
                });
                taken.next()
            });
            let job = job.or_else(|| self.computing.take());
            let Some(job) = job else { return };
            job.run();
            while let Some(job) = queue.pop() {
                job.run();
            }
        }
    }

    /// Ends the driver and the timers, and wakes whoever waits for them.
    pub(crate) fn close(&self) {
        let mut wakers = Vec::new();
        self.driver.close(&mut wakers);
        self.outside_timers.close(&mut wakers);
        for remote in &self.remotes {
            remote.timers.close(&mut wakers);
        }
        let wake = |waker: Waker| self.hooks.guard_waker(|| waker.wake());
        wakers.into_iter().for_each(wake);
    }

    /// Whether any queue that `worker` may take from holds a job, for a last look before sleep.
    fn has_work(&self, worker: usize) -> bool {
        self.injector.may_hold_jobs()
            || self.has_computing(worker)
            || !self.remotes[worker].inbox.is_empty()
            || self.seats().iter().any(|remote| !remote.stealer.is_empty())
    }
}

impl Remote {
    fn of_worker(queue: &Worker<Job>) -> Self {
        Self::new(queue, Duty::for_good(), Arc::new(Timers::new()))
    }

    /// A relief worker leaves no timers behind: it uses those that others serve, too.
    fn of_relief(queue: &Worker<Job>, outside_timers: &Arc<Timers>) -> Self {
        Self::new(queue, Duty::off(), outside_timers.clone())
    }

    fn new(queue: &Worker<Job>, duty: Duty, timers: Arc<Timers>) -> Self {
        Self {
            stealer: queue.stealer(),
            slot: Slot::new(),
            activity: Activity::new(),
            probe: Probe::new(),
            duty,
            parker: Parker::new(),
            inbox: Inbox::new(),
            timers,
        }
    }
}

/// A number for the calling thread, for choosing among shards.
pub(crate) fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        // Relaxed: any numbers will do, as long as threads tend to have different ones.
        static NUMBER: usize = NEXT.fetch_add(1, global::Ordering::Relaxed);
    }
    NUMBER.try_with(|number| *number).unwrap_or(0)
}

/// A task's way to the queues.
pub(crate) struct Entrance(pub(crate) Arc<Shared>);

impl Schedule for Entrance {
    #[inline]
    fn schedule(&self, job: Job, home: Home, reason: Reason) {
        let shared = &self.0;
        if home == Home::ANY {
            shared.give_any(job, reason);
        } else if let Some(worker) = home.pinned_to() {
            shared.give_to(worker, job);
        } else {
            shared.blocking.push(job);
        }
    }

    fn hooks(&self) -> &Hooks {
        &self.0.hooks
    }

    fn here(&self) -> Option<Home> {
        worker::home_here(&self.0)
    }

    fn choose(&self) -> Home {
        // Relaxed: any spread will do.
        let next = self.0.next_pinned.fetch_add(1, Ordering::Relaxed);
        Home::worker(next % self.0.workers())
    }
}
