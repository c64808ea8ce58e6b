//! 7, `chained_spawn`: how fast does one task that ends by spawning another hand over?
//!
//! A chain of 1,000 tasks, each spawning the next and ending; the last one tells the task that
//! began the chain. A sample has 100 chains one after the other. There is one task to run at any
//! time, and no one waits for a handle.
//!
//! Fair, because the end of the chain is told over the same oneshot channel of `futures-channel` on
//! every async peer. On rayon the chain lives in a scope, whose end tells. chili cannot spawn. The
//! floor is the chain of plain calls.

use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_channel::oneshot::{self, Sender};

use super::ns_per;
use crate::{
    peers::{AsyncPeer, JobPeer, JobScope},
    suite::{AsyncWork, Case, JobWork, Metric, Setup, Workload},
};

/// Tasks of one chain.
const DEPTH: usize = 1_000;

/// Chains of one sample.
const CHAINS: usize = 100;

/// The work.
#[derive(Clone, Copy)]
struct ChainedSpawn;

/// The workload with its case.
pub fn workload() -> Workload {
    let case = Case::new("chained_spawn", Metric::only("ns/task"))
        .async_peers(ChainedSpawn)
        .forte(ChainedSpawn)
        .job_peers(ChainedSpawn)
        .floor(floor);
    Workload::new(7, "chained_spawn", vec![case])
}

/// Spawns the rest of the chain; its last task sends how many there were.
fn chain<P: AsyncPeer>(left: usize, so_far: usize, done: Sender<usize>) {
    if left == 0 {
        done.send(so_far).expect("the end of the chain is awaited");
    } else {
        P::spawn_detached(async move { chain::<P>(left - 1, so_far + 1, done) });
    }
}

/// Spawns the rest of the chain into a scope; counts the jobs in `so_far`.
fn chain_in_scope<'scope, S: JobScope<'scope>>(
    scope: &S,
    left: usize,
    so_far: &'scope AtomicUsize,
) {
    if left > 0 {
        scope.spawn(move |scope| {
            // Relaxed: the end of the scope orders the count before its reader.
            so_far.fetch_add(1, Ordering::Relaxed);
            chain_in_scope(scope, left - 1, so_far);
        });
    }
}

/// Asserts the number of tasks and gives the time per task.
fn checked(elapsed: Duration, tasks: usize, depth: usize) -> Vec<f64> {
    assert_eq!(tasks, CHAINS * depth);
    vec![ns_per(elapsed, tasks)]
}

impl AsyncWork for ChainedSpawn {
    fn measure<P: AsyncPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let depth = setup.count(DEPTH);
        let chains = async move {
            let start = Instant::now();
            let mut tasks = 0;
            for _ in 0..CHAINS {
                let (done, end) = oneshot::channel();
                chain::<P>(depth, 0, done);
                tasks += end.await.expect("the chain reaches its end");
            }
            (start.elapsed(), tasks)
        };
        let (elapsed, tasks) = peer.block_on(async move { P::spawn(chains).await });
        checked(elapsed, tasks, depth)
    }
}

impl JobWork for ChainedSpawn {
    fn measure<P: JobPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let depth = setup.count(DEPTH);
        let tasks = AtomicUsize::new(0);
        let elapsed = peer.on_worker(|peer| {
            let start = Instant::now();
            for _ in 0..CHAINS {
                peer.scope(|scope| chain_in_scope(scope, depth, &tasks));
            }
            start.elapsed()
        });
        checked(elapsed, tasks.into_inner(), depth)
    }
}

/// A chain of calls.
#[inline(never)]
fn call(left: usize, so_far: usize) -> usize {
    if left == 0 { so_far } else { black_box(call(left - 1, so_far + 1)) }
}

/// The chain without tasks.
fn floor(setup: &Setup) -> Vec<f64> {
    let depth = setup.count(DEPTH);
    let start = Instant::now();
    let tasks = (0..CHAINS).map(|_| call(black_box(depth), 0)).sum();
    checked(start.elapsed(), tasks, depth)
}
