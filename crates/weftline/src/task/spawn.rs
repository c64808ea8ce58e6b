//! From a future to a queued task.

use super::context;
use super::extra::{Extra, ExtraPlace};
use super::raw::{Header, RawTask};
use super::state::{Cancel, State};
use super::surroundings::Surroundings;
use super::{Admission, CallSite, Home, Id, JoinHandle, Reason, Roster, harness};
use crate::platform::atomic::AtomicU32;
use std::cell::RefCell;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

thread_local! {
    /// Where this thread's new tasks are listed: set while it runs in a runtime.
    static ROSTER: RefCell<Option<Arc<Roster>>> = const { RefCell::new(None) };
}

/// Makes a roster the calling thread's until it is dropped.
pub(crate) struct EnteredRoster {
    /// The roster before: runtimes nest.
    outer: Option<Arc<Roster>>,
}

impl EnteredRoster {
    pub(crate) fn enter(roster: Arc<Roster>) -> Self {
        Self { outer: ROSTER.with(|current| current.replace(Some(roster))) }
    }
}

impl Drop for EnteredRoster {
    fn drop(&mut self) {
        let outer = self.outer.take();
        // A thread that is ending has no roster to restore.
        let _ = ROSTER.try_with(|current| current.replace(outer));
    }
}

/// The thread's roster. A reference of its own, since hooks, eager tasks and drops may enter or
/// leave a runtime while it is used.
#[track_caller]
#[inline]
fn current_roster(what: &str) -> Arc<Roster> {
    let roster = ROSTER.with(|current| current.borrow().clone());
    roster.unwrap_or_else(|| no_runtime(what))
}

#[cold]
#[track_caller]
fn no_runtime(what: &str) -> ! {
    panic!(
        "`{what}` was called outside of a weftline runtime: call it in `weftline::run`, in \
         `Runtime::block_on`, in a task, or after `Handle::enter`"
    )
}

/// Gives a future to the current runtime, which runs it on its workers from now on, whether or
/// not the handle is awaited.
///
/// # Panics
///
/// Outside of a runtime, and in a forked child process.
///
/// # Examples
///
/// ```
/// weftline::run(async {
///     let tasks: Vec<_> = (1..=3).map(|n| weftline::spawn(async move { n * n })).collect();
///     let mut sum = 0;
///     for task in tasks {
///         sum += task.await.unwrap();
///     }
///     assert_eq!(sum, 14);
/// });
/// ```
#[track_caller]
#[inline]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let spawner = Surroundings::of_spawner();
    // Nearly all tasks have nothing beside their header.
    let extra = if spawner.has_none { None } else { Extra::inherit(None, None) };
    let roster = current_roster("spawn");
    let birth = Birth {
        extra,
        parent: spawner.id,
        spawned_at: Location::caller(),
        home: Home::ANY,
        start: Start::Soon,
    };
    // SAFETY: `Send` future and output: any worker may run it.
    unsafe { birth.launch(roster, future) }
}

/// Gives a future that is not `Send` to the worker that this code runs on; it never leaves it.
///
/// # Panics
///
/// Elsewhere than on a worker: the main future and blocking jobs are tasks, but run on threads of
/// their own. Use [`spawn_pinned`] there.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// weftline::run(async {
///     let task = weftline::spawn(async {
///         weftline::spawn_local(async {
///             let shared = Rc::new(1);
///             weftline::yield_now().await;
///             *shared
///         })
///         .await
///         .unwrap()
///     });
///     assert_eq!(task.await.unwrap(), 1);
/// });
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    Builder::new().spawn_local(future)
}

/// Runs a closure on one of the workers, and the future it makes on that same worker until its
/// end. The future need not be `Send`.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// weftline::run(async {
///     let task = weftline::spawn_pinned(|| async {
///         let count = Rc::new(Cell::new(0));
///         for _ in 0..3 {
///             count.set(count.get() + 1);
///             weftline::yield_now().await;
///         }
///         count.get()
///     });
///     assert_eq!(task.await.unwrap(), 3);
/// });
/// ```
#[track_caller]
pub fn spawn_pinned<C, F>(make: C) -> JoinHandle<F::Output>
where
    C: FnOnce() -> F + Send + 'static,
    F: Future + 'static,
    F::Output: Send + 'static,
{
    Builder::new().spawn_pinned(make)
}

/// Runs a closure that may block on a thread of its own kind, so that no worker is held.
///
/// A closure that has begun is not interrupted by a request to end, but may ask for one at each
/// [`checkpoint`](crate::checkpoint); one that waits for a thread is cancelled as any task. How many threads there are, and what
/// that means for closures that wait, is told at [`max_blocking_threads`](crate::runtime::Builder::max_blocking_threads).
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Examples
///
/// ```
/// weftline::run(async {
///     let names = weftline::spawn_blocking(|| std::fs::read_dir(".").unwrap().count());
///     assert!(names.await.unwrap() > 0);
/// });
/// ```
#[track_caller]
pub fn spawn_blocking<C, T>(job: C) -> JoinHandle<T>
where
    C: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Builder::new().spawn_blocking(job)
}

/// Runs a closure that computes on one of the workers, as a task: any of them may take it. Await it
/// to have what it gives.
///
/// The closure holds its worker until it returns; it may split its work by [`join`](crate::join) and
/// [`scope`](crate::scope). It begins with the caller's context.
///
/// The closure owns what it works on (`'static`): data is moved in and returned, or shared by an `Arc`.
/// What the calling code only borrows is for [`join`](crate::join), [`scope`](crate::scope) and
/// [`par`](crate::par), which return when all is done and can be called in any task, as they are; the
/// task holds its worker meanwhile.
///
/// # Cancellation
///
/// A closure that has not begun when its task is [cancelled](super::Task::cancel) never begins, and is
/// dropped on a worker. One that has begun asks for requests by [`checkpoint`](crate::checkpoint), or runs to its end. What a
/// limit around it gives is an example of [`timeout`](crate::time::timeout()).
///
/// # Panics
///
/// Outside of a runtime, and in a forked child process. A panic of the closure is in the error that
/// its [`JoinHandle`] gives.
///
/// # Examples
///
/// ```
/// weftline::run(async {
///     let sum = weftline::compute(|| (1..=1_000_000_u64).sum::<u64>());
///     assert_eq!(sum.await.unwrap(), 500_000_500_000);
///
///     // Moved in, borrowed by all workers, and given back.
///     let mut numbers = vec![3, 1, 2];
///     let sorting = weftline::compute(move || {
///         weftline::par::sort(&mut numbers);
///         numbers
///     });
///     assert_eq!(sorting.await.unwrap(), [1, 2, 3]);
/// });
/// ```
#[track_caller]
pub fn compute<C, T>(job: C) -> JoinHandle<T>
where
    C: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Builder::new().compute(job)
}

/// A task to be spawned, with options.
///
/// # Examples
///
/// ```
/// use weftline::task;
///
/// weftline::run(async {
///     let handle = task::Builder::new()
///         .name("early bird")
///         .eager(true)
///         .spawn(async { "no need to wait" });
///     assert!(handle.is_finished());
/// });
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it spawns"]
pub struct Builder {
    /// What few tasks have; allocated only where asked for.
    extra: Option<Box<Extra>>,
    /// The context it begins with; `None` for its spawner's.
    context: Option<context::Context>,
    /// When it is polled first.
    start: Start,
    /// Whether it takes nothing over from its spawner, as a task that serves all.
    inherits_nothing: bool,
}

impl Builder {
    /// A task without name that is queued as usual.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the task a name, for reports and [`Task::name`](super::Task::name).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let extra = self.extra.get_or_insert_default();
        extra.name = Some(name.into().into_boxed_str());
        self
    }

    /// Gives the task a copy of that context to begin with, instead of one of its spawner's.
    pub fn context(mut self, context: context::Context) -> Self {
        self.context = Some(context);
        self
    }

    /// Whether the task is polled once before `spawn` returns, on the calling thread: a task that
    /// need not wait for anything is then never queued. As asyncio's eager tasks.
    pub fn eager(mut self, eager: bool) -> Self {
        self.start = if eager { Start::AtOnce } else { Start::Soon };
        self
    }

    /// The task has no parent and an empty context, and is in no span.
    pub(crate) fn inherit_nothing(mut self) -> Self {
        self.inherits_nothing = true;
        self
    }

    /// As [`spawn`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime, and in a forked child process.
    #[track_caller]
    #[inline]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_for(Location::caller(), future)
    }

    /// As [`spawn`], on behalf of whoever stands at the given place.
    #[inline]
    pub(crate) fn spawn_for<F>(self, at: CallSite, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // SAFETY: `Send` future and output: any worker may run it.
        unsafe { self.start(at, current_roster("spawn"), Home::ANY, future) }
    }

    /// As [`spawn`], in the given roster.
    #[track_caller]
    #[inline]
    pub(crate) fn spawn_in<F>(self, roster: &Arc<Roster>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let at = Location::caller();
        // SAFETY: `Send` future and output: any worker may run it.
        unsafe { self.start(at, roster.clone(), Home::ANY, future) }
    }

    /// As [`spawn_local`].
    ///
    /// # Panics
    ///
    /// Elsewhere than on a worker.
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let at = Location::caller();
        let roster = current_roster("spawn_local");
        let Some(home) = roster.here() else {
            panic!(
                "`spawn_local` was called on a thread that is not a worker: use `spawn_pinned`, \
                 which chooses one"
            );
        };
        // SAFETY: the task stays on the calling thread: `home` is this worker.
        unsafe { self.start(at, roster, home, future) }
    }

    /// As [`spawn_pinned`]. [`eager`](Self::eager) has no effect.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn_pinned<C, F>(mut self, make: C) -> JoinHandle<F::Output>
    where
        C: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        self.start = Start::Soon;
        let at = Location::caller();
        let roster = current_roster("spawn_pinned");
        let home = roster.choose();
        // SAFETY: until its first poll the future holds only `make`, which is `Send`; from then on
        // it stays on the worker `home`. The output is `Send`.
        unsafe { self.start(at, roster, home, async move { make().await }) }
    }

    /// As [`compute`]. [`eager`](Self::eager) has no effect.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, and in a forked child process.
    #[track_caller]
    pub fn compute<C, T>(self, job: C) -> JoinHandle<T>
    where
        C: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.compute_in(&current_roster("compute"), job)
    }

    /// As [`compute`], in the given roster.
    #[track_caller]
    pub(crate) fn compute_in<C, T>(self, roster: &Arc<Roster>, job: C) -> JoinHandle<T>
    where
        C: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let at = Location::caller();
        // SAFETY: closure and output are `Send`: any worker may call it.
        unsafe { self.start_call(at, roster.clone(), Home::ANY, job) }
    }

    /// As [`spawn_blocking`]. [`eager`](Self::eager) has no effect.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn_blocking<C, T>(self, job: C) -> JoinHandle<T>
    where
        C: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let at = Location::caller();
        // SAFETY: closure and output are `Send`.
        unsafe { self.start_call(at, current_roster("spawn_blocking"), Home::BLOCKING, job) }
    }

    /// As [`spawn_blocking`], in the given roster.
    #[track_caller]
    pub(crate) fn spawn_blocking_in<C, T>(self, roster: &Arc<Roster>, job: C) -> JoinHandle<T>
    where
        C: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let at = Location::caller();
        // SAFETY: closure and output are `Send`.
        unsafe { self.start_call(at, roster.clone(), Home::BLOCKING, job) }
    }

    /// A task that is one call.
    ///
    /// # Safety
    ///
    /// As [`Builder::start`]; the closure may also be dropped on any worker.
    unsafe fn start_call<C, T>(
        mut self,
        spawned_at: CallSite,
        roster: Arc<Roster>,
        home: Home,
        job: C,
    ) -> JoinHandle<T>
    where
        C: FnOnce() -> T + 'static,
        T: 'static,
    {
        self.start = Start::Call;
        let future = OneCall { call: Some(job) };
        // SAFETY: passed on.
        unsafe { self.start(spawned_at, roster, home, future) }
    }

    /// # Safety
    ///
    /// The future and its output may go wherever `home` allows.
    #[inline]
    unsafe fn start<F>(
        self,
        spawned_at: CallSite,
        roster: Arc<Roster>,
        home: Home,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let (parent, extra) = if self.inherits_nothing {
            (None, self.extra)
        } else {
            (Surroundings::of_spawner().id, Extra::inherit(self.extra, self.context))
        };
        let birth = Birth { extra, parent, spawned_at, home, start: self.start };
        // SAFETY: passed on.
        unsafe { birth.launch(roster, future) }
    }
}

/// What is known of a task before it is one.
struct Birth {
    /// What it has beside its header.
    extra: Option<Box<Extra>>,
    /// Which task spawns it.
    parent: Option<Id>,
    /// Where in the program.
    spawned_at: CallSite,
    /// Where it may run.
    home: Home,
    /// When it is polled first.
    start: Start,
}

/// When a new task is polled first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Start {
    /// When its turn in a queue comes.
    #[default]
    Soon,
    /// Now, inside of its spawner.
    AtOnce,
    /// When its turn comes among others that are one call, and take long.
    Call,
}

impl Birth {
    /// # Safety
    ///
    /// The future and its output may go wherever `home` allows.
    #[inline]
    unsafe fn launch<F>(self, roster: Arc<Roster>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        roster.generation().assert_same_process();
        let start = self.start;
        let task = RawTask::new(future, |vtable| Header {
            vtable,
            state: State::new(),
            roster,
            id: Id::next(),
            parent: self.parent,
            spawned_at: self.spawned_at,
            extra: ExtraPlace::new(self.extra),
            slot: AtomicU32::new(0),
            home: self.home,
        });
        // SAFETY: new, of this type, and the only handle.
        let handle = unsafe { JoinHandle::new(task) };
        // SAFETY: the task is new and owned; its spawner is the first owner, and holds the handle.
        unsafe { enlist(task, start) };
        handle
    }
}

/// Lists a new task and queues it.
///
/// # Safety
///
/// The task is new, and nobody else knows it; the caller owns it, and gives that up, but holds the
/// join handle meanwhile.
unsafe fn enlist(task: RawTask, start: Start) {
    // SAFETY: the handle's reference keeps the task alive, also once it is queued.
    let header = unsafe { task.header() };
    // SAFETY: passed on.
    let admission = unsafe { header.roster.insert(task) };
    header.roster.task_spawned(task);
    match admission {
        Admission::Open | Admission::Ending => {}
        Admission::Closing => {
            let cancel = header.state.cancel();
            debug_assert_eq!(cancel, Cancel::Noted, "the spawner owns a new task");
        }
        // SAFETY: owned, never polled, given up.
        Admission::Closed => return unsafe { harness::refuse(task) },
    }
    let (job, home, reason) = match start {
        // SAFETY: owned, and given up.
        Start::AtOnce => return unsafe { harness::run_eagerly(task) },
        // SAFETY: owned, and given up to the job.
        Start::Soon => (unsafe { task.job() }, header.home, Reason::Spawned),
        Start::Call => {
            let is_cancelled = header.state.become_call();
            // SAFETY: the handle's reference outlives this.
            let job = unsafe { harness::call_job(task) };
            // What is only dropped waits for no others.
            let turn = if is_cancelled { Reason::Woken } else { Reason::Computes };
            (job, if is_cancelled { Home::ANY } else { header.home }, turn)
        }
    };
    header.roster.schedule(job, home, reason);
}

/// A closure as a future that is ready at its first poll.
struct OneCall<C> {
    /// The closure, until it is called.
    call: Option<C>,
}

impl<C> Unpin for OneCall<C> {}

impl<C: FnOnce() -> T, T> Future for OneCall<C> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let call = self.call.take().expect("a future that is ready is not polled");
        Poll::Ready(call())
    }
}
