//! Threads and runtimes that give each other work: jobs that spawn tasks, tasks that wait for jobs,
//! threads that look at the tasks of a runtime that is busy.

use crate::probe::{Gate, Probe};
use crate::rig::{
    LONG, MS, alone, eventually, holder, many_times, panic_on_purpose, reporting_runtime,
    runtime_of, until_waiting, within_limit,
};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;
use weftline::runtime::Grace;
use weftline::task::{Builder, Id, Task};
use weftline::time::sleep;
use weftline::{Handle, Runtime, spawn, spawn_blocking, task, yield_now};

// AT-TH-01
#[test]
fn jobs_give_their_value_or_panic_and_are_called_once_on_other_threads() {
    many_times(|| async {
        let here = thread::current().id();
        assert_eq!(spawn_blocking(|| [40, 2].iter().sum::<i32>()).await.unwrap(), 42);
        let breaks = spawn_blocking(|| panic_on_purpose("in a job"));
        let error = breaks.await.map(|(): ()| ()).unwrap_err();
        assert_eq!(error.panic_message(), Some("on purpose: in a job"));
        let calls = Arc::new(AtomicUsize::new(0));
        let jobs: Vec<_> = (0..10)
            .map(|_| {
                let calls = calls.clone();
                spawn_blocking(move || {
                    calls.fetch_add(1, SeqCst);
                    thread::current().id()
                })
            })
            .collect();
        for job in jobs {
            assert_ne!(job.await.unwrap(), here);
        }
        assert_eq!(calls.load(SeqCst), 10);
    });
}

// AT-TH-03
#[test]
fn who_awaits_a_job_may_go_while_the_job_goes_on() {
    within_limit(|| {
        // A runtime that leaves threads behind takes its time to do so.
        for _ in 0..2 {
            let (runtime, reports) = reporting_runtime(4);
            let (hold, held) = holder();
            let finished = Arc::new(AtomicBool::new(false));
            let finishes = finished.clone();
            let waits = runtime.spawn(async move {
                let job = Builder::new().name("a job").spawn_blocking(move || {
                    hold();
                    finishes.store(true, SeqCst);
                });
                job.await
            });
            held.wait();
            eventually("it waits", || waits.task().status() == task::Status::Waiting);
            waits.cancel();
            assert!(waits.wait().unwrap_err().is_cancelled());
            assert!(!finished.load(SeqCst), "the job is still held");
            let report = runtime.shutdown(Grace::For(MS));
            let [left] = report.survivors() else { panic!("one is left: {report}") };
            assert_eq!(left.name(), Some("a job"));
            held.release();
            eventually("the job has ended", || finished.load(SeqCst));
            assert!(reports.all().is_empty(), "{:?}", reports.all());
        }
    });
}

// AT-TH-05
#[test]
fn a_thread_gives_up_waiting_and_cancels_what_it_submitted() {
    let runtime = runtime_of(4);
    for _ in 0..200 {
        let probe = Probe::new();
        let mut submitted = runtime.spawn(probe.future(sleep(LONG)));
        let task = submitted.task();
        assert!(submitted.wait_timeout(Duration::ZERO).is_none());
        assert!(submitted.cancel());
        assert!(submitted.wait().unwrap_err().is_cancelled());
        assert!(task.is_cancelled());
        assert_eq!(probe.drops(), 1);
    }
    assert!(runtime.handle().tasks().is_empty());
}

#[test]
fn a_thread_gets_value_panic_and_end_of_what_it_submitted() {
    /// Waits a little and adds; or fails, or ends itself.
    async fn add(a: u32, b: u32, fail: bool, cancel: bool) -> u32 {
        sleep(MS).await;
        if fail {
            panic_on_purpose("fail");
        }
        if cancel {
            task::current().unwrap().cancel();
            yield_now().await;
        }
        a + b
    }
    many_times(|| async {
        let handle = Handle::current();
        let job = spawn_blocking(move || {
            assert_eq!(handle.spawn(add(1, 2, false, false)).wait().unwrap(), 3);
            assert!(handle.spawn(add(1, 2, true, false)).wait().unwrap_err().is_panic());
            assert!(handle.spawn(add(1, 2, false, true)).wait().unwrap_err().is_cancelled());
        });
        job.await.unwrap();
    });
}

// AT-TH-07
#[test]
fn callbacks_of_a_thread_wake_the_runtime_and_come_before_later_ones() {
    within_limit(|| {
        let runtime = runtime_of(4);
        for _ in 0..20 {
            // Long enough, most times, for all workers to fall asleep.
            thread::sleep(MS);
            let called = Arc::new(Mutex::new(Vec::new()));
            let note = |n| {
                let called = called.clone();
                move || called.lock().unwrap().push(n)
            };
            let (first, second) = (note(1), note(2));
            let handle = runtime.handle().clone();
            thread::spawn(move || drop(handle.call_soon(first))).join().unwrap();
            runtime.handle().call_soon(second);
            eventually("both are called", || called.lock().unwrap().len() == 2);
            assert_eq!(*called.lock().unwrap(), [1, 2]);
        }
    });
}

// AT-FU-03
#[test]
fn ending_who_awaits_reaches_what_has_not_ended_and_nothing_else() {
    many_times(|| async {
        let pending = spawn(std::future::pending::<()>());
        let inner = pending.task();
        let wrapper = spawn(pending);
        until_waiting(&wrapper).await;
        wrapper.cancel();
        assert!(wrapper.await.unwrap_err().is_cancelled());
        assert!(inner.is_cancelled());
        let done = spawn(async { 7 });
        while !done.is_finished() {
            yield_now().await;
        }
        let inner = done.task();
        let wrapper = spawn(done);
        wrapper.cancel();
        // Before its first poll, or with the value in it.
        let kept = wrapper.await;
        assert!(kept.is_ok_and(|value| value.unwrap() == 7) || !inner.is_cancelled());
        assert!(!inner.is_cancelled());
    });
}

// AT-TASK-03
#[test]
fn the_current_task_is_itself_on_both_sides_of_a_wait() {
    many_times(|| async {
        let (first, second) = (Gate::new(), Gate::new());
        let seen = |wait: Gate, open: Gate| {
            spawn(async move {
                let before = task::current().unwrap();
                open.open();
                wait.wait().await;
                let after = task::current().unwrap();
                (before.id(), after.id())
            })
        };
        let one = seen(first.clone(), second.clone());
        let other = seen(second, first);
        let ids = [one.id(), other.id()];
        assert_eq!(one.await.unwrap(), (ids[0], ids[0]));
        assert_eq!(other.await.unwrap(), (ids[1], ids[1]));
    });
    assert!(task::current().is_none());
}

// AT-MT-01
#[test]
fn each_of_ten_runtimes_lists_its_own_tasks() {
    within_limit(|| {
        let start = Arc::new(Barrier::new(10));
        let threads: Vec<_> = (0..10)
            .map(|_| {
                let start = start.clone();
                thread::spawn(move || {
                    start.wait();
                    for _ in 0..10 {
                        Runtime::builder().workers(2).run(list_a_hundred()).unwrap();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

async fn list_a_hundred() {
    let gate = Gate::new();
    let mut expected: HashSet<Id> = HashSet::new();
    let blocked: Vec<_> = (0..100).map(|_| spawn(gate.wait())).collect();
    expected.extend(blocked.iter().map(|task| task.id()));
    expected.insert(task::current().unwrap().id());
    let listed = Handle::current().tasks();
    assert!(listed.iter().all(|task| !task.is_finished()));
    assert_eq!(listed.len(), 101);
    assert_eq!(listed.iter().map(Task::id).collect::<HashSet<_>>(), expected);
    gate.open();
    for task in blocked {
        task.await.unwrap();
    }
}

#[test]
fn another_thread_sees_every_task_that_was_spawned_before_it_looked() {
    within_limit(|| {
        let runtime = runtime_of(4);
        let known = Mutex::new(HashSet::new());
        let all_spawned = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !all_spawned.load(SeqCst) {
                        let before: HashSet<Id> = known.lock().unwrap().clone();
                        let listed = runtime.handle().tasks();
                        let listed: HashSet<Id> = listed.iter().map(Task::id).collect();
                        assert!(before.is_subset(&listed));
                        thread::yield_now();
                    }
                });
            }
            let _entered = runtime.handle().enter();
            for n in 0..300 {
                let new = Builder::new().eager(n % 2 == 0);
                let task = new.spawn(std::future::pending::<()>());
                known.lock().unwrap().insert(task.id());
            }
            all_spawned.store(true, SeqCst);
        });
    });
}

// AT-MT-03
#[test]
fn ten_jobs_submit_a_task_each_and_wait_for_it() {
    many_times(|| async {
        let runtime = Handle::current();
        let submit = |fails: bool| {
            let runtime = runtime.clone();
            spawn_blocking(move || {
                let task = runtime.spawn(async move {
                    yield_now().await;
                    if fails { Err("test") } else { Ok(42) }
                });
                task.wait().unwrap()
            })
        };
        let good: Vec<_> = (0..10).map(|_| submit(false)).collect();
        let bad: Vec<_> = (0..10).map(|_| submit(true)).collect();
        for job in good {
            assert_eq!(job.await.unwrap(), Ok(42));
        }
        for job in bad {
            assert_eq!(job.await.unwrap(), Err("test"));
        }
        // The last handle goes on another thread.
        let (task, reference) = {
            let task = spawn(async { Box::new(5) });
            (task.task(), task)
        };
        thread::spawn(move || drop(reference)).join().unwrap();
        thread::spawn(move || drop(task)).join().unwrap();
    });
}

// AT-TASK-09
#[test]
fn a_task_that_nobody_refers_to_runs_to_its_end() {
    many_times(|| async {
        let ended = Gate::new();
        let ends = ended.clone();
        drop(spawn(async move {
            // Whatever it waits for is known to it alone.
            let (sender, receiver) = weftline::sync::oneshot::channel();
            drop(spawn(async move {
                sleep(MS).await;
                sender.send(()).unwrap();
            }));
            receiver.await.unwrap();
            ends.open();
        }));
        ended.wait().await;
    });
}

// AT-SL-01
#[test]
fn who_yields_lets_what_waits_go_first() {
    alone(async {
        for _ in 0..100 {
            let called = Arc::new(AtomicUsize::new(0));
            let (by_callback, by_task) = (called.clone(), called.clone());
            Handle::current().call_soon(move || {
                by_callback.fetch_add(1, SeqCst);
            });
            drop(spawn(async move { by_task.fetch_add(1, SeqCst) }));
            yield_now().await;
            assert_eq!(called.load(SeqCst), 2);
        }
    });
}
