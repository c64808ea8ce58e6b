//! 20, `idle`: what does a runtime do that has nothing, or next to nothing, to do?
//!
//! First the process does nothing for three seconds, with a runtime that has just worked: the figure is
//! how often its threads were switched to, without the one that waits. Then one task sleeps for a
//! millisecond, again and again for three seconds: switches and processor time for each tick, and
//! how late a tick is on average.
//!
//! Fair, because all threads of the process are counted (`getrusage`), and each peer ticks by the sleep it
//! offers. A peer that is late ticks less often, so costs are given by the tick.

use std::{
    thread,
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{Usage, UsageWho, getrusage},
    time::TimeValLike,
};

use crate::{
    peers::TimerPeer,
    suite::{Case, Metric, Setup, TimerWork, Workload},
};

/// How long each part is watched, in milliseconds.
const WATCHED_MS: usize = 3000;
/// How long whoever looks for work may do so.
const SETTLED: Duration = Duration::from_millis(200);
/// Between two ticks.
const TICK: Duration = Duration::from_millis(1);

/// The work.
#[derive(Clone, Copy)]
struct Idle;

/// The workload with its case.
pub fn workload() -> Workload {
    let metrics = [
        Metric { suffix: "/wakeups", unit: "wake-ups" },
        Metric { suffix: "/tick_switches", unit: "switches/tick" },
        Metric { suffix: "/tick_cpu", unit: "µs/tick" },
        Metric { suffix: "/tick_late", unit: "µs" },
    ];
    Workload::new(20, "idle", vec![Case::new("idle", metrics).timer_peers(Idle)])
}

fn usage() -> Usage {
    getrusage(UsageWho::RUSAGE_SELF).expect("the kernel keeps the account")
}

fn switches(usage: &Usage) -> i64 {
    usage.voluntary_context_switches() + usage.involuntary_context_switches()
}

fn processor_us(usage: &Usage) -> i64 {
    usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
}

/// Ticks for that long: how often, and how late in all.
async fn tick<P: TimerPeer>(watched: Duration) -> (u32, Duration) {
    let (mut ticks, mut late) = (0, Duration::ZERO);
    let began = Instant::now();
    while began.elapsed() < watched {
        let due = Instant::now() + TICK;
        P::sleep(TICK).await;
        late += due.elapsed();
        ticks += 1;
    }
    (ticks, late)
}

impl TimerWork for Idle {
    fn measure<P: TimerPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let watched = Duration::from_millis(setup.count(WATCHED_MS) as u64);
        peer.block_on(async { P::spawn(P::sleep(TICK)).await });
        thread::sleep(SETTLED);
        let before = usage();
        thread::sleep(watched);
        // The thread that waits here is switched to once.
        let wakeups = switches(&usage()) - switches(&before) - 1;
        let before = usage();
        let (ticks, late) = peer.block_on(async move { P::spawn(tick::<P>(watched)).await });
        let after = usage();
        assert!(ticks > 0, "time passes");
        let ticks = f64::from(ticks);
        vec![
            wakeups.max(0) as f64,
            (switches(&after) - switches(&before)) as f64 / ticks,
            (processor_us(&after) - processor_us(&before)) as f64 / ticks,
            late.as_secs_f64() * 1e6 / ticks,
        ]
    }
}
