//! Many tasks, threads and cancellations at once; afterwards nothing is left.
//!
//! WEFTLINE_IT_STRESS is the number of tasks; by default a million, and fewer in a debug build.

use crate::counting::bytes_in_use;
use crate::probe::Gate;
use crate::rig::{amount, eventually, in_child, runtime, workers};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use weftline::runtime::Grace;
use weftline::{JoinHandle, Runtime, spawn, spawn_blocking, spawn_pinned, yield_now};

fn tasks_in_all() -> usize {
    amount("WEFTLINE_IT_STRESS", 300_000, 1_000_000)
}

/// How many tasks are alive at once.
const BATCH: usize = 1000;
/// Threads that spawn and cancel meanwhile.
const OUTSIDE_THREADS: usize = 8;

/// Spawns `count` tasks, wakes each once by another task, and joins them all.
async fn spawn_wake_join(count: usize) -> usize {
    let mut joined = 0;
    while joined < count {
        let batch = BATCH.min(count - joined);
        let gates: Vec<_> = (0..batch).map(|_| Gate::new()).collect();
        let tasks: Vec<_> = gates
            .iter()
            .map(|gate| {
                let wait = gate.wait();
                spawn(async move {
                    wait.await;
                    1
                })
            })
            .collect();
        let waker = spawn(async move { gates.iter().for_each(Gate::open) });
        for task in tasks {
            joined += task.await.unwrap();
        }
        waker.await.unwrap();
    }
    joined
}

/// Spawns and cancels from a plain thread until told to stop; how many it spawned.
fn spawn_and_cancel(runtime: &Runtime, stop: &AtomicBool) -> usize {
    let _entered = runtime.handle().enter();
    let mut count = 0;
    // At least once, however late the thread starts.
    while count == 0 || !stop.load(Ordering::Relaxed) {
        let mut tasks: Vec<JoinHandle<()>> = Vec::new();
        for n in 0..50 {
            tasks.push(match n % 5 {
                0 => spawn(pending()),
                1 => spawn(yield_now()),
                2 => spawn_pinned(yield_now),
                3 => spawn(weftline::time::sleep(std::time::Duration::from_micros(n))),
                _ => spawn_blocking(|| ()),
            });
        }
        count += tasks.len();
        for (n, task) in tasks.into_iter().enumerate() {
            if n % 5 == 0 || n % 2 == 0 {
                task.cancel();
            }
            match n % 3 {
                _ if n % 5 == 0 => assert!(task.wait().unwrap_err().is_cancelled()),
                0 => drop(task),
                1 => assert!(ended_well(task.wait())),
                _ => drop(task.cancel_on_drop()),
            }
        }
    }
    count
}

/// Whether it ended in one of the two ways that it may.
fn ended_well(result: Result<(), weftline::JoinError>) -> bool {
    result.is_ok() || result.is_err_and(|error| error.is_cancelled())
}

fn work(count: usize) {
    let runtime = runtime();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let outside: Vec<_> = (0..OUTSIDE_THREADS)
            .map(|_| scope.spawn(|| spawn_and_cancel(&runtime, &stop)))
            .collect();
        let spawners: Vec<_> =
            (0..workers()).map(|_| runtime.spawn(spawn_wake_join(count / workers()))).collect();
        let joined: usize = spawners.into_iter().map(|spawner| spawner.wait().unwrap()).sum();
        assert_eq!(joined, count / workers() * workers());
        stop.store(true, Ordering::Relaxed);
        let outside: usize = outside.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert!(outside > 0);
    });
    eventually("no task is left", || runtime.handle().tasks().is_empty());
    assert!(runtime.shutdown(Grace::Forever).is_clean());
}

/// How many descriptors and threads the process has.
#[cfg(target_os = "linux")]
fn descriptors_and_threads() -> [usize; 2] {
    ["/proc/self/fd", "/proc/self/task"].map(|folder| std::fs::read_dir(folder).unwrap().count())
}

#[test]
fn a_million_tasks_leave_nothing_behind() {
    if !in_child("stress::a_million_tasks_leave_nothing_behind") {
        return;
    }
    // What is allocated once and for all is allocated here.
    work(2000);
    #[cfg(target_os = "linux")]
    let before = {
        eventually("the first runtime is gone", || crate::threads::named("weftline").is_empty());
        descriptors_and_threads()
    };
    let bytes = bytes_in_use();
    work(tasks_in_all());
    #[cfg(target_os = "linux")]
    {
        eventually("its threads are gone", || descriptors_and_threads()[1] == before[1]);
        assert_eq!(descriptors_and_threads(), before);
    }
    // Epoch-based queues free in the end, not at once.
    let kept = bytes_in_use() - bytes;
    assert!(kept < 1 << 20, "{kept} bytes are kept");
}

#[test]
fn runtimes_come_and_go_and_leave_nothing_behind() {
    if !in_child("stress::runtimes_come_and_go_and_leave_nothing_behind") {
        return;
    }
    let cycle = || {
        let runtime = runtime();
        let tasks: Vec<_> = (0..20).map(|_| runtime.spawn(pending::<()>())).collect();
        let job = runtime.handle().spawn_blocking(|| ());
        drop(runtime);
        drop((tasks, job));
    };
    (0..20).for_each(|_| cycle());
    #[cfg(target_os = "linux")]
    eventually("all threads are gone", || crate::threads::named("weftline").is_empty());
    let before = bytes_in_use();
    (0..200).for_each(|_| cycle());
    #[cfg(target_os = "linux")]
    eventually("all threads are gone again", || crate::threads::named("weftline").is_empty());
    let kept = bytes_in_use() - before;
    // The queues' collector keeps some pages for later, however many there were; one runtime is
    // larger than this for each.
    assert!(kept < 200 * 500, "{kept} bytes are kept after 200 runtimes");
}

#[test]
fn a_crowd_at_one_shared_handle_is_served() {
    let runtime = runtime();
    let served = Arc::new(AtomicUsize::new(0));
    let gate = Gate::new();
    let shared = runtime.spawn(gate.wait()).shared();
    let crowd: Vec<_> = (0..5000)
        .map(|_| {
            let (shared, served) = (shared.clone(), served.clone());
            runtime.spawn(async move {
                shared.await.unwrap();
                served.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    gate.open();
    crowd.into_iter().for_each(|one| one.wait().unwrap());
    assert_eq!(served.load(Ordering::Relaxed), 5000);
}
