//! The end of a runtime: everything ends, or is named.

use crate::probe::{Gate, Probe};
use crate::rig::{
    Reports, eventually, holder, in_child, panic_on_purpose, reporting_runtime, runtime,
    runtime_of, within_limit,
};
use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use weftline::runtime::{Grace, Handle};
use weftline::task::{Builder, Status, UnhandledKind};
use weftline::time::sleep;
use weftline::{Runtime, spawn, spawn_blocking, spawn_pinned, yield_now};

#[test]
fn all_tasks_are_cancelled_and_dropped_once() {
    within_limit(|| {
        let runtime = runtime();
        let probe = Probe::new();
        let tasks: Vec<_> = (0..100)
            .map(|n| {
                let token = probe.token();
                runtime.spawn(async move {
                    let _token = token;
                    match n % 3 {
                        0 => pending().await,
                        1 => sleep(Duration::from_secs(3600)).await,
                        _ => loop {
                            yield_now().await;
                        },
                    }
                })
            })
            .collect();
        let report = runtime.shutdown(Grace::Forever);
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.to_string(), "all tasks have ended");
        assert_eq!(probe.drops(), 100);
        assert!(tasks.into_iter().all(|task| task.wait().unwrap_err().is_cancelled()));
    });
}

// AT-RUN-03
#[test]
fn run_ends_the_tasks_that_are_left() {
    let probe = Probe::new();
    let token = probe.token();
    let value = weftline::run(async {
        drop(spawn(async move {
            let _token = token;
            pending::<()>().await;
        }));
        yield_now().await;
        3
    });
    assert_eq!((value, probe.drops()), (3, 1));
}

#[test]
fn shutting_down_an_idle_runtime_takes_no_time() {
    let mut slow = 0;
    for _ in 0..200 {
        let runtime = runtime();
        let began = Instant::now();
        assert!(runtime.shutdown(Grace::Forever).is_clean());
        slow += u32::from(began.elapsed() > Duration::from_millis(400));
    }
    assert!(slow <= 2, "{slow} of 200 took as long as workers that do not end");
}

/// Spawns another of itself when it is dropped, `left` times.
struct Respawns {
    left: usize,
    probe: Probe,
}

impl Drop for Respawns {
    fn drop(&mut self) {
        self.probe.token();
        if self.left > 0 {
            let next = Respawns { left: self.left - 1, probe: self.probe.clone() };
            drop(spawn(async move {
                let _next = next;
                pending::<()>().await;
            }));
        }
    }
}

// AT-RUN-11, through destructors
#[test]
fn tasks_born_of_dying_tasks_end_too() {
    within_limit(|| {
        let probe = Probe::new();
        let runtime = runtime();
        for n in 0..20 {
            let chain = Respawns { left: n, probe: probe.clone() };
            drop(runtime.spawn(async move {
                let _chain = chain;
                pending::<()>().await;
            }));
        }
        let report = runtime.shutdown(Grace::Forever);
        assert!(report.is_clean(), "{report}");
        assert_eq!(probe.drops(), (1..=20).sum::<usize>());
    });
}

#[test]
fn the_report_names_what_would_not_end() {
    within_limit(|| {
        let runtime = runtime_of(2);
        let (release, begun) = (Gate::new(), Probe::new());
        let _entered = runtime.handle().enter();
        let (job_gate, job_begun) = (release.clone(), begun.clone());
        let job = Builder::new().name("a job").spawn_blocking(move || {
            job_begun.token();
            job_gate.block();
        });
        let (poll_gate, poll_begun) = (release.clone(), begun.clone());
        let first_line = line!();
        let poll = Builder::new().name("a poll").spawn(poll_fn(move |_| {
            poll_begun.token();
            poll_gate.block();
            Poll::Ready(())
        }));
        eventually("both have begun", || begun.drops() == 2);
        let ends = runtime.spawn(pending::<()>());
        let began = Instant::now();
        let report = runtime.shutdown(Grace::For(Duration::from_millis(50)));
        assert!(began.elapsed() >= Duration::from_millis(50));
        assert!(ends.wait().unwrap_err().is_cancelled());
        let mut names: Vec<_> = report.survivors().iter().map(|task| task.name()).collect();
        names.sort_unstable();
        assert_eq!(names, [Some("a job"), Some("a poll")]);
        let poll_left = report.survivors().iter().find(|task| task.id() == poll.id()).unwrap();
        assert_eq!(poll_left.spawned_at().file(), file!());
        assert_eq!(poll_left.spawned_at().line(), first_line + 1);
        assert!(report.survivors().iter().all(|task| task.status() == Status::Scheduled));
        let text = report.to_string();
        assert!(text.starts_with("2 tasks have not ended:\n"), "{text}");
        assert!(text.contains("\"a job\", spawned at "), "{text}");
        release.open();
        job.wait().unwrap();
        poll.wait().unwrap();
    });
}

#[test]
fn what_outlives_a_dropped_runtime_is_reported() {
    within_limit(|| {
        let (runtime, reports) = reporting_runtime(1);
        let (hold, held) = holder();
        let job = runtime.handle().spawn_blocking(hold);
        held.wait();
        drop(runtime);
        let [report] = &reports.all()[..] else { panic!("one report: {:?}", reports.all()) };
        assert_eq!((report.kind, report.task), (UnhandledKind::NotEnded, Some(job.id())));
        held.release();
        job.wait().unwrap();
    });
}

// AT-RUN-13
#[test]
fn spawning_after_shutdown_is_a_cancelled_task() {
    within_limit(|| {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        assert!(runtime.shutdown(Grace::Forever).is_clean());
        let probe = Probe::new();
        let _entered = handle.enter();
        assert!(handle.spawn(probe.future(async {})).wait().unwrap_err().is_cancelled());
        assert!(spawn(probe.future(async {})).wait().unwrap_err().is_cancelled());
        let token = probe.token();
        let job = spawn_blocking(move || drop(token));
        assert!(job.wait().unwrap_err().is_cancelled());
        let token = probe.token();
        let pinned = spawn_pinned(move || async move { drop(token) });
        assert!(pinned.wait().unwrap_err().is_cancelled());
        let eager = Builder::new().eager(true).spawn(probe.future(async {}));
        assert!(eager.wait().unwrap_err().is_cancelled());
        assert_eq!((probe.polls(), probe.drops()), (0, 5));
        assert_eq!(handle.block_on(async { 5 }), 5);
        assert!(handle.tasks().is_empty());
    });
}

#[test]
fn whatever_is_spawned_while_a_runtime_ends_is_resolved() {
    within_limit(|| {
        for round in 0..200 {
            let runtime = runtime_of(1 + round % 2);
            let spawners: Vec<_> = (0..2)
                .map(|_| {
                    let handle = runtime.handle().clone();
                    thread::spawn(move || {
                        let _entered = handle.enter();
                        let mut tasks = Vec::new();
                        for _ in 0..30 {
                            tasks.push(spawn(pending::<()>()));
                            tasks.push(spawn_pinned(pending::<()>));
                            tasks.push(spawn_blocking(|| ()));
                        }
                        tasks
                    })
                })
                .collect();
            let grace = [Grace::None, Grace::Forever][round / 2 % 2];
            // What was being polled just then may be named; it ends all the same.
            let _ = runtime.shutdown(grace);
            for spawner in spawners {
                for mut task in spawner.join().unwrap() {
                    let ended = task.wait_timeout(Duration::from_secs(10));
                    assert!(ended.is_some(), "round {round}: {:?} was forgotten", task.task());
                }
            }
        }
    });
}

/// Keeps the waker of a task for later.
fn with_waker(runtime: &Runtime) -> Waker {
    let (sender, receiver) = mpsc::channel();
    drop(runtime.spawn(poll_fn(move |cx| {
        // Polled once more when it is cancelled.
        let _ = sender.send(cx.waker().clone());
        Poll::<()>::Pending
    })));
    receiver.recv().unwrap()
}

#[test]
fn wakers_outlive_their_runtime_without_harm() {
    let runtime = runtime();
    let wakers: Vec<_> = (0..10).map(|_| with_waker(&runtime)).collect();
    drop(runtime);
    for waker in wakers {
        waker.wake_by_ref();
        let clone = waker.clone();
        waker.wake();
        drop(clone);
    }
}

#[test]
fn a_runtime_is_dropped_in_a_task_of_its_own() {
    within_limit(|| {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        let task = handle.spawn(async move {
            drop(runtime);
            "gone"
        });
        assert_eq!(task.wait().unwrap(), "gone");
        eventually("it shuts down", || futures_task::Spawn::status(&handle).is_err());
    });
}

// AT-RUN-13, ended while it runs
#[test]
fn a_runtime_is_shut_down_in_a_task_of_its_own() {
    within_limit(|| {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        let task = handle.spawn(async move { runtime.shutdown(Grace::Forever).survivors().len() });
        // The task that asks is what there is at that moment.
        assert_eq!(task.wait().unwrap(), 1);
        eventually("it shuts down", || futures_task::Spawn::status(&handle).is_err());
    });
}

#[test]
fn a_runtime_is_dropped_in_a_task_of_another() {
    within_limit(|| {
        let (outer, inner) = (runtime(), runtime());
        let left = inner.spawn(pending::<()>());
        outer.spawn(async move { drop(inner) }).wait().unwrap();
        assert!(left.wait().unwrap_err().is_cancelled());
    });
}

#[test]
fn a_runtime_is_dropped_in_a_blocking_job() {
    within_limit(|| {
        let (outer, inner) = (runtime(), runtime());
        outer.handle().spawn_blocking(move || drop(inner)).wait().unwrap();
        let (own, reports) = reporting_runtime(1);
        let handle = own.handle().clone();
        let began = Instant::now();
        handle.spawn_blocking(move || drop(own)).wait().unwrap();
        let (took, reports) = (began.elapsed(), reports.all());
        assert!(took < Duration::from_millis(900), "a job waited {took:?} for itself");
        assert!(reports.is_empty(), "a job was told that it did not end: {reports:?}");
    });
}

#[test]
fn a_runtime_is_dropped_in_the_block_on_of_another_and_of_itself() {
    within_limit(|| {
        let (outer, inner) = (runtime(), runtime());
        outer.block_on(async move { drop(inner) });
        let handle = outer.handle().clone();
        handle.block_on(async move {
            drop(outer);
            assert!(spawn(async {}).await.unwrap_err().is_cancelled());
        });
    });
}

#[test]
fn a_runtime_is_dropped_while_a_thread_panics() {
    within_limit(|| {
        let runtime = runtime();
        let left = runtime.spawn(pending::<()>());
        let panicking = thread::spawn(move || {
            let _runtime = runtime;
            panic_on_purpose("with a runtime");
        });
        assert!(panicking.join().is_err());
        assert!(left.wait().unwrap_err().is_cancelled());
    });
}

thread_local! {
    static LATE: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

#[test]
fn a_runtime_is_dropped_by_a_thread_that_ends() {
    within_limit(|| {
        // Before anything of the runtime's own is kept for the thread, and after.
        for enter_first in [false, true] {
            let runtime = runtime();
            let left = runtime.spawn(pending::<()>());
            let ending = thread::spawn(move || {
                if enter_first {
                    runtime.block_on(async { spawn(async {}).await.unwrap() });
                }
                LATE.with(|late| late.replace(Some(runtime)));
                if !enter_first {
                    LATE.with_borrow(|late| late.as_ref().map(|r| r.spawn(async {}).wait()));
                }
            });
            ending.join().unwrap();
            assert!(left.wait().unwrap_err().is_cancelled());
        }
    });
}

#[test]
fn a_worker_that_ends_drops_a_runtime_it_kept() {
    within_limit(|| {
        let (outer, inner) = (runtime_of(1), runtime_of(1));
        let left = inner.spawn(pending::<()>());
        outer.spawn(async { LATE.with(|late| late.replace(Some(inner))) }).wait().unwrap();
        drop(outer);
        assert!(left.wait().unwrap_err().is_cancelled());
    });
}

#[test]
fn runtimes_that_own_each_other_all_end() {
    within_limit(|| {
        let probe = Probe::new();
        let mut innermost = runtime_of(1);
        for _ in 0..3 {
            let (outer, inner, token) = (runtime_of(1), innermost, probe.token());
            drop(outer.spawn(async move {
                let _owned = (inner, token);
                pending::<()>().await;
            }));
            innermost = outer;
        }
        drop(innermost);
        eventually("all are gone", || probe.drops() == 3);
    });
}

#[test]
fn a_main_future_that_sleeps_does_not_hang_when_its_runtime_ends_elsewhere() {
    within_limit(|| {
        let runtime = runtime();
        let sleeping = Probe::new();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (handle, probe) = (runtime.handle().clone(), sleeping.clone());
                thread::spawn(move || {
                    handle.block_on(probe.future(async { sleep(Duration::from_secs(3600)).await }));
                })
            })
            .collect();
        eventually("all sleep", || sleeping.polls() >= 4);
        drop(runtime);
        for thread in threads {
            let panicked = thread.join().expect_err("an hour has not passed");
            let text = panicked.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panicked.downcast_ref::<String>().cloned()).unwrap();
            assert!(text.contains("timer"), "{text}");
        }
    });
}

#[test]
fn sleeping_and_shutting_down_race_without_a_hang() {
    within_limit(|| {
        for _ in 0..100 {
            let runtime = runtime_of(1);
            let sleeps = Arc::new(AtomicUsize::new(0));
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let (handle, sleeps) = (runtime.handle().clone(), sleeps.clone());
                    let naps = async move {
                        loop {
                            sleep(Duration::from_micros(1)).await;
                            sleeps.fetch_add(1, Ordering::Relaxed);
                        }
                    };
                    quiet_thread(move || handle.block_on(naps))
                })
                .collect();
            eventually("they sleep", || sleeps.load(Ordering::Relaxed) > 10);
            drop(runtime);
            for thread in threads {
                assert!(thread.join().is_err());
            }
        }
    });
}

/// A thread whose panic is expected.
fn quiet_thread(body: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::spawn(|| {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        if let Err(payload) = result {
            std::panic::resume_unwind(payload);
        }
    })
}

#[test]
fn waiting_threads_learn_that_the_runtime_ended() {
    within_limit(|| {
        let runtime = runtime();
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let task = runtime.spawn(pending::<()>());
                thread::spawn(move || task.wait())
            })
            .collect();
        drop(runtime);
        for thread in waiting {
            assert!(thread.join().unwrap().unwrap_err().is_cancelled());
        }
    });
}

#[test]
fn a_queued_blocking_job_is_cancelled_and_never_runs() {
    within_limit(|| {
        let runtime = Runtime::builder().workers(1).max_blocking_threads(1).build().unwrap();
        let (ran, (hold, held)) = (Probe::new(), holder());
        let runs = ran.clone();
        let first = runtime.handle().spawn_blocking(hold);
        held.wait();
        let second = runtime.handle().spawn_blocking(move || drop(runs.token()));
        let ending = thread::spawn(move || runtime.shutdown(Grace::Forever).is_clean());
        eventually("it is asked to end", || second.task().cancelling() > 0);
        held.release();
        assert!(ending.join().unwrap());
        first.wait().unwrap();
        assert!(second.wait().unwrap_err().is_cancelled());
        assert_eq!(ran.drops(), 0);
    });
}

#[test]
fn a_future_dropped_at_the_end_may_use_its_runtime() {
    struct LooksAround(Arc<AtomicUsize>);
    impl Drop for LooksAround {
        fn drop(&mut self) {
            let handle = Handle::current();
            drop(handle.spawn(async {}));
            drop(handle.enter());
            let _listed = handle.tasks();
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    impl Future for LooksAround {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }
    within_limit(|| {
        let looked = Arc::new(AtomicUsize::new(0));
        let (builder, reports) = Reports::collect(Runtime::builder().workers(2));
        let runtime = builder.build().unwrap();
        let handle = runtime.handle().clone();
        for _ in 0..10 {
            drop(runtime.spawn(LooksAround(looked.clone())));
        }
        drop(runtime);
        let _entered = handle.enter();
        drop(spawn(LooksAround(looked.clone())));
        assert_eq!(looked.load(Ordering::SeqCst), 11);
        assert!(reports.all().is_empty(), "{:?}", reports.all());
    });
}

/// Spawns itself again when it is dropped, for as long as `left` is not zero.
struct SpawnsAgain {
    handle: Handle,
    left: Option<usize>,
    drops: Arc<AtomicUsize>,
}

impl SpawnsAgain {
    fn spawn(self) {
        drop(self.handle.clone().spawn(async move {
            let _spawns = self;
            pending::<()>().await;
        }));
    }
}

impl Drop for SpawnsAgain {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        let (handle, drops) = (self.handle.clone(), self.drops.clone());
        match self.left {
            Some(0) => {}
            Some(left) => Self { handle, left: Some(left - 1), drops }.spawn(),
            None => Self { handle, left: None, drops }.spawn(),
        }
    }
}

#[test]
fn destructors_that_spawn_after_the_end_all_run_and_fill_no_stack() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let (handle, drops) = (runtime.handle().clone(), Arc::default());
        drop(runtime);
        SpawnsAgain { handle, left: Some(10_000), drops: Arc::clone(&drops) }.spawn();
        assert_eq!(drops.load(Ordering::SeqCst), 10_001);
    });
}

#[test]
fn a_destructor_that_spawns_itself_again_for_ever_is_reported_and_not_followed() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let handle = runtime.handle().clone();
        SpawnsAgain { handle, left: None, drops: Arc::default() }.spawn();
        let report = runtime.shutdown(Grace::For(Duration::from_millis(20)));
        assert!(!report.is_clean(), "one of them is always there");
    });
}

#[test]
fn an_ended_runtime_leaves_no_thread_and_uses_no_time() {
    if !in_child("shutdown::an_ended_runtime_leaves_no_thread_and_uses_no_time") {
        return;
    }
    for _ in 0..100 {
        let runtime = runtime_of(2);
        drop(runtime.spawn(async {}));
        drop(runtime);
    }
    #[cfg(target_os = "linux")]
    eventually("all workers are gone", || crate::threads::named("weftline").is_empty());
}
