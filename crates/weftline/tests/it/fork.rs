//! A fork copies one thread: in the child the runtime of the parent must say so, not hang.
//!
//! Each test forks in a process of its own, that has no other threads than the runtime's.

use crate::probe::Gate;
use crate::rig::{in_child, runtime_of, within_limit};
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use weftline::runtime::Grace;
use weftline::{Runtime, spawn};

/// The words of every refusal.
const REFUSAL: &str = "a weftline runtime cannot be used in a forked child process";
/// How long a forked process may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs `body` in a forked process, which must end well and in time.
#[track_caller]
fn in_fork(body: impl FnOnce()) {
    // SAFETY: the child goes on with one thread, and uses the allocator and std's locks only as far
    // as the C library keeps them usable after a fork.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "the system refuses to fork");
    if child == 0 {
        let status = i32::from(catch_unwind(AssertUnwindSafe(body)).is_err());
        // SAFETY: ends this process without running what belongs to the parent.
        unsafe { libc::_exit(status) }
    }
    let began = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: waits for the child just made; `status` is writable.
        let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        if ended == child {
            return assert_eq!(status, 0, "the forked process failed");
        }
        if began.elapsed() > LIMIT {
            // SAFETY: the child is ours and was not waited for yet.
            unsafe { libc::kill(child, libc::SIGKILL) };
            panic!("the forked process hangs");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Checks that `use_it` is refused in the words of the documentation.
#[track_caller]
fn assert_refused<T>(use_it: impl FnOnce() -> T) {
    std::panic::set_hook(Box::new(|_| {}));
    let refused = catch_unwind(AssertUnwindSafe(|| drop(use_it())));
    let _ = std::panic::take_hook();
    let panicked = refused.expect_err("it is refused");
    let text = panicked.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panicked.downcast_ref::<String>().cloned()).expect("a text");
    assert!(text.starts_with(REFUSAL), "{text}");
}

#[test]
fn spawning_and_blocking_are_refused_in_a_fork() {
    if !in_child("fork::spawning_and_blocking_are_refused_in_a_fork") {
        return;
    }
    let runtime = runtime_of(2);
    in_fork(|| {
        assert_refused(|| runtime.spawn(async {}));
        assert_refused(|| runtime.handle().spawn_blocking(|| ()));
        assert_refused(|| runtime.block_on(async {}));
        let _entered = runtime.handle().enter();
        assert_refused(|| spawn(async {}));
        assert_refused(|| weftline::spawn_pinned(|| async {}));
    });
    assert_eq!(runtime.spawn(async { 1 }).wait().unwrap(), 1, "the parent goes on");
}

#[test]
fn waiting_is_refused_in_a_fork() {
    if !in_child("fork::waiting_is_refused_in_a_fork") {
        return;
    }
    let runtime = runtime_of(2);
    let gate = Gate::new();
    let mut tasks: Vec<_> = (0..3).map(|_| runtime.spawn(gate.wait())).collect();
    let (first, second) = (tasks.pop().unwrap(), tasks.pop().unwrap());
    in_fork(|| {
        assert_refused(|| first.wait());
        assert_refused(|| runtime_of(1).block_on(second));
    });
    gate.open();
    tasks.pop().unwrap().wait().unwrap();
}

#[test]
fn a_wait_that_is_under_way_is_refused_in_a_fork() {
    if !in_child("fork::a_wait_that_is_under_way_is_refused_in_a_fork") {
        return;
    }
    let runtime = runtime_of(2);
    // Forks inside of its first poll, so that the wait goes on in both processes.
    let forks = std::future::poll_fn(|_| {
        in_fork(|| {
            let nested = runtime_of(1);
            assert_eq!(nested.block_on(async { spawn(async { 2 }).await.unwrap() }), 2);
            assert_refused(|| spawn(async {}));
        });
        std::task::Poll::Ready(())
    });
    runtime.block_on(forks);
}

#[test]
fn an_output_that_was_there_is_there_in_a_fork() {
    if !in_child("fork::an_output_that_was_there_is_there_in_a_fork") {
        return;
    }
    let runtime = runtime_of(2);
    let task = runtime.spawn(async { 7 });
    while !task.is_finished() {
        std::thread::yield_now();
    }
    in_fork(|| assert_eq!(task.wait().unwrap(), 7));
}

#[test]
fn dropping_and_shutting_down_do_not_hang_in_a_fork() {
    if !in_child("fork::dropping_and_shutting_down_do_not_hang_in_a_fork") {
        return;
    }
    let runtimes: Vec<_> = (0..3).map(|_| runtime_of(2)).collect();
    let tasks: Vec<_> = runtimes.iter().map(|runtime| runtime.spawn(pending::<()>())).collect();
    let mut used = runtimes.into_iter();
    let (dropped, shut, forgotten) =
        (used.next().unwrap(), used.next().unwrap(), used.next().unwrap());
    in_fork(|| {
        drop(dropped);
        let shutting = || drop(shut.shutdown(Grace::Forever));
        // Either is good: to be refused, or to have nothing to do.
        let _ = catch_unwind(AssertUnwindSafe(shutting));
        for task in tasks {
            drop(task.cancel_on_drop());
        }
        drop(forgotten);
    });
}

#[test]
fn a_new_runtime_works_in_a_fork() {
    if !in_child("fork::a_new_runtime_works_in_a_fork") {
        return;
    }
    let runtime = runtime_of(2);
    runtime.block_on(async { spawn(async {}).await.unwrap() });
    in_fork(|| {
        within_limit(|| {
            let value = weftline::run(async {
                weftline::time::sleep(Duration::from_millis(1)).await;
                let job = weftline::spawn_blocking(|| 1);
                spawn(async { 2 }).await.unwrap() + job.await.unwrap()
            });
            assert_eq!(value, 3);
        });
        // And a fork of the fork.
        let second: Runtime = runtime_of(1);
        in_fork(|| assert_refused(|| second.spawn(async {})));
    });
}

#[test]
fn a_socket_of_the_parents_runtime_is_refused_in_a_fork() {
    if !in_child("fork::a_socket_of_the_parents_runtime_is_refused_in_a_fork") {
        return;
    }
    let runtime = runtime_of(1);
    let theirs = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    in_fork(|| {
        let entered = runtime.handle().enter();
        // Its events would go to the parent.
        let error = weftline::net::UdpSocket::from_std(theirs.try_clone().unwrap()).unwrap_err();
        assert!(error.to_string().starts_with(REFUSAL), "{error}");
        drop(entered);
        runtime_of(1).block_on(async {
            weftline::net::UdpSocket::from_std(theirs.try_clone().unwrap()).unwrap();
        });
    });
    runtime.block_on(async { weftline::net::UdpSocket::from_std(theirs).unwrap() });
}

#[test]
fn a_socket_dropped_in_a_fork_still_works_in_the_parent() {
    if !in_child("fork::a_socket_dropped_in_a_fork_still_works_in_the_parent") {
        return;
    }
    let runtime = runtime_of(1);
    let bind = async { weftline::net::UdpSocket::bind("127.0.0.1:0").await.unwrap() };
    let mut socket = Some(runtime.block_on(bind));
    in_fork(|| drop(socket.take()));
    let socket = socket.expect("the child took its own copy");
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let receiving = async {
        // Nothing is there yet: it waits for the event.
        let mut bytes = [0; 8];
        let receive = socket.recv_from(&mut bytes);
        let send = async { sender.send_to(b"x", socket.local_addr().unwrap()).unwrap() };
        let mut receive = std::pin::pin!(receive);
        let early = std::future::poll_fn(|cx| std::task::Poll::Ready(receive.as_mut().poll(cx)));
        assert!(early.await.is_pending());
        send.await;
        weftline::time::timeout(LIMIT, receive).await
    };
    let (count, _) = runtime.block_on(receiving).expect("the event comes").unwrap();
    assert_eq!(count, 1);
}
