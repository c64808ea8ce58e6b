//! Which task this thread is polling, and what the regions inside of that poll tell each other.

use super::context::{Context, Entered};
use super::raw::{Header, RawTask};
use super::region::{self, Linked};
use super::state::Suspension;
use super::{Id, Task, span, waker};
use crate::job::latent::Segment;
use std::cell::Cell;
use std::task::Waker;

/// The poll that goes on on this thread, the innermost one.
pub(super) struct Polling {
    /// The task that is polled.
    task: Cell<Option<RawTask>>,
    /// The innermost region of this poll that is being polled.
    pub(super) innermost: Cell<Option<Linked>>,
    /// What is said of it so far.
    pub(super) marks: Cell<Marks>,
}

/// What is said of a poll, in one byte: a poll writes and reads it often, and bytes of their own
/// that are read together wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks(u8);

impl Marks {
    /// Nothing.
    const NONE: Self = Self(0);
    /// A request to cancel the task is to be delivered in this poll.
    pub(super) const DELIVERS: Self = Self(1);
    /// What was left suspended beside the code that runs must not be interrupted.
    pub(super) const HELD: Self = Self(1 << 1);
    /// A region beside the code that runs can take a delivery.
    pub(super) const CATCHES: Self = Self(1 << 2);
    /// This is a fork of the task on another thread, with a context of its own.
    const FORKED: Self = Self(1 << 3);
    /// A request began to wait in the midst of this poll: what was polled before does not know of it.
    pub(super) const LATE: Self = Self(1 << 4);
    /// Those that are kept apart for the inside of a region.
    const BESIDE: Self = Self(Self::HELD.0 | Self::CATCHES.0);

    #[inline]
    fn has(self, marks: Self) -> bool {
        self.0 & marks.0 != 0
    }

    #[inline]
    pub(super) fn delivers(self) -> bool {
        self.has(Self::DELIVERS)
    }

    #[inline]
    pub(super) fn is_held(self) -> bool {
        self.has(Self::HELD)
    }

    /// Whether nothing was left suspended that would have a say.
    #[inline]
    pub(super) fn is_nothing_beside(self) -> bool {
        !self.has(Self::BESIDE)
    }

    /// Whether a request began to wait in the midst of the poll.
    pub(super) fn is_late(self) -> bool {
        self.has(Self::LATE)
    }

    /// Whether a region may have been polled before the request was there.
    #[inline]
    pub(super) fn is_unasked(self) -> bool {
        self.has(Self::LATE) && self.has(Self::CATCHES)
    }

    /// Where the poll has left a request to cancel.
    pub(super) fn suspension(self) -> Suspension {
        match (self.delivers(), self.is_held()) {
            (true, true) => Suspension::Held,
            (true, false) if self.is_unasked() => Suspension::Unasked,
            (true, false) => Suspension::Open,
            (false, _) if self.is_nothing_beside() => Suspension::Open,
            (false, _) => Suspension::Unasked,
        }
    }
}

thread_local! {
    static POLLING: Polling = const {
        Polling {
            task: Cell::new(None),
            innermost: Cell::new(None),
            marks: Cell::new(Marks::NONE),
        }
    };
}

impl Polling {
    /// Shows the poll that goes on here.
    #[inline]
    pub(super) fn with<R>(look: impl FnOnce(&Self) -> R) -> R {
        POLLING.with(look)
    }

    /// What is said of it.
    #[inline]
    pub(super) fn marks() -> Marks {
        POLLING.with(|polling| polling.marks.get())
    }

    /// Whether `waker` is the waker of the task that is polled.
    #[inline]
    pub(super) fn is_polled_with(&self, waker: &Waker) -> bool {
        self.task.get().is_some_and(|task| waker::is_for(waker, task))
    }

    /// Whether a task is polled, and `waker` is none of its.
    #[inline]
    pub(super) fn has_other_waker_than(&self, waker: &Waker) -> bool {
        self.task.get().is_some_and(|task| !waker::is_for(waker, task))
    }

    /// Says more of it.
    #[inline]
    pub(super) fn mark(&self, marks: Marks) {
        self.marks.set(Marks(self.marks.get().0 | marks.0));
    }

    /// Takes back what was said. False: it was not.
    #[inline]
    pub(super) fn unmark(&self, marks: Marks) -> bool {
        let before = self.marks.get();
        self.marks.set(Marks(before.0 & !marks.0));
        before.has(marks)
    }

    /// Takes out what is said of what is beside the code that runs.
    #[inline]
    pub(super) fn mark_apart(&self) -> Marks {
        let before = self.marks.get();
        self.marks.set(Marks(before.0 & !Marks::BESIDE.0));
        Marks(before.0 & Marks::BESIDE.0)
    }
}

/// Marks a task as current until it is dropped.
pub(crate) struct CurrentTask {
    /// The poll around it, if there is one: polls nest where a task starts another one eagerly.
    outer: Option<RawTask>,
    /// The innermost region around it, also of code that runs in no task.
    innermost: Option<Linked>,
    /// What was said of the poll around it.
    marks: Marks,
    /// Forks that are noted around it are none of the task's.
    _segment: Option<Segment>,
    /// The tracing span around the task.
    _span: span::Entered,
}

impl CurrentTask {
    /// `deliver`: a request to cancel waits for the task's next suspension.
    #[inline]
    pub(crate) fn enter(task: RawTask, deliver: bool) -> Self {
        Self::enter_marked(Some(task), if deliver { Marks::DELIVERS } else { Marks::NONE })
    }

    #[inline]
    fn enter_marked(task: Option<RawTask>, marks: Marks) -> Self {
        let (outer, innermost, marks) = POLLING.with(|polling| {
            let outer = polling.task.replace(task);
            (outer, polling.innermost.replace(None), polling.marks.replace(marks))
        });
        let (_segment, _span) = (Segment::begin(), span::enter_current());
        Self { outer, innermost, marks, _segment, _span }
    }

    /// What the poll has left behind.
    #[inline]
    pub(super) fn left(&self) -> Marks {
        Polling::marks()
    }
}

impl Drop for CurrentTask {
    #[inline]
    fn drop(&mut self) {
        POLLING.with(|polling| {
            polling.task.set(self.outer);
            polling.innermost.set(self.innermost);
            polling.marks.set(self.marks);
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

/// As [`with_current`], where the task's context is the one of the code that runs here.
#[inline]
pub(super) fn with_context_owner<R>(look: impl FnOnce(&Header) -> R) -> Option<R> {
    if Polling::marks().has(Marks::FORKED) { None } else { with_current(look) }
}

/// Where a fork comes from: what is true of it on whatever thread it runs.
pub(crate) struct Origin {
    /// The task that forked.
    task: Option<RawTask>,
    /// The task-local variables there.
    context: Context,
    /// Whether requests to end the task are not seen there.
    shielded: bool,
}

impl Origin {
    /// The code that runs here.
    pub(crate) fn here() -> Self {
        Self {
            task: POLLING.with(|polling| polling.task.get()),
            context: Context::current(),
            shielded: region::is_shielded(),
        }
    }

    /// Calls a function as a part of the code that this was made by.
    ///
    /// # Safety
    ///
    /// The poll in which this was made goes on until this returns.
    pub(crate) unsafe fn run<R>(&self, call: impl FnOnce() -> R) -> R {
        run_forked(self.task, self.context.clone(), self.shielded, call)
    }
}

/// Calls a function as code of no task.
pub(crate) fn outside_of_tasks<R>(call: impl FnOnce() -> R) -> R {
    run_forked(None, Context::new(), false, call)
}

fn run_forked<R>(
    task: Option<RawTask>,
    mut context: Context,
    shielded: bool,
    call: impl FnOnce() -> R,
) -> R {
    let _current = CurrentTask::enter_marked(task, Marks::FORKED);
    let _entered = Entered::enter(&mut context);
    region::outside(shielded, call)
}

/// The id of the task that is being polled here.
#[inline]
pub(crate) fn current_id() -> Option<Id> {
    with_current(|header| header.id)
}

/// For whoever waits for a task: panics in that task, where the wait would never end.
pub(crate) fn assert_not_own(id: Id) {
    assert!(current_id() != Some(id), "a task waits for its own end");
}

/// Whether `waker` belongs to the task that is being polled here, and that task was woken since this
/// poll began: all that waits with this waker is polled again soon, or was given up.
#[inline]
pub(crate) fn is_woken(waker: &Waker) -> bool {
    Polling::with(|polling| polling.is_polled_with(waker))
        && with_current(|header| header.state.is_notified()) == Some(true)
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
