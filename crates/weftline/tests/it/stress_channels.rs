//! Channels and queues whose users give up at random moments: whatever was sent arrives once, room
//! and turns come back, and everybody is woken in the end.

use crate::rig::Random;
use crate::storm::{
    Storm, TASKS, THREADS, give_way, operations, operations_of_a_task, over, storm, with_patience,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use weftline::sync::broadcast::{self, error::RecvError};
use weftline::sync::queue::{Queue, Shutdown};
use weftline::sync::{mpsc, oneshot, watch};
use weftline::yield_now;

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
    over(|runtime, mut random| {
        for capacity in [1, 2, 16] {
            let ledger = Arc::new(Ledger::default());
            let count = operations_of_a_task() / 3;
            let (sender, receiver) = mpsc::channel(capacity);
            let receives = runtime.spawn(receive(receiver, ledger.clone(), random.fork()));
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (sender, ledger) = (sender.clone(), ledger.clone());
                    thread::spawn(move || {
                        for _ in 0..count {
                            let message = ledger.message();
                            let number = message.number;
                            assert!(sender.blocking_send(message).is_ok(), "the receiver is there");
                            ledger.note_sent(number);
                        }
                    })
                })
                .collect();
            let sends = Storm::begin(&runtime, &mut random, |random| {
                send(sender.clone(), ledger.clone(), random, count)
            });
            drop(sender);
            sends.wait();
            for thread in threads {
                thread.join().expect("a thread ends");
            }
            receives.wait().expect("the receiver ends");
            ledger.is_balanced();
        }
    });
}

#[test]
fn no_message_of_a_channel_without_bounds_is_lost_where_the_receiver_gives_up() {
    over(|runtime, mut random| {
        let ledger = Arc::new(Ledger::default());
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let (also, mut choices) = (ledger.clone(), random.fork());
        let receives = runtime.spawn(async move {
            loop {
                match with_patience(&mut choices, receiver.recv()).await {
                    Some(Some(message)) => also.note_arrived(message),
                    Some(None) => break,
                    None => {}
                }
            }
        });
        let send = move |ledger: &Arc<Ledger>| {
            let message = ledger.message();
            ledger.note_sent(message.number);
            assert!(sender.send(message).is_ok(), "the receiver is there");
        };
        let (sends, by_thread) = (send.clone(), ledger.clone());
        let body = |mut random: Random| {
            let (send, ledger) = (sends.clone(), ledger.clone());
            async move {
                for _ in 0..operations_of_a_task() {
                    send(&ledger);
                    // So that the receiver comes to wait.
                    for _ in 0..random.below(4) {
                        give_way().await;
                    }
                }
            }
        };
        storm(&runtime, &mut random, body, move || send(&by_thread));
        drop(sends);
        receives.wait().expect("the receiver ends");
        ledger.is_balanced();
    });
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
            give_way().await;
        }
    }
}

#[test]
fn no_item_and_no_turn_is_lost_where_putters_and_getters_give_up() {
    over(|runtime, mut random| {
        for queue in [Queue::new(2), Queue::lifo(3), Queue::priority(16), Queue::new(None)] {
            let ledger = Arc::new(Ledger::default());
            let count = operations_of_a_task() / 4;
            let gets = Storm::begin(&runtime, &mut random, |random| {
                get(queue.clone(), ledger.clone(), random)
            });
            let puts = Storm::begin(&runtime, &mut random, |random| {
                put(queue.clone(), ledger.clone(), random, count)
            });
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (queue, ledger) = (queue.clone(), ledger.clone());
                    thread::spawn(move || {
                        for _ in 0..count {
                            let message = ledger.message();
                            let number = message.number;
                            assert!(queue.put_blocking(message).is_ok(), "the queue is open");
                            ledger.note_sent(number);
                        }
                    })
                })
                .collect();
            puts.wait();
            for thread in threads {
                thread.join().expect("a thread ends");
            }
            runtime.block_on(queue.join());
            queue.shutdown(Shutdown::Drain);
            gets.wait();
            assert!(queue.is_empty());
            ledger.is_balanced();
        }
    });
}

#[test]
fn every_message_is_got_or_counted_as_missed_where_receivers_give_up() {
    over(|runtime, mut random| {
        let count = (operations() / TASKS) as u64;
        let (sender, _) = broadcast::channel(8);
        let receives = Storm::begin(&runtime, &mut random, |mut random| {
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
        runtime.block_on(async {
            for n in 0..count {
                assert_eq!(sender.send(n), Ok(TASKS));
                // So that now and then all wait, and none has missed anything.
                if random.below(4) == 0 {
                    while !sender.is_empty() {
                        yield_now().await;
                    }
                }
            }
        });
        drop(sender);
        receives.wait();
    });
}

#[test]
fn the_last_value_is_seen_by_all_where_receivers_give_up() {
    /// How often the sender waits until all have seen what there is.
    const EVERY: usize = 4;
    over(|runtime, mut random| {
        let count = operations() / TASKS;
        let (sender, _) = watch::channel(0);
        let seen = Arc::new(AtomicUsize::new(0));
        let receives = Storm::begin(&runtime, &mut random, |mut random| {
            let (mut receiver, seen) = (sender.subscribe(), seen.clone());
            async move {
                let mut last = 0;
                loop {
                    match with_patience(&mut random, receiver.changed()).await {
                        Some(Ok(())) => {
                            let value = *receiver.borrow_and_update();
                            assert!(value > last, "{value} after {last}");
                            last = value;
                            if value % EVERY == 0 {
                                seen.fetch_add(1, SeqCst);
                            }
                        }
                        Some(Err(_)) => break,
                        None => {}
                    }
                }
                assert_eq!(last, count);
            }
        });
        runtime.block_on(async {
            for value in 1..=count {
                sender.send(value).unwrap();
                if value % EVERY == 0 {
                    while seen.load(SeqCst) < value / EVERY * TASKS {
                        yield_now().await;
                    }
                }
            }
        });
        drop(sender);
        receives.wait();
    });
}

#[test]
fn a_value_for_one_arrives_or_comes_back_where_receivers_give_up() {
    over(|runtime, mut random| {
        let ledger = Arc::new(Ledger::default());
        // Sent, refused, never sent; received, heard of, given up.
        let ends: Arc<[AtomicUsize; 6]> = Arc::default();
        let (hand_out, mut handed_out) = mpsc::unbounded_channel::<oneshot::Sender<Message>>();
        let (messages, counts, mut choices) = (ledger.clone(), ends.clone(), random.fork());
        let sends = runtime.spawn(async move {
            while let Some(sender) = handed_out.recv().await {
                let end = match choices.below(4) {
                    0 => 2,
                    _ => usize::from(sender.send(messages.message()).is_err()),
                };
                counts[end].fetch_add(1, SeqCst);
            }
        });
        Storm::begin(&runtime, &mut random, |mut random| {
            let (ends, hand_out) = (ends.clone(), hand_out.clone());
            async move {
                for _ in 0..operations() / TASKS {
                    let (sender, receiver) = oneshot::channel();
                    assert!(hand_out.send(sender).is_ok());
                    let end = match with_patience(&mut random, receiver).await {
                        Some(Ok(_message)) => 3,
                        Some(Err(_)) => 4,
                        None => 5,
                    };
                    ends[end].fetch_add(1, SeqCst);
                }
            }
        })
        .wait();
        drop(hand_out);
        sends.wait().expect("the sender ends");
        let [sent, refused, never, received, heard, given_up] =
            ends.each_ref().map(|count| count.load(SeqCst));
        assert_eq!(sent + refused + never, received + heard + given_up);
        assert!(received <= sent && heard <= never && refused <= given_up);
        assert_eq!(ledger.alive.load(SeqCst), 0, "messages that are left");
    });
}
