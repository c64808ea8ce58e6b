//! A join handle for many.

use super::passing::Passing;
use super::region::{self, Delivery};
use super::waking::{wake_all, wake_all_for};
use super::{Home, JoinError, JoinHandle, Task};
use crate::platform::Mutex;
use slab::Slab;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

/// What every clone gets: the error cannot be cloned, so it is shared.
type SharedOutput<T> = Result<T, Arc<JoinError>>;

/// A join handle that can be cloned and awaited by many. Made by [`JoinHandle::shared`].
///
/// The task runs on when all clones are dropped.
///
/// A task that is asked to end while it awaits a clone passes that on to the shared task, as with a
/// [`JoinHandle`]. The others who await it then read that it was cancelled, and are not asked to
/// end themselves.
///
/// # Cancel safety
///
/// A clone that is dropped loses nothing: the output is kept for the others.
///
/// # Examples
///
/// ```
/// weftline::run(async {
///     let config = weftline::spawn(async { String::from("config") }).shared();
///     let users: Vec<_> = (0..3)
///         .map(|n| {
///             let config = config.clone();
///             weftline::spawn(async move { format!("{n}: {}", config.await.unwrap()) })
///         })
///         .collect();
///     for (n, user) in users.into_iter().enumerate() {
///         assert_eq!(user.await.unwrap(), format!("{n}: config"));
///     }
/// });
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct SharedHandle<T> {
    /// What the clones share.
    output: Arc<Mutex<Output<T>>>,
    /// The task.
    task: Task,
    /// This clone's place among the waiting, from its first pending poll on.
    place: Option<usize>,
    /// Requests that reached whoever awaits this clone, and were passed on to the task.
    passing: Passing<Arc<SharedOutput<T>>>,
}

enum Output<T> {
    /// The task runs.
    Awaited { handle: JoinHandle<T>, waiting: Slab<Option<Waker>> },
    /// It has ended.
    Given(Arc<SharedOutput<T>>),
}

/// Wakes everybody who waits. Weak, since the task keeps it and is kept by what it points to.
struct WakeAll<T>(Weak<Mutex<Output<T>>>);

impl<T: Send + Sync> Wake for WakeAll<T> {
    fn wake(self: Arc<Self>) {
        let Some(output) = self.0.upgrade() else {
            return;
        };
        let (task, wakers): (_, Vec<_>) = match &mut *output.lock() {
            Output::Awaited { handle, waiting } => {
                (handle.task(), waiting.iter_mut().filter_map(|(_, waker)| waker.take()).collect())
            }
            Output::Given(_) => return,
        };
        // Outside of the lock: a waker is foreign code.
        wake_all_for(&task, wakers);
    }
}

impl<T> SharedHandle<T> {
    pub(super) fn new(handle: JoinHandle<T>) -> Self {
        let task = handle.task();
        let waiting = Slab::new();
        Self {
            output: Arc::new(Mutex::new(Output::Awaited { handle, waiting })),
            task,
            place: None,
            passing: Passing::default(),
        }
    }

    /// A reference to the task.
    #[must_use]
    pub fn task(&self) -> Task {
        self.task.clone()
    }

    /// Passes a request on to the task; see [`JoinHandle`].
    #[cold]
    fn pass_on(&mut self, delivery: Delivery) {
        match delivery.reason.clone() {
            Some(reason) => self.task.cancel_with(reason),
            None => self.task.cancel(),
        };
        if self.task.header().home == Home::BLOCKING {
            region::decline(delivery);
        } else {
            self.passing.hold(delivery);
        }
    }

    fn leave(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        let mut left = None;
        if let Output::Awaited { waiting, .. } = &mut *self.output.lock() {
            left = waiting.try_remove(place);
        }
        drop(left); // outside of the lock: a waker is foreign code
    }
}

impl<T: Clone + Send + Sync + 'static> Future for SharedHandle<T> {
    type Output = SharedOutput<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(polled) = self.passing.poll_returned(cx) {
            return polled.map(|output| (*output).clone());
        }
        let mine = cx.waker().clone();
        let all = Waker::from(Arc::new(WakeAll(Arc::downgrade(&self.output))));
        let this = &mut *self;
        // Wakers and task-local variables are foreign code: outside of the lock.
        let mut mine = Some(mine);
        let looked = this.output.lock().poll(&all, &mut mine, &mut this.place);
        drop((mine, looked.handle));
        wake_all(looked.left);
        let Some(output) = looked.given else {
            if let Some(delivery) = self.passing.deliver_here(cx) {
                self.pass_on(delivery);
            }
            return Poll::Pending;
        };
        let is_cancelled = (*output).as_ref().is_err_and(|error| error.is_cancelled());
        self.passing.give(output, is_cancelled, cx).map(|output| (*output).clone())
    }
}

/// What a look under the lock has found, to be used without it.
struct Looked<T> {
    /// The output, where it is there.
    given: Option<Arc<SharedOutput<T>>>,
    /// The wakers of those who waited for it.
    left: Vec<Waker>,
    /// The handle that gave it: drops what else the task had.
    handle: Option<JoinHandle<T>>,
}

impl<T> Output<T> {
    /// Looks for the output. Where it is not there, `mine` is left here in exchange for the waker
    /// that was before.
    fn poll(
        &mut self,
        all: &Waker,
        mine: &mut Option<Waker>,
        place: &mut Option<usize>,
    ) -> Looked<T> {
        let Output::Awaited { handle, waiting } = self else {
            return Looked { given: self.given(), left: vec![], handle: None };
        };
        let Poll::Ready(output) = handle.poll_output(&mut Context::from_waker(all)) else {
            let key = *place.get_or_insert_with(|| waiting.insert(None));
            std::mem::swap(&mut waiting[key], mine);
            return Looked { given: None, left: vec![], handle: None };
        };
        *place = None;
        let given = Arc::new(output.map_err(Arc::new));
        let before = std::mem::replace(self, Output::Given(given.clone()));
        let Output::Awaited { handle, waiting } = before else {
            unreachable!("it was awaited, under this lock");
        };
        let left = waiting.into_iter().filter_map(|(_, waker)| waker).collect();
        Looked { given: Some(given), left, handle: Some(handle) }
    }

    fn given(&self) -> Option<Arc<SharedOutput<T>>> {
        match self {
            Output::Given(output) => Some(output.clone()),
            Output::Awaited { .. } => None,
        }
    }
}

impl<T> Clone for SharedHandle<T> {
    fn clone(&self) -> Self {
        let (output, task) = (self.output.clone(), self.task.clone());
        Self { output, task, place: None, passing: Passing::default() }
    }
}

impl<T> Drop for SharedHandle<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T> fmt::Debug for SharedHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedHandle").field(&self.task).finish()
    }
}
