//! The one allocation of a task: header, join waker, future or output.
//!
//! Only polling, dropping and taking the output know the future's type; everything else works on
//! the [`Header`]. What may be touched when is ruled by the state word (`docs/task.md`, "Who may
//! touch what"):
//!
//! 1. The *stage* belongs to whoever owns the task (`OWNED`), until `COMPLETE`.
//! 2. After `COMPLETE` the stage belongs to the join handle, or to the completer where there is
//!    none.
//! 3. The *join waker* belongs to the join handle while `JOIN_WAKER` is unset.
//! 4. With `JOIN_WAKER` set at completion it belongs to the completer, for good.
//! 5. The header is written before the first job and the first reference exist, and only read
//!    after; what changes in it is atomic.
//! 6. The allocation lives as long as the state word counts a reference; the runtime's reference
//!    lasts until completion, so a queued job needs none of its own (but those of one call have).

use super::error::Payload;
use super::extra::{CancelReason, ErrorFinder, ExtraPlace};
use super::roster::Roster;
use super::state::State;
use super::{Home, Id, JoinError};
use crate::job::{Job, JobHeader, JobVtable};
use crate::platform::UnsafeCell;
use crate::platform::atomic::AtomicU32;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// What every task begins with. `docs/task.md` says why each field earns its place.
#[repr(C)]
pub(crate) struct Header {
    /// How to run, poll and free what follows. First, so that a header is a `JobHeader`.
    pub(crate) vtable: &'static Vtable,
    /// The state word.
    pub(crate) state: State,
    /// The list that the task stands in, and the way to its queues.
    pub(crate) roster: Arc<Roster>,
    /// Its identity.
    pub(crate) id: Id,
    /// The task that spawned it.
    pub(crate) parent: Option<Id>,
    /// Where it was spawned.
    pub(crate) spawned_at: &'static Location<'static>,
    /// What few tasks have.
    pub(crate) extra: ExtraPlace,
    /// Its place in the roster; written when it is listed.
    pub(crate) slot: AtomicU32,
    /// Who may run it.
    pub(crate) home: Home,
}

/// The functions that know the future's type.
#[repr(C)]
pub(crate) struct Vtable {
    /// How to run it as a job; first, so that a vtable is a `JobVtable`.
    job: JobVtable,
    /// Polls the future. The caller owns the task (rule 1).
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> Polled,
    /// Drops the future and stores a cancellation; false: a panic, since dropping it panicked. The
    /// caller owns the task (rule 1).
    cancel: unsafe fn(NonNull<Header>, Option<CancelReason>) -> bool,
    /// Moves the output out. The caller has the stage (rule 2), and passes a place for a
    /// `Result<T, JoinError>` of the task's own `T`.
    take_output: unsafe fn(NonNull<Header>, NonNull<()>),
    /// Drops the output; gives back a panic that nobody read. The caller has the stage (rule 2).
    drop_output: unsafe fn(NonNull<Header>) -> Unread,
    /// Frees the allocation. The caller gave back the last reference (rule 6).
    free: unsafe fn(NonNull<Header>),
}

/// What a poll came to.
pub(crate) enum Polled {
    /// Not ready.
    Pending,
    /// The output, or the panic, is stored.
    Ready,
    /// As `Ready`; and dropping the future panicked, which no joiner will see.
    ReadyButDropPanicked(Payload),
}

/// What was found in an output that nobody took.
pub(crate) enum Unread {
    /// Nothing that anybody must know.
    Nothing,
    /// The task's panic.
    Panic(Payload),
    /// The task's error, as a text, where its spawner wants to hear of it.
    Error(Payload),
    /// Dropping the output panicked.
    DropPanicked(Payload),
}

/// What is left of the future.
enum Stage<F: Future> {
    /// The future.
    Running(F),
    /// Its output.
    Finished(Result<F::Output, JoinError>),
    /// Nothing: the output was taken or dropped.
    Consumed,
}

/// The allocation.
#[repr(C)]
struct Cell<F: Future> {
    header: Header,
    /// Whom to wake at completion (rules 3 and 4).
    join_waker: UnsafeCell<Option<Waker>>,
    /// The future or its output (rules 1 and 2).
    stage: UnsafeCell<Stage<F>>,
}

/// The part of a [`Cell`] whose place does not depend on the future.
#[repr(C)]
struct CellPrefix {
    header: Header,
    join_waker: UnsafeCell<Option<Waker>>,
}

/// A pointer to a task, without a reference. Copies are cheap and prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawTask(NonNull<Header>);

// SAFETY: a task may be reached from any thread; what may be touched there is ruled by the state
// word (rules 1 to 6).
unsafe impl Send for RawTask {}
// SAFETY: as above.
unsafe impl Sync for RawTask {}

impl RawTask {
    /// Allocates a task.
    pub(crate) fn new<F: Future>(
        future: F,
        header: impl FnOnce(&'static Vtable) -> Header,
    ) -> Self {
        let vtable = vtable_of::<F>();
        let cell = Box::new(Cell {
            header: header(vtable),
            join_waker: UnsafeCell::new(None),
            stage: UnsafeCell::new(Stage::Running(future)),
        });
        Self(NonNull::from(Box::leak(cell)).cast())
    }

    /// The task a job pointer belongs to.
    ///
    /// # Safety
    ///
    /// `job` was made by [`RawTask::job`].
    pub(crate) unsafe fn from_job(job: NonNull<JobHeader>) -> Self {
        Self(job.cast())
    }

    /// The task behind a waker's data.
    ///
    /// # Safety
    ///
    /// `data` came from [`RawTask::into_data`].
    pub(crate) unsafe fn from_data(data: *const ()) -> Self {
        // SAFETY: `into_data` gave a non-null pointer.
        Self(unsafe { NonNull::new_unchecked(data.cast_mut().cast()) })
    }

    /// The pointer as a waker's data.
    pub(crate) fn into_data(self) -> *const () {
        self.0.as_ptr().cast_const().cast()
    }

    /// A job that runs the task.
    ///
    /// # Safety
    ///
    /// The caller owns the task (`OWNED`), and gives that up to the job; or the task is one call, and the
    /// caller has a reference, which it gives up to the job.
    pub(crate) unsafe fn job(self) -> Job {
        // SAFETY: 1. the runtime's reference keeps an owned task alive (rule 6), or the job's own does.
        // 2. owning it is the right to run it once; `Home` keeps a pinned one on its worker. The jobs
        // of one call agree on who runs it (`State::claim`).
        unsafe { Job::new(self.0.cast()) }
    }

    /// What tells its jobs from those of other living tasks.
    pub(super) fn address(self) -> usize {
        self.0.as_ptr().addr()
    }

    /// The header.
    ///
    /// # Safety
    ///
    /// The task has a reference that outlives `'a` (rule 6).
    #[inline]
    pub(crate) unsafe fn header<'a>(self) -> &'a Header {
        // SAFETY: alive by the caller's promise, never written (rule 5).
        unsafe { self.0.as_ref() }
    }

    /// Polls the future.
    ///
    /// # Safety
    ///
    /// The caller owns the task (rule 1), and it is not complete.
    #[inline]
    pub(crate) unsafe fn poll(self, cx: &mut Context<'_>) -> Polled {
        // SAFETY: an owned task is alive (rule 6).
        let poll = unsafe { self.header() }.vtable.poll;
        // SAFETY: passed on.
        unsafe { poll(self.0, cx) }
    }

    /// Drops the future and stores a cancellation; false: a panic, since dropping it panicked.
    ///
    /// # Safety
    ///
    /// The caller owns the task (rule 1), and it is not complete.
    pub(crate) unsafe fn cancel(self, reason: Option<CancelReason>) -> bool {
        // SAFETY: an owned task is alive (rule 6).
        let cancel = unsafe { self.header() }.vtable.cancel;
        // SAFETY: passed on.
        unsafe { cancel(self.0, reason) }
    }

    /// Moves the output out.
    ///
    /// # Safety
    ///
    /// The caller has the stage (rule 2), holds a reference, has not called this before, and `T`
    /// is the output of the task's future.
    pub(crate) unsafe fn take_output<T>(self) -> Result<T, JoinError> {
        let mut place = std::mem::MaybeUninit::<Result<T, JoinError>>::uninit();
        // SAFETY: the caller holds a reference (rule 6).
        let take = unsafe { self.header() }.vtable.take_output;
        // SAFETY: passed on; the place has the right type.
        unsafe { take(self.0, NonNull::from(&mut place).cast()) };
        // SAFETY: `take_output` has written it.
        unsafe { place.assume_init() }
    }

    /// Drops the output, and gives back a panic that nobody read.
    ///
    /// # Safety
    ///
    /// The caller has the stage (rule 2) and holds a reference.
    pub(crate) unsafe fn drop_output(self) -> Unread {
        // SAFETY: the caller holds a reference (rule 6).
        let drop_output = unsafe { self.header() }.vtable.drop_output;
        // SAFETY: passed on.
        unsafe { drop_output(self.0) }
    }

    /// Reads or writes the join waker.
    ///
    /// # Safety
    ///
    /// The field is the caller's (rules 3 and 4), who holds a reference, and `change` does not
    /// come back to it.
    pub(crate) unsafe fn join_waker<R>(self, change: impl FnOnce(&mut Option<Waker>) -> R) -> R {
        let prefix: NonNull<CellPrefix> = self.0.cast();
        // SAFETY: a `Cell` begins with a `CellPrefix` (both `repr(C)`), and is alive (rule 6).
        let prefix = unsafe { prefix.as_ref() };
        prefix.join_waker.with_mut(|waker| {
            // SAFETY: exclusive by the caller's promise.
            change(unsafe { &mut *waker })
        })
    }

    /// One reference more.
    ///
    /// # Safety
    ///
    /// The task has a reference that outlives the call.
    #[inline]
    pub(crate) unsafe fn retain(self) {
        // SAFETY: passed on.
        unsafe { self.header() }.state.retain();
    }

    /// One reference less; the last one frees the task.
    ///
    /// # Safety
    ///
    /// The caller has a reference, and gives it up.
    #[inline]
    pub(crate) unsafe fn release(self) {
        // SAFETY: the caller has a reference until it is released.
        if unsafe { self.header() }.state.release() {
            // SAFETY: that was the last reference.
            unsafe { self.free() }
        }
    }

    /// Frees the task.
    ///
    /// # Safety
    ///
    /// The caller has given up the last reference.
    pub(super) unsafe fn free(self) {
        // SAFETY: the allocation lasts until the call below, which is the caller's alone to make.
        let free = unsafe { self.header() }.vtable.free;
        // SAFETY: passed on.
        unsafe { free(self.0) }
    }
}

/// The vtable of tasks whose future is an `F`.
fn vtable_of<F: Future>() -> &'static Vtable {
    struct Of<F>(std::marker::PhantomData<F>);
    impl<F: Future> Of<F> {
        const VTABLE: &'static Vtable = &Vtable {
            job: JobVtable { run: super::harness::run, discard: super::harness::discard },
            poll: poll::<F>,
            cancel: cancel::<F>,
            take_output: take_output::<F>,
            drop_output: drop_output::<F>,
            free: free::<F>,
        };
    }
    Of::<F>::VTABLE
}

/// Lends the stage.
///
/// # Safety
///
/// `task` is a `Cell<F>`, alive, and its stage is the caller's (rules 1 and 2).
#[inline]
unsafe fn with_stage<F: Future, R>(
    task: NonNull<Header>,
    change: impl FnOnce(*mut Stage<F>) -> R,
) -> R {
    let cell: NonNull<Cell<F>> = task.cast();
    // SAFETY: alive and of this type by the caller's promise.
    unsafe { cell.as_ref() }.stage.with_mut(change)
}

/// Replaces the stage; the old one is dropped in place, since a future does not move.
///
/// # Safety
///
/// `stage` is valid and the caller's.
unsafe fn replace<F: Future>(stage: *mut Stage<F>, next: Stage<F>) -> Result<(), Payload> {
    let dropped = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the content is valid; it is overwritten below whether or not this unwinds.
        unsafe { std::ptr::drop_in_place(stage) }
    }));
    // SAFETY: valid for writes; the old content is gone.
    unsafe { std::ptr::write(stage, next) };
    dropped
}

unsafe fn poll<F: Future>(task: NonNull<Header>, cx: &mut Context<'_>) -> Polled {
    let poll_future = |stage: *mut Stage<F>| {
        // SAFETY: the caller owns the task (rule 1).
        let Stage::Running(future) = (unsafe { &mut *stage }) else {
            unreachable!("a complete task is not polled");
        };
        // SAFETY: the future stays in its allocation until it is dropped in place.
        let future = unsafe { Pin::new_unchecked(future) };
        // SAFETY: the header is alive, and never written (rule 5).
        let header = unsafe { task.as_ref() };
        let output = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return Polled::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(JoinError::panicked(header.id, header.name(), payload)),
        };
        // SAFETY: the stage is the caller's.
        match unsafe { replace(stage, Stage::Finished(output)) } {
            Ok(()) => Polled::Ready,
            Err(payload) => Polled::ReadyButDropPanicked(payload),
        }
    };
    // SAFETY: the vtable's contract: the caller owns the task, whose future is an `F`.
    unsafe { with_stage::<F, _>(task, poll_future) }
}

unsafe fn cancel<F: Future>(task: NonNull<Header>, reason: Option<CancelReason>) -> bool {
    // SAFETY: the header is alive, and never written (rule 5).
    let header = unsafe { task.as_ref() };
    let (id, name) = (header.id, header.name());
    let drop_future = |stage: *mut Stage<F>| {
        // SAFETY: the caller owns the task (rule 1).
        let dropped = unsafe { replace(stage, Stage::Consumed) };
        let error = match dropped {
            Ok(()) => JoinError::cancelled(id, name, reason),
            Err(payload) => JoinError::panicked(id, name, payload),
        };
        let cancelled = error.is_cancelled();
        // SAFETY: as above; `Consumed` needs no drop.
        unsafe { std::ptr::write(stage, Stage::Finished(Err(error))) };
        cancelled
    };
    // SAFETY: the vtable's contract.
    unsafe { with_stage::<F, _>(task, drop_future) }
}

unsafe fn take_output<F: Future>(task: NonNull<Header>, place: NonNull<()>) {
    let take = |stage: *mut Stage<F>| {
        // SAFETY: the caller has the stage (rule 2). What is moved out is overwritten here.
        let stage = unsafe { std::ptr::replace(stage, Stage::Consumed) };
        let Stage::Finished(output) = stage else {
            unreachable!("the output is taken once, after completion");
        };
        // SAFETY: the vtable's contract: the place is for this type.
        unsafe { place.cast::<Result<F::Output, JoinError>>().write(output) };
    };
    // SAFETY: the vtable's contract.
    unsafe { with_stage::<F, _>(task, take) }
}

unsafe fn drop_output<F: Future>(task: NonNull<Header>) -> Unread {
    // SAFETY: the caller holds a reference, and the header is never written (rule 5).
    let extra = unsafe { task.as_ref() }.extra.get();
    let error = match extra.and_then(|extra| extra.error_finder.get()) {
        // SAFETY: passed on; `JoinHandle::report_error` made the finder for this output's type.
        Some(find) => unsafe { find_error::<F>(task, *find) },
        None => Unread::Nothing,
    };
    let drop_it = |stage: *mut Stage<F>| {
        // SAFETY: the caller has the stage (rule 2), which is valid.
        if let Stage::Finished(Err(_)) = unsafe { &*stage } {
            // SAFETY: as above. A finished stage holds no pinned future.
            let stage = unsafe { std::ptr::replace(stage, Stage::Consumed) };
            let Stage::Finished(Err(error)) = stage else { unreachable!("it was looked at") };
            return error.into_panic().map_or(Unread::Nothing, Unread::Panic);
        }
        // SAFETY: as above.
        let dropped = unsafe { replace(stage, Stage::Consumed) };
        dropped.map_or_else(Unread::DropPanicked, |()| error)
    };
    // SAFETY: the vtable's contract.
    unsafe { with_stage::<F, _>(task, drop_it) }
}

/// What a task's output says of an error.
///
/// # Safety
///
/// As for [`drop_output`], and `find` was made for the type of the output.
#[cold]
unsafe fn find_error<F: Future>(task: NonNull<Header>, find: ErrorFinder) -> Unread {
    let look = |stage: *mut Stage<F>| {
        // SAFETY: the caller has the stage (rule 2), which is valid.
        let Stage::Finished(Ok(output)) = (unsafe { &*stage }) else { return Unread::Nothing };
        let output = NonNull::from(output).cast();
        // What it says is foreign code.
        // SAFETY: of the finder's type by the caller's promise.
        let found = catch_unwind(AssertUnwindSafe(|| unsafe { find(output) }));
        match found {
            Ok(Some(error)) => Unread::Error(Box::new(error)),
            Ok(None) => Unread::Nothing,
            Err(payload) => Unread::DropPanicked(payload),
        }
    };
    // SAFETY: passed on.
    unsafe { with_stage::<F, _>(task, look) }
}

unsafe fn free<F: Future>(task: NonNull<Header>) {
    let cell: NonNull<Cell<F>> = task.cast();
    // SAFETY: made by `Box::leak` in `RawTask::new`; the last reference is gone (rule 6).
    drop(unsafe { Box::from_raw(cell.as_ptr()) });
}

/// A waker that borrows the caller's reference instead of having one.
pub(crate) type BorrowedWaker = ManuallyDrop<Waker>;
