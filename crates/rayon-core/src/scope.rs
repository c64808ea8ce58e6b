//! Scopes: any number of jobs that borrow.
//!
//! In a pool the jobs of a scope wait in the lanes, among all others of the pool, and are counted here.
//! In a runtime that others have built a scope is one of Weftline's, whose jobs belong to the task
//! around it.

use crate::broadcast::BroadcastContext;
use crate::install::in_current;
use crate::job::{Fifo, Job, erase};
use crate::locked;
use crate::panics::catch;
use crate::place::{self, Place};
use crate::pool::Registry;
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use weftline::foundation::Branch;

/// What jobs are spawned into that may borrow what lives longer than `'scope`; given by [`scope`].
pub struct Scope<'scope> {
    base: Base<'scope>,
}

/// As [`Scope`], for jobs that are called in the order in which one thread has spawned them; given by
/// [`scope_fifo`].
pub struct ScopeFifo<'scope> {
    base: Base<'scope>,
}

/// What both kinds of scopes are.
struct Base<'scope> {
    /// Where the jobs are.
    jobs: Jobs,
    /// What the jobs borrow, neither longer nor shorter.
    borrows: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

/// Where the jobs of a scope are.
enum Jobs {
    /// In the lanes of a pool.
    Pool(Arc<Crew>),
    /// In a scope of Weftline's, which is there as long as this value.
    Weftline(NonNull<weftline::Scope<'static>>),
}

// SAFETY: of what `Jobs` points to a shared reference is made, and that is `Sync`.
unsafe impl Send for Jobs {}
// SAFETY: as above.
unsafe impl Sync for Jobs {}

/// The jobs of a scope in a pool.
struct Crew {
    /// The pool.
    registry: Arc<Registry>,
    /// Jobs that have not ended, and the body.
    open: AtomicUsize,
    /// What the scope's thread waits for.
    branch: Arc<Branch>,
    /// Whether the jobs run in that branch, so that the waiting thread may run their forks: it is of
    /// the same pool.
    is_joined: bool,
    /// The first panic.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Those that are called in their order.
    fifo: Fifo,
}

/// Calls `op` in the pool around the calling thread, or else in the global one; it may spawn jobs that
/// borrow. Returns what it gives once all of them have ended.
///
/// # Panics
///
/// If `op` or a job does, once all have ended.
///
/// # Examples
///
/// ```
/// let mut squares = vec![0; 8];
/// rayon_core::scope(|scope| {
///     for (n, square) in squares.iter_mut().enumerate() {
///         scope.spawn(move |_| *square = n * n);
///     }
/// });
/// assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49]);
/// ```
pub fn scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    in_current(|_| Base::run(None, |base| op(&Scope { base })))
}

/// As [`scope`], with a [`ScopeFifo`].
pub fn scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
    R: Send,
{
    in_current(|_| Base::run(None, |base| op(&ScopeFifo { base })))
}

/// As [`scope`], but `op` is called by the calling thread.
///
/// # Panics
///
/// As [`scope`].
pub fn in_place_scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R,
{
    in_place_scope_of(None, op)
}

/// As [`scope_fifo`], but `op` is called by the calling thread.
///
/// # Panics
///
/// As [`scope`].
pub fn in_place_scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R,
{
    in_place_scope_fifo_of(None, op)
}

/// A scope of that pool, or else of the one around the calling thread.
pub(crate) fn in_place_scope_of<'scope, R>(
    pool: Option<&Arc<Registry>>,
    op: impl FnOnce(&Scope<'scope>) -> R,
) -> R {
    Base::run(pool, |base| op(&Scope { base }))
}

/// As [`in_place_scope_of`].
pub(crate) fn in_place_scope_fifo_of<'scope, R>(
    pool: Option<&Arc<Registry>>,
    op: impl FnOnce(&ScopeFifo<'scope>) -> R,
) -> R {
    Base::run(pool, |base| op(&ScopeFifo { base }))
}

impl<'scope> Scope<'scope> {
    /// Adds a job, which may add others. Of those that one thread has spawned that thread calls the
    /// newest first, others the oldest.
    pub fn spawn<BODY>(&self, body: BODY)
    where
        BODY: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        self.base.spawn(Order::NewestFirst, move |base| body(&Scope { base }));
    }

    /// Adds a job for each thread of the pool.
    pub fn spawn_broadcast<BODY>(&self, body: BODY)
    where
        BODY: Fn(&Scope<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        self.base.spawn_broadcast(move |base, context| body(&Scope { base }, context));
    }
}

impl<'scope> ScopeFifo<'scope> {
    /// Adds a job, which may add others. Of those that one thread has spawned the oldest is called
    /// first. (In a runtime that others have built, the order is that of [`Scope::spawn`].)
    pub fn spawn_fifo<BODY>(&self, body: BODY)
    where
        BODY: FnOnce(&ScopeFifo<'scope>) + Send + 'scope,
    {
        self.base.spawn(Order::OldestFirst, move |base| body(&ScopeFifo { base }));
    }

    /// Adds a job for each thread of the pool.
    pub fn spawn_broadcast<BODY>(&self, body: BODY)
    where
        BODY: Fn(&ScopeFifo<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        self.base.spawn_broadcast(move |base, context| body(&ScopeFifo { base }, context));
    }
}

/// Which of a thread's jobs it calls first.
enum Order {
    NewestFirst,
    OldestFirst,
}

impl<'scope> Base<'scope> {
    /// Calls `op` with a scope of `pool`, or else of the one around the calling thread, and waits for
    /// its jobs.
    fn run<R>(pool: Option<&Arc<Registry>>, op: impl FnOnce(Self) -> R) -> R {
        let here = place::here();
        let (registry, is_joined) = match (pool, here) {
            (None, Place::In(own, _)) => (own, true),
            (Some(pool), Place::In(own, _)) => (pool.clone(), Arc::ptr_eq(&own, pool)),
            (Some(pool), Place::Outside) => (pool.clone(), false),
            (None, Place::Outside) => (place::global().clone(), false),
        };
        if is_joined && registry.is_guest() {
            return weftline::scope(|scope| op(Self::of_weftline(scope)));
        }
        let crew = Crew::new(registry, is_joined);
        let result = crew.call(|| op(Self::of(crew.clone())));
        crew.note_end();
        crew.wait();
        let panic = locked(&crew.panic).take();
        match (result, panic) {
            (Some(result), None) => result,
            (_, Some(panic)) => resume_unwind(panic),
            (None, None) => unreachable!("there is a panic or a result"),
        }
    }

    fn of(crew: Arc<Crew>) -> Self {
        Self { jobs: Jobs::Pool(crew), borrows: PhantomData }
    }

    /// A scope that is one of Weftline's, for as long as that is lent: it is passed on by reference
    /// alone, to what is called meanwhile.
    fn of_weftline(scope: &weftline::Scope<'scope>) -> Self {
        Self { jobs: Jobs::Weftline(NonNull::from(scope).cast()), borrows: PhantomData }
    }

    fn spawn(&self, order: Order, call: impl FnOnce(Self) + Send + 'scope) {
        let crew = match &self.jobs {
            Jobs::Pool(crew) => crew,
            Jobs::Weftline(scope) => {
                // SAFETY: it is lent for longer than `self` lives, and of this lifetime.
                let scope = unsafe { scope.cast::<weftline::Scope<'scope>>().as_ref() };
                return scope.spawn(move |scope| call(Self::of_weftline(scope)));
            }
        };
        let job = crew.job(call);
        match order {
            Order::NewestFirst => crew.registry.push(job),
            Order::OldestFirst => crew.registry.push(crew.fifo.push(job)),
        }
    }

    fn spawn_broadcast(&self, call: impl Fn(Self, BroadcastContext<'_>) + Send + Sync + 'scope) {
        let Jobs::Pool(crew) = &self.jobs else {
            // One job waits for all.
            return self.spawn(Order::NewestFirst, move |base| {
                let call = &call;
                let base = &base;
                place::current().broadcast(|context| call(base.again(), context));
            });
        };
        let call = Arc::new(call);
        let job = |index| {
            let (call, registry) = (call.clone(), crew.registry.clone());
            crew.job(move |base| {
                BroadcastContext::with(&registry, index, |context| call(base, context));
            })
        };
        crew.registry.push_to_all((0..crew.registry.num_threads()).map(job));
    }

    /// The same scope, for what is called while this one is there.
    fn again(&self) -> Self {
        let jobs = match &self.jobs {
            Jobs::Pool(crew) => Jobs::Pool(crew.clone()),
            Jobs::Weftline(scope) => Jobs::Weftline(*scope),
        };
        Self { jobs, borrows: PhantomData }
    }
}

impl Crew {
    /// A crew whose body is running.
    fn new(registry: Arc<Registry>, is_joined: bool) -> Arc<Self> {
        Arc::new(Self {
            registry,
            open: AtomicUsize::new(1),
            branch: if is_joined { Branch::apart() } else { Branch::alone() },
            is_joined,
            panic: Mutex::new(None),
            fifo: Fifo::default(),
        })
    }

    /// A job that is counted. The caller is the scope's body, or one of its jobs.
    fn job<'scope>(self: &Arc<Self>, call: impl FnOnce(Base<'scope>) + Send + 'scope) -> Job {
        // Relaxed: whoever adds is counted itself, so that the count is not zero yet.
        self.open.fetch_add(1, Ordering::Relaxed);
        let crew = self.clone();
        let job = move || {
            let run = || {
                crew.call(|| call(Base::of(crew.clone())));
            };
            if crew.is_joined {
                crew.branch.enter(run);
            } else {
                Branch::enter_none(run);
            }
            crew.note_end();
        };
        // SAFETY: what it borrows outlives the scope, which waits until it is counted as ended.
        unsafe { erase(Box::new(job)) }
    }

    /// Calls the body or a job, and keeps the first panic.
    fn call<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        match catch(call) {
            Ok(result) => Some(result),
            Err(panic) => {
                let mut first = locked(&self.panic);
                let lost = if first.is_none() { first.replace(panic) } else { Some(panic) };
                drop(first);
                // What dropping it may throw is lost with it.
                std::mem::forget(catch(|| drop(lost)));
                None
            }
        }
    }

    fn note_end(&self) {
        // Release: pairs with the Acquire in `wait`: what the job did is seen. Acquire: so that the
        // last one passes on what the others did.
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.branch.wake();
        }
    }

    fn wait(&self) {
        // Acquire: see `note_end`.
        self.branch.wait_until(|| self.open.load(Ordering::Acquire) == 0);
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

impl fmt::Debug for ScopeFifo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeFifo").finish_non_exhaustive()
    }
}
