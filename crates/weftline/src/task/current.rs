//! Which task this thread is polling, and what the regions inside of that poll tell each other.

use super::raw::{Header, RawTask};
use super::region::{Beside, Frame};
use super::state::Suspension;
use super::{Id, Task, span};
use std::cell::Cell;
use std::ptr::NonNull;

/// The poll that goes on on this thread, the innermost one.
pub(super) struct Polling {
    /// The task that is polled.
    task: Cell<Option<RawTask>>,
    /// The innermost region of this poll that is being polled.
    pub(super) innermost: Cell<Option<NonNull<Frame>>>,
    /// What is said of it so far.
    pub(super) marks: Cell<Marks>,
}

/// What is said of a poll.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    /// What was left suspended beside the code that runs.
    pub(super) beside: Beside,
    /// A request to cancel the task is to be delivered in this poll.
    pub(super) deliver: bool,
    /// A delivery was handed on.
    pub(super) resumed: bool,
}

impl Marks {
    /// Those of a poll that begins.
    #[inline]
    const fn of(deliver: bool) -> Self {
        Self { beside: Beside { held: false, catches: false }, deliver, resumed: false }
    }

    /// Where the poll has left a request to cancel.
    pub(super) fn suspension(self) -> Suspension {
        match (self.deliver, self.beside) {
            (true, Beside { held: true, .. }) => Suspension::Held,
            (true, _) | (false, Beside { held: false, catches: false }) => Suspension::Open,
            (false, _) => Suspension::Unasked,
        }
    }
}

thread_local! {
    static POLLING: Polling = const {
        Polling {
            task: Cell::new(None),
            innermost: Cell::new(None),
            marks: Cell::new(Marks::of(false)),
        }
    };
}

impl Polling {
    /// Shows the poll that goes on here.
    #[inline]
    pub(super) fn with<R>(look: impl FnOnce(&Self) -> R) -> R {
        POLLING.with(look)
    }

    /// Reads and changes what is said of it.
    #[inline]
    pub(super) fn mark<R>(change: impl FnOnce(&mut Marks) -> R) -> R {
        POLLING.with(|polling| {
            let mut marks = polling.marks.get();
            let result = change(&mut marks);
            polling.marks.set(marks);
            result
        })
    }
}

/// Marks a task as current until it is dropped.
pub(crate) struct CurrentTask {
    /// The poll around it, if there is one: polls nest where a task starts another one eagerly.
    outer: Option<(RawTask, Option<NonNull<Frame>>, Marks)>,
    /// The tracing span around the task.
    _span: span::Entered,
}

impl CurrentTask {
    /// `deliver`: a request to cancel waits for the task's next suspension.
    #[inline]
    pub(crate) fn enter(task: RawTask, deliver: bool) -> Self {
        let outer = POLLING.with(|polling| {
            let outer = polling.task.replace(Some(task));
            let outer = outer.map(|outer| (outer, polling.innermost.get(), polling.marks.get()));
            polling.innermost.set(None);
            polling.marks.set(Marks::of(deliver));
            outer
        });
        Self { outer, _span: span::enter_current() }
    }

    /// What the poll has left behind.
    #[inline]
    pub(super) fn left(&self) -> Marks {
        POLLING.with(|polling| polling.marks.get())
    }
}

impl Drop for CurrentTask {
    #[inline]
    fn drop(&mut self) {
        POLLING.with(|polling| {
            let Some((task, innermost, marks)) = self.outer else {
                return polling.task.set(None);
            };
            polling.task.set(Some(task));
            polling.innermost.set(innermost);
            polling.marks.set(marks);
        });
    }
}

/// Lends the header of the task that is being polled here.
#[inline]
pub(super) fn with_current<R>(look: impl FnOnce(&Header) -> R) -> Option<R> {
    let task = POLLING.with(|polling| polling.task.get())?;
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
    let task = POLLING.with(|polling| polling.task.get())?;
    // SAFETY: a task that is being polled is alive.
    Some(unsafe { Task::retained(task) })
}
