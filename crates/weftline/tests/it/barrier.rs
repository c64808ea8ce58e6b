//! Barriers: so many tasks and threads go on together, and what ends a round for whom.

use crate::rig::{alone, many_times, runtime, until_waiting, within_limit};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::thread;
use weftline::sync::{Barrier, BrokenBarrier};
use weftline::{JoinHandle, spawn};

/// Tasks that wait at the barrier.
fn parties(barrier: &Arc<Barrier>, count: usize) -> Vec<JoinHandle<Result<usize, BrokenBarrier>>> {
    let party = |_| {
        let barrier = barrier.clone();
        spawn(async move { barrier.wait().await })
    };
    (0..count).map(party).collect()
}

/// The numbers that they got, in order.
async fn numbers(parties: Vec<JoinHandle<Result<usize, BrokenBarrier>>>) -> Vec<usize> {
    let mut numbers = Vec::new();
    for party in parties {
        numbers.push(party.await.unwrap().unwrap());
    }
    numbers.sort();
    numbers
}

// AT-BA-01
#[test]
fn the_parties_go_on_together_with_different_numbers_round_after_round() {
    many_times(|| async {
        let barrier = Arc::new(Barrier::new(5));
        for _ in 0..3 {
            let four = parties(&barrier, 4);
            for party in &four {
                until_waiting(party).await;
            }
            assert_eq!((barrier.n_waiting(), barrier.parties()), (4, 5));
            let fifth = barrier.wait().await;
            assert_eq!(fifth, Ok(4));
            assert_eq!(barrier.n_waiting(), 0);
            assert_eq!(numbers(four).await, [0, 1, 2, 3]);
        }
        // Two rounds at once.
        let mut ten = numbers(parties(&barrier, 10)).await;
        ten.dedup();
        assert_eq!(ten, [0, 1, 2, 3, 4]);
    });
}

// AT-BA-01, one party and none
#[test]
fn a_barrier_for_one_never_waits_and_one_for_none_is_misuse() {
    runtime().block_on(async {
        let barrier = Barrier::new(1);
        for _ in 0..3 {
            assert_eq!(barrier.wait().await, Ok(0));
        }
        assert_eq!(barrier.wait_blocking(), Ok(0));
    });
    let none = std::panic::catch_unwind(|| drop(Barrier::new(0)));
    let message = *none.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "parties is 0, but at least 1 is needed");
}

// AT-BA-03
#[test]
fn one_who_leaves_a_barrier_is_not_counted_and_another_takes_its_place() {
    many_times(|| async {
        let barrier = Arc::new(Barrier::new(3));
        let mut two = parties(&barrier, 2);
        for party in &two {
            until_waiting(party).await;
        }
        let left = two.remove(0);
        left.cancel();
        assert!(left.await.unwrap_err().is_cancelled());
        assert_eq!(barrier.n_waiting(), 1);
        two.extend(parties(&barrier, 2));
        assert_eq!(numbers(two).await, [0, 1, 2]);
        assert_eq!(barrier.n_waiting(), 0);
    });
}

#[test]
fn a_barrier_that_is_reset_gives_an_error_to_those_who_wait_and_begins_anew() {
    many_times(|| async {
        let barrier = Arc::new(Barrier::new(3));
        let two = parties(&barrier, 2);
        for party in &two {
            until_waiting(party).await;
        }
        barrier.reset();
        assert!(!barrier.is_broken());
        for party in two {
            assert!(party.await.unwrap().is_err());
        }
        assert_eq!(numbers(parties(&barrier, 3)).await, [0, 1, 2]);
    });
}

#[test]
fn a_barrier_that_is_broken_stays_so_until_it_is_reset() {
    many_times(|| async {
        let barrier = Arc::new(Barrier::new(3));
        let two = parties(&barrier, 2);
        for party in &two {
            until_waiting(party).await;
        }
        barrier.abort();
        assert!(barrier.is_broken());
        for party in two {
            assert!(party.await.unwrap().is_err());
        }
        assert!(barrier.wait().await.is_err());
        barrier.reset();
        assert!(!barrier.is_broken());
        assert_eq!(numbers(parties(&barrier, 3)).await, [0, 1, 2]);
    });
}

#[test]
fn those_who_were_let_go_on_go_on_though_the_barrier_is_broken() {
    alone(async {
        let barrier = Arc::new(Barrier::new(2));
        let one = parties(&barrier, 1);
        until_waiting(&one[0]).await;
        assert_eq!(barrier.wait().await, Ok(1));
        barrier.abort();
        assert_eq!(numbers(one).await, [0]);
    });
}

// AT-BA-05
#[test]
fn an_end_of_the_round_is_for_those_who_wait_and_not_for_those_who_were_let_go_on() {
    alone(async {
        for end in [Barrier::reset, Barrier::abort] {
            let barrier = Arc::new(Barrier::new(2));
            let one = parties(&barrier, 1);
            until_waiting(&one[0]).await;
            assert_eq!(barrier.wait().await, Ok(1));
            // The other one has not run yet, and here somebody comes for the next round.
            let mut next = pin!(barrier.wait());
            let polled = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            assert_eq!(barrier.n_waiting(), 1);
            end(&barrier);
            assert_eq!(barrier.n_waiting(), 0);
            assert!(next.await.is_err());
            assert_eq!(numbers(one).await, [0]);
        }
    });
}

// AT-BA-05
#[test]
fn who_was_turned_away_by_a_reset_may_wait_again_at_once() {
    many_times(|| async {
        let barrier = Arc::new(Barrier::new(5));
        barrier.reset();
        assert!(!barrier.is_broken(), "nobody was there");
        let mut all: Vec<_> = (0..4)
            .map(|_| {
                let barrier = barrier.clone();
                spawn(async move {
                    assert!(barrier.wait().await.is_err());
                    barrier.wait().await
                })
            })
            .collect();
        for party in &all {
            until_waiting(party).await;
        }
        barrier.reset();
        all.extend(parties(&barrier, 1));
        assert_eq!(numbers(all).await, [0, 1, 2, 3, 4]);
        assert!(!barrier.is_broken() && barrier.n_waiting() == 0);
    });
}

// AT-BA-05, one of the parties fails
#[test]
fn a_party_that_fails_breaks_the_barrier_for_the_others() {
    many_times(|| async {
        let barrier = Arc::new(Barrier::new(5));
        let party = || {
            let barrier = barrier.clone();
            spawn(async move {
                if barrier.wait().await == Ok(2) {
                    barrier.abort();
                    return None;
                }
                Some(barrier.wait().await)
            })
        };
        let all: Vec<_> = (0..5).map(|_| party()).collect();
        let (mut failed, mut turned_away) = (0, 0);
        for party in all {
            match party.await.unwrap() {
                None => failed += 1,
                Some(second) => turned_away += usize::from(second.is_err()),
            }
        }
        assert_eq!((failed, turned_away), (1, 4));
        assert!(barrier.is_broken() && barrier.n_waiting() == 0);
    });
}

#[test]
fn threads_and_tasks_meet_at_a_barrier() {
    within_limit(|| {
        let runtime = runtime();
        let barrier = Arc::new(Barrier::new(3));
        let task = {
            let barrier = barrier.clone();
            runtime.spawn(async move { (0..100).map(|_| barrier.clone()).collect::<Vec<_>>() })
        };
        let rounds = task.wait().unwrap();
        let tasks = runtime.spawn(async move {
            for barrier in rounds {
                barrier.wait().await.unwrap();
            }
        });
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..100).for_each(|_| assert!(barrier.wait_blocking().is_ok())));
            }
        });
        tasks.wait().unwrap();
    });
}
