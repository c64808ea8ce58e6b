//! Relief workers: one worker more while all others are stuck.
//!
//! A relief worker is a `Local` as any other, on a seat of its own, and follows the rules of `sleep.rs`,
//! `watch.rs` and `park.rs`; here is how it comes and goes. The seats are there from the beginning, the
//! threads when they are needed, and for a while longer. Who calls it and sends it away is the
//! monitor's business (`monitor.rs`), and that of a worker which is about to block
//! (`blocking_section`). `docs/stalls.md` tells the protocol.

use super::Shared;
use super::blocking::StartThread;
use super::worker::{Local, as_worker};
use crate::driver::clock::NEVER_NS;
use crate::driver::timers::Timers;
use crate::job::Job;
use crate::platform::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
use crate::platform::deque::Worker;
use crate::platform::{Condvar, Mutex, slice};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to go without trying when the system has refused a thread.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// How many relief workers there may be, and how long their threads stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReliefLimits {
    /// The most relief workers at one time.
    pub(crate) max_workers: usize,
    /// How long a thread waits for another call before it ends.
    pub(crate) keep_alive: Duration,
}

/// The relief workers of one scheduler: their seats and their threads.
pub(crate) struct Relief {
    /// Seats and threads.
    state: Mutex<State>,
    /// Told when a seat is to be taken, and when the threads are to end.
    changed: Condvar,
    limits: ReliefLimits,
    start: StartThread,
    /// How many are called and have not gone: workers beside the others.
    active: AtomicUsize,
    /// How many seats have ever been taken: the others hold nothing.
    used: AtomicUsize,
}

/// Changed under one lock.
#[derive(Default)]
struct State {
    /// Seats that nobody has; the one to take next is the last.
    free: Vec<Seat>,
    /// Seats that somebody is called to.
    called: VecDeque<Seat>,
    /// Threads that there are.
    threads: usize,
    /// Threads that wait for a call.
    idle: usize,
    /// The threads end.
    stopped: bool,
    /// When the system has refused a thread last.
    refused: Option<Instant>,
}

/// A place among the workers.
struct Seat {
    /// Which one.
    index: usize,
    /// The owner's end of its queue.
    queue: Worker<Job>,
}

impl Relief {
    pub(crate) fn new(limits: ReliefLimits, start: StartThread) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            limits,
            start,
            active: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
        }
    }

    /// How many there may be.
    pub(super) fn max_workers(&self) -> usize {
        self.limits.max_workers
    }

    /// Gives it its seats, which come after those of `workers` workers.
    pub(super) fn furnish(&mut self, workers: usize, queues: Vec<Worker<Job>>) {
        let seats = queues.into_iter().enumerate();
        let seats = seats.map(|(place, queue)| Seat { index: workers + place, queue });
        let mut free: Vec<_> = seats.collect();
        free.reverse();
        self.state.lock().free = free;
    }

    /// How many are called and have not gone.
    #[inline]
    pub(super) fn active(&self) -> usize {
        // Relaxed: ordered by a fence of the caller's, where it matters; see `Shared::call_relief`.
        self.active.load(Ordering::Relaxed)
    }

    /// How many seats may hold something.
    #[inline]
    pub(super) fn used(&self) -> usize {
        // Relaxed: whoever is on a seat has seen it counted, and what it posts there is announced by
        // a fence.
        self.used.load(Ordering::Relaxed)
    }

    /// A thread for relief workers: takes seats as they are called, and ends when none was for a
    /// while.
    fn work(&self, serve: impl Fn(Seat) -> Seat) {
        let mut state = self.state.lock();
        loop {
            while let Some(seat) = state.called.pop_front() {
                drop(state);
                let seat = serve(seat);
                state = self.state.lock();
                state.free.push(seat);
            }
            if state.stopped {
                break;
            }
            state.idle += 1;
            let waited = self.changed.wait_for(&mut state, self.limits.keep_alive);
            state.idle -= 1;
            if waited.timed_out() && state.called.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }

    /// Makes the threads end.
    pub(super) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }
}

/// Whether somebody is on a seat, and for how long.
pub(super) struct Duty(AtomicU32);

/// Nobody is there.
const OFF: u32 = 0;
/// A relief worker is on its way.
const COMING: u32 = 1;
/// A relief worker is there.
const ON: u32 = 2;
/// It was sent away.
const DISMISSED: u32 = 3;
/// A worker is there for good.
const STAYS: u32 = 4;

impl Duty {
    /// Of a worker.
    pub(super) fn for_good() -> Self {
        Self(AtomicU32::new(STAYS))
    }

    /// Of a relief worker.
    pub(super) fn off() -> Self {
        Self(AtomicU32::new(OFF))
    }

    /// Whose seat that is; `None`: nobody's.
    pub(super) fn role(&self) -> Option<super::stall::Role> {
        use super::stall::Role;
        // Relaxed: the monitor's view of the moment.
        match self.0.load(Ordering::Relaxed) {
            OFF => None,
            COMING => Some(Role::Coming),
            ON => Some(Role::Relief),
            DISMISSED => Some(Role::Going),
            _ => Some(Role::Worker),
        }
    }

    /// Sends the relief worker away that is there. False: there is none.
    pub(super) fn dismiss(&self) -> bool {
        self.change(ON, DISMISSED)
    }

    /// Whether this worker was sent away.
    pub(super) fn is_dismissed(&self) -> bool {
        // Relaxed: the token that comes with it orders, where the worker sleeps.
        self.0.load(Ordering::Relaxed) == DISMISSED
    }

    /// This worker stays from now on: something lives here that cannot go elsewhere.
    pub(super) fn stay(&self) {
        // Relaxed: the worker's own decision.
        self.0.store(STAYS, Ordering::Relaxed);
    }

    fn change(&self, from: u32, to: u32) -> bool {
        // Relaxed: nothing else hangs on it.
        self.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Shared {
    /// Calls a relief worker, unless there are as many as there may be. Whoever calls looks first
    /// whether one is needed; two that do so at once call two, one of which is sent away soon.
    pub(super) fn call_relief(&self) {
        let relief = &self.relief;
        let mut state = relief.state.lock();
        if state.stopped {
            return;
        }
        let refused = state.refused.is_some_and(|when| when.elapsed() < REFUSED_FOR);
        let starts = state.idle <= state.called.len();
        if starts && refused {
            return;
        }
        let Some(seat) = state.free.pop() else { return };
        let index = seat.index;
        // Relaxed: the thread that takes the seat sees it by the lock.
        self.remotes[index].duty.0.store(COMING, Ordering::Relaxed);
        relief.used.fetch_max(index + 1 - self.workers, Ordering::Relaxed);
        relief.active.fetch_add(1, Ordering::Relaxed);
        state.called.push_back(seat);
        state.threads += usize::from(starts);
        drop(state);
        if !starts {
            relief.changed.notify_one();
        } else if let Err(error) = (relief.start)() {
            self.relief_not_started(&error);
        }
    }

    /// The system refuses a thread: one that there is may take the seat later.
    #[cold]
    fn relief_not_started(&self, error: &io::Error) {
        let mut state = self.relief.state.lock();
        state.threads -= 1;
        let first = state.refused.replace(Instant::now()).is_none();
        if let Some(seat) = state.called.pop_back() {
            // Relaxed: as in `call_relief`.
            self.remotes[seat.index].duty.0.store(OFF, Ordering::Relaxed);
            self.relief.active.fetch_sub(1, Ordering::Relaxed);
            state.free.push(seat);
        }
        drop(state);
        if first {
            let _ = writeln!(io::stderr(), "weftline: no thread for a relief worker: {error}");
        }
    }

    /// What a thread for relief workers does.
    pub(crate) fn work_as_relief(self: &Arc<Self>) {
        // It serves others' events and timers beside threads that compute: it must come soon and be
        // done soon.
        slice::shorten();
        self.relief.work(|Seat { index, queue }| {
            let local = Rc::new(Local::new(index, self.clone(), queue));
            local.attach();
            as_worker(&local, || local.relieve());
            let local = Rc::into_inner(local).expect("nobody keeps a worker");
            Seat { index, queue: local.queue }
        });
    }
}

impl Local {
    /// Whether this is a relief worker.
    #[inline]
    pub(super) fn is_relief(&self) -> bool {
        self.index >= self.shared.workers
    }

    /// Whether this is a relief worker that was sent away.
    pub(super) fn is_dismissed(&self) -> bool {
        self.shared.remotes[self.index].duty.is_dismissed()
    }

    /// Works until it is sent away, or the scheduler stopped.
    fn relieve(&self) {
        let duty = &self.shared.remotes[self.index].duty;
        duty.change(COMING, ON);
        // SeqCst: pairs with the fence in `announce`: whoever falls asleep sees that this worker is
        // active, or is seen asleep when this one goes off to run something.
        fence(Ordering::SeqCst);
        self.note_sleep(false);
        self.begin_other();
        self.work_while(|| !self.shared.is_stopped() && !self.is_dismissed());
        if self.shared.is_stopped() {
            self.run_what_is_left();
        } else {
            self.go();
        }
    }

    /// Leaves the seat. Others get what is left here, and the driver, and watch.
    fn go(&self) {
        let shared = &*self.shared;
        self.give_up_jobs();
        shared.remotes[self.index].duty.change(DISMISSED, OFF);
        // Relaxed: the lock below orders it, against whoever falls asleep.
        shared.relief.active.fetch_sub(1, Ordering::Relaxed);
        self.end_watch();
        // Also where nobody needs to watch: whoever sleeps may rely on this one for the driver.
        if let Some(worker) = shared.sleep.choose_sleeper() {
            shared.wake_worker(worker);
        }
    }

    /// Puts all jobs that others may run where busy workers look, too.
    fn give_up_jobs(&self) {
        let shared = &*self.shared;
        let next = || shared.remotes[self.index].slot.take().or_else(|| self.queue.pop());
        let mut some = false;
        while let Some(job) = next() {
            shared.injector.push(self.index, job);
            some = true;
        }
        if some {
            shared.work_posted();
        }
    }

    /// Harvests what is due among the timers of all workers.
    pub(super) fn expire_everybodys_timers(&self, now_ns: u64) {
        for remote in self.shared.seats() {
            self.expire(&remote.timers, now_ns);
        }
    }
}

impl Shared {
    /// The earliest deadline of all workers: what a relief worker waits for.
    pub(super) fn everybodys_deadline_ns(&self) -> u64 {
        let timers = self.seats().iter().map(|remote| &*remote.timers);
        timers.map(Timers::next_deadline_ns).min().unwrap_or(NEVER_NS)
    }
}
