//! What the threads of one pool share: jobs that wait, who is told of them, and when it all ends.
//!
//! Jobs wait in `lanes/`, which says who is told. Here that is: a *ticket* goes through the runtime's
//! own queues, and whichever worker takes it looks into the lanes; and threads that wait for something, and
//! look there meanwhile, are woken (`duty.rs`).
//!
//! Forks do not wait there: the runtime has them. Only those of the first levels of a job are put up
//! as well, and others while there are fewer than threads that might come, so that a thread that
//! comes late finds them, although nobody asked when they were forked.

use crate::job::{Fifo, Job};
use crate::lanes::{self, Lanes, Own};
use crate::place;
use crate::{locked, panics};
use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use weftline::foundation::{self, Branch, OfferedFork};
use weftline::{Handle, Runtime};

/// What is told of a panic that nobody else is.
pub(crate) type PanicHandler = dyn Fn(Box<dyn Any + Send>) + Send + Sync;
/// What is told that a thread begins or ends, by its index.
pub(crate) type ThreadHandler = dyn Fn(usize) + Send + Sync;

/// What the threads of a pool share.
pub(crate) struct Registry {
    /// A way to the workers; not there where the building thread is the only one.
    handle: OnceLock<Handle>,
    /// The workers, where the pool has its own, until it ends.
    runtime: Mutex<Option<Runtime>>,
    /// What was chosen; `None`: the workers are those of a runtime that others have built.
    options: Option<Options>,
    /// What waits, and who is told.
    lanes: Lanes<Job, OfferedFork, Branch>,
    /// Those of `spawn_fifo`.
    fifo: Fifo,
    /// What keeps the pool: its owner, and jobs that nobody waits for.
    reasons: AtomicUsize,
    /// How many threads have begun.
    begun: Mutex<usize>,
    /// That one more has.
    one_began: Condvar,
}

/// What was chosen for a pool.
#[derive(Default)]
pub(crate) struct Options {
    /// Whether the building thread is the first of the pool.
    pub(crate) use_current_thread: bool,
    /// Whether a thread calls the oldest of its own jobs first.
    pub(crate) breadth_first: bool,
    /// What is told of panics.
    pub(crate) panic_handler: Option<Box<PanicHandler>>,
    /// What is told that a thread begins.
    pub(crate) start_handler: Option<Box<ThreadHandler>>,
    /// What is told that a thread ends.
    pub(crate) exit_handler: Option<Box<ThreadHandler>>,
}

/// What is found in a registry.
pub(crate) type Work = lanes::Work<Job, OfferedFork>;

impl Work {
    /// Runs it. False: it was done already.
    pub(crate) fn run(self) -> bool {
        match self {
            Work::Job(job) => {
                place::with_levels(place::all_levels(), job);
                true
            }
            Work::Fork(fork) => fork.run(),
        }
    }
}

impl Registry {
    /// That of a pool with so many threads, which have not begun.
    pub(crate) fn of_pool(threads: usize, options: Options) -> Arc<Self> {
        Self::new(threads, Some(options))
    }

    /// That of a runtime that others have built.
    pub(crate) fn of_runtime(handle: Handle) -> Arc<Self> {
        let registry = Self::new(handle.workers(), None);
        registry.attach(handle);
        registry
    }

    fn new(threads: usize, options: Option<Options>) -> Arc<Self> {
        Arc::new(Self {
            handle: OnceLock::new(),
            runtime: Mutex::new(None),
            options,
            lanes: Lanes::new(threads),
            fifo: Fifo::default(),
            reasons: AtomicUsize::new(1),
            begun: Mutex::new(0),
            one_began: Condvar::new(),
        })
    }

    /// These are its workers.
    pub(crate) fn attach(&self, handle: Handle) {
        // Whoever comes first; all come with the same.
        let _ = self.handle.set(handle);
    }

    /// It has these workers for itself, and ends them.
    pub(crate) fn own(&self, runtime: Runtime) {
        self.attach(runtime.handle().clone());
        *locked(&self.runtime) = Some(runtime);
    }

    /// What tells its runtime from others; zero where there is none.
    pub(crate) fn key(&self) -> usize {
        self.handle.get().map_or(0, foundation::runtime_of)
    }

    pub(crate) fn num_threads(&self) -> usize {
        self.lanes.len()
    }

    /// Whether the workers are those of a runtime that others have built.
    pub(crate) fn is_guest(&self) -> bool {
        self.options.is_none()
    }

    /// Whether one thread plays all workers.
    pub(crate) fn is_played(&self) -> bool {
        self.handle.get().is_some_and(|handle| handle.seed().is_some())
    }

    pub(crate) fn options(&self) -> Option<&Options> {
        self.options.as_ref()
    }

    /// The index of the calling thread, where it is a worker of this registry's runtime.
    pub(crate) fn worker_index(&self) -> Option<usize> {
        self.handle.get().and_then(Handle::worker_index)
    }

    /// Calls `call`, and tells whoever is to know of its panic.
    pub(crate) fn guard(&self, call: impl FnOnce()) {
        panics::guard(call, || {
            let own = self.options.as_ref();
            own.or_else(|| place::built_global()?.options())
                .and_then(|o| o.panic_handler.as_deref())
        });
    }

    /// Adds a job, from any thread.
    pub(crate) fn push(self: &Arc<Self>, job: Job) {
        self.lanes.push(place::index_in(self), job, Branch::wake);
        self.invite();
    }

    /// Adds a job that is called after those that were added so before.
    pub(crate) fn push_fifo(self: &Arc<Self>, job: Job) {
        self.push(self.fifo.push(job));
    }

    /// Adds a job for each thread, which calls it also while it waits. Where a runtime of others has ended
    /// the jobs are dropped.
    pub(crate) fn push_to_all(self: &Arc<Self>, jobs: impl IntoIterator<Item = Job>) {
        let first_worker = usize::from(self.options().is_some_and(|o| o.use_current_thread));
        for (index, job) in jobs.into_iter().enumerate() {
            let worker = index.checked_sub(first_worker).zip(self.handle.get());
            let Some((worker, handle)) = worker.filter(|_| self.is_guest()) else {
                self.lanes.push_broadcast(index, job);
                if let Some((worker, handle)) = worker {
                    let registry = self.clone();
                    foundation::post_to(handle, worker, move || registry.serve_lane(index));
                }
                continue;
            };
            foundation::post_to(handle, worker, job);
        }
        self.lanes.wake_watchers(Branch::wake);
    }

    /// How many levels of forks each job puts up without being asked: enough for each thread to have
    /// one, where work is halved, and for two more.
    pub(crate) fn levels(&self) -> u32 {
        if self.num_threads() > 1 { (self.num_threads() - 1).ilog2() + 3 } else { 0 }
    }

    /// Whether fewer forks are put up than there are threads that might come for one.
    #[inline]
    pub(crate) fn has_room_for_forks(&self) -> bool {
        self.lanes.has_room_for_forks()
    }

    /// Puts up the oldest fork of the calling thread, which has this index, that is not. False: all
    /// are.
    pub(crate) fn offer_fork(self: &Arc<Self>, index: usize) -> bool {
        let Some(fork) = OfferedFork::oldest() else { return false };
        while let Some(done) = self.lanes.take_done(index, OfferedFork::is_open) {
            drop(done);
        }
        self.lanes.put_up(index, fork);
        self.invite();
        true
    }

    /// Something to do for the thread with that index: its own newest, what it alone may do, others'
    /// oldest, and what came from outside. `with_forks`: it does nothing else, so that no fork of
    /// others is put on top of anything.
    pub(crate) fn find(&self, index: Option<usize>, with_forks: bool) -> Option<Work> {
        self.lanes.find(index, self.own_order(), with_forks)
    }

    /// Something that the thread with that index has pushed itself, or that it alone may do.
    pub(crate) fn find_local(&self, index: usize) -> Option<Work> {
        self.lanes.find_local(index, self.own_order()).map(Work::Job)
    }

    fn own_order(&self) -> Own {
        let oldest_first = self.options().is_some_and(|options| options.breadth_first);
        if oldest_first { Own::OldestFirst } else { Own::NewestFirst }
    }

    /// Whether the thread with that index has pushed something that nobody has taken.
    pub(crate) fn has_local_jobs(&self, index: usize) -> bool {
        self.lanes.has_jobs_of(index)
    }

    /// Sends a ticket out, unless one is on its way.
    fn invite(self: &Arc<Self>) {
        let Some(handle) = self.handle.get() else { return };
        if self.lanes.invite() {
            let registry = self.clone();
            foundation::post(handle, move || registry.accept());
        }
    }

    /// A worker has taken a ticket.
    fn accept(self: &Arc<Self>) {
        self.lanes.accept();
        let index = place::index_in(self);
        if index.is_none() && !self.is_guest() {
            // The pool has ended, and the ticket with it.
            return;
        }
        while let Some(work) = self.find(index, true) {
            if self.lanes.has_some() {
                self.invite();
            }
            work.run();
            // Tasks have their turn, too.
            if self.is_guest() {
                return;
            }
        }
    }

    /// The thread with that index looks into its lane.
    fn serve_lane(self: &Arc<Self>, index: usize) {
        // Else the pool has ended.
        if place::index_in(self) == Some(index) {
            while let Some(work) = self.find_local(index) {
                work.run();
            }
        }
    }

    /// From now on `waiter` is woken, once, when there is something. False: that is so already.
    pub(crate) fn watch(&self, waiter: &Arc<Branch>) -> bool {
        self.lanes.watch(waiter)
    }

    pub(crate) fn unwatch(&self, waiter: &Arc<Branch>) {
        self.lanes.unwatch(waiter);
    }

    /// One reason more to go on.
    pub(crate) fn retain(&self) {
        // Relaxed: the caller has a reason itself.
        self.reasons.fetch_add(1, Ordering::Relaxed);
    }

    /// One reason less. Without any the pool ends.
    pub(crate) fn release(&self) {
        // AcqRel: what was done for other reasons is done before.
        if self.reasons.fetch_sub(1, Ordering::AcqRel) == 1 {
            let runtime = locked(&self.runtime).take();
            if let Some(runtime) = runtime {
                runtime.shutdown_in_background();
            }
        }
    }

    /// A thread has begun.
    pub(crate) fn note_begin(&self) {
        *locked(&self.begun) += 1;
        self.one_began.notify_all();
    }

    /// Waits until all threads have begun.
    pub(crate) fn wait_until_begun(&self) {
        let mut begun = locked(&self.begun);
        while *begun < self.num_threads() {
            begun = self.one_began.wait(begun).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
