//! The options of a pool.

use crate::error::ThreadPoolBuildError;
use crate::max_num_threads;
use crate::panics::catch;
use crate::place;
use crate::pool::{Options, Registry};
use crate::thread::{self, CustomSpawn, DefaultSpawn, ThreadBuilder, ThreadSpawn};
use crate::thread_pool::ThreadPool;
use std::any::Any;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::{env, fmt, io};
use weftline::Runtime;
use weftline::foundation::runtime_here;
use weftline::runtime::WorkerThread;

/// A pool to be built, or the global one to be configured.
///
/// # Examples
///
/// ```
/// let pool = rayon_core::ThreadPoolBuilder::new().num_threads(2).build()?;
/// assert_eq!(pool.install(rayon_core::current_num_threads), 2);
/// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
/// ```
pub struct ThreadPoolBuilder<S = DefaultSpawn> {
    /// How many threads; zero: as the environment says, or as many as there are CPUs.
    num_threads: usize,
    /// What gives a thread its name.
    thread_name: Option<Box<dyn FnMut(usize) -> String>>,
    /// The size of the threads' stacks in bytes.
    stack_size: Option<usize>,
    /// What the registry is to know.
    options: Options,
    /// What starts the threads.
    spawn_handler: S,
}

impl Default for ThreadPoolBuilder {
    fn default() -> Self {
        Self {
            num_threads: 0,
            thread_name: None,
            stack_size: None,
            options: Options::default(),
            spawn_handler: DefaultSpawn,
        }
    }
}

impl ThreadPoolBuilder {
    /// A pool with one thread for each CPU that the process may use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Builds a pool for `with_pool`, on threads that may borrow: each calls `wrapper`, which calls
    /// [`ThreadBuilder::run`].
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    ///
    /// # Examples
    ///
    /// ```
    /// let name = String::from("borrowed");
    /// rayon_core::ThreadPoolBuilder::new().num_threads(2).build_scoped(
    ///     |thread| {
    ///         println!("{name} {}", thread.index());
    ///         thread.run();
    ///     },
    ///     |pool| assert_eq!(pool.install(|| 1), 1),
    /// )?;
    /// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
    /// ```
    pub fn build_scoped<W, F, R>(self, wrapper: W, with_pool: F) -> Result<R, ThreadPoolBuildError>
    where
        W: Fn(ThreadBuilder) + Sync,
        F: FnOnce(&ThreadPool) -> R,
    {
        std::thread::scope(|scope| {
            let wrapper = &wrapper;
            let pool = self
                .spawn_handler(|thread| {
                    thread.std_builder().spawn_scoped(scope, || wrapper(thread)).map(drop)
                })
                .build()?;
            Ok(with_pool(&pool))
        })
    }
}

/// The bound is there since a pool is built by what starts its threads.
impl<S: ThreadSpawn> ThreadPoolBuilder<S> {
    /// Builds the pool.
    ///
    /// # Errors
    ///
    /// If the system refuses threads or an event queue, or the calling thread is to be of the pool
    /// and is of another, or in a runtime.
    pub fn build(self) -> Result<ThreadPool, ThreadPoolBuildError> {
        Ok(ThreadPool::of(self.into_registry()?))
    }

    /// Builds the pool for threads in no runtime, and waits until its threads have begun.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and if there is one already.
    pub fn build_global(self) -> Result<(), ThreadPoolBuildError> {
        place::build_global(|| self.into_registry())?.wait_until_begun();
        Ok(())
    }

    pub(crate) fn into_registry(mut self) -> Result<Arc<Registry>, ThreadPoolBuildError> {
        let uses_current = self.options.use_current_thread;
        if uses_current && (runtime_here() != 0 || place::first_member().is_some()) {
            return Err(ThreadPoolBuildError::already_in_pool());
        }
        let threads = self.chosen_threads().min(max_num_threads());
        let first_worker = usize::from(uses_current);
        let registry = Registry::of_pool(threads, std::mem::take(&mut self.options));
        if uses_current {
            self.name_of(0);
        }
        let runtime = if threads > first_worker {
            Some(self.start_workers(&registry, threads - first_worker, first_worker)?)
        } else {
            None
        };
        if uses_current {
            thread::take_current(&registry, runtime.as_ref().map(Runtime::handle));
        }
        if let Some(runtime) = runtime {
            registry.own(runtime);
        }
        place::make_known(&registry);
        Ok(registry)
    }

    /// Starts a runtime that has just the workers it was told to have.
    fn start_workers(
        &mut self,
        registry: &Arc<Registry>,
        workers: usize,
        first_worker: usize,
    ) -> Result<Runtime, ThreadPoolBuildError> {
        let mut panic = None;
        let mut start = |worker: WorkerThread| {
            // A panic of users' code ends what has begun, and goes on after that.
            let started = catch(|| {
                let index = worker.index() + first_worker;
                let name = self.name_of(index);
                let (stack_size, registry) = (self.stack_size, registry.clone());
                self.spawn_handler.spawn(ThreadBuilder {
                    name,
                    stack_size,
                    index,
                    registry,
                    worker,
                })
            });
            started.unwrap_or_else(|payload| {
                panic = Some(payload);
                Err(io::Error::other("starting a thread panicked"))
            })
        };
        let runtime = Runtime::builder()
            .workers(workers)
            .thread_name("rayon")
            .max_relief_workers(0)
            .on_thread_start(thread::began)
            .on_thread_stop(thread::ended)
            .build_on(&mut start);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        runtime.map_err(|error| ThreadPoolBuildError::of_system(error.into()))
    }

    fn name_of(&mut self, index: usize) -> Option<String> {
        self.thread_name.as_mut().map(|name| name(index))
    }
}

impl<S> ThreadPoolBuilder<S> {
    /// What starts each thread: it is to have one call [`ThreadBuilder::run`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = rayon_core::ThreadPoolBuilder::new()
    ///     .spawn_handler(|thread| {
    ///         std::thread::spawn(|| thread.run());
    ///         Ok(())
    ///     })
    ///     .build()?;
    /// assert_eq!(pool.install(|| 1), 1);
    /// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
    /// ```
    pub fn spawn_handler<F>(self, spawn: F) -> ThreadPoolBuilder<CustomSpawn<F>>
    where
        F: FnMut(ThreadBuilder) -> io::Result<()>,
    {
        let Self { num_threads, thread_name, stack_size, options, spawn_handler: _ } = self;
        let spawn_handler = CustomSpawn(spawn);
        ThreadPoolBuilder { num_threads, thread_name, stack_size, options, spawn_handler }
    }

    /// How many threads the pool is to have.
    fn chosen_threads(&self) -> usize {
        if self.num_threads > 0 {
            return self.num_threads;
        }
        let said = |variable| env::var(variable).ok()?.parse::<usize>().ok();
        let chosen =
            said("RAYON_NUM_THREADS").or_else(|| said("RAYON_RS_NUM_CPUS").filter(|&n| n > 0));
        match chosen {
            Some(threads @ 1..) => threads,
            _ => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// What gives the thread with that index its name.
    pub fn thread_name<F>(mut self, closure: F) -> Self
    where
        F: FnMut(usize) -> String + 'static,
    {
        self.thread_name = Some(Box::new(closure));
        self
    }

    /// How many threads. With zero, the default, `RAYON_NUM_THREADS` in the environment says, or else
    /// there is one for each CPU that the process may use.
    pub fn num_threads(mut self, num_threads: usize) -> Self {
        self.num_threads = num_threads;
        self
    }

    /// Makes the thread that builds the pool be its first, with index 0, for good. It takes part only
    /// while it waits for something of the pool, or [yields](crate::yield_now).
    pub fn use_current_thread(mut self) -> Self {
        self.options.use_current_thread = true;
        self
    }

    /// Called with the panic of a job that nobody waits for. If it panics itself, or where there is
    /// none, the process is aborted.
    pub fn panic_handler<H>(mut self, panic_handler: H) -> Self
    where
        H: Fn(Box<dyn Any + Send>) + Send + Sync + 'static,
    {
        self.options.panic_handler = Some(Box::new(panic_handler));
        self
    }

    /// The size of the threads' stacks, in bytes.
    pub fn stack_size(mut self, stack_size: usize) -> Self {
        self.stack_size = Some(stack_size);
        self
    }

    /// Whether a thread is to call the oldest of its own jobs first.
    #[deprecated(note = "use `scope_fifo` and `spawn_fifo` for similar effect")]
    pub fn breadth_first(mut self) -> Self {
        self.options.breadth_first = true;
        self
    }

    /// Called on each thread when it begins, with its index.
    pub fn start_handler<H>(mut self, start_handler: H) -> Self
    where
        H: Fn(usize) + Send + Sync + 'static,
    {
        self.options.start_handler = Some(Box::new(start_handler));
        self
    }

    /// Called on each thread when it ends, with its index.
    pub fn exit_handler<H>(mut self, exit_handler: H) -> Self
    where
        H: Fn(usize) + Send + Sync + 'static,
    {
        self.options.exit_handler = Some(Box::new(exit_handler));
        self
    }
}

impl<S> fmt::Debug for ThreadPoolBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("num_threads", &self.num_threads)
            .field("use_current_thread", &self.options.use_current_thread)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}
