//! Which task this thread is polling.

use super::raw::RawTask;
use super::{Id, Task};
use std::cell::Cell;

thread_local! {
    /// The task that is being polled on this thread, the innermost one.
    static CURRENT: Cell<Option<RawTask>> = const { Cell::new(None) };
}

/// Marks a task as current until it is dropped.
pub(crate) struct CurrentTask {
    /// The task that was current before: polls nest where a task starts another one eagerly.
    outer: Option<RawTask>,
}

impl CurrentTask {
    #[inline]
    pub(crate) fn enter(task: RawTask) -> Self {
        Self { outer: CURRENT.with(|current| current.replace(Some(task))) }
    }
}

impl Drop for CurrentTask {
    #[inline]
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.outer));
    }
}

/// The id of the task that is being polled here.
pub(crate) fn current_id() -> Option<Id> {
    CURRENT.with(|current| {
        let task = current.get()?;
        // SAFETY: a task that is being polled is alive.
        Some(unsafe { task.header() }.id)
    })
}

/// The task that is running this code, a blocking job included; `None` outside of a task: in the main
/// future, on a thread of its own.
///
/// # Examples
///
/// ```
/// weftline::run(async {
///     assert!(weftline::task::current().is_none());
///     let task = weftline::spawn(async { weftline::task::current().unwrap().id() });
///     let id = task.task().id();
///     assert_eq!(task.await.unwrap(), id);
/// });
/// ```
#[must_use]
pub fn current() -> Option<Task> {
    CURRENT.with(|current| {
        let task = current.get()?;
        // SAFETY: a task that is being polled is alive.
        Some(unsafe { Task::retained(task) })
    })
}
