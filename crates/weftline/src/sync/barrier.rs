//! [`Barrier`]: a number of tasks that go on together. Next: `row.rs`, those who wait.

use super::line::Calls;
use super::row::{HasRow, Row, Told};
use crate::platform::Mutex;
use crate::task::{budget, drive};
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;

/// Keeps tasks and threads until so many have come, and lets them all go on.
///
/// Then the next round begins. Breaking it, by [`abort`](Self::abort) or [`reset`](Self::reset), gives
/// an error to those who wait.
///
/// # Guarantees
///
/// - Those who go on together have different numbers, from 0 to the number of parties less 1, in
///   the order in which they came.
/// - Who leaves while it waits is not counted any more; another may come in its place.
/// - Who was let go on goes on, whatever happens to the barrier before it runs.
/// - Bound to no runtime.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weftline::sync::Barrier;
///
/// weftline::run(async {
///     let barrier = Arc::new(Barrier::new(3));
///     let tasks: Vec<_> = (0..3)
///         .map(|_| {
///             let barrier = barrier.clone();
///             weftline::spawn(async move { barrier.wait().await.unwrap() })
///         })
///         .collect();
///     let mut numbers = Vec::new();
///     for task in tasks {
///         numbers.push(task.await.unwrap());
///     }
///     numbers.sort();
///     assert_eq!(numbers, [0, 1, 2]);
/// });
/// ```
pub struct Barrier {
    /// Those who wait.
    state: Mutex<State>,
    /// How many go on together.
    parties: usize,
}

/// What the lock protects.
struct State {
    /// Those who have come in this round, in their order.
    row: Row<Result<usize, BrokenBarrier>>,
    /// How many go on together.
    parties: usize,
    /// Nobody waits, until it is reset.
    broken: bool,
}

impl Barrier {
    /// A barrier for so many.
    ///
    /// # Panics
    ///
    /// If there are none.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Barrier;
    ///
    /// let barrier = Barrier::new(3);
    /// assert_eq!((barrier.parties(), barrier.n_waiting()), (3, 0));
    /// ```
    #[must_use]
    pub fn new(parties: usize) -> Self {
        assert!(parties > 0, "parties is 0, but at least 1 is needed");
        let state = State { row: Row::new(), parties, broken: false };
        Self { state: Mutex::new(state), parties }
    }

    /// Waits until all parties have come; gives the number of this one among them.
    ///
    /// # Errors
    ///
    /// If the barrier is broken, or is broken or reset while this waits.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, it has not come.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Barrier;
    ///
    /// weftline::run(async {
    ///     let barrier = Barrier::new(1);
    ///     assert_eq!(barrier.wait().await, Ok(0));
    ///     barrier.abort();
    ///     assert!(barrier.wait().await.is_err());
    /// });
    /// ```
    pub async fn wait(&self) -> Result<usize, BrokenBarrier> {
        poll_fn(budget::poll_proceed).await;
        Told::new(&self.state, ()).await
    }

    /// As [`wait`](Self::wait), and blocks the calling thread meanwhile. For plain threads: on a
    /// worker it keeps the worker from running anything else, the other parties perhaps included.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Barrier;
    ///
    /// let barrier = Barrier::new(2);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| barrier.wait_blocking().unwrap());
    ///     barrier.wait_blocking().unwrap();
    /// });
    /// ```
    pub fn wait_blocking(&self) -> Result<usize, BrokenBarrier> {
        drive(pin!(self.wait()), None).expect("without a deadline the wait ends with the result")
    }

    /// Begins a new round; those who wait get an error. A barrier that was broken is so no more.
    pub fn reset(&self) {
        self.give_up(false);
    }

    /// Breaks the barrier: those who wait get an error, and so does whoever comes, until it is
    /// [reset](Self::reset). For one of the parties that finds out that it will not come.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Barrier;
    ///
    /// let barrier = Barrier::new(2);
    /// barrier.abort();
    /// assert!(barrier.is_broken() && barrier.wait_blocking().is_err());
    /// barrier.reset();
    /// assert!(!barrier.is_broken());
    /// ```
    pub fn abort(&self) {
        self.give_up(true);
    }

    fn give_up(&self, broken: bool) {
        let mut calls = Calls::default();
        let mut state = self.state.lock();
        state.broken = broken;
        while state.row.tell_first(Err(BrokenBarrier(())), &mut calls) {}
        drop(state); // those who are called are foreign code
    }

    /// How many go on together.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// How many have come in this round, and wait.
    #[must_use]
    pub fn n_waiting(&self) -> usize {
        self.state.lock().row.waiting()
    }

    /// Whether it was broken by [`abort`](Self::abort), and not reset since.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.state.lock().broken
    }
}

impl HasRow for State {
    type News = Result<usize, BrokenBarrier>;
    type Ticket = ();

    fn row(&mut self) -> &mut Row<Self::News> {
        &mut self.row
    }

    fn admit(&mut self, _ticket: (), calls: &mut Calls) -> Option<Self::News> {
        if self.broken {
            return Some(Err(BrokenBarrier(())));
        }
        let last = self.parties - 1;
        if self.row.waiting() < last {
            return None;
        }
        for number in 0..last {
            self.row.tell_first(Ok(number), calls);
        }
        Some(Ok(last))
    }

    fn left(&mut self, _news: Option<Self::News>, _calls: &mut Calls) {}
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("n_waiting", &self.n_waiting())
            .field("is_broken", &self.is_broken())
            .finish()
    }
}

/// The [`Barrier`] was broken, or reset while somebody waited: not all parties came.
///
/// # Examples
///
/// ```
/// use weftline::sync::Barrier;
///
/// let barrier = Barrier::new(2);
/// barrier.abort();
/// let error = barrier.wait_blocking().unwrap_err();
/// assert_eq!(error.to_string(), "the barrier was broken before all parties came");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenBarrier(());

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was broken before all parties came")
    }
}

impl Error for BrokenBarrier {}
