//! A runtime that has nothing to do does nothing, whatever it did before: no thread of it is switched
//! to, and none runs on.
//!
//! Each test counts in a process of its own.

use crate::rig::{eventually, holder, in_child, runtime_of, settle};
use crate::threads::named;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use weftline::net::{TcpListener, TcpStream};
use weftline::time::{interval, sleep, timeout};
use weftline::{
    Runtime, compute, join, par, scope, spawn, spawn_blocking, spawn_pinned, yield_now,
};

/// Long enough for any tick that somebody might have forgotten.
const WATCHED: Duration = Duration::from_secs(3);

/// What a thread has done so far.
#[derive(Debug, PartialEq)]
struct Done {
    /// How often it was switched to or from.
    switches: u64,
    /// How long it has had a CPU, in nanoseconds: a thread that spins is not switched to.
    ran_ns: u64,
}

/// What each of the runtime's threads has done.
fn done() -> BTreeMap<String, Done> {
    let threads = std::fs::read_dir("/proc/self/task").expect("there is a process file system");
    let done = threads.filter_map(|thread| {
        let path = thread.ok()?.path();
        // A thread that ends meanwhile has nothing to read any more.
        let name = std::fs::read_to_string(path.join("comm")).ok()?;
        let status = std::fs::read_to_string(path.join("status")).ok()?;
        let lines = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
        let switches = lines.map(|(_, count)| count.trim().parse::<u64>().unwrap()).sum();
        // Not every kernel tells the time.
        let times = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        let ran_ns = times.split(' ').next().and_then(|ran| ran.parse().ok()).unwrap_or(0);
        Some((format!("{} {}", path.display(), name.trim()), Done { switches, ran_ns }))
    });
    done.filter(|(name, _)| name.contains("weftline")).collect()
}

/// Watches for a while that nothing happens.
#[track_caller]
pub(crate) fn assert_still() {
    // Whoever looked for work a moment ago may fall asleep first.
    eventually("all threads have come to rest", || {
        let before = done();
        thread::sleep(Duration::from_millis(200));
        before == done()
    });
    let before = done();
    assert!(!before.is_empty());
    thread::sleep(WATCHED);
    assert_eq!(before, done());
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
        let waits = timeout(Duration::from_secs(1), yield_now());
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

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// The same by calls for each of many items, and by a scope.
fn sum_by_others(count: u64) -> [u64; 3] {
    let (of_each, of_scope) = (AtomicU64::new(0), AtomicU64::new(0));
    par::for_each(0..count, |n| {
        of_each.fetch_add(n, Ordering::Relaxed);
    });
    let of_scope_ref = &of_scope;
    scope(|s| {
        for n in 0..count {
            s.spawn(move |_| {
                of_scope_ref.fetch_add(n, Ordering::Relaxed);
            });
        }
    });
    let mapped = par::map(0..count, |n| n).into_iter().sum();
    [of_each.into_inner(), of_scope.into_inner(), mapped]
}

#[test]
fn a_runtime_is_still_after_parallel_work() {
    if !in_child("idle::a_runtime_is_still_after_parallel_work") {
        return;
    }
    let runtime = runtime_of(4);
    runtime.block_on(async {
        // In computations, in tasks, and by a thread that is no worker.
        let computed: Vec<_> = (0..4).map(|_| compute(|| (fib(18), sum_by_others(1000)))).collect();
        let polled: Vec<_> =
            (0..4).map(|_| spawn(async { (fib(18), sum_by_others(1000)) })).collect();
        assert_eq!((fib(18), sum_by_others(1000)), (2584, [499_500; 3]));
        for task in computed.into_iter().chain(polled) {
            assert_eq!(task.await.unwrap(), (2584, [499_500; 3]));
        }
    });
    assert_still();
}

#[test]
fn a_runtime_is_still_after_relief_workers_were_sent_away() {
    if !in_child("idle::a_runtime_is_still_after_relief_workers_were_sent_away") {
        return;
    }
    let builder = Runtime::builder().workers(2).relief_keep_alive(Duration::from_millis(50));
    let runtime = builder.build().unwrap();
    let _entered = runtime.handle().enter();
    for _ in 0..3 {
        let (holds, helds): (Vec<_>, Vec<_>) = (0..2).map(|_| holder()).unzip();
        let held: Vec<_> =
            holds.into_iter().map(|hold| spawn_pinned(|| async move { hold() })).collect();
        helds.iter().for_each(|held| held.wait());
        runtime.spawn(async {}).wait().unwrap();
        assert!(!named("weftline-relief").is_empty());
        helds.iter().for_each(|held| held.release());
        held.into_iter().for_each(|task| task.wait().unwrap());
    }
    eventually("relief has gone", || named("weftline-relief").is_empty());
    assert_still();
}

#[test]
fn a_runtime_is_still_after_messages_while_connections_stay() {
    if !in_child("idle::a_runtime_is_still_after_messages_while_connections_stay") {
        return;
    }
    let runtime = runtime_of(2);
    let connections = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _serving = spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let _answering = spawn(async move {
                    let mut bytes = [0; 4];
                    while stream.read_exact(&mut bytes).await.is_ok() {
                        stream.write_all(&bytes).await.unwrap();
                    }
                });
            }
        });
        let mut connections = Vec::new();
        for _ in 0..10 {
            let stream = TcpStream::connect(address).await.unwrap();
            for _ in 0..10 {
                stream.write_all(b"echo").await.unwrap();
                stream.read_exact(&mut [0; 4]).await.unwrap();
            }
            connections.push(stream);
        }
        connections.truncate(5);
        connections
    });
    assert_still();
    drop(connections);
}

#[test]
fn a_runtime_is_still_after_timers_while_later_ones_stay() {
    if !in_child("idle::a_runtime_is_still_after_timers_while_later_ones_stay") {
        return;
    }
    let (runtime, hour) = (runtime_of(2), Duration::from_secs(3600));
    let (waits, _) = (runtime.spawn(timeout(hour, sleep(hour))), runtime.spawn(sleep(2 * hour)));
    runtime.block_on(async {
        let timers: Vec<_> = (0..1000)
            .map(|n| {
                spawn(async move {
                    let limit = Duration::from_micros(n);
                    assert!(timeout(limit, sleep(Duration::from_secs(5))).await.is_err());
                    timeout(Duration::from_secs(5), sleep(limit)).await.unwrap();
                    let mut ticks = interval(limit.max(Duration::from_micros(1)));
                    ticks.tick().await;
                    ticks.tick().await;
                })
            })
            .collect();
        for timer in timers {
            timer.await.unwrap();
        }
    });
    assert_still();
    drop(waits);
}
