//! 1, `spawn_join_local`: what does a task cost that another task spawns and awaits?
//!
//! One task spawns 100,000 tasks that return a number, then awaits them in order and adds the
//! numbers up. The second case does the same in waves of 1,000, where memory is reused and the
//! queues stay short.
//!
//! Fair, because every runtime runs the same future, from inside a task, through the same call; the
//! time from `main` into the first task is not counted. rayon has no handles: each job writes its
//! number into a slot of its own, which is how a rayon program gets results out of a scope, and the
//! end of the scope is its join. chili cannot spawn. The floor runs the same futures in place.

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
const TASKS: usize = 100_000;

/// Tasks alive together in the second case.
const WAVE: usize = 1_000;

/// The work, with the number of tasks that are alive together.
#[derive(Clone, Copy)]
struct SpawnJoinLocal {
    /// At most this many tasks are spawned before they are awaited.
    wave: usize,
}

/// The workload with its cases.
pub fn workload() -> Workload {
    let case = |name: &str, work: SpawnJoinLocal| {
        Case::new(name, Metric::only("ns/task"))
            .async_peers(work)
            .forte(work)
            .job_peers(work)
            .floor(floor)
    };
    Workload::new(
        1,
        "spawn_join_local",
        vec![
            case("spawn_join_local", SpawnJoinLocal { wave: usize::MAX }),
            case("spawn_join_local/waves", SpawnJoinLocal { wave: WAVE }),
        ],
    )
}

/// What each task gives: its own number, unknown to the optimiser.
async fn number(index: usize) -> usize {
    black_box(index)
}

/// The sum of the numbers of all tasks.
fn expected(tasks: usize) -> usize {
    tasks * (tasks - 1) / 2
}

/// Spawns and awaits `tasks` tasks, `wave` at a time, and says how long it took.
async fn spawn_and_join<P: AsyncPeer>(tasks: usize, wave: usize) -> Duration {
    let start = Instant::now();
    let mut sum = 0;
    let mut next = 0;
    let mut handles = Vec::with_capacity(wave);
    while next < tasks {
        let end = tasks.min(next + wave);
        handles.extend((next..end).map(|index| P::spawn(number(index))));
        for handle in handles.drain(..) {
            sum += handle.await;
        }
        next = end;
    }
    let elapsed = start.elapsed();
    assert_eq!(sum, expected(tasks));
    elapsed
}

impl AsyncWork for SpawnJoinLocal {
    fn measure<P: AsyncPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let tasks = setup.count(TASKS);
        let wave = self.wave.min(tasks);
        let elapsed =
            peer.block_on(async move { P::spawn(spawn_and_join::<P>(tasks, wave)).await });
        vec![ns_per(elapsed, tasks)]
    }
}

impl JobWork for SpawnJoinLocal {
    fn measure<P: JobPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let tasks = setup.count(TASKS);
        let wave = self.wave.min(tasks);
        let mut numbers = vec![0; wave];
        let (elapsed, sum) = peer.on_worker(|peer| {
            let start = Instant::now();
            let mut sum = 0;
            let mut next = 0;
            while next < tasks {
                let end = tasks.min(next + wave);
                let numbers = &mut numbers[..end - next];
                fill(peer, numbers, next);
                sum += numbers.iter().sum::<usize>();
                next = end;
            }
            (start.elapsed(), sum)
        });
        assert_eq!(sum, expected(tasks));
        vec![ns_per(elapsed, tasks)]
    }
}

/// One scope with one job per slot of `numbers`, beginning with the number `first`.
fn fill<P: JobPeer>(peer: &P, numbers: &mut [usize], first: usize) {
    peer.scope(|scope| {
        for (offset, number) in numbers.iter_mut().enumerate() {
            scope.spawn(move |_| *number = black_box(first + offset));
        }
    });
}

/// The same futures, run in place.
fn floor(setup: &Setup) -> Vec<f64> {
    let tasks = setup.count(TASKS);
    let start = Instant::now();
    let sum: usize = (0..tasks).map(|index| run_in_place(number(index))).sum();
    let elapsed = start.elapsed();
    assert_eq!(sum, expected(tasks));
    vec![ns_per(elapsed, tasks)]
}
