//! A way to a runtime, from anywhere.

use super::context::{self, EnterGuard};
use super::instance::Instance;
use crate::job::Job;
use crate::scheduler::{Trace, index_here};
use crate::task::{self, JoinError, JoinHandle, Paced, Reason, Roster, Task, outside_of_tasks};
use futures_task::{FutureObj, Spawn, SpawnError};
use std::fmt;
use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::sync::Arc;

/// A reference to a runtime: cheap to clone, usable from any thread. It does not keep the workers
/// running: they end when the [`Runtime`](super::Runtime) does.
///
/// # Examples
///
/// A plain thread gives a task to a runtime and waits for it:
///
/// ```
/// let runtime = weftline::Runtime::new()?;
/// let handle = runtime.handle().clone();
/// let thread = std::thread::spawn(move || handle.spawn(async { 7 }).wait());
/// assert_eq!(thread.join().unwrap()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    /// The runtime.
    pub(super) instance: Arc<Instance>,
}

/// There is no runtime around the calling thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRuntime;

impl fmt::Display for NoRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "there is no weftline runtime around this thread: call this in `weftline::run`, in \
             `Runtime::block_on`, in a task, or after `Handle::enter`",
        )
    }
}

impl std::error::Error for NoRuntime {}

impl Handle {
    pub(super) fn new(instance: Arc<Instance>) -> Self {
        Self { instance }
    }

    /// A handle to the runtime around the calling thread.
    ///
    /// # Panics
    ///
    /// Outside of a runtime; see [`try_current`](Self::try_current).
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::Handle;
    ///
    /// weftline::run(async {
    ///     let handle = Handle::current();
    ///     std::thread::spawn(move || handle.spawn(async { 1 })).join().unwrap().await.unwrap();
    /// });
    /// ```
    #[must_use]
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Ok(handle) => handle,
            Err(error) => panic!("{error}"),
        }
    }

    /// A handle to the runtime around the calling thread.
    ///
    /// # Errors
    ///
    /// [`NoRuntime`] outside of one.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(weftline::Handle::try_current().is_err());
    /// weftline::run(async { assert!(weftline::Handle::try_current().is_ok()) });
    /// ```
    pub fn try_current() -> Result<Self, NoRuntime> {
        context::handle()
    }

    /// Puts the runtime around the calling thread until the guard is dropped, for code that is not
    /// run by it and yet wants to spawn, or to make sockets and timers.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = weftline::Runtime::new()?;
    /// let guard = runtime.handle().enter();
    /// let task = weftline::spawn(async { 1 });
    /// drop(guard);
    /// assert_eq!(task.wait()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn enter(&self) -> EnterGuard {
        context::enter(self.clone(), self.roster().clone())
    }

    /// Runs a future on the calling thread, with the runtime around it; see
    /// [`Runtime::block_on`](super::Runtime::block_on).
    ///
    /// Inside a task this blocks the worker: nothing else runs there until the future is ready. Inside a closure of
    /// [`spawn_blocking`](crate::spawn_blocking) it holds a thread that the future may need; see
    /// [`max_blocking_threads`](super::Builder::max_blocking_threads).
    ///
    /// # Panics
    ///
    /// If the future panics or is cancelled, and in a forked child process. A
    /// [deterministic](super::Builder::deterministic) runtime runs on the thread that was first in
    /// here: on another thread this panics, unless the first is in here too.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = weftline::Runtime::new()?;
    /// assert_eq!(runtime.handle().block_on(async { 1 }), 1);
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self.try_block_on(future) {
            Ok(output) => output,
            Err(error) => match error.into_panic() {
                Ok(payload) => resume_unwind(payload),
                Err(error) => panic!("the future given to `block_on` was cancelled: {error}"),
            },
        }
    }

    /// As [`block_on`](Self::block_on), with an error where the future was cancelled or panicked.
    ///
    /// # Errors
    ///
    /// As awaiting a [`JoinHandle`]: the future panicked, or was [cancelled](Task::cancel) by code
    /// that has its [`Task`].
    ///
    /// # Panics
    ///
    /// In a forked child process.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    ///
    /// let runtime = weftline::Runtime::new()?;
    /// let error = runtime.handle().try_block_on(async {
    ///     weftline::task::current().unwrap().cancel();
    ///     pending::<()>().await
    /// });
    /// assert!(error.unwrap_err().is_cancelled());
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    #[track_caller]
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, JoinError> {
        let at = Location::caller();
        self.roster().generation().assert_same_process();
        let _entered = self.enter();
        let _playing = self.instance.play_here();
        let _paced = Paced::enter_at_work(self.instance.shared.pace());
        task::block_on(&self.instance.driven, at, future)
    }

    /// Gives a future to the workers; see [`spawn`](crate::spawn).
    ///
    /// Once the runtime has shut down the task is cancelled at once.
    ///
    /// # Panics
    ///
    /// In a forked child process.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        task::Builder::new().spawn_in(self.roster(), future)
    }

    /// Runs a closure that may block; see [`spawn_blocking`](crate::spawn_blocking).
    ///
    /// # Panics
    ///
    /// In a forked child process.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = weftline::Runtime::new()?;
    /// let job = runtime.handle().spawn_blocking(|| 1);
    /// assert_eq!(job.wait()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn spawn_blocking<C, T>(&self, job: C) -> JoinHandle<T>
    where
        C: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        task::Builder::new().spawn_blocking_in(self.roster(), job)
    }

    /// Runs a closure that computes on one of the workers; see [`compute`](crate::compute()).
    ///
    /// # Panics
    ///
    /// In a forked child process.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = weftline::Runtime::new()?;
    /// let job = runtime.handle().compute(|| (1..=10).product::<u32>());
    /// assert_eq!(job.wait()?, 3_628_800);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn compute<C, T>(&self, job: C) -> JoinHandle<T>
    where
        C: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        task::Builder::new().compute_in(self.roster(), job)
    }

    /// All tasks that have not ended, those that one thread has spawned in that order; the futures
    /// that threads block on are among them.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(async {
    ///     let _waiting = weftline::spawn(std::future::pending::<()>());
    ///     assert_eq!(weftline::Handle::current().tasks().len(), 2);
    /// });
    /// ```
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        let mut tasks = self.instance.tasks();
        tasks.extend(self.instance.driven.tasks());
        tasks.sort_unstable_by_key(Task::id);
        tasks
    }

    /// The seed of a [deterministic](super::Builder::deterministic) runtime; `None` for others.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = weftline::Runtime::builder().deterministic(7).build()?;
    /// assert_eq!(runtime.handle().seed(), Some(7));
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.instance.shared.seed()
    }

    /// What a [deterministic](super::Builder::deterministic) runtime has done so far, to be
    /// compared with another run; `None` for other runtimes. See [`Trace`].
    #[must_use]
    pub fn trace(&self) -> Option<Trace> {
        self.instance.shared.trace()
    }

    /// How many workers the runtime has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.instance.shared.workers()
    }

    /// The index of the worker that the calling thread is, from 0 to one less than
    /// [`workers`](Self::workers); `None` where it is none of this runtime's. The thread in
    /// [`block_on`](Self::block_on), those of blocking jobs and relief workers have no index.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::{Handle, Runtime};
    ///
    /// let runtime = Runtime::builder().workers(2).build()?;
    /// let index = runtime.spawn(async { Handle::current().worker_index() }).wait()?;
    /// assert!(index.is_some_and(|index| index < 2));
    /// assert_eq!(runtime.handle().worker_index(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn worker_index(&self) -> Option<usize> {
        index_here(&self.instance.shared)
    }

    /// What tells this runtime from others that there are now.
    pub(crate) fn key(&self) -> usize {
        Arc::as_ptr(&self.instance).addr()
    }

    /// Has a worker call `call`, which computes and must not unwind.
    pub(crate) fn post(&self, call: impl FnOnce() + Send + 'static) {
        self.instance.shared.give_any(Job::of_call(call), Reason::Computes);
    }

    /// Has the worker with that index call `call`, which must not unwind, also while it waits inside of a
    /// job: even one that has entered another runtime since.
    pub(crate) fn post_to(&self, worker: usize, call: impl FnOnce() + Send + 'static) {
        let handle = self.clone();
        let call_there = move || {
            let _entered = handle.enter();
            let _paced = Paced::enter(handle.instance.shared.pace());
            outside_of_tasks(call);
        };
        self.instance.shared.post_to(worker, Job::of_call(call_there));
    }

    /// The roster for tasks that are spawned by the calling thread.
    pub(super) fn roster(&self) -> &Arc<Roster> {
        match index_here(&self.instance.shared) {
            Some(worker) => &self.instance.rosters[worker],
            None => self.instance.outside_roster(),
        }
    }
}

impl Spawn for Handle {
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.status()?;
        drop(self.spawn(future));
        Ok(())
    }

    fn status(&self) -> Result<(), SpawnError> {
        if self.instance.shared.is_stopped() {
            return Err(SpawnError::shutdown());
        }
        Ok(())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("workers", &self.workers()).finish_non_exhaustive()
    }
}
