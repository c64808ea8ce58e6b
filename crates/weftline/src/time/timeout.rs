//! [`Timeout`]: a future with a time limit.
//!
//! Next: `limited`, which does the work.

use super::limited::{Expired, Limited};
use super::sleep::after;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Gives a future `limit` to finish, counted from this call.
///
/// A future that is ready when the limit is over as well keeps its value: it is polled first each
/// time. So a limit of zero asks the future once. A limit that reaches beyond what `Instant` can
/// say (`Duration::MAX`) is none. A future that is ready at once costs no timer, nor does
/// one that is pending only because it lets others run.
///
/// The limit can only be noticed when the future gives its thread back: a future that computes or
/// blocks is not interrupted, nor does [`checkpoint`](crate::checkpoint) in it tell of the limit. Such
/// work belongs into [`compute`](crate::compute), as in the second example.
///
/// A limit that is over is a request to end, made of the future alone (see [`cancel`](crate::cancel)):
/// code in it that [catches](crate::catch_cancel) it, or has a [clean-up](crate::finally), goes
/// first, and a task that it awaits is asked to end and waited for. Of nested limits that are over,
/// the one with the earlier deadline reports; of equal ones the outer one. (In
/// `timeout(limit, timeout(limit, ..))` the inner one is made first, and so is the earlier.) An outer
/// one that is over while the clean-up for the inner one still runs ends that clean-up, and reports.
///
/// # Errors
///
/// [`Elapsed`] when the limit is over and the future is still pending.
///
/// # Panics
///
/// This function does not; awaiting the [`Timeout`] outside of a runtime does, once the future is
/// pending.
///
/// # Cancel safety
///
/// Dropping the timeout drops the future. Give a `&mut` of a future to keep it beyond the limit.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::time::{sleep, timeout};
///
/// weftline::run(async {
///     let quick = timeout(Duration::from_secs(60), async { 7 });
///     assert_eq!(quick.await, Ok(7));
///
///     let slow = timeout(Duration::from_millis(1), sleep(Duration::from_secs(60)));
///     let error = slow.await.unwrap_err();
///     assert_eq!(error.to_string(), "not finished within 1ms");
/// });
/// ```
///
/// Around [`compute`](crate::compute) it asks the closure to end and waits for it, and keeps what that
/// returns. So there are three results in each other: of the limit, the task and the closure. `???`
/// takes all of them:
///
/// ```
/// use std::error::Error;
/// use std::time::Duration;
/// use weftline::time::timeout;
/// use weftline::{Cancelled, checkpoint, compute};
///
/// fn sum(up_to: u64) -> Result<u64, Cancelled> {
///     let mut sum = 0;
///     for n in 1..=up_to {
///         checkpoint()?;
///         sum += n;
///     }
///     Ok(sum)
/// }
///
/// async fn sum_within(limit: Duration, up_to: u64) -> Result<u64, Box<dyn Error>> {
///     Ok(timeout(limit, compute(move || sum(up_to))).await???)
/// }
///
/// weftline::run(async {
///     assert_eq!(sum_within(Duration::from_secs(60), 100).await.unwrap(), 5050);
///
///     let error = sum_within(Duration::from_millis(10), u64::MAX).await.unwrap_err();
///     assert!(error.is::<Cancelled>(), "Elapsed only where it never began");
/// });
/// ```
#[inline]
pub fn timeout<F: IntoFuture>(limit: Duration, future: F) -> Timeout<F::IntoFuture> {
    let deadline = after(limit);
    Timeout {
        limited: Limited::new(future.into_future(), deadline, limit > Duration::ZERO),
        limit: Some(limit),
    }
}

/// Gives a future until `deadline` to finish.
///
/// As [`timeout`], but with an instant: several steps can share one limit.
///
/// # Errors
///
/// [`Elapsed`] when the deadline has come and the future is still pending.
///
/// # Panics
///
/// This function does not; awaiting the [`Timeout`] outside of a runtime does, once the future is
/// pending.
///
/// # Cancel safety
///
/// As [`timeout`].
///
/// # Examples
///
/// ```
/// use std::future::{pending, ready};
/// use std::time::Duration;
/// use weftline::time::{now, timeout_at};
///
/// weftline::run(async {
///     let deadline = now() + Duration::from_millis(1);
///     assert!(timeout_at(deadline, ready(())).await.is_ok());
///     assert!(timeout_at(deadline, pending::<()>()).await.is_err());
/// });
/// ```
#[inline]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { limited: Limited::new(future.into_future(), Some(deadline), false), limit: None }
}

pin_project! {
    /// A future with a time limit; made by [`timeout`] and [`timeout_at`].
    ///
    /// # Panics
    ///
    /// Polling panics outside of a runtime once the inner future is pending.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::time::{Timeout, timeout};
    ///
    /// let limited: Timeout<_> = timeout(Duration::from_secs(1), async { 1 });
    /// assert_eq!(weftline::run(limited), Ok(1));
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Timeout<F> {
        #[pin]
        limited: Limited<F>,
        // What was given, for the error.
        limit: Option<Duration>,
    }
}

impl<F> Timeout<F> {
    /// The future that is limited.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::{Ready, ready};
    /// use std::time::Duration;
    /// use weftline::time::timeout;
    ///
    /// let limited = timeout(Duration::from_secs(1), ready(3));
    /// let _: &Ready<i32> = limited.get_ref();
    /// ```
    pub fn get_ref(&self) -> &F {
        self.limited.get_ref()
    }

    /// The future that is limited, for changing it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::ready;
    /// use std::time::Duration;
    /// use weftline::time::timeout;
    ///
    /// let mut limited = timeout(Duration::from_secs(1), ready(3));
    /// *limited.get_mut() = ready(4);
    /// assert_eq!(weftline::run(limited), Ok(4));
    /// ```
    pub fn get_mut(&mut self) -> &mut F {
        self.limited.get_mut()
    }

    /// The future, without its limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::ready;
    /// use std::time::Duration;
    /// use weftline::time::timeout;
    ///
    /// let limited = timeout(Duration::ZERO, ready(3));
    /// assert_eq!(weftline::run(limited.into_inner()), 3);
    /// ```
    pub fn into_inner(self) -> F {
        self.limited.into_inner()
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.limited.poll(cx);
        polled.map(|value| value.map_err(|Expired| Elapsed { limit: *this.limit }))
    }
}

/// The error of a future that did not finish in time.
///
/// It turns into an `io::Error` of kind `TimedOut`, so that `?` works in functions that return
/// those.
///
/// # Examples
///
/// ```
/// use std::future::pending;
/// use std::io;
/// use std::time::Duration;
/// use weftline::time::timeout;
///
/// async fn read() -> io::Result<()> {
///     timeout(Duration::from_millis(1), pending()).await?
/// }
///
/// let error = weftline::run(read()).unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    /// The limit, unless it was a deadline.
    limit: Option<Duration>,
}

impl Elapsed {
    pub(super) fn of_a_deadline() -> Self {
        Self { limit: None }
    }

    /// The limit that is over; `None` if a deadline was given instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use std::time::Duration;
    /// use weftline::time::timeout;
    ///
    /// let limit = Duration::from_millis(1);
    /// let error = weftline::run(timeout(limit, pending::<()>())).unwrap_err();
    /// assert_eq!(error.limit(), Some(limit));
    /// ```
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Some(limit) => write!(f, "not finished within {limit:?}"),
            None => f.write_str("not finished by the deadline"),
        }
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
