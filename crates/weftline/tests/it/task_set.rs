//! Sets of tasks, and outputs in the order in which they come.

use crate::probe::{Gate, Probe};
use crate::rig::{
    eventually, in_virtual_time, panic_on_purpose, reporting_runtime, runtime, runtime_of,
};
use std::collections::HashSet;
use std::future::pending;
use std::time::Duration;
use weftline::group::{TaskSet, Waited, When};
use weftline::task::Builder;
use weftline::time::{now, sleep, timeout, timeout_at};
use weftline::{as_completed, spawn, task, yield_now};

const SHORT: Duration = Duration::from_millis(2);

// AT-WA-01
#[test]
fn waiting_for_all_takes_nothing_and_raises_nothing() {
    runtime_of(1).block_on(async {
        let mut set = TaskSet::fallible();
        set.spawn(async {
            sleep(SHORT).await;
            Ok(1)
        });
        set.spawn(async {
            sleep(2 * SHORT).await;
            Err("failed")
        });
        let began = now();
        assert_eq!(set.wait(When::All, None).await, Waited { done: 2, pending: 0 });
        assert!(now() - began >= 2 * SHORT);
        assert_eq!(set.wait(When::All, None).await, Waited { done: 2, pending: 0 });
        assert_eq!(set.len(), 2);
        assert_eq!(set.try_next().unwrap().1.unwrap(), Ok(1));
        assert_eq!(set.next().await.unwrap().1.unwrap(), Err("failed"));
        assert!(set.next().await.is_none() && set.is_empty());
        assert_eq!(set.wait(When::All, None).await, Waited { done: 0, pending: 0 });
    });
}

// AT-WA-03
#[test]
fn waiting_for_an_error_ends_with_it_or_with_all() {
    runtime().block_on(async {
        let mut set = TaskSet::fallible();
        set.spawn(async { Ok(()) });
        set.spawn(async {
            task::current().unwrap().cancel();
            pending::<Result<(), u8>>().await
        });
        assert_eq!(set.wait(When::FirstError, None).await, Waited { done: 2, pending: 0 });
        set.spawn(async { Err(1) });
        set.spawn(pending());
        assert_eq!(set.wait(When::FirstError, None).await, Waited { done: 3, pending: 1 });
        // It has failed already.
        assert_eq!(set.wait(When::FirstError, None).await, Waited { done: 3, pending: 1 });
        set.shutdown().await;
        assert!(set.is_empty());
    });
}

// AT-WA-05
#[test]
fn the_counts_are_exact_when_two_end_in_one_turn() {
    runtime_of(1).block_on(async {
        let gate = Gate::new();
        let mut set = TaskSet::new();
        for _ in 0..2 {
            set.spawn(gate.wait());
        }
        set.spawn(pending());
        yield_now().await;
        gate.open();
        while set.tasks().filter(|task| task.is_finished()).count() < 2 {
            yield_now().await;
        }
        let waited = set.wait(When::FirstCompleted, None).await;
        assert_eq!(waited, Waited { done: 2, pending: 1 });
    });
}

#[test]
fn waiting_with_a_limit_asks_no_task_to_end() {
    runtime().block_on(async {
        let gate = Gate::new();
        let mut set = TaskSet::new();
        let task = set.spawn(gate.wait());
        let waited = set.wait(When::FirstCompleted, Some(SHORT)).await;
        assert_eq!(waited, Waited { done: 0, pending: 1 });
        assert!(timeout(SHORT, set.next()).await.is_err());
        assert_eq!(task.cancelling(), 0);
        gate.open();
        let (id, output) = set.next().await.unwrap();
        assert_eq!(id, task.id());
        output.unwrap();
    });
}

#[test]
fn every_output_comes_once_with_its_id() {
    runtime().block_on(async {
        let mut set = TaskSet::new();
        let mut expected = HashSet::new();
        for n in 0..1000_u32 {
            let task = match n % 3 {
                0 => set.spawn(async move { n }),
                1 => set.spawn_with(Builder::new().eager(true), async move { n }),
                _ => set.insert(spawn(async move {
                    yield_now().await;
                    n
                })),
            };
            expected.insert((task.id(), n));
        }
        while let Some((id, output)) = set.next().await {
            assert!(expected.remove(&(id, output.unwrap())));
        }
        assert!(expected.is_empty());
    });
}

#[test]
fn dropping_a_set_detaches_or_cancels() {
    let runtime = runtime();
    let (detached, cancelled) = (Probe::new(), Probe::new());
    let gate = Gate::new();
    runtime.block_on(async {
        let mut set = TaskSet::new();
        set.spawn(detached.future(gate.wait()));
        drop(set);
        let mut set = TaskSet::new().cancel_on_drop();
        set.spawn(cancelled.future(pending::<()>()));
    });
    eventually("it is cancelled", || cancelled.drops() == 1);
    assert_eq!(detached.drops(), 0);
    gate.open();
    eventually("it has run to its end", || detached.drops() == 1);
}

#[test]
fn a_panic_that_nobody_takes_is_reported() {
    let (runtime, reports) = reporting_runtime(1);
    runtime.block_on(async {
        let mut set = TaskSet::new();
        set.spawn(async { panic_on_purpose("seen, not taken") });
        let waited = set.wait(When::FirstError, None).await;
        assert_eq!(waited, Waited { done: 1, pending: 0 });
    });
    assert_eq!(reports.all().len(), 1);
}

#[test]
fn shutting_a_set_down_waits_for_clean_up() {
    runtime().block_on(async {
        let probe = Probe::new();
        let mut set = TaskSet::new();
        for _ in 0..10 {
            set.spawn(probe.future(weftline::finally(pending::<()>(), sleep(SHORT))));
        }
        set.shutdown().await;
        assert_eq!(probe.drops(), 10);
    });
}

// AT-AC-01
#[test]
fn outputs_come_in_the_order_in_which_the_tasks_end() {
    in_virtual_time(async {
        let naps = [4, 1, 8].map(|n| async move {
            sleep(n * SHORT).await;
            n
        });
        let began = now();
        let mut completed = as_completed(naps);
        let mut seen = Vec::new();
        while let Some((place, output)) = completed.next().await {
            seen.push((place, output.unwrap()));
        }
        assert_eq!(seen, [(1, 1), (0, 4), (2, 8)]);
        assert_eq!(now() - began, 8 * SHORT, "one beside the other");
    });
}

// AT-AC-03
#[test]
fn one_may_stop_and_go_on_and_nothing_is_lost() {
    runtime().block_on(async {
        let gate = Gate::new();
        let futures = (0..4).map(|n| {
            let open = gate.wait();
            async move {
                if n >= 2 {
                    open.await;
                }
                n
            }
        });
        let mut completed = as_completed(futures);
        let mut seen = HashSet::new();
        let at = now() + 10 * SHORT;
        while let Ok(item) = timeout_at(at, completed.next()).await {
            assert!(seen.insert(item.unwrap().0));
        }
        assert_eq!(seen.len(), 2);
        gate.open();
        while let Some((place, output)) = completed.next().await {
            assert_eq!(output.unwrap(), place);
            assert!(seen.insert(place));
        }
        assert_eq!(seen.len(), 4);
    });
}

#[test]
fn a_limit_keeps_most_futures_waiting() {
    runtime().block_on(async {
        let probe = Probe::new();
        let futures = (0..10).map(|_| probe.future(async {}));
        let mut completed = as_completed(futures).limit(2);
        for taken in 0..10 {
            completed.next().await.unwrap().1.unwrap();
            assert!(probe.polls() <= taken + 2);
        }
        assert!(completed.next().await.is_none());
    });
}
