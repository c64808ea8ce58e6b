//! Hooks: called where and when they say.

use crate::rig::{eventually, runtime_of};
use std::sync::{Arc, Mutex};
use std::thread;
use weftline::runtime::Builder;
use weftline::{Runtime, spawn, task, yield_now};

/// What was called, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// A builder whose hooks note what they are called for.
    fn hook(&self, builder: Builder) -> Builder {
        let on = |what: &'static str| {
            let log = self.clone();
            move |task: &task::Task| log.note(format!("{what} {}", task.name().unwrap_or("-")))
        };
        let (start, stop) = (self.clone(), self.clone());
        builder
            .on_thread_start(move || start.note("start"))
            .on_thread_stop(move || stop.note("stop"))
            .on_task_spawn(on("spawn"))
            .on_task_poll_start(on("poll"))
            .on_task_poll_end(on("polled"))
            .on_task_end(on("end"))
    }
}

#[test]
fn hooks_follow_the_life_of_threads_and_tasks() {
    let log = Log::default();
    let runtime = log.hook(Runtime::builder().workers(1)).build().unwrap();
    let _entered = runtime.handle().enter();
    let ended = log.clone();
    task::Builder::new().name("a").spawn(yield_now()).wait().unwrap();
    ended.note("joined");
    drop(runtime);
    eventually("the worker has stopped", || log.all().last().is_some_and(|last| last == "stop"));
    let seen = log.all();
    // The thread may start before or after the task is spawned.
    let rest: Vec<_> = seen.iter().filter(|what| *what != "start").collect();
    let expected =
        ["spawn a", "poll a", "polled a", "poll a", "polled a", "end a", "joined", "stop"];
    assert_eq!(rest, expected);
    let start = seen.iter().position(|what| what == "start");
    assert!(start < seen.iter().position(|what| what == "poll a"));
}

#[test]
fn the_stop_hook_has_run_when_a_shutdown_returns() {
    for _ in 0..50 {
        let log = Log::default();
        let runtime = log.hook(Runtime::builder().workers(2)).build().unwrap();
        runtime.spawn(async {}).wait().unwrap();
        assert!(runtime.shutdown(weftline::runtime::Grace::Forever).is_clean());
        let stopped = log.all().iter().filter(|what| *what == "stop").count();
        assert_eq!(stopped, 2, "{:?}", log.all());
    }
}

#[test]
fn a_cancelled_task_ends_with_a_hook_and_is_polled_no_more() {
    let log = Log::default();
    let runtime = log.hook(Runtime::builder().workers(1)).build().unwrap();
    let _entered = runtime.handle().enter();
    let waits = task::Builder::new().name("w").spawn(std::future::pending::<()>());
    eventually("it waits", || waits.task().status() == task::Status::Waiting);
    waits.cancel();
    assert!(waits.wait().unwrap_err().is_cancelled());
    let seen = log.all();
    assert_eq!(seen.last().unwrap(), "end w");
    assert_eq!(seen.iter().filter(|what| *what == "end w").count(), 1);
}

#[test]
fn blocking_jobs_have_hooks_too() {
    let log = Log::default();
    let runtime = log.hook(Runtime::builder().workers(1)).build().unwrap();
    let _entered = runtime.handle().enter();
    task::Builder::new().name("j").spawn_blocking(|| ()).wait().unwrap();
    let of_job: Vec<_> = log.all().into_iter().filter(|what| what.ends_with('j')).collect();
    assert_eq!(of_job, ["spawn j", "poll j", "polled j", "end j"]);
    eventually("both threads started", || {
        log.all().iter().filter(|what| *what == "start").count() == 2
    });
}

#[test]
fn poll_hooks_run_on_the_polling_thread_with_the_task_current() {
    let runtime = Runtime::builder()
        .workers(1)
        .thread_name("hk")
        .on_task_poll_start(|hooked| {
            assert_eq!(thread::current().name(), Some("hk-0"));
            assert_eq!(task::current().as_ref(), Some(hooked));
        })
        .on_task_end(|hooked| assert!(!hooked.is_finished(), "its joiner does not know yet"))
        .on_unhandled(|unhandled| panic!("{unhandled}"))
        .build()
        .unwrap();
    runtime.spawn(yield_now()).wait().unwrap();
    drop(runtime);
}

#[test]
fn a_hook_may_spawn() {
    let spawned = Arc::new(Mutex::new(Vec::new()));
    let into = spawned.clone();
    let runtime = Runtime::builder()
        .workers(1)
        .on_task_end(move |task| {
            if task.name() == Some("first") {
                into.lock().unwrap().push(spawn(async { "second" }));
            }
        })
        .build()
        .unwrap();
    let _entered = runtime.handle().enter();
    task::Builder::new().name("first").spawn(async {}).wait().unwrap();
    let second = spawned.lock().unwrap().pop().unwrap();
    assert_eq!(second.wait().unwrap(), "second");
}

#[test]
fn hooks_of_one_runtime_see_nothing_of_another() {
    let log = Log::default();
    let hooked = log.hook(Runtime::builder().workers(1)).build().unwrap();
    let other = runtime_of(1);
    other.block_on(async { other.spawn(async {}).await.unwrap() });
    drop(hooked);
    assert!(log.all().iter().all(|what| what == "start" || what == "stop"), "{:?}", log.all());
}
