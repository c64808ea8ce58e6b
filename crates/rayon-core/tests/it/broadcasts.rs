//! Broadcasts to threads that wait: each of them makes its call on top of what it waits for.

use crate::ends;
use rayon::ThreadPoolBuilder;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};
use weftline::{Handle, Runtime, task};

/// A runtime with that many workers and no others.
fn runtime(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).max_relief_workers(0).build().unwrap()
}

/// Broadcasts in the runtime of a handle, from a thread that is none of its own: on which threads the
/// calls are made, by their indices.
fn broadcast_in(handle: &Handle) -> Vec<ThreadId> {
    let _entered = handle.enter();
    rayon::broadcast(|context| {
        assert_eq!(rayon::current_thread_index(), Some(context.index()));
        assert!(task::current().is_none(), "it is no part of what the worker waits in");
        assert_eq!(rayon::current_num_threads(), context.num_threads());
        thread::current().id()
    })
}

#[test]
fn a_worker_that_waits_for_a_task_elsewhere_makes_the_call_of_a_broadcast() {
    ends(|| {
        let (runtime, other) = (runtime(1), runtime(1));
        let waiting = runtime.spawn(async move {
            let handle = Handle::current();
            let called = other.spawn(async move { broadcast_in(&handle) }).wait().unwrap();
            assert_eq!(called, [thread::current().id()]);
        });
        waiting.wait().unwrap();
    });
}

#[test]
fn a_worker_in_a_nested_block_on_makes_the_call_of_a_broadcast() {
    ends(|| {
        let (runtime, other) = (runtime(1), runtime(1));
        let waiting = runtime.spawn(async move {
            let handle = Handle::current();
            let inner = handle.clone();
            let called = other.block_on(async move {
                weftline::spawn(async move { broadcast_in(&inner) }).await.unwrap()
            });
            assert_eq!(called, [thread::current().id()]);
            // And in that of its own runtime.
            let (sender, receiver) = weftline::sync::oneshot::channel();
            let own = handle.clone();
            let outside = thread::spawn(move || sender.send(broadcast_in(&own)).unwrap());
            assert_eq!(handle.block_on(receiver).unwrap(), [thread::current().id()]);
            outside.join().unwrap();
        });
        waiting.wait().unwrap();
    });
}

#[test]
fn a_worker_that_waits_in_a_join_makes_the_call_of_a_broadcast() {
    ends(|| {
        let (runtime, other) = (runtime(2), runtime(1));
        let waiting = runtime.spawn(async move {
            let (handle, own) = (Handle::current(), thread::current().id());
            for _ in 0..20 {
                let taken = AtomicBool::new(false);
                let until_taken = || {
                    while !taken.load(Ordering::Acquire) {
                        weftline::join(|| (), || ());
                    }
                };
                let broadcast = || {
                    taken.store(true, Ordering::Release);
                    let handle = handle.clone();
                    other.spawn(async move { broadcast_in(&handle) }).wait().unwrap()
                };
                let ((), called) = weftline::join(until_taken, broadcast);
                assert_eq!(called.len(), 2);
                assert!(called.contains(&own));
            }
        });
        waiting.wait().unwrap();
    });
}

#[test]
fn a_worker_where_time_is_virtual_makes_the_call_of_a_broadcast_while_it_waits() {
    ends(|| {
        let builder = Runtime::builder().workers(1).virtual_time(true);
        let (runtime, other) = (builder.build().unwrap(), runtime(1));
        let waiting = runtime.spawn(async move {
            let handle = Handle::current();
            let called = other.spawn(async move { broadcast_in(&handle) }).wait().unwrap();
            assert_eq!(called, [thread::current().id()]);
        });
        waiting.wait().unwrap();
    });
}

#[test]
fn a_thread_of_a_pool_that_waits_elsewhere_makes_the_call_of_a_broadcast() {
    ends(|| {
        let pool = Arc::new(ThreadPoolBuilder::new().num_threads(1).build().unwrap());
        let other = runtime(1);
        let broadcast = {
            let pool = pool.clone();
            move || {
                pool.broadcast(|context| {
                    assert_eq!(rayon::current_thread_index(), Some(context.index()));
                    thread::current().id()
                })
            }
        };
        pool.install(|| {
            let own = thread::current().id();
            let call = broadcast.clone();
            assert_eq!(other.spawn(async move { call() }).wait().unwrap(), [own]);
            let call = broadcast.clone();
            let called = other.block_on(async { weftline::spawn(async move { call() }).await });
            assert_eq!(called.unwrap(), [own]);
            // A fork inside of another runtime, on top of all that.
            let _entered = other.handle().enter();
            let call = broadcast.clone();
            let (called, ()) = weftline::join(|| thread::spawn(call), || ());
            let called = other.block_on(weftline::spawn_blocking(|| called.join().unwrap()));
            assert_eq!(called.unwrap(), [own]);
        });
    });
}

#[test]
fn a_broadcast_of_the_task_that_a_worker_waits_for_ends() {
    ends(|| {
        let runtime = Runtime::builder().workers(1).build().unwrap();
        let waiting = runtime.spawn(async {
            let inner = weftline::spawn(async { rayon::broadcast(|context| context.index()) });
            inner.wait().unwrap()
        });
        assert_eq!(waiting.wait().unwrap(), [0]);
    });
}

#[test]
fn what_is_broadcast_to_a_worker_that_waits_may_wait_itself() {
    ends(|| {
        let (runtime, other) = (runtime(1), runtime(1));
        let waiting = runtime.spawn(async move {
            let handle = Handle::current();
            let outer = other.spawn(async move {
                let inner = handle.clone();
                let _entered = handle.enter();
                // On top of one wait another one, which is answered in the same way.
                rayon::broadcast(|_| {
                    let own = inner.clone();
                    let (sender, receiver) = weftline::sync::oneshot::channel();
                    thread::spawn(move || sender.send(broadcast_in(&own).len()).unwrap());
                    inner.block_on(receiver).unwrap()
                })
            });
            assert_eq!(outer.wait().unwrap(), [1]);
        });
        waiting.wait().unwrap();
    });
}
