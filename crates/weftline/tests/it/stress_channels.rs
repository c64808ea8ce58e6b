//! Channels and queues whose users give up at random moments: whatever was sent arrives once, room
//! and turns come back, and everybody is woken in the end.
//!
//! WEFTLINE_IT_MESSAGES is the number of attempts to send; by default a million, and fewer in a debug
//! build. WEFTLINE_IT_SEED replays the random choices of a run that has told its seed.

use crate::rig::{Random, amount, runtime_of, seed};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::thread;
use weftline::sync::broadcast::{self, error::RecvError};
use weftline::sync::mpsc;
use weftline::sync::queue::{Queue, Shutdown};
use weftline::{JoinHandle, Runtime, yield_now};

/// Tasks that send, and that get from queues.
const TASKS: usize = 6;
/// Threads that do.
const THREADS: usize = 2;
const WORKERS: usize = 3;

fn messages_in_all() -> usize {
    amount("WEFTLINE_IT_MESSAGES", 50_000, 1_000_000)
}

/// What was sent and what has arrived.
#[derive(Default)]
struct Ledger {
    /// The number of the next message.
    next: AtomicU64,
    /// How many were sent, and the sum of their numbers.
    sent: AtomicUsize,
    sent_sum: AtomicU64,
    /// How many arrived, and the sum of their numbers.
    arrived: AtomicUsize,
    arrived_sum: AtomicU64,
    /// Messages that are anywhere.
    alive: AtomicUsize,
}

/// A message that is counted as long as it is anywhere.
struct Message {
    number: u64,
    ledger: Arc<Ledger>,
}

impl Ledger {
    fn message(self: &Arc<Self>) -> Message {
        self.alive.fetch_add(1, SeqCst);
        Message { number: self.next.fetch_add(1, SeqCst), ledger: self.clone() }
    }

    fn note_sent(&self, number: u64) {
        self.sent.fetch_add(1, SeqCst);
        self.sent_sum.fetch_add(number, SeqCst);
    }

    fn note_arrived(&self, message: Message) {
        self.arrived.fetch_add(1, SeqCst);
        self.arrived_sum.fetch_add(message.number, SeqCst);
    }

    #[track_caller]
    fn is_balanced(&self) {
        assert_eq!(self.sent.load(SeqCst), self.arrived.load(SeqCst), "sent and arrived");
        assert_eq!(self.sent_sum.load(SeqCst), self.arrived_sum.load(SeqCst), "their numbers");
        assert_eq!(self.alive.load(SeqCst), 0, "messages that are left");
        assert!(self.sent.load(SeqCst) > 0);
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.ledger.alive.fetch_sub(1, SeqCst);
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Message {}

impl PartialOrd for Message {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Message {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number.cmp(&other.number)
    }
}

/// Awaits a future, or gives it up: after some polls, or after some time in which it is not polled.
async fn with_patience<F: Future>(random: &mut Random, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match random.below(4) {
        0 | 1 => Some(future.await),
        2 => {
            let mut polls = 1 + random.below(3);
            poll_fn(|cx| {
                polls -= 1;
                match future.as_mut().poll(cx) {
                    Poll::Ready(output) => Poll::Ready(Some(output)),
                    Poll::Pending if polls == 0 => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await
        }
        _ => {
            let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
            if let Poll::Ready(output) = first {
                return Some(output);
            }
            for _ in 0..random.below(8) {
                yield_now().await;
            }
            None
        }
    }
}

/// Runs a task for each generator.
fn tasks<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    random: &mut Random,
    body: impl Fn(Random) -> F,
) -> Vec<JoinHandle<()>> {
    (0..TASKS).map(|_| runtime.spawn(body(random.fork()))).collect()
}

fn all_end(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.wait().expect("a task ends");
    }
}

/// Runs plain threads that send so often each, and wait for room.
fn threads<S: Fn(Message) -> bool + Send + 'static>(
    ledger: &Arc<Ledger>,
    count: usize,
    sends: impl Fn() -> S,
) -> Vec<thread::JoinHandle<()>> {
    let one = |_| {
        let (send, ledger) = (sends(), ledger.clone());
        thread::spawn(move || {
            for _ in 0..count {
                let message = ledger.message();
                let number = message.number;
                assert!(send(message), "nobody closes it");
                ledger.note_sent(number);
            }
        })
    };
    (0..THREADS).map(one).collect()
}

/// Reserves room for some, and uses some of it.
async fn send_many(sender: &mpsc::Sender<Message>, ledger: &Arc<Ledger>, random: &mut Random) {
    let most = sender.max_capacity().min(4) as u64;
    let count = 1 + random.below(most) as usize;
    let used = random.below(count as u64 + 1) as usize;
    let permits = match random.below(3) {
        0 => sender.try_reserve_many(count).ok(),
        _ => with_patience(random, sender.reserve_many(count)).await.and_then(Result::ok),
    };
    for permit in permits.into_iter().flat_map(|permits| permits.take(used)) {
        let message = ledger.message();
        ledger.note_sent(message.number);
        permit.send(message);
    }
}

/// Sends so often, or gives up.
async fn send(
    sender: mpsc::Sender<Message>,
    ledger: Arc<Ledger>,
    mut random: Random,
    count: usize,
) {
    for _ in 0..count {
        if random.below(4) == 0 {
            send_many(&sender, &ledger, &mut random).await;
            continue;
        }
        let message = ledger.message();
        let number = message.number;
        let sent = match random.below(5) {
            0 => sender.try_send(message).is_ok(),
            1 => match with_patience(&mut random, sender.reserve()).await {
                Some(Ok(permit)) if random.below(4) > 0 => {
                    permit.send(message);
                    true
                }
                _ => false,
            },
            2 => match with_patience(&mut random, sender.clone().reserve_owned()).await {
                Some(Ok(permit)) if random.below(4) > 0 => {
                    permit.send(message);
                    true
                }
                _ => false,
            },
            _ => with_patience(&mut random, sender.send(message)).await.is_some_and(|r| r.is_ok()),
        };
        if sent {
            ledger.note_sent(number);
        }
    }
}

/// Receives all, giving up now and then.
async fn receive(mut receiver: mpsc::Receiver<Message>, ledger: Arc<Ledger>, mut random: Random) {
    let mut many = Vec::new();
    loop {
        match random.below(3) {
            0 => many.extend(receiver.try_recv()),
            1 => {
                let limit = 1 + random.below(5) as usize;
                let recv = receiver.recv_many(&mut many, limit);
                if with_patience(&mut random, recv).await == Some(0) {
                    break;
                }
            }
            _ => match with_patience(&mut random, receiver.recv()).await {
                Some(Some(message)) => many.push(message),
                Some(None) => break,
                None => {}
            },
        }
        many.drain(..).for_each(|message| ledger.note_arrived(message));
    }
    assert_eq!(receiver.capacity(), receiver.max_capacity(), "room that did not come back");
}

#[test]
fn no_message_and_no_room_is_lost_where_senders_and_receiver_give_up() {
    let mut random = Random::new(seed());
    for capacity in [1, 2, 16] {
        let runtime = runtime_of(WORKERS);
        let ledger = Arc::new(Ledger::default());
        let count = messages_in_all() / 3 / (TASKS + THREADS);
        let (sender, receiver) = mpsc::channel(capacity);
        let receives = runtime.spawn(receive(receiver, ledger.clone(), random.fork()));
        let threads = threads(&ledger, count, || {
            let sender = sender.clone();
            move |message| sender.blocking_send(message).is_ok()
        });
        let sends = tasks(&runtime, &mut random, |random| {
            send(sender.clone(), ledger.clone(), random, count)
        });
        drop(sender);
        all_end(sends);
        for thread in threads {
            thread.join().expect("a thread ends");
        }
        receives.wait().expect("the receiver ends");
        ledger.is_balanced();
    }
}

/// Puts so often, or gives up.
async fn put(queue: Queue<Message>, ledger: Arc<Ledger>, mut random: Random, count: usize) {
    for _ in 0..count {
        let message = ledger.message();
        let number = message.number;
        let put = match random.below(4) {
            0 => queue.try_put(message).is_ok(),
            _ => with_patience(&mut random, queue.put(message)).await.is_some_and(|r| r.is_ok()),
        };
        if put {
            ledger.note_sent(number);
        }
    }
}

/// Gets all, giving up now and then.
async fn get(queue: Queue<Message>, ledger: Arc<Ledger>, mut random: Random) {
    loop {
        let got = match random.below(4) {
            0 => queue.try_get().ok(),
            _ => match with_patience(&mut random, queue.get()).await {
                Some(Err(_)) => return,
                got => got.and_then(Result::ok),
            },
        };
        if let Some(message) = got {
            ledger.note_arrived(message);
            queue.task_done().expect("it was put");
        } else {
            yield_now().await;
        }
    }
}

#[test]
fn no_item_and_no_turn_is_lost_where_putters_and_getters_give_up() {
    let mut random = Random::new(seed());
    for queue in [Queue::new(2), Queue::lifo(3), Queue::priority(16), Queue::new(None)] {
        let runtime = runtime_of(WORKERS);
        let ledger = Arc::new(Ledger::default());
        let count = messages_in_all() / 4 / (TASKS + THREADS);
        let gets =
            tasks(&runtime, &mut random, |random| get(queue.clone(), ledger.clone(), random));
        let puts = tasks(&runtime, &mut random, |random| {
            put(queue.clone(), ledger.clone(), random, count)
        });
        let threads = threads(&ledger, count, || {
            let queue = queue.clone();
            move |message| queue.put_blocking(message).is_ok()
        });
        all_end(puts);
        for thread in threads {
            thread.join().expect("a thread ends");
        }
        runtime.block_on(queue.join());
        queue.shutdown(Shutdown::Drain);
        all_end(gets);
        assert!(queue.is_empty());
        ledger.is_balanced();
    }
}

#[test]
fn every_message_is_got_or_counted_as_missed_where_receivers_give_up() {
    let mut random = Random::new(seed());
    let runtime = runtime_of(WORKERS);
    let count = messages_in_all() as u64 / 10;
    let (sender, _) = broadcast::channel(8);
    let receives = tasks(&runtime, &mut random, |mut random| {
        let mut receiver = sender.subscribe();
        async move {
            let mut next = 0;
            loop {
                match with_patience(&mut random, receiver.recv()).await {
                    Some(Ok(n)) => {
                        assert_eq!(n, next, "in order, and each one");
                        next += 1;
                    }
                    Some(Err(RecvError::Lagged(missed))) => next += missed,
                    Some(Err(RecvError::Closed)) => break,
                    None => {}
                }
            }
            assert_eq!(next, count, "messages got or missed");
        }
    });
    for n in 0..count {
        assert_eq!(sender.send(n), Ok(TASKS));
    }
    drop(sender);
    all_end(receives);
}
