//! Events, conditions and cells: tasks and threads that wait for news, or for each other.

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
use weftline::sync::{Condvar, Event, Mutex, OnceCell};
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

// AT-CO-01, all of them
#[test]
fn more_notifications_than_listeners_reach_all_of_them_and_are_not_kept() {
    in_virtual_time(async {
        let board = Arc::new(Board::default());
        for all in [false, true] {
            let (mut tasks, diary) = (Vec::new(), Diary::default());
            for name in ["first", "second", "third"] {
                let task = listener(&board, &diary, name);
                until_waiting(&task).await;
                tasks.push(task);
            }
            match all {
                true => board.changed.notify_all(),
                false => board.changed.notify(2048),
            }
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(diary.read(), ["first", "second", "third"]);
            let late = board.changed.wait(board.state.lock().await);
            assert!(timeout(MS, late).await.is_err(), "nobody was told before");
        }
    });
}

// AT-CO-05, by a limit
#[test]
fn a_wait_for_a_condition_that_takes_too_long_leaves_no_lock_and_no_notification_behind() {
    in_virtual_time(async {
        let (board, diary) = (Arc::new(Board::default()), Diary::default());
        let wait = board.changed.wait(board.state.lock().await);
        assert!(timeout(MS, wait).await.is_err());
        assert!(board.state.try_lock().is_some());
        assert_eq!(format!("{:?}", board.changed), "Condvar { waiters: 0 }");

        // It is told in time, and the lock comes too late.
        let first = {
            let board = board.clone();
            spawn(async move {
                timeout(MS, board.changed.wait(board.state.lock().await)).await.is_err()
            })
        };
        until_waiting(&first).await;
        let second = listener(&board, &diary, "second");
        until_waiting(&second).await;
        let guard = board.state.lock().await;
        board.changed.notify_one();
        sleep(2 * MS).await;
        assert!(first.await.unwrap());
        drop(guard);
        second.await.unwrap();
    });
}

// AT-CO-05, the reason
#[test]
fn the_reason_of_a_request_comes_through_a_wait_for_a_condition() {
    alone(async {
        for waits_for_the_lock in [false, true] {
            let (board, diary) = (Arc::new(Board::default()), Diary::default());
            let task = listener(&board, &diary, "cancelled");
            until_waiting(&task).await;
            let guard = board.state.lock().await;
            if waits_for_the_lock {
                board.changed.notify_one();
                for _ in 0..10 {
                    yield_now().await;
                }
            }
            task.cancel_with("no longer needed");
            let error = task.await.unwrap_err();
            assert_eq!(error.cancel_reason(), Some("no longer needed"));
            drop(guard);
            assert!(board.state.try_lock().is_some() && diary.read().is_empty());
        }
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
