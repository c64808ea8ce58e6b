//! Pools that users hold, and what can be asked of the one around a thread.

use crate::broadcast::BroadcastContext;
use crate::place::{self, Place};
use crate::pool::{Registry, Work};
use crate::scope::{self, Scope, ScopeFifo, in_place_scope_fifo_of, in_place_scope_of};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use weftline::foundation::OfferedFork;

/// A pool of threads. When it is dropped it ends in the background, once all that was spawned is done.
///
/// # Examples
///
/// ```
/// let pool = rayon_core::ThreadPoolBuilder::new().num_threads(2).build()?;
/// let (a, b) = pool.join(|| 1, || 2);
/// assert_eq!(a + b, 3);
/// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
/// ```
pub struct ThreadPool {
    /// What its threads share.
    registry: Arc<Registry>,
}

impl ThreadPool {
    /// Builds a pool.
    ///
    /// # Errors
    ///
    /// As [`ThreadPoolBuilder::build`](crate::ThreadPoolBuilder::build).
    #[deprecated(note = "Use `ThreadPoolBuilder::build`")]
    #[allow(deprecated)]
    pub fn new(configuration: crate::Configuration) -> Result<ThreadPool, Box<dyn Error>> {
        configuration.builder.build().map_err(Box::from)
    }

    pub(crate) fn of(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    /// Calls `op` on a thread of the pool, and returns what it gives. A thread of another pool calls
    /// jobs of that one meanwhile.
    ///
    /// # Panics
    ///
    /// If `op` does.
    pub fn install<OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce() -> R + Send,
        R: Send,
    {
        self.registry.install(|_| op())
    }

    /// As [`broadcast`](crate::broadcast()), on this pool.
    pub fn broadcast<OP, R>(&self, op: OP) -> Vec<R>
    where
        OP: Fn(BroadcastContext<'_>) -> R + Sync,
        R: Send,
    {
        self.registry.broadcast(op)
    }

    /// How many threads it has.
    #[inline]
    pub fn current_num_threads(&self) -> usize {
        self.registry.num_threads()
    }

    /// The index of the calling thread, if it is one of this pool's.
    #[inline]
    pub fn current_thread_index(&self) -> Option<usize> {
        place::index_in(&self.registry)
    }

    /// Whether the calling thread has pushed jobs that wait, if it is one of this pool's.
    #[inline]
    pub fn current_thread_has_pending_tasks(&self) -> Option<bool> {
        self.current_thread_index().map(|index| self.registry.has_local_jobs(index))
    }

    /// As [`join`](crate::join()), in this pool.
    pub fn join<A, B, RA, RB>(&self, oper_a: A, oper_b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        self.install(|| crate::join(oper_a, oper_b))
    }

    /// As [`scope`](crate::scope()), in this pool.
    pub fn scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        self.install(|| scope::scope(op))
    }

    /// As [`scope_fifo`](crate::scope_fifo()), in this pool.
    pub fn scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
        R: Send,
    {
        self.install(|| scope::scope_fifo(op))
    }

    /// As [`in_place_scope`](crate::in_place_scope()), for jobs in this pool.
    pub fn in_place_scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R,
    {
        in_place_scope_of(Some(&self.registry), op)
    }

    /// As [`in_place_scope_fifo`](crate::in_place_scope_fifo()), for jobs in this pool.
    pub fn in_place_scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R,
    {
        in_place_scope_fifo_of(Some(&self.registry), op)
    }

    /// As [`spawn`](crate::spawn()), in this pool.
    pub fn spawn<OP>(&self, op: OP)
    where
        OP: FnOnce() + Send + 'static,
    {
        self.registry.spawn(op);
    }

    /// As [`spawn_fifo`](crate::spawn_fifo()), in this pool.
    pub fn spawn_fifo<OP>(&self, op: OP)
    where
        OP: FnOnce() + Send + 'static,
    {
        self.registry.spawn_fifo(op);
    }

    /// As [`spawn_broadcast`](crate::spawn_broadcast()), on this pool.
    pub fn spawn_broadcast<OP>(&self, op: OP)
    where
        OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
    {
        self.registry.spawn_broadcast(op);
    }

    /// As [`yield_now`], if the calling thread is one of this pool's.
    pub fn yield_now(&self) -> Option<Yield> {
        self.current_thread_index().map(|index| yield_in(&self.registry, Some(index)))
    }

    /// As [`yield_local`], if the calling thread is one of this pool's.
    pub fn yield_local(&self) -> Option<Yield> {
        self.current_thread_index().map(|index| yield_local_in(&self.registry, index))
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.registry.release();
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("num_threads", &self.current_num_threads())
            .finish_non_exhaustive()
    }
}

/// The index of the calling thread in its pool, or among the workers of its runtime. `None` outside of
/// both, and for threads that compute beside workers, as the one in `block_on` does.
#[inline]
pub fn current_thread_index() -> Option<usize> {
    match place::here() {
        Place::In(_, index) => index,
        Place::Outside => None,
    }
}

/// Whether the calling thread has pushed jobs that wait; `None` where it has no index.
#[inline]
pub fn current_thread_has_pending_tasks() -> Option<bool> {
    match place::here() {
        Place::In(registry, Some(index)) => Some(registry.has_local_jobs(index)),
        _ => None,
    }
}

/// How many threads the pool around the calling thread has, or else the global one.
pub fn current_num_threads() -> usize {
    match place::here() {
        Place::In(registry, _) => registry.num_threads(),
        Place::Outside => place::global().num_threads(),
    }
}

/// What yielding came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yield {
    /// Something was done.
    Executed,
    /// There was nothing to do.
    Idle,
}

/// Calls one job of the pool around the calling thread, or else runs a fork that the thread has made
/// itself. `None` outside of pools and runtimes.
pub fn yield_now() -> Option<Yield> {
    match place::here() {
        Place::In(registry, index) => Some(yield_in(&registry, index)),
        Place::Outside => None,
    }
}

/// Calls one job that the calling thread has pushed itself. `None` where it has no index.
pub fn yield_local() -> Option<Yield> {
    match place::here() {
        Place::In(registry, Some(index)) => Some(yield_local_in(&registry, index)),
        _ => None,
    }
}

fn yield_in(registry: &Registry, index: Option<usize>) -> Yield {
    let done = match registry.find(index, true) {
        Some(work) => work.run(),
        None => OfferedFork::oldest().is_some_and(OfferedFork::run),
    };
    if done { Yield::Executed } else { Yield::Idle }
}

fn yield_local_in(registry: &Registry, index: usize) -> Yield {
    let done = registry.find_local(index).is_some_and(Work::run);
    if done { Yield::Executed } else { Yield::Idle }
}
