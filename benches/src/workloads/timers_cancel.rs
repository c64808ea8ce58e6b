//! 10, `timers_cancel`: what does a timeout cost that never fires?
//!
//! One task awaits 200,000 times a single yield under a timeout of one second. Every yield is
//! pending once, and every timeout dropped long before its time: the case of nearly every timeout
//! in a server.
//!
//! A yield has woken its task already when it is pending, so a runtime need not arm the timeout at
//! all; Weftline does not. In `timers_cancel/armed` it cannot know: the waker that each timeout sees
//! is one of the benchmark's own, as in a `FuturesUnordered`, which passes wake-ups on to the task.
//!
//! Fair, because each peer uses the timeout its users write: tokio's function, and for smol, which
//! has none, the race of its documentation between the future and a `Timer`. Peers without timers
//! (Forte, rayon, chili) take no part. The floor awaits the yield without a timeout.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use smol::future;

use super::ns_per;
use crate::{
    peers::{TimerPeer, std::run_in_place},
    suite::{Case, Metric, Setup, TimerWork, Workload},
};

/// Timeouts of one sample.
const TIMEOUTS: usize = 200_000;

/// How long each timeout would wait.
const LIMIT: Duration = Duration::from_secs(1);

/// The work.
#[derive(Clone, Copy)]
struct TimersCancel;

/// The workload with its case.
pub fn workload() -> Workload {
    let case = Case::new("timers_cancel", Metric::only("ns/timeout"))
        .timer_peers(TimersCancel)
        .floor(floor);
    let armed =
        Case::new("timers_cancel/armed", Metric::only("ns/timeout")).timer_peers(TimersArmed);
    Workload::new(10, "timers_cancel", vec![case, armed])
}

impl TimerWork for TimersCancel {
    fn measure<P: TimerPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let timeouts = setup.count(TIMEOUTS);
        let in_a_row = async move {
            let start = Instant::now();
            let mut in_time = 0;
            for _ in 0..timeouts {
                in_time += usize::from(P::timeout(LIMIT, P::yield_now()).await);
            }
            (start.elapsed(), in_time)
        };
        let (elapsed, in_time) = peer.block_on(async move { P::spawn(in_a_row).await });
        assert_eq!(in_time, timeouts);
        vec![ns_per(elapsed, timeouts)]
    }
}

/// The work behind another waker.
#[derive(Clone, Copy)]
struct TimersArmed;

impl TimerWork for TimersArmed {
    fn measure<P: TimerPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let timeouts = setup.count(TIMEOUTS);
        let in_a_row = async move {
            let task =
                poll_fn(|context: &mut Context<'_>| Poll::Ready(context.waker().clone())).await;
            let relay = Waker::from(Arc::new(Relay(task)));
            let start = Instant::now();
            let mut in_time = 0;
            for _ in 0..timeouts {
                let mut timeout = pin!(P::timeout(LIMIT, P::yield_now()));
                let relayed =
                    |_: &mut Context<'_>| timeout.as_mut().poll(&mut Context::from_waker(&relay));
                in_time += usize::from(poll_fn(relayed).await);
            }
            (start.elapsed(), in_time)
        };
        let (elapsed, in_time) = peer.block_on(async move { P::spawn(in_a_row).await });
        assert_eq!(in_time, timeouts);
        vec![ns_per(elapsed, timeouts)]
    }
}

/// Passes wake-ups on.
struct Relay(Waker);

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_by_ref();
    }
}

/// The yields alone.
fn floor(setup: &Setup) -> Vec<f64> {
    let timeouts = setup.count(TIMEOUTS);
    let start = Instant::now();
    for _ in 0..timeouts {
        run_in_place(future::yield_now());
    }
    vec![ns_per(start.elapsed(), timeouts)]
}
