//! The owned right to a task's output.

use super::current::assert_not_own;
use super::passing::Passing;
use super::raw::RawTask;
use super::region::{self, Delivery, Leaf};
use super::shared::SharedHandle;
use super::{Home, Id, JoinError, Task, drive, harness};
use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::{Pin, pin};
use std::ptr::NonNull;
use std::task::{Context, Poll};
use std::time::Duration;

/// The right to the output of a task. As a future it gives that output, or a [`JoinError`] where
/// the task was cancelled or panicked.
///
/// Dropping it detaches the task, which runs on; a panic that nobody can then read is
/// [reported](crate::runtime::Builder::on_unhandled). See [`cancel_on_drop`](Self::cancel_on_drop)
/// for the other way.
///
/// A task that is asked to end while it awaits a handle passes that on: the task that it waits for is
/// asked to end first, and the request comes back when that has ended, as in asyncio. So does a
/// limit that is over. [`shield`](crate::shield) keeps requests from the awaited task.
///
/// # Cancel safety
///
/// A handle that is polled by reference and then left loses nothing: the output stays until it is
/// taken.
///
/// # Panics
///
/// Polling it after it gave the output panics. So does waiting for it in its own task, which would
/// never end, and in a forked child process, where its runtime has no threads.
///
/// # Examples
///
/// ```
/// weftline::run(async {
///     let handle = weftline::spawn(async { 6 * 7 });
///     assert_eq!(handle.await.unwrap(), 42);
/// });
/// ```
#[must_use = "dropping a `JoinHandle` detaches its task"]
pub struct JoinHandle<T> {
    /// The task; the handle holds a reference.
    task: RawTask,
    /// Whether the output was given out.
    taken: bool,
    /// Whether dropping the handle cancels the task.
    cancel_on_drop: bool,
    /// A request that reached whoever awaits, and was passed on to the task.
    passing: Passing<Result<T, JoinError>>,
    output: PhantomData<T>,
}

#[expect(unsafe_code, reason = "a shared handle gives no access to the output")]
// SAFETY: through `&JoinHandle` one reaches the task's header alone; the output moves out through
// `&mut` or by value, for which `T: Send` is what `Send` asks for.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

// As for `std::thread::JoinHandle`: a panic of the task arrives as an error.
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}
impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// The handle of a new task, whose join reference it takes over.
    ///
    /// # Safety
    ///
    /// The task is new, its output is a `T`, and no other handle is made for it.
    #[expect(unsafe_code, reason = "takes over a reference")]
    pub(super) unsafe fn new(task: RawTask) -> Self {
        Self {
            task,
            taken: false,
            cancel_on_drop: false,
            passing: Passing::default(),
            output: PhantomData,
        }
    }

    /// A reference to the task.
    #[must_use]
    #[expect(unsafe_code, reason = "makes a reference")]
    pub fn task(&self) -> Task {
        // SAFETY: the handle holds a reference.
        unsafe { Task::retained(self.task) }
    }

    /// The task's id.
    #[must_use]
    #[expect(unsafe_code, reason = "reads the header")]
    pub fn id(&self) -> Id {
        // SAFETY: the handle holds a reference.
        unsafe { self.task.header() }.id
    }

    /// Whether the task has ended, so that awaiting it takes no time.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(async {
    ///     let mut handle = weftline::spawn(async {});
    ///     (&mut handle).await.unwrap();
    ///     assert!(handle.is_finished());
    /// });
    /// ```
    #[must_use]
    #[expect(unsafe_code, reason = "reads the header")]
    pub fn is_finished(&self) -> bool {
        // SAFETY: the handle holds a reference.
        unsafe { self.task.header() }.state.load().is_complete()
    }

    /// Asks the task to end; see [`Task::cancel`]. Awaiting the handle afterwards waits until the
    /// task is really gone. False: it had ended.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(async {
    ///     let handle = weftline::spawn(std::future::pending::<()>());
    ///     handle.cancel();
    ///     assert!(handle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    #[expect(unsafe_code, reason = "acts on the task")]
    pub fn cancel(&self) -> bool {
        // SAFETY: the handle holds a reference.
        unsafe { harness::cancel(self.task, None) }
    }

    /// As [`cancel`](Self::cancel), and says why; see [`Task::cancel_with`].
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(async {
    ///     let handle = weftline::spawn(std::future::pending::<()>());
    ///     handle.cancel_with("too late");
    ///     assert_eq!(handle.await.unwrap_err().cancel_reason(), Some("too late"));
    /// });
    /// ```
    #[expect(unsafe_code, reason = "acts on the task")]
    pub fn cancel_with(&self, reason: impl Into<Cow<'static, str>>) -> bool {
        // SAFETY: the handle holds a reference.
        unsafe { harness::cancel(self.task, Some(reason.into())) }
    }

    /// Makes dropping the handle cancel the task instead of detaching it.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(async {
    ///     let handle = weftline::spawn(std::future::pending::<()>()).cancel_on_drop();
    ///     let task = handle.task();
    ///     drop(handle);
    ///     while !task.is_finished() {
    ///         weftline::yield_now().await;
    ///     }
    /// });
    /// ```
    pub fn cancel_on_drop(mut self) -> Self {
        self.cancel_on_drop = true;
        self
    }

    /// Blocks the calling thread until the task has ended. On a worker it keeps that from running
    /// anything else: others take over, a relief worker if need be (see
    /// [`max_relief_workers`](crate::runtime::Builder::max_relief_workers)), but not for tasks that are
    /// pinned to it.
    ///
    /// # Errors
    ///
    /// As awaiting the handle.
    ///
    /// # Panics
    ///
    /// If the output was already taken.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = weftline::Runtime::new()?;
    /// let handle = runtime.spawn(async { "done" });
    /// assert_eq!(handle.wait()?, "done");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(mut self) -> Result<T, JoinError> {
        drive(pin!(poll_fn(|cx| self.poll_output(cx))), None)
            .expect("without a deadline the wait ends with the task")
    }

    /// As [`wait`](Self::wait), for at most `limit`. `None`: the task has not ended; the handle
    /// can be used further.
    ///
    /// # Panics
    ///
    /// If the output was already taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = weftline::Runtime::new()?;
    /// let mut handle = runtime.spawn(std::future::pending::<()>());
    /// assert!(handle.wait_timeout(Duration::from_millis(1)).is_none());
    /// handle.cancel();
    /// assert!(handle.wait().unwrap_err().is_cancelled());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<T, JoinError>> {
        drive(pin!(poll_fn(|cx| self.poll_output(cx))), Some(limit))
    }

    /// Makes a handle that can be cloned and awaited by many; each gets a clone of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(async {
    ///     let first = weftline::spawn(async { 5 }).shared();
    ///     let second = first.clone();
    ///     assert_eq!(first.await.unwrap() + second.await.unwrap(), 10);
    /// });
    /// ```
    pub fn shared(self) -> SharedHandle<T>
    where
        T: Clone,
    {
        SharedHandle::new(self)
    }
}

impl<T, E: fmt::Display> JoinHandle<Result<T, E>> {
    /// Has the task's error reported where nobody reads it, because the handle was dropped: as
    /// [`UnhandledKind::TaskFailed`](super::UnhandledKind), to
    /// [`Builder::on_unhandled`](crate::runtime::Builder::on_unhandled) or standard error. (A panic
    /// that nobody reads is always reported.)
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// let (sender, reports) = mpsc::channel();
    /// let runtime = weftline::Runtime::builder()
    ///     .on_unhandled(move |unhandled| sender.send(unhandled.message().to_owned()).unwrap())
    ///     .build()?;
    /// let task = runtime.spawn(async { Err::<(), _>("disk full") }).report_error();
    /// drop(task);
    /// assert_eq!(reports.recv()?, "disk full");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[expect(unsafe_code, reason = "reads the header")]
    pub fn report_error(self) -> Self {
        // SAFETY: the handle holds a reference.
        let extra = unsafe { self.task.header() }.extra.get_or_make();
        extra.error_finder.get_or_init(|| find_error::<T, E>);
        self
    }
}

/// An [`ErrorFinder`](super::extra::ErrorFinder) for tasks that may fail.
///
/// # Safety
///
/// `output` is a valid pointer to a `Result<T, E>`.
#[expect(unsafe_code, reason = "the type was erased")]
unsafe fn find_error<T, E: fmt::Display>(output: NonNull<()>) -> Option<String> {
    // SAFETY: passed on.
    let output = unsafe { output.cast::<Result<T, E>>().as_ref() };
    output.as_ref().err().map(ToString::to_string)
}

impl<T> JoinHandle<T> {
    /// Polls for the output, and leaves the task alone if a request to end is delivered here.
    #[inline]
    #[expect(unsafe_code, reason = "takes the output")]
    pub(crate) fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        assert!(!self.taken, "a `JoinHandle` was polled after it gave its output");
        // SAFETY: this is the join handle.
        if !unsafe { harness::poll_join(self.task, cx.waker()) } {
            // SAFETY: the handle holds a reference.
            let header = unsafe { self.task.header() };
            // In a forked child nobody would ever wake this.
            header.roster.generation().assert_same_process();
            assert_not_own(header.id);
            return Poll::Pending;
        }
        Poll::Ready(self.take_finished())
    }

    /// The output of a task that has ended, as was seen by an acquiring look.
    #[inline]
    #[expect(unsafe_code, reason = "takes the output")]
    pub(super) fn take_finished(&mut self) -> Result<T, JoinError> {
        assert!(self.is_finished() && !self.taken, "the output is there, and is taken once");
        self.taken = true;
        // SAFETY: complete, not taken before, and `new` promised the type.
        unsafe { harness::take_output(self.task) }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let awaits_only = !self.passing.is_in_use();
        if !awaits_only {
            if let Some(polled) = self.passing.poll_returned(cx) {
                return polled;
            }
        }
        match self.poll_output(cx) {
            Poll::Ready(Ok(value)) if awaits_only => Poll::Ready(Ok(value)),
            Poll::Ready(output) => self.end(output, cx),
            Poll::Pending if awaits_only && Leaf::is_quiet_here(cx) => Poll::Pending,
            Poll::Pending => self.look_for_requests(cx),
        }
    }
}

impl<T> JoinHandle<T> {
    /// The task has ended, perhaps by a request.
    #[cold]
    fn end(
        &mut self,
        output: Result<T, JoinError>,
        cx: &Context<'_>,
    ) -> Poll<Result<T, JoinError>> {
        let is_cancelled = output.as_ref().is_err_and(JoinError::is_cancelled);
        self.passing.give(output, is_cancelled, cx)
    }

    /// The task has not ended: passes the request on that is delivered here.
    #[cold]
    fn look_for_requests(&mut self, cx: &Context<'_>) -> Poll<Result<T, JoinError>> {
        if let Some(delivery) = self.passing.deliver_here(cx) {
            self.pass_on(delivery);
        }
        Poll::Pending
    }
}

impl<T> JoinHandle<T> {
    /// Passes a request on to the task: whoever awaits gets it back when the task has ended. A
    /// blocking job that has begun cannot answer: there it goes on at once.
    #[cold]
    #[expect(unsafe_code, reason = "reads the header")]
    fn pass_on(&mut self, delivery: Delivery) {
        match delivery.reason.clone() {
            Some(reason) => self.cancel_with(reason),
            None => self.cancel(),
        };
        // SAFETY: the handle holds a reference.
        if unsafe { self.task.header() }.home == Home::BLOCKING {
            region::decline(delivery);
        } else {
            self.passing.hold(delivery);
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    #[expect(unsafe_code, reason = "gives the reference back")]
    fn drop(&mut self) {
        if self.cancel_on_drop {
            self.cancel();
        }
        // SAFETY: this is the join handle, and uses the task no more.
        unsafe { harness::drop_join_handle(self.task, self.taken) }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.task()).finish()
    }
}
