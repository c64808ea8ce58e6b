//! 15, `echo_under_opaque_cpu`: how late are answers while plain tasks compute for long?
//!
//! As in `echo_under_cpu.rs`, but the jobs are loops of 25 ms in tasks, which nothing can be taken
//! from: with a yield between two of them, and without any. There are as many such tasks as workers, and
//! in the third case, again with yields, four times as many.
//!
//! Fair, because each peer does what it does by default with code that should not be there. Requests
//! that are left unanswered are answered once the loops have ended, when the client has sent all. With
//! more jobs per second, more is better.

use std::{sync::Arc, time::Duration};

use crate::{
    echo::{
        server::{self, METRICS},
        toil::{Tally, Toil},
    },
    peers::EchoPeer,
    suite::{Case, EchoWork, Setup, Workload},
};

/// How long one processor needs for a loop.
const LOOP: Duration = Duration::from_millis(25);

/// The work.
#[derive(Clone, Copy)]
struct EchoUnderOpaqueCpu {
    /// Whether tasks yield between two loops.
    yields: bool,
    /// Tasks for each worker.
    tasks_per_worker: usize,
}

/// The workload with its cases.
pub fn workload() -> Workload {
    let case = |name: &str, yields, tasks_per_worker| {
        let work = EchoUnderOpaqueCpu { yields, tasks_per_worker };
        Case::new(format!("echo_under_opaque_cpu/{name}"), METRICS).echo_peers(work)
    };
    let cases = vec![case("yield", true, 1), case("none", false, 1), case("many", true, 4)];
    Workload::new(15, "echo_under_opaque_cpu", cases)
}

impl EchoWork for EchoUnderOpaqueCpu {
    fn measure<P: EchoPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let job = Toil::lasting(LOOP);
        server::sample(peer, setup, |tally| {
            let remote = peer.remote();
            let spawn = |_| P::spawn_remote(&remote, toil::<P>(job, self.yields, tally.clone()));
            (0..self.tasks_per_worker * setup.workers).map(spawn).collect()
        })
    }
}

async fn toil<P: EchoPeer>(job: Toil, yields: bool, tally: Arc<Tally>) {
    while !tally.has_ended() {
        job.run();
        tally.add();
        if yields {
            P::yield_now().await;
        }
    }
}
