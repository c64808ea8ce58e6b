//! 2, `spawn_join_remote`: what does a task cost that a thread from outside of the runtime spawns
//! and waits for, and does the cost grow with the number of such threads?
//!
//! 1, 4 or 16 threads that are not the runtime's own share 100,000 tasks. Each thread spawns its
//! part through the peer's handle, then waits for its tasks in order. The time runs from the moment
//! all threads are ready until the last is done.
//!
//! Fair, because every outside thread waits by the same bare parking loop, not by a peer's
//! `block_on`. rayon has no handles: a job adds its number to its caller's sum, and the last job of
//! a caller wakes it. chili cannot be spawned on. There is no floor: without a runtime nothing is
//! remote.

use std::{
    hint::black_box,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::ns_per;
use crate::{
    peers::{AsyncPeer, JobPeer, std::wait_outside},
    suite::{AsyncWork, Case, JobWork, Metric, Setup, Workload},
};

/// Tasks of one sample, all callers together.
const TASKS: usize = 100_000;

/// The work, with the number of threads that share it.
#[derive(Clone, Copy)]
struct SpawnJoinRemote {
    /// Threads outside of the runtime.
    callers: usize,
}

/// The workload with its cases.
pub fn workload() -> Workload {
    let case = |callers| {
        let work = SpawnJoinRemote { callers };
        Case::new(format!("spawn_join_remote/{callers}"), Metric::only("ns/task"))
            .async_peers(work)
            .forte(work)
            .job_peers(work)
    };
    Workload::new(2, "spawn_join_remote", vec![case(1), case(4), case(16)])
}

/// What each task gives: its own number, unknown to the optimiser.
async fn number(index: usize) -> usize {
    black_box(index)
}

/// Runs `part` on `callers` threads at once, each with its own `context`, and gives the time and
/// the sum of the results.
fn on_outside_threads<C: Send>(
    callers: usize,
    context: impl Fn() -> C,
    part: impl Fn(C) -> usize + Sync,
) -> (Duration, usize) {
    let ready = Barrier::new(callers + 1);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|_| context())
            .map(|context| {
                let (ready, part) = (&ready, &part);
                scope.spawn(move || {
                    ready.wait();
                    part(context)
                })
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        let sum = threads
            .into_iter()
            .map(|thread| thread.join().expect("no task of a workload fails"))
            .sum();
        (start.elapsed(), sum)
    })
}

/// Asserts the sum and gives the time per task.
fn checked(elapsed: Duration, sum: usize, callers: usize, each: usize) -> Vec<f64> {
    assert_eq!(sum, callers * (each * (each - 1) / 2));
    vec![ns_per(elapsed, callers * each)]
}

impl AsyncWork for SpawnJoinRemote {
    fn measure<P: AsyncPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let each = setup.count(TASKS).div_ceil(self.callers);
        let spawn_and_wait = |remote: P::Remote| {
            let handles: Vec<_> =
                (0..each).map(|index| P::spawn_remote(&remote, number(index))).collect();
            wait_outside(async {
                let mut sum = 0;
                for handle in handles {
                    sum += handle.await;
                }
                sum
            })
        };
        let (elapsed, sum) = on_outside_threads(self.callers, || peer.remote(), spawn_and_wait);
        checked(elapsed, sum, self.callers, each)
    }
}

impl JobWork for SpawnJoinRemote {
    fn measure<P: JobPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let each = setup.count(TASKS).div_ceil(self.callers);
        let spawn_and_wait = |remote: P::Remote| {
            let open = Arc::new(AtomicUsize::new(each));
            let sum = Arc::new(AtomicUsize::new(0));
            for index in 0..each {
                let (open, sum, caller) = (Arc::clone(&open), Arc::clone(&sum), thread::current());
                P::spawn_remote(&remote, move || {
                    sum.fetch_add(black_box(index), Ordering::Relaxed);
                    // Release: pairs with the caller's Acquire, so that it sees the whole sum.
                    if open.fetch_sub(1, Ordering::AcqRel) == 1 {
                        caller.unpark();
                    }
                });
            }
            // Acquire: pairs with the jobs' Release.
            while open.load(Ordering::Acquire) > 0 {
                thread::park();
            }
            sum.load(Ordering::Relaxed)
        };
        let (elapsed, sum) = on_outside_threads(self.callers, || peer.remote(), spawn_and_wait);
        checked(elapsed, sum, self.callers, each)
    }
}
