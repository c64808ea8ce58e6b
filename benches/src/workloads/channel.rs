//! 11, `channel`: what does a message cost that passes from several producers to one consumer?
//!
//! Four tasks send a quarter million numbers each to a fifth, over a channel with room for 1,024;
//! the fifth adds them up.
//!
//! Fair, because each runtime has the channel that its own users take: tokio and Weftline their own,
//! smol async-channel. That one belongs to no runtime, so it is also measured on the other two: what
//! three runtimes make of one channel tells whose time it is. rayon and chili have nothing that waits
//! for a message. The floor is a queue under a lock of the standard library, which one thread locks
//! twice for each message.

use std::{
    collections::VecDeque,
    future::Future,
    sync::Mutex,
    time::{Duration, Instant},
};

use smol::channel as async_channel;

use super::ns_per;
use crate::{
    peers::{AsyncPeer, Drivers, smol::Smol, tokio::Tokio, weftline::Weftline},
    suite::{Case, Metric, Setup, Workload},
};

/// Tasks that send.
const PRODUCERS: usize = 4;

/// Messages of one sample.
const MESSAGES: usize = 1_000_000;

/// How many messages may be on their way.
const CAPACITY: usize = 1_024;

/// A bounded channel of somebody's.
trait Channel: 'static {
    /// What a producer sends through.
    type Sender: Clone + Send + 'static;
    /// What the consumer receives through.
    type Receiver: Send + 'static;

    /// Makes one with room for [`CAPACITY`] messages.
    fn make() -> (Self::Sender, Self::Receiver);

    /// Sends one message.
    fn send(sender: &Self::Sender, message: u64) -> impl Future<Output = ()> + Send;

    /// Receives one message; none when all producers are gone.
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send;
}

/// Weftline's.
struct WeftlineMpsc;

impl Channel for WeftlineMpsc {
    type Sender = weftline::sync::mpsc::Sender<u64>;
    type Receiver = weftline::sync::mpsc::Receiver<u64>;

    fn make() -> (Self::Sender, Self::Receiver) {
        weftline::sync::mpsc::channel(CAPACITY)
    }

    async fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).await.expect("the consumer is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await
    }
}

/// tokio's.
struct TokioMpsc;

impl Channel for TokioMpsc {
    type Sender = tokio::sync::mpsc::Sender<u64>;
    type Receiver = tokio::sync::mpsc::Receiver<u64>;

    fn make() -> (Self::Sender, Self::Receiver) {
        tokio::sync::mpsc::channel(CAPACITY)
    }

    async fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).await.expect("the consumer is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await
    }
}

/// smol's, which belongs to no runtime.
struct AsyncChannel;

impl Channel for AsyncChannel {
    type Sender = async_channel::Sender<u64>;
    type Receiver = async_channel::Receiver<u64>;

    fn make() -> (Self::Sender, Self::Receiver) {
        async_channel::bounded(CAPACITY)
    }

    async fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).await.expect("the consumer is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await.ok()
    }
}

/// The workload with its case.
pub fn workload() -> Workload {
    let case = Case::new("channel", Metric::only("ns/message"))
        .entry("weftline", sample::<Weftline, WeftlineMpsc>)
        .entry("tokio", sample::<Tokio, TokioMpsc>)
        .entry("smol", sample::<Smol, AsyncChannel>)
        .entry("weftline+async-channel", sample::<Weftline, AsyncChannel>)
        .entry("tokio+async-channel", sample::<Tokio, AsyncChannel>)
        .floor(floor);
    Workload::new(11, "channel", vec![case])
}

/// The second of two runs on a freshly started peer.
fn sample<P: AsyncPeer, C: Channel>(setup: &Setup) -> Vec<f64> {
    let peer = P::start(setup.workers, Drivers::Off);
    measure::<P, C>(&peer, setup);
    measure::<P, C>(&peer, setup)
}

/// The consumer is a task as well.
fn measure<P: AsyncPeer, C: Channel>(peer: &P, setup: &Setup) -> Vec<f64> {
    let messages = setup.count(MESSAGES).max(2);
    let (elapsed, sum) = peer.block_on(async move { P::spawn(pass::<P, C>(messages)).await });
    checked(elapsed, sum, messages)
}

/// Sends all messages and receives them; says how long it took and their sum.
async fn pass<P: AsyncPeer, C: Channel>(messages: usize) -> (Duration, u64) {
    let start = Instant::now();
    let (sender, mut receiver) = C::make();
    for producer in 0..PRODUCERS {
        let sender = sender.clone();
        P::spawn_detached(async move {
            for number in (producer..messages).step_by(PRODUCERS) {
                C::send(&sender, number as u64).await;
            }
        });
    }
    drop(sender);
    let mut sum = 0;
    while let Some(number) = C::receive(&mut receiver).await {
        sum += number;
    }
    (start.elapsed(), sum)
}

/// Asserts the sum and gives the time per message.
fn checked(elapsed: Duration, sum: u64, messages: usize) -> Vec<f64> {
    let messages_u64 = messages as u64;
    assert_eq!(sum, messages_u64 * (messages_u64 - 1) / 2);
    vec![ns_per(elapsed, messages)]
}

/// Through a queue under a lock, a channel's capacity at a time, on one thread.
fn floor(setup: &Setup) -> Vec<f64> {
    let messages = setup.count(MESSAGES).max(2);
    let start = Instant::now();
    let queue = Mutex::new(VecDeque::with_capacity(CAPACITY));
    let mut sum = 0;
    for first in (0..messages).step_by(CAPACITY) {
        for number in first..messages.min(first + CAPACITY) {
            queue.lock().expect("nobody panics").push_back(number as u64);
        }
        while let Some(number) = queue.lock().expect("nobody panics").pop_front() {
            sum += number;
        }
    }
    checked(start.elapsed(), sum, messages)
}
