//! Catching a request to end, and handing it on.

use crate::fork;
use crate::task::region::{self, Catching, Caught, Delivery};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs a future, and catches a request to end that is delivered while it is suspended.
///
/// The future is then dropped, and the request is the error: code after it may clean up, awaiting
/// what it likes, and end by [`Cancelled::resume`]; or go on as if nothing had happened, after
/// [`Task::uncancel`](crate::Task::uncancel).
///
/// What is caught is a request made of the task, or of a region around this one: a limit that is
/// over, a group that ends. Only requests made of the *task* are counted: what a limit or a group
/// asks needs no taking back, and `uncancel` would take back somebody else's.
///
/// # Cancel safety
///
/// Dropping it drops the future inside; no request is lost.
///
/// # Examples
///
/// ```
/// use std::future::pending;
/// use weftline::catch_cancel;
///
/// weftline::run(async {
///     let task = weftline::spawn(async {
///         match catch_cancel(pending::<()>()).await {
///             Ok(()) => unreachable!(),
///             Err(cancelled) => {
///                 weftline::yield_now().await; // clean-up may await
///                 cancelled.resume().await
///             }
///         }
///     });
///     # while task.task().status() != weftline::task::Status::Waiting { weftline::yield_now().await }
///     task.cancel_with("closing time");
///     let error = task.await.unwrap_err();
///     assert_eq!(error.cancel_reason(), Some("closing time"));
/// });
/// ```
pub fn catch_cancel<F: IntoFuture>(future: F) -> CatchCancel<F::IntoFuture> {
    CatchCancel { future: Some(future.into_future()), catching: Catching::default() }
}

pin_project! {
    /// A future that catches requests to end; made by [`catch_cancel`].
    ///
    /// # Panics
    ///
    /// When it is polled after it was ready.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct CatchCancel<F> {
        // What is run; gone once it is ready or a request was caught.
        #[pin]
        future: Option<F>,
        // What catches them.
        catching: Catching,
    }
}

impl<F: Future> Future for CatchCancel<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut place = this.future;
        let future = place.as_mut().as_pin_mut().expect("it is polled until it is ready");
        let result = match this.catching.poll(cx, |cx| future.poll(cx)) {
            Caught::Pending => return Poll::Pending,
            Caught::Ready(value) => Ok(value),
            Caught::Delivered(delivery) => Err(Cancelled(delivery)),
        };
        place.set(None);
        Poll::Ready(result)
    }
}

/// A request to end that was caught.
///
/// Dropping it is ignoring it: the task runs on, and [`Task::cancelling`](crate::Task::cancelling)
/// still counts the request.
///
/// It turns into an [`io::Error`], for `checkpoint()?` in blocking code. In asynchronous code `?` makes
/// a value of the request, which nobody hands on then: use [`resume`](Self::resume).
pub struct Cancelled(pub(super) Delivery);

impl Cancelled {
    /// What was said by whoever made the request; see
    /// [`Task::cancel_with`](crate::Task::cancel_with).
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Hands the request on: to be awaited, which never ends, since the next region around this
    /// one is told in the same poll. As `resume_unwind` for a panic.
    ///
    /// A request that was made of a region which is not around this code any more is handed on to
    /// the task. Outside of a task it only stays pending.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use weftline::catch_cancel;
    ///
    /// weftline::run(async {
    ///     let task = weftline::spawn(async {
    ///         let number: u32 = match catch_cancel(pending()).await {
    ///             Ok(number) => number,
    ///             Err(cancelled) => cancelled.resume().await,
    ///         };
    ///         number
    ///     });
    ///     task.cancel();
    ///     assert!(task.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn resume<T>(self) -> Resume<T> {
        Resume { cancelled: self, output: PhantomData }
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled").field("reason", &self.0.reason).finish()
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "cancelled: {reason}"),
            None => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Cancelled {}

impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> Self {
        io::Error::other(cancelled)
    }
}

/// Hands a request on; made by [`Cancelled::resume`]. Never ready.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Resume<T> {
    /// What is handed on.
    cancelled: Cancelled,
    /// What the code around it asks for, and never gets.
    output: PhantomData<fn() -> T>,
}

impl<T> Future for Resume<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        region::renew(&mut self.cancelled.0);
        Poll::Pending
    }
}

/// Asks whether the task that runs this code was asked to end, for code that computes or blocks
/// and so is never suspended.
///
/// Code inside of a [`join`](crate::join()) lets an idle worker have a part of the work here, too.
/// A request is told once: to the fork that asks first. The others get `Ok`; a loop ends everywhere by
/// [`par::try_for_each`](crate::par::try_for_each), and other forks share a flag that this one sets, or ask
/// whether the task's [`cancelling`](crate::task::Task::cancelling) is above zero.
///
/// # Errors
///
/// The request, which is delivered by that. A blocking job that returns it has returned: its handle
/// gives `Ok(Err(_))`, and not a [`JoinError`](crate::JoinError).
///
/// # Examples
///
/// ```
/// use weftline::Cancelled;
///
/// fn count(up_to: u64) -> Result<u64, Cancelled> {
///     let mut sum = 0;
///     for n in 0..up_to {
///         weftline::checkpoint()?;
///         sum += n;
///     }
///     Ok(sum)
/// }
///
/// weftline::run(async {
///     let job = weftline::spawn_blocking(|| count(100));
///     assert_eq!(job.await.unwrap().unwrap(), 4950);
/// });
/// ```
pub fn checkpoint() -> Result<(), Cancelled> {
    fork::give_if_wanted();
    match region::take_undelivered() {
        None => Ok(()),
        Some(delivery) => Err(Cancelled(delivery)),
    }
}
