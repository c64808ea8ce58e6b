//! Which task this thread is polling, and what the regions inside of that poll tell each other.

use super::raw::{Header, RawTask};
use super::region::{Beside, Frame};
use super::state::Suspension;
use super::{Id, Task};
use std::cell::Cell;
use std::ptr::NonNull;

/// The poll that goes on on this thread, the innermost one.
#[derive(Clone, Copy)]
pub(super) struct Polling {
    /// The task that is polled.
    task: Option<RawTask>,
    /// The innermost region of this poll that is being polled.
    pub(super) innermost: Option<NonNull<Frame>>,
    /// What was left suspended beside the code that runs.
    pub(super) beside: Beside,
    /// A request to cancel the task is to be delivered in this poll.
    pub(super) deliver: bool,
    /// A delivery was handed on.
    pub(super) resumed: bool,
}

thread_local! {
    static POLLING: Cell<Polling> = const { Cell::new(Polling::of(None, false)) };
}

impl Polling {
    /// A poll that begins.
    #[inline]
    const fn of(task: Option<RawTask>, deliver: bool) -> Self {
        let beside = Beside { held: false, catches: false };
        Self { task, innermost: None, beside, deliver, resumed: false }
    }

    /// Reads and changes what is known of the poll that goes on here.
    #[inline]
    pub(super) fn change<R>(change: impl FnOnce(&mut Polling) -> R) -> R {
        POLLING.with(|cell| {
            let mut polling = cell.get();
            let result = change(&mut polling);
            cell.set(polling);
            result
        })
    }

    /// The innermost region around the code that runs.
    #[inline]
    pub(super) fn innermost() -> Option<NonNull<Frame>> {
        POLLING.get().innermost
    }

    /// Where the poll has left a request to cancel.
    #[inline]
    pub(super) fn suspension(&self) -> Suspension {
        match (self.deliver, self.beside) {
            (true, Beside { held: true, .. }) => Suspension::Held,
            (true, _) | (false, Beside { held: false, catches: false }) => Suspension::Open,
            (false, _) => Suspension::Unasked,
        }
    }
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
        Self { outer: POLLING.replace(Polling::of(Some(task), deliver)) }
    }

    /// What the poll has left behind.
    #[inline]
    pub(super) fn left(&self) -> Polling {
        POLLING.get()
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
