//! A runtime that has nothing to do does nothing: no thread of it is switched to.
//!
//! Each test counts in a process of its own.

use crate::rig::{in_child, runtime_of, settle};
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;
use weftline::time::sleep;
use weftline::{Runtime, spawn, spawn_blocking, spawn_pinned, yield_now};

/// Long enough for any tick that somebody might have forgotten.
const WATCHED: Duration = Duration::from_secs(3);

/// How often each of the runtime's threads was switched to or from.
fn switches() -> BTreeMap<String, u64> {
    let threads = std::fs::read_dir("/proc/self/task").expect("there is a process file system");
    let counts = threads.map(|thread| {
        let path = thread.unwrap().path();
        let name = std::fs::read_to_string(path.join("comm")).unwrap();
        let status = std::fs::read_to_string(path.join("status")).unwrap();
        let lines = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
        let count = lines.map(|(_, count)| count.trim().parse::<u64>().unwrap()).sum();
        (format!("{} {}", path.display(), name.trim()), count)
    });
    counts.filter(|(name, _)| name.contains("weftline")).collect()
}

/// Watches for a while that nothing happens.
#[track_caller]
pub(crate) fn assert_still() {
    // Whoever looked for work a moment ago may fall asleep first.
    thread::sleep(Duration::from_millis(200));
    let before = switches();
    assert!(!before.is_empty());
    thread::sleep(WATCHED);
    assert_eq!(before, switches());
}

#[test]
fn a_new_runtime_is_still() {
    if in_child("idle::a_new_runtime_is_still") {
        let _runtime = runtime_of(4);
        assert_still();
    }
}

#[test]
fn a_runtime_is_still_after_work() {
    if !in_child("idle::a_runtime_is_still_after_work") {
        return;
    }
    let builder = Runtime::builder().workers(4).blocking_keep_alive(Duration::from_secs(3600));
    let runtime = builder.build().unwrap();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for n in 0..1000 {
            tasks.push(spawn(async move {
                sleep(Duration::from_micros(n)).await;
                yield_now().await;
            }));
            tasks.push(spawn_pinned(yield_now));
        }
        tasks.extend((0..20).map(|_| spawn_blocking(|| ())));
        for task in tasks {
            task.await.unwrap();
        }
    });
    settle(&runtime);
    // Timers that were taken back leave nothing behind either.
    runtime.block_on(async {
        let waits = weftline::time::timeout(Duration::from_secs(1), yield_now());
        spawn(waits).await.unwrap().unwrap();
    });
    assert_still();
}

#[test]
fn waiting_tasks_and_threads_are_still() {
    if !in_child("idle::waiting_tasks_and_threads_are_still") {
        return;
    }
    let runtime = runtime_of(2);
    let waiting: Vec<_> = (0..10)
        .map(|n| {
            runtime.spawn(async move {
                if n % 2 == 0 {
                    sleep(Duration::from_secs(3600)).await
                } else {
                    std::future::pending().await
                }
            })
        })
        .collect();
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("weftline-main".into())
        .spawn(move || handle.block_on(sleep(Duration::from_secs(3600))))
        .unwrap();
    settle_and_watch(&runtime);
    drop(waiting);
}

fn settle_and_watch(runtime: &Runtime) {
    thread::sleep(Duration::from_millis(50));
    runtime.spawn(async {}).wait().unwrap();
    assert_still();
}
