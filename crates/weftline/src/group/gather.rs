//! Gathering: futures as tasks, and their values in the order of the futures.

use super::task_set::{Ended, TaskSet};
use crate::platform::Mutex;
use crate::task::region::{Deliveries, Leaf};
use crate::task::{CaughtPanic, JoinError};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Runs all futures as tasks, and gives their values in the order of the futures.
///
/// The tasks run from this call on. The first error, or panic, is given at once; the other tasks
/// run on, and what they give is lost: a [`group`](crate::group()) ends them, and gives all errors.
/// A request to end that reaches whoever awaits this is passed on to all tasks, and comes back when
/// all have ended; if one fails by it, its error is given, and the request comes at the next
/// suspension.
///
/// # Errors
///
/// The first error that a future gives. A task that somebody else cancelled is an error as well,
/// which is why `E` is made from [`JoinError`]: `Box<dyn Error + Send + Sync>` and `io::Error` are,
/// and an enum of your own needs a variant for it.
///
/// # Panics
///
/// Outside of a runtime. When awaited: when one of the futures did.
///
/// # Cancel safety
///
/// Dropping it detaches the tasks.
///
/// # Examples
///
/// ```
/// use std::io;
/// use weftline::group::gather;
///
/// async fn count(path: &'static str) -> io::Result<usize> {
///     weftline::spawn_blocking(move || Ok(std::fs::read_dir(path)?.count())).await?
/// }
///
/// async fn counts() -> io::Result<Vec<usize>> {
///     gather(["/", "."].map(count)).await
/// }
///
/// assert_eq!(weftline::run(counts()).unwrap().len(), 2);
/// ```
#[track_caller]
pub fn gather<I, T, E>(futures: I) -> Gather<T, E>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let tasks = Tasks::spawn(futures);
    let values = (0..tasks.set.len()).map(|_| None).collect();
    Gather { tasks, values, failure: None, cancelled: None }
}

/// The tasks that are gathered, and what was asked of whoever awaits them.
struct Tasks<T> {
    set: TaskSet<T>,
    /// Requests that were passed on to the tasks, and come back when these have ended.
    asked: Deliveries,
    /// Where requests are delivered.
    leaf: Leaf,
}

impl<T: Send + 'static> Tasks<T> {
    #[track_caller]
    fn spawn<I>(futures: I) -> Self
    where
        I: IntoIterator,
        I::Item: Future<Output = T> + Send + 'static,
    {
        let mut set = TaskSet::new();
        for future in futures {
            set.spawn(future);
        }
        Self { set, asked: Deliveries::default(), leaf: Leaf::default() }
    }

    /// The next task that has ended. A request that is delivered here goes to all of them.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ended<T>>> {
        let polled = self.set.poll_ended(cx);
        if polled.is_pending() {
            if let Some(delivery) = self.leaf.deliver_here(cx) {
                if self.asked.is_empty() {
                    self.set.cancel_all();
                }
                self.asked.keep(delivery);
            }
        }
        polled
    }
}

/// Why gathering has failed.
enum Stopped<E> {
    Failed(E),
    Panicked(CaughtPanic),
}

/// Gathers values; made by [`gather`].
///
/// # Panics
///
/// When it is polled after it was ready.
#[must_use = "futures do nothing unless awaited"]
pub struct Gather<T, E> {
    tasks: Tasks<Result<T, E>>,
    /// The values that are there.
    values: Vec<Option<T>>,
    /// What failed first, while the others are waited for.
    failure: Option<Stopped<E>>,
    /// How a task ended that was asked to end from here: the failure, where nobody takes the request
    /// that is then handed on.
    cancelled: Option<JoinError>,
}

impl<T, E> Unpin for Gather<T, E> {}

impl<T, E> Future for Gather<T, E>
where
    T: Send + 'static,
    E: From<JoinError> + Send + 'static,
{
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some(ended) = ready!(this.tasks.poll_next(cx)) {
            if this.failure.is_some() {
                ended.discard();
                continue;
            }
            let was_asked = !this.tasks.asked.is_empty();
            this.failure = match ended.output {
                Ok(Ok(value)) => {
                    this.values[ended.index] = Some(value);
                    None
                }
                Ok(Err(error)) => Some(Stopped::Failed(error)),
                Err(error) if was_asked && error.is_cancelled() => {
                    this.cancelled.get_or_insert(error);
                    None
                }
                Err(error) => Some(match error.into_panic() {
                    Ok(payload) => Stopped::Panicked(CaughtPanic::of(ended.task, payload)),
                    Err(error) => Stopped::Failed(E::from(error)),
                }),
            };
            if this.failure.is_some() && !was_asked {
                this.tasks.set.detach_all();
            }
        }
        if this.failure.is_none() {
            if this.tasks.asked.hand_on(cx.waker()) {
                return Poll::Pending;
            }
            this.failure = this.cancelled.take().map(|error| Stopped::Failed(E::from(error)));
        }
        this.tasks.asked.put_back();
        match this.failure.take() {
            Some(Stopped::Panicked(panic)) => panic.resume(),
            Some(Stopped::Failed(error)) => Poll::Ready(Err(error)),
            None => {
                let values = this.values.iter_mut().map(Option::take).collect::<Option<_>>();
                Poll::Ready(Ok(values.expect("all have ended, and it is polled until it is ready")))
            }
        }
    }
}

impl<T, E> fmt::Debug for Gather<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("tasks", &self.tasks.set).finish()
    }
}

/// Runs all futures as tasks, waits for all of them, and gives how each ended, in the order of the
/// futures.
///
/// The tasks run from this call on. A request to end that reaches whoever awaits this is passed on
/// to all tasks, and comes back when all have ended.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancel safety
///
/// Dropping it detaches the tasks.
///
/// # Examples
///
/// ```
/// use weftline::group::gather_results;
///
/// weftline::run(async {
///     let results = gather_results((0..3).map(|n| async move { 6 / n })).await;
///     assert!(results[0].as_ref().unwrap_err().is_panic());
///     assert_eq!(*results[2].as_ref().unwrap(), 3);
/// });
/// ```
#[track_caller]
pub fn gather_results<I, T>(futures: I) -> GatherResults<T>
where
    I: IntoIterator,
    I::Item: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let tasks = Tasks::spawn(futures);
    let results = (0..tasks.set.len()).map(|_| None).collect();
    GatherResults { tasks, results }
}

/// Gathers how tasks ended; made by [`gather_results`].
///
/// # Panics
///
/// When it is polled after it was ready.
#[must_use = "futures do nothing unless awaited"]
pub struct GatherResults<T> {
    tasks: Tasks<T>,
    /// Those that have ended.
    results: Vec<Option<Ended<T>>>,
}

impl<T> Unpin for GatherResults<T> {}

impl<T: Send + 'static> Future for GatherResults<T> {
    type Output = Vec<Result<T, JoinError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some(ended) = ready!(this.tasks.poll_next(cx)) {
            let place = ended.index;
            this.results[place] = Some(ended);
        }
        if this.tasks.asked.hand_on(cx.waker()) {
            return Poll::Pending;
        }
        let outputs = this.results.iter_mut().map(|ended| Some(ended.take()?.output));
        let results = outputs.collect::<Option<_>>();
        Poll::Ready(results.expect("all have ended, and it is polled until it is ready"))
    }
}

impl<T> Drop for GatherResults<T> {
    fn drop(&mut self) {
        self.results.iter_mut().filter_map(Option::take).for_each(Ended::discard);
    }
}

impl<T> fmt::Debug for GatherResults<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatherResults").field("tasks", &self.tasks.set).finish()
    }
}

/// A tuple of futures for [`gather!`](crate::gather!).
#[doc(hidden)]
pub trait GatherTuple {
    type Values;
    type Error;
    fn gather(self) -> impl Future<Output = Result<Self::Values, Self::Error>> + Send;
}

/// Where a task leaves its value for [`gather!`](crate::gather!).
struct Left<T>(Arc<Mutex<Option<T>>>);

impl<T: Send + 'static> Left<T> {
    fn take(self) -> T {
        self.0.lock().take().expect("the task has ended with a value")
    }
}

/// A future that leaves its value elsewhere.
type Leaving<E> = Pin<Box<dyn Future<Output = Result<(), E>> + Send>>;

fn leaving<T, E, F>(future: F) -> (Left<T>, Leaving<E>)
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
{
    let left = Arc::new(Mutex::new(None));
    let place = left.clone();
    let leaving = async move {
        let value = future.await?;
        *place.lock() = Some(value);
        Ok(())
    };
    (Left(left), Box::pin(leaving))
}

macro_rules! gather_tuple {
    ($($future:ident $value:ident $place:ident),+) => {
        impl<Error, $($future, $value),+> GatherTuple for ($($future,)+)
        where
            Error: From<JoinError> + Send + 'static,
            $($future: Future<Output = Result<$value, Error>> + Send + 'static,
            $value: Send + 'static,)+
        {
            type Values = ($($value,)+);
            type Error = Error;

            #[track_caller]
            fn gather(self) -> impl Future<Output = Result<Self::Values, Error>> + Send {
                #[expect(non_snake_case, reason = "the names of the types serve for the fields")]
                let ($($future,)+) = self;
                $(let $place = leaving($future);)+
                let gathered = gather([$($place.1),+]);
                let places = ($($place.0,)+);
                async move {
                    gathered.await?;
                    let ($($place,)+) = places;
                    Ok(($($place.take(),)+))
                }
            }
        }
    };
}

gather_tuple!(A TA a);
gather_tuple!(A TA a, B TB b);
gather_tuple!(A TA a, B TB b, C TC c);
gather_tuple!(A TA a, B TB b, C TC c, D TD d);
gather_tuple!(A TA a, B TB b, C TC c, D TD d, F TF f);
gather_tuple!(A TA a, B TB b, C TC c, D TD d, F TF f, G TG g);
gather_tuple!(A TA a, B TB b, C TC c, D TD d, F TF f, G TG g, H TH h);
gather_tuple!(A TA a, B TB b, C TC c, D TD d, F TF f, G TG g, H TH h, I TI i);

/// Runs up to eight futures of different types as tasks, and gives their values as a tuple. As
/// [`gather`](fn@crate::group::gather) otherwise.
///
/// # Examples
///
/// ```
/// use std::io;
///
/// async fn both() -> io::Result<(u8, String)> {
///     let (number, text) = weftline::gather!(
///         async { Ok::<_, io::Error>(7) },
///         async { Ok(String::from("seven")) },
///     )
///     .await?;
///     Ok((number, text))
/// }
///
/// assert_eq!(weftline::run(both()).unwrap(), (7, String::from("seven")));
/// ```
#[macro_export]
macro_rules! gather {
    ($($future:expr),+ $(,)?) => {
        $crate::group::GatherTuple::gather(($($future,)+))
    };
}
