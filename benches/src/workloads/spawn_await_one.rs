//! 3, `spawn_await_one`: what does a task cost that is awaited before the next is spawned?
//!
//! One task spawns 20,000 tasks one by one and awaits each. There is never more than one task to
//! run, so a runtime that wakes a second worker for it pays for that, and one that lets the
//! spawner's worker run it does not.
//!
//! Fair, because nothing tells a runtime what comes next, and each is free to run the task where it
//! likes. rayon's equal is a scope with one job, opened on a worker. chili cannot spawn. The floor
//! runs the same futures in place.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use super::ns_per;
use crate::{
    peers::{AsyncPeer, JobPeer, JobScope, std::run_in_place},
    suite::{AsyncWork, Case, JobWork, Metric, Setup, Workload},
};

/// Tasks of one sample.
const TASKS: usize = 20_000;

/// The work.
#[derive(Clone, Copy)]
struct SpawnAwaitOne;

/// The workload with its case.
pub fn workload() -> Workload {
    let case = Case::new("spawn_await_one", Metric::only("ns/task"))
        .async_peers(SpawnAwaitOne)
        .forte(SpawnAwaitOne)
        .job_peers(SpawnAwaitOne)
        .floor(floor);
    Workload::new(3, "spawn_await_one", vec![case])
}

/// What each task gives: its own number, unknown to the optimiser.
async fn number(index: usize) -> usize {
    black_box(index)
}

/// Asserts the sum and gives the time per task.
fn checked(elapsed: Duration, sum: usize, tasks: usize) -> Vec<f64> {
    assert_eq!(sum, tasks * (tasks - 1) / 2);
    vec![ns_per(elapsed, tasks)]
}

impl AsyncWork for SpawnAwaitOne {
    fn measure<P: AsyncPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let tasks = setup.count(TASKS);
        let one_by_one = async move {
            let start = Instant::now();
            let mut sum = 0;
            for index in 0..tasks {
                sum += P::spawn(number(index)).await;
            }
            (start.elapsed(), sum)
        };
        let (elapsed, sum) = peer.block_on(async move { P::spawn(one_by_one).await });
        checked(elapsed, sum, tasks)
    }
}

impl JobWork for SpawnAwaitOne {
    fn measure<P: JobPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let tasks = setup.count(TASKS);
        let (elapsed, sum) = peer.on_worker(|peer| {
            let start = Instant::now();
            let mut sum = 0;
            for index in 0..tasks {
                let mut number = 0;
                peer.scope(|scope| scope.spawn(|_| number = black_box(index)));
                sum += number;
            }
            (start.elapsed(), sum)
        });
        checked(elapsed, sum, tasks)
    }
}

/// The same futures, run in place.
fn floor(setup: &Setup) -> Vec<f64> {
    let tasks = setup.count(TASKS);
    let start = Instant::now();
    let sum = (0..tasks).map(|index| run_in_place(number(index))).sum();
    checked(start.elapsed(), sum, tasks)
}
