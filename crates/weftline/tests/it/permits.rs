//! Semaphores: so many at a time, in turn, and no permit is lost or made.
//!
//! WEFTLINE_IT_STRESS is the number of operations of the storm; by default a million, and fewer in a
//! debug build.

use crate::rig::{
    Diary, MS, Random, alone, amount, in_virtual_time, many_times, runtime, runtime_of,
    until_waiting, within_limit,
};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;
use weftline::sync::{OwnedSemaphorePermit, Semaphore};
use weftline::time::{now, sleep, timeout};
use weftline::{JoinHandle, spawn, yield_now};

/// A task that acquires so many permits, and notes its name once it has them.
fn acquirer(
    semaphore: &Arc<Semaphore>,
    diary: &Diary,
    name: &'static str,
    count: usize,
) -> JoinHandle<OwnedSemaphorePermit> {
    let (semaphore, diary) = (semaphore.clone(), diary.clone());
    spawn(async move {
        let permit = semaphore.acquire_many_owned(count).await.unwrap();
        diary.note(name);
        permit
    })
}

// AT-SE-01
#[test]
fn as_many_pass_as_there_are_permits_and_the_others_in_their_order() {
    alone(async {
        let (semaphore, diary) = (Arc::new(Semaphore::new(3)), Diary::default());
        assert!(!semaphore.is_locked());
        let mut held = Vec::new();
        for name in ["first", "second", "third"] {
            held.push(acquirer(&semaphore, &diary, name, 1).await.unwrap());
        }
        assert!(semaphore.is_locked());
        let fourth = acquirer(&semaphore, &diary, "fourth", 1);
        until_waiting(&fourth).await;
        let fifth = acquirer(&semaphore, &diary, "fifth", 1);
        until_waiting(&fifth).await;
        assert_eq!(diary.read().len(), 3);
        held.pop();
        let fourth = fourth.await.unwrap();
        assert_eq!(diary.read().last().unwrap(), "fourth");
        drop(fourth);
        fifth.await.unwrap().forget();
        drop(held);
        assert_eq!(semaphore.available_permits(), 2);
    });
}

// AT-SE-01, value 0 and what is less than that
#[test]
fn a_semaphore_without_permits_is_locked_and_wrong_numbers_are_errors() {
    let semaphore = Semaphore::new(0);
    assert!(semaphore.is_locked() && semaphore.try_acquire().unwrap_err().would_wait());
    let bounded = Semaphore::bounded(3);
    let error = bounded.try_acquire_many(4).unwrap_err();
    assert!(!error.would_wait() && !error.is_closed());
    assert_eq!(error.to_string(), "4 permits are wanted, but there can be no more than 3");
    assert!(runtime().block_on(bounded.acquire_many(4)).is_err());
    assert!(std::panic::catch_unwind(|| Semaphore::new(usize::MAX)).is_err());
}

#[test]
fn permits_that_are_too_many_are_refused_whoever_holds_the_others() {
    let bounded = Semaphore::bounded(2);
    let permit = bounded.try_acquire().unwrap();
    let error = bounded.add_permits(1).unwrap_err();
    assert_eq!(error.to_string(), "1 permits cannot be added to 2: there can be no more than 2");
    permit.forget();
    assert_eq!(bounded.add_permits(1), Ok(()));
    assert_eq!(bounded.available_permits(), 2);
    let most = Semaphore::new(Semaphore::MAX_PERMITS);
    assert!(most.add_permits(1).is_err());
    assert!(most.add_permits(usize::MAX).is_err());
    assert_eq!(most.forget(usize::MAX), Semaphore::MAX_PERMITS);
}

#[test]
fn permits_can_be_split_merged_and_forgotten() {
    let semaphore = Arc::new(Semaphore::new(5));
    let mut permits = semaphore.try_acquire_many(5).unwrap();
    let mut two = permits.split(2).unwrap();
    assert!(two.split(3).is_none());
    assert_eq!((permits.count(), two.count()), (3, 2));
    permits.merge(two.split(1).unwrap());
    drop(permits);
    two.forget();
    assert_eq!(semaphore.available_permits(), 4);
    let mut owned = semaphore.clone().try_acquire_many_owned(2).unwrap();
    let one = owned.split(1).unwrap();
    owned.merge(one);
    assert_eq!((owned.count(), owned.semaphore().available_permits()), (2, 2));
    assert!(semaphore.clone().try_acquire_many_owned(3).is_err());
    assert_eq!(semaphore.forget(1), 1);
}

#[test]
fn one_who_wants_many_is_not_passed_by_those_who_want_one() {
    alone(async {
        let (semaphore, diary) = (Arc::new(Semaphore::new(2)), Diary::default());
        let permit = semaphore.acquire().await.unwrap();
        let many = acquirer(&semaphore, &diary, "many", 2);
        until_waiting(&many).await;
        assert_eq!(semaphore.available_permits(), 1);
        assert!(semaphore.is_locked(), "it is free, and another waits");
        let one = acquirer(&semaphore, &diary, "one", 1);
        until_waiting(&one).await;
        drop(permit);
        drop(many.await.unwrap());
        drop(one.await.unwrap());
        assert_eq!(diary.read(), ["many", "one"]);
    });
}

#[test]
fn one_who_wants_many_and_leaves_lets_the_others_pass() {
    many_times(|| async {
        let (semaphore, diary) = (Arc::new(Semaphore::new(2)), Diary::default());
        let permit = semaphore.acquire().await.unwrap();
        let many = acquirer(&semaphore, &diary, "many", 2);
        until_waiting(&many).await;
        let one = acquirer(&semaphore, &diary, "one", 1);
        until_waiting(&one).await;
        many.cancel();
        drop(one.await.unwrap());
        drop(permit);
        drop(many.await);
        assert_eq!(semaphore.available_permits(), 2);
    });
}

// AT-SE-05
#[test]
fn one_who_gives_its_permit_back_and_asks_again_comes_last() {
    in_virtual_time(async {
        let (semaphore, diary) = (Arc::new(Semaphore::new(1)), Diary::default());
        let twice = |name: &'static str| {
            let (semaphore, diary) = (semaphore.clone(), diary.clone());
            spawn(async move {
                for _ in 0..2 {
                    let permit = semaphore.acquire().await.unwrap();
                    diary.note(name);
                    sleep(MS).await;
                    drop(permit);
                }
            })
        };
        let mut tasks = Vec::new();
        for name in ["first", "second", "third"] {
            let task = twice(name);
            until_waiting(&task).await;
            tasks.push(task);
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(diary.read(), ["first", "second", "third", "first", "second", "third"]);
    });
}

// AT-SE-05
#[test]
fn permits_that_are_added_together_go_to_all_who_wait_in_their_order() {
    alone(async {
        let (semaphore, diary) = (Arc::new(Semaphore::new(0)), Diary::default());
        let mut tasks = Vec::new();
        for name in ["first", "second", "third"] {
            let task = acquirer(&semaphore, &diary, name, 1);
            until_waiting(&task).await;
            tasks.push(task);
        }
        semaphore.add_permits(3).unwrap();
        assert!(semaphore.try_acquire().unwrap_err().would_wait(), "they are for who waits");
        for task in tasks {
            drop(task.await.unwrap());
        }
        assert_eq!(diary.read(), ["first", "second", "third"]);
        assert_eq!(semaphore.available_permits(), 3);
    });
}

// AT-SE-03
#[test]
fn a_permit_of_one_who_is_cancelled_goes_to_the_next() {
    many_times(|| async {
        let (semaphore, diary) = (Arc::new(Semaphore::new(1)), Diary::default());
        let permit = semaphore.acquire().await.unwrap();
        let mut waiters = Vec::new();
        for name in ["first", "second", "third", "fourth"] {
            let waiter = acquirer(&semaphore, &diary, name, 1);
            until_waiting(&waiter).await;
            waiters.push(waiter);
        }
        // One before the permit comes, one just then.
        waiters[1].cancel();
        drop(permit);
        waiters[0].cancel();
        let mut had = 0;
        for waiter in waiters {
            had += usize::from(waiter.await.is_ok());
        }
        assert!(had >= 2, "the third and the fourth were not cancelled");
        assert_eq!(diary.read()[had - 2..], ["third", "fourth"]);
        assert_eq!(semaphore.available_permits(), 1);
        assert!(!semaphore.is_locked());
    });
}

#[test]
fn closing_gives_an_error_to_all_who_wait_and_all_who_come() {
    many_times(|| async {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire().await.unwrap();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let semaphore = semaphore.clone();
                spawn(async move { semaphore.acquire().await.map(drop) })
            })
            .collect();
        for waiter in &waiters {
            until_waiting(waiter).await;
        }
        assert!(!semaphore.is_closed());
        semaphore.close();
        semaphore.close();
        for waiter in waiters {
            assert!(waiter.await.unwrap().unwrap_err().is_closed());
        }
        assert!(semaphore.is_closed() && semaphore.is_locked());
        assert!(semaphore.try_acquire().unwrap_err().is_closed());
        drop(permit);
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn several_permits_behind_one_who_is_never_polled_are_given_on() {
    in_virtual_time(async {
        let semaphore = Arc::new(Semaphore::new(3));
        let all = semaphore.acquire_many(3).await.unwrap();
        let mut stale = pin!(semaphore.acquire_many(2));
        assert!(stale.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let diary = Diary::default();
        let many = acquirer(&semaphore, &diary, "many", 3);
        until_waiting(&many).await;
        let began = now();
        drop(all);
        let many = many.await.unwrap();
        assert!(now() - began <= 20 * MS, "it took {:?}", now() - began);
        drop(many);
        assert_eq!(stale.await.unwrap().count(), 2);
    });
}

#[test]
fn threads_wait_for_permits_as_tasks_do() {
    within_limit(|| {
        let (runtime, semaphore) = (runtime(), Semaphore::new(2));
        let most = AtomicUsize::new(0);
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for n in 0..4 {
                let (semaphore, most, inside) = (&semaphore, &most, &inside);
                let runtime = &runtime;
                let count = move || {
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                };
                scope.spawn(move || {
                    for _ in 0..200 {
                        if n % 2 == 0 {
                            let _permit = semaphore.acquire_blocking().unwrap();
                            count();
                        } else {
                            runtime.block_on(async {
                                let _permit = semaphore.acquire().await.unwrap();
                                count();
                            });
                        }
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert_eq!(semaphore.available_permits(), 2);
        assert_eq!(semaphore.acquire_many_blocking(2).unwrap().count(), 2);
    });
}

fn operations() -> usize {
    amount("WEFTLINE_IT_STRESS", 100_000, 1_000_000)
}

/// Permits that are held, until this is dropped.
struct Held<'a>(&'a AtomicUsize, usize);

impl<'a> Held<'a> {
    fn count(held: &'a AtomicUsize, count: usize) -> Self {
        let now = held.fetch_add(count, Ordering::SeqCst) + count;
        assert!(now <= PERMITS, "{now} of {PERMITS} permits are held");
        Self(held, count)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::SeqCst);
    }
}

/// One task of the storm: acquires, with all kinds of limits, and counts what is held.
async fn storm(
    semaphore: Arc<Semaphore>,
    held: Arc<AtomicUsize>,
    mut random: Random,
    count: usize,
) {
    for _ in 0..count {
        let want = 1 + random.below(3) as usize;
        let acquire = semaphore.acquire_many(want);
        let permit = match random.below(8) {
            // Left after a poll or two, in the midst of whatever happens.
            0..=2 => {
                let mut acquire = pin!(acquire);
                let mut left = random.below(3);
                std::future::poll_fn(|cx| {
                    let polled = acquire.as_mut().poll(cx).map(Some);
                    if polled.is_pending() && left == 0 {
                        return std::task::Poll::Ready(None);
                    }
                    left = left.saturating_sub(1);
                    if polled.is_pending() {
                        cx.waker().wake_by_ref();
                    }
                    polled
                })
                .await
            }
            3 => timeout(Duration::from_nanos(random.below(20_000)), acquire).await.ok(),
            4 => semaphore.try_acquire_many(want).ok().map(Ok),
            _ => Some(acquire.await),
        };
        let Some(permit) = permit else { continue };
        let _permit = permit.expect("it is not closed");
        // Counted until just before the permits go back, however this ends.
        let _held = Held::count(&held, want);
        if random.below(4) == 0 {
            yield_now().await;
        }
    }
}

const PERMITS: usize = 5;

#[test]
fn a_storm_of_cancelled_waits_loses_no_permit_and_no_wake() {
    const TASKS: usize = 32;
    within_limit_of(operations() / 20_000, move || {
        let runtime = runtime_of(4);
        let semaphore = Arc::new(Semaphore::new(PERMITS));
        let held = Arc::new(AtomicUsize::new(0));
        let each = operations().div_ceil(TASKS);
        let mut random = Random::new(11);
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| runtime.spawn(storm(semaphore.clone(), held.clone(), random.fork(), each)))
            .collect();
        let mut cancels = Random::new(12);
        let (other, other_held) = (semaphore.clone(), held.clone());
        // Tasks beside them are cancelled at any moment.
        runtime.block_on(async move {
            for _ in 0..each.min(10_000) {
                let task = spawn(storm(other.clone(), other_held.clone(), cancels.fork(), 1));
                if cancels.below(2) == 0 {
                    yield_now().await;
                }
                task.cancel();
                drop(task.await);
            }
        });
        for task in tasks {
            task.wait().unwrap();
        }
        assert_eq!(held.load(Ordering::SeqCst), 0);
        assert_eq!(semaphore.available_permits(), PERMITS);
        assert_eq!(semaphore.try_acquire_many(PERMITS).unwrap().count(), PERMITS);
    });
}

/// As [`within_limit`], for what takes so many seconds where it takes long.
fn within_limit_of(seconds: usize, test: impl FnOnce() + Send + 'static) {
    if Duration::from_secs(seconds as u64) < crate::rig::LONG {
        within_limit(test);
    } else {
        test();
    }
}

#[test]
fn a_limit_of_tasks_at_a_time_holds() {
    let runtime = runtime();
    runtime.block_on(async {
        let semaphore = Arc::new(Semaphore::new(2));
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (semaphore, inside) = (semaphore.clone(), inside.clone());
                spawn(async move {
                    let _permit = semaphore.acquire_owned().await.unwrap();
                    assert!(inside.fetch_add(1, Ordering::SeqCst) < 2);
                    sleep(MS).await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}
