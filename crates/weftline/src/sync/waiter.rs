//! Somebody who waits, in models: a future that is polled when the model says so, and whose wake-ups
//! are counted.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts its wake-ups.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future and its wake-ups.
pub(super) struct Waiter<F: Future> {
    /// Until it is left.
    future: Option<Pin<Box<F>>>,
    /// What it gave where it need not wait.
    given: Option<F::Output>,
    /// How often it was woken.
    wakes: Arc<Wakes>,
}

impl<F: Future> Waiter<F> {
    /// Not polled yet.
    pub(super) fn new(future: F) -> Self {
        Self { future: Some(Box::pin(future)), given: None, wakes: Arc::default() }
    }

    /// Polled once.
    pub(super) fn begun(future: F) -> Self {
        let mut waiter = Self::new(future);
        if let Poll::Ready(output) = waiter.poll() {
            waiter.given = Some(output);
        }
        waiter
    }

    /// Polled once, and pending.
    #[track_caller]
    pub(super) fn waiting(future: F) -> Self {
        let waiter = Self::begun(future);
        assert!(waiter.given.is_none(), "it need not wait");
        waiter
    }

    pub(super) fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(self.wakes.clone());
        let future = self.future.as_mut().expect("it was not left");
        future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Drops the future.
    pub(super) fn leave(&mut self) {
        self.future = None;
    }

    /// How often it was woken.
    pub(super) fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }

    pub(super) fn was_woken(&self) -> bool {
        self.wakes() > 0
    }

    /// Whether it waits, and nobody has woken it.
    pub(super) fn must_wait(&self) -> bool {
        self.given.is_none() && !self.was_woken()
    }

    /// What it has come to, after all that others did: it need not wait when it was begun, or was
    /// woken and is ready now.
    #[track_caller]
    pub(super) fn outcome(mut self) -> F::Output {
        self.given.take().unwrap_or_else(|| self.must_be_ready())
    }

    /// What it gives, to be had only by one that was woken.
    #[track_caller]
    pub(super) fn must_be_ready(&mut self) -> F::Output {
        assert!(self.was_woken(), "pending, and not woken");
        let Poll::Ready(output) = self.poll() else { panic!("woken, and pending") };
        output
    }
}
