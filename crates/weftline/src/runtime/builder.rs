//! The options of a runtime: each with its default, its bounds and a clear refusal.

use super::Runtime;
use super::WorkerThread;
use super::entry::EndSignals;
use super::instance::{Instance, Options};
use crate::scheduler::{BlockingLimits, MAX_WORKERS, ReliefLimits, Time};
use crate::task::{Hooks, SlowPoll, Task, Unhandled};
use std::fmt;
use std::io;
use std::time::Duration;

/// The most threads for blocking jobs, where nothing else is chosen: tokio's default, which users
/// know.
const DEFAULT_BLOCKING_THREADS: usize = 512;
/// The most relief workers, where nothing else is chosen: far more than what blocks in a program that
/// means to block elsewhere, and few enough to be no burden.
const DEFAULT_RELIEF_WORKERS: usize = 64;
/// How long a poll may take before it is reported as slow: asyncio's value.
const DEFAULT_SLOW_POLL: Duration = Duration::from_millis(100);
/// The shortest that can be chosen: what is shorter is not seen.
const MIN_SLOW_POLL: Duration = Duration::from_millis(1);
/// How long an idle thread of either kind stays, where nothing else is chosen.
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long `run` waits for cancelled tasks, where nothing else is chosen.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);
/// How many workers a deterministic runtime plays, where nothing else is chosen: enough for each
/// to find something at another.
const DETERMINISTIC_WORKERS: usize = 4;
/// The smallest stack a thread of the runtime may have, in bytes: below it std's own start-up code
/// does not fit on some systems.
const MIN_STACK_BYTES: usize = 16 * 1024;

/// A runtime to be built. Made by [`Runtime::builder`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let runtime = weftline::Runtime::builder()
///     .workers(2)
///     .thread_name("crawler")
///     .max_blocking_threads(16)
///     .blocking_keep_alive(Duration::from_secs(1))
///     .build()?;
/// # drop(runtime);
///
/// let error = weftline::Runtime::builder().workers(0).build().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the number of workers is 0, but must be between 1 and 65535"
/// );
/// # Ok::<(), weftline::runtime::BuildError>(())
/// ```
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    workers: Option<usize>,
    thread_name: String,
    stack_size: Option<usize>,
    blocking: BlockingLimits,
    relief_workers: Option<usize>,
    relief_keep_alive: Duration,
    slow_poll: Duration,
    debug: bool,
    grace: Duration,
    pub(super) end_signals: EndSignals,
    time: Time,
    hooks: Hooks,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            workers: None,
            thread_name: String::from("weftline"),
            stack_size: None,
            blocking: BlockingLimits {
                max_threads: DEFAULT_BLOCKING_THREADS,
                keep_alive: DEFAULT_KEEP_ALIVE,
            },
            relief_workers: None,
            relief_keep_alive: DEFAULT_KEEP_ALIVE,
            slow_poll: DEFAULT_SLOW_POLL,
            debug: false,
            grace: DEFAULT_GRACE,
            end_signals: EndSignals { interrupt: None, terminate: false },
            time: Time::System,
            hooks: Hooks::default(),
        }
    }

    /// How many workers run tasks, from 1 to 65,535. By default as many as the process may use
    /// CPUs: its affinity mask and its control group's quota are honoured.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// What the names of the runtime's threads begin with, without a null byte; a number follows.
    /// By default `weftline`.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// The size of the threads' stacks in bytes, at least 16 KiB. By default the system's.
    pub fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// The most threads for [`spawn_blocking`](crate::spawn_blocking) and [`fs`](crate::fs), at least 1; more jobs wait.
    /// By default 512. Threads start when they are needed.
    ///
    /// If each of them is in a closure that waits for another closure or a file, by [`block_on`](crate::Handle::block_on) say,
    /// they wait for each other for ever. Such a closure better calls std's functions for files; where it must wait
    /// for others, a [`Semaphore`](crate::sync::Semaphore) keeps it from being all of them.
    pub fn max_blocking_threads(mut self, threads: usize) -> Self {
        self.blocking.max_threads = threads;
        self
    }

    /// How long a thread for blocking jobs stays when it has nothing to do. By default ten
    /// seconds.
    pub fn blocking_keep_alive(mut self, keep_alive: Duration) -> Self {
        self.blocking.keep_alive = keep_alive;
        self
    }

    /// The most relief workers, 64 by default; 0 for none. A relief worker is one worker more, on a
    /// thread of its own: it comes when all others have been inside of one poll for about a
    /// millisecond, because it computes or blocks, and serves events, timers and ready tasks until one
    /// of them returns. If a task blocks it, too, another one comes, up to this number; then everything
    /// waits for the first that returns. Pinned tasks wait for their worker in any case.
    ///
    /// Where time is [virtual](Self::virtual_time) there are none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    /// use std::time::{Duration, Instant};
    ///
    /// let runtime = weftline::Runtime::builder().workers(1).max_relief_workers(4).build()?;
    /// let began = Instant::now();
    /// let blocks = runtime.spawn(async { thread::sleep(Duration::from_millis(200)) });
    /// runtime.spawn(weftline::time::sleep(Duration::from_millis(5))).wait()?;
    /// assert!(!blocks.is_finished() || began.elapsed() > Duration::from_millis(200));
    /// # blocks.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_relief_workers(mut self, workers: usize) -> Self {
        self.relief_workers = Some(workers);
        self
    }

    /// How long the thread of a relief worker stays when it is not needed. By default ten seconds.
    pub fn relief_keep_alive(mut self, keep_alive: Duration) -> Self {
        self.relief_keep_alive = keep_alive;
        self
    }

    /// How long a poll of a task may take before it is reported as slow, at least a millisecond. By
    /// default 100 milliseconds, and nobody is told; see [`on_slow_poll`](Self::on_slow_poll).
    pub fn slow_poll_threshold(mut self, threshold: Duration) -> Self {
        self.slow_poll = threshold;
        self
    }

    /// Called when a task has been inside of one poll for longer than the
    /// [threshold](Self::slow_poll_threshold), while it still is, once for each such poll. It runs on the
    /// thread that looks after stalls, and must not block: relief does not come meanwhile. Time
    /// must be the system's, and the future of [`block_on`](Runtime::block_on) is not looked at. What was
    /// given to [`compute`](crate::compute()) is expected to take long, and not told of.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::thread;
    /// use std::time::Duration;
    /// use weftline::task;
    ///
    /// let (sender, reports) = mpsc::channel();
    /// let runtime = weftline::Runtime::builder()
    ///     .slow_poll_threshold(Duration::from_millis(20))
    ///     .on_slow_poll(move |slow| sender.send(slow.to_string()).unwrap())
    ///     .build()?;
    /// let _entered = runtime.handle().enter();
    /// let blocks = task::Builder::new()
    ///     .name("blocks")
    ///     .spawn(async { thread::sleep(Duration::from_millis(300)) });
    /// assert!(reports.recv()?.contains("blocks"));
    /// blocks.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_slow_poll(mut self, hook: impl Fn(&SlowPoll) + Send + Sync + 'static) -> Self {
        self.hooks.slow_poll = Some(Box::new(hook));
        self
    }

    /// Whether to tell on standard error what a programmer wants to know: [slow
    /// polls](Self::on_slow_poll), unless a hook takes them. Off by default.
    pub fn debug(mut self, debug: bool) -> Self {
        self.debug = debug;
        self
    }

    /// How long [`run`](Self::run) waits for tasks to end once they are cancelled. By default ten
    /// seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Whether time is virtual: it stands still while anything happens and jumps to the next
    /// deadline when nothing else can happen, so that an hour's sleep is over at once. For tests;
    /// by default the runtime goes by the system's time. Of this and
    /// [`deterministic`](Self::deterministic) the last call counts.
    ///
    /// Time passes when every worker and every thread in [`block_on`](Runtime::block_on) waits, no
    /// blocking job runs or is queued, and no descriptor is ready. [`time::now`](crate::time::now)
    /// tells it. What happens outside of the runtime takes no time: a time limit on an answer from
    /// another process is over before that can answer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::time::{now, sleep};
    ///
    /// weftline::Runtime::builder().virtual_time(true).run(async {
    ///     let before = now();
    ///     sleep(Duration::from_secs(3600)).await;
    ///     assert_eq!(now() - before, Duration::from_secs(3600));
    /// })?;
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    pub fn virtual_time(mut self, is_virtual: bool) -> Self {
        self.time = if is_virtual { Time::Virtual } else { Time::System };
        self
    }

    /// Makes the runtime deterministic: the same program with the same seed takes the same course.
    /// For tests, which find with many seeds what a hundred runs on threads would not show.
    ///
    /// The workers, four unless [`workers`](Self::workers) says otherwise, have no threads: the
    /// thread in [`block_on`](Runtime::block_on) runs them, one job at a time, and outside of it
    /// nothing runs. The seed chooses which worker comes next, from whom it steals, and in which
    /// order wakers are called that are due at the same time. Time is
    /// [virtual](Self::virtual_time). Not replayed is what comes from outside: the network, other
    /// threads, [`spawn_blocking`](crate::spawn_blocking) among them.
    ///
    /// [`Handle::trace`](super::Handle::trace) tells whether two runs took the same course, and
    /// [`runtime::seed`](super::seed()) gives a seed that `WEFTLINE_SEED` can replay.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    ///
    /// let order = |seed| {
    ///     let log = Arc::new(Mutex::new(Vec::new()));
    ///     let runtime = weftline::Runtime::builder().deterministic(seed).build().unwrap();
    ///     runtime.block_on(async {
    ///         let tasks: Vec<_> = (0..5).map(|n| {
    ///             let log = log.clone();
    ///             weftline::spawn(async move { log.lock().unwrap().push(n) })
    ///         }).collect();
    ///         for task in tasks {
    ///             task.await.unwrap();
    ///         }
    ///     });
    ///     Arc::into_inner(log).unwrap().into_inner().unwrap()
    /// };
    /// assert_eq!(order(1), order(1));
    /// assert!((0..100).any(|seed| order(seed) != order(1)));
    /// ```
    pub fn deterministic(mut self, seed: u64) -> Self {
        self.time = Time::Deterministic(seed);
        self
    }

    /// Called on each new thread of the runtime, before it runs anything. A hook that panics is
    /// [reported](Self::on_unhandled) and changes nothing else; so for all hooks.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.thread_start = Some(Box::new(hook));
        self
    }

    /// Called on each thread of the runtime, after it ran everything.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.thread_stop = Some(Box::new(hook));
        self
    }

    /// Called for each new task, on the thread that spawns it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    ///
    /// let spawned = Arc::new(AtomicUsize::new(0));
    /// let count = spawned.clone();
    /// weftline::Runtime::builder()
    ///     .on_task_spawn(move |_task| {
    ///         count.fetch_add(1, Relaxed);
    ///     })
    ///     .run(async { weftline::spawn(async {}).await.unwrap() })?;
    /// assert_eq!(spawned.load(Relaxed), 2, "the main future is a task, too");
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    pub fn on_task_spawn(mut self, hook: impl Fn(&Task) + Send + Sync + 'static) -> Self {
        self.hooks.task_spawn = Some(Box::new(hook));
        self
    }

    /// Called before each poll of a task, on the thread that polls it.
    pub fn on_task_poll_start(mut self, hook: impl Fn(&Task) + Send + Sync + 'static) -> Self {
        self.hooks.before_poll = Some(Box::new(hook));
        self
    }

    /// Called after each poll of a task, on the thread that polled it.
    pub fn on_task_poll_end(mut self, hook: impl Fn(&Task) + Send + Sync + 'static) -> Self {
        self.hooks.after_poll = Some(Box::new(hook));
        self
    }

    /// Called when a task has ended, before its joiner knows.
    pub fn on_task_end(mut self, hook: impl Fn(&Task) + Send + Sync + 'static) -> Self {
        self.hooks.task_end = Some(Box::new(hook));
        self
    }

    /// Called for every failure that no code was there to read: the panic of a task whose handle
    /// was dropped, of a waker, of a hook, and a task that outlived shutting down. By default each
    /// is a line on standard error.
    pub fn on_unhandled(mut self, hook: impl Fn(&Unhandled) + Send + Sync + 'static) -> Self {
        self.hooks.unhandled = Some(Box::new(hook));
        self
    }

    /// Whether Ctrl-C cancels the main future of [`run`](Self::run): by default where that is called
    /// on the program's main thread. The future may clean up, and the process then ends as it does
    /// where nobody catches the signal. A second Ctrl-C ends it at once, as does one that comes when
    /// the main future has ended. (What comes within 100 ms of the first is taken for the same: some
    /// programs send a signal twice.)
    ///
    /// Only a signal that nobody else handles, or ignores, is caught, and only while `run` runs. (A shell
    /// without job control has what it starts with `&` ignore Ctrl-C.) While somebody listens for
    /// it, by the module `signal`, it is theirs alone. On systems other than Unix nothing is caught
    /// yet.
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = weftline::Runtime::builder().cancel_on_ctrl_c(false);
    /// assert_eq!(builder.run(async { 1 })?, 1);
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    pub fn cancel_on_ctrl_c(mut self, cancel: bool) -> Self {
        self.end_signals.interrupt = Some(cancel);
        self
    }

    /// Whether a request of the system to terminate (`SIGTERM`), as containers send it, does the
    /// same as Ctrl-C. Off by default, on in [`#[weftline::main]`](macro@crate::main).
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = weftline::Runtime::builder().cancel_on_terminate(true);
    /// assert_eq!(builder.run(async { 1 })?, 1);
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    pub fn cancel_on_terminate(mut self, cancel: bool) -> Self {
        self.end_signals.terminate = cancel;
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    ///
    /// If an option is out of its bounds, or the system refuses threads or an event queue.
    pub fn build(self) -> Result<Runtime, BuildError> {
        self.build_on(WorkerThread::start)
    }

    /// Starts the runtime with its workers on threads that `start` provides: it is called for each of
    /// them in turn, and is to have a thread call [`WorkerThread::run`]. So threads may have what
    /// std's do not offer, a priority or a place among the CPUs, or something to borrow.
    ///
    /// What blocks, and relief workers, have threads of the runtime's own as always. A
    /// [deterministic](Self::deterministic) runtime has no threads, and does not call `start`.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and if `start` fails; workers that have begun end then.
    ///
    /// # Examples
    ///
    /// ```
    /// let name = String::from("borrowed");
    /// std::thread::scope(|scope| {
    ///     let runtime = weftline::Runtime::builder().workers(2).build_on(|worker| {
    ///         let name = &name;
    ///         scope.spawn(move || {
    ///             println!("{name} {}", worker.index());
    ///             worker.run();
    ///         });
    ///         Ok(())
    ///     })?;
    ///     assert_eq!(runtime.spawn(async { 1 }).wait().unwrap(), 1);
    ///     // Here it is dropped, which ends its workers; the scope waits for their threads.
    ///     Ok::<(), weftline::runtime::BuildError>(())
    /// })?;
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    pub fn build_on(
        mut self,
        mut start: impl FnMut(WorkerThread) -> io::Result<()>,
    ) -> Result<Runtime, BuildError> {
        if self.debug && self.hooks.slow_poll.is_none() {
            self.hooks.slow_poll = Some(Box::new(SlowPoll::print));
        }
        let workers = match self.workers {
            Some(workers) => workers,
            // Not the machine's: the course must be the same on another one.
            None if matches!(self.time, Time::Deterministic(_)) => DETERMINISTIC_WORKERS,
            // Where the system cannot say, one is always right.
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        check("the number of workers", workers, 1, MAX_WORKERS)?;
        let most = usize::MAX;
        check("the number of blocking threads", self.blocking.max_threads, 1, most)?;
        let most = MAX_WORKERS - workers;
        let relief_workers = self.relief_workers.unwrap_or(DEFAULT_RELIEF_WORKERS.min(most));
        check("the number of relief workers", relief_workers, 0, most)?;
        if self.slow_poll < MIN_SLOW_POLL {
            return Err(BuildError(Reason::SlowPoll(self.slow_poll)));
        }
        let most = usize::MAX;
        if let Some(bytes) = self.stack_size {
            check("the stack size in bytes", bytes, MIN_STACK_BYTES, most)?;
        }
        if self.thread_name.contains('\0') {
            return Err(BuildError(Reason::Name(self.thread_name)));
        }
        let options = Options {
            workers,
            thread_name: self.thread_name,
            stack_size: self.stack_size,
            blocking: self.blocking,
            relief: ReliefLimits {
                max_workers: relief_workers,
                keep_alive: self.relief_keep_alive,
            },
            slow_polls: self.hooks.slow_poll.is_some().then_some(self.slow_poll),
            grace: self.grace,
            time: self.time,
        };
        let instance = Instance::start(options, self.hooks, &mut start);
        match instance {
            Ok(instance) => Ok(Runtime::from_instance(instance)),
            Err(error) => Err(BuildError(Reason::System(error))),
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("workers", &self.workers)
            .field("thread_name", &self.thread_name)
            .field("stack_size", &self.stack_size)
            .field("blocking", &self.blocking)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

/// Why a runtime could not be built.
#[derive(Debug)]
pub struct BuildError(Reason);

#[derive(Debug)]
enum Reason {
    Bounds { what: &'static str, value: usize, least: usize, most: usize },
    Name(String),
    SlowPoll(Duration),
    System(io::Error),
}

fn check(what: &'static str, value: usize, least: usize, most: usize) -> Result<(), BuildError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(BuildError(Reason::Bounds { what, value, least, most }))
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Bounds { what, value, least, most: usize::MAX } => {
                write!(f, "{what} is {value}, but must be at least {least}")
            }
            Reason::Bounds { what, value, least, most } => {
                write!(f, "{what} is {value}, but must be between {least} and {most}")
            }
            Reason::Name(name) => {
                write!(f, "the thread name is {name:?}, but must not contain a null byte")
            }
            Reason::SlowPoll(threshold) => {
                write!(
                    f,
                    "the threshold of slow polls is {threshold:?}, but must be at least {MIN_SLOW_POLL:?}"
                )
            }
            Reason::System(error) => {
                write!(f, "the system refuses a thread or an event queue: {error}")
            }
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Reason::System(error) => Some(error),
            _ => None,
        }
    }
}

impl From<BuildError> for io::Error {
    fn from(error: BuildError) -> Self {
        match error.0 {
            Reason::System(error) => error,
            _ => io::Error::new(io::ErrorKind::InvalidInput, error),
        }
    }
}
