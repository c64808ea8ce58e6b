//! Locks and other meetings whose users give up at random moments: whoever holds something holds it
//! alone, no turn, notification or party is lost, and everybody is woken in the end. Semaphores
//! are in `permits`.

use crate::rig::Random;
use crate::storm::{
    Storm, TASKS, give_way, operations, operations_of_a_task, over, storm, with_patience,
};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use weftline::sync::{
    Barrier, Condvar, Event, Mutex, MutexGuard, OnceCell, RwLock, RwLockWriteGuard,
};
use weftline::yield_now;

#[test]
fn a_mutex_is_held_by_one_and_no_turn_is_lost_in_a_storm() {
    over(|runtime, mut random| {
        let mutex = Arc::new(Mutex::new(0));
        let turns = Arc::new(AtomicUsize::new(0));
        let (locks, counts) = (mutex.clone(), turns.clone());
        let body = |mut random: Random| {
            let (mutex, turns) = (mutex.clone(), turns.clone());
            async move {
                for n in 0..operations_of_a_task() {
                    if n % 8 == 0 {
                        if let Some(mut guard) = mutex.try_lock() {
                            *guard += 1;
                            turns.fetch_add(1, SeqCst);
                        }
                        continue;
                    }
                    let turn = async {
                        let mut guard = mutex.clone().lock_owned().await;
                        let seen = *guard;
                        if n % 4 == 0 {
                            // Given up here as well, with the lock.
                            yield_now().await;
                        }
                        *guard = seen + 1;
                        turns.fetch_add(1, SeqCst);
                    };
                    with_patience(&mut random, turn).await;
                }
            }
        };
        storm(&runtime, &mut random, body, move || {
            *locks.lock_blocking() += 1;
            counts.fetch_add(1, SeqCst);
        });
        assert_eq!(*mutex.try_lock().expect("nobody holds it"), turns.load(SeqCst));
    });
}

#[test]
fn a_lock_is_written_by_one_and_no_turn_is_lost_in_a_storm() {
    over(|runtime, mut random| {
        let lock = Arc::new(RwLock::new(0));
        let turns = Arc::new(AtomicUsize::new(0));
        let (locks, counts) = (lock.clone(), turns.clone());
        let body = |mut random: Random| {
            let (lock, turns) = (lock.clone(), turns.clone());
            async move {
                for n in 0..operations_of_a_task() {
                    let turn = async {
                        if n % 3 > 0 {
                            let guard = lock.read().await;
                            let seen = *guard;
                            yield_now().await;
                            assert_eq!(*guard, seen, "nobody writes what is read");
                            return;
                        }
                        let mut guard = lock.write().await;
                        let seen = *guard;
                        if n % 4 == 0 {
                            yield_now().await;
                        }
                        *guard = seen + 1;
                        turns.fetch_add(1, SeqCst);
                        if n % 5 == 0 {
                            let guard = RwLockWriteGuard::downgrade(guard);
                            yield_now().await;
                            assert_eq!(*guard, seen + 1, "nobody writes what is read");
                        }
                    };
                    with_patience(&mut random, turn).await;
                }
            }
        };
        storm(&runtime, &mut random, body, move || {
            drop(locks.read_blocking());
            *locks.write_blocking() += 1;
            counts.fetch_add(1, SeqCst);
        });
        assert_eq!(*lock.try_write().expect("nobody holds it"), turns.load(SeqCst));
    });
}

/// Some that wait for an event, round after round, and give up never.
#[derive(Default)]
struct Rounds {
    event: Event,
    /// How often one of them has begun to wait, and gone on.
    begun: AtomicUsize,
    passed: AtomicUsize,
    /// How many rounds may begin: in each the event was cleared before.
    open: AtomicUsize,
    is_over: AtomicBool,
}

/// How many wait in each round.
const PATIENT: usize = 3;

impl Rounds {
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
        let rounds = Arc::new(Rounds::default());
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

/// A place for few things, at which some wait for room and others for things.
struct Place {
    state: Mutex<Things>,
    is_room: Condvar,
    is_thing: Condvar,
    /// How many are put and taken.
    in_all: usize,
}

#[derive(Default)]
struct Things {
    there: usize,
    put: usize,
    taken: usize,
}

impl Place {
    const ROOM: usize = 2;

    /// Puts one thing; says whether there are more to put.
    async fn put(&self) -> bool {
        let full = |things: &mut Things| things.there == Self::ROOM && things.put < self.in_all;
        let things = self.is_room.wait_while(self.state.lock().await, full).await;
        self.put_one(things)
    }

    fn put_one(&self, mut things: MutexGuard<'_, Things>) -> bool {
        if things.put == self.in_all {
            return false;
        }
        things.there += 1;
        things.put += 1;
        self.is_thing.notify_one();
        if things.put == self.in_all {
            self.is_room.notify_all();
        }
        true
    }

    /// Takes one thing; says whether there are more to take.
    async fn take(&self) -> bool {
        let empty = |things: &mut Things| things.there == 0 && things.taken < self.in_all;
        let mut things = self.is_thing.wait_while(self.state.lock().await, empty).await;
        if things.taken == self.in_all {
            return false;
        }
        things.there -= 1;
        things.taken += 1;
        self.is_room.notify_one();
        if things.taken == self.in_all {
            self.is_thing.notify_all();
        }
        true
    }

    fn put_blocking(&self) -> bool {
        let mut things = self.state.lock_blocking();
        while things.there == Self::ROOM && things.put < self.in_all {
            things = self.is_room.wait_blocking(things);
        }
        self.put_one(things)
    }
}

#[test]
fn no_notification_is_lost_in_a_storm() {
    over(|runtime, mut random| {
        let in_all = operations() / 2;
        let place = Arc::new(Place {
            state: Mutex::default(),
            is_room: Condvar::new(),
            is_thing: Condvar::new(),
            in_all,
        });
        let turn = AtomicUsize::new(0);
        let storm = Storm::begin(&runtime, &mut random, |mut random| {
            let place = place.clone();
            let puts = turn.fetch_add(1, SeqCst) % 2 == 0;
            async move {
                loop {
                    let goes_on = match puts {
                        true => with_patience(&mut random, place.put()).await,
                        false => with_patience(&mut random, place.take()).await,
                    };
                    if goes_on == Some(false) {
                        break;
                    }
                }
            }
        });
        let also = place.clone();
        let thread = thread::spawn(move || while also.put_blocking() {});
        storm.wait();
        thread.join().expect("a thread ends");
        let things = place.state.try_lock().expect("nobody holds it");
        assert_eq!((things.there, things.put, things.taken), (0, in_all, in_all));
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
