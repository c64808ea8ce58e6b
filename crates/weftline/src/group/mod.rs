//! Several things at once: groups, gathering, sets of tasks, races.
//!
//! | what | ends when | on the first error |
//! |---|---|---|
//! | [`group`](group()) | body and all children have ended | cancels all, waits, gives all errors |
//! | [`gather()`], [`gather!`](crate::gather!) | all values are there | gives it at once; the others run on |
//! | [`gather_results`] | all have ended | goes on: it is in its slot |
//! | [`TaskSet`], [`as_completed()`] | you say so | hands it out like any output |
//! | [`race()`], [`staggered_race`] | one has a value | goes on, until all have failed |
//!
//! Prefer a group: nothing that it has begun outlives it. The children of all of these are tasks,
//! which run in parallel, so their futures are `Send + 'static`. `docs/groups.md` tells how a group
//! works inside.

mod as_completed;
mod body;
mod child;
mod error;
mod gather;
mod limit;
mod race;
mod ready;
mod shared;
mod task_set;
#[cfg(test)]
mod tests;

pub use as_completed::{AsCompleted, as_completed};
pub use body::group;
pub use child::Child;
pub use error::{Boxed, Failure, GroupError, IntoLeaves, Leaves};
#[doc(hidden)]
pub use gather::GatherTuple;
pub use gather::{Gather, GatherResults, gather, gather_results};
pub use limit::Limit;
pub use race::{Race, RaceError, race, staggered_race};
pub use task_set::{TaskSet, Waited, When};

use crate::task::{Builder, compute, spawn_blocking};
use shared::Shared;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

/// The inside view of a [group](group()): spawns its children. Cheap to clone, and `Send`, so that
/// children may have it.
pub struct Group<E> {
    shared: Arc<Shared<E>>,
}

impl<E> Group<E> {
    fn new(shared: Arc<Shared<E>>) -> Self {
        Self { shared }
    }

    /// Ends the group early: the body and all children are asked to end, and no more are taken.
    /// Nothing happens where the group is ending already.
    ///
    /// The group then gives the value of a body that had it before; otherwise an error that
    /// [`is_cancelled`](GroupError::is_cancelled).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use weftline::{GroupError, group};
    ///
    /// let found: Result<_, GroupError<()>> = weftline::run(group(|g| async move {
    ///     g.spawn(pending::<Result<(), ()>>());
    ///     g.cancel();
    ///     Ok("enough")
    /// }));
    /// assert_eq!(found.unwrap(), "enough");
    /// ```
    pub fn cancel(&self) {
        self.shared.abort();
    }

    /// Whether the group takes no more children: it is ending, or has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }
}

impl<E: Send + 'static> Group<E> {
    /// Spawns a child. An error of it ends the group; its value is what the [`Child`] gives.
    ///
    /// Where the group [is closed](Self::is_closed) the future is dropped unpolled, and the
    /// [`Child`] says so.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::{GroupError, group};
    ///
    /// let sum: Result<u32, GroupError<()>> = weftline::run(group(|g| async move {
    ///     let five = g.spawn(async { Ok(5) });
    ///     Ok(five.await.unwrap() + 1)
    /// }));
    /// assert_eq!(sum.unwrap(), 6);
    /// ```
    #[track_caller]
    pub fn spawn<U, F>(&self, future: F) -> Child<U>
    where
        F: Future<Output = Result<U, E>> + Send + 'static,
        U: Send + 'static,
    {
        self.spawn_with(Builder::new(), future)
    }

    /// As [`spawn`](Self::spawn), with options: a name, or a first poll at once.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::{GroupError, group, task};
    ///
    /// let name: Result<_, GroupError<()>> = weftline::run(group(|g| async move {
    ///     let child = g.spawn_with(task::Builder::new().name("Ann"), async { Ok(()) });
    ///     Ok(child.task().unwrap().name().map(String::from))
    /// }));
    /// assert_eq!(name.unwrap().as_deref(), Some("Ann"));
    /// ```
    #[track_caller]
    pub fn spawn_with<U, F>(&self, builder: Builder, future: F) -> Child<U>
    where
        F: Future<Output = Result<U, E>> + Send + 'static,
        U: Send + 'static,
    {
        match self.shared.enter() {
            Some(place) => child::watch(place, builder.spawn(future), of_error, true),
            None => Child::refused(),
        }
    }

    /// Runs a closure that may block, as a child: see [`spawn_blocking`].
    /// One that has begun is not interrupted by the end of the group, which waits for it.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use weftline::{GroupError, group};
    ///
    /// let count: Result<usize, GroupError<io::Error>> = weftline::run(group(|g| async move {
    ///     let entries = g.spawn_blocking(|| Ok(std::fs::read_dir(".")?.count()));
    ///     // Where it fails, the group has the error: there is nothing to add.
    ///     Ok(entries.await.unwrap_or_default())
    /// }));
    /// assert!(count.unwrap() > 0);
    /// ```
    #[track_caller]
    pub fn spawn_blocking<U, C>(&self, job: C) -> Child<U>
    where
        C: FnOnce() -> Result<U, E> + Send + 'static,
        U: Send + 'static,
    {
        match self.shared.enter() {
            Some(place) => child::watch(place, spawn_blocking(job), of_error, false),
            None => Child::refused(),
        }
    }

    /// Runs a closure that computes on the workers, as a child: see [`compute`](crate::compute()).
    /// One that has begun asks by [`checkpoint`](crate::checkpoint) whether the group ends, which
    /// waits for it. If it then gives that request as its error, the group lists that as any other; give a
    /// value to end without a word.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::{GroupError, checkpoint, group};
    ///
    /// let error: GroupError<&str> = weftline::run(group(|g| async move {
    ///     g.compute(|| {
    ///         while checkpoint().is_ok() {}
    ///         Ok(())
    ///     });
    ///     Err::<(), _>("enough")
    /// }))
    /// .unwrap_err();
    /// assert_eq!(error.to_string(), "1 error in a group: enough");
    /// ```
    #[track_caller]
    pub fn compute<U, C>(&self, job: C) -> Child<U>
    where
        C: FnOnce() -> Result<U, E> + Send + 'static,
        U: Send + 'static,
    {
        match self.shared.enter() {
            Some(place) => child::watch(place, compute(job), of_error, false),
            None => Child::refused(),
        }
    }

    /// Spawns a group as a child. What fails in it stays together in the error of this one, as a
    /// [`Failure::Group`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::group;
    ///
    /// let error = weftline::run(group(|g| async move {
    ///     g.spawn_group(|inner| async move {
    ///         inner.spawn(async { Err::<(), _>("one") });
    ///         Err::<(), _>("two")
    ///     });
    ///     std::future::pending::<Result<(), _>>().await
    /// }))
    /// .unwrap_err();
    /// assert!(error.to_string().starts_with("1 error in a group: ("));
    /// ```
    #[track_caller]
    pub fn spawn_group<U, B, F>(&self, body: B) -> Child<U>
    where
        B: FnOnce(Group<E>) -> F + Send + 'static,
        F: Future<Output = Result<U, E>> + Send + 'static,
        U: Send + 'static,
    {
        match self.shared.enter() {
            Some(place) => child::watch(place, Builder::new().spawn(group(body)), of_group, true),
            None => Child::refused(),
        }
    }

    /// A way to spawn children of which at most `count` run at once, and which makes the spawner
    /// wait for that.
    ///
    /// # Panics
    ///
    /// When `count` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::{GroupError, group};
    ///
    /// let done: Result<(), GroupError<()>> = weftline::run(group(|g| async move {
    ///     let ten = g.limit(10);
    ///     for _ in 0..50 {
    ///         ten.spawn(async { Ok(()) }).await;
    ///     }
    ///     Ok(())
    /// }));
    /// assert!(done.is_ok());
    /// ```
    #[must_use]
    pub fn limit(&self, count: usize) -> Limit<E> {
        Limit::new(self.clone(), count)
    }
}

/// What a group keeps of a child's error.
fn of_error<E>(error: E) -> Option<Failure<E>> {
    Some(Failure::Error(error))
}

/// What a group keeps of the error of a group inside: nothing where that was cancelled alone.
fn of_group<E>(error: GroupError<E>) -> Option<Failure<E>> {
    (!error.is_cancelled()).then_some(Failure::Group(error))
}

impl<E> Clone for Group<E> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<E> fmt::Debug for Group<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("closed", &self.is_closed()).finish()
    }
}
