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
pub(super) struct Waiter<F> {
    /// Until it is left.
    future: Option<Pin<Box<F>>>,
    /// How often it was woken.
    wakes: Arc<Wakes>,
}

impl<F: Future> Waiter<F> {
    /// Not polled yet.
    pub(super) fn new(future: F) -> Self {
        Self { future: Some(Box::pin(future)), wakes: Arc::default() }
    }

    /// Polled once, and pending.
    #[track_caller]
    pub(super) fn waiting(future: F) -> Self {
        let mut waiter = Self::new(future);
        assert!(waiter.poll().is_pending(), "it need not wait");
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

    pub(super) fn was_woken(&self) -> bool {
        self.wakes.0.load(Ordering::SeqCst) > 0
    }

    /// What it gives, to be had only by one that was woken.
    #[track_caller]
    pub(super) fn must_be_ready(&mut self) -> F::Output {
        assert!(self.was_woken(), "not woken");
        let Poll::Ready(output) = self.poll() else { panic!("woken, and pending") };
        output
    }
}
