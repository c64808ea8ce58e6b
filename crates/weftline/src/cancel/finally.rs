//! A clean-up that runs however a future ends.

use crate::task::CaughtPanic;
use crate::task::region::{Catching, Caught, Deliveries};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Runs a future and then a clean-up: when the future has given its value, when it was asked to
/// end, and when it panicked. The value, the request or the panic then goes on.
///
/// The clean-up of a task that was [cancelled](crate::Task::cancel) before it began does not run, since
/// nothing of such a task does: open what is to be closed inside of the task.
///
/// A second request that arrives while the clean-up is suspended ends the clean-up, as it ends any
/// other code; put it into [`uncancellable`](crate::uncancellable) where it must be finished.
///
/// # Cancel safety
///
/// Dropping it, as the loser of a race for example, drops future and clean-up: nothing can await in
/// a destructor. Limits and requests to end do not drop it before the clean-up is done.
///
/// # Panics
///
/// When the future or the clean-up does.
///
/// # Examples
///
/// ```
/// use std::future::pending;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::time::Duration;
/// use weftline::{finally, time};
///
/// weftline::run(async {
///     let closed = Arc::new(AtomicBool::new(false));
///     let flag = closed.clone();
///     let work = finally(pending::<()>(), async move {
///         weftline::yield_now().await;
///         flag.store(true, Ordering::Relaxed);
///     });
///     assert!(time::timeout(Duration::from_millis(1), work).await.is_err());
///     assert!(closed.load(Ordering::Relaxed));
/// });
/// ```
pub fn finally<F, C>(future: F, cleanup: C) -> Finally<F::IntoFuture, C::IntoFuture>
where
    F: IntoFuture,
    C: IntoFuture<Output = ()>,
{
    Finally {
        future: Some(future.into_future()),
        cleanup: Some(cleanup.into_future()),
        outcome: None,
        catching: Catching::default(),
    }
}

/// How a future ended.
pub(super) enum Outcome<T> {
    /// By a value.
    Value(T),
    /// By requests: one, unless a clean-up was asked to end as well.
    Cancelled(Deliveries),
    /// By a panic.
    Panicked(CaughtPanic),
}

impl<T> Outcome<T> {
    /// Polls `future` to its end, which empties its place.
    pub(super) fn poll_end<F>(
        mut place: Pin<&mut Option<F>>,
        catching: &mut Catching,
        cx: &mut Context<'_>,
    ) -> Poll<Self>
    where
        F: Future<Output = T>,
    {
        let future = place.as_mut().as_pin_mut().expect("it is polled until it has ended");
        let polled = catch_unwind(AssertUnwindSafe(|| catching.poll(cx, |cx| future.poll(cx))));
        let outcome = match polled {
            Ok(Caught::Pending) => return Poll::Pending,
            Ok(Caught::Ready(value)) => Outcome::Value(value),
            Ok(Caught::Delivered(delivery)) => Outcome::Cancelled(delivery.into()),
            Err(payload) => Outcome::Panicked(CaughtPanic::here(payload)),
        };
        match catch_unwind(AssertUnwindSafe(|| place.set(None))) {
            Ok(()) => Poll::Ready(outcome),
            Err(payload) => Poll::Ready(Outcome::Panicked(CaughtPanic::here(payload))),
        }
    }

    /// Goes on with it: gives the value, hands the request on, raises the panic.
    pub(super) fn resume(place: &mut Option<Self>) -> Poll<T> {
        match place.take().expect("it has ended, and is polled until it is ready") {
            Outcome::Value(value) => Poll::Ready(value),
            Outcome::Cancelled(mut deliveries) => {
                deliveries.renew();
                *place = Some(Outcome::Cancelled(deliveries));
                Poll::Pending
            }
            Outcome::Panicked(panic) => panic.resume(),
        }
    }
}

pin_project! {
    /// A future with a clean-up; made by [`finally()`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Finally<F: Future, C> {
        // What is run; gone once it has ended.
        #[pin]
        future: Option<F>,
        // What follows; gone once it is done.
        #[pin]
        cleanup: Option<C>,
        // How it ended.
        outcome: Option<Outcome<F::Output>>,
        // What catches requests while it runs.
        catching: Catching,
    }
}

impl<F: Future, C: Future<Output = ()>> Future for Finally<F, C> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if this.future.is_some() {
            *this.outcome = Some(ready!(Outcome::poll_end(this.future, this.catching, cx)));
        }
        if let Some(cleanup) = this.cleanup.as_mut().as_pin_mut() {
            ready!(cleanup.poll(cx));
            this.cleanup.set(None);
        }
        Outcome::resume(this.outcome)
    }
}

impl<F: Future, C> fmt::Debug for Finally<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finally").field("ended", &self.outcome.is_some()).finish_non_exhaustive()
    }
}
