//! 14, `echo_under_cpu`: how late are answers while fork-join work keeps all processors busy?
//!
//! A client sends 2,000 requests per second over four connections to tasks that send them back; see
//! `echo/client.rs`. At the same time twice as many tasks as there are workers await jobs: each is
//! six milliseconds of arithmetic, split in two again and again into 256 parts. The
//! figures are quantiles of the latency and the jobs done per second. In the first case nothing is
//! computed.
//!
//! Fair, because jobs are awaited as each peer's users are advised to do that: on Weftline by
//! `compute` and `join`, beside tokio and smol on a rayon pool with as many threads as there are
//! workers, from which a oneshot channel brings the result. With more jobs per second, more is
//! better.

use std::{sync::Arc, time::Duration};

use crate::{
    echo::{
        server::{self, METRICS},
        toil::{Tally, Toil},
    },
    peers::{AsyncPeer, ComputePeer},
    suite::{Case, ComputeWork, Setup, Workload},
};

/// How long one processor needs for a job.
const JOB: Duration = Duration::from_millis(6);
/// How often a job is split in two.
const SPLITS: u32 = 8;
/// Tasks for each worker, so that there is always a job to begin.
const TASKS_PER_WORKER: usize = 2;

/// The work.
#[derive(Clone, Copy)]
struct EchoUnderCpu {
    /// Whether anything is computed.
    loaded: bool,
}

/// The workload with its cases.
pub fn workload() -> Workload {
    let case = |name, loaded| {
        let metrics = &METRICS[..if loaded { 4 } else { 3 }];
        Case::new(name, metrics).compute_peers(EchoUnderCpu { loaded })
    };
    let cases = vec![case("echo/idle", false), case("echo_under_cpu", true)];
    Workload::new(14, "echo_under_cpu", cases)
}

impl ComputeWork for EchoUnderCpu {
    fn measure<P: ComputePeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let tasks = if self.loaded { TASKS_PER_WORKER * setup.workers } else { 0 };
        let mut figures = server::sample(peer.tasks(), setup, |tally| {
            let spawn = |_| {
                let jobs = compute_on::<P>(peer.pool(), tally.clone());
                P::Tasks::spawn_remote(&peer.tasks().remote(), jobs)
            };
            (0..tasks).map(spawn).collect()
        });
        figures.truncate(if self.loaded { 4 } else { 3 });
        figures
    }
}

/// Awaits one job after the other.
async fn compute_on<P: ComputePeer>(pool: P::Pool, tally: Arc<Tally>) {
    let part = Toil::lasting(JOB).part(1 << SPLITS);
    while !tally.has_ended() {
        P::compute(&pool, move || split::<P>(part, SPLITS)).await;
        tally.add();
    }
}

fn split<P: ComputePeer>(part: Toil, splits: u32) {
    match splits.checked_sub(1) {
        None => part.run(),
        Some(splits) => P::join(|| split::<P>(part, splits), || split::<P>(part, splits)),
    }
}
