//! 11, `mutex`: what does locking cost that many tasks want at once?
//!
//! 64 tasks lock one mutex 2,000 times each, one after the other, and count up under it. There is
//! no other work, so that the lock is contended all the time.
//!
//! Fair, because each runtime has the lock that its users use: tokio and Weftline their own, smol
//! async-lock's; that one also runs on tokio, where it was seen to be quickest. tokio's lock and ours
//! are given in the order in which they were asked for; async-lock's may be taken by whoever comes
//! just then, which spares it most of the waiting. The floor is a lock of the standard library,
//! one thread.

use std::{
    future::Future,
    sync::{Arc, Mutex as StdMutex},
    time::{Duration, Instant},
};

use super::ns_per;
use crate::{
    peers::{AsyncPeer, Drivers, smol::Smol, tokio::Tokio, weftline::Weftline},
    suite::{Case, Metric, Setup, Workload},
};

/// Tasks that lock.
const TASKS: usize = 64;

/// Locks of each.
const ROUNDS: usize = 2_000;

/// A number under a lock.
trait Counter: Send + Sync + 'static {
    /// Zero.
    fn new() -> Self;

    /// Locks and adds one.
    fn add(&self) -> impl Future<Output = ()> + Send;

    /// What it has come to.
    fn total(&mut self) -> usize;
}

/// A counter under each kind of lock.
macro_rules! counter {
    ($($mutex:ty),*) => {$(
        impl Counter for $mutex {
            fn new() -> Self {
                <$mutex>::new(0)
            }

            async fn add(&self) {
                *self.lock().await += 1;
            }

            fn total(&mut self) -> usize {
                *self.get_mut()
            }
        }
    )*};
}

counter!(weftline::sync::Mutex<usize>, tokio::sync::Mutex<usize>, async_lock::Mutex<usize>);

/// The workload with its case.
pub fn workload() -> Workload {
    let case = Case::new("mutex", Metric::only("ns/lock"))
        .entry("weftline", sample::<Weftline, weftline::sync::Mutex<usize>>)
        .entry("tokio", sample::<Tokio, tokio::sync::Mutex<usize>>)
        .entry("smol", sample::<Smol, async_lock::Mutex<usize>>)
        .entry("tokio+async-lock", sample::<Tokio, async_lock::Mutex<usize>>)
        .floor(floor);
    Workload::new(11, "mutex", vec![case])
}

/// The second of two runs on a freshly started peer.
fn sample<P: AsyncPeer, C: Counter>(setup: &Setup) -> Vec<f64> {
    let peer = P::start(setup.workers, Drivers::Off);
    measure::<P, C>(&peer, setup);
    measure::<P, C>(&peer, setup)
}

/// All tasks, awaited by one more.
fn measure<P: AsyncPeer, C: Counter>(peer: &P, setup: &Setup) -> Vec<f64> {
    let rounds = setup.count(ROUNDS);
    let all = async move {
        let counter = Arc::new(C::new());
        let start = Instant::now();
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let counter = counter.clone();
                P::spawn(async move {
                    for _ in 0..rounds {
                        counter.add().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        (start.elapsed(), Arc::into_inner(counter).expect("no task is left").total())
    };
    let (elapsed, total) = peer.block_on(async move { P::spawn(all).await });
    checked(elapsed, total, rounds)
}

/// Asserts the count and gives the time per lock.
fn checked(elapsed: Duration, total: usize, rounds: usize) -> Vec<f64> {
    assert_eq!(total, TASKS * rounds);
    vec![ns_per(elapsed, total)]
}

/// One thread, which nobody keeps waiting.
fn floor(setup: &Setup) -> Vec<f64> {
    let rounds = setup.count(ROUNDS);
    let counter = StdMutex::new(0);
    let start = Instant::now();
    for _ in 0..TASKS * rounds {
        *std::hint::black_box(&counter).lock().expect("nobody panics") += 1;
    }
    checked(start.elapsed(), counter.into_inner().expect("nobody panics"), rounds)
}
