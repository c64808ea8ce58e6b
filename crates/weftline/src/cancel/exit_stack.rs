//! Clean-ups that are collected on the way, and run in the reverse order.

use super::finally::Outcome;
use crate::platform::Mutex;
use crate::task::region::Catching;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;

/// A clean-up that has not begun.
type Cleanup = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where code leaves its clean-ups, one by one; given to the body of an [`exit_stack()`]. Cheap to
/// clone.
#[derive(Clone, Default)]
pub struct ExitStack {
    /// What is to run, the last one first.
    cleanups: Arc<Mutex<Vec<Cleanup>>>,
}

impl ExitStack {
    /// Adds a clean-up, which runs before those that were added earlier.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::run(weftline::exit_stack(|stack| async move {
    ///     stack.push(async { println!("last") });
    ///     stack.push(async { println!("first") });
    /// }));
    /// ```
    pub fn push(&self, cleanup: impl Future<Output = ()> + Send + 'static) {
        self.cleanups.lock().push(Box::pin(cleanup));
    }

    /// Moves all clean-ups into a stack of their own, which runs nothing by itself: for code that
    /// has succeeded, and leaves the cleaning up to somebody else. See [`unwind`](Self::unwind).
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::exit_stack;
    ///
    /// weftline::run(async {
    ///     let later = exit_stack(|stack| async move {
    ///         stack.push(async { println!("closed") });
    ///         stack.pop_all()
    ///     })
    ///     .await;
    ///     println!("still open");
    ///     later.unwind().await;
    /// });
    /// ```
    #[must_use = "what is not unwound is not cleaned up"]
    pub fn pop_all(&self) -> ExitStack {
        let cleanups = mem::take(&mut *self.cleanups.lock());
        ExitStack { cleanups: Arc::new(Mutex::new(cleanups)) }
    }

    /// How many clean-ups are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cleanups.lock().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cleanups.lock().is_empty()
    }

    /// Runs the clean-ups, the last one first, those that are added meanwhile included. One that
    /// panics, or that a request to end interrupts, does not keep the others from running: the
    /// last panic or request goes on afterwards.
    ///
    /// # Panics
    ///
    /// When one of them did.
    pub async fn unwind(&self) {
        self.unwind_after(Outcome::Value(())).await;
    }

    /// Runs the clean-ups after a body that ended by `outcome`, and goes on with that.
    async fn unwind_after<T>(&self, mut outcome: Outcome<T>) -> T {
        while let Some(cleanup) = self.pop() {
            let mut cleanup = pin!(Some(cleanup));
            let mut catching = Catching::default();
            match poll_fn(|cx| Outcome::poll_end(cleanup.as_mut(), &mut catching, cx)).await {
                Outcome::Value(()) => {}
                Outcome::Panicked(panic) => outcome = Outcome::Panicked(panic),
                Outcome::Cancelled(more) => match &mut outcome {
                    Outcome::Value(_) => outcome = Outcome::Cancelled(more),
                    Outcome::Cancelled(kept) => kept.keep_all(more),
                    // A panic goes before a request.
                    Outcome::Panicked(_) => {}
                },
            }
        }
        let mut outcome = Some(outcome);
        poll_fn(|_| Outcome::resume(&mut outcome)).await
    }

    fn pop(&self) -> Option<Cleanup> {
        self.cleanups.lock().pop()
    }
}

impl fmt::Debug for ExitStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExitStack").field("len", &self.len()).finish()
    }
}

/// Runs a body that may leave clean-ups on a stack, and then those, the last one first: when the
/// body has given its value, when it was asked to end, and when it panicked. As
/// [`finally`](crate::finally), for clean-ups that are not known beforehand. (As the
/// asynchronous exit stack of Python's context library.)
///
/// # Cancel safety
///
/// Dropping it drops the body and the clean-ups.
///
/// # Panics
///
/// When the body or a clean-up does.
///
/// # Examples
///
/// ```
/// use weftline::exit_stack;
///
/// async fn open(name: &'static str, stack: &weftline::ExitStack) {
///     println!("{name} is open");
///     stack.push(async move { println!("{name} is closed") });
/// }
///
/// let both = weftline::run(exit_stack(|stack| async move {
///     open("door", &stack).await;
///     open("window", &stack).await;
///     stack.len()
/// }));
/// assert_eq!(both, 2);
/// ```
pub async fn exit_stack<F: Future>(body: impl FnOnce(ExitStack) -> F) -> F::Output {
    let stack = ExitStack::default();
    let mut body = pin!(Some(body(stack.clone())));
    let mut catching = Catching::default();
    let outcome = poll_fn(|cx| Outcome::poll_end(body.as_mut(), &mut catching, cx)).await;
    stack.unwind_after(outcome).await
}
