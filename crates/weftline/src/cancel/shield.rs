//! Keeping requests to end off: from a task that is awaited, from a part of one's own.

use crate::task::region::Shielding;
use crate::task::{JoinError, JoinHandle};
use pin_project_lite::pin_project;
use std::borrow::BorrowMut;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Awaits a task without passing requests to end on to it: whoever awaits may be cancelled, the
/// task runs on. Its panic is then [reported](crate::runtime::Builder::on_unhandled).
///
/// Takes the handle, or a `&mut` of it, with which it can be awaited again.
///
/// # Errors
///
/// As awaiting the handle.
///
/// # Cancel safety
///
/// Dropping it detaches the task, if the handle was given by value.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::{shield, time};
///
/// weftline::run(async {
///     let mut write = weftline::spawn(async {
///         time::sleep(Duration::from_millis(5)).await;
///         "written"
///     });
///     let waiting = time::timeout(Duration::from_millis(1), shield(&mut write)).await;
///     assert!(waiting.is_err());
///     assert_eq!(write.await.unwrap(), "written");
/// });
/// ```
pub fn shield<T, H: Shieldable<T>>(handle: H) -> Shield<T, H> {
    Shield { handle, output: PhantomData }
}

/// What [`shield`] takes: a [`JoinHandle`], or a `&mut` of one.
///
/// # Examples
///
/// Any other future is to be spawned first:
///
/// ```compile_fail,E0277
/// let _ = weftline::shield(async { 1 });
/// ```
///
/// ```
/// weftline::run(async {
///     let shielded = weftline::shield(weftline::spawn(async { 1 }));
///     assert_eq!(shielded.await.unwrap(), 1);
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handle of a task",
    label = "neither a `JoinHandle` nor a `&mut` of one",
    note = "`spawn` the future and shield its handle, or use `uncancellable`"
)]
pub trait Shieldable<T>: BorrowMut<JoinHandle<T>> + Unpin {}

impl<T> Shieldable<T> for JoinHandle<T> {}
impl<T> Shieldable<T> for &mut JoinHandle<T> {}

/// An awaited task that requests to end do not reach; made by [`shield`].
///
/// # Panics
///
/// When it is polled after it was ready.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Shield<T, H = JoinHandle<T>> {
    /// The task's handle.
    handle: H,
    output: PhantomData<fn() -> T>,
}

impl<T, H: Shieldable<T>> Future for Shield<T, H> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.handle.borrow_mut().poll_output(cx)
    }
}

/// Runs a future that must not be interrupted: requests to end that come from outside wait until
/// it is ready, and are delivered where the code after it suspends.
///
/// It does not stop the future from being dropped, nor a runtime whose grace is over. A time limit
/// around it that is over waits, too: if it limits nothing else, the value comes late, and no error.
///
/// # Cancel safety
///
/// Dropping it drops the future.
///
/// # Examples
///
/// ```
/// use weftline::{task, uncancellable, yield_now};
///
/// weftline::run(async {
///     let task = weftline::spawn(async {
///         task::current().unwrap().cancel();
///         uncancellable(async {
///             yield_now().await;
///             println!("written to the end");
///         })
///         .await;
///         yield_now().await;
///         unreachable!("the request is delivered here");
///     });
///     assert!(task.await.unwrap_err().is_cancelled());
/// });
/// ```
pub fn uncancellable<F: IntoFuture>(future: F) -> Uncancellable<F::IntoFuture> {
    Uncancellable { future: future.into_future(), shielding: Shielding::default() }
}

pin_project! {
    /// A future that requests to end do not interrupt; made by [`uncancellable`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Uncancellable<F> {
        #[pin]
        future: F,
        // What keeps requests off.
        shielding: Shielding,
    }
}

impl<F: Future> Future for Uncancellable<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.shielding.poll(cx, |cx| this.future.poll(cx))
    }
}
