//! rayon inside of a runtime: on its workers, as a part of the task that calls it.

use crate::ends;
use rayon::prelude::*;
use std::collections::HashSet;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use weftline::runtime::Grace;
use weftline::{Cancelled, Runtime, task};

/// A runtime with that many workers and no others, and the ids of its threads.
fn runtime(workers: usize) -> (Runtime, Arc<Mutex<HashSet<ThreadId>>>) {
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let begun = threads.clone();
    let runtime = Runtime::builder()
        .workers(workers)
        .max_relief_workers(0)
        .on_thread_start(move || {
            begun.lock().unwrap().insert(thread::current().id());
        })
        .build()
        .unwrap();
    (runtime, threads)
}

/// Something that takes a while, for others to have a part of.
fn work(n: u64) -> u64 {
    (0..n % 1000).fold(n, |a, b| a.wrapping_mul(31).wrapping_add(b))
}

#[test]
fn iterators_of_a_task_run_on_the_workers_of_its_runtime() {
    let (runtime, threads) = runtime(2);
    let used = runtime.spawn(async {
        assert_eq!(rayon::current_num_threads(), 2);
        let used = Mutex::new(HashSet::new());
        let sum: u64 = (0..20_000u64)
            .into_par_iter()
            .map(|n| {
                used.lock().unwrap().insert(thread::current().id());
                work(n)
            })
            .reduce(|| 0, u64::wrapping_add);
        assert_eq!(sum, (0..20_000).map(work).fold(0, u64::wrapping_add));
        used.into_inner().unwrap()
    });
    let used = used.wait().unwrap();
    assert!(used.is_subset(&threads.lock().unwrap()));
}

#[test]
fn each_worker_has_its_index_and_the_thread_beside_them_none() {
    let (runtime, _) = runtime(3);
    runtime.block_on(async {
        assert_eq!(rayon::current_thread_index(), None);
        assert_eq!(rayon::current_num_threads(), 3);
        let seen = rayon::broadcast(|context| {
            assert_eq!(rayon::current_thread_index(), Some(context.index()));
            (context.index(), thread::current().id())
        });
        assert!(seen.iter().map(|(index, _)| *index).eq(0..3));
        assert_eq!(seen.iter().map(|(_, id)| id).collect::<HashSet<_>>().len(), 3);
    });
    let own = runtime.spawn(async { rayon::broadcast(|context| context.num_threads()) });
    assert_eq!(own.wait().unwrap(), [3, 3, 3], "also from one of them");
    // Threads that compute beside the workers are among those that run a part.
    let indices = runtime.block_on(async {
        let items = 0..100_000u64;
        items
            .into_par_iter()
            .map(|n| (work(n), rayon::current_thread_index()).1)
            .collect::<HashSet<_>>()
    });
    assert!(indices.iter().flatten().all(|index| *index < 3));
}

#[test]
fn a_lock_that_is_held_across_a_parallel_wait_is_no_deadlock() {
    ends(|| {
        let (runtime, _) = runtime(4);
        let ended = runtime.spawn(async {
            let sums: Vec<_> = (0..8).map(|_| Mutex::new(0)).collect();
            (0..400usize).into_par_iter().for_each(|n| {
                let mut sum = sums[n % sums.len()].lock().unwrap();
                *sum += (0..200u64).into_par_iter().map(work).reduce(|| 0, u64::wrapping_add) % 7;
            });
        });
        ended.wait().unwrap();
    });
}

#[test]
fn a_lock_that_is_held_across_a_scope_is_no_deadlock() {
    ends(|| {
        let (runtime, _) = runtime(4);
        let ended = runtime.spawn(async {
            let lock = Mutex::new(0);
            rayon::scope(|scope| {
                for _ in 0..200 {
                    scope.spawn(|_| {
                        let mut held = lock.lock().unwrap();
                        rayon::scope(|inner| {
                            inner.spawn(|_| {
                                work(500);
                            });
                        });
                        *held += 1;
                    });
                }
            });
            lock.into_inner().unwrap()
        });
        assert_eq!(ended.wait().unwrap(), 200);
    });
}

#[test]
fn a_request_to_end_is_seen_inside_of_an_iterator() {
    ends(|| {
        let (runtime, _) = runtime(2);
        let (begun, begins) = mpsc::channel::<()>();
        let task = runtime.spawn(async move {
            let begun = Mutex::new(Some(begun));
            (0..u64::MAX).into_par_iter().try_for_each(|_| -> Result<(), Cancelled> {
                drop(begun.lock().unwrap().take());
                weftline::checkpoint()
            })
        });
        assert!(begins.recv().is_err(), "it has begun");
        task.cancel();
        assert!(task.wait().unwrap().is_err(), "what the closures return");
    });
}

#[test]
fn a_part_of_an_iterator_and_a_job_of_a_scope_belong_to_the_task() {
    let (runtime, _) = runtime(2);
    let task = runtime.spawn(async {
        let own = task::current().map(|task| task.id());
        assert!(own.is_some());
        let others = AtomicUsize::new(0);
        let check = || {
            if task::current().map(|task| task.id()) != own {
                others.fetch_add(1, Ordering::Relaxed);
            }
        };
        (0..10_000).into_par_iter().for_each(|n| {
            work(n);
            check();
        });
        rayon::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|scope| {
                    check();
                    scope.spawn(|_| check());
                });
            }
        });
        rayon::in_place_scope_fifo(|scope| scope.spawn_fifo(|_| check()));
        others.into_inner()
    });
    assert_eq!(task.wait().unwrap(), 0);
}

#[test]
fn what_is_spawned_and_broadcast_in_a_runtime_is_run_there() {
    let (runtime, threads) = runtime(2);
    let (sender, receiver) = mpsc::channel();
    runtime
        .spawn(async move {
            let jobs = sender.clone();
            rayon::spawn(move || jobs.send(thread::current().id()).unwrap());
            let jobs = sender.clone();
            rayon::spawn_fifo(move || jobs.send(thread::current().id()).unwrap());
            rayon::spawn_broadcast(move |_| sender.send(thread::current().id()).unwrap());
            let sum = AtomicUsize::new(0);
            rayon::scope(|scope| {
                scope.spawn_broadcast(|scope, context| {
                    sum.fetch_add(context.index() + 1, Ordering::Relaxed);
                    scope.spawn(|_| {
                        sum.fetch_add(10, Ordering::Relaxed);
                    });
                });
            });
            assert_eq!(sum.into_inner(), 1 + 2 + 10 + 10);
        })
        .wait()
        .unwrap();
    let used: Vec<_> = receiver.iter().collect();
    assert_eq!(used.len(), 4);
    assert!(used.iter().all(|id| threads.lock().unwrap().contains(id)));
}

#[test]
fn tasks_go_on_while_a_worker_waits_for_a_pool() {
    ends(|| {
        let runtime = Runtime::builder().workers(1).build().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let (sender, receiver) = mpsc::channel();
        let waits = runtime.spawn(async move { pool.install(move || receiver.recv().unwrap()) });
        runtime.spawn(async move { sender.send(5).unwrap() }).wait().unwrap();
        assert_eq!(waits.wait().unwrap(), 5);
    });
}

#[test]
fn a_runtime_inside_of_a_pool_is_where_its_tasks_compute() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let (inner, outer) = pool.install(|| {
        let runtime = Runtime::builder().workers(3).build().unwrap();
        let inner = runtime.block_on(async { rayon::current_num_threads() });
        (inner, rayon::current_num_threads())
    });
    assert_eq!((inner, outer), (3, 1));
}

#[test]
fn two_tasks_may_broadcast_at_once() {
    ends(|| {
        let (runtime, _) = runtime(2);
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                runtime.spawn(async {
                    (0..50)
                        .map(|_| rayon::broadcast(|context| context.index()).len())
                        .sum::<usize>()
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.wait().unwrap(), 100);
        }
    });
}

#[test]
fn a_part_of_an_iterator_may_broadcast() {
    ends(|| {
        let (runtime, _) = runtime(2);
        let task = runtime.spawn(async {
            let parts = (0..64).into_par_iter().map(|n| {
                work(n);
                rayon::broadcast(|context| context.index()).len()
            });
            parts.sum::<usize>()
        });
        assert_eq!(task.wait().unwrap(), 128);
    });
}

#[test]
fn a_broadcast_panics_where_the_runtime_has_been_shut_down() {
    ends(|| {
        let (runtime, _) = runtime(2);
        let _entered = runtime.handle().clone().enter();
        drop(runtime.shutdown(Grace::None));
        let panic = catch_unwind(|| rayon::broadcast(|_| ())).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains("has been shut down"), "{message}");
        // Nobody waits for these.
        rayon::spawn_broadcast(|_| ());
    });
}

#[test]
fn a_broadcast_that_a_shutdown_overtakes_ends() {
    ends(|| {
        for _ in 0..50 {
            let (runtime, _) = runtime(2);
            let handle = runtime.handle().clone();
            let broadcast = thread::spawn(move || {
                let _entered = handle.enter();
                while catch_unwind(|| rayon::broadcast(|_| ())).is_ok() {}
            });
            drop(runtime.shutdown(Grace::None));
            broadcast.join().unwrap();
        }
    });
}

#[test]
fn a_fork_inside_of_one_outside_of_any_runtime_is_moved_to_the_global_pool() {
    let moved = || rayon::join_context(|a| a.migrated(), |_| rayon::current_thread_index());
    let (inside, second) = weftline::join(moved, moved);
    for (is_moved, index) in [inside, second, moved()] {
        assert!(is_moved && index.is_some());
    }
}

#[test]
fn all_of_it_works_where_one_thread_plays_the_workers() {
    ends(|| {
        let runtime = Runtime::builder().deterministic(7).build().unwrap();
        let done = runtime.block_on(async {
            let task = weftline::spawn(async {
                let indices = rayon::broadcast(|context| context.index());
                let sum: usize = (0..1000).into_par_iter().sum();
                let count = AtomicUsize::new(0);
                rayon::scope(|scope| {
                    scope.spawn_broadcast(|_, _| {
                        count.fetch_add(1, Ordering::Relaxed);
                    });
                });
                (indices, sum, count.into_inner())
            });
            task.await.unwrap()
        });
        assert_eq!(done, (vec![0, 1, 2, 3], 499_500, 4));
    });
}

#[test]
fn a_main_future_that_spins_does_not_keep_one_thread_from_playing_what_was_spawned() {
    ends(|| {
        for seed in 0..20 {
            let runtime = Runtime::builder().deterministic(seed).build().unwrap();
            runtime.block_on(async {
                let (done, calls) =
                    (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
                let (doing, called) = (done.clone(), calls.clone());
                rayon::spawn(move || doing.store(true, Ordering::Release));
                rayon::spawn_broadcast(move |_| _ = called.fetch_add(1, Ordering::Relaxed));
                while !done.load(Ordering::Acquire) || calls.load(Ordering::Relaxed) < 4 {
                    weftline::yield_now().await;
                }
            });
        }
    });
}

#[test]
fn yielding_in_a_task_runs_what_was_spawned() {
    ends(|| {
        let (runtime, _) = runtime(1);
        let task = runtime.spawn(async {
            let done = Arc::new(AtomicBool::new(false));
            let doing = done.clone();
            rayon::spawn(move || doing.store(true, Ordering::Release));
            while !done.load(Ordering::Acquire) {
                assert!(rayon::yield_now().is_some());
            }
        });
        task.wait().unwrap();
    });
}

#[test]
fn a_runtime_that_has_ended_is_kept_by_no_thread_that_called_rayon_in_it() {
    ends(|| {
        for is_deterministic in [false, true] {
            let held = Arc::new(());
            let (holds, weak) = (held.clone(), Arc::downgrade(&held));
            let builder = Runtime::builder().workers(2).on_thread_start(move || _ = &holds);
            let builder = if is_deterministic { builder.deterministic(1) } else { builder };
            let runtime = builder.build().unwrap();
            drop(held);
            runtime.block_on(async {
                assert_eq!(rayon::current_num_threads(), 2);
                assert_eq!((0..1000).into_par_iter().sum::<u32>(), 499_500);
                rayon::scope(|scope| scope.spawn(|_| ()));
            });
            assert!(weak.upgrade().is_some());
            drop(runtime);
            // Its own threads may be ending yet.
            while weak.upgrade().is_some() {
                thread::yield_now();
            }
        }
    });
}
