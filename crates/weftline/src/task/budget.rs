//! The time slice of a task: how a leaf future keeps one task from holding a worker for ever.
//!
//! A task gives its worker back when something it awaits is not ready. A task whose sockets and
//! channels are always ready would never do so. Every leaf future of this crate asks
//! [`poll_proceed`] before it makes progress, and so can any other: once the task has run for
//! longer than its slice, the answer is `Pending`, with the task already woken, and the task goes
//! to the back of the queue.
//!
//! The slice is time, not a number of operations, since operations differ by orders of magnitude.
//! The clock is read once in many questions, so that asking costs next to nothing.

use std::cell::Cell;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long a task may go on before [`poll_proceed`] asks it to step back. Behaviour of today,
/// not a promise: long against a poll, short against what a person or a peer notices.
pub const SLICE: Duration = Duration::from_micros(200);

/// Questions between two readings of the clock: at some 30 ns a reading, below 1 ns a question.
const QUESTIONS_PER_CLOCK: u32 = 32;

/// The most refusals in one poll: more than one task asks before it steps back, unless it joins very
/// many futures that are all ready.
const MAX_REFUSALS: u32 = 1024;

/// How far the present poll has come.
#[derive(Clone, Copy)]
struct Budget {
    /// Questions left until the clock is read; zero where this thread polls nothing of ours, so
    /// that there is no slice.
    questions: u32,
    /// When the clock was read first in this poll.
    began: Option<Instant>,
    /// How often the answer was that the slice is used up.
    refusals: u32,
}

const FRESH: Budget = Budget { questions: QUESTIONS_PER_CLOCK, began: None, refusals: 0 };

const NONE: Budget = Budget { questions: 0, began: None, refusals: 0 };

thread_local! {
    static BUDGET: Cell<Budget> = const { Cell::new(NONE) };
}

/// The slice of one poll, until it is dropped.
pub(crate) struct Slice {
    /// What was left of the slice of the poll around it: polls nest.
    outer: Budget,
}

impl Slice {
    /// A poll begins.
    #[inline]
    pub(crate) fn begin() -> Self {
        Self { outer: BUDGET.with(|budget| budget.replace(FRESH)) }
    }
}

impl Drop for Slice {
    #[inline]
    fn drop(&mut self) {
        BUDGET.with(|budget| budget.set(self.outer));
    }
}

/// Whether the task that is being polled on this thread has used up its slice. Never, where the
/// thread polls nothing that runs on a weftline runtime.
///
/// # Examples
///
/// ```
/// use weftline::task::budget;
///
/// async fn sum(numbers: &[u64]) -> u64 {
///     let mut sum = 0;
///     for number in numbers {
///         if budget::is_spent() {
///             weftline::yield_now().await;
///         }
///         sum += number;
///     }
///     sum
/// }
///
/// assert_eq!(weftline::run(sum(&[1, 2, 3])), 6);
/// ```
#[inline]
#[must_use]
pub fn is_spent() -> bool {
    BUDGET.with(|cell| {
        let mut budget = cell.get();
        if budget.questions == 0 {
            return false;
        }
        if budget.refusals > 0 {
            return refuse(cell, budget);
        }
        budget.questions -= 1;
        if budget.questions == 0 {
            read_clock(&mut budget);
        }
        cell.set(budget);
        budget.refusals > 0
    })
}

/// The slice is used up, and is asked for again in the same poll. So often only an executor inside of
/// the poll asks that begins no slices of its own, and would ask for ever: it gets a new one.
#[cold]
fn refuse(cell: &Cell<Budget>, mut budget: Budget) -> bool {
    budget.refusals += 1;
    let refused = budget.refusals <= MAX_REFUSALS;
    cell.set(if refused { budget } else { FRESH });
    refused
}

#[cold]
fn read_clock(budget: &mut Budget) {
    budget.questions = QUESTIONS_PER_CLOCK;
    let now = Instant::now();
    let began = *budget.began.get_or_insert(now);
    budget.refusals = u32::from(now.duration_since(began) >= SLICE);
}

/// Asks whether a leaf future may make progress now.
///
/// `Pending` means that the task's slice is used up; the task is woken already and will be polled
/// again after others had their turn. Ask it before anything is taken or changed, so that a future
/// that is dropped at this point has lost nothing.
///
/// # Examples
///
/// ```
/// use std::task::{Context, Poll, ready};
/// use weftline::task::budget;
///
/// fn poll_next(items: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Option<u8>> {
///     ready!(budget::poll_proceed(cx));
///     Poll::Ready(items.pop())
/// }
///
/// let mut items = vec![1];
/// let item = weftline::run(std::future::poll_fn(|cx| poll_next(&mut items, cx)));
/// assert_eq!(item, Some(1));
/// ```
#[inline]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    if is_spent() {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    Poll::Ready(())
}
