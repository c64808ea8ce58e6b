//! Workers on threads that the caller starts, and which worker a thread is.

use crate::probe::Gate;
use crate::rig::{LONG, eventually, panic_on_purpose, within_limit};
use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;
use weftline::{Handle, Runtime, spawn_pinned};

#[test]
fn workers_run_on_the_threads_that_they_are_given() {
    within_limit(|| {
        let text = String::from("borrowed");
        let (ended, ends) = mpsc::channel();
        thread::scope(|scope| {
            let mut threads = HashSet::new();
            let builder = Runtime::builder().workers(3).thread_name("own");
            let runtime = builder
                .build_on(|worker| {
                    assert_eq!(worker.name(), format!("own-{}", worker.index()));
                    let (text, ended) = (&text, ended.clone());
                    let thread = scope.spawn(move || {
                        assert_eq!(text, "borrowed");
                        worker.run();
                        // Of the runtime nothing is left on the thread.
                        ended.send(Handle::try_current().is_err()).unwrap();
                    });
                    threads.insert(thread.thread().id());
                    Ok(())
                })
                .unwrap();
            assert_eq!(threads.len(), 3);
            let _entered = runtime.handle().enter();
            let tasks: Vec<_> =
                (0..3).map(|_| spawn_pinned(|| async { thread::current().id() })).collect();
            let used: HashSet<_> = tasks.into_iter().map(|task| task.wait().unwrap()).collect();
            assert_eq!(used, threads);
        });
        drop(ended);
        assert_eq!(ends.iter().collect::<Vec<_>>(), [true; 3]);
    });
}

#[test]
fn an_error_or_a_panic_while_threads_are_started_ends_those_that_were() {
    within_limit(|| {
        let live = AtomicUsize::new(0);
        let begin = |fail: fn() -> io::Result<()>| {
            thread::scope(|scope| {
                let start = |worker: weftline::runtime::WorkerThread| {
                    if worker.index() == 2 {
                        return fail();
                    }
                    live.fetch_add(1, Ordering::Relaxed);
                    scope.spawn(|| {
                        worker.run();
                        live.fetch_sub(1, Ordering::Relaxed);
                    });
                    Ok(())
                };
                Runtime::builder().workers(4).build_on(start).map(drop)
            })
        };
        let error = begin(|| Err(io::Error::other("no more"))).unwrap_err();
        assert!(error.to_string().ends_with("no more"), "{error}");
        assert_eq!(live.load(Ordering::Relaxed), 0);
        let panicked =
            catch_unwind(AssertUnwindSafe(|| begin(|| panic_on_purpose("while starting"))));
        assert!(panicked.is_err());
        assert_eq!(live.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn each_worker_knows_its_index_and_other_threads_have_none() {
    let runtime = Runtime::builder().workers(3).build().unwrap();
    let other = Runtime::builder().workers(1).build().unwrap();
    let _entered = runtime.handle().enter();
    let indices = (0..3).map(|_| spawn_pinned(|| async { Handle::current().worker_index() }));
    let mut indices: Vec<_> = indices.map(|task| task.wait().unwrap()).collect();
    indices.sort_unstable();
    assert_eq!(indices, [Some(0), Some(1), Some(2)]);
    let elsewhere = other.handle().clone();
    let of_other = runtime.spawn(async move { elsewhere.worker_index() });
    assert_eq!(of_other.wait().unwrap(), None);
    assert_eq!(runtime.block_on(async { Handle::current().worker_index() }), None);
    let blocking = runtime.handle().spawn_blocking(|| Handle::current().worker_index());
    assert_eq!(blocking.wait().unwrap(), None);
}

#[test]
fn a_shutdown_in_the_background_waits_for_nothing() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let (begun, release) = (Gate::new(), Gate::new());
    let (begins, released) = (begun.clone(), release.clone());
    let blocked = runtime.spawn(async move {
        begins.open();
        released.block();
    });
    begun.block();
    let pending = runtime.spawn(std::future::pending::<()>());
    let began = Instant::now();
    runtime.shutdown_in_background();
    // The task that blocks would have kept `drop` for a second and a half.
    assert!(!blocked.is_finished() && began.elapsed() < LONG);
    release.open();
    assert!(pending.wait().unwrap_err().is_cancelled());
    eventually("the task that blocked ends", || blocked.is_finished());
}
