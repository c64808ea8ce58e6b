//! 16, `stall`: what do the others suffer from tasks that block their workers?
//!
//! A hundred tasks set timers of 1 ms, with a pause between two of them. Then one task calls
//! `std::thread::sleep` for a second, in the second case as many tasks as there are workers. The figure
//! is the worst lateness of a timer.
//!
//! Fair, because each peer does what it does by default with code that should not be there.
//! Timers are late on an idle machine, too: tokio's have a step of 1 ms.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    peers::TimerPeer,
    suite::{Case, Metric, Setup, TimerWork, Workload},
};

/// Tasks with timers.
const TASKS: usize = 100;
/// Their timers.
const TIMER: Duration = Duration::from_millis(1);
/// The pause between two timers of a task.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a worker is blocked, in milliseconds.
const BLOCKED_MS: usize = 1000;

/// The work.
#[derive(Clone, Copy)]
struct Stall {
    /// Whether all workers are blocked, or one.
    all: bool,
}

/// The workload with its cases.
pub fn workload() -> Workload {
    let case = |name, all| Case::new(name, Metric::only("ms late")).timer_peers(Stall { all });
    Workload::new(16, "stall", vec![case("stall/one", false), case("stall/all", true)])
}

/// What all tasks share.
#[derive(Default)]
struct Board {
    stop: AtomicBool,
    worst_us: AtomicU64,
}

async fn tick<P: TimerPeer>(board: Arc<Board>) -> usize {
    let mut ticks = 0;
    while !board.stop.load(Ordering::Relaxed) {
        // A stall may begin in either.
        for timer in [TIMER, PAUSE] {
            let due = Instant::now() + timer;
            P::sleep(timer).await;
            let late_us = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
            board.worst_us.fetch_max(late_us, Ordering::Relaxed);
        }
        ticks += 1;
    }
    ticks
}

impl TimerWork for Stall {
    fn measure<P: TimerPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let blockers = if self.all { setup.workers } else { 1 };
        let blocked = Duration::from_millis(setup.count(BLOCKED_MS) as u64);
        peer.block_on(async move {
            let board = Arc::new(Board::default());
            let ticking: Vec<_> = (0..TASKS).map(|_| P::spawn(tick::<P>(board.clone()))).collect();
            P::sleep(5 * PAUSE).await;
            let blocking: Vec<_> =
                (0..blockers).map(|_| P::spawn(async move { thread::sleep(blocked) })).collect();
            for blocker in blocking {
                blocker.await;
            }
            board.stop.store(true, Ordering::Relaxed);
            for task in ticking {
                assert!(task.await > 0, "each has ticked");
            }
            vec![board.worst_us.load(Ordering::Relaxed) as f64 / 1e3]
        })
    }
}
