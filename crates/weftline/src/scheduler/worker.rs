//! A worker: the loop that finds a job, runs it, and parks when there is none.

use super::activity::{ASLEEP, BEGUN, OTHER, is_asleep, polls_of};
use super::computing::Turn;
use super::forks::Asking;
use super::monitor::Monitor;
use super::queues::steal_from;
use super::sleep::Searching;
use super::steal::{SlotWatch, Victims};
use super::watch::Watcher;
use super::{Remote, Shared, calls};
use crate::driver::timers::Timers;
use crate::job::Job;
use crate::platform::deque::Worker;
use crate::platform::patience::Patience;
use crate::platform::timer_slack;
use crate::task::{Cover, Home, Reason, cover_waits};
use crossbeam_utils::CachePadded;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// How often a busy worker looks after timers and the injector, in nanoseconds.
const UPKEEP_EVERY_NS: u64 = 100_000;
/// How often a busy worker looks into the driver, in nanoseconds. Short against what a peer notices,
/// long against the system call that it costs; a rarer look also finds more at once.
const LOOK_EVERY_NS: u64 = 500_000;
/// The most polls between two readings of the clock, however short the polls are: what follows may
/// be longer.
const MAX_POLLS_PER_UPKEEP: u32 = 64;
/// The most jobs taken from the slot in a row: two tasks that wake each other must not keep the
/// queue waiting. Long enough that a message passed back and forth stays in the cache.
const MAX_SLOT_RUNS: u32 = 64;
/// The most jobs that a worker with nothing else to do harvests without waking another one for
/// them at once: running them takes about as long as waking somebody. Until the next upkeep they are
/// left to the worker itself, and to whoever watches.
const SMALL_HARVEST: usize = 16;
/// The most timers expired in one go, so that the jobs they wake begin soon.
pub(super) const TIMERS_PER_TURN: usize = 1024;

thread_local! {
    /// The worker that this thread is.
    static LOCAL: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}

/// A worker, as it sees itself.
pub(crate) struct Local {
    /// Its place among the workers.
    pub(super) index: usize,
    /// What all workers see.
    pub(super) shared: Arc<Shared>,
    /// Its queue: what any worker may run, the oldest first.
    pub(super) queue: Worker<Job>,
    /// What only this worker may run, the oldest first.
    pinned: RefCell<VecDeque<Job>>,
    /// What was begun, as in `Activity`.
    begun: Cell<u64>,
    /// When jobs that compute have their turn.
    pub(super) turn: Turn,
    /// Whether a pinned job came first when there were jobs of both kinds.
    pinned_turn: Cell<bool>,
    /// Whether the last look into the inbox was for a call: the next one leaves others their turn.
    called: Cell<bool>,
    /// Jobs taken from the slot in a row.
    slot_runs: Cell<u32>,
    /// Polls until the next upkeep.
    pub(super) until_upkeep: Cell<u32>,
    /// Polls between two upkeeps: as many as fit into `UPKEEP_EVERY_NS`.
    polls_per_upkeep: Cell<u32>,
    /// When the last upkeep was.
    last_upkeep_ns: Cell<u64>,
    /// When this worker last looked at the driver.
    last_look_ns: Cell<u64>,
    /// While wakers of a harvest are called: what they wake goes to the queue, announced once.
    harvesting: Cell<bool>,
    /// Wakers of a harvest, kept for their memory.
    pub(super) wakers: RefCell<Vec<Waker>>,
    /// In which order to look at the others.
    victims: Victims,
    /// Whether it looks for work for a moment before it sleeps.
    pub(super) patience: Patience,
    /// Its part in watching while others run.
    pub(super) watcher: Watcher,
    /// How long others' slots have been full.
    pub(super) slot_watch: RefCell<SlotWatch>,
    /// What it was last awake for.
    pub(super) asking: Asking,
    /// How much longer than asked the kernel may let it sleep.
    pub(super) timer_slack: Cell<Duration>,
}

impl Local {
    pub(crate) fn new(index: usize, shared: Arc<Shared>, queue: Worker<Job>) -> Self {
        let begun = shared.remotes[index].activity.count();
        Self {
            index,
            shared,
            queue,
            pinned: RefCell::default(),
            begun: Cell::new(begun),
            turn: Turn::new(),
            pinned_turn: Cell::new(false),
            called: Cell::new(false),
            slot_runs: Cell::new(0),
            until_upkeep: Cell::new(1),
            polls_per_upkeep: Cell::new(1),
            last_upkeep_ns: Cell::new(0),
            last_look_ns: Cell::new(0),
            harvesting: Cell::new(false),
            wakers: RefCell::default(),
            victims: Victims::new(index),
            patience: Patience::new(),
            watcher: Watcher::new(),
            slot_watch: RefCell::new(SlotWatch::new()),
            asking: Asking::new(),
            timer_slack: Cell::new(Duration::ZERO),
        }
    }

    /// Runs jobs on the calling thread until the scheduler is stopped.
    pub(crate) fn run(self) {
        let local = Rc::new(self);
        local.attach();
        as_worker(&local, || local.work());
    }

    /// The calling thread is this worker's from now on.
    pub(super) fn attach(&self) {
        cover_waits(Cover {
            around: |block| blocking_section(block),
            answer: calls::answer,
            forget: calls::forget,
        });
        self.shared.remotes[self.index].probe.attach();
        self.timer_slack.set(timer_slack::of_this_thread());
    }

    fn work(&self) {
        self.work_while(|| !self.shared.is_stopped());
        self.run_what_is_left();
    }

    /// Runs jobs, and sleeps when there are none.
    #[inline]
    pub(super) fn work_while(&self, goes_on: impl Fn() -> bool) {
        while goes_on() {
            match self.next_job() {
                Some(job) => {
                    if self.is_relied_on() {
                        self.leave_watch();
                    }
                    self.run_job(job);
                }
                None => self.idle(),
            }
        }
    }

    /// The next job of this worker's own, or from outside.
    #[inline]
    fn next_job(&self) -> Option<Job> {
        self.until_upkeep.set(self.until_upkeep.get() - 1);
        if self.until_upkeep.get() == 0 {
            if let Some(job) = self.upkeep() {
                return Some(job);
            }
        }
        if let Some(job) = self.take_slot() {
            return Some(job);
        }
        self.slot_runs.set(0);
        self.own_job()
    }

    /// The next job that is not in the slot.
    #[inline]
    pub(super) fn own_job(&self) -> Option<Job> {
        self.take_pinned()
            .or_else(|| self.queue.pop())
            // A thief may have emptied the queue since it was preferred.
            .or_else(|| self.pinned.borrow_mut().pop_front())
            .or_else(|| self.take_injected())
            .or_else(|| self.take_computing())
    }

    #[inline]
    fn take_slot(&self) -> Option<Job> {
        let job = self.shared.remotes[self.index].slot.take()?;
        let runs = self.slot_runs.get() + 1;
        self.slot_runs.set(runs);
        if runs <= MAX_SLOT_RUNS {
            return Some(job);
        }
        // Announced nowhere: if the queue is empty, this job is taken next; if it is not, whoever
        // sleeps was told so when a job first waited there (see `schedule`).
        self.queue.push(job);
        None
    }

    /// Calls take turns with the rest, and pinned jobs with the queue.
    #[inline]
    fn take_pinned(&self) -> Option<Job> {
        let mut pinned = self.pinned.borrow_mut();
        // Also where some are here: a pinned task that wakes itself would keep newcomers out.
        let call = self.shared.remotes[self.index].inbox.drain(&mut pinned, !self.called.get());
        self.called.set(call.is_some());
        if call.is_some() {
            return call;
        }
        if pinned.is_empty() {
            return None;
        }
        let turn = !self.pinned_turn.get();
        self.pinned_turn.set(turn);
        if turn || self.queue.is_empty() {
            return pinned.pop_front();
        }
        None
    }

    #[inline]
    fn take_injected(&self) -> Option<Job> {
        let taken = self.shared.injector.take(self.index, &self.queue)?;
        // The rest of a batch is on its way from one queue to another for a moment, in none.
        if taken.announce || !self.queue.is_empty() {
            self.shared.work_posted();
        }
        Some(taken.job)
    }

    #[inline]
    pub(super) fn run_job(&self, job: Job) {
        self.shared.remotes[self.index].activity.begin(self.count(BEGUN), job.address());
        job.run();
    }

    /// Counts that something begins.
    #[inline]
    fn count(&self, what: u64) -> u64 {
        let begun = self.begun.get() + what;
        self.begun.set(begun);
        begun
    }

    /// How many polls this worker has begun, modulo 2^31.
    pub(super) fn polls(&self) -> u32 {
        polls_of(self.begun.get())
    }

    /// This worker goes to sleep.
    pub(super) fn begin_sleep(&self) {
        self.shared.remotes[self.index].activity.begin_other(self.count(OTHER + ASLEEP));
    }

    /// This worker begins something else than a job, perhaps after a sleep.
    pub(super) fn begin_other(&self) {
        let what = if is_asleep(self.begun.get()) { OTHER - ASLEEP } else { OTHER };
        self.shared.remotes[self.index].activity.begin_other(self.count(what));
    }

    /// This worker goes on with a job that it was stuck in.
    pub(super) fn go_on(&self) {
        self.shared.remotes[self.index].activity.go_on(self.count(OTHER));
    }

    /// What a busy worker does now and then: timers, events, jobs from outside.
    #[cold]
    fn upkeep(&self) -> Option<Job> {
        // What polls cost and the kernel brings goes by the system's time, whatever the runtime's.
        let system_ns = self.shared.clock.system_ns();
        let now_ns = self.shared.clock.ns_at(system_ns);
        if self.turn.ends(system_ns) {
            self.begin_round(system_ns, self.polls_per_upkeep.get());
        } else {
            self.adapt_upkeep(system_ns);
        }
        self.expire_timers(now_ns);
        let needs_help = self.shared.monitor.as_ref().is_some_and(Monitor::needs_help);
        if needs_help {
            self.expire_overdue_timers(now_ns);
        }
        if system_ns.saturating_sub(self.last_look_ns.get()) >= LOOK_EVERY_NS {
            self.last_look_ns.set(system_ns);
            self.look_at_driver(now_ns);
        }
        self.deliver(false);
        if self.leaves_jobs_waiting() {
            // What a small harvest left, too: by now it is worth another worker.
            self.shared.work_posted();
        }
        self.take_computing_in_turn(system_ns)
            .or_else(|| self.take_injected())
            .or_else(|| if needs_help { self.rob_the_stuck() } else { None })
    }

    /// Leaves what it has to others, before something that lasts.
    pub(super) fn leave_to_others(&self) {
        if let Some(job) = self.shared.remotes[self.index].slot.take() {
            self.queue.push(job);
        }
        if !self.queue.is_empty() {
            self.shared.work_posted();
        }
    }

    /// Whether the queue holds more than the job that this worker takes next. One from outside
    /// that goes before that one is announced by itself.
    pub(super) fn leaves_jobs_waiting(&self) -> bool {
        match self.queue.len() {
            0 => false,
            1 => !self.shared.remotes[self.index].slot.is_empty() || self.holds_pinned_jobs(),
            _ => true,
        }
    }

    /// Chooses after how many polls the next upkeep comes.
    fn adapt_upkeep(&self, now_ns: u64) {
        let spent = now_ns.saturating_sub(self.last_upkeep_ns.get()).max(1);
        let per_upkeep = u64::from(self.polls_per_upkeep.get());
        let fitting =
            (per_upkeep * UPKEEP_EVERY_NS / spent).clamp(1, u64::from(MAX_POLLS_PER_UPKEEP));
        // At most doubling: one short round says little about the next.
        let next = u32::try_from(fitting.min(per_upkeep * 2)).unwrap_or(MAX_POLLS_PER_UPKEEP);
        self.begin_round(now_ns, next);
    }

    /// The next upkeep comes after so many polls.
    fn begin_round(&self, now_ns: u64, polls: u32) {
        self.last_upkeep_ns.set(now_ns);
        self.polls_per_upkeep.set(polls);
        self.until_upkeep.set(polls);
    }

    /// Harvests what is due among this worker's timers.
    pub(super) fn expire_timers(&self, now_ns: u64) {
        self.expire(&self.shared.remotes[self.index].timers, now_ns);
    }

    /// Harvests what is due among the timers of threads that are no workers.
    pub(super) fn expire_outside_timers(&self, now_ns: u64) {
        self.expire(&self.shared.outside_timers, now_ns);
    }

    pub(super) fn expire(&self, timers: &Timers, now_ns: u64) {
        if timers.next_deadline_ns() <= now_ns {
            timers.expire(now_ns, TIMERS_PER_TURN, &mut self.wakers.borrow_mut());
        }
    }

    /// Calls the wakers of a harvest. `alone`: this worker has nothing else to do, so that a small
    /// harvest needs nobody else; whoever watches takes what waits too long.
    pub(super) fn deliver(&self, alone: bool) {
        let mut wakers = std::mem::take(&mut *self.wakers.borrow_mut());
        if wakers.is_empty() {
            return;
        }
        // They may be foreign code.
        self.begin_other();
        self.harvesting.set(true);
        wakers.drain(..).for_each(|waker| self.call(waker));
        self.harvesting.set(false);
        self.wakers.replace(wakers);
        if self.queue.len() > if alone { SMALL_HARVEST } else { 0 } {
            self.shared.work_posted();
        }
    }

    /// Wakers may be foreign code, whose panic must not end the worker.
    fn call(&self, waker: Waker) {
        self.shared.hooks.guard_waker(|| waker.wake());
    }

    /// Nothing of its own to do: search, and park if that finds nothing.
    #[cold]
    fn idle(&self) {
        let mut searching = self.shared.sleep.start_search();
        loop {
            if searching.is_some() {
                if let Some(job) = self.search().or_else(|| self.look()) {
                    self.found(searching);
                    return self.run_job(job);
                }
            }
            match self.park(searching) {
                // It woke by itself: to watch, with events, or to end.
                None => return,
                // Nobody searches any more; the last look in `park` would see the end for ever.
                Some(_) if self.shared.is_stopped() => return,
                Some(searching) if self.is_dismissed() => return self.found(Some(searching)),
                woken => searching = woken,
            }
        }
    }

    /// This worker, which slept or searched, has something to do: the last searcher recruits
    /// another if there is more, and somebody must watch.
    pub(super) fn found(&self, searching: Option<Searching>) {
        if let Some(searching) = searching {
            let last = self.shared.sleep.end_search(searching);
            if last && self.shared.has_work(self.index) {
                self.shared.work_posted();
            }
        }
        self.leave_watch();
    }

    /// Looks everywhere once.
    pub(super) fn search(&self) -> Option<Job> {
        if let Some(job) = self.take_injected() {
            return Some(job);
        }
        self.inbox_or_own_queue()
            .or_else(|| {
                let steal = |victim: &CachePadded<Remote>| steal_from(&victim.stealer, &self.queue);
                self.victims.find(self.shared.seats(), steal)
            })
            .or_else(|| self.take_aged_slot())
            .or_else(|| self.take_computing())
    }

    /// Goes on searching for a moment, where work tends to come soon; one worker at a time.
    fn look(&self) -> Option<Job> {
        if !self.shared.sleep.one_searches() {
            return None;
        }
        let has_work = || self.shared.has_work(self.index).then(|| self.search()).flatten();
        self.patience.look(has_work)
    }

    /// Whether a job waits that no other worker may run.
    pub(super) fn holds_pinned_jobs(&self) -> bool {
        let inbox = &self.shared.remotes[self.index].inbox;
        !self.pinned.borrow().is_empty() || !inbox.is_empty()
    }

    fn inbox_or_own_queue(&self) -> Option<Job> {
        let mut pinned = self.pinned.borrow_mut();
        let call = self.shared.remotes[self.index].inbox.drain(&mut pinned, true);
        call.or_else(|| pinned.pop_front()).or_else(|| self.queue.pop())
    }

    /// The workers end: what is queued here is run, which ends it, since all tasks are cancelled.
    pub(super) fn run_what_is_left(&self) {
        let inbox = &self.shared.remotes[self.index].inbox;
        loop {
            let job = self.shared.remotes[self.index].slot.take();
            let job = job.or_else(|| self.inbox_or_own_queue());
            let job = job.or_else(|| {
                self.pinned.borrow_mut().append(&mut inbox.close());
                self.pinned.borrow_mut().pop_front()
            });
            let Some(job) = job else { return self.shared.drain() };
            job.run();
        }
    }

    /// The worker ends on a thread that must not run its jobs. What is in `pinned` is left as it is:
    /// it may be new, and hold what was never to leave its thread.
    pub(super) fn give_up(self) {
        let sent = self.shared.remotes[self.index].inbox.close();
        sent.into_iter().for_each(Job::discard);
    }

    /// Whether a job that is queued for that reason is one that computes.
    #[inline]
    fn computes(&self, reason: Reason) -> bool {
        match reason {
            Reason::Computes => true,
            Reason::Again | Reason::AgainLater => {
                self.shared.remotes[self.index].activity.is_stuck()
            }
            Reason::Spawned | Reason::Woken => false,
        }
    }

    /// Queues a job that any worker may run.
    #[inline]
    fn schedule(&self, job: Job, reason: Reason) {
        let remote = &self.shared.remotes[self.index];
        if self.harvesting.get() {
            // Announced as a whole, in `deliver`.
            return self.queue.push(job);
        }
        if self.computes(reason) && self.shared.keeps_computing_apart() {
            return self.shared.push_computing(job);
        }
        if reason == Reason::Again && remote.slot.is_empty() && self.pinned.borrow().is_empty() {
            // Announced nowhere. This worker takes its next job now, from the front of this queue:
            // this one, if the queue was empty. If it was not, jobs waited there while one ran, and
            // that was announced when it began to be so; nobody has fallen asleep at that sight.
            return self.queue.push(job);
        }
        let for_others = match reason {
            Reason::Again | Reason::AgainLater | Reason::Computes => Some(job),
            Reason::Spawned | Reason::Woken => remote.slot.put(job),
        };
        if let Some(job) = for_others {
            self.queue.push(job);
            self.shared.work_posted();
        }
    }
}

/// Makes the calling thread be `local` while `act` runs, which does not unwind.
#[inline]
pub(super) fn as_worker<R>(local: &Rc<Local>, act: impl FnOnce() -> R) -> R {
    let outer = LOCAL.with(|current| current.replace(Some(local.clone())));
    let result = act();
    LOCAL.with(|current| current.replace(outer));
    result
}

/// Lends this thread's worker, where it is one of `shared`'s.
#[inline]
fn with_local<R>(shared: &Arc<Shared>, act: impl FnOnce(&Local) -> R) -> Option<R> {
    let lent = LOCAL.try_with(|current| {
        let current = current.borrow();
        let local = current.as_ref()?;
        Arc::ptr_eq(&local.shared, shared).then(|| act(local))
    });
    lent.ok().flatten()
}

/// Queues a job on the calling worker; gives it back where the thread is none of `shared`'s.
#[inline]
pub(super) fn schedule_here(shared: &Arc<Shared>, job: Job, reason: Reason) -> Option<Job> {
    let mut job = Some(job);
    with_local(shared, |local| {
        if let Some(job) = job.take() {
            local.schedule(job, reason);
        }
    });
    job
}

/// Puts a job into the calling worker's queue, without telling anybody; gives it back where the
/// thread is none of `shared`'s.
pub(super) fn push_here(shared: &Arc<Shared>, job: Job) -> Option<Job> {
    let mut job = Some(job);
    with_local(shared, |local| {
        if let Some(job) = job.take() {
            local.queue.push(job);
        }
    });
    job
}

/// Lends this thread's worker, whose ever it is.
pub(super) fn with_own<R>(act: impl FnOnce(&Local) -> R) -> Option<R> {
    LOCAL.try_with(|current| current.borrow().as_deref().map(act)).ok().flatten()
}

/// Queues a pinned job where the calling thread is its worker; gives it back otherwise.
pub(super) fn schedule_pinned_here(shared: &Arc<Shared>, worker: usize, job: Job) -> Option<Job> {
    let mut job = Some(job);
    with_local(shared, |local| {
        if local.index == worker {
            local.pinned.borrow_mut().extend(job.take());
        }
    });
    job
}

/// The index of the calling worker, where the thread is one of `shared`'s, and no relief worker.
pub(crate) fn index_here(shared: &Arc<Shared>) -> Option<usize> {
    with_local(shared, |local| (!local.is_relief()).then_some(local.index)).flatten()
}

/// The calling worker as a home, where the thread is one of `shared`'s.
pub(super) fn home_here(shared: &Arc<Shared>) -> Option<Home> {
    with_local(shared, |local| {
        if local.is_relief() {
            shared.remotes[local.index].duty.stay();
        }
        Home::worker(local.index)
    })
}

/// The timers of the calling worker, where the thread is one of `shared`'s and has some of its own.
pub(crate) fn local_timers(shared: &Arc<Shared>) -> Option<Arc<Timers>> {
    let own = |local: &Local| shared.remotes[local.index].timers.clone();
    with_local(shared, |local| (!local.is_relief()).then(|| own(local))).flatten()
}

/// Blocks the calling thread, inside of a job, by calling `block`. Where it is a worker, others take
/// over what it leaves: at once, if nobody else is left.
pub(crate) fn blocking_section<R>(block: impl FnOnce() -> R) -> R {
    let local = LOCAL.try_with(|current| current.borrow().clone()).ok().flatten();
    let Some(local) = local.filter(|local| local.shared.monitor.is_some()) else { return block() };
    local.begin_blocking();
    let result = block();
    local.end_blocking();
    result
}
