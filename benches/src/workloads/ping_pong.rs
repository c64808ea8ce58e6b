//! 6, `ping_pong`: what does one exchange between two fresh tasks cost?
//!
//! One task spawns 1,000 tasks; each of them spawns a partner, sends it a ping and awaits its pong,
//! both over oneshot channels. When all pairs are done the next round begins; a sample has 50
//! rounds.
//!
//! Fair, because every peer uses the oneshot channels of `futures-channel`, which belong to no
//! runtime. rayon and chili have nothing that waits for a message. The floor polls the two futures
//! of a pair in turn on one thread.

use std::time::{Duration, Instant};

use futures_channel::oneshot::{self, Receiver, Sender};
use smol::future;

use super::ns_per;
use crate::{
    peers::{AsyncPeer, std::run_in_place},
    suite::{AsyncWork, Case, Metric, Setup, Workload},
};

/// Pairs of one round.
const PAIRS: usize = 1_000;

/// Rounds of one sample.
const ROUNDS: usize = 50;

/// The work.
#[derive(Clone, Copy)]
struct PingPong;

/// The workload with its case.
pub fn workload() -> Workload {
    let case = Case::new("ping_pong", Metric::only("ns/pair"))
        .async_peers(PingPong)
        .forte(PingPong)
        .floor(floor);
    Workload::new(6, "ping_pong", vec![case])
}

/// Awaits the ping and answers with the next number.
async fn pong(ping: Receiver<usize>, pong: Sender<usize>) {
    let number = ping.await.expect("the ping is sent");
    pong.send(number + 1).expect("the pong is awaited");
}

/// Spawns a partner and plays one exchange with it.
async fn pair<P: AsyncPeer>(number: usize) -> usize {
    let (ping_sender, ping_receiver) = oneshot::channel();
    let (pong_sender, pong_receiver) = oneshot::channel();
    P::spawn_detached(pong(ping_receiver, pong_sender));
    ping_sender.send(number).expect("the ping is awaited");
    pong_receiver.await.expect("the pong is sent")
}

/// Plays all rounds; says how long it took and the sum of the pongs.
async fn rounds<P: AsyncPeer>(pairs: usize) -> (Duration, usize) {
    let start = Instant::now();
    let mut sum = 0;
    let mut tasks = Vec::with_capacity(pairs);
    for _ in 0..ROUNDS {
        tasks.extend((0..pairs).map(|number| P::spawn(pair::<P>(number))));
        for task in tasks.drain(..) {
            sum += task.await;
        }
    }
    (start.elapsed(), sum)
}

/// Asserts the sum and gives the time per pair.
fn checked(elapsed: Duration, sum: usize, pairs: usize) -> Vec<f64> {
    assert_eq!(sum, ROUNDS * (pairs * (pairs + 1) / 2));
    vec![ns_per(elapsed, ROUNDS * pairs)]
}

impl AsyncWork for PingPong {
    fn measure<P: AsyncPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let pairs = setup.count(PAIRS);
        let (elapsed, sum) = peer.block_on(async move { P::spawn(rounds::<P>(pairs)).await });
        checked(elapsed, sum, pairs)
    }
}

/// Both futures of each pair on one thread.
fn floor(setup: &Setup) -> Vec<f64> {
    let pairs = setup.count(PAIRS);
    let start = Instant::now();
    let mut sum = 0;
    for number in (0..ROUNDS).flat_map(|_| 0..pairs) {
        let (ping_sender, ping_receiver) = oneshot::channel();
        let (pong_sender, pong_receiver) = oneshot::channel();
        let ping = async {
            ping_sender.send(number).expect("the ping is awaited");
            pong_receiver.await.expect("the pong is sent")
        };
        let (pong_number, ()) = run_in_place(future::zip(ping, pong(ping_receiver, pong_sender)));
        sum += pong_number;
    }
    checked(start.elapsed(), sum, pairs)
}
