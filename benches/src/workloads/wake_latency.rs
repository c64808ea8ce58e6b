//! 22, `wake_latency`: how long does a task from outside take until it runs in an idle runtime?
//!
//! A thread that is none of the runtime's spawns 1,000 tasks, one each millisecond, and each notes when
//! it runs. The figures are the median and the 99th percentile.
//!
//! Fair, because nothing else runs, so each peer pays for waking one of its threads. The floor is a bare
//! thread that is unparked.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    peers::AsyncPeer,
    suite::{AsyncWork, Case, Metric, Setup, Workload},
};

/// Tasks of one sample.
const TASKS: usize = 1000;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(1);

/// The work.
#[derive(Clone, Copy)]
struct WakeLatency;

/// The workload with its case.
pub fn workload() -> Workload {
    let metrics = [Metric { suffix: "/p50", unit: "µs" }, Metric { suffix: "/p99", unit: "µs" }];
    let case = Case::new("wake_latency", metrics).async_peers(WakeLatency).floor(floor);
    Workload::new(22, "wake_latency", vec![case])
}

/// Median and 99th percentile in microseconds.
fn figures(mut latencies: Vec<Duration>) -> Vec<f64> {
    latencies.sort_unstable();
    let at = |share: f64| {
        let place = (latencies.len() as f64 * share) as usize;
        latencies[place.min(latencies.len() - 1)].as_secs_f64() * 1e6
    };
    vec![at(0.5), at(0.99)]
}

impl AsyncWork for WakeLatency {
    fn measure<P: AsyncPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let (remote, tasks) = (peer.remote(), setup.count(TASKS));
        let (sender, latencies) = mpsc::channel();
        for _ in 0..tasks {
            thread::sleep(PAUSE);
            let (sender, spawned) = (sender.clone(), Instant::now());
            let task = async move {
                let _ = sender.send(spawned.elapsed());
            };
            // With some peers a handle that is dropped ends its task.
            peer.block_on(P::spawn_remote(&remote, task));
        }
        drop(sender);
        let latencies: Vec<_> = latencies.iter().collect();
        assert_eq!(latencies.len(), tasks);
        figures(latencies)
    }
}

/// One thread wakes another.
fn floor(setup: &Setup) -> Vec<f64> {
    let tasks = setup.count(TASKS);
    let (sender, instants) = mpsc::channel::<Instant>();
    let woken = thread::spawn(move || instants.iter().map(|instant| instant.elapsed()).collect());
    for _ in 0..tasks {
        thread::sleep(PAUSE);
        sender.send(Instant::now()).expect("the thread listens");
    }
    drop(sender);
    let latencies: Vec<_> = woken.join().expect("the thread ends");
    figures(latencies)
}
