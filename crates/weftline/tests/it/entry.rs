//! `run` and `block_on`: what comes out of them, and what is left behind.

use crate::probe::{Gate, Probe};
use crate::rig::{
    Diary, LONG, Reports, eventually, panic_on_purpose, panic_with, runtime_of, within_limit,
};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;
use weftline::runtime::{Builder, Grace};
use weftline::task::{Status, UnhandledKind};
use weftline::time::sleep;
use weftline::{JoinHandle, Runtime, catch_cancel, finally, spawn, yield_now};

/// How often a program is started here.
const PROGRAMS: usize = 50;

fn four() -> Builder {
    Runtime::builder().workers(4)
}

// AT-RUN-01
#[test]
fn running_gives_the_value_the_error_or_the_panic_of_main() {
    within_limit(|| {
        for _ in 0..PROGRAMS {
            let value = four().run(async {
                yield_now().await;
                42
            });
            assert_eq!(value.unwrap(), 42);
            let error = four().run(async {
                yield_now().await;
                Err::<(), _>("spam")
            });
            assert_eq!(error.unwrap(), Err("spam"));
            let panics = async {
                yield_now().await;
                panic_with("spam")
            };
            let run = AssertUnwindSafe(|| four().run(panics));
            let payload = catch_unwind(run).unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&"spam"));
        }
    });
}

// AT-RUN-03
#[test]
fn a_task_that_is_left_has_ended_when_running_returns() {
    within_limit(|| {
        for _ in 0..PROGRAMS {
            let probe = Probe::new();
            let diary = Diary::default();
            let inside = diary.clone();
            let main = async {
                let left = spawn(probe.future(finally(sleep(LONG), async move {
                    yield_now().await;
                    inside.note("cleaned up");
                })));
                crate::rig::until_waiting(&left).await;
                let task = left.task();
                drop(left);
                (123, task)
            };
            let (value, left) = four().run(main).unwrap();
            assert_eq!((value, probe.drops()), (123, 1));
            assert!(left.is_finished() && left.is_cancelled());
            assert_eq!(diary.read(), ["cleaned up"]);
        }
    });
}

#[test]
fn an_error_of_a_task_that_is_left_is_reported() {
    within_limit(|| {
        let (builder, reports) = Reports::collect(four());
        let main = async {
            let left = spawn(finally(sleep(LONG), async { panic_on_purpose("left") }));
            crate::rig::until_waiting(&left).await;
            let id = left.id();
            drop(left);
            (123, id)
        };
        let (value, id) = builder.run(main).unwrap();
        assert_eq!(value, 123);
        let [report] = &reports.about(id)[..] else { panic!("one report: {:?}", reports.all()) };
        assert_eq!(report.kind, UnhandledKind::TaskPanicked);
        assert_eq!(report.message, "on purpose: left");
    });
}

// AT-RUN-05
#[test]
fn the_panic_of_main_wins_over_those_of_the_tasks_that_are_left() {
    within_limit(|| {
        for _ in 0..PROGRAMS {
            let (builder, reports) = Reports::collect(four());
            let resource = Probe::new();
            let left = Mutex::new(None);
            let main = async {
                let token = resource.token();
                let spins = spawn(async move {
                    // Something with an end of its own, in the middle of its work.
                    let _open = token;
                    match catch_cancel(sleep(LONG)).await {
                        Ok(()) => unreachable!(),
                        Err(_) => panic_on_purpose("while it is cancelled"),
                    }
                });
                crate::rig::until_waiting::<()>(&spins).await;
                left.lock().unwrap().replace(spins.task());
                drop(spins);
                panic_with("a fancy exit")
            };
            let payload = catch_unwind(AssertUnwindSafe(|| builder.run(main))).unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&"a fancy exit"));
            let left = left.into_inner().unwrap().unwrap();
            assert!(left.is_finished());
            assert_eq!((resource.drops(), reports.about(left.id()).len()), (1, 1));
        }
    });
}

// AT-RUN-07
#[test]
fn a_runtime_that_has_ended_runs_nothing_more() {
    within_limit(|| {
        let runtime = runtime_of(4);
        let handle = runtime.handle().clone();
        assert!(runtime.shutdown(Grace::Forever).is_clean());
        // A second end cannot be written; dropping the handle again and again changes nothing.
        for _ in 0..3 {
            drop(handle.clone());
        }
        let probe = Probe::new();
        assert!(handle.spawn(probe.future(async {})).wait().unwrap_err().is_cancelled());
        assert_eq!((probe.polls(), probe.drops()), (0, 1));
    });
}

// AT-RUN-11
#[test]
fn a_task_that_is_born_of_a_clean_up_at_the_end_is_ended_too() {
    within_limit(|| {
        for _ in 0..PROGRAMS {
            let born = Probe::new();
            let main = async {
                let born = born.clone();
                let parent = spawn(finally(pending::<()>(), async move {
                    yield_now().await;
                    let cleaned = born.clone();
                    let child = spawn(born.future(finally(pending::<()>(), async move {
                        yield_now().await;
                        cleaned.token();
                    })));
                    drop(child);
                }));
                crate::rig::until_waiting(&parent).await;
            };
            four().run(main).unwrap();
            // Its future is dropped once; its clean-up ran if it had begun.
            let drops = born.drops();
            assert_eq!(drops, 1 + usize::from(born.polls() > 0), "{} polls", born.polls());
        }
    });
}

// AT-RUN-13, as far as main is concerned: ending a runtime from inside ends it behind the task.
#[test]
fn a_runtime_that_is_ended_by_its_own_task_lets_that_finish() {
    within_limit(|| {
        for _ in 0..PROGRAMS {
            let runtime = runtime_of(4);
            let handle = runtime.handle().clone();
            let asks: JoinHandle<usize> =
                handle.spawn(async move { runtime.shutdown(Grace::Forever).survivors().len() });
            assert_eq!(asks.wait().unwrap(), 1);
            eventually("it is closed", || {
                handle.spawn(async {}).wait().is_err_and(|error| error.is_cancelled())
            });
        }
    });
}

// AT-CB-03, as far as there is a stop: the end of a `block_on`.
#[test]
fn what_a_block_on_leaves_goes_on_in_the_next_one() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let gate = Gate::new();
        let wait = gate.wait();
        let mut counting = runtime.spawn(async move {
            wait.await;
            7
        });
        runtime.block_on(crate::rig::until_waiting(&counting));
        assert_eq!(counting.task().status(), Status::Waiting, "it is as it was left");
        let (tell, told) = std::sync::mpsc::channel();
        runtime.handle().call_later(Duration::from_millis(1), move || tell.send(()).unwrap());
        runtime.block_on(async { gate.open() });
        assert_eq!(runtime.block_on(&mut counting).unwrap(), 7);
        told.recv().unwrap();
    });
}

#[test]
fn each_main_of_one_runtime_begins_with_the_values_of_its_caller() {
    weftline::task_local! {
        static NUMBER: i32 = -1;
    }
    let runtime = runtime_of(1);
    let replace = |value| async move {
        let old = NUMBER.get();
        yield_now().await;
        NUMBER.set(value);
        old
    };
    assert_eq!(runtime.block_on(replace(1)), -1);
    // What the first one has set has gone with it.
    assert_eq!(runtime.block_on(replace(2)), -1);
    assert_eq!(NUMBER.get(), -1);
}
