//! 4, `request_reply_main`: what does a round trip between the future in `block_on` and one task
//! cost?
//!
//! The main future sends 20,000 numbers to a spawned task, one at a time, and waits for each reply.
//! It is the shape of every program whose `main` talks to a task, and the case in which a runtime
//! hands control from one thread to another and back unless it has a way not to.
//!
//! Fair, because request and reply go through the same `Line` of this program on every peer, not
//! through a channel of its own. `threads` is the same with a thread for the task: the price of two
//! thread switches. The floor polls both futures in turn on one thread. rayon and chili have
//! nothing that waits for a message. Forte is left out: with a pool of one thread beside the main
//! one, the main future is not woken again after some round trips (1.0.0-beta.2).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smol::future;

use super::ns_per;
use crate::{
    line::Line,
    peers::{AsyncPeer, std::run_in_place},
    suite::{AsyncWork, Case, Metric, Setup, Workload},
};

/// Round trips of one sample.
const ROUND_TRIPS: usize = 20_000;

/// The work.
#[derive(Clone, Copy)]
struct RequestReplyMain;

/// The two directions of the conversation.
#[derive(Default)]
struct Lines {
    /// From the main future to the task.
    request: Line,
    /// From the task to the main future.
    reply: Line,
}

/// The workload with its case.
pub fn workload() -> Workload {
    let case = Case::new("request_reply_main", Metric::only("ns/round trip"))
        .async_peers(RequestReplyMain)
        .threads(RequestReplyMain)
        .floor(floor);
    Workload::new(4, "request_reply_main", vec![case])
}

/// Answers each number with the next.
async fn answer(lines: Arc<Lines>, round_trips: usize) {
    for _ in 0..round_trips {
        let number = lines.request.receive().await;
        lines.reply.send(number + 1);
    }
}

/// Asks with each number and checks the reply; says how long all round trips took.
async fn ask(lines: Arc<Lines>, round_trips: usize) -> Duration {
    let start = Instant::now();
    for number in 0..round_trips {
        lines.request.send(number);
        assert_eq!(lines.reply.receive().await, number + 1);
    }
    start.elapsed()
}

impl AsyncWork for RequestReplyMain {
    fn measure<P: AsyncPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let round_trips = setup.count(ROUND_TRIPS);
        let lines = Arc::<Lines>::default();
        let elapsed = peer.block_on(async move {
            let task = P::spawn(answer(Arc::clone(&lines), round_trips));
            let elapsed = ask(lines, round_trips).await;
            task.await;
            elapsed
        });
        vec![ns_per(elapsed, round_trips)]
    }
}

/// Both futures on one thread.
fn floor(setup: &Setup) -> Vec<f64> {
    let round_trips = setup.count(ROUND_TRIPS);
    let lines = Arc::<Lines>::default();
    let both = future::zip(ask(Arc::clone(&lines), round_trips), answer(lines, round_trips));
    let (elapsed, ()) = run_in_place(both);
    vec![ns_per(elapsed, round_trips)]
}
