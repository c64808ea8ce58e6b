//! 5, `yield`: what does it cost to let the others run?
//!
//! One task spawns 200 tasks that yield 1,000 times each, and awaits them. Every yield is one trip
//! through a queue, so the figure is the price of being scheduled, without allocation and, once all
//! workers are busy, without waking anybody.
//!
//! Fair, because each task uses its runtime's own `yield_now`, which is what its users call; Forte
//! has none for futures and takes smol's. rayon's `yield_now` runs another job on top of the
//! caller's stack, which is not the same, so it takes no part; chili has none. The floor polls all
//! 200 futures in turn from one list.

use std::{
    pin::Pin,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use smol::future;

use super::ns_per;
use crate::{
    peers::AsyncPeer,
    suite::{AsyncWork, Case, Metric, Setup, Workload},
};

/// Tasks that take turns.
const TASKS: usize = 200;

/// Yields of each task.
const YIELDS: usize = 1_000;

/// The work.
#[derive(Clone, Copy)]
struct Yield;

/// The workload with its case.
pub fn workload() -> Workload {
    let case =
        Case::new("yield", Metric::only("ns/yield")).async_peers(Yield).forte(Yield).floor(floor);
    Workload::new(5, "yield", vec![case])
}

/// Spawns the tasks, awaits them and says how long it took and how often they yielded.
async fn all_yield<P: AsyncPeer>(yields: usize) -> (Duration, usize) {
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            P::spawn(async move {
                let mut count = 0;
                for _ in 0..yields {
                    P::yield_now().await;
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await;
    }
    (start.elapsed(), count)
}

impl AsyncWork for Yield {
    fn measure<P: AsyncPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let yields = setup.count(YIELDS);
        let (elapsed, count) = peer.block_on(async move { P::spawn(all_yield::<P>(yields)).await });
        assert_eq!(count, TASKS * yields);
        vec![ns_per(elapsed, count)]
    }
}

/// The futures polled in turn.
fn floor(setup: &Setup) -> Vec<f64> {
    let yields = setup.count(YIELDS);
    let mut context = Context::from_waker(Waker::noop());
    let start = Instant::now();
    let mut tasks: Vec<Pin<Box<dyn Future<Output = ()>>>> = (0..TASKS)
        .map(|_| -> Pin<Box<dyn Future<Output = ()>>> {
            Box::pin(async move {
                for _ in 0..yields {
                    future::yield_now().await;
                }
            })
        })
        .collect();
    let mut polls = 0;
    while !tasks.is_empty() {
        polls += tasks.len();
        tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
    }
    let elapsed = start.elapsed();
    assert_eq!(polls, TASKS * (yields + 1));
    vec![ns_per(elapsed, TASKS * yields)]
}
