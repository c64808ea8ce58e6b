//! How children end, who hears of it, and signals.

use super::{cat, sleeper};
use crate::rig::{MS, alone, runtime, within_limit};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use weftline::process::{Command, Stdio};
use weftline::signal::Kind;
use weftline::time::{sleep, timeout};
use weftline::{gather, spawn, yield_now};

/// Runs until it is sent a signal, and has said so before.
fn announced(line: &str) -> Command {
    let mut shell = Command::shell(format!("echo ready; {line}"));
    shell.stdout(Stdio::piped()).kill_on_drop(true);
    shell
}

/// Waits until a child of [`announced`] has said so.
async fn until_ready(child: &weftline::process::Child) {
    let mut word = [0; 6];
    child.stdout.as_ref().unwrap().read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ready\n");
}

#[test]
fn a_child_ends_by_the_signal_it_was_sent() {
    alone(async {
        let child = sleeper();
        child.kill().unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGKILL));
        let child = sleeper();
        child.terminate().unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGTERM));
        let child = announced("exec sleep 1000").spawn().unwrap();
        until_ready(&child).await;
        // Not a hang-up, which children of nohup ignore.
        child.signal(Kind::USER1).unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGUSR1));
    });
}

#[test]
fn a_shell_that_is_killed_is_heard_of_although_its_own_child_goes_on() {
    alone(async {
        let child = announced("sleep 1000; sleep 1000").process_group(0).spawn().unwrap();
        until_ready(&child).await;
        child.kill().unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGKILL));
        child.kill_group().unwrap();
        // Nobody has the pipe any more.
        let mut rest = Vec::new();
        child.stdout.as_ref().unwrap().read_to_end(&mut rest).await.unwrap();
    });
}

#[test]
fn a_child_can_answer_a_signal() {
    alone(async {
        let line = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
        let mut shell = Command::shell(line);
        let mut child = shell.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        until_ready(&child).await;
        child.terminate().unwrap();
        let output = child.communicate("").await.unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b"bye\n"[..]));
    });
}

// AT-SP-05
#[test]
fn a_wait_that_is_cancelled_leaves_the_child_in_hand() {
    alone(async {
        let child = sleeper();
        let waits = spawn(child.wait());
        while waits.task().status() != weftline::task::Status::Waiting {
            yield_now().await;
        }
        waits.cancel();
        assert!(waits.await.unwrap_err().is_cancelled());
        assert!(timeout(MS, child.wait()).await.is_err());
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill().unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGKILL));
    });
}

// AT-SP-05
#[test]
fn ten_that_wait_get_the_same_before_and_after_the_end() {
    alone(async {
        let mut child = cat();
        let before: Vec<_> = (0..10).map(|_| spawn(child.wait())).collect();
        let output = child.communicate("some data").await.unwrap();
        assert_eq!(output.stdout, b"some data");
        for wait in before {
            assert_eq!(wait.await.unwrap().unwrap(), output.status);
        }
        let after = gather((0..10).map(|_| child.wait())).await.unwrap();
        assert_eq!(after, [output.status; 10]);
        assert_eq!(child.try_wait().unwrap(), Some(output.status));
    });
}

#[test]
fn who_waits_may_be_in_another_runtime_and_outlive_the_child() {
    within_limit(|| {
        let (first, second) = (runtime(), runtime());
        let child = first.block_on(async { sleeper() });
        let there = second.spawn(child.wait());
        let here = child.wait();
        drop(first);
        child.terminate().unwrap();
        drop(child);
        assert_eq!(there.wait().unwrap().unwrap().signal(), Some(libc::SIGTERM));
        assert_eq!(second.block_on(here).unwrap().signal(), Some(libc::SIGTERM));
    });
}

// AT-SP-07
#[test]
fn a_child_that_has_ended_gets_no_signal() {
    alone(async {
        let child = Command::shell("exit 6").spawn().unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(6));
        for sent in [child.terminate(), child.kill(), child.signal(Kind::HANGUP)] {
            let error = sent.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            let text = format!("no such process: {} has ended (exit status: 6)", child.id());
            assert_eq!(error.to_string(), text);
        }
        assert_eq!(child.wait().await.unwrap().code(), Some(6));
    });
}

// AT-SP-07
#[test]
fn a_signal_that_meets_the_end_is_sent_or_refused_and_the_status_is_known() {
    alone(async {
        for n in 0..50 {
            let child = Command::new("sleep").arg("0.01").spawn().unwrap();
            sleep(n % 10 * 2 * MS).await;
            match child.signal(Kind::USER1) {
                Ok(()) => {}
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
            }
            let status = child.wait().await.unwrap();
            assert!(status.success() || status.signal() == Some(libc::SIGUSR1), "{status}");
        }
    });
}

#[test]
fn a_group_is_signalled_as_a_whole_also_after_its_leader_has_ended() {
    alone(async {
        let mut shell = announced("sleep 1000 & sleep 1000 & exit 4");
        let child = shell.process_group(0).spawn().unwrap();
        until_ready(&child).await;
        assert_eq!(child.wait().await.unwrap().code(), Some(4));
        assert_eq!(child.kill().unwrap_err().kind(), io::ErrorKind::NotFound);
        child.signal_group(Kind::TERMINATE).unwrap();
        let mut rest = Vec::new();
        child.stdout.as_ref().unwrap().read_to_end(&mut rest).await.unwrap();
        // Everybody waits for the same.
        assert_eq!(child.wait().await.unwrap().code(), Some(4));
    });
}

#[test]
fn a_child_of_our_own_group_is_not_mistaken_for_a_leader() {
    alone(async {
        let child = sleeper();
        let error = child.kill_group().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let (text, start) = (error.to_string(), format!("process {} leads no group", child.id()));
        assert!(text.starts_with(&start), "{text}");
        assert_eq!(child.try_wait().unwrap(), None, "and nobody was killed");
    });
}

#[test]
fn a_child_goes_with_its_owner_where_that_was_asked_for() {
    alone(async {
        // The group as well, where it leads one: the pipe comes to its end.
        let mut shell = announced("sleep 1000 & sleep 1000");
        let mut child = shell.process_group(0).spawn().unwrap();
        until_ready(&child).await;
        let (stdout, end) = (child.stdout.take().unwrap(), child.wait());
        drop(child);
        assert_eq!(end.await.unwrap().signal(), Some(libc::SIGKILL));
        assert_eq!(stdout.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        // Otherwise it goes on.
        let mut shell = Command::shell("read line; exit 5");
        let mut child = shell.stdin(Stdio::piped()).spawn().unwrap();
        let (stdin, end) = (child.stdin.take().unwrap(), child.wait());
        drop(child);
        stdin.write_all(b"go\n").await.unwrap();
        assert_eq!(end.await.unwrap().code(), Some(5));
    });
}

// AT-SP-07
#[test]
fn a_child_that_has_ended_by_itself_is_not_killed_by_the_drop() {
    alone(async {
        for group in [false, true] {
            let mut shell = Command::shell("read line; exit 3");
            shell.stdin(Stdio::piped()).kill_on_drop(true);
            if group {
                shell.process_group(0);
            }
            let mut child = shell.spawn().unwrap();
            let end = child.wait();
            drop(child.stdin.take());
            // Its end is seen by whoever comes first: the reaper, or the drop.
            while child.try_wait().unwrap().is_none() {
                yield_now().await;
            }
            drop(child);
            assert_eq!(end.await.unwrap().code(), Some(3));
        }
    });
}

#[test]
fn a_task_that_is_cancelled_takes_its_child_along_where_that_was_asked_for() {
    alone(async {
        let (tell, told) = weftline::sync::oneshot::channel();
        let task = spawn(async move {
            let child = sleeper();
            let _ = tell.send(child.wait());
            child.wait().await
        });
        let end = told.await.unwrap();
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(end.await.unwrap().signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn one_waits_while_others_send_signals_from_any_thread() {
    alone(async {
        let child = Arc::new(sleeper());
        let waits = spawn(child.wait());
        let sends = child.clone();
        std::thread::spawn(move || sends.kill().unwrap()).join().unwrap();
        assert_eq!(waits.await.unwrap().unwrap().signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn a_signal_without_a_name_is_refused() {
    alone(async {
        let error = sleeper().signal(Kind::from_raw(60).unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with("signal number is 60"), "{error}");
    });
}
