//! A completed value is never lost to a cancel or a limit that comes at the same moment.
//!
//! Values go through channels, locks and sockets while whoever waits for them is asked to end again
//! and again, at moments that chance chooses. What was taken was taken by somebody who has it.

use crate::rig::{LONG, runtime_of, within_limit};
use std::io::{Read, Write};
use std::net;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use weftline::net::{TcpListener, TcpStream};
use weftline::sync::oneshot;
use weftline::time::{sleep, timeout};
use weftline::{JoinHandle, Task, catch_cancel, finally, spawn, task, yield_now};

/// How many values go through.
const VALUES: u64 = if cfg!(debug_assertions) { 2_000 } else { 50_000 };

/// A length that differs each time, and is sometimes zero: a limit that is over about when a value
/// comes.
fn some_moment(seed: &AtomicU64) -> Duration {
    // Knuth's multiplicative hash of a count.
    let count = seed.fetch_add(1, Ordering::Relaxed);
    Duration::from_micros((count.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) / 4)
}

/// Asks a task to end over and over, until it has ended.
async fn pester(victim: Task) -> usize {
    let moments = AtomicU64::new(1);
    let mut requests = 0;
    while victim.cancel() {
        requests += 1;
        sleep(some_moment(&moments)).await;
    }
    requests
}

/// Repeats `take`, under limits and requests, until it says that there is nothing more.
async fn take_all<F: Future<Output = Option<u64>>>(take: impl Fn() -> F) -> Vec<u64> {
    let moments = AtomicU64::new(7);
    let mut taken = Vec::new();
    loop {
        let step = async {
            let result = timeout(some_moment(&moments), take()).await;
            if result.is_err() {
                yield_now().await;
            }
            result
        };
        match catch_cancel(step).await {
            Ok(Ok(Some(value))) => taken.push(value),
            Ok(Ok(None)) => return taken,
            Ok(Err(_elapsed)) => {}
            Err(_cancelled) => {
                task::current().expect("this is a task").uncancel();
            }
        }
    }
}

/// Begins to take at once: a task that is asked to end before it begins never does.
fn taking<F>(take: impl Fn() -> F + Send + Sync + 'static) -> JoinHandle<Vec<u64>>
where
    F: Future<Output = Option<u64>> + Send + 'static,
{
    task::Builder::new().eager(true).spawn(take_all(take))
}

#[test]
fn items_of_a_queue_are_all_taken_once() {
    within_limit(|| {
        runtime_of(4).block_on(async {
            let (sender, receiver) = async_channel::bounded(4);
            let takers: Vec<_> = (0..3)
                .map(|_| {
                    let receiver = receiver.clone();
                    taking(move || {
                        let receiver = receiver.clone();
                        async move { receiver.recv().await.ok() }
                    })
                })
                .collect();
            let pestering: Vec<_> =
                takers.iter().map(|taker| spawn(pester(taker.task()))).collect();
            for value in 0..VALUES {
                sender.send(value).await.unwrap();
            }
            drop(sender);
            let mut taken = Vec::new();
            for taker in takers {
                taken.extend(taker.await.unwrap());
            }
            taken.sort_unstable();
            assert_eq!(taken, (0..VALUES).collect::<Vec<_>>());
            for pesterer in pestering {
                pesterer.await.unwrap();
            }
        });
    });
}

#[test]
fn a_lock_is_held_by_somebody_or_free() {
    within_limit(|| {
        runtime_of(4).block_on(async {
            let lock = Arc::new(async_lock::Mutex::new(0));
            let takers: Vec<_> = (0..3)
                .map(|_| {
                    let lock = lock.clone();
                    taking(move || {
                        let lock = lock.clone();
                        async move {
                            let mut count = lock.lock().await;
                            yield_now().await;
                            *count += 1;
                            (*count <= VALUES / 4).then_some(*count)
                        }
                    })
                })
                .collect();
            let pestering: Vec<_> =
                takers.iter().map(|taker| spawn(pester(taker.task()))).collect();
            let mut taken = Vec::new();
            for taker in takers {
                taken.extend(taker.await.unwrap());
            }
            // Each value of the count was seen by one who held the lock.
            taken.sort_unstable();
            assert_eq!(taken, (1..=VALUES / 4).collect::<Vec<_>>());
            for pesterer in pestering {
                pesterer.await.unwrap();
            }
            assert!(lock.try_lock().is_some(), "nobody holds it any more");
        });
    });
}

#[test]
fn connections_that_were_accepted_are_all_answered() {
    within_limit(|| {
        const VISITORS: u64 = 200;
        runtime_of(4).block_on(async {
            let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
            let address = listener.local_addr().unwrap();
            let left = Arc::new(AtomicUsize::new(usize::try_from(VISITORS).unwrap()));
            let server = taking(move || {
                let (listener, left) = (listener.clone(), left.clone());
                async move {
                    if left.load(Ordering::Relaxed) == 0 {
                        return None;
                    }
                    let (visitor, _) = listener.accept().await.unwrap();
                    // From here on nothing waits: what was accepted is answered.
                    left.fetch_sub(1, Ordering::Relaxed);
                    assert_eq!(visitor.try_write(b"!").unwrap(), 1);
                    Some(1)
                }
            });
            let pestering = spawn(pester(server.task()));
            let visitors = weftline::spawn_blocking(move || {
                for _ in 0..VISITORS {
                    let mut stream = net::TcpStream::connect(address).unwrap();
                    stream.set_read_timeout(Some(LONG)).unwrap();
                    let mut answer = [0];
                    stream.read_exact(&mut answer).expect("whoever was accepted is answered");
                }
            });
            visitors.await.unwrap();
            assert_eq!(server.await.unwrap().len() as u64, VISITORS);
            pestering.await.unwrap();
        });
    });
}

#[test]
fn bytes_that_were_read_are_had() {
    within_limit(|| {
        runtime_of(4).block_on(async {
            let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            let stream = Arc::new(stream);
            let reader = taking(move || {
                let stream = stream.clone();
                async move {
                    let mut byte = [0];
                    (stream.read(&mut byte).await.unwrap() == 1).then(|| byte[0].into())
                }
            });
            let pestering = spawn(pester(reader.task()));
            let writing = weftline::spawn_blocking(move || {
                for value in 0..VALUES {
                    peer.write_all(&[u8::try_from(value % 251).unwrap()]).unwrap();
                }
            });
            writing.await.unwrap();
            let read = reader.await.unwrap();
            assert_eq!(read, (0..VALUES).map(|value| value % 251).collect::<Vec<_>>());
            pestering.await.unwrap();
        });
    });
}

#[test]
fn a_value_that_was_sent_is_had_or_given_back() {
    within_limit(|| {
        runtime_of(4).block_on(async {
            let moments = AtomicU64::new(3);
            let (mut had, mut given_back, mut unread) = (0, 0, 0);
            for value in 0..VALUES {
                let (sender, mut receiver) = oneshot::channel();
                let sending = spawn(async move {
                    yield_now().await;
                    sender.send(value).is_err()
                });
                let received = timeout(some_moment(&moments), &mut receiver).await;
                match received {
                    Ok(result) => {
                        assert_eq!(result, Ok(value));
                        had += 1;
                    }
                    // The limit did not take it away: it is there, or comes, unless it is refused.
                    Err(_elapsed) => match receiver.try_recv() {
                        Ok(late) => {
                            assert_eq!(late, value);
                            unread += 1;
                        }
                        Err(_) => drop(receiver),
                    },
                }
                given_back += u64::from(sending.await.unwrap());
            }
            assert!(had + unread + given_back <= VALUES && had > 0, "{had} {unread} {given_back}");
        });
    });
}

#[test]
fn the_output_of_a_task_is_had_although_its_joiner_is_asked_to_end() {
    within_limit(|| {
        runtime_of(4).block_on(async {
            let done = Arc::new(AtomicU64::new(0));
            for value in 0..VALUES / 4 {
                let finished = done.clone();
                let child = spawn(finally(
                    async move {
                        yield_now().await;
                        value
                    },
                    async move {
                        finished.fetch_add(1, Ordering::Relaxed);
                    },
                ));
                let mut child = child;
                let joining = spawn(async move {
                    match catch_cancel(&mut child).await {
                        Ok(output) => output.is_ok(),
                        // Asked to end, and its child with it: that has ended.
                        Err(_) => child.is_finished(),
                    }
                });
                yield_now().await;
                joining.cancel();
                match joining.await {
                    Ok(is_done) => assert!(is_done),
                    Err(error) => assert!(error.is_cancelled(), "before its first poll"),
                }
            }
            assert!(done.load(Ordering::Relaxed) <= VALUES / 4);
        });
    });
}

#[test]
fn a_value_that_was_sent_before_the_request_is_received() {
    runtime_of(4).block_on(async {
        let received = Arc::new(AtomicU64::new(0));
        for _ in 0..VALUES {
            let (sender, receiver) = oneshot::channel();
            let counts = received.clone();
            let receives = spawn(async move {
                counts.fetch_add(receiver.await.unwrap(), Ordering::SeqCst);
                sleep(LONG).await;
            });
            while receives.task().status() != task::Status::Waiting {
                yield_now().await;
            }
            sender.send(1).unwrap();
            receives.cancel();
            assert!(receives.await.unwrap_err().is_cancelled());
        }
        assert_eq!(received.load(Ordering::SeqCst), VALUES);
    });
}

#[test]
fn a_receiver_that_is_left_at_any_moment_still_gets_its_value() {
    within_limit(|| {
        runtime_of(4).block_on(async {
            let moments = AtomicU64::new(5);
            for value in 0..VALUES / 4 {
                let (sender, mut receiver) = oneshot::channel();
                let pause = some_moment(&moments);
                let sending = spawn(async move {
                    sleep(pause).await;
                    sender.send(value).expect("the receiver is there");
                });
                let first = timeout(some_moment(&moments), &mut receiver).await;
                let received = match first {
                    Ok(received) => received,
                    Err(_elapsed) => receiver.await,
                };
                assert_eq!(received, Ok(value));
                sending.await.unwrap();
            }
        });
    });
}
