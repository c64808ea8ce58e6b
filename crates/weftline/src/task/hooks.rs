//! Functions that a user hangs around threads and tasks, and the report of what nobody read.
//!
//! A hook is foreign code: its panics are caught and reported, and touch nothing else.

use super::error::{Payload, message_of};
use super::raw::{Header, RawTask};
use super::{Id, SlowPoll, Task};
use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

/// A hook on a thread.
pub(crate) type ThreadHook = Box<dyn Fn() + Send + Sync>;
/// A hook on a task.
pub(crate) type TaskHook = Box<dyn Fn(&Task) + Send + Sync>;
/// A hook on a poll that takes long.
pub(crate) type SlowPollHook = Box<dyn Fn(&SlowPoll) + Send + Sync>;
/// Where reports go.
pub(crate) type UnhandledHook = Box<dyn Fn(&Unhandled) + Send + Sync>;

/// What a user asked to be called.
#[derive(Default)]
pub(crate) struct Hooks {
    /// On a new thread of the runtime, before it does anything else.
    pub(crate) thread_start: Option<ThreadHook>,
    /// On a thread of the runtime, as its last act.
    pub(crate) thread_stop: Option<ThreadHook>,
    /// When a task was spawned, on the spawning thread.
    pub(crate) task_spawn: Option<TaskHook>,
    /// Before each poll of a task.
    pub(crate) before_poll: Option<TaskHook>,
    /// After each poll of a task.
    pub(crate) after_poll: Option<TaskHook>,
    /// While a poll takes long, on the monitor's thread.
    pub(crate) slow_poll: Option<SlowPollHook>,
    /// When a task has ended, before its joiner knows.
    pub(crate) task_end: Option<TaskHook>,
    /// Takes reports; without it they go to standard error.
    pub(crate) unhandled: Option<UnhandledHook>,
}

impl Hooks {
    /// Whether any is called around polls.
    pub(crate) fn are_around_polls(&self) -> bool {
        self.before_poll.is_some() || self.after_poll.is_some()
    }

    #[inline]
    pub(crate) fn before_poll(&self, task: RawTask) {
        self.on_task(&self.before_poll, task);
    }

    #[inline]
    pub(crate) fn after_poll(&self, task: RawTask) {
        self.on_task(&self.after_poll, task);
    }

    #[inline]
    pub(crate) fn task_spawned(&self, task: RawTask) {
        self.on_task(&self.task_spawn, task);
    }

    #[inline]
    pub(crate) fn task_ended(&self, task: RawTask) {
        self.on_task(&self.task_end, task);
    }

    pub(crate) fn slow_poll(&self, slow: &SlowPoll) {
        if let Some(hook) = &self.slow_poll {
            self.call(|| hook(slow));
        }
    }

    pub(crate) fn thread_started(&self) {
        self.on_thread(&self.thread_start);
    }

    pub(crate) fn thread_stopped(&self) {
        self.on_thread(&self.thread_stop);
    }

    /// Reports what nobody read.
    #[cold]
    pub(crate) fn unhandled(&self, unhandled: Unhandled) {
        let Some(hook) = &self.unhandled else {
            return print(&unhandled);
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(&unhandled))) {
            let failed = Unhandled::new(UnhandledKind::HookPanicked, None, payload);
            print(&unhandled);
            print(&failed);
        }
    }

    /// Calls a waker that may be foreign code.
    #[inline]
    pub(crate) fn guard_waker(&self, wake: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(wake)) {
            self.unhandled(Unhandled::new(UnhandledKind::WakerPanicked, None, payload));
        }
    }

    #[inline]
    fn on_task(&self, hook: &Option<TaskHook>, task: RawTask) {
        if let Some(hook) = hook {
            // SAFETY: hooks are called by those who own the task, or spawn it.
            let task = unsafe { Task::retained(task) };
            self.call(|| hook(&task));
        }
    }

    fn on_thread(&self, hook: &Option<ThreadHook>) {
        if let Some(hook) = hook {
            self.call(hook);
        }
    }

    fn call(&self, hook: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(hook)) {
            self.unhandled(Unhandled::new(UnhandledKind::HookPanicked, None, payload));
        }
    }
}

/// A line on standard error. Where that is closed there is nobody left to tell.
fn print(unhandled: &Unhandled) {
    let _ = writeln!(std::io::stderr(), "weftline: {unhandled}");
}

/// What kind of failure nobody read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnhandledKind {
    /// A task panicked, and its handle was dropped without asking.
    TaskPanicked,
    /// A task ended by an error, and its handle was dropped without asking; see
    /// [`JoinHandle::report_error`](crate::JoinHandle::report_error).
    TaskFailed,
    /// Dropping a task's future panicked after the task had given its value, or dropping a value that
    /// nobody took.
    DropPanicked,
    /// A waker panicked when it was woken or dropped.
    WakerPanicked,
    /// A hook panicked.
    HookPanicked,
    /// A callback panicked, or dropping one that was not called at the end of its runtime.
    CallbackPanicked,
    /// A task did not end within the grace that shutting down gave it.
    NotEnded,
}

/// A failure that no code was there to read.
///
/// Given to the function set by [`Builder::on_unhandled`](crate::runtime::Builder::on_unhandled);
/// without one it becomes a line on standard error.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
///
/// let (sender, reports) = mpsc::channel();
/// let runtime = weftline::Runtime::builder()
///     .on_unhandled(move |unhandled| sender.send(unhandled.to_string()).unwrap())
///     .build()?;
/// runtime.block_on(async {
///     drop(weftline::spawn(async { panic!("nobody asks") }));
/// });
/// assert!(reports.recv()?.contains("nobody asks"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Unhandled {
    kind: UnhandledKind,
    message: String,
    task: Option<Origin>,
    callback: Option<&'static Location<'static>>,
}

/// The task a report is about.
#[derive(Debug)]
struct Origin {
    id: Id,
    name: Option<String>,
    spawned_at: &'static Location<'static>,
}

impl Origin {
    fn of(header: &Header) -> Self {
        Self {
            id: header.id,
            name: header.name().map(str::to_owned),
            spawned_at: header.spawned_at,
        }
    }
}

impl Unhandled {
    pub(crate) fn new(kind: UnhandledKind, task: Option<&Header>, payload: Payload) -> Self {
        Self { task: task.map(Origin::of), ..Self::panicked(kind, payload) }
    }

    /// A callback that panicked, by the place where it was registered.
    pub(crate) fn in_callback(place: &'static Location<'static>, payload: Payload) -> Self {
        Self { callback: Some(place), ..Self::panicked(UnhandledKind::CallbackPanicked, payload) }
    }

    /// A panic of nothing that is known.
    fn panicked(kind: UnhandledKind, payload: Payload) -> Self {
        let message = message_of(&payload);
        // A payload's own drop may panic; it has been read, so that is the end of it.
        std::mem::forget(catch_unwind(AssertUnwindSafe(|| drop(payload))));
        Self { kind, message, task: None, callback: None }
    }

    /// A task that outlived its runtime.
    pub(crate) fn not_ended(task: &Task, message: String) -> Self {
        let task = Some(Origin::of(task.header()));
        Self { kind: UnhandledKind::NotEnded, message, task, callback: None }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> UnhandledKind {
        self.kind
    }

    /// The text of the error, or of the panic where it was raised with one.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The task it is about, if it is about one.
    #[must_use]
    pub fn task_id(&self) -> Option<Id> {
        self.task.as_ref().map(|task| task.id)
    }

    /// The name of that task, if it has one.
    #[must_use]
    pub fn task_name(&self) -> Option<&str> {
        self.task.as_ref()?.name.as_deref()
    }

    /// Where that task was spawned.
    #[must_use]
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.task.as_ref().map(|task| task.spawned_at)
    }

    /// Where the callback was registered that it is about, if it is about one.
    #[must_use]
    pub fn registered_at(&self) -> Option<&'static Location<'static>> {
        self.callback
    }
}

impl fmt::Display for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            UnhandledKind::TaskPanicked => "a task panicked and nobody read it",
            UnhandledKind::TaskFailed => "a task failed and nobody read it",
            UnhandledKind::DropPanicked => "dropping a task's future or value panicked",
            UnhandledKind::WakerPanicked => "a waker panicked",
            UnhandledKind::HookPanicked => "a hook panicked",
            UnhandledKind::CallbackPanicked => "a callback panicked",
            UnhandledKind::NotEnded => "a task did not end in time",
        })?;
        write!(f, ": {}", self.message)?;
        if let Some(task) = &self.task {
            write!(f, " (task {}", task.id)?;
            if let Some(name) = &task.name {
                write!(f, " {name:?}")?;
            }
            write!(f, ", spawned at {})", task.spawned_at)?;
        }
        if let Some(place) = self.callback {
            write!(f, " (registered at {place})")?;
        }
        Ok(())
    }
}
