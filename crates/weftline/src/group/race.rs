//! Races: of several futures the first value wins, and the others are asked to end.

use super::error::{Failure, GroupError};
use super::task_set::{Ended, TaskSet};
use crate::task::region::{Deliveries, Leaf};
use crate::task::{CaughtPanic, Id, JoinError};
use crate::time::{now, sleep};
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Runs all futures as tasks; the first value wins. The others are asked to end and waited for, and
/// then the value is given.
///
/// # Errors
///
/// Where no future gives a value: all errors, in the order of the futures. Tasks that somebody else
/// cancelled are not among them.
///
/// # Panics
///
/// Outside of a runtime. When one of the futures does: the others are asked to end and waited for
/// before the panic goes on.
///
/// # Cancel safety
///
/// A request to end is passed on to all tasks, and comes back when they have ended. Dropping the
/// future asks them to end.
///
/// # Examples
///
/// ```
/// use std::future::pending;
/// use weftline::group::race;
///
/// weftline::run(async {
///     let names = ["slow", "quick"].map(|name| async move {
///         if name == "slow" {
///             pending::<()>().await;
///         }
///         Ok::<_, ()>(name)
///     });
///     assert_eq!(race(names).await.unwrap(), "quick");
/// });
/// ```
pub async fn race<I, T, E>(futures: I) -> Result<T, GroupError<E>>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let mut runners = Runners::new();
    for future in futures {
        runners.start(future);
    }
    let race = poll_fn(|cx| runners.poll(cx, |_, _| false)).await;
    let failure = |error| match error {
        Some(RaceError::Failed(error)) => Some(Failure::Error(error)),
        Some(RaceError::Cancelled(_)) | None => None,
    };
    match race.winner {
        Some((_, value)) => Ok(value),
        None => Err(GroupError::new(race.errors.into_iter().filter_map(failure).collect())),
    }
}

/// As [`race`], but with a start one after another: the next one starts when the one that started
/// last has failed, or after `delay` (never, if that is `None`).
///
/// For servers with several addresses, say, of which the first one is preferred.
///
/// # Panics
///
/// As [`race`].
///
/// # Cancel safety
///
/// As [`race`].
///
/// # Examples
///
/// ```
/// use std::future::pending;
/// use std::time::Duration;
/// use weftline::group::staggered_race;
///
/// weftline::run(async {
///     let connect = |name: &'static str| async move {
///         if name == "first" {
///             pending::<()>().await;
///         }
///         Ok::<_, ()>(name)
///     };
///     let starts = ["first", "second", "third"].map(|name| move || connect(name));
///     let race = staggered_race(starts, Some(Duration::from_millis(5))).await;
///     assert_eq!(race.winner, Some((1, "second")));
///     assert_eq!(race.errors.len(), 2);
/// });
/// ```
pub async fn staggered_race<I, C, F, T, E>(starts: I, delay: Option<Duration>) -> Race<T, E>
where
    I: IntoIterator<Item = C>,
    C: FnOnce() -> F,
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let mut starts = starts.into_iter().fuse();
    let mut until_next = sleep(Duration::ZERO);
    let mut runners = Runners::new();
    let mut start_next = |runners: &mut Runners<T, E>, cx: &mut Context<'_>| {
        let is_due = runners.latest.is_none()
            || (delay.is_some() && Pin::new(&mut until_next).poll(cx).is_ready());
        let Some(start) = is_due.then(|| starts.next()).flatten() else { return false };
        runners.start(start());
        if let Some(at) = delay.and_then(|delay| now().checked_add(delay)) {
            until_next.reset(at);
        }
        true
    };
    poll_fn(|cx| runners.poll(cx, &mut start_next)).await
}

/// How a race ended; given by [`staggered_race`].
#[derive(Debug)]
pub struct Race<T, E> {
    /// Which one won, counted from 0, and its value.
    pub winner: Option<(usize, T)>,
    /// For each one that was started, why it gave no value; `None` for the winner.
    pub errors: Vec<Option<RaceError<E>>>,
}

/// Why one in a race gave no value.
#[derive(Debug)]
pub enum RaceError<E> {
    /// It failed.
    Failed(E),
    /// It was cancelled: as a loser, or by somebody else.
    Cancelled(JoinError),
}

impl<E: fmt::Display> fmt::Display for RaceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RaceError::Failed(error) => error.fmt(f),
            RaceError::Cancelled(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for RaceError<E> {}

/// Those in a race.
struct Runners<T, E> {
    /// Those that run.
    set: TaskSet<Result<T, E>>,
    /// Which one each of them is.
    places: HashMap<Id, usize>,
    /// The one that started last, while it has not failed.
    latest: Option<Id>,
    /// What is known of the race.
    race: Race<T, E>,
    /// The first panic.
    panic: Option<CaughtPanic>,
    /// Requests that were passed on to the tasks, and come back when these have ended.
    asked: Deliveries,
    /// Where requests are delivered.
    leaf: Leaf,
}

impl<T: Send + 'static, E: Send + 'static> Runners<T, E> {
    fn new() -> Self {
        Self {
            set: TaskSet::new().cancel_on_drop(),
            places: HashMap::new(),
            latest: None,
            race: Race { winner: None, errors: Vec::new() },
            panic: None,
            asked: Deliveries::default(),
            leaf: Leaf::default(),
        }
    }

    fn start(&mut self, future: impl Future<Output = Result<T, E>> + Send + 'static) {
        let id = self.set.spawn(future).id();
        self.places.insert(id, self.race.errors.len());
        self.race.errors.push(None);
        self.latest = Some(id);
    }

    /// Whether no more are to be started.
    fn is_decided(&self) -> bool {
        self.race.winner.is_some() || self.panic.is_some() || !self.asked.is_empty()
    }

    /// Until all have ended. `start_next` starts one, if that is due: true, it did.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut start_next: impl FnMut(&mut Self, &mut Context<'_>) -> bool,
    ) -> Poll<Race<T, E>> {
        loop {
            while !self.is_decided() && start_next(self, cx) {}
            match self.set.poll_ended(cx) {
                Poll::Ready(Some(ended)) => self.note(ended),
                Poll::Ready(None) => return self.finish(cx),
                Poll::Pending => break,
            }
        }
        if let Some(delivery) = self.leaf.deliver_here(cx) {
            if !self.is_decided() {
                self.set.cancel_all();
            }
            self.asked.keep(delivery);
        }
        Poll::Pending
    }

    /// Notes how one has ended.
    fn note(&mut self, ended: Ended<Result<T, E>>) {
        let id = ended.task.id();
        let place = self.places.remove(&id).expect("it was noted at the start");
        self.latest = self.latest.filter(|latest| *latest != id);
        let was_decided = self.race.winner.is_some() || self.panic.is_some();
        match ended.output {
            Ok(Ok(value)) => {
                self.race.winner.get_or_insert((place, value));
            }
            Ok(Err(error)) => self.race.errors[place] = Some(RaceError::Failed(error)),
            Err(error) => match error.into_panic() {
                Err(error) => self.race.errors[place] = Some(RaceError::Cancelled(error)),
                Ok(payload) if self.panic.is_some() => ended.task.report_panic(payload),
                Ok(payload) => self.panic = Some(CaughtPanic::of(ended.task, payload)),
            },
        }
        let is_decided = self.race.winner.is_some() || self.panic.is_some();
        if is_decided && !was_decided && self.asked.is_empty() {
            self.set.cancel_all();
        }
    }

    /// All have ended.
    fn finish(&mut self, cx: &Context<'_>) -> Poll<Race<T, E>> {
        let has_result = self.race.winner.is_some() || self.panic.is_some();
        if !has_result && self.asked.hand_on(cx.waker()) {
            return Poll::Pending;
        }
        self.asked.put_back();
        if let Some(panic) = self.panic.take() {
            panic.resume();
        }
        Poll::Ready(mem::replace(&mut self.race, Race { winner: None, errors: Vec::new() }))
    }
}
