//! What is done with a task: the state word decides (`state.rs`), this file acts.

use super::bells::AfterPoll;
use super::current::{CurrentTask, Marks};
use super::extra::{CancelReason, Extra};
use super::hooks::{Unhandled, UnhandledKind};
use super::raw::{Header, Polled, RawTask, Unread};
use super::roster::Reason;
use super::state::{
    Cancel, Claim, Complete, DropHandle, FinishPoll, LastWake, StartPoll, Suspension,
};
use super::{Home, JoinError, bells, budget, driven, waker};
use crate::job::{Job, JobHeader};
use crate::platform::atomic::Ordering;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::task::{Context, Waker};

/// Runs a task that was queued: one poll and what follows from it.
///
/// # Safety
///
/// `job` was made by `RawTask::job`, and this is its one run.
pub(crate) unsafe fn run(job: NonNull<JobHeader>) {
    // SAFETY: passed on.
    let task = unsafe { RawTask::from_job(job) };
    // SAFETY: passed on.
    unsafe { run_here(task) };
}

/// As [`run`], without a job.
///
/// # Safety
///
/// The caller owns the task, may run it on this thread, and gives it up.
#[inline]
pub(crate) unsafe fn run_here(task: RawTask) {
    // SAFETY: an owned task is alive (rule 6) until `finish` or `complete` below.
    let header = unsafe { task.header() };
    match header.state.start_poll() {
        // SAFETY: owned, not complete.
        StartPoll::NeverStarted | StartPoll::Abort => unsafe { end(task) },
        // SAFETY: owned, not complete, and a poll has begun.
        StartPoll::Poll => unsafe { poll(task, false, Reason::Again) },
        // SAFETY: as above.
        StartPoll::PollCancelled => unsafe { poll(task, true, Reason::Again) },
        // SAFETY: passed on; whoever runs such a task has a job.
        StartPoll::Call => unsafe { call(task) },
    }
}

/// Runs a task that is one call, unless another of its jobs has begun.
///
/// # Safety
///
/// The caller is a job of the task, and gives its reference up.
unsafe fn call(task: RawTask) {
    // SAFETY: the job has a reference.
    match unsafe { task.header() }.state.claim() {
        // SAFETY: claimed, not complete, and a poll has begun.
        Claim::Call => unsafe { poll(task, false, Reason::Again) },
        // SAFETY: claimed, not complete.
        Claim::Drop => unsafe { end(task) },
        Claim::Taken => {}
    }
    // SAFETY: the job's reference.
    unsafe { task.release() };
}

/// Ends a task whose worker is gone. One that has begun may hold what only that worker could drop:
/// it is left as it is. (It takes a wake-up that was under way while the whole grace passed.)
///
/// # Safety
///
/// `job` was made by `RawTask::job`, and this is called instead of its one run.
pub(crate) unsafe fn discard(job: NonNull<JobHeader>) {
    // SAFETY: passed on.
    let task = unsafe { RawTask::from_job(job) };
    // SAFETY: the job owns the task, or has a reference, so it is alive (rule 6).
    let header = unsafe { task.header() };
    match header.state.start_poll() {
        // SAFETY: owned, never polled: what it holds may go anywhere (`Builder::spawn_pinned`; one
        // of `Builder::spawn_local` is queued by its own worker first).
        StartPoll::NeverStarted => unsafe { end(task) },
        StartPoll::Call => {
            if header.state.claim() == Claim::Drop {
                // SAFETY: claimed, not complete.
                unsafe { end(task) };
            }
            // SAFETY: the job's reference.
            unsafe { task.release() };
        }
        StartPoll::Poll | StartPoll::PollCancelled | StartPoll::Abort => {}
    }
}

/// Runs a new task at once, inside of its spawner.
///
/// # Safety
///
/// The caller owns the task, and gives it up.
pub(crate) unsafe fn run_eagerly(task: RawTask) {
    // SAFETY: an owned task is alive (rule 6).
    let header = unsafe { task.header() };
    match header.state.start_poll() {
        // SAFETY: owned, never polled, given up.
        StartPoll::NeverStarted | StartPoll::Abort => unsafe { refuse(task) },
        // SAFETY: owned, not complete, and a poll has begun. (No request can be there already: one
        // that is there before the first poll is `NeverStarted`.)
        StartPoll::Poll | StartPoll::PollCancelled => unsafe {
            poll(task, false, Reason::AgainLater);
        },
        StartPoll::Call => unreachable!("a call is never run eagerly"),
    }
}

/// # Safety
///
/// The caller owns the task, has begun a poll, and gives the task up. `deliver`: a request to
/// cancel waits for the next suspension.
#[inline]
unsafe fn poll(task: RawTask, deliver: bool, again: Reason) {
    // SAFETY: an owned task is alive (rule 6).
    let header = unsafe { task.header() };
    if deliver {
        ring(task, header);
    }
    let (polled, left) = {
        let current = CurrentTask::enter(task, deliver);
        let _slice = budget::Slice::begin();
        header.roster.before_poll(task);
        // SAFETY: the runtime's reference outlives the poll.
        let waker = unsafe { waker::borrowed(task) };
        // SAFETY: owned, not complete.
        let polled = unsafe { task.poll(&mut Context::from_waker(&waker)) };
        header.roster.after_poll(task);
        (polled, current.left())
    };
    match polled {
        // SAFETY: still owned.
        Polled::Pending => unsafe { finish(task, left, again) },
        // SAFETY: still owned, and the output is stored.
        Polled::Ready => unsafe { complete(task, false) },
        Polled::ReadyButDropPanicked(payload) => {
            report(task, UnhandledKind::DropPanicked, payload);
            // SAFETY: as above.
            unsafe { complete(task, false) };
        }
    }
}

/// A request is to be delivered: those regions that are polled only when they were woken are woken.
#[cold]
fn ring(task: RawTask, header: &Header) {
    let wakers = header.extra.get().map(|extra| bells::ring(&extra.bells, extra.request()));
    wakers.into_iter().flatten().for_each(|waker| wake_foreign(task, Some(waker)));
}

/// Where a poll has left the request that is there now.
#[cold]
fn suspension(header: &Header, left: Marks) -> Suspension {
    let Some(extra) = header.extra.get() else { return left.suspension() };
    match left.suspension() {
        Suspension::Open => match bells::after_poll(&extra.bells, header.state.is_notified()) {
            AfterPoll::Take => Suspension::Open,
            AfterPoll::Again => Suspension::Unasked,
            AfterPoll::Held => Suspension::Held,
        },
        other => other,
    }
}

/// # Safety
///
/// The caller owns the task, whose poll was pending, and gives the task up.
#[inline]
unsafe fn finish(task: RawTask, left: Marks, again: Reason) {
    // SAFETY: an owned task is alive (rule 6).
    let header = unsafe { task.header() };
    match header.state.finish_poll(|| suspension(header, left)) {
        // From here on the task may be gone.
        FinishPoll::Idle => {}
        FinishPoll::Again => {
            // The task may be run, ended and freed elsewhere before `schedule` returns. The roster
            // outlives it all the same: who runs jobs is a thread of the runtime, which keeps its
            // rosters, or the spawner of an eager task, which keeps the task. (Whoever drains a
            // stopped scheduler runs cancelled tasks, which never come here.)
            // SAFETY: still owned.
            unsafe { queue(task, again) };
        }
        FinishPoll::Cancelled => {
            // SAFETY: still owned, not complete.
            unsafe { end(task) };
        }
    }
}

/// Ends a cancelled task: drops its future, and what follows.
///
/// # Safety
///
/// The caller owns the task, which is not complete, and gives it up.
unsafe fn end(task: RawTask) {
    // SAFETY: an owned task is alive (rule 6).
    let reason = unsafe { task.header() }.cancel_reason();
    let cancelled = {
        let _current = CurrentTask::enter(task, false);
        // SAFETY: owned, not complete.
        unsafe { task.cancel(reason) }
    };
    // SAFETY: as above; the stage is finished.
    unsafe { complete(task, cancelled) };
}

/// Ends a task whose stage is finished: with a cancellation, if `cancelled`.
///
/// # Safety
///
/// The caller owns the task, and gives it up together with the runtime's reference.
unsafe fn complete(task: RawTask, cancelled: bool) {
    // SAFETY: an owned task is alive (rule 6).
    let header = unsafe { task.header() };
    header.roster.task_ended(task);
    // Before the joiner can know: a task that was joined is in no list.
    // Relaxed: written before the first job existed, whose way through a queue orders it.
    header.roster.remove(header.slot.load(Ordering::Relaxed));
    match header.state.complete(cancelled) {
        // From here on the task may be gone.
        Complete::Released => {}
        Complete::WakeJoiner => {
            // SAFETY: rule 4; the runtime's reference is still ours.
            let waker = unsafe { task.join_waker(Option::take) };
            wake_foreign(task, waker);
            // SAFETY: the runtime's reference, given up.
            unsafe { task.release() };
        }
        Complete::Unread => {
            // SAFETY: rule 2: there is no join handle.
            drop_unread(task, unsafe { task.drop_output() });
            drop_surroundings(task);
            // SAFETY: the runtime's reference, given up.
            unsafe { task.release() };
        }
    }
}

/// Wakes whoever waits; a waker is foreign code and may panic.
fn wake_foreign(task: RawTask, waker: Option<Waker>) {
    let Some(waker) = waker else { return };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        report(task, UnhandledKind::WakerPanicked, payload);
    }
}

fn drop_unread(task: RawTask, unread: Unread) {
    match unread {
        Unread::Nothing => {}
        Unread::Error(text) => report(task, UnhandledKind::TaskFailed, text),
        Unread::Panic(payload) => report(task, UnhandledKind::TaskPanicked, payload),
        Unread::DropPanicked(payload) => report(task, UnhandledKind::DropPanicked, payload),
    }
}

/// Drops what a task has around it but its future, once there is nothing left to report of it. To be
/// called by whoever has the stage of the complete task (rule 2), as the last one who touches it.
#[inline]
fn drop_surroundings(task: RawTask) {
    // SAFETY: all callers hold a reference to the task.
    let header = unsafe { task.header() };
    if let Some(extra) = header.extra.get() {
        empty_extra(task, extra);
    }
}

#[cold]
fn empty_extra(task: RawTask, extra: &Extra) {
    let context = std::mem::take(&mut *extra.context.lock());
    let (span, awaiting) = (extra.span.take(), extra.take_awaiting());
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop((context, span, awaiting)))) {
        report(task, UnhandledKind::DropPanicked, payload);
    }
}

/// Reports a panic that no joiner can be given. The hook sees what the task's variables are.
#[cold]
fn report(task: RawTask, kind: UnhandledKind, payload: super::error::Payload) {
    // SAFETY: all callers hold a reference to the task.
    let header = unsafe { task.header() };
    let unhandled = Unhandled::new(kind, Some(header), payload);
    header.context().run(|| header.roster.unhandled(unhandled));
}

/// Wakes a task.
///
/// # Safety
///
/// The caller holds a reference.
#[inline]
pub(crate) unsafe fn wake(task: RawTask) {
    // SAFETY: passed on.
    let header = unsafe { task.header() };
    if header.state.wake() {
        // SAFETY: `wake` made the caller the owner.
        unsafe { queue(task, Reason::Woken) };
    }
}

/// Wakes a task, and gives a reference back.
///
/// # Safety
///
/// The caller has a reference, and gives it up.
#[inline]
pub(crate) unsafe fn wake_and_release(task: RawTask) {
    // SAFETY: the caller has a reference.
    let header = unsafe { task.header() };
    // The task may be run, ended and freed elsewhere before `schedule` returns, so that somebody else
    // must keep the roster until then. A worker does: it keeps all rosters of its runtime.
    if header.roster.here().is_none() {
        // SAFETY: the caller has a reference.
        unsafe { wake(task) };
        // SAFETY: passed on.
        return unsafe { task.release() };
    }
    match header.state.wake_and_release() {
        // SAFETY: the caller became the owner, and the roster is kept.
        LastWake::Queue => unsafe { queue(task, Reason::Woken) },
        LastWake::Noted => {}
        // SAFETY: that was the last reference.
        LastWake::Free => unsafe { task.free() },
    }
}

/// Queues a task: for the workers, or for the thread that drives it.
///
/// # Safety
///
/// The caller owns the task, and gives it up. It holds a reference, or the roster is kept otherwise.
#[inline]
unsafe fn queue(task: RawTask, reason: Reason) {
    // SAFETY: an owned task is alive (rule 6), until it is queued below.
    let header = unsafe { task.header() };
    if header.home == Home::CALLER {
        return driven::thread_of(header).run_soon();
    }
    // SAFETY: passed on.
    let job = unsafe { task.job() };
    header.roster.schedule(job, header.home, reason);
}

/// Asks a task to end. False: it has ended.
///
/// # Safety
///
/// The caller holds a reference.
pub(crate) unsafe fn cancel(task: RawTask, reason: Option<CancelReason>) -> bool {
    // SAFETY: passed on.
    let header = unsafe { task.header() };
    if header.state.load().is_complete() {
        return false;
    }
    let cancel = header.extra.get_or_make().cancel(&header.state, reason);
    // SAFETY: passed on.
    unsafe { queue_cancelled(task, cancel) }
}

/// Ends a task before its next poll, whatever it does in answer to requests. False: it has ended.
///
/// # Safety
///
/// The caller holds a reference.
pub(crate) unsafe fn abort(task: RawTask) -> bool {
    // SAFETY: passed on.
    let cancel = unsafe { task.header() }.state.abort();
    // SAFETY: passed on.
    unsafe { queue_cancelled(task, cancel) }
}

/// # Safety
///
/// The caller holds a reference, and `cancel` is what its request came to.
unsafe fn queue_cancelled(task: RawTask, cancel: Cancel) -> bool {
    match cancel {
        // SAFETY: the request made the caller the owner.
        Cancel::Queue => unsafe { queue(task, Reason::Woken) },
        Cancel::Hasten => {
            // SAFETY: the caller holds a reference.
            let header = unsafe { task.header() };
            // SAFETY: as above; only what is one call is hastened.
            let job = unsafe { call_job(task) };
            header.roster.schedule(job, Home::ANY, Reason::Woken);
        }
        Cancel::Noted | Cancel::TooLate => {}
    }
    cancel != Cancel::TooLate
}

/// A job of a task that is one call, with a reference.
///
/// # Safety
///
/// The task is one call, and has a reference that outlives the call of this.
pub(crate) unsafe fn call_job(task: RawTask) -> Job {
    // SAFETY: passed on.
    unsafe { task.retain() };
    // SAFETY: passed on; the reference keeps it alive.
    unsafe { task.job() }
}

/// How many refused tasks end inside of each other on one thread: a destructor that spawns may wait
/// for what it has spawned, but must not fill the stack.
const MAX_NESTED_REFUSALS: u32 = 16;
/// How many refused tasks that were put off are ended for the sake of one. More come only from a
/// destructor that spawns itself again for ever; the rest is left listed as not ended.
const MAX_PUT_OFF: u32 = 1024;

/// What one thread refuses.
struct Refusals {
    /// How many refused tasks it is ending just now, one inside of the other.
    nested: Cell<u32>,
    /// Those that are put off until the outermost one has ended.
    put_off: RefCell<Vec<RawTask>>,
}

thread_local! {
    static REFUSALS: Refusals =
        const { Refusals { nested: Cell::new(0), put_off: RefCell::new(Vec::new()) } };
}

/// Ends a task that no queue will take any more, at once, or shortly where destructors of such tasks
/// spawn others.
///
/// # Safety
///
/// The caller owns the task, and gives it up; it was never polled.
pub(crate) unsafe fn refuse(task: RawTask) {
    let nested = REFUSALS.try_with(|refusals| {
        let nested = refusals.nested.get();
        if nested == MAX_NESTED_REFUSALS {
            refusals.put_off.borrow_mut().push(task);
        } else {
            refusals.nested.set(nested + 1);
        }
        nested
    });
    if nested == Ok(MAX_NESTED_REFUSALS) {
        return;
    }
    // SAFETY: passed on.
    unsafe { end(task) };
    if nested == Ok(0) {
        for _ in 0..MAX_PUT_OFF {
            let next = REFUSALS.with(|refusals| refusals.put_off.borrow_mut().pop());
            let Some(next) = next else { break };
            // SAFETY: given up by the caller that put it off.
            unsafe { end(next) };
        }
        REFUSALS.with(|refusals| refusals.put_off.borrow_mut().clear());
    }
    // A thread that is ending may have no list any more, and had none before.
    let _ = REFUSALS.try_with(|refusals| refusals.nested.set(nested.unwrap_or(0)));
}

/// Gives up a join handle.
///
/// # Safety
///
/// The caller is the join handle, and uses the task no more. `taken`: it has taken the output.
pub(crate) unsafe fn drop_join_handle(task: RawTask, taken: bool) {
    // SAFETY: the join handle holds a reference.
    let header = unsafe { task.header() };
    match header.state.drop_join_handle() {
        // From here on the task may be gone.
        DropHandle::Released => return,
        DropHandle::DropWaker => {
            // SAFETY: rule 3: the transition gave the field back.
            let waker = unsafe { task.join_waker(Option::take) };
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(waker))) {
                report(task, UnhandledKind::WakerPanicked, payload);
            }
        }
        DropHandle::DropOutput => {
            if !taken {
                // SAFETY: rule 2: complete, and the handle has the stage.
                drop_unread(task, unsafe { task.drop_output() });
            }
            drop_surroundings(task);
        }
    }
    // SAFETY: the join handle's reference, given up.
    unsafe { task.release() };
}

/// Registers a waker for the task's completion. True: the task is complete, and the output may
/// be taken.
///
/// # Safety
///
/// The caller is the join handle.
pub(crate) unsafe fn poll_join(task: RawTask, waker: &Waker) -> bool {
    // SAFETY: the join handle holds a reference.
    let state = &unsafe { task.header() }.state;
    if state.load().is_complete() {
        return true;
    }
    if state.has_join_waker() && !state.take_back_join_waker() {
        return true;
    }
    // SAFETY: rule 3: the flag is unset, by `take_back_join_waker` or from the beginning.
    let fits =
        unsafe { task.join_waker(|field| field.as_ref().is_some_and(|old| old.will_wake(waker))) };
    if !fits {
        let fresh = Some(waker.clone());
        // SAFETY: as above.
        let old = unsafe { task.join_waker(|field| std::mem::replace(field, fresh)) };
        drop(old);
    }
    if state.set_join_waker() {
        return false;
    }
    // SAFETY: rule 3: the flag was unset at completion.
    drop(unsafe { task.join_waker(Option::take) });
    true
}

/// Takes the output of a complete task.
///
/// # Safety
///
/// The caller is the join handle, `poll_join` said true, the output was not taken before, and `T`
/// is its type.
pub(crate) unsafe fn take_output<T>(task: RawTask) -> Result<T, JoinError> {
    // SAFETY: passed on (rule 2).
    unsafe { task.take_output() }
}
