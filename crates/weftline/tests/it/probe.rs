//! One [`Probe`] for all tests: it counts what happens to whatever carries it.
//!
//! [`Gate`] is the other half of most tests: something to wait for that opens when the test says
//! so, which no sleeping could replace.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Counts polls, drops and wakes of what it gave out. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    polls: AtomicUsize,
    drops: AtomicUsize,
    wakes: AtomicUsize,
}

impl Probe {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// How often its futures were polled.
    pub(crate) fn polls(&self) -> usize {
        self.0.polls.load(Ordering::SeqCst)
    }

    /// How many of its futures and tokens were dropped.
    pub(crate) fn drops(&self) -> usize {
        self.0.drops.load(Ordering::SeqCst)
    }

    /// How often its wakers were woken.
    pub(crate) fn wakes(&self) -> usize {
        self.0.wakes.load(Ordering::SeqCst)
    }

    /// A value whose drop is counted.
    pub(crate) fn token(&self) -> Token {
        Token(self.clone())
    }

    /// A future that does as `future` does, and is counted.
    pub(crate) fn future<F: Future>(&self, future: F) -> Probed<F> {
        Probed { future: Box::pin(future), token: self.token() }
    }

    /// A waker that does nothing but count.
    pub(crate) fn waker(&self) -> Waker {
        Waker::from(Arc::new(CountingWaker(self.clone())))
    }
}

/// Counts its drop.
#[derive(Debug)]
pub(crate) struct Token(Probe);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.0.drops.fetch_add(1, Ordering::SeqCst);
    }
}

struct CountingWaker(Probe);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.0.wakes.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future whose polls and whose drop are counted.
pub(crate) struct Probed<F> {
    future: Pin<Box<F>>,
    token: Token,
}

impl<F: Future> Future for Probed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.token.0.0.polls.fetch_add(1, Ordering::SeqCst);
        self.future.as_mut().poll(cx)
    }
}

/// Something to wait for, by tasks and threads, that stays open once it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<GateParts>);

#[derive(Default)]
struct GateParts {
    state: Mutex<GateState>,
    opened: Condvar,
}

#[derive(Default)]
struct GateState {
    open: bool,
    waiting: Vec<Waker>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, GateState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state().open
    }

    pub(crate) fn open(&self) {
        let mut state = self.state();
        state.open = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.0.opened.notify_all();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Blocks the calling thread until the gate is open.
    pub(crate) fn block(&self) {
        let mut state = self.state();
        while !state.open {
            state = self.0.opened.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ready once the gate is open.
    pub(crate) fn wait(&self) -> Opened {
        Opened(self.clone())
    }
}

/// The future of [`Gate::wait`].
pub(crate) struct Opened(Gate);

impl Future for Opened {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.state();
        if state.open {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
