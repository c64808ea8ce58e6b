//! [`TaskSet`]: many tasks of one kind, taken as they end.

use super::ready::Ready;
use crate::task::{Builder, Id, JoinError, JoinHandle, Task, assert_not_own};
use crate::time::timeout;
use futures_core::Stream;
use slab::Slab;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Tasks whose outputs are taken as they end, in that order.
///
/// The end of a task costs the same however many there are. It is also a `Stream`.
///
/// Dropping the set detaches its tasks, as dropping a [`JoinHandle`] does one; see
/// [`cancel_on_drop`](Self::cancel_on_drop). Nothing that is awaited here asks a task to end, but
/// [`shutdown`](Self::shutdown).
///
/// # Panics
///
/// When a task of the set looks for its own end in it, which would never come.
///
/// # Examples
///
/// ```
/// use weftline::group::TaskSet;
///
/// weftline::run(async {
///     let mut set = TaskSet::new();
///     for n in 0..3_u64 {
///         set.spawn(async move { n * n });
///     }
///     let mut sum = 0;
///     while let Some((_id, square)) = set.next().await {
///         sum += square.unwrap();
///     }
///     assert_eq!(sum, 5);
/// });
/// ```
pub struct TaskSet<T> {
    /// The tasks that run, or have ended without being noticed here.
    running: Slab<Running<T>>,
    /// What has ended, in that order, and was not taken.
    ended: VecDeque<Ended<T>>,
    /// How many of those failed.
    failed: usize,
    /// What tells which task has ended.
    ready: Arc<Ready>,
    /// Which values count as failures.
    is_failure: fn(&T) -> bool,
    /// Whether dropping the set asks its tasks to end.
    cancel_on_drop: bool,
}

/// A task that was not seen to end.
struct Running<T> {
    handle: JoinHandle<T>,
    /// Says to [`Ready`] that this one has ended.
    waker: Waker,
}

/// What a task ended by.
pub(super) struct Ended<T> {
    /// The task.
    pub(super) task: Task,
    /// Which one it is, in the order in which they were put in; only while none is taken out
    /// before the last is put in.
    pub(super) index: usize,
    /// Its output.
    pub(super) output: Result<T, JoinError>,
}

/// What [`TaskSet::wait`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A task has ended.
    FirstCompleted,
    /// A task has failed, or all have ended. A panic is a failure; an `Err` is one in a set made
    /// by [`TaskSet::fallible`]; being cancelled is none.
    FirstError,
    /// All have ended.
    All,
}

/// What [`TaskSet::wait`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// How many tasks have ended; [`TaskSet::try_next`] gives them.
    pub done: usize,
    /// How many run.
    pub pending: usize,
}

impl<T> TaskSet<T> {
    /// A set without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self {
            running: Slab::new(),
            ended: VecDeque::new(),
            failed: 0,
            ready: Arc::default(),
            is_failure: |_| false,
            cancel_on_drop: false,
        }
    }

    /// Makes dropping the set ask its tasks to end, instead of detaching them.
    #[must_use]
    pub fn cancel_on_drop(mut self) -> Self {
        self.cancel_on_drop = true;
        self
    }

    /// Adds a task that runs already.
    pub fn insert(&mut self, handle: JoinHandle<T>) -> Task {
        let task = handle.task();
        let entry = self.running.vacant_entry();
        let number = entry.key();
        let waker = self.ready.waker(number);
        entry.insert(Running { handle, waker: waker.clone() });
        // The first look, which leaves the waker with the task.
        waker.wake();
        task
    }

    /// How many tasks are in the set: those that run, and those that were not taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running.len() + self.ended.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tasks that were not seen to end.
    pub fn tasks(&self) -> impl Iterator<Item = Task> {
        self.running.iter().map(|(_, running)| running.handle.task())
    }

    /// Waits for the next task to end: its id and its output, or `None` where no task is left.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn next(&mut self) -> Option<(Id, Result<T, JoinError>)> {
        poll_fn(|cx| self.poll_ended(cx)).await.map(Ended::into_item)
    }

    /// A task that has ended, if there is one; does not wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::group::TaskSet;
    ///
    /// weftline::run(async {
    ///     let mut set = TaskSet::new();
    ///     set.spawn(async { 4 });
    ///     let (_, output) = loop {
    ///         match set.try_next() {
    ///             Some(ended) => break ended,
    ///             None => weftline::yield_now().await,
    ///         }
    ///     };
    ///     assert_eq!(output.unwrap(), 4);
    ///     assert!(set.try_next().is_none());
    /// });
    /// ```
    pub fn try_next(&mut self) -> Option<(Id, Result<T, JoinError>)> {
        match self.poll_ended(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => ended.map(Ended::into_item),
            Poll::Pending => None,
        }
    }

    /// Waits, but for at most `limit`, until so many tasks have ended. It takes nothing out, asks no
    /// task to end, and gives no errors. Where no task runs it is ready at once.
    ///
    /// # Panics
    ///
    /// With a limit, outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use weftline::group::{TaskSet, Waited, When};
    ///
    /// weftline::run(async {
    ///     let mut set = TaskSet::new();
    ///     set.spawn(pending());
    ///     set.spawn(async { 1 });
    ///     let waited = set.wait(When::FirstCompleted, None).await;
    ///     assert_eq!(waited, Waited { done: 1, pending: 1 });
    ///     set.shutdown().await;
    /// });
    /// ```
    pub async fn wait(&mut self, when: When, limit: Option<Duration>) -> Waited {
        let ended = poll_fn(|cx| self.poll_wait(when, cx));
        match limit {
            None => ended.await,
            // What has ended by then was noticed.
            Some(limit) => timeout(limit, ended).await.unwrap_or_default(),
        }
        Waited { done: self.ended.len(), pending: self.running.len() }
    }

    /// Asks all tasks to end. They stay in the set until they are taken.
    pub fn cancel_all(&self) {
        for (_, running) in &self.running {
            running.handle.cancel();
        }
    }

    /// Asks all tasks to end, and waits until they have. What they gave is dropped; panics are
    /// [reported](crate::runtime::Builder::on_unhandled).
    ///
    /// # Cancel safety
    ///
    /// When it is dropped the tasks that have not ended stay in the set.
    pub async fn shutdown(&mut self) {
        self.cancel_all();
        while let Some(ended) = poll_fn(|cx| self.poll_ended(cx)).await {
            ended.discard();
        }
    }

    /// Lets all tasks run on by themselves, and empties the set.
    pub fn detach_all(&mut self) {
        self.failed = 0;
        drop(mem::take(&mut self.running));
        mem::take(&mut self.ended).into_iter().for_each(Ended::discard);
    }
}

impl<T, E> TaskSet<Result<T, E>> {
    /// A set without tasks, in which an `Err` is what [`When::FirstError`] waits for.
    #[must_use]
    pub fn fallible() -> Self {
        let mut set = Self::new();
        set.is_failure = Result::is_err;
        set
    }
}

impl<T: Send + 'static> TaskSet<T> {
    /// Spawns a task into the set.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> Task
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.insert(Builder::new().spawn(future))
    }

    /// As [`spawn`](Self::spawn), with options.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn_with<F>(&mut self, builder: Builder, future: F) -> Task
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.insert(builder.spawn(future))
    }
}

impl<T> TaskSet<T> {
    /// Whether an output is what [`When::FirstError`] waits for.
    fn failed_by(&self, output: &Result<T, JoinError>) -> bool {
        output.as_ref().map_or_else(JoinError::is_panic, self.is_failure)
    }

    /// The last one of all must not be the task that waits for it.
    fn assert_others_run(&self) {
        if self.running.len() == 1 {
            self.tasks().for_each(|task| assert_not_own(task.id()));
        }
    }

    /// Notices one task more that has ended.
    fn poll_notice(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Poll::Ready(index) = self.ready.poll_next(cx) else {
                self.assert_others_run();
                return Poll::Pending;
            };
            let Some(running) = self.running.get_mut(index) else { continue };
            let mut own = Context::from_waker(&running.waker);
            let Poll::Ready(output) = running.handle.poll_output(&mut own) else { continue };
            let task = self.running.remove(index).handle.task();
            self.failed += usize::from(self.failed_by(&output));
            self.ended.push_back(Ended { task, index, output });
            return Poll::Ready(());
        }
    }

    /// The next task that has ended; none where none is left.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ended<T>>> {
        if self.ended.is_empty() && !self.running.is_empty() && self.poll_notice(cx).is_pending() {
            return Poll::Pending;
        }
        let ended = self.ended.pop_front();
        if let Some(ended) = &ended {
            self.failed -= usize::from(self.failed_by(&ended.output));
        }
        Poll::Ready(ended)
    }

    fn poll_wait(&mut self, when: When, cx: &mut Context<'_>) -> Poll<()> {
        // All that have ended, so that the counts are exact.
        while !self.running.is_empty() && self.poll_notice(cx).is_ready() {}
        let enough = match when {
            When::FirstCompleted => !self.ended.is_empty(),
            When::FirstError => self.failed > 0,
            When::All => false,
        };
        if enough || self.running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<T> Ended<T> {
    fn into_item(self) -> (Id, Result<T, JoinError>) {
        (self.task.id(), self.output)
    }

    /// Drops what nobody will read, and reports it if it is a panic.
    pub(super) fn discard(self) {
        if let Some(payload) = self.output.err().and_then(|error| error.into_panic().ok()) {
            self.task.report_panic(payload);
        }
    }
}

impl<T> Stream for TaskSet<T> {
    type Item = (Id, Result<T, JoinError>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_ended(cx).map(|ended| ended.map(Ended::into_item))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl<T> Unpin for TaskSet<T> {}

impl<T> Default for TaskSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + 'static, F> Extend<F> for TaskSet<T>
where
    F: Future<Output = T> + Send + 'static,
{
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        for future in futures {
            self.spawn(future);
        }
    }
}

impl<T> Drop for TaskSet<T> {
    fn drop(&mut self) {
        if self.cancel_on_drop {
            self.cancel_all();
        }
        self.detach_all();
    }
}

impl<T> fmt::Debug for TaskSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSet")
            .field("running", &self.running.len())
            .field("ended", &self.ended.len())
            .finish()
    }
}
