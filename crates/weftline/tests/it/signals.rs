//! Ctrl-C and the request to terminate: the first cancels main, the second ends.
//!
//! Each test signals a process of its own.

use crate::rig::{child, in_child, is_child};
use std::future::pending;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;
use weftline::runtime::{Builder, RunError};
use weftline::time::sleep;
use weftline::{Runtime, finally, spawn, task, uncancellable, yield_now};

fn builder() -> Builder {
    // Whatever runs the tests may ignore Ctrl-C, and then this process does, too. Once: a test that
    // has its own way with the signal comes after.
    static DEFAULT: std::sync::Once = std::sync::Once::new();
    // SAFETY: the default action installs no code.
    DEFAULT.call_once(|| unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL);
    });
    Runtime::builder().workers(2).cancel_on_ctrl_c(true)
}

/// Sends a signal to this process.
fn signal(number: i32) {
    let process = libc::pid_t::try_from(std::process::id()).expect("the kernel gave this number");
    // SAFETY: a signal to this process itself; there are no pointers.
    unsafe { libc::kill(process, number) };
}

/// Whether nobody handles a signal.
fn is_default(number: i32) -> bool {
    // SAFETY: all zeroes is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a null action changes nothing; the place for the old one is valid.
    unsafe { libc::sigaction(number, std::ptr::null(), &raw mut action) };
    action.sa_sigaction == libc::SIG_DFL
}

/// Runs the test `name` again in a process that a signal ends; gives what it said.
fn ended_by(name: &str, number: i32) -> String {
    let output = child(name).output().expect("the test binary runs");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.signal(), Some(number), "{}\n{out}", output.status);
    out
}

#[test]
fn ctrl_c_cancels_main_which_cleans_up() {
    if !in_child("signals::ctrl_c_cancels_main_which_cleans_up") {
        return;
    }
    let mut cleaned = false;
    let main = finally(
        async {
            assert!(!is_default(libc::SIGINT), "it is caught while main runs");
            signal(libc::SIGINT);
            pending::<()>().await;
        },
        async {
            yield_now().await;
            cleaned = true;
        },
    );
    let result = builder().try_run(main);
    assert!(matches!(result, Err(RunError::Interrupted)), "{result:?}");
    assert!(cleaned);
    assert!(is_default(libc::SIGINT), "and is as before afterwards");
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let name = "signals::a_second_ctrl_c_ends_at_once";
    if !is_child() {
        ended_by(name, libc::SIGINT);
        return;
    }
    let _ = builder().try_run(uncancellable(async {
        let me = task::current().unwrap();
        signal(libc::SIGINT);
        while me.cancelling() == 0 {
            yield_now().await;
        }
        // Later than a program that sends it twice.
        sleep(Duration::from_millis(300)).await;
        signal(libc::SIGINT);
        pending::<()>().await;
    }));
}

#[test]
fn a_ctrl_c_that_is_sent_twice_at_once_is_one() {
    if !in_child("signals::a_ctrl_c_that_is_sent_twice_at_once_is_one") {
        return;
    }
    let mut cleaned = false;
    let main = finally(
        async {
            signal(libc::SIGINT);
            signal(libc::SIGINT);
            pending::<()>().await;
        },
        async {
            sleep(Duration::from_millis(10)).await;
            cleaned = true;
        },
    );
    let result = builder().try_run(main);
    assert!(matches!(result, Err(RunError::Interrupted)), "{result:?}");
    assert!(cleaned);
}

#[test]
fn an_interrupted_run_shuts_down_and_ends_as_the_signal_does() {
    let name = "signals::an_interrupted_run_shuts_down_and_ends_as_the_signal_does";
    if !is_child() {
        let out = ended_by(name, libc::SIGINT);
        assert!(out.contains("main is clean") && out.contains("child is clean"), "{out}");
        assert!(!out.contains("goes on"), "{out}");
        return;
    }
    let main = async {
        let child = spawn(finally(pending::<()>(), async { println!("child is clean") }));
        while child.task().status() != task::Status::Waiting {
            yield_now().await;
        }
        signal(libc::SIGINT);
        pending::<()>().await;
    };
    let _ = builder().run(finally(main, async { println!("main is clean") }));
    println!("goes on");
}

// AT-RUN-09
#[test]
fn a_main_that_others_cancelled_too_was_not_interrupted() {
    if !in_child("signals::a_main_that_others_cancelled_too_was_not_interrupted") {
        return;
    }
    let result = builder().try_run(uncancellable(async {
        let main = task::current().unwrap();
        signal(libc::SIGINT);
        while main.cancelling() == 0 {
            yield_now().await;
        }
        let other = main.clone();
        spawn(async move { other.cancel_with("by its own child") }).await.unwrap();
        // Both are delivered behind the end of this, and there is nothing: main has returned.
    }));
    assert!(matches!(result, Ok(())), "a main that returns has returned: {result:?}");
    let result = builder().try_run(async {
        let main = task::current().unwrap();
        uncancellable(async {
            signal(libc::SIGINT);
            while main.cancelling() == 0 {
                yield_now().await;
            }
            let other = main.clone();
            spawn(async move { other.cancel_with("by its own child") }).await.unwrap();
        })
        .await;
        pending::<()>().await;
    });
    assert!(matches!(result, Err(RunError::Cancelled(_))), "{result:?}");
}

#[test]
fn a_request_to_terminate_does_the_same_where_it_is_asked_for() {
    if !in_child("signals::a_request_to_terminate_does_the_same_where_it_is_asked_for") {
        return;
    }
    let result = builder().cancel_on_terminate(true).try_run(async {
        signal(libc::SIGTERM);
        pending::<()>().await;
    });
    assert!(matches!(result, Err(RunError::Terminated)), "{result:?}");
    builder().run(async { assert!(is_default(libc::SIGTERM)) }).unwrap();
}

#[test]
fn a_signal_that_somebody_else_handles_is_left_to_them() {
    if !in_child("signals::a_signal_that_somebody_else_handles_is_left_to_them") {
        return;
    }
    let builder = builder();
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    let value = builder.try_run(async {
        signal(libc::SIGINT);
        yield_now().await;
        5
    });
    assert_eq!(value.unwrap(), 5);
}

#[test]
fn threads_other_than_the_main_one_catch_nothing_by_themselves() {
    if !in_child("signals::threads_other_than_the_main_one_catch_nothing_by_themselves") {
        return;
    }
    drop(builder());
    // A test does not run on the main thread.
    weftline::run(async { assert!(is_default(libc::SIGINT)) });
}

#[test]
fn ctrl_c_reaches_a_main_that_only_yields() {
    if !in_child("signals::ctrl_c_reaches_a_main_that_only_yields") {
        return;
    }
    let result: Result<(), _> = builder().try_run(async {
        signal(libc::SIGINT);
        loop {
            yield_now().await;
        }
    });
    assert!(matches!(result, Err(RunError::Interrupted)), "{result:?}");
}

#[test]
fn ctrl_c_reaches_the_task_that_main_awaits() {
    if !in_child("signals::ctrl_c_reaches_the_task_that_main_awaits") {
        return;
    }
    let mut inner = None;
    let result: Result<(), _> = builder().try_run(async {
        let awaited = spawn(pending::<()>());
        inner = Some(awaited.task());
        signal(libc::SIGINT);
        awaited.await.unwrap();
    });
    assert!(matches!(result, Err(RunError::Interrupted)), "{result:?}");
    assert!(inner.is_some_and(|task| task.is_cancelled()));
}
