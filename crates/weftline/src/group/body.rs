//! The body's side of a group: it runs the body, waits for the children, and hands on what was
//! asked of it meanwhile.

use super::Group;
use super::error::{Failure, GroupError};
use super::shared::{End, Shared};
use crate::task::region::{Catching, Caught, Deliveries, Inside, Leaf, Region};
use crate::task::{CaughtPanic, Payload};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

/// Runs a body that may spawn children, and ends when all of them have ended.
///
/// The children are tasks, which run in parallel; the body gets a [`Group`] to spawn them with,
/// and may clone it into them, so that they spawn more. As asyncio's task group, and as
/// `std::thread::scope` for threads.
///
/// - The **first error**, of the body or of a child, asks all others to end. They are waited for,
///   and then everything that failed is the [`GroupError`].
/// - A child that is **cancelled** by itself is no error.
/// - A **panic** asks all others to end as well, and goes on when they have.
/// - A **request to end** from outside (the task is cancelled, a limit around the group is over)
///   reaches body and children; when all have ended it goes on. Where something failed meanwhile,
///   the error is returned first, and the request comes at the next suspension.
/// - [`Group::cancel`] ends a group early. A body that has its value by then keeps it.
///
/// Once the group is ending, it takes no more children.
///
/// Where nothing else says of what type the errors are, as with `?` after the group, its body does:
/// `Ok::<_, io::Error>(value)`.
///
/// # Errors
///
/// All that failed in the group, or that it was cancelled by [`Group::cancel`] before its body had
/// a value.
///
/// # Panics
///
/// When the body or a child did: the first panic goes on. Errors are dropped then, and other
/// panics [reported](crate::runtime::Builder::on_unhandled).
///
/// # Cancel safety
///
/// Requests to end wait for body and children, also when several come. Dropping the future, as the
/// loser of a selecting macro for example, drops the body and asks the children to end, which nobody can
/// wait for then.
///
/// # Examples
///
/// ```
/// use std::num::ParseIntError;
/// use weftline::{GroupError, group};
///
/// async fn sum(words: Vec<String>) -> Result<u32, GroupError<ParseIntError>> {
///     group(|g| async move {
///         let mut numbers = Vec::new();
///         for word in words {
///             numbers.push(g.spawn(async move { word.parse::<u32>() }));
///         }
///         let mut sum = 0;
///         for number in numbers {
///             // A child that failed is not worth a word here: the group has its error.
///             sum += number.await.unwrap_or_default();
///         }
///         Ok(sum)
///     })
///     .await
/// }
///
/// let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
/// assert_eq!(weftline::run(sum(words("1 2 3"))).unwrap(), 6);
/// let error = weftline::run(sum(words("1 x"))).unwrap_err();
/// assert_eq!(error.to_string(), "1 error in a group: invalid digit found in string");
/// ```
pub async fn group<T, E, B, F>(body: B) -> Result<T, GroupError<E>>
where
    B: FnOnce(Group<E>) -> F,
    F: Future<Output = Result<T, E>>,
    E: Send + 'static,
{
    let shared = Arc::new(Shared::new());
    let mut side = BodySide::new(shared.clone());
    let mut body = pin!(Some(async move { body(Group::new(shared)).await }));
    let mut value = poll_fn(|cx| side.poll_body(body.as_mut(), cx)).await;
    poll_fn(|cx| side.poll_end(&mut value, cx)).await
}

/// What the body's side keeps between two polls.
struct BodySide<E> {
    shared: Arc<Shared<E>>,
    /// What is asked to end when the group is aborted: the body.
    region: Region,
    /// Where requests from outside are caught while the body runs.
    around: Catching,
    /// Where they are delivered while the children are waited for.
    leaf: Leaf,
    /// What was delivered to the group, and is handed on when all have ended.
    caught: Deliveries,
}

impl<E> BodySide<E> {
    fn new(shared: Arc<Shared<E>>) -> Self {
        Self {
            shared,
            region: Region::default(),
            around: Catching::default(),
            leaf: Leaf::default(),
            caught: Deliveries::default(),
        }
    }

    /// Polls the body to its end: with its value, if it has one.
    fn poll_body<T, F>(
        &mut self,
        mut place: Pin<&mut Option<F>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<T>>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.shared.register(cx.waker());
        if self.shared.is_closed() {
            self.region.ask();
        }
        let body = place.as_mut().as_pin_mut().expect("it is polled until it has ended");
        let (region, around) = (&mut self.region, &mut self.around);
        // What is asked of this region stops here; what comes from outside is caught around it.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            around.poll(cx, |cx| match region.poll(None, cx, |cx| body.poll(cx)) {
                Inside::Ready(output) => Poll::Ready(Some(output)),
                Inside::Ended => Poll::Ready(None),
                Inside::Pending { .. } => Poll::Pending,
            })
        }));
        let mut value = None;
        match polled {
            Ok(Caught::Pending) => return Poll::Pending,
            Ok(Caught::Ready(Some(Ok(output)))) => value = Some(output),
            Ok(Caught::Ready(Some(Err(error)))) => {
                self.shared.body_failed(End::Failed(Failure::Error(error)));
            }
            // Code that was about to answer a request from outside is dropped with the body.
            Ok(Caught::Ready(None)) => {
                self.region
                    .unanswered()
                    .into_iter()
                    .for_each(|delivery| self.caught.keep(delivery));
            }
            Ok(Caught::Delivered(delivery)) => {
                self.caught.keep(delivery);
                self.shared.abort();
            }
            Err(payload) => self.body_panicked(payload),
        }
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| place.set(None))) {
            self.body_panicked(payload);
        }
        Poll::Ready(value)
    }

    fn body_panicked(&self, payload: Payload) {
        self.shared.body_failed(End::Panicked(CaughtPanic::here(payload)));
    }

    /// Waits for the children.
    fn poll_end<T>(
        &mut self,
        value: &mut Option<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, GroupError<E>>> {
        self.shared.register(cx.waker());
        let Some(outcome) = self.shared.try_end() else {
            if let Some(delivery) = self.leaf.deliver_here(cx) {
                self.caught.keep(delivery);
                self.shared.abort();
            }
            return Poll::Pending;
        };
        let has_failed = outcome.panic.is_some() || !outcome.failures.is_empty();
        if !has_failed && self.caught.hand_on(cx.waker()) {
            return Poll::Pending;
        }
        self.caught.put_back();
        if let Some(panic) = outcome.panic {
            panic.resume();
        }
        Poll::Ready(match value.take() {
            Some(value) if outcome.failures.is_empty() => Ok(value),
            _ => Err(GroupError::new(outcome.failures)),
        })
    }
}

impl<E> Drop for BodySide<E> {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}
