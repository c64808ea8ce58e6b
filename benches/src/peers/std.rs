//! What the standard library offers by itself: a thread per task, and the bare ways to wait for and
//! to step through a future from which the floors are made.

use std::{
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
};

use futures_channel::oneshot;
use smol::future;

use super::{AsyncPeer, Drivers, Peer};

/// Every task is a thread of its own that waits by parking. Not a runtime: what the kernel alone
/// takes for the work.
pub struct Threads;

/// Runs a future that needs nobody but itself: it is polled again whenever it yields. Each poll
/// finds it in memory, as a runtime does, so that the work is not computed away.
pub fn run_in_place<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = black_box(future.as_mut()).poll(&mut context) {
            return value;
        }
    }
}

/// Waits on this thread, which is no peer's own, by parking it. The same for every peer.
pub fn wait_outside<T>(future: impl Future<Output = T>) -> T {
    future::block_on(future)
}

impl Peer for Threads {
    const NAME: &'static str = "threads";

    fn start(_workers: usize, _drivers: Drivers) -> Threads {
        Threads
    }
}

impl AsyncPeer for Threads {
    type Join<T: Send + 'static> = future::Boxed<T>;
    type Remote = ();

    fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send,
    {
        wait_outside(future)
    }

    fn spawn<F>(future: F) -> future::Boxed<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (done, output) = oneshot::channel();
        thread::spawn(move || {
            let value = wait_outside(future);
            assert!(done.send(value).is_ok(), "every thread's output is awaited");
        });
        Box::pin(async move { output.await.expect("no thread of a workload fails") })
    }

    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        thread::spawn(move || wait_outside(future));
    }

    fn remote(&self) {}

    fn spawn_remote<F>(_remote: &(), future: F) -> future::Boxed<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Threads::spawn(future)
    }

    fn yield_now() -> impl Future<Output = ()> + Send + 'static {
        future::yield_now()
    }
}
