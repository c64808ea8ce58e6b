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

/// How far the present poll has come. Cells of their own, so that what is stored is loaded as it was
/// stored: loading all of it at once waits until the stores before have left the processor.
struct Budget {
    /// Questions left until the next look at the clock or at the refusals; zero where this thread
    /// polls nothing of ours, so that there is no slice.
    questions: Cell<u32>,
    /// How often the answer was that the slice is used up; then each question is looked at.
    refusals: Cell<u32>,
    /// When the clock was read first in this poll.
    began: Cell<Option<Instant>>,
}

thread_local! {
    static BUDGET: Budget = const {
        Budget { questions: Cell::new(0), refusals: Cell::new(0), began: Cell::new(None) }
    };
}

impl Budget {
    /// A slice begins.
    fn renew(&self) {
        self.questions.set(QUESTIONS_PER_CLOCK);
        self.refusals.set(0);
        self.began.set(None);
    }
}

/// The slice of one poll, until it is dropped.
pub(crate) struct Slice {
    /// What was left of the slice of the poll around it, if there is one: polls nest.
    outer: Option<(u32, u32, Option<Instant>)>,
}

impl Slice {
    /// A poll begins.
    #[inline]
    pub(crate) fn begin() -> Self {
        BUDGET.with(|budget| {
            let questions = budget.questions.get();
            let nested = questions > 0;
            let outer = nested.then(|| (questions, budget.refusals.get(), budget.began.get()));
            budget.renew();
            Self { outer }
        })
    }
}

impl Drop for Slice {
    #[inline]
    fn drop(&mut self) {
        BUDGET.with(|budget| {
            let Some((questions, refusals, began)) = self.outer else {
                return budget.questions.set(0);
            };
            budget.questions.set(questions);
            budget.refusals.set(refusals);
            budget.began.set(began);
        });
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
    BUDGET.with(|budget| {
        let questions = budget.questions.get();
        if questions > 1 {
            budget.questions.set(questions - 1);
            return false;
        }
        questions == 1 && look(budget)
    })
}

/// The last question before a look. After a refusal each one is.
#[cold]
fn look(budget: &Budget) -> bool {
    let refusals = budget.refusals.get();
    if refusals == 0 && !is_over(budget) {
        budget.questions.set(QUESTIONS_PER_CLOCK);
        return false;
    }
    // So often only an executor inside of the poll asks that begins no slices of its own, and would
    // ask for ever: it gets a new one.
    if refusals == MAX_REFUSALS {
        budget.renew();
        return false;
    }
    budget.refusals.set(refusals + 1);
    true
}

/// Whether the poll has lasted for a slice.
fn is_over(budget: &Budget) -> bool {
    match budget.began.get() {
        Some(began) => is_over_since(began),
        None => {
            budget.began.set(Some(Instant::now()));
            super::wait::repeats()
        }
    }
}

/// Whether what began at that instant has lasted for a slice. Where polls must take the same course
/// each time it always has: the time that something takes differs, the number of questions does not.
pub(crate) fn is_over_since(began: Instant) -> bool {
    super::wait::repeats() || began.elapsed() >= SLICE
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
