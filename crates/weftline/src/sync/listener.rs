//! What the models of channels and queues stand on: somebody who polls futures, and whose wake-ups are seen.

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

/// Somebody who polls, and is woken.
pub(super) struct Listener {
    wakes: Arc<Wakes>,
    waker: Waker,
}

impl Listener {
    pub(super) fn new() -> Self {
        let wakes = Arc::new(Wakes::default());
        Self { waker: wakes.clone().into(), wakes }
    }

    pub(super) fn poll<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut self.context())
    }

    /// What it polls with.
    pub(super) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// How often it was woken.
    pub(super) fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }

    /// What a future has come to that was polled once, after all that others did: it was ready, or
    /// its waker was called and it is ready now.
    #[track_caller]
    pub(super) fn outcome<F: Future>(
        &self,
        first: Poll<F::Output>,
        future: Pin<&mut F>,
    ) -> F::Output {
        if let Poll::Ready(output) = first {
            return output;
        }
        assert!(self.wakes() > 0, "pending, and not woken");
        match self.poll(future) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("woken for nothing"),
        }
    }
}
