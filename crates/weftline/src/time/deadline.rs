//! [`Deadline`]: a limit that can be moved while it runs.

use super::Elapsed;
use super::limited::{Expired, Limited};
use super::sleep::after;
use crate::platform::Mutex;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A limit for one future, which can be read and moved while that runs, from inside and outside.
/// Cheap to clone: clones are the same deadline.
///
/// # Examples
///
/// A limit that begins anew with each step:
///
/// ```
/// use std::time::Duration;
/// use weftline::time::{Deadline, now, sleep};
///
/// let patience = Duration::from_millis(20);
/// weftline::run(async {
///     let deadline = Deadline::after(patience);
///     let steps = async {
///         for _ in 0..5 {
///             sleep(Duration::from_millis(6)).await;
///             deadline.reschedule(Some(now() + patience)).unwrap();
///         }
///     };
///     deadline.limit(steps).await.unwrap();
///     assert!(!deadline.is_expired());
/// });
/// ```
#[derive(Clone)]
pub struct Deadline {
    /// What its clones and its future share.
    shared: Arc<Mutex<Shared>>,
}

/// What the clones of a deadline share.
struct Shared {
    /// When it is; `None` for never.
    when: Option<Instant>,
    /// How far it has come.
    stage: Stage,
    /// The task that runs the future, once that has turned out to be pending.
    waker: Option<Waker>,
}

/// How far a deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No future was given to it.
    Waiting,
    /// Its future runs.
    Running,
    /// It is over, and its future cleans up.
    Expiring,
    /// It is over, and its future has ended.
    Expired,
    /// Its future ended before it was over.
    Finished,
}

impl Deadline {
    /// A deadline `limit` from now; none, where that lies beyond what `Instant` can say.
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        Self::new(after(limit))
    }

    /// A deadline at an instant.
    #[must_use]
    pub fn at(when: Instant) -> Self {
        Self::new(Some(when))
    }

    /// A deadline that is never over unless it is moved.
    #[must_use]
    pub fn never() -> Self {
        Self::new(None)
    }

    fn new(when: Option<Instant>) -> Self {
        let shared = Shared { when, stage: Stage::Waiting, waker: None };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// When it is; `None` for never.
    #[must_use]
    pub fn when(&self) -> Option<Instant> {
        self.shared.lock().when
    }

    /// Whether it was over before its future was ready.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        matches!(self.shared.lock().stage, Stage::Expiring | Stage::Expired)
    }

    /// Moves it, to earlier, later or never (`None`), while its future runs. A deadline in the
    /// past is over when the future next suspends.
    ///
    /// # Errors
    ///
    /// Before its future runs, once it is over, and when the future has ended: the error says which.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::time::Deadline;
    ///
    /// let error = Deadline::never().reschedule(None).unwrap_err();
    /// assert_eq!(error.to_string(), "the deadline cannot be moved: it limits nothing yet");
    /// ```
    pub fn reschedule(&self, when: Option<Instant>) -> Result<(), DeadlineError> {
        let mut shared = self.shared.lock();
        if shared.stage != Stage::Running {
            return Err(DeadlineError { refused: "moved", stage: shared.stage });
        }
        shared.when = when;
        let waker = shared.waker.take();
        drop(shared); // a waker is foreign code
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Runs a future until it is ready or the deadline is over; see [`timeout`](super::timeout()) for
    /// what that does. A deadline limits one future.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] when the deadline is over and the future is still pending.
    ///
    /// # Panics
    ///
    /// If the deadline was given a future before; see [`try_limit`](Self::try_limit). Awaiting the
    /// result panics outside of a runtime once the future is pending.
    ///
    /// # Cancel safety
    ///
    /// Dropping the result drops the future.
    pub fn limit<F: IntoFuture>(&self, future: F) -> WithDeadline<F::IntoFuture> {
        match self.try_limit(future) {
            Ok(limited) => limited,
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`limit`](Self::limit), with an error in place of the panic.
    ///
    /// # Errors
    ///
    /// If the deadline was given a future before.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::time::Deadline;
    ///
    /// weftline::run(async {
    ///     let deadline = Deadline::never();
    ///     assert_eq!(deadline.try_limit(async { 1 })?.await.unwrap(), 1);
    ///     assert!(deadline.try_limit(async { 2 }).is_err());
    ///     Ok::<(), weftline::time::DeadlineError>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn try_limit<F: IntoFuture>(
        &self,
        future: F,
    ) -> Result<WithDeadline<F::IntoFuture>, DeadlineError> {
        let future = future.into_future(); // foreign code: not under the lock
        let mut shared = self.shared.lock();
        if shared.stage != Stage::Waiting {
            return Err(DeadlineError { refused: "given a future", stage: shared.stage });
        }
        shared.stage = Stage::Running;
        let limited = Limited::new(future, shared.when, false);
        let running = Running { shared: self.shared.clone(), when: shared.when };
        Ok(WithDeadline { limited, running })
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared.lock();
        let (when, stage) = (shared.when, shared.stage);
        drop(shared); // whoever writes is foreign code
        f.debug_struct("Deadline").field("when", &when).field("stage", &stage).finish()
    }
}

pin_project! {
    /// A future with a movable limit; made by [`Deadline::limit`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct WithDeadline<F> {
        #[pin]
        limited: Limited<F>,
        running: Running,
    }
}

/// The future's side of a deadline: says when it has ended, dropped included.
struct Running {
    /// What it shares with the clones.
    shared: Arc<Mutex<Shared>>,
    /// The deadline that the limit goes by.
    when: Option<Instant>,
}

impl Running {
    /// Where the deadline was moved, its new place.
    fn moved(&mut self) -> Option<Option<Instant>> {
        let when = self.shared.lock().when;
        (when != self.when).then(|| {
            self.when = when;
            when
        })
    }

    /// The future has ended.
    fn end(&self, stage: Stage) {
        let mut shared = self.shared.lock();
        if matches!(shared.stage, Stage::Running | Stage::Expiring) {
            shared.stage = stage;
        }
        let waker = shared.waker.take();
        drop(shared); // a waker is foreign code
        drop(waker);
    }

    /// The future is pending: whoever moves the deadline is to wake it.
    fn wait(&self, expiring: bool, waker: &Waker) {
        let fresh = waker.clone();
        let mut shared = self.shared.lock();
        if expiring {
            shared.stage = Stage::Expiring;
        }
        let old = shared.waker.replace(fresh);
        drop(shared); // a waker is foreign code
        drop(old);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(Stage::Finished);
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("when", &self.when).finish_non_exhaustive()
    }
}

impl<F: Future> Future for WithDeadline<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            if let Some(when) = this.running.moved() {
                this.limited.as_mut().set_deadline(when);
            }
            let Poll::Ready(result) = this.limited.as_mut().poll(cx) else {
                this.running.wait(this.limited.is_expiring(), cx.waker());
                // Moved by the future itself, or by somebody who had no waker to wake.
                if this.running.shared.lock().when == this.running.when {
                    return Poll::Pending;
                }
                continue;
            };
            let expired = result.is_err();
            this.running.end(if expired { Stage::Expired } else { Stage::Finished });
            return Poll::Ready(result.map_err(|Expired| Elapsed::of_a_deadline()));
        }
    }
}

/// Why a deadline cannot be used so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineError {
    /// What it cannot be.
    refused: &'static str,
    /// How far it has come.
    stage: Stage,
}

impl fmt::Display for DeadlineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.stage {
            Stage::Waiting => "it limits nothing yet",
            Stage::Running => "it limits a future already",
            Stage::Expiring => "it is over, and its future is cleaning up",
            Stage::Expired => "it is over",
            Stage::Finished => "its future has ended",
        };
        write!(f, "the deadline cannot be {}: {why}", self.refused)
    }
}

impl std::error::Error for DeadlineError {}
