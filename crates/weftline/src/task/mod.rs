//! Tasks: futures that a runtime runs.
//!
//! [`spawn`](crate::spawn) gives a future to the runtime, which owns the task from then on: it
//! runs to its end whether or not anybody keeps the [`JoinHandle`]. A [`Task`] is a reference to
//! it, as [`std::thread::Thread`] is one to a thread.
//!
//! Inside: `raw.rs` is the allocation and the rules of who may touch what, `state.rs` decides,
//! `harness.rs` acts, `roster.rs` lists the living.

mod bells;
pub mod budget;
mod caught_panic;
pub mod context;
#[expect(unsafe_code, reason = "reads the header of the task that is being polled")]
mod current;
mod delivery;
#[expect(unsafe_code, reason = "the future of a `block_on` is a task on its caller's thread")]
mod driven;
mod error;
mod extra;
mod handle;
#[expect(unsafe_code, reason = "acts on tasks as the state word allows")]
mod harness;
#[expect(unsafe_code, reason = "hooks are given references to tasks")]
mod hooks;
mod id;
mod notes;
pub(crate) mod passing;
#[expect(unsafe_code, reason = "one allocation with a hand-written vtable")]
mod raw;
#[expect(unsafe_code, reason = "a poll reaches the regions around it through its stack")]
pub(crate) mod region;
#[cfg(test)]
mod region_tests;
#[expect(unsafe_code, reason = "lists tasks without holding references to them")]
mod roster;
mod shared;
mod slow;
mod span;
#[expect(unsafe_code, reason = "a new task is owned by its spawner")]
mod spawn;
mod state;
mod surroundings;
#[cfg(test)]
pub(crate) mod tests;
mod wait;
#[expect(unsafe_code, reason = "a `RawWaker` needs a hand-written vtable")]
mod waker;
mod waking;
mod yield_now;

pub use current::current;
pub use error::JoinError;
pub use handle::JoinHandle;
pub use hooks::{Unhandled, UnhandledKind};
pub use id::Id;
pub use shared::SharedHandle;
pub use slow::SlowPoll;
pub use spawn::{Builder, compute, spawn, spawn_blocking, spawn_local, spawn_pinned};
pub use yield_now::{YieldNow, yield_now};

pub(crate) use caught_panic::CaughtPanic;
pub(crate) use current::{Origin, assert_not_own, is_woken, outside_of_tasks};
pub(crate) use driven::block_on;
pub(crate) use error::Payload;
pub(crate) use extra::CancelReason;
pub(crate) use hooks::{Hooks, TaskHook};
pub(crate) use roster::{Admission, Reason, Roster, Schedule};
pub(crate) use spawn::EnteredRoster;
pub(crate) use surroundings::Surroundings;
pub(crate) use wait::{Cover, Pace, Paced, cover_waits, drive, is_blocking};
pub(crate) use waking::{guard_waker, wake_all};

/// Where in the program something was asked for.
pub(crate) type CallSite = &'static Location<'static>;

use context::Context;
use extra::Extra;
use raw::{Header, RawTask};
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

/// Who may run a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home(u32);

impl Home {
    /// Any worker.
    pub(crate) const ANY: Self = Self(0);
    /// A thread that may block.
    pub(crate) const BLOCKING: Self = Self(1);

    /// The thread that drives it.
    pub(crate) const CALLER: Self = Self(2);

    /// The worker of that index alone.
    pub(crate) fn worker(index: usize) -> Self {
        Self(u32::try_from(index).expect("there are fewer than 2^32 workers") + 3)
    }

    /// The one worker that may run it, if it is one.
    pub(crate) fn pinned_to(self) -> Option<usize> {
        self.0.checked_sub(3).map(|index| index as usize)
    }
}

/// What a task is doing, as seen from outside at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It waits for something that it awaits.
    Waiting,
    /// It is queued, or being run.
    Scheduled,
    /// It has ended.
    Finished,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Waiting => "waiting",
            Status::Scheduled => "queued or running",
            Status::Finished => "finished",
        })
    }
}

/// A reference to a task: its identity, its state, and a way to cancel it. Cheap to clone.
///
/// It keeps neither the task's future nor its output alive.
///
/// # Examples
///
/// ```
/// weftline::run(async {
///     let handle = weftline::task::Builder::new()
///         .name("answer")
///         .spawn(async { 42 });
///     let task = handle.task();
///     assert_eq!(task.name(), Some("answer"));
///     assert_eq!(handle.await.unwrap(), 42);
///     assert!(task.is_finished());
/// });
/// ```
pub struct Task(RawTask);

impl Task {
    /// A new reference.
    ///
    /// # Safety
    ///
    /// `task` has a reference that outlives the call.
    #[expect(unsafe_code, reason = "makes a reference from a pointer")]
    unsafe fn retained(task: RawTask) -> Self {
        // SAFETY: passed on.
        unsafe { task.retain() };
        Self(task)
    }

    /// Whether its future is one call of a closure.
    pub(crate) fn is_call(&self) -> bool {
        self.header().state.is_call()
    }

    #[expect(unsafe_code, reason = "reads the header")]
    fn header(&self) -> &Header {
        // SAFETY: a `Task` holds a reference.
        unsafe { self.0.header() }
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.header().id
    }

    /// The name that its spawner gave it, by [`Builder::name`].
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.header().name()
    }

    /// The place in the program that spawned it.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.header().spawned_at
    }

    /// The task that spawned it; `None` where no task did.
    #[must_use]
    pub fn parent(&self) -> Option<Id> {
        self.header().parent
    }

    /// What the task-local variables are for the task at this moment. Nothing is set any more once
    /// it has ended and its output was taken or dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::task_local! { static STEP: u32 = 0; }
    ///
    /// weftline::run(async {
    ///     let handle = weftline::spawn(async { drop(STEP.set(2)) });
    ///     let task = handle.task();
    ///     while !task.is_finished() {
    ///         weftline::yield_now().await;
    ///     }
    ///     assert_eq!(task.context().get(&STEP), Some(&2));
    /// });
    /// ```
    #[must_use]
    pub fn context(&self) -> Context {
        self.header().context()
    }

    /// What the task is doing. It may be doing something else by the time this returns.
    #[must_use]
    pub fn status(&self) -> Status {
        let state = self.header().state.load();
        if state.is_complete() {
            Status::Finished
        } else if state.is_owned() {
            Status::Scheduled
        } else {
            Status::Waiting
        }
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.header().state.load().is_complete()
    }

    /// Whether the task has ended by being cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.header().state.load().is_cancelled()
    }

    /// Asks the task to end: a request, delivered once, when the task is next suspended.
    ///
    /// It goes to the innermost part of the task that [catches](crate::catch_cancel) it, which may
    /// clean up, awaiting what it likes. Where nothing does, the task's future is dropped, and its
    /// joiner gets an error that [is a cancellation](JoinError::is_cancelled). A task that has not
    /// begun never begins; one that returns its value without suspending again has returned.
    ///
    /// Requests are [counted](Self::cancelling). False: the task had ended, and nothing was done.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(async {
    ///     let handle = weftline::spawn(std::future::pending::<()>());
    ///     assert!(handle.task().cancel());
    ///     assert!(handle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    #[expect(unsafe_code, reason = "acts on the task")]
    pub fn cancel(&self) -> bool {
        // SAFETY: a `Task` holds a reference.
        unsafe { harness::cancel(self.0, None) }
    }

    /// As [`cancel`](Self::cancel), and says why: the reason is in the task's
    /// [`JoinError`](JoinError::cancel_reason), and in what a region catches. Of several reasons the last
    /// one that was given before that counts.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(async {
    ///     let handle = weftline::spawn(std::future::pending::<()>());
    ///     handle.task().cancel_with(format!("{} is enough", 7));
    ///     assert_eq!(handle.await.unwrap_err().cancel_reason(), Some("7 is enough"));
    /// });
    /// ```
    #[expect(unsafe_code, reason = "acts on the task")]
    pub fn cancel_with(&self, reason: impl Into<Cow<'static, str>>) -> bool {
        // SAFETY: a `Task` holds a reference.
        unsafe { harness::cancel(self.0, Some(reason.into())) }
    }

    /// How many requests to end were made and not [taken back](Self::uncancel), delivered ones
    /// included. It stays as it is when the task has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(async {
    ///     let task = weftline::spawn(std::future::pending::<()>()).task();
    ///     assert_eq!(task.cancelling(), 0);
    ///     task.cancel();
    ///     assert_eq!(task.cancelling(), 1);
    /// });
    /// ```
    #[must_use]
    pub fn cancelling(&self) -> u32 {
        self.header().extra.get().map_or(0, Extra::cancelling)
    }

    /// Takes one request to end back, and says how many are left. With the last one, a request that
    /// was not delivered yet is delivered no more. One that is being handed on from one region to the
    /// next goes on, as does one to a closure that waits for its turn, which never begins. No effect on a task
    /// that has ended.
    ///
    /// Code that caught a request and does not hand it on calls this, so that those around it do
    /// not take the task for one that is ending.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use weftline::{catch_cancel, task};
    ///
    /// weftline::run(async {
    ///     let stubborn = weftline::spawn(async {
    ///         let cancelled = catch_cancel(pending::<()>()).await;
    ///         assert!(cancelled.is_err());
    ///         assert_eq!(task::current().unwrap().uncancel(), 0);
    ///         weftline::yield_now().await;
    ///         "still here"
    ///     });
    ///     weftline::yield_now().await;
    ///     # while stubborn.task().status() != task::Status::Waiting { weftline::yield_now().await }
    ///     stubborn.cancel();
    ///     assert_eq!(stubborn.await.unwrap(), "still here");
    /// });
    /// ```
    pub fn uncancel(&self) -> u32 {
        let header = self.header();
        if current::current_id() == Some(header.id) {
            delivery::answered();
        }
        header.extra.get().map_or(0, |extra| extra.uncancel(&header.state))
    }

    /// Wakes the task, for models.
    #[cfg(test)]
    #[expect(unsafe_code, reason = "acts on the task")]
    fn wake_for_test(&self) {
        // SAFETY: a `Task` holds a reference.
        unsafe { harness::wake(self.0) };
    }

    /// Reports a panic of the task that was taken from its handle, and that nobody will read.
    pub(crate) fn report_panic(&self, payload: Payload) {
        self.report(UnhandledKind::TaskPanicked, payload);
    }

    /// Reports something that nobody will read.
    #[cold]
    fn report(&self, kind: UnhandledKind, payload: Payload) {
        self.header().roster.unhandled(Unhandled::new(kind, Some(self.header()), payload));
    }

    /// Ends the task before its next poll, whatever it does in answer to requests. True: it has
    /// had a request delivered to it, and goes on all the same.
    #[expect(unsafe_code, reason = "acts on the task")]
    pub(crate) fn abort(&self) -> bool {
        let goes_on = !self.header().state.load().is_cancel_pending();
        // SAFETY: a `Task` holds a reference.
        goes_on & unsafe { harness::abort(self.0) }
    }
}

impl Clone for Task {
    #[expect(unsafe_code, reason = "makes a reference")]
    fn clone(&self) -> Self {
        // SAFETY: a `Task` holds a reference.
        unsafe { Self::retained(self.0) }
    }
}

impl Drop for Task {
    #[expect(unsafe_code, reason = "gives a reference back")]
    fn drop(&mut self) {
        // SAFETY: a `Task` holds a reference, and gives it up here.
        unsafe { self.0.release() }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id().get())
            .field("name", &self.name())
            .field("status", &self.status())
            .field("spawned_at", &format_args!("{}", self.spawned_at()))
            .finish()
    }
}

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Task {}

impl Header {
    /// The name given by the spawner.
    pub(crate) fn name(&self) -> Option<&str> {
        self.extra.get()?.name.as_deref()
    }

    /// What the latest request to end said.
    pub(crate) fn cancel_reason(&self) -> Option<CancelReason> {
        self.extra.get()?.reason()
    }

    /// What the task-local variables are for it now.
    pub(crate) fn context(&self) -> Context {
        self.extra.get().map_or(Context::EMPTY, |extra| extra.context.lock().clone())
    }
}
