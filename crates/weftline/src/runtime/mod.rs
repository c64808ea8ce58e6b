//! The runtime: workers, and what they share.
//!
//! [`run`] is all that most programs need. [`Runtime`] is for those that choose the
//! number of workers, hang hooks around them, or drive several futures one after the other;
//! [`Handle`] reaches a runtime from anywhere.
//!
//! # Guarantees
//!
//! - A task that is spawned runs to its end, is cancelled, or is named in the [`ShutdownReport`].
//! - A task is polled by one thread at a time.
//! - A task that is woken is polled again, however the wake-up falls together with a poll.
//! - A runtime that has nothing to do makes no wake-up and uses no CPU time.
//! - Shutting down ends: half a second after the grace that was given, at the latest. With
//!   [`Grace::Forever`], when the slowest task has ended.
//!
//! # Behaviour today
//!
//! Each worker runs its tasks in the order in which they became ready, except that the one woken
//! last by a running task goes first, since it is most likely waited for. Idle workers steal the
//! older half of another worker's queue. A busy worker looks at timers and jobs from outside every
//! 100 microseconds or every 64 polls, and at events every 500 microseconds. A worker that has been inside of
//! one poll for 0.7 milliseconds is stuck; while no worker sleeps a thread looks for that every 0.4 to 1.2
//! milliseconds. None of this is a promise.

mod builder;
mod callbacks;
pub(crate) mod context;
mod entry;
mod handle;
mod instance;
mod seed;
mod shutdown;
mod worker_thread;

pub use crate::scheduler::Trace;
pub use builder::{BuildError, Builder};
pub use callbacks::{CallHandle, TimerHandle};
pub use context::EnterGuard;
pub use entry::{RunError, run};
pub use handle::{Handle, NoRuntime};
pub use seed::seed;
#[doc(hidden)]
pub use seed::{__macro_explore, __macro_replay, __macro_run};
pub use shutdown::{Grace, ShutdownReport, Survivor};
pub use worker_thread::WorkerThread;

use crate::task::JoinHandle;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

/// A runtime: its workers run until it is shut down or dropped.
///
/// # Dropping
///
/// Dropping a runtime shuts it down. On a plain thread that waits for at most one second for tasks
/// to end, and half a second more for a thread that is stuck in one; on a thread of any runtime it waits for nothing and shuts down in the background. It
/// never panics and never hangs.
///
/// # Examples
///
/// ```
/// let runtime = weftline::Runtime::new()?;
/// let sum = runtime.block_on(async {
///     let a = weftline::spawn(async { 1 });
///     let b = weftline::spawn(async { 2 });
///     a.await.unwrap() + b.await.unwrap()
/// });
/// assert_eq!(sum, 3);
/// # Ok::<(), weftline::runtime::BuildError>(())
/// ```
pub struct Runtime {
    /// The way to everything; `None` once it was shut down.
    handle: Option<Handle>,
}

impl Runtime {
    /// A runtime with as many workers as the process may use CPUs: its affinity mask and its
    /// control group's quota are honoured.
    ///
    /// # Errors
    ///
    /// If the system refuses threads or an event queue.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// A runtime to be configured.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = weftline::Runtime::builder()
    ///     .workers(2)
    ///     .thread_name("pool")
    ///     .build()?;
    /// assert_eq!(runtime.handle().workers(), 2);
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    fn from_instance(instance: Arc<instance::Instance>) -> Self {
        Self { handle: Some(Handle::new(instance)) }
    }

    /// A handle, which may be cloned and sent anywhere.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("there is a handle until the end")
    }

    /// Runs a future on the calling thread, with the runtime around it, until it is ready. It need
    /// not be `Send` and may borrow.
    ///
    /// The calling thread runs this future and nothing else, so that no task can keep it waiting. The
    /// future is a task itself: it has a [`Task`](crate::Task), and can be cancelled. Inside of a task this
    /// holds the worker, and others take over, a relief worker if need be.
    ///
    /// # Panics
    ///
    /// If the future panics or is cancelled, and in a forked child process.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = weftline::Runtime::new()?;
    /// let text = String::from("borrowed");
    /// assert_eq!(runtime.block_on(async { text.len() }), 8);
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle().block_on(future)
    }

    /// Gives a future to the workers; see [`spawn`](crate::spawn).
    ///
    /// # Panics
    ///
    /// In a forked child process.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = weftline::Runtime::new()?;
    /// let task = runtime.spawn(async { 1 });
    /// assert_eq!(runtime.block_on(task)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle().spawn(future)
    }

    /// Shuts the runtime down: takes no more tasks (those born meanwhile are cancelled at once),
    /// cancels all there are, gives them `grace` to end, and ends the workers. Tasks that have not
    /// ended by then are left to themselves, and named in the report. Where a thread is stuck in one,
    /// the call takes half a second more than `grace`.
    ///
    /// On a thread of this very runtime that would be waiting for itself: it then goes on in the
    /// background, and the report names what is there now.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::runtime::Grace;
    ///
    /// let runtime = weftline::Runtime::new()?;
    /// let _waiting = runtime.spawn(std::future::pending::<()>());
    /// let report = runtime.shutdown(Grace::Forever);
    /// assert!(report.is_clean());
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    pub fn shutdown(mut self, grace: impl Into<Grace>) -> ShutdownReport {
        match self.handle.take() {
            Some(handle) => shutdown::shut_down(handle, grace.into()),
            None => ShutdownReport::default(),
        }
    }
}

impl Runtime {
    /// As dropping it, but on any thread without waiting: what is there to be waited for is, in the
    /// background.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = weftline::Runtime::new()?;
    /// let (done, wait) = std::sync::mpsc::channel::<()>();
    /// let blocks = runtime.handle().spawn_blocking(move || wait.recv());
    /// runtime.shutdown_in_background();
    /// drop(done);
    /// # drop(blocks);
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    pub fn shutdown_in_background(mut self) {
        if let Some(handle) = self.handle.take() {
            shutdown::drop_in_background(handle);
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            shutdown::drop_runtime(handle);
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runtime").field(&self.handle).finish()
    }
}
