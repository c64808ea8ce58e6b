//! The end of a runtime, in order: take no more, cancel, wait, stop, close, report.
//!
//! `docs/shutdown.md` says what each step is there for.

use super::Handle;
use super::instance::{Instance, is_runtime_thread};
use crate::task::{Admission, Id, Status, Task, Unhandled};
use std::collections::HashSet;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a dropped runtime waits for its tasks.
const DROP_GRACE: Duration = Duration::from_secs(1);
/// How long threads may take to end once they are told to, whatever the grace: those that are not
/// inside a task have nothing more to do than to see it.
const STOP_TIME: Duration = Duration::from_millis(500);

/// How long shutting down waits for cancelled tasks to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// Not at all: what has not ended when it is cancelled is left behind.
    None,
    /// At most for that long.
    For(Duration),
    /// For as long as it takes. A task that never ends keeps it waiting for ever.
    Forever,
}

impl From<Duration> for Grace {
    fn from(limit: Duration) -> Self {
        Grace::For(limit)
    }
}

impl Grace {
    /// When it is over; `None` for never.
    fn deadline(self) -> Option<Instant> {
        match self {
            Grace::None => Some(Instant::now()),
            // A time that the clock cannot say never comes.
            Grace::For(limit) => Instant::now().checked_add(limit),
            Grace::Forever => None,
        }
    }
}

/// What shutting down left behind.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use weftline::runtime::Grace;
/// use weftline::task;
///
/// let runtime = weftline::Runtime::new()?;
/// let (began, begun) = mpsc::channel();
/// let (stop, stopped) = mpsc::channel::<()>();
/// let guard = runtime.handle().enter();
/// let _stuck = task::Builder::new().name("stuck").spawn_blocking(move || {
///     began.send(()).unwrap();
///     stopped.recv()
/// });
/// drop(guard);
/// begun.recv()?; // a closure that has not begun can be cancelled
///
/// let report = runtime.shutdown(Grace::For(Duration::from_millis(10)));
/// assert_eq!(report.survivors()[0].name(), Some("stuck"));
/// println!("{report}");
/// drop(stop);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "it names the tasks that did not end"]
pub struct ShutdownReport {
    /// The tasks that had not ended.
    survivors: Vec<Survivor>,
}

/// A task that had not ended when its runtime did.
#[derive(Clone, Debug)]
pub struct Survivor {
    /// Its reference.
    task: Task,
    /// What it did when the report was made.
    status: Status,
}

impl ShutdownReport {
    /// Whether all tasks had ended.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.survivors.is_empty()
    }

    /// The tasks that had not.
    #[must_use]
    pub fn survivors(&self) -> &[Survivor] {
        &self.survivors
    }
}

impl Survivor {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.task.id()
    }

    /// Its name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.task.name()
    }

    /// Where it was spawned.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.task.spawned_at()
    }

    /// What it was doing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }
}

impl fmt::Display for Survivor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id())?;
        if let Some(name) = self.name() {
            write!(f, " {name:?}")?;
        }
        write!(f, ", spawned at {}, is {}", self.spawned_at(), self.status)
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("all tasks have ended");
        }
        write!(f, "{} tasks have not ended:", self.survivors.len())?;
        for survivor in &self.survivors {
            write!(f, "\n  {survivor}")?;
        }
        Ok(())
    }
}

/// Shuts a runtime down; see [`Runtime::shutdown`](super::Runtime::shutdown).
pub(super) fn shut_down(handle: Handle, grace: Grace) -> ShutdownReport {
    let instance = handle.instance;
    if is_forked(&instance) {
        std::mem::forget(instance);
        return ShutdownReport::default();
    }
    if instance.owns_this_thread() {
        refuse_and_cancel(&instance);
        let report = ShutdownReport { survivors: survivors(&instance) };
        in_background(instance, grace);
        return report;
    }
    end(&instance, grace)
}

/// Shuts down a runtime that is dropped.
pub(super) fn drop_runtime(handle: Handle) {
    let instance = handle.instance;
    if is_forked(&instance) {
        return std::mem::forget(instance);
    }
    if is_runtime_thread() || thread::panicking() {
        return drop_in_background(Handle::new(instance));
    }
    report_survivors(&instance, end(&instance, Grace::For(DROP_GRACE)));
}

/// Shuts down a runtime that is dropped, without waiting.
pub(super) fn drop_in_background(handle: Handle) {
    let instance = handle.instance;
    if is_forked(&instance) {
        return std::mem::forget(instance);
    }
    refuse_and_cancel(&instance);
    in_background(instance, Grace::For(DROP_GRACE));
}

/// In a forked child the threads do not exist, and any lock may be held by one of them: such a
/// runtime is not touched any more.
fn is_forked(instance: &Instance) -> bool {
    !instance.rosters[0].generation().is_current()
}

/// Ends it on a thread of its own.
fn in_background(instance: Arc<Instance>, grace: Grace) {
    let fallback = instance.clone();
    let ending = move || report_survivors(&instance, end(&instance, grace));
    let name = String::from("weftline-shutdown");
    if thread::Builder::new().name(name).spawn(ending).is_err() {
        // No thread to wait on: the workers end as soon as they can.
        report_survivors(&fallback, abort_the_rest(&fallback));
        stop(&fallback);
    }
}

/// All steps, in order.
fn end(instance: &Instance, grace: Grace) -> ShutdownReport {
    let deadline = grace.deadline();
    refuse_and_cancel(instance);
    wait_for_tasks(instance, deadline);
    let mut report = abort_the_rest(instance);
    stop(instance);
    report.add(survivors(instance));
    report
}

/// Ends what has not started as a whole.
pub(super) fn abandon(instance: &Instance) {
    refuse_and_cancel(instance);
    stop(instance);
}

/// Takes no more tasks, and cancels those there are.
fn refuse_and_cancel(instance: &Instance) {
    let rosters = &instance.rosters;
    // First all of them: a task that is cancelled below may spawn into any roster.
    rosters.iter().for_each(|roster| roster.admit(Admission::Closing));
    instance.errands.admit(Admission::Ending);
    for task in instance.tasks() {
        task.cancel();
    }
}

/// Waits until no task is left. Those born meanwhile were cancelled at birth, and are waited for
/// in the next round.
fn wait_for_tasks(instance: &Instance, deadline: Option<Instant>) {
    let has_tasks = || instance.awaited_rosters().any(|roster| roster.len() > 0);
    if instance.shared.play_out(&|| !has_tasks(), deadline).is_err() {
        // A deterministic runtime that nobody runs any more: its tasks end where they can.
        return;
    }
    while has_tasks() {
        for roster in instance.awaited_rosters() {
            if !roster.wait_empty(deadline) {
                return;
            }
        }
    }
}

/// The grace is over: nothing is polled any more. Reports those that have answered the request to
/// end by something that takes longer.
fn abort_the_rest(instance: &Instance) -> ShutdownReport {
    instance.awaited_rosters().for_each(|roster| roster.admit(Admission::Closed));
    let mut survivors = survivors(instance);
    survivors.retain(|survivor| survivor.task.abort());
    ShutdownReport { survivors }
}

/// Ends the workers, and what only they kept going.
fn stop(instance: &Instance) {
    instance.shared.stop();
    instance.shared.end_cast();
    // A thread that is still inside a task is left to itself: it ends after that, and runs what is
    // left then. Destructors of the tasks behind it may take as long, so they are not run here.
    if instance.threads.wait_none(Instant::now() + STOP_TIME) {
        instance.shared.drain();
    }
    instance.shared.close();
}

/// The tasks that have not ended.
fn survivors(instance: &Instance) -> Vec<Survivor> {
    let mut tasks: Vec<_> = instance.awaited_rosters().flat_map(|roster| roster.tasks()).collect();
    tasks.sort_unstable_by_key(Task::id);
    tasks.into_iter().map(|task| Survivor { status: task.status(), task }).collect()
}

impl ShutdownReport {
    /// Adds those that are not in it.
    fn add(&mut self, more: Vec<Survivor>) {
        let known: HashSet<Id> = self.survivors.iter().map(Survivor::id).collect();
        self.survivors.extend(more.into_iter().filter(|survivor| !known.contains(&survivor.id())));
    }
}

/// Where nobody takes the report, it goes to the hook for what nobody read.
pub(super) fn report_survivors(instance: &Instance, report: ShutdownReport) {
    for survivor in report.survivors {
        let message = format!("it is {}", survivor.status);
        let unhandled = Unhandled::not_ended(&survivor.task, message);
        survivor.task.context().run(|| instance.shared.hooks.unhandled(unhandled));
    }
}

/// Shuts down what `run` has started.
pub(super) fn shut_down_and_report(handle: Handle) {
    let instance = handle.instance.clone();
    let report = shut_down(handle, Grace::For(instance.options.grace));
    report_survivors(&instance, report);
}
