//! The handlers of a server that run, and who waits for their end.
//!
//! A handler is a task of its own, wrapped in a `Client`, which tells when it is gone, however it ends. So
//! nobody holds its handle, and what it fails with is reported.

use crate::platform::Mutex;
use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::task::{self, CallSite, Task, wake_all};
use pin_project_lite::pin_project;
use slab::Slab;
use std::fmt::Display;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The handlers of one server.
pub(super) struct Clients {
    /// Who is there.
    state: Mutex<State>,
    /// How often all handlers were aborted: who came before the last time ends.
    aborts: AtomicUsize,
}

/// Who is there.
#[derive(Default)]
struct State {
    /// The handlers that run, or are about to.
    running: Slab<Running>,
    /// No more will come.
    is_closed: bool,
    /// Who waits for all of them to be gone.
    waiting: Slab<Waker>,
}

/// A handler that runs.
#[derive(Default)]
struct Running {
    /// Its task and the waker of that, once it was polled.
    task: Option<(Task, Waker)>,
    /// It was asked to end before that.
    is_asked: bool,
}

/// A place for one handler, given back when dropped.
pub(super) struct Seat {
    /// Whose it is.
    clients: Arc<Clients>,
    /// Its number there.
    key: usize,
    /// What the handler's task is called.
    name: String,
    /// How often all had been aborted when it was taken.
    aborts: usize,
    /// The task is known to the others.
    is_taken: bool,
}

impl Clients {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), aborts: AtomicUsize::new(0) })
    }

    /// A place for a handler.
    pub(super) fn seat(self: &Arc<Self>, name: String) -> Seat {
        let mut state = self.state.lock();
        let key = state.running.insert(Running::default());
        // Relaxed: the lock orders this with `abort`, which counts while it holds it.
        let aborts = self.aborts.load(Ordering::Relaxed);
        Seat { clients: self.clone(), key, name, aborts, is_taken: false }
    }

    /// No more will come.
    pub(super) fn close(&self) {
        self.change(|state| state.is_closed = true);
    }

    /// Asks all handlers to end.
    pub(super) fn ask(&self) {
        let mut tasks = Vec::new();
        self.change(|state| {
            for (_, running) in &mut state.running {
                match &running.task {
                    Some((task, _)) => tasks.push(task.clone()),
                    None => running.is_asked = true,
                }
            }
        });
        for task in tasks {
            task.cancel_with("the server closes its connections");
        }
    }

    /// Ends all handlers where they are; says how many there were.
    pub(super) fn abort(&self) -> usize {
        let mut wakers = Vec::new();
        let count = self.change(|state| {
            // Relaxed: who reads it does so under the lock, or was woken by what follows.
            self.aborts.fetch_add(1, Ordering::Relaxed);
            let tasks = state.running.iter().filter_map(|(_, running)| running.task.as_ref());
            wakers.extend(tasks.map(|(_, waker)| waker.clone()));
            state.running.len()
        });
        wake_all(wakers);
        count
    }

    /// How many handlers there are.
    pub(super) fn count(&self) -> usize {
        self.state.lock().running.len()
    }

    /// Waits until no more come and none is there.
    pub(super) fn gone(self: &Arc<Self>) -> Gone {
        Gone { clients: self.clone(), key: None }
    }

    /// Changes who is there, and wakes those who wait for what has become true.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let result = change(&mut state);
        let mut wakers = Vec::new();
        if state.is_over() {
            wakers.extend(state.waiting.drain());
        }
        drop(state);
        wake_all(wakers);
        result
    }
}

impl State {
    fn is_over(&self) -> bool {
        self.is_closed && self.running.is_empty()
    }
}

impl Seat {
    /// Runs a handler here, as a task for whoever serves at the given place.
    pub(super) fn run<F, E>(mut self, at: CallSite, handler: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let named = task::Builder::new().name(mem::take(&mut self.name));
        let client = Client { handler: Some(handler), seat: self };
        drop(named.spawn_for(at, client).report_error());
    }

    /// Lets others reach the task. Says whether it is to end before it begins.
    fn take(&mut self, waker: &Waker) -> bool {
        self.is_taken = true;
        let known = task::current().map(|task| (task, waker.clone()));
        let mut state = self.clients.state.lock();
        let running = &mut state.running[self.key];
        running.task = known;
        running.is_asked
    }

    /// Whether all were aborted since it was taken.
    fn is_aborted(&self) -> bool {
        // Relaxed: `abort` wakes the task after it has counted, and waking orders the two.
        self.clients.aborts.load(Ordering::Relaxed) != self.aborts
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let running = self.clients.change(|state| state.running.try_remove(self.key));
        drop(running); // outside of the lock: a waker is foreign code
    }
}

pin_project! {
    // A handler, as a task.
    struct Client<F> {
        // The handler; gone once it has ended.
        #[pin]
        handler: Option<F>,
        // Given back after the handler is gone: it is the last field.
        seat: Seat,
    }
}

impl<F, E> Future for Client<F>
where
    F: Future<Output = Result<(), E>>,
{
    type Output = Result<(), E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let is_asked = !this.seat.is_taken && this.seat.take(cx.waker());
        let result = match this.handler.as_mut().as_pin_mut() {
            Some(handler) if !is_asked && !this.seat.is_aborted() => handler.poll(cx),
            _ => Poll::Ready(Ok(())),
        };
        if result.is_ready() {
            this.handler.set(None);
        }
        result
    }
}

/// Waits until no more handlers come and none is there; made by [`Clients::gone`].
pub(super) struct Gone {
    /// Whose they are.
    clients: Arc<Clients>,
    /// Its place among those who wait.
    key: Option<usize>,
}

impl Future for Gone {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let this = &mut *self;
        let mut state = this.clients.state.lock();
        if state.is_over() {
            // Whoever brought it about has taken all wakers out.
            this.key = None;
            return Poll::Ready(());
        }
        let old = match this.key {
            Some(key) => Some(std::mem::replace(&mut state.waiting[key], waker)),
            None => {
                this.key = Some(state.waiting.insert(waker));
                None
            }
        };
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let mut state = self.clients.state.lock();
        // Where all is over the place is gone, and nobody comes after.
        let waker = if state.is_over() { None } else { state.waiting.try_remove(key) };
        drop(state);
        drop(waker);
    }
}
