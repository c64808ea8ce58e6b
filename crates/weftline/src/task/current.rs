//! Which task this thread is polling, and what the regions inside of that poll tell each other.

use super::raw::{Header, RawTask};
use super::state::Suspension;
use super::{Id, Task};
use std::cell::Cell;

/// The poll that goes on on this thread, the innermost one.
#[derive(Clone, Copy)]
pub(super) struct Polling {
    /// The task that is polled.
    task: Option<RawTask>,
    /// How many of the thread's regions belong to polls around this one.
    pub(super) base: u32,
    /// How many regions there are, those included.
    pub(super) depth: u32,
    /// A request to cancel the task is to be delivered in this poll.
    pub(super) deliver: bool,
    /// What is suspended inside must not be interrupted.
    pub(super) held: bool,
    /// A region that can take a delivery was polled.
    pub(super) catches: bool,
    /// A delivery was handed on.
    pub(super) resumed: bool,
}

impl Polling {
    /// No poll.
    const NONE: Self = Self {
        task: None,
        base: 0,
        depth: 0,
        deliver: false,
        held: false,
        catches: false,
        resumed: false,
    };
}

thread_local! {
    static POLLING: Cell<Polling> = const { Cell::new(Polling::NONE) };
}

/// Reads and changes what is known of the poll that goes on here.
#[inline]
pub(super) fn with_polling<R>(change: impl FnOnce(&mut Polling) -> R) -> R {
    POLLING.with(|cell| {
        let mut polling = cell.get();
        let result = change(&mut polling);
        cell.set(polling);
        result
    })
}

/// Marks a task as current until it is dropped.
pub(crate) struct CurrentTask {
    /// The poll around it: polls nest where a task starts another one eagerly.
    outer: Polling,
}

impl CurrentTask {
    /// `deliver`: a request to cancel waits for the task's next suspension.
    #[inline]
    pub(crate) fn enter(task: RawTask, deliver: bool) -> Self {
        POLLING.with(|polling| {
            let outer = polling.get();
            let (base, task) = (outer.depth, Some(task));
            polling.set(Polling { task, base, depth: base, deliver, ..Polling::NONE });
            Self { outer }
        })
    }

    /// Where the poll has left a request to cancel.
    #[inline]
    pub(crate) fn suspension(&self) -> Suspension {
        let Polling { deliver, held, catches, .. } = POLLING.get();
        match (deliver, held) {
            (true, false) => Suspension::Open,
            (true, true) => Suspension::Held,
            (false, held) if held || catches => Suspension::Unasked,
            (false, _) => Suspension::Open,
        }
    }
}

impl Drop for CurrentTask {
    #[inline]
    fn drop(&mut self) {
        POLLING.set(self.outer);
    }
}

/// Lends the header of the task that is being polled here.
pub(super) fn with_current<R>(look: impl FnOnce(&Header) -> R) -> Option<R> {
    let task = POLLING.get().task?;
    // SAFETY: a task that is being polled is alive.
    Some(look(unsafe { task.header() }))
}

/// The id of the task that is being polled here.
#[inline]
pub(crate) fn current_id() -> Option<Id> {
    with_current(|header| header.id)
}

/// The task that is running this code: a spawned one, the main future, a blocking job. `None`
/// outside of all of them.
///
/// # Examples
///
/// ```
/// assert!(weftline::task::current().is_none());
/// weftline::run(async {
///     let main = weftline::task::current().unwrap().id();
///     let task = weftline::spawn(async { weftline::task::current().unwrap().id() });
///     assert_ne!(task.await.unwrap(), main);
/// });
/// ```
#[must_use]
pub fn current() -> Option<Task> {
    let task = POLLING.get().task?;
    // SAFETY: a task that is being polled is alive.
    Some(unsafe { Task::retained(task) })
}
