//! 21, `spawn_blocking`: what does it cost to have a closure run where it may block, and to wait
//! for it?
//!
//! 1 or 16 tasks share 10,000 closures. Each task gives one away, awaits its result, and goes on
//! with the next, as a program does that reads files. The closures do nothing, so that the way
//! there and back is all that is measured.
//!
//! Fair, because each peer has its own pool with its own defaults: tokio's and Weftline's belong to
//! the runtime, smol's to the process; the warm-up starts their threads. The floor calls the closures in
//! place.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use super::ns_per;
use crate::{
    peers::{BlockingPeer, Drivers, smol::Smol, tokio::Tokio, weftline::Weftline},
    suite::{Case, Metric, Setup, Workload},
};

/// Closures of one sample, all callers together.
const JOBS: usize = 10_000;

/// The workload with its cases.
pub fn workload() -> Workload {
    Workload::new(21, "spawn_blocking", vec![case::<1>(), case::<16>()])
}

/// The case of so many tasks that call.
fn case<const CALLERS: usize>() -> Case {
    Case::new(format!("spawn_blocking/{CALLERS}"), Metric::only("ns/job"))
        .entry("weftline", sample::<Weftline, CALLERS>)
        .entry("tokio", sample::<Tokio, CALLERS>)
        .entry("smol", sample::<Smol, CALLERS>)
        .floor(floor::<CALLERS>)
}

/// The second of two runs on a freshly started peer.
fn sample<P: BlockingPeer, const CALLERS: usize>(setup: &Setup) -> Vec<f64> {
    let peer = P::start(setup.workers, Drivers::Off);
    measure::<P>(&peer, CALLERS, setup);
    measure::<P>(&peer, CALLERS, setup)
}

/// All callers, awaited by one more task.
fn measure<P: BlockingPeer>(peer: &P, callers: usize, setup: &Setup) -> Vec<f64> {
    let each = setup.count(JOBS).div_ceil(callers);
    let all = async move {
        let start = Instant::now();
        let tasks: Vec<_> = (0..callers).map(|_| P::spawn(call::<P>(each))).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        (start.elapsed(), sum)
    };
    let (elapsed, sum) = peer.block_on(async move { P::spawn(all).await });
    checked(elapsed, sum, callers, each)
}

/// Gives `count` closures away, one after the other, and adds up what comes back.
async fn call<P: BlockingPeer>(count: usize) -> usize {
    let mut sum = 0;
    for index in 0..count {
        sum += P::spawn_blocking(move || black_box(index)).await;
    }
    sum
}

/// Asserts the sum and gives the time per closure.
fn checked(elapsed: Duration, sum: usize, callers: usize, each: usize) -> Vec<f64> {
    assert_eq!(sum, callers * (each * (each - 1) / 2));
    vec![ns_per(elapsed, callers * each)]
}

/// The closures on one thread, without giving them away.
fn floor<const CALLERS: usize>(setup: &Setup) -> Vec<f64> {
    let each = setup.count(JOBS).div_ceil(CALLERS);
    let start = Instant::now();
    let sum = (0..CALLERS * each).map(|index| black_box(index % each)).sum();
    checked(start.elapsed(), sum, CALLERS, each)
}
