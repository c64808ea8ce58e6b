//! Locks and other meetings whose users give up at random moments: whoever holds something holds it
//! alone, no turn, permit, notification or party is lost, and everybody is woken in the end.

use crate::storm::{PATIENT, Storm, TASKS, give_way, in_rounds, operations, over, with_patience};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use weftline::sync::{
    Barrier, Condvar, Event, Mutex, OnceCell, RwLock, RwLockWriteGuard, Semaphore,
};
use weftline::yield_now;

#[test]
fn a_mutex_is_held_by_one_and_no_turn_is_lost_in_a_storm() {
    over(|runtime, mut random| {
        let mutex = Arc::new(Mutex::new(0));
        let turns = Arc::new(AtomicUsize::new(0));
        let turn = {
            let (mutex, turns) = (mutex.clone(), turns.clone());
            move |yields| {
                let (mutex, turns) = (mutex.clone(), turns.clone());
                async move {
                    let mut guard = mutex.lock_owned().await;
                    let seen = *guard;
                    for _ in 0..yields {
                        // Given up here as well, with the lock.
                        yield_now().await;
                    }
                    *guard = seen + 1;
                    turns.fetch_add(1, SeqCst);
                }
            }
        };
        let other = turn.clone();
        in_rounds(&runtime, &mut random, turn, move |way| other(way % 3));
        assert_eq!(*mutex.try_lock().expect("nobody holds it"), turns.load(SeqCst));
    });
}

#[test]
fn a_lock_is_written_by_one_and_no_turn_is_lost_in_a_storm() {
    over(|runtime, mut random| {
        let lock = Arc::new(RwLock::new(0));
        let turns = Arc::new(AtomicUsize::new(0));
        let read = {
            let lock = lock.clone();
            move || {
                let lock = lock.clone();
                async move {
                    let guard = lock.read().await;
                    let seen = *guard;
                    yield_now().await;
                    assert_eq!(*guard, seen, "nobody writes what is read");
                }
            }
        };
        let write = {
            let (lock, turns) = (lock.clone(), turns.clone());
            move |yields, downgrades| {
                let (lock, turns) = (lock.clone(), turns.clone());
                async move {
                    let mut guard = lock.write().await;
                    let seen = *guard;
                    for _ in 0..yields {
                        yield_now().await;
                    }
                    *guard = seen + 1;
                    turns.fetch_add(1, SeqCst);
                    if downgrades {
                        let guard = RwLockWriteGuard::downgrade(guard);
                        yield_now().await;
                        assert_eq!(*guard, seen + 1, "nobody writes what is read");
                    }
                }
            }
        };
        let (reads, writes) = (read.clone(), write.clone());
        let patient = move |number| {
            let (read, write) = (reads(), writes(number, number == 1));
            async move { if number == 0 { read.await } else { write.await } }
        };
        let other = move |way| {
            let (read, write) = (read(), write(usize::from(way % 3 == 0), way % 5 == 0));
            async move { if way % 2 == 0 { read.await } else { write.await } }
        };
        in_rounds(&runtime, &mut random, patient, other);
        assert_eq!(*lock.try_write().expect("nobody holds it"), turns.load(SeqCst));
    });
}

#[test]
fn no_permit_is_lost_in_a_storm() {
    const PERMITS: usize = 2;
    over(|runtime, mut random| {
        let semaphore = Arc::new(Semaphore::new(PERMITS));
        let held = Arc::new(AtomicUsize::new(0));
        let turn = {
            let semaphore = semaphore.clone();
            move |way: usize| {
                let (semaphore, held) = (semaphore.clone(), held.clone());
                async move {
                    let wanted = 1 + usize::from(way % 3 == 0);
                    let permit = semaphore.acquire_many(wanted).await.expect("it is open");
                    assert!(held.fetch_add(wanted, SeqCst) + wanted <= PERMITS);
                    held.fetch_sub(wanted, SeqCst);
                    if way % 2 == 0 {
                        yield_now().await;
                    }
                    drop(permit);
                }
            }
        };
        let other = turn.clone();
        in_rounds(&runtime, &mut random, turn, other);
        assert_eq!(semaphore.available_permits(), PERMITS);
    });
}

/// Some that wait for an event, round after round, and never give up.
#[derive(Default)]
struct Signals {
    event: Event,
    /// How often one of them has begun to wait, and gone on.
    begun: AtomicUsize,
    passed: AtomicUsize,
    /// How many rounds may begin: in each the event was cleared before.
    open: AtomicUsize,
    is_over: AtomicBool,
}

impl Signals {
    async fn take_part(&self) {
        for round in 1.. {
            while self.open.load(SeqCst) < round {
                give_way().await;
            }
            let mut wait = pin!(self.event.wait());
            let mut is_begun = false;
            poll_fn(|cx| {
                let polled = wait.as_mut().poll(cx);
                if !is_begun {
                    is_begun = true;
                    self.begun.fetch_add(1, SeqCst);
                }
                polled
            })
            .await;
            self.passed.fetch_add(1, SeqCst);
            if self.is_over.load(SeqCst) {
                return;
            }
        }
    }

    async fn lead(&self, is_last: impl Fn() -> bool) {
        for round in 1.. {
            self.open.store(round, SeqCst);
            while self.begun.load(SeqCst) < round * PATIENT {
                yield_now().await;
            }
            let is_last = is_last();
            self.is_over.store(is_last, SeqCst);
            self.event.set();
            if is_last {
                return;
            }
            self.event.clear();
            while self.passed.load(SeqCst) < round * PATIENT {
                yield_now().await;
            }
        }
    }
}

#[test]
fn an_event_that_is_set_and_cleared_at_once_wakes_all_in_a_storm() {
    over(|runtime, mut random| {
        let rounds = Arc::new(Signals::default());
        let storm = Storm::begin(&runtime, &mut random, |mut random| {
            let rounds = rounds.clone();
            async move {
                for _ in 0..operations() / TASKS {
                    // Who leads may be held up while it is set.
                    while rounds.event.is_set() {
                        give_way().await;
                    }
                    with_patience(&mut random, rounds.event.wait()).await;
                }
            }
        });
        let patient: Vec<_> = (0..PATIENT)
            .map(|_| {
                let rounds = rounds.clone();
                runtime.spawn(async move { rounds.take_part().await })
            })
            .collect();
        runtime.block_on(rounds.lead(|| storm.is_over()));
        storm.wait();
        for task in patient {
            task.wait().unwrap();
        }
    });
}

/// A ball that is handed from one patient task to the next, each of which waits for it.
#[derive(Default)]
struct Ball {
    /// Who has it.
    at: Mutex<usize>,
    is_moved: [Condvar; PATIENT],
}

impl Ball {
    async fn hand_on(&self, number: usize) {
        let mut at = self.at.lock().await;
        at = self.is_moved[number].wait_while(at, |at| *at != number).await;
        *at = (number + 1) % PATIENT;
        self.is_moved[*at].notify_one();
        // Who is told has to wait for the lock, and may give up then.
        yield_now().await;
    }

    /// Waits for the ball where another one does, who has to hear of it as well.
    async fn watch(&self, number: usize) {
        let at = self.at.lock().await;
        let _at = self.is_moved[number].wait(at).await;
        self.is_moved[number].notify_one();
    }
}

#[test]
fn no_notification_is_lost_in_a_storm() {
    over(|runtime, mut random| {
        let ball = Arc::new(Ball::default());
        let watched = ball.clone();
        let patient = move |number| {
            let ball = ball.clone();
            async move { ball.hand_on(number).await }
        };
        let other = move |way| {
            let ball = watched.clone();
            async move { ball.watch(way % PATIENT).await }
        };
        in_rounds(&runtime, &mut random, patient, other);
    });
}

#[test]
fn no_party_is_lost_or_counted_twice_in_a_storm() {
    const PARTIES: usize = 3;
    over(|runtime, mut random| {
        let barrier = Arc::new(Barrier::new(PARTIES));
        let passed: Arc<[AtomicUsize; PARTIES]> = Arc::default();
        let given_up = Arc::new(AtomicUsize::new(0));
        Storm::begin(&runtime, &mut random, |mut random| {
            let (barrier, passed, given_up) = (barrier.clone(), passed.clone(), given_up.clone());
            async move {
                loop {
                    match with_patience(&mut random, barrier.wait()).await {
                        Some(Ok(number)) => {
                            let before = passed[number].fetch_add(1, SeqCst);
                            if before >= operations() / PARTIES {
                                barrier.abort();
                            }
                        }
                        Some(Err(_broken)) => break,
                        None => {
                            given_up.fetch_add(1, SeqCst);
                        }
                    }
                }
            }
        })
        .wait();
        let passed = passed.each_ref().map(|count| count.load(SeqCst));
        let (most, least) = (passed.iter().max().unwrap(), passed.iter().min().unwrap());
        // In each round each number is given to one, who may have given up meanwhile, or found the barrier
        // broken.
        assert!(most - least <= given_up.load(SeqCst) + TASKS, "{passed:?}");
        assert!(barrier.is_broken() && barrier.n_waiting() == 0);
    });
}

#[test]
fn a_cell_is_filled_once_whoever_gives_up_filling_it_in_a_storm() {
    /// How often somebody asks for the value of a cell.
    const ASKED: usize = 8;
    over(|runtime, mut random| {
        let cells: Vec<_> = (0..=operations() / ASKED)
            .map(|_| (OnceCell::<usize>::new(), AtomicUsize::new(0)))
            .collect();
        let (cells, next) = (Arc::new(cells), Arc::new(AtomicUsize::new(0)));
        Storm::begin(&runtime, &mut random, |mut random| {
            let (cells, next) = (cells.clone(), next.clone());
            async move {
                loop {
                    let number = next.fetch_add(1, SeqCst) / ASKED;
                    let Some((cell, filled)) = cells.get(number) else { break };
                    let fails = random.below(4) == 0;
                    let fill = cell.get_or_try_init(|| async {
                        yield_now().await;
                        if fails {
                            return Err("fails");
                        }
                        filled.fetch_add(1, SeqCst);
                        Ok(number)
                    });
                    match with_patience(&mut random, fill).await {
                        Some(Ok(value)) => assert_eq!(*value, number),
                        Some(Err(error)) => assert_eq!(error, "fails"),
                        None => {}
                    }
                }
            }
        })
        .wait();
        for (cell, filled) in cells.iter() {
            assert_eq!(filled.load(SeqCst), usize::from(cell.get().is_some()));
        }
    });
}
