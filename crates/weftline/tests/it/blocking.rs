//! Jobs that may block: on threads of their own, never more than the limit, gone when idle.

use crate::probe::{Gate, Probe, Token};
use crate::rig::{eventually, holder, runtime, within_limit};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;
use weftline::runtime::{Grace, Handle};
use weftline::{JoinHandle, Runtime, spawn, spawn_blocking, task};

#[test]
fn a_job_gives_its_value_and_has_the_runtime_around_it() {
    let runtime = runtime();
    let here = thread::current().id();
    let _entered = runtime.handle().enter();
    let job = spawn_blocking(move || {
        assert_ne!(thread::current().id(), here);
        Handle::current().workers() + spawn(async { 1 }).wait().unwrap()
    });
    assert_eq!(job.wait().unwrap(), runtime.handle().workers() + 1);
}

#[test]
fn a_job_holds_no_worker() {
    within_limit(|| {
        let runtime = Runtime::builder().workers(1).build().unwrap();
        let _entered = runtime.handle().enter();
        let gate = Gate::new();
        let jobs: Vec<_> = (0..20)
            .map(|_| {
                let gate = gate.clone();
                spawn_blocking(move || gate.block())
            })
            .collect();
        assert_eq!(spawn(async { 1 }).wait().unwrap(), 1);
        gate.open();
        jobs.into_iter().for_each(|job| job.wait().unwrap());
    });
}

#[test]
fn as_many_jobs_run_at_once_as_there_may_be_threads() {
    within_limit(|| {
        let runtime = Runtime::builder().workers(1).max_blocking_threads(8).build().unwrap();
        // It opens only when eight jobs are there at once.
        let together = Arc::new(Barrier::new(8));
        let jobs: Vec<_> = (0..32)
            .map(|_| {
                let together = together.clone();
                runtime.handle().spawn_blocking(move || {
                    together.wait();
                })
            })
            .collect();
        for job in jobs {
            job.wait().unwrap();
        }
    });
}

#[test]
fn there_are_never_more_threads_than_the_limit() {
    within_limit(|| {
        let runtime = Runtime::builder().workers(1).max_blocking_threads(3).build().unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let spawners: Vec<_> = (0..4)
            .map(|_| {
                let (handle, now, most) = (runtime.handle().clone(), now.clone(), most.clone());
                thread::spawn(move || {
                    let job = |now: Arc<AtomicUsize>, most: Arc<AtomicUsize>| {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                    };
                    let jobs: Vec<_> = (0..200)
                        .map(|_| {
                            let (now, most) = (now.clone(), most.clone());
                            handle.spawn_blocking(move || job(now, most))
                        })
                        .collect();
                    jobs.into_iter().for_each(|job| job.wait().unwrap());
                })
            })
            .collect();
        spawners.into_iter().for_each(|spawner| spawner.join().unwrap());
        let most = most.load(Ordering::SeqCst);
        assert!((1..=3).contains(&most), "{most} at once");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn threads_go_when_they_have_been_idle() {
    use crate::threads::named;
    within_limit(|| {
        let runtime = Runtime::builder()
            .workers(1)
            .thread_name("bk")
            .max_blocking_threads(5)
            .blocking_keep_alive(Duration::from_millis(20))
            .build()
            .unwrap();
        let workers_alone = || named("bk-blocking").is_empty();
        for _ in 0..5 {
            let together = Arc::new(Barrier::new(5));
            let jobs: Vec<_> = (0..5)
                .map(|_| {
                    let together = together.clone();
                    runtime.handle().spawn_blocking(move || {
                        together.wait();
                        named("bk-blocking").len()
                    })
                })
                .collect();
            let seen = jobs.into_iter().map(|job| job.wait().unwrap()).max();
            assert!(seen <= Some(5), "{seen:?} threads");
            eventually("they are gone", workers_alone);
        }
    });
}

#[test]
fn an_idle_thread_is_used_again() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let thread_of = || runtime.handle().spawn_blocking(|| thread::current().id()).wait().unwrap();
    let first = thread_of();
    for _ in 0..100 {
        // The thread may still be on its way back when the next job comes.
        eventually("the first thread is free", || thread_of() == first);
    }
}

#[test]
fn jobs_start_in_the_order_they_were_given() {
    let runtime = Runtime::builder().workers(1).max_blocking_threads(1).build().unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let jobs: Vec<_> = (0..100)
        .map(|n| {
            let order = order.clone();
            runtime.handle().spawn_blocking(move || order.lock().unwrap().push(n))
        })
        .collect();
    jobs.into_iter().for_each(|job| job.wait().unwrap());
    assert!(order.lock().unwrap().is_sorted());
}

// AT-FU-03, a thread's job
#[test]
fn a_job_that_waits_for_a_thread_can_be_cancelled_and_one_that_runs_cannot() {
    within_limit(|| {
        let runtime = Runtime::builder().workers(1).max_blocking_threads(1).build().unwrap();
        let (ran, (hold, held)) = (Probe::new(), holder());
        let token = ran.token();
        let running = runtime.handle().spawn_blocking(move || {
            hold();
            "kept"
        });
        held.wait();
        let queued = runtime.handle().spawn_blocking(move || std::mem::forget(token));
        running.cancel();
        queued.cancel();
        held.release();
        assert_eq!(running.wait().unwrap(), "kept");
        assert!(queued.wait().unwrap_err().is_cancelled());
        assert_eq!(ran.drops(), 1);
    });
}

#[test]
fn a_job_is_listed_with_its_name_and_its_parent() {
    let runtime = runtime();
    let checked = runtime.spawn(async {
        let parent = task::current().unwrap().id();
        let job = task::Builder::new().name("job").spawn_blocking(|| {
            let tasks = Handle::current().tasks();
            tasks.iter().any(|task| task.name() == Some("job"))
        });
        assert_eq!(job.task().parent(), Some(parent));
        job.await.unwrap()
    });
    assert!(checked.wait().unwrap());
}

#[test]
fn jobs_that_wait_for_each_other_need_as_many_threads() {
    within_limit(|| {
        let runtime = runtime();
        fn nested(depth: usize) -> usize {
            if depth == 0 {
                0
            } else {
                spawn_blocking(move || nested(depth - 1)).wait().unwrap() + 1
            }
        }
        let job = runtime.handle().spawn_blocking(|| nested(50));
        assert_eq!(job.wait().unwrap(), 50);
    });
}

/// `queue` puts a closure where it waits for as long as `gate` is closed.
fn a_closure_that_waits_ends_at_once(queue: impl Fn(&Runtime, Gate, Token) -> JoinHandle<()>) {
    let builder = Runtime::builder().workers(1).max_blocking_threads(1).max_relief_workers(1);
    let runtime = builder.build().unwrap();
    let (gate, probe) = (Gate::new(), Probe::new());
    let closure = queue(&runtime, gate.clone(), probe.token());
    closure.cancel();
    assert!(closure.wait().unwrap_err().is_cancelled());
    assert_eq!(probe.drops(), 1, "the closure is gone");
    gate.open();
}

#[test]
fn a_computation_that_is_cancelled_while_it_waits_for_its_turn_ends_at_once() {
    a_closure_that_waits_ends_at_once(|runtime, gate, token| {
        let begun = Gate::new();
        let begins = begun.clone();
        let _long = runtime.handle().compute(move || {
            begins.open();
            gate.block();
        });
        begun.block();
        runtime.handle().compute(move || drop(token))
    });
}

#[test]
fn a_blocking_job_that_is_cancelled_while_it_waits_for_a_thread_ends_at_once() {
    a_closure_that_waits_ends_at_once(|runtime, gate, token| {
        let _long = runtime.handle().spawn_blocking(move || gate.block());
        runtime.handle().spawn_blocking(move || drop(token))
    });
}

#[test]
fn a_blocking_job_never_begins_on_a_worker_although_the_request_to_end_it_is_taken_back() {
    within_limit(|| {
        let builder = Runtime::builder().workers(1).max_blocking_threads(1);
        let runtime = builder.max_relief_workers(0).build().unwrap();
        let gate = Gate::new();
        let blocked = gate.clone();
        let _long = runtime.handle().spawn_blocking(move || blocked.block());
        let waiting = runtime.spawn(async {
            let job = spawn_blocking(|| thread::current().name().map(str::to_owned));
            assert!(job.cancel());
            assert_eq!(job.task().uncancel(), 0);
            job.await
        });
        assert!(waiting.wait().unwrap().unwrap_err().is_cancelled());
        gate.open();
    });
}

#[test]
fn a_closure_that_is_refused_ends_once_whoever_cancels_it() {
    /// Asks the task that drops it to end.
    struct Cancels {
        _counted: Token,
    }
    impl Drop for Cancels {
        fn drop(&mut self) {
            let _ = task::current().unwrap().cancel();
        }
    }

    for hook_cancels in [false, true] {
        let builder = Runtime::builder().workers(1).on_task_spawn(move |task| {
            if hook_cancels {
                assert!(task.cancel());
            }
        });
        let runtime = builder.build().unwrap();
        let (handle, probe) = (runtime.handle().clone(), Probe::new());
        assert!(runtime.shutdown(Grace::Forever).is_clean());
        let [one, other] = [0, 1].map(|_| Cancels { _counted: probe.token() });
        let refused =
            [handle.compute(move || drop(one)), handle.spawn_blocking(move || drop(other))];
        for refused in refused {
            assert!(refused.wait().unwrap_err().is_cancelled());
        }
        assert_eq!(probe.drops(), 2);
    }
}

#[test]
fn closures_that_are_spawned_while_their_runtime_ends_end_once() {
    within_limit(|| {
        for _ in 0..50 {
            let runtime = Runtime::builder().workers(2).build().unwrap();
            let (probe, ended) = (Probe::new(), AtomicBool::new(false));
            let spawned = AtomicUsize::new(0);
            thread::scope(|scope| {
                let handle = runtime.handle().clone();
                scope.spawn(|| {
                    let handle = handle;
                    while !ended.load(Ordering::Relaxed) {
                        let token = probe.token();
                        spawned.fetch_add(1, Ordering::Relaxed);
                        drop(handle.compute(move || drop(token)));
                    }
                });
                let _ = runtime.shutdown(Grace::None);
                ended.store(true, Ordering::Relaxed);
            });
            eventually("each closure is gone", || probe.drops() == spawned.load(Ordering::Relaxed));
        }
    });
}
