//! Events, conditions, barriers and cells: tasks and threads that wait for news, or for each other.

use crate::rig::{
    Diary, MS, alone, in_virtual_time, many_times, panic_on_purpose, runtime, runtime_of,
    until_waiting, within_limit,
};
use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use weftline::sync::{Barrier, BrokenBarrier, Condvar, Event, Mutex, OnceCell};
use weftline::time::{sleep, timeout};
use weftline::{JoinHandle, spawn, yield_now};

/// A task that waits for the event and notes its name.
fn waiter(event: &Arc<Event>, diary: &Diary, name: &'static str) -> JoinHandle<()> {
    let (event, diary) = (event.clone(), diary.clone());
    spawn(async move {
        event.wait().await;
        diary.note(name);
    })
}

// AT-EV-01
#[test]
fn an_event_that_is_set_and_cleared_at_once_wakes_all_who_wait() {
    many_times(|| async {
        let (event, diary) = (Arc::new(Event::new()), Diary::default());
        let mut waiters = Vec::new();
        for name in ["a", "b", "c"] {
            let task = waiter(&event, &diary, name);
            until_waiting(&task).await;
            waiters.push(task);
        }
        assert_eq!(format!("{event:?}"), "Event { is_set: false, waiters: 3 }");
        event.set();
        event.clear();
        for task in waiters {
            task.await.unwrap();
        }
        assert!(!event.is_set());
        let mut order = diary.read();
        order.sort();
        assert_eq!(order, ["a", "b", "c"]);
    });
}

// AT-EV-01, a set event, and a waiter that is cancelled
#[test]
fn a_wait_on_a_set_event_is_over_at_once_and_a_cancelled_one_leaves_no_trace() {
    many_times(|| async {
        let (event, diary) = (Arc::new(Event::new()), Diary::default());
        let task = waiter(&event, &diary, "cancelled");
        until_waiting(&task).await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(format!("{event:?}"), "Event { is_set: false, waiters: 0 }");
        event.set();
        event.set();
        assert!(event.is_set());
        event.wait().await;
        assert!(diary.read().is_empty());
        event.clear();
        assert!(timeout(MS, event.wait()).await.is_err());
    });
}

#[test]
fn a_waiter_of_the_second_round_is_not_woken_by_the_first() {
    alone(async {
        let (event, diary) = (Arc::new(Event::default()), Diary::default());
        let first = waiter(&event, &diary, "first");
        until_waiting(&first).await;
        event.set();
        event.clear();
        let second = waiter(&event, &diary, "second");
        until_waiting(&second).await;
        first.await.unwrap();
        assert_eq!(diary.read(), ["first"]);
        event.set();
        second.await.unwrap();
    });
}

#[test]
fn a_thread_waits_for_an_event_of_a_task_and_a_task_for_that_of_a_thread() {
    within_limit(|| {
        let runtime = runtime();
        let (asked, answered) = (Arc::new(Event::new()), Arc::new(Event::new()));
        let task = {
            let (asked, answered) = (asked.clone(), answered.clone());
            runtime.spawn(async move {
                asked.wait().await;
                answered.set();
            })
        };
        asked.set();
        answered.wait_blocking();
        task.wait().unwrap();
    });
}

/// What the tasks of the tests about conditions share.
#[derive(Default)]
struct Board {
    state: Mutex<u32>,
    changed: Condvar,
}

/// A task that waits for the condition once, and notes its name under the lock.
fn listener(board: &Arc<Board>, diary: &Diary, name: &'static str) -> JoinHandle<()> {
    let (board, diary) = (board.clone(), diary.clone());
    spawn(async move {
        let guard = board.changed.wait(board.state.lock().await).await;
        assert!(board.state.is_locked());
        diary.note(name);
        drop(guard);
    })
}

// AT-CO-01
#[test]
fn those_who_are_notified_go_on_in_their_order_once_the_lock_is_released() {
    alone(async {
        let (board, diary) = (Arc::new(Board::default()), Diary::default());
        let mut tasks = Vec::new();
        for name in ["first", "second", "third"] {
            let task = listener(&board, &diary, name);
            until_waiting(&task).await;
            tasks.push(task);
        }
        let guard = board.state.lock().await;
        board.changed.notify(1);
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(diary.read().is_empty(), "the lock is held");
        drop(guard);
        tasks.remove(0).await.unwrap();
        assert_eq!(diary.read(), ["first"]);
        let guard = board.state.lock().await;
        board.changed.notify(2);
        drop(guard);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(diary.read(), ["first", "second", "third"]);
        board.changed.notify_all();
        assert_eq!(format!("{:?}", board.changed), "Condvar { waiters: 0 }");
    });
}

// AT-CO-03
#[test]
fn a_wait_for_a_value_goes_on_until_there_is_one_and_gives_it() {
    many_times(|| async {
        let board = Arc::new(Board::default());
        let waits = {
            let board = board.clone();
            spawn(async move {
                let asked = AtomicUsize::new(0);
                let at_three = |state: &mut u32| {
                    asked.fetch_add(1, Ordering::Relaxed);
                    (*state == 3).then_some("three")
                };
                let guard = board.state.lock().await;
                let (guard, value) = board.changed.wait_for(guard, at_three).await;
                assert_eq!(*guard, 3);
                (value, asked.load(Ordering::Relaxed))
            })
        };
        until_waiting(&waits).await;
        for state in 1..=3 {
            *board.state.lock().await = state;
            board.changed.notify_one();
            yield_now().await;
        }
        let (value, asked) = waits.await.unwrap();
        assert!(value == "three" && asked >= 2);
        let guard = board.state.lock().await;
        let (guard, value) = board.changed.wait_for(guard, |state| Some(*state)).await;
        assert_eq!(value, 3, "there is one at once");
        drop(board.changed.wait_while(guard, |state| *state != 3).await);
    });
}

// AT-CO-05
#[test]
fn a_notification_of_one_who_is_cancelled_goes_to_another() {
    many_times(|| async {
        let items = Arc::new((Mutex::new(VecDeque::new()), Condvar::new()));
        let consumer = || {
            let items = items.clone();
            spawn(async move {
                let (queue, added) = &*items;
                added.wait_for(queue.lock().await, VecDeque::pop_front).await.1
            })
        };
        let (first, second) = (consumer(), consumer());
        until_waiting(&first).await;
        until_waiting(&second).await;
        let mut queue = items.0.lock().await;
        queue.push_back(1);
        items.1.notify_one();
        // Whoever was notified may wait for the lock already, or not have run.
        first.cancel();
        if Arc::strong_count(&items) % 2 == 0 {
            yield_now().await;
        }
        drop(queue);
        match first.await {
            Ok(item) => {
                assert_eq!(item, 1);
                second.cancel();
                drop(second.await);
            }
            Err(error) => {
                assert!(error.is_cancelled());
                assert_eq!(second.await.unwrap(), 1);
            }
        }
        assert!(items.0.try_lock().is_some());
    });
}

// AT-CO-05, while it waits for the lock
#[test]
fn a_notification_of_one_who_is_cancelled_while_it_waits_for_the_lock_goes_to_another() {
    alone(async {
        let (board, diary) = (Arc::new(Board::default()), Diary::default());
        let first = listener(&board, &diary, "first");
        until_waiting(&first).await;
        let second = listener(&board, &diary, "second");
        until_waiting(&second).await;
        let guard = board.state.lock().await;
        board.changed.notify_one();
        for _ in 0..10 {
            yield_now().await;
        }
        first.cancel();
        assert!(first.await.unwrap_err().is_cancelled());
        drop(guard);
        second.await.unwrap();
        assert_eq!(diary.read(), ["second"]);
    });
}

#[test]
fn a_cancelled_listener_gives_the_lock_back_and_leaves_no_trace() {
    many_times(|| async {
        let (board, diary) = (Arc::new(Board::default()), Diary::default());
        let task = listener(&board, &diary, "cancelled");
        until_waiting(&task).await;
        assert!(board.state.try_lock().is_some(), "who waits does not hold the lock");
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(format!("{:?}", board.changed), "Condvar { waiters: 0 }");
        assert!(board.state.try_lock().is_some());
    });
}

#[test]
fn two_conditions_share_a_mutex_and_threads_listen_too() {
    const ROUNDS: u32 = 300;
    within_limit(|| {
        let runtime = runtime();
        let shared = Arc::new((Mutex::new(0), Condvar::new(), Condvar::new()));
        let odd = {
            let shared = shared.clone();
            runtime.spawn(async move {
                let (count, is_even, is_odd) = &*shared;
                for _ in 0..ROUNDS {
                    let guard = count.lock().await;
                    *is_odd.wait_while(guard, |count| *count % 2 == 0).await += 1;
                    is_even.notify_one();
                }
            })
        };
        let (count, is_even, is_odd) = &*shared;
        for _ in 0..ROUNDS {
            let mut guard = count.lock_blocking();
            while *guard % 2 == 1 {
                guard = is_even.wait_blocking(guard);
            }
            *guard += 1;
            is_odd.notify_all();
        }
        odd.wait().unwrap();
        assert_eq!(*count.lock_blocking(), 2 * ROUNDS);
    });
}

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

#[test]
fn a_value_is_made_once_however_many_ask() {
    many_times(|| async {
        let (cell, made) = (Arc::new(OnceCell::new()), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..5)
            .map(|n| {
                let (cell, made) = (cell.clone(), made.clone());
                spawn(async move {
                    let make = || async {
                        made.fetch_add(1, Ordering::SeqCst);
                        yield_now().await;
                        n
                    };
                    *cell.get_or_init(make).await
                })
            })
            .collect();
        let first = *cell.get_or_init(|| async { 7 }).await;
        for task in tasks {
            assert_eq!(task.await.unwrap(), first);
        }
        assert!(made.load(Ordering::SeqCst) <= 1);
        assert_eq!(cell.set(9), Err(9));
    });
}

#[test]
fn a_value_whose_making_fails_or_is_dropped_is_made_by_the_next() {
    // Where nobody misses its call.
    in_virtual_time(async {
        let cell = Arc::new(OnceCell::<u32>::new());
        let makes = {
            let cell = cell.clone();
            spawn(async move { *cell.get_or_init(pending).await })
        };
        until_waiting(&makes).await;
        assert_eq!(cell.set(1), Err(1), "somebody makes it");
        let fails = {
            let cell = cell.clone();
            spawn(async move { cell.get_or_try_init(|| async { Err("no luck") }).await.copied() })
        };
        until_waiting(&fails).await;
        let panics = {
            let cell = cell.clone();
            spawn(
                async move { *cell.get_or_init(|| async { panic_on_purpose("making it") }).await },
            )
        };
        until_waiting(&panics).await;
        let succeeds = {
            let cell = cell.clone();
            spawn(async move { *cell.get_or_init(|| async { 2 }).await })
        };
        until_waiting(&succeeds).await;
        makes.cancel();
        assert!(makes.await.unwrap_err().is_cancelled());
        assert!(matches!(fails.await.unwrap(), Err("no luck")));
        assert!(panics.await.unwrap_err().is_panic());
        assert_eq!(succeeds.await.unwrap(), 2);
        assert_eq!(cell.get(), Some(&2));
    });
}

#[test]
fn threads_and_tasks_make_a_value_once() {
    within_limit(|| {
        let runtime = runtime_of(2);
        let cell = Arc::new(OnceCell::new());
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let cell = cell.clone();
                runtime.spawn(async move {
                    let make = || async {
                        sleep(MS).await;
                        n
                    };
                    *cell.get_or_init(make).await
                })
            })
            .collect();
        let value = *cell.get_or_init_blocking(|| 9);
        assert_eq!(cell.get_or_try_init_blocking(|| Err("not asked")), Ok(&value));
        for task in tasks {
            assert_eq!(task.wait().unwrap(), value);
        }
    });
}

#[test]
fn a_cell_without_sharing_gives_its_value() {
    let mut cell = OnceCell::from(1);
    *cell.get_mut().unwrap() += 1;
    assert_eq!(cell.clone().into_inner(), Some(2));
    assert_eq!(cell.take(), Some(2));
    assert_eq!(format!("{cell:?}"), "OnceCell(None)");
    assert_eq!(cell.set(3), Ok(()));
}

#[test]
fn a_waiter_whose_waker_changes_is_woken_by_the_last() {
    let (first, last) = (crate::probe::Probe::new(), crate::probe::Probe::new());
    let event = Event::new();
    let mut wait = pin!(event.wait());
    assert!(wait.as_mut().poll(&mut Context::from_waker(&first.waker())).is_pending());
    assert!(wait.as_mut().poll(&mut Context::from_waker(&last.waker())).is_pending());
    event.set();
    assert_eq!((first.wakes(), last.wakes()), (0, 1));
    assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}
