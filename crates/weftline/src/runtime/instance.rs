//! One running runtime: what its handles and threads hold in common.

use super::callbacks::Queue;
use super::worker_thread::WorkerThread;
use super::{Handle, context, shutdown};
use crate::driver::Driver;
use crate::platform::{Condvar, Mutex};
use crate::scheduler::{
    BlockingLimits, BlockingPool, Entrance, Local, NotHere, Playing, Relief, ReliefLimits, Shared,
    SlowPolls, Stalls, StartThread, Time, thread_number,
};
use crate::task::{Hooks, Paced, Roster, SlowPoll, Task};
use std::cell::Cell;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use std::{io, thread};

/// Rosters for threads that are no workers, so that many of them do not meet at one lock.
const OUTSIDE_ROSTERS: usize = 4;

/// What a builder has chosen.
pub(super) struct Options {
    /// How many workers.
    pub(super) workers: usize,
    /// What the names of the runtime's threads begin with.
    pub(super) thread_name: String,
    /// The size of their stacks in bytes; `None` for the system's default.
    pub(super) stack_size: Option<usize>,
    /// Limits for threads that may block.
    pub(super) blocking: BlockingLimits,
    /// Limits for relief workers.
    pub(super) relief: ReliefLimits,
    /// How long a poll is to be reported as slow; `None`: it is not.
    pub(super) slow_polls: Option<Duration>,
    /// How long `run` waits for cancelled tasks.
    pub(super) grace: Duration,
    /// What time there is.
    pub(super) time: Time,
}

/// One running runtime.
pub(super) struct Instance {
    /// What the workers see.
    pub(super) shared: Arc<Shared>,
    /// The lists of living tasks: one for each worker, then those for other threads.
    pub(super) rosters: Box<[Arc<Roster>]>,
    /// The list of futures that threads block on. They end with their threads: shutting down
    /// neither cancels them nor waits for them.
    pub(super) driven: Arc<Roster>,
    /// The list of the calls that blocking threads make for the runtime's own futures. A request to end is
    /// not theirs, and what cleans up sends such calls while the runtime ends: they are waited for, and
    /// cancelled only when the grace is over.
    pub(super) errands: Arc<Roster>,
    /// Functions that wait to be called.
    pub(super) callbacks: Arc<Queue>,
    /// The runtime's threads that have not ended.
    pub(super) threads: Arc<ThreadCount>,
    /// What the builder has chosen.
    pub(super) options: Options,
}

impl Instance {
    /// Starts the workers, each on a thread that `start_thread` provides.
    pub(super) fn start(
        options: Options,
        hooks: Hooks,
        start_thread: &mut dyn FnMut(WorkerThread) -> io::Result<()>,
    ) -> io::Result<Arc<Self>> {
        let driver = Driver::new()?;
        let mut queues = Vec::new();
        let instance = Arc::new_cyclic(|weak: &Weak<Self>| {
            let starts = |start: fn(Arc<Self>) -> io::Result<()>| -> StartThread {
                let weak = weak.clone();
                Box::new(move || match weak.upgrade() {
                    Some(instance) => start(instance),
                    None => Err(io::Error::other("the runtime is gone")),
                })
            };
            let blocking = BlockingPool::new(options.blocking, starts(Self::start_blocking_thread));
            let relief = Relief::new(options.relief, starts(Self::start_relief_thread));
            let stalls = Stalls { relief, slow: slow_polls(weak, options.slow_polls) };
            let shared;
            (shared, queues) =
                Shared::new(options.workers, driver, hooks, blocking, options.time, stalls);
            let roster = || Arc::new(Roster::new(Box::new(Entrance(shared.clone()))));
            let rosters = (0..options.workers + OUTSIDE_ROSTERS).map(|_| roster()).collect();
            let (driven, errands) = (roster(), roster());
            let (callbacks, threads) = (Arc::default(), Arc::default());
            Self { rosters, driven, errands, shared, callbacks, threads, options }
        });
        let queues = queues.into_iter().enumerate();
        if let Time::Deterministic(_) = instance.options.time {
            let shared = &instance.shared;
            let locals = queues.map(|(index, queue)| Local::new(index, shared.clone(), queue));
            shared.seat(locals.collect());
            return Ok(instance);
        }
        let unfinished = Unfinished(&instance);
        for (index, queue) in queues {
            start_thread(WorkerThread::new(instance.clone(), index, queue))?;
        }
        if instance.shared.has_monitor() {
            instance.clone().start_monitor()?;
        }
        std::mem::forget(unfinished);
        Ok(instance)
    }

    fn start_blocking_thread(self: Arc<Self>) -> io::Result<()> {
        let roster = self.outside_roster().clone();
        self.start_thread("-blocking", roster, |shared| shared.blocking.work())
    }

    fn start_relief_thread(self: Arc<Self>) -> io::Result<()> {
        let roster = self.outside_roster().clone();
        self.start_thread("-relief", roster, |shared| shared.work_as_relief())
    }

    /// Starts the thread that looks at the workers. It runs no task, and no hook of threads.
    fn start_monitor(self: Arc<Self>) -> io::Result<()> {
        let builder = thread::Builder::new().name(format!("{}-monitor", self.options.thread_name));
        let alive = self.threads.enter();
        let in_thread = move || {
            let _alive = alive;
            OWNER.with(|owner| owner.set(Arc::as_ptr(&self)));
            self.shared.monitor();
        };
        builder.spawn(in_thread).map(drop)
    }

    /// Starts a thread that runs `body` with the runtime around it.
    fn start_thread(
        self: Arc<Self>,
        suffix: &str,
        roster: Arc<Roster>,
        body: impl FnOnce(&Arc<Shared>) + Send + 'static,
    ) -> io::Result<()> {
        let name = format!("{}{suffix}", self.options.thread_name);
        let alive = self.threads.enter();
        let builder = thread_builder(name, self.options.stack_size);
        builder.spawn(move || self.inhabit(&alive, roster, body)).map(drop)
    }

    /// Calls `body` with the runtime around it, on a thread that is counted.
    pub(super) fn inhabit(
        self: Arc<Self>,
        _alive: &CountedThread,
        roster: Arc<Roster>,
        body: impl FnOnce(&Arc<Shared>),
    ) {
        let _owned = Owned::by(&self);
        let shared = self.shared.clone();
        let _entered = context::enter(Handle::new(self), roster);
        let _paced = Paced::enter(shared.pace());
        shared.hooks.thread_started();
        body(&shared);
        shared.hooks.thread_stopped();
    }

    /// Reports that a worker has been in one poll for so long, if `job` is that of a task, and not one
    /// call, which is there to take long.
    fn report_slow_poll(&self, job: usize, duration: Duration) {
        let task = self.rosters.iter().find_map(|roster| roster.find(job));
        if let Some(task) = task.filter(|task| !task.is_call()) {
            self.shared.hooks.slow_poll(&SlowPoll::new(task, duration));
        }
    }

    /// All living tasks, ordered by their ids.
    pub(super) fn tasks(&self) -> Vec<Task> {
        let mut tasks: Vec<_> = self.rosters.iter().flat_map(|roster| roster.tasks()).collect();
        tasks.sort_unstable_by_key(Task::id);
        tasks
    }

    /// The lists of all that is waited for when the runtime ends.
    pub(super) fn awaited_rosters(&self) -> impl Iterator<Item = &Arc<Roster>> {
        self.rosters.iter().chain([&self.errands])
    }

    /// Makes the calling thread run the workers of a deterministic runtime, which are this
    /// runtime's thread then, until the guards are dropped.
    ///
    /// # Panics
    ///
    /// If nobody runs them, and this thread must not.
    pub(super) fn play_here(&self) -> Option<(Playing, Owned)> {
        match self.shared.begin_to_play() {
            Ok(playing) => Some((playing?, Owned::by(self))),
            // A blocking job waits for whoever comes to run them.
            Err(NotHere) if self.owns_this_thread() => None,
            Err(NotHere) => panic!(
                "a deterministic runtime runs on the thread that was first in its `block_on`, \
                 and this is another one"
            ),
        }
    }

    /// Whether the calling thread is one of this runtime's.
    pub(super) fn owns_this_thread(&self) -> bool {
        OWNER.with(|owner| std::ptr::eq(owner.get(), self))
    }

    /// The roster of the calling thread, where it is no worker.
    pub(super) fn outside_roster(&self) -> &Arc<Roster> {
        let outside = &self.rosters[self.shared.workers()..];
        &outside[thread_number() % outside.len()]
    }
}

/// A runtime that has not started as a whole: it ends, whatever keeps it from that.
struct Unfinished<'a>(&'a Arc<Instance>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // Hooks of the threads that did start may have spawned.
        shutdown::abandon(self.0);
    }
}

/// A thread of that name, with a stack of so many bytes.
pub(super) fn thread_builder(name: String, stack_size: Option<usize>) -> thread::Builder {
    let builder = thread::Builder::new().name(name);
    match stack_size {
        Some(bytes) => builder.stack_size(bytes),
        None => builder,
    }
}

/// What is to be told of slow polls.
fn slow_polls(weak: &Weak<Instance>, threshold: Option<Duration>) -> Option<SlowPolls> {
    let threshold = threshold?;
    let weak = weak.clone();
    let report = Box::new(move |job, duration| {
        if let Some(instance) = weak.upgrade() {
            instance.report_slow_poll(job, duration);
        }
    });
    Some(SlowPolls { threshold, report })
}

thread_local! {
    /// The runtime that this thread belongs to; null for other threads. Never followed.
    static OWNER: Cell<*const Instance> = const { Cell::new(std::ptr::null()) };
}

/// Makes the calling thread a runtime's until it is dropped.
pub(super) struct Owned {
    /// Whose it was before.
    outer: *const Instance,
}

impl Owned {
    fn by(instance: &Instance) -> Self {
        Self { outer: OWNER.with(|owner| owner.replace(instance)) }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        OWNER.with(|owner| owner.set(self.outer));
    }
}

/// Whether the calling thread belongs to a runtime, so that waiting might be waiting for itself.
pub(super) fn is_runtime_thread() -> bool {
    OWNER.with(|owner| !owner.get().is_null())
}

/// How many threads there are, to be waited for with a time limit.
#[derive(Default)]
pub(super) struct ThreadCount {
    alive: Mutex<usize>,
    changed: Condvar,
}

/// One thread that is counted.
pub(super) struct CountedThread(Arc<ThreadCount>);

impl ThreadCount {
    pub(super) fn enter(self: &Arc<Self>) -> CountedThread {
        *self.alive.lock() += 1;
        CountedThread(self.clone())
    }

    /// Waits until there are none, at most until `deadline`. False: some are left.
    pub(super) fn wait_none(&self, deadline: Instant) -> bool {
        let mut alive = self.alive.lock();
        while *alive > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.changed.wait_for(&mut alive, left);
        }
        true
    }
}

impl Drop for CountedThread {
    fn drop(&mut self) {
        *self.0.alive.lock() -= 1;
        self.0.changed.notify_all();
    }
}
