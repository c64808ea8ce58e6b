//! Children where something is unusual: the kernel tells nothing of ends, somebody else takes the
//! exit status, or this process was forked off.
//!
//! Each test has a process of its own.

use super::{is_there, sleeper};
use crate::rig::{eventually, in_child, runtime, within_limit};
use crate::sandbox::refuse;
use crate::threads::named;
use std::io;
use std::os::unix::process::ExitStatusExt;
use weftline::gather;
use weftline::process::{Command, Stdio};

/// What is promised of children, where no child is a descriptor.
fn children_are_kept_without(error: i32) {
    if let Err(refused) = refuse(libc::SYS_pidfd_open, error) {
        return println!("passed over: no system call can be refused here: {refused}");
    }
    within_limit(|| {
        let runtime = runtime();
        let dropped = runtime.block_on(async {
            let child = sleeper();
            eventually("a thread waits", || named("weftline-waiter").len() == 1);
            assert!(named("weftline-reaper").is_empty());
            let waits: Vec<_> = (0..10).map(|_| weftline::spawn(child.wait())).collect();
            assert_eq!(child.try_wait().unwrap(), None);
            child.terminate().unwrap();
            for wait in waits {
                assert_eq!(wait.await.unwrap().unwrap().signal(), Some(libc::SIGTERM));
            }
            assert_eq!(child.kill().unwrap_err().kind(), io::ErrorKind::NotFound);

            let echo = |n: usize| async move {
                let mut cat = Command::new("cat");
                cat.stdin(Stdio::piped()).stdout(Stdio::piped());
                cat.spawn()?.communicate(n.to_string()).await
            };
            for (n, output) in gather((0..20).map(echo)).await.unwrap().into_iter().enumerate() {
                assert_eq!(output.stdout, n.to_string().as_bytes());
            }

            let mut shell = Command::shell("sleep 1000 & exit 4");
            let child = shell.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
            assert_eq!(child.wait().await.unwrap().code(), Some(4));
            child.kill_group().unwrap();
            child.stdout.as_ref().unwrap().read_to_end(&mut Vec::new()).await.unwrap();
            drop(child);

            let child = Command::new("sleep").arg("0.05").spawn().unwrap();
            child.id()
        });
        drop(runtime);
        eventually("nobody is left", || !is_there(dropped));
        eventually("no thread waits", || named("weftline-waiter").is_empty());
    });
}

#[test]
fn children_are_kept_in_a_sandbox_where_they_are_no_descriptors() {
    if in_child("process::others::children_are_kept_in_a_sandbox_where_they_are_no_descriptors") {
        children_are_kept_without(libc::EPERM);
    }
}

#[test]
fn children_are_kept_by_a_kernel_where_they_are_no_descriptors() {
    if in_child("process::others::children_are_kept_by_a_kernel_where_they_are_no_descriptors") {
        children_are_kept_without(libc::ENOSYS);
    }
}

#[test]
fn an_exit_status_that_others_have_taken_is_an_error_for_all_and_no_hang() {
    let name =
        "process::others::an_exit_status_that_others_have_taken_is_an_error_for_all_and_no_hang";
    if !in_child(name) {
        return;
    }
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    within_limit(|| {
        runtime().block_on(async {
            let child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            let waits = weftline::spawn(child.wait());
            let id = child.id();
            drop(child.stdin);
            let start = format!("the exit status of process {id} is lost");
            let error = waits.await.unwrap().unwrap_err();
            assert!(error.to_string().starts_with(&start), "{error}");

            let child = sleeper();
            child.kill().unwrap();
            assert!(child.wait().await.is_err());
            assert!(child.try_wait().is_err());
            assert_eq!(child.kill().unwrap_err().kind(), io::ErrorKind::NotFound);
        });
    });
}

#[test]
fn a_forked_process_has_no_say_about_the_children_of_its_parent() {
    let name = "process::others::a_forked_process_has_no_say_about_the_children_of_its_parent";
    if !in_child(name) {
        return;
    }
    within_limit(|| {
        let runtime = runtime();
        let child = runtime.block_on(async { sleeper() });
        // SAFETY: the forked process calls nothing that would need the parent's threads.
        let forked = unsafe { libc::fork() };
        assert!(forked >= 0, "the system refuses to fork");
        if forked == 0 {
            let refusals = [child.kill().is_err(), child.try_wait().is_err()];
            // It would be killed now, were it this process's.
            drop(child);
            let status = i32::from(refusals != [true; 2]);
            // SAFETY: ends this process without running what belongs to the parent.
            unsafe { libc::_exit(status) }
        }
        let mut status = 0;
        // SAFETY: waits for the process just made; `status` is writable.
        unsafe { libc::waitpid(forked, &raw mut status, 0) };
        assert_eq!(status, 0, "it was refused");
        assert_eq!(child.try_wait().unwrap(), None, "and the child goes on");
        child.terminate().unwrap();
        let status = runtime.block_on(child.wait()).unwrap();
        assert_eq!(status.signal(), Some(libc::SIGTERM));
    });
}

#[test]
fn a_process_that_was_forked_off_keeps_children_of_its_own() {
    let name = "process::others::a_process_that_was_forked_off_keeps_children_of_its_own";
    if !in_child(name) {
        return;
    }
    within_limit(|| {
        runtime().block_on(async { Command::new("true").status().await.unwrap() });
        // SAFETY: no other thread has a lock that the forked process needs: the runtime has ended,
        // and the reaper sleeps.
        let forked = unsafe { libc::fork() };
        assert!(forked >= 0, "the system refuses to fork");
        if forked == 0 {
            let code = runtime().block_on(async {
                let child = Command::shell("exit 9").spawn().unwrap();
                child.wait().await.unwrap().code()
            });
            // SAFETY: ends this process without running what belongs to the parent.
            unsafe { libc::_exit(i32::from(code != Some(9))) }
        }
        let mut status = 0;
        // SAFETY: waits for the process just made; `status` is writable.
        unsafe { libc::waitpid(forked, &raw mut status, 0) };
        assert_eq!(status, 0, "the child of the forked process is heard of");
    });
}
