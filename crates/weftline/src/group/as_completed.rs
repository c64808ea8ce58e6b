//! [`AsCompleted`]: outputs in the order in which the tasks end.

use super::task_set::TaskSet;
use crate::task::{Id, JoinError};
use futures_core::Stream;
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::iter::{Enumerate, Fuse};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs futures as tasks, and gives their outputs in the order in which they end, each with its
/// place among the futures.
///
/// The tasks run from the first poll on; [`limit`](AsCompleted::limit) keeps most of them waiting.
/// One may stop, and go on later: nothing is lost or repeated. For a limit in time put
/// [`next`](AsCompleted::next) into [`timeout_at`](crate::time::timeout_at).
///
/// # Cancel safety
///
/// Dropping it detaches the tasks, and drops the futures that have not begun.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::group::as_completed;
/// use weftline::time::sleep;
///
/// weftline::run(async {
///     let naps = [20, 1].map(|ms| sleep(Duration::from_millis(ms)));
///     let mut completed = as_completed(naps);
///     assert_eq!(completed.next().await.unwrap().0, 1);
///     assert_eq!(completed.next().await.unwrap().0, 0);
///     assert!(completed.next().await.is_none());
/// });
/// ```
pub fn as_completed<I, T>(futures: I) -> AsCompleted<I::IntoIter, T>
where
    I: IntoIterator,
    I::Item: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    AsCompleted {
        futures: futures.into_iter().fuse().enumerate(),
        limit: usize::MAX,
        set: TaskSet::new(),
        places: HashMap::new(),
    }
}

/// Outputs in the order in which they come; made by [`as_completed`].
#[must_use = "nothing is spawned until it is polled"]
pub struct AsCompleted<I: Iterator, T> {
    /// The futures that have not begun.
    futures: Enumerate<Fuse<I>>,
    /// How many may run at once.
    limit: usize,
    /// Those that run.
    set: TaskSet<T>,
    /// Which future each of them is.
    places: HashMap<Id, usize>,
}

impl<I, T> AsCompleted<I, T>
where
    I: Iterator,
    I::Item: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    /// Lets at most `count` run at once: the next future is taken when one has ended, and its
    /// output was asked for.
    ///
    /// # Panics
    ///
    /// When `count` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::group::as_completed;
    ///
    /// weftline::run(async {
    ///     let mut squares = as_completed((0..100_u32).map(|n| async move { n * n })).limit(4);
    ///     let mut sum = 0;
    ///     while let Some((_, square)) = squares.next().await {
    ///         sum += square.unwrap();
    ///     }
    ///     assert_eq!(sum, 328_350);
    /// });
    /// ```
    pub fn limit(mut self, count: usize) -> Self {
        assert!(count > 0, "the limit is 0, but at least 1 is needed");
        self.limit = count;
        self
    }

    /// Waits for the next output: the place of its future, counted from 0, and how the task ended.
    /// `None` where all were given.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn next(&mut self) -> Option<(usize, Result<T, JoinError>)> {
        poll_fn(|cx| self.poll_completed(cx)).await
    }

    fn poll_completed(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(usize, Result<T, JoinError>)>> {
        while self.set.len() < self.limit {
            let Some((place, future)) = self.futures.next() else { break };
            self.places.insert(self.set.spawn(future).id(), place);
        }
        self.set.poll_ended(cx).map(|ended| {
            let ended = ended?;
            let place = self.places.remove(&ended.task.id()).expect("it was noted at the spawn");
            Some((place, ended.output))
        })
    }
}

impl<I: Iterator, T> Unpin for AsCompleted<I, T> {}

impl<I, T> Stream for AsCompleted<I, T>
where
    I: Iterator,
    I::Item: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    type Item = (usize, Result<T, JoinError>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_completed(cx)
    }
}

impl<I: Iterator, T> fmt::Debug for AsCompleted<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("tasks", &self.set).finish_non_exhaustive()
    }
}
