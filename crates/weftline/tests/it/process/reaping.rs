//! Nothing is left of children, whether or not anybody waits for them: no zombie, no descriptor, no
//! thread, no memory, and nobody hangs.
//!
//! Each test looks at all children of a process of its own. WEFTLINE_IT_STRESS, as a number of
//! tasks, is a hundred times the number of children; by default ten thousand, and fewer in a debug
//! build.

use super::{cat, is_there, sleeper};
use crate::counting::bytes_in_use;
use crate::rig::{MS, amount, eventually, in_child, runtime, within_limit};
use weftline::net::{TcpStream, UdpSocket, UnixStream, serve, serve_unix};
use weftline::process::{Command, Stdio};
use weftline::runtime::Grace;
use weftline::signal::{Kind, signal};
use weftline::time::timeout;
use weftline::{TaskSet, spawn};

/// How many tasks cost as much as a child, about.
const TASKS_FOR_A_CHILD: usize = 100;

/// How many children in a row.
fn children_in_all() -> usize {
    amount("WEFTLINE_IT_STRESS", 50_000, 1_000_000) / TASKS_FOR_A_CHILD
}

/// The children of this process, zombies among them.
fn children() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let of_each = tasks.filter_map(|task| {
        // A thread may end meanwhile.
        std::fs::read_to_string(task.unwrap().path().join("children")).ok()
    });
    of_each
        .flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .filter(|id| !id.is_empty())
        .collect()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_child_that_nobody_waits_for_is_gone_when_it_has_ended() {
    if !in_child("process::reaping::a_child_that_nobody_waits_for_is_gone_when_it_has_ended") {
        return;
    }
    let runtime = runtime();
    let held = runtime.block_on(async {
        let dropped = Command::new("true").spawn().unwrap().id();
        let held = Command::new("true").spawn().unwrap();
        let killed = sleeper().id();
        eventually("the dropped one is gone", || !is_there(dropped));
        eventually("the one that was killed is gone", || !is_there(killed));
        held
    });
    let id = held.id();
    eventually("so is the one that somebody has", || !is_there(id));
    assert!(runtime.block_on(held.wait()).unwrap().success());
}

#[test]
fn a_child_that_outlives_its_runtime_is_gone_when_it_has_ended() {
    if !in_child("process::reaping::a_child_that_outlives_its_runtime_is_gone_when_it_has_ended") {
        return;
    }
    let runtime = runtime();
    let (first, mut second) = runtime.block_on(async {
        let first = Command::new("sleep").arg("0.05").spawn().unwrap();
        // A task that is cancelled with its runtime, in the middle of waiting.
        let (id, wait) = (first.id(), first.wait());
        drop(spawn(async move { drop((wait.await, first)) }));
        (id, cat())
    });
    assert!(runtime.shutdown(Grace::Forever).is_clean());
    // There is no runtime any more.
    eventually("it is gone", || !is_there(first));
    let id = second.id();
    drop(second.stdin.take());
    eventually("so is the other one", || !is_there(id));
    assert!(second.try_wait().unwrap().unwrap().success());
}

#[test]
fn a_leader_keeps_its_number_until_it_is_dropped() {
    if !in_child("process::reaping::a_leader_keeps_its_number_until_it_is_dropped") {
        return;
    }
    let runtime = runtime();
    runtime.block_on(async {
        let child = Command::shell("exit 3").process_group(0).spawn().unwrap();
        let id = child.id();
        assert_eq!(child.wait().await.unwrap().code(), Some(3));
        assert!(is_there(id));
        child.kill_group().unwrap();
        drop(child);
        assert!(!is_there(id), "it is gone with the drop");
        let running = Command::new("true").process_group(0).spawn().unwrap().id();
        eventually("one that ends after the drop is gone as well", || !is_there(running));
    });
}

/// One child, as most programs have them.
async fn one(n: usize) {
    match n % 4 {
        0 => assert!(Command::new("true").status().await.unwrap().success()),
        1 => assert_eq!(cat().communicate("abc").await.unwrap().stdout, b"abc"),
        2 => drop(Command::new("true").spawn().unwrap()),
        _ => drop(sleeper()),
    }
}

#[test]
fn ten_thousand_children_in_a_row_leave_nothing_behind() {
    if !in_child("process::reaping::ten_thousand_children_in_a_row_leave_nothing_behind") {
        return;
    }
    let runtime = runtime();
    let some = |count| {
        runtime.block_on(async move {
            for n in 0..count {
                one(n).await;
            }
        });
        eventually("no child is left", || children().is_empty());
    };
    // What is kept for ever is made here.
    some(50);
    let (bytes, open) = (bytes_in_use(), descriptors());
    some(children_in_all());
    // The last child of before may just have been let go of when they were counted.
    eventually("no descriptor is left", || descriptors() <= open);
    let kept = bytes_in_use() - bytes;
    assert!(kept < 16 << 10, "{kept} bytes are kept");
}

// AT-SP-09
#[test]
fn commands_that_cannot_be_started_leave_no_descriptor_behind() {
    if !in_child("process::reaping::commands_that_cannot_be_started_leave_no_descriptor_behind") {
        return;
    }
    runtime().block_on(async {
        assert!(cat().communicate("abc").await.unwrap().status.success());
        eventually("no child is left", || children().is_empty());
        let open = descriptors();
        for merged in [false, true] {
            let mut missing = Command::new("/no/such/program");
            missing.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            missing.merge_output(merged);
            for _ in 0..10 {
                assert!(missing.spawn().is_err());
                assert!(missing.output().await.is_err());
            }
        }
        // The reaper may just have let go of the child of before when they were counted.
        eventually("no descriptor is left", || descriptors() <= open);
        assert!(children().is_empty());
    });
}

/// What a child of std has open, or one of ours.
const LIST: &str = "for f in /proc/self/fd/*; do echo $f $(readlink $f); done";

// AT-SP-09, whatever else is open
#[test]
fn a_child_inherits_nothing_that_the_program_has_opened() {
    if !in_child("process::reaping::a_child_inherits_nothing_that_the_program_has_opened") {
        return;
    }
    let said = |output: std::process::Output| {
        let text = String::from_utf8(output.stdout).unwrap();
        // Its own three, and the names of pipes, differ each time.
        let numbers = text.lines().filter_map(|line| line.split(' ').next());
        numbers.map(str::to_owned).collect::<Vec<_>>()
    };
    let list = ["-c", LIST];
    let before = said(std::process::Command::new("sh").args(list).output().unwrap());
    assert!(before.len() >= 3, "{before:?}");
    let path = std::env::temp_dir().join(format!("weftline-inherit-{}", std::process::id()));
    runtime().block_on(async {
        let tcp = serve("127.0.0.1:0", |stream: TcpStream| async move {
            stream.read_to_end(&mut Vec::new()).await.map(drop)
        });
        let tcp = tcp.await.unwrap();
        let unix = serve_unix(&path, |stream: UnixStream| async move {
            stream.read_to_end(&mut Vec::new()).await.map(drop)
        });
        let unix = unix.await.unwrap();
        let clients = (
            TcpStream::connect(tcp.local_addrs()[0]).await.unwrap(),
            UnixStream::connect(&path).await.unwrap(),
            UnixStream::pair().unwrap(),
            UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            signal(Kind::USER1).unwrap(),
            cat(),
        );
        while (tcp.clients(), unix.clients()) != (1, 1) {
            weftline::yield_now().await;
        }
        assert!(descriptors() > before.len() + 10);
        let mut merged = Command::new("sh");
        merged.args(list).merge_output(true);
        assert_eq!(said(Command::new("sh").args(list).output().await.unwrap()), before);
        assert_eq!(said(merged.output().await.unwrap()), before);
        drop(clients);
    });
}

/// Starts children without end, many at a time, and reads what they say.
async fn work() {
    let mut running = TaskSet::new();
    loop {
        while running.len() < 20 {
            running.spawn(async {
                let mut child = Command::new("sleep");
                let child = child.arg("0.002").stdout(Stdio::piped()).spawn();
                child.unwrap().communicate("").await.unwrap();
            });
        }
        running.next().await.unwrap().1.unwrap();
    }
}

/// Cancelled while it starts children and talks to them, a program in Python may hang for ever.
#[test]
fn a_program_that_is_cancelled_among_its_children_ends() {
    if !in_child("process::reaping::a_program_that_is_cancelled_among_its_children_ends") {
        return;
    }
    let rounds = children_in_all() / 10;
    for round in 0..rounds {
        within_limit(move || {
            let limit = MS * u32::try_from(round % 16).unwrap();
            runtime().block_on(async move {
                assert!(timeout(limit, work()).await.is_err());
            });
        });
    }
    eventually("no child is left", || children().is_empty());
}

#[test]
fn the_thread_that_waits_goes_when_there_was_no_child_for_a_while() {
    if !in_child("process::reaping::the_thread_that_waits_goes_when_there_was_no_child_for_a_while")
    {
        return;
    }
    let there = || !crate::threads::named("weftline-reaper").is_empty();
    let runtime = runtime();
    let one_child = || runtime.block_on(async { Command::new("true").status().await.unwrap() });
    assert!(one_child().success() && there());
    eventually("it goes", || !there());
    assert!(one_child().success() && there(), "and comes again");
}
