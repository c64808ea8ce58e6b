//! 9, `timers_sleep`: what do many sleeping tasks cost the processor, and how late does the last
//! one end?
//!
//! One task spawns 100,000 tasks that sleep for 1 to 50 ms, spread evenly, and awaits them. The
//! first figure is the processor time of the whole process (`getrusage`, user and system), the
//! second the time on the clock, which cannot be less than the longest sleep.
//!
//! Fair, because each task calls the sleep its runtime offers, and the processor time covers all
//! threads a runtime starts, its driver's too. tokio rounds up to its timer's step of 1 ms; the
//! clock figure shows what that means. Peers without timers (Forte, rayon, chili) take no part. The
//! floor sorts the deadlines and sleeps from one to the next on one thread.

use std::{
    thread,
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

use crate::{
    peers::TimerPeer,
    suite::{Case, Metric, Setup, TimerWork, Workload},
};

/// Sleeping tasks of one sample.
const TASKS: usize = 100_000;

/// The longest sleep, in milliseconds; the shortest is one.
const LONGEST_MS: usize = 50;

/// The work.
#[derive(Clone, Copy)]
struct TimersSleep;

/// The workload with its case.
pub fn workload() -> Workload {
    let metrics = [Metric { suffix: "/cpu", unit: "ms" }, Metric { suffix: "/wall", unit: "ms" }];
    let case = Case::new("timers_sleep", metrics).timer_peers(TimersSleep).floor(floor);
    Workload::new(9, "timers_sleep", vec![case])
}

/// How long the task of this number sleeps. Neighbours differ, so that deadlines are not given in
/// order.
fn sleep_ms(index: usize) -> usize {
    1 + (index * 7) % LONGEST_MS
}

/// The processor time this process has used so far.
fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the kernel keeps the account");
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(microseconds.unsigned_abs())
}

/// Runs `sleepers`, which gives the sum of all sleeps, and gives processor time and wall time.
fn account(tasks: usize, sleepers: impl FnOnce() -> usize) -> Vec<f64> {
    let processor = processor_time();
    let start = Instant::now();
    let sum = sleepers();
    let wall = start.elapsed();
    let processor = processor_time() - processor;
    assert_eq!(sum, (0..tasks).map(sleep_ms).sum::<usize>());
    let longest = (0..tasks.min(LONGEST_MS)).map(sleep_ms).max().unwrap_or(0);
    assert!(
        wall >= Duration::from_millis(longest as u64),
        "a sleep ended after {wall:?}, before its {longest} ms"
    );
    vec![processor.as_secs_f64() * 1e3, wall.as_secs_f64() * 1e3]
}

/// Spawns the sleepers, awaits them and gives the sum of their sleeps.
async fn all_sleep<P: TimerPeer>(tasks: usize) -> usize {
    let sleepers: Vec<_> = (0..tasks)
        .map(|index| {
            let milliseconds = sleep_ms(index);
            P::spawn(async move {
                P::sleep(Duration::from_millis(milliseconds as u64)).await;
                milliseconds
            })
        })
        .collect();
    let mut sum = 0;
    for sleeper in sleepers {
        sum += sleeper.await;
    }
    sum
}

impl TimerWork for TimersSleep {
    fn measure<P: TimerPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let tasks = setup.count(TASKS);
        account(tasks, || peer.block_on(async move { P::spawn(all_sleep::<P>(tasks)).await }))
    }
}

/// One thread that sleeps from deadline to deadline.
fn floor(setup: &Setup) -> Vec<f64> {
    let tasks = setup.count(TASKS);
    account(tasks, || {
        let start = Instant::now();
        let mut sleeps: Vec<usize> = (0..tasks).map(sleep_ms).collect();
        sleeps.sort_unstable();
        for milliseconds in &sleeps {
            thread::sleep(
                Duration::from_millis(*milliseconds as u64).saturating_sub(start.elapsed()),
            );
        }
        sleeps.iter().sum()
    })
}
