//! `block_on`: the main future, several of them, and one inside the other.

use crate::probe::Gate;
use crate::rig::{eventually, panic_on_purpose, runtime, runtime_of, within_limit};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use weftline::runtime::Handle;
use weftline::{Runtime, spawn, spawn_blocking, task, yield_now};

#[test]
fn the_main_future_may_borrow_and_need_not_be_send() {
    let runtime = runtime();
    let mut log = Vec::new();
    let name = String::from("borrowed");
    runtime.block_on(async {
        let shared = Rc::new(RefCell::new(&mut log));
        for _ in 0..3 {
            spawn(yield_now()).await.unwrap();
            shared.borrow_mut().push(name.len());
        }
    });
    assert_eq!(log, [8, 8, 8]);
}

#[test]
fn the_main_future_stays_on_the_calling_thread() {
    let runtime = runtime();
    let here = thread::current().id();
    runtime.block_on(async {
        for _ in 0..100 {
            spawn(yield_now()).await.unwrap();
            assert_eq!(thread::current().id(), here);
        }
    });
}

#[test]
fn a_panic_of_the_main_future_comes_out_and_leaves_the_runtime_whole() {
    let runtime = runtime();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async { panic_on_purpose("main") })
    }));
    assert!(panicked.is_err());
    assert!(Handle::try_current().is_err(), "the runtime is left");
    assert_eq!(runtime.block_on(async { spawn(async { 1 }).await.unwrap() }), 1);
}

#[test]
fn main_and_a_task_ask_and_answer() {
    within_limit(|| {
        let runtime = runtime();
        runtime.block_on(async {
            for n in 0..5000_u64 {
                let (question, answer) = (Gate::new(), Gate::new());
                let (asked, answers) = (question.wait(), answer.clone());
                let task = spawn(async move {
                    asked.await;
                    answers.open();
                    n
                });
                question.open();
                answer.wait().await;
                assert_eq!(task.await.unwrap(), n);
            }
        });
    });
}

#[test]
fn several_threads_block_on_one_runtime() {
    within_limit(|| {
        let runtime = runtime();
        thread::scope(|scope| {
            for n in 0..8_u64 {
                let runtime = &runtime;
                scope.spawn(move || {
                    let sum = runtime.block_on(async {
                        let tasks: Vec<_> = (0..200).map(|m| spawn(async move { n * m })).collect();
                        let mut sum = 0;
                        for task in tasks {
                            sum += task.await.unwrap();
                        }
                        sum
                    });
                    assert_eq!(sum, n * (0..200).sum::<u64>());
                });
            }
        });
    });
}

#[test]
fn block_on_works_inside_a_task_of_another_runtime() {
    within_limit(|| {
        // A relief worker might go on with the task.
        let outer = Runtime::builder().workers(1).max_relief_workers(0).build().unwrap();
        let inner = runtime_of(1);
        let inside = inner.handle().clone();
        let inner_id = inner.spawn(async { task::current().unwrap().id() }).id();
        let task = outer.spawn(async move {
            let before = spawn(async { thread::current().name().map(str::to_owned) });
            let nested =
                inside.block_on(async { spawn(async { thread::current().id() }).await.unwrap() });
            assert_ne!(nested, thread::current().id(), "the inner runtime ran it");
            // What is spawned now is the outer runtime's again.
            let after = spawn(async { thread::current().id() });
            before.await.unwrap();
            after.await.unwrap() == thread::current().id()
        });
        assert!(task.wait().unwrap());
        assert!(inner.handle().tasks().iter().all(|task| task.id() != inner_id));
    });
}

#[test]
fn block_on_works_inside_a_blocking_job_of_the_same_runtime() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let answer = runtime.block_on(async {
            spawn_blocking(|| {
                Handle::current().block_on(async {
                    yield_now().await;
                    spawn(async { 42 }).await.unwrap()
                })
            })
            .await
            .unwrap()
        });
        assert_eq!(answer, 42);
    });
}

#[test]
fn a_whole_runtime_fits_inside_a_task() {
    within_limit(|| {
        let outer = runtime();
        let answer = outer.spawn(async {
            runtime_of(1).block_on(async { spawn(async { 1 }).await.unwrap() })
                + weftline::run(async { spawn(async { 2 }).await.unwrap() })
        });
        assert_eq!(answer.wait().unwrap(), 3);
    });
}

#[test]
fn runtimes_wake_each_others_tasks() {
    within_limit(|| {
        let runtimes = [runtime_of(1), runtime_of(2)];
        let players: Vec<_> = (0..100)
            .map(|_| {
                let gates: Vec<_> = (0..40).map(|_| Gate::new()).collect();
                let [first, second] = [0, 1].map(|parity| {
                    let gates = gates.clone();
                    runtimes[parity].spawn(async move {
                        for (n, gate) in gates.iter().enumerate() {
                            if n % 2 == parity {
                                gate.open();
                            } else {
                                gate.wait().await;
                            }
                        }
                    })
                });
                [first, second]
            })
            .collect();
        for player in players.into_iter().flatten() {
            player.wait().unwrap();
        }
    });
}

#[test]
fn the_runtime_around_a_thread_nests() {
    let (outer, inner) = (runtime_of(1), runtime_of(3));
    let workers = || Handle::try_current().map(|handle| handle.workers());
    assert!(workers().is_err());
    let around = outer.handle().enter();
    assert_eq!(workers(), Ok(1));
    let within = inner.handle().enter();
    assert_eq!(workers(), Ok(3));
    assert_eq!(outer.block_on(async { workers() }), Ok(1));
    drop(within);
    assert_eq!(workers(), Ok(1));
    drop(around);
    assert!(workers().is_err());
}

#[test]
fn a_blocked_worker_does_not_keep_main_waiting() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let (release, released) = mpsc::channel::<()>();
        let blocked = runtime.spawn(async move { released.recv().unwrap() });
        eventually("the worker is held", || !blocked.is_finished());
        runtime.block_on(async {
            for _ in 0..10 {
                yield_now().await;
            }
        });
        release.send(()).unwrap();
        blocked.wait().unwrap();
    });
}

#[test]
fn the_current_task_is_the_innermost_one_around() {
    let runtime = runtime();
    let job = runtime.handle().spawn_blocking(|| task::current().map(|task| task.id()));
    let id = job.id();
    assert_eq!(job.wait().unwrap(), Some(id), "a blocking job is one");
    let other = runtime_of(1);
    let nested = runtime.spawn(async move {
        let around = task::current();
        other.block_on(async { task::current().unwrap().parent() == around.map(|task| task.id()) })
    });
    assert!(nested.wait().unwrap(), "a main future in a task is a task of its own");
}
