//! [`Child`]: the handle of a group's child; and what happens when a child ends.
//!
//! A child is a plain task. Its join handle is kept by a [`Watch`], which is also the waker that
//! the task wakes at its end: there the output is taken apart, the value for whoever awaits the
//! child, the error for the group.

use super::error::Failure;
use super::shared::{End, Place};
use crate::platform::Mutex;
use crate::task::passing::Passing;
use crate::task::region;
use crate::task::{CancelReason, CaughtPanic, Id, JoinError, JoinHandle, Task, assert_not_own};
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// What a child that was refused says of it.
const REFUSED: &str = "its group takes no more children";

/// The handle of a child of a [group](crate::group()): as a future it gives the child's value.
///
/// It need not be kept: the group waits for the child in any case, and has its error. Where there
/// is no value the handle says why: the child was cancelled, or its group did not take it
/// ([`is_cancelled`](JoinError::is_cancelled)); it failed, and the error is the group's
/// ([`is_failed`](JoinError::is_failed)); it panicked.
///
/// With `?` the body fails as well, and the group lists that [`JoinError`] beside the child's own
/// error. To have the child's error alone, wait for the end that it brings about:
/// `let Ok(value) = child.await else { pending().await };`.
///
/// Code that is asked to end while it awaits a child passes that on, as with a
/// [`JoinHandle`].
///
/// # Cancel safety
///
/// A handle that is polled by reference and then left loses nothing.
///
/// # Panics
///
/// When it is polled after it gave the value, and in the child itself, which would never end.
///
/// # Examples
///
/// ```
/// use weftline::{GroupError, group};
///
/// let sum: Result<u32, GroupError<()>> = weftline::run(group(|g| async move {
///     let (a, b) = (g.spawn(async { Ok(1) }), g.spawn(async { Ok(2) }));
///     Ok(a.await.unwrap() + b.await.unwrap())
/// }));
/// assert_eq!(sum.unwrap(), 3);
/// ```
pub struct Child<U> {
    /// Which task it is, or would have been.
    id: Id,
    /// Where its value comes from; none where the group refused it.
    watch: Option<Arc<dyn Watched<U>>>,
    /// A request that reached whoever awaits, and was passed on to the child.
    passing: Passing<Result<U, JoinError>>,
    /// Whether the value was given out.
    taken: bool,
}

impl<U> Child<U> {
    /// The handle of a child that its group did not take.
    pub(super) fn refused() -> Self {
        Self { id: Id::next(), watch: None, passing: Passing::default(), taken: false }
    }

    /// A reference to the task; none where the group did not take the child.
    #[must_use]
    pub fn task(&self) -> Option<Task> {
        self.watch.as_deref().map(|watch| watch.task().clone())
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }

    /// Whether the child has ended, so that awaiting it takes no time.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.watch.as_deref().is_none_or(Watched::has_ended)
    }

    /// Asks this child alone to end; see [`Task::cancel`]. A child that is cancelled is no error
    /// to the group. False: it had ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use weftline::{GroupError, group};
    ///
    /// let done: Result<_, GroupError<()>> = weftline::run(group(|g| async move {
    ///     let child = g.spawn(pending::<Result<(), ()>>());
    ///     child.cancel();
    ///     assert!(child.await.unwrap_err().is_cancelled());
    ///     Ok("not disturbed")
    /// }));
    /// assert_eq!(done.unwrap(), "not disturbed");
    /// ```
    pub fn cancel(&self) -> bool {
        self.watch.as_deref().is_some_and(|watch| watch.task().cancel())
    }

    /// As [`cancel`](Self::cancel), and says why; see [`Task::cancel_with`].
    pub fn cancel_with(&self, reason: impl Into<Cow<'static, str>>) -> bool {
        self.watch.as_deref().is_some_and(|watch| watch.task().cancel_with(reason))
    }
}

impl<U> Unpin for Child<U> {}

impl<U> Drop for Child<U> {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.as_deref().filter(|_| !self.taken) {
            watch.forget();
        }
    }
}

impl<U> Future for Child<U> {
    type Output = Result<U, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        assert!(!this.taken, "a `Child` was polled after it gave its value");
        let returned = this.passing.poll_returned(cx);
        let polled = returned.unwrap_or_else(|| match &this.watch {
            None => Poll::Ready(Err(JoinError::cancelled(this.id, None, Some(REFUSED.into())))),
            Some(watch) => match watch.poll_value(cx) {
                // The group has perhaps asked the child, and is about to ask whoever awaits it.
                Poll::Ready(value) if value.as_ref().is_err_and(JoinError::is_cancelled) => {
                    this.passing.give_later(value, cx)
                }
                Poll::Ready(value) => this.passing.give(value, false, cx),
                Poll::Pending => Poll::Pending,
            },
        });
        this.taken = polled.is_ready();
        if polled.is_pending() {
            assert_not_own(this.id);
        }
        if polled.is_pending() && !this.is_finished() {
            this.pass_on(cx);
        }
        polled
    }
}

impl<U> Child<U> {
    /// Passes a request that is delivered here on to the child. One that the group has asked to
    /// end already is not asked again: it may be cleaning up.
    fn pass_on(&mut self, cx: &Context<'_>) {
        let Some(watch) = &self.watch else { return };
        let Some(delivery) = self.passing.deliver_here(cx) else { return };
        if watch.pass_on(delivery.reason.clone()) {
            self.passing.hold(delivery);
        } else {
            region::decline(delivery);
        }
    }
}

impl<U> fmt::Debug for Child<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("id", &self.id.get()).field("task", &self.task()).finish()
    }
}

/// A [`Watch`], for those who know no more than the type of the value.
trait Watched<U>: Send + Sync {
    fn task(&self) -> &Task;
    fn has_ended(&self) -> bool;
    fn poll_value(&self, cx: &mut Context<'_>) -> Poll<Result<U, JoinError>>;
    /// Nobody will take the value.
    fn forget(&self);
    /// False: the child cannot answer, being a blocking job.
    fn pass_on(&self, reason: Option<CancelReason>) -> bool;
}

/// Waits for the end of a child. `X` is the error that it may give, `E` that of the group.
struct Watch<U, X, E> {
    /// The child.
    task: Task,
    /// Makes of the child's error what the group keeps; none where that is no failure.
    into_failure: fn(X) -> Option<Failure<E>>,
    /// Whether the child is code that can be asked to end.
    can_answer: bool,
    stage: Mutex<Stage<U, X, E>>,
}

/// How far a child has come.
enum Stage<U, X, E> {
    /// It runs.
    Running(Running<U, X, E>),
    /// It has ended, and the value was not taken.
    Ended(Result<U, JoinError>),
    /// Nothing is left.
    Taken,
}

/// A child that runs.
struct Running<U, X, E> {
    /// The right to its output.
    handle: JoinHandle<Result<U, X>>,
    /// Its place in the group.
    place: Place<E>,
    /// Wakes whoever awaits it.
    waker: Option<Waker>,
    /// Whether its [`Child`] is there to take the value.
    is_wanted: bool,
}

/// Fills `place` with a new task, and watches over it until it leaves.
pub(super) fn watch<U, X, E>(
    place: Place<E>,
    handle: JoinHandle<Result<U, X>>,
    into_failure: fn(X) -> Option<Failure<E>>,
    can_answer: bool,
) -> Child<U>
where
    U: Send + 'static,
    X: Send + 'static,
    E: Send + 'static,
{
    let (task, id) = (handle.task(), handle.id());
    place.fill(task.clone());
    let stage = Mutex::new(Stage::Running(Running { handle, place, waker: None, is_wanted: true }));
    let watch = Arc::new(Watch { task, into_failure, can_answer, stage });
    watch.look();
    Child { id, watch: Some(watch), passing: Passing::default(), taken: false }
}

impl<U, X, E> Wake for Watch<U, X, E>
where
    U: Send + 'static,
    X: Send + 'static,
    E: Send + 'static,
{
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

impl<U, X, E> Watch<U, X, E>
where
    U: Send + 'static,
    X: Send + 'static,
    E: Send + 'static,
{
    /// Sees whether the child has ended; if not, this is called again when it has.
    fn look(self: &Arc<Self>) {
        let own = Waker::from(self.clone());
        let mut stage = self.stage.lock();
        let Stage::Running(running) = &mut *stage else { return };
        // The waker that is cloned and dropped in here is our own.
        let polled = running.handle.poll_output(&mut Context::from_waker(&own));
        let Poll::Ready(output) = polled else { return };
        let (value, mut end) = self.take_apart(output);
        let (next, unwanted) = if running.is_wanted {
            (Stage::Ended(value), None)
        } else {
            (Stage::Taken, Some(value))
        };
        let Stage::Running(running) = std::mem::replace(&mut *stage, next) else {
            unreachable!("it was running, under this lock");
        };
        drop(stage);
        // Before the group can end: it leaves nothing behind.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(unwanted))) {
            end = End::Panicked(CaughtPanic::of(self.task.clone(), payload));
        }
        // Before whoever awaits it: that may be the body, which is asked to end then.
        running.place.leave(end);
        if let Some(waker) = running.waker {
            waker.wake();
        }
    }

    /// The value for whoever awaits the child, and what the group is told.
    fn take_apart(
        &self,
        output: Result<Result<U, X>, JoinError>,
    ) -> (Result<U, JoinError>, End<E>) {
        let (id, name) = (self.task.id(), self.task.name());
        match output {
            Ok(Ok(value)) => (Ok(value), End::Quiet),
            Ok(Err(error)) => match (self.into_failure)(error) {
                Some(failure) => (Err(JoinError::failed(id, name)), End::Failed(failure)),
                None => (Err(JoinError::cancelled(id, name, None)), End::Quiet),
            },
            Err(error) => {
                let message = error.panic_message().map(str::to_owned);
                match (error.into_panic(), message) {
                    (Ok(payload), message) => {
                        // The payload goes on in the group's task; its text is for the handle.
                        let text = Box::new(message.unwrap_or_default());
                        let panic = CaughtPanic::of(self.task.clone(), payload);
                        (Err(JoinError::panicked(id, name, text)), End::Panicked(panic))
                    }
                    (Err(error), _) => (Err(error), End::Quiet),
                }
            }
        }
    }
}

impl<U, X, E> Watched<U> for Watch<U, X, E>
where
    U: Send + 'static,
    X: Send + 'static,
    E: Send + 'static,
{
    fn task(&self) -> &Task {
        &self.task
    }

    fn has_ended(&self) -> bool {
        !matches!(*self.stage.lock(), Stage::Running(_))
    }

    fn poll_value(&self, cx: &mut Context<'_>) -> Poll<Result<U, JoinError>> {
        // Declared first, so that foreign wakers are dropped after the lock is let go.
        let mut fresh = None;
        loop {
            let mut stage = self.stage.lock();
            match &mut *stage {
                Stage::Running(running) => {
                    if running.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                        return Poll::Pending;
                    }
                    if fresh.is_some() {
                        std::mem::swap(&mut running.waker, &mut fresh);
                        return Poll::Pending;
                    }
                }
                Stage::Ended(_) | Stage::Taken => {
                    let ended = std::mem::replace(&mut *stage, Stage::Taken);
                    let Stage::Ended(value) = ended else {
                        unreachable!("a child has one handle, which takes the value once");
                    };
                    return Poll::Ready(value);
                }
            }
            drop(stage);
            fresh = Some(cx.waker().clone());
        }
    }

    fn forget(&self) {
        let mut stage = self.stage.lock();
        let left = match &mut *stage {
            Stage::Running(running) => {
                running.is_wanted = false;
                (running.waker.take(), None)
            }
            Stage::Ended(_) | Stage::Taken => {
                (None, Some(std::mem::replace(&mut *stage, Stage::Taken)))
            }
        };
        drop(stage);
        drop(left);
    }

    fn pass_on(&self, reason: Option<CancelReason>) -> bool {
        let task = match &*self.stage.lock() {
            Stage::Running(running) => running.place.take_task(),
            Stage::Ended(_) | Stage::Taken => None,
        };
        match (task, reason) {
            (None, _) => {}
            (Some(task), None) => drop(task.cancel()),
            (Some(task), Some(reason)) => drop(task.cancel_with(reason)),
        }
        self.can_answer
    }
}
