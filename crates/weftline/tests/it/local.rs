//! Tasks that stay on one worker: their futures need not be `Send`.

use crate::probe::{Gate, Probe};
use crate::rig::{runtime, runtime_of, within_limit, workers};
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;
use weftline::runtime::Grace;
use weftline::{spawn, spawn_local, spawn_pinned, yield_now};

#[test]
fn a_pinned_task_keeps_an_rc_across_awaits() {
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    let task = spawn_pinned(|| async {
        let log = Rc::new(RefCell::new(Vec::new()));
        for n in 0..10 {
            let log = log.clone();
            yield_now().await;
            log.borrow_mut().push(n);
        }
        let sum: i32 = log.borrow().iter().sum();
        sum
    });
    assert_eq!(task.wait().unwrap(), 45);
}

#[test]
fn a_local_task_keeps_an_rc_that_its_spawner_shares() {
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    let task = spawn_pinned(|| async {
        let shared = Rc::new(RefCell::new(0));
        let children: Vec<_> = (0..10)
            .map(|_| {
                let shared = shared.clone();
                spawn_local(async move {
                    yield_now().await;
                    *shared.borrow_mut() += 1;
                    Rc::new(())
                })
            })
            .collect();
        for child in children {
            drop(child.await.unwrap());
        }
        shared.take()
    });
    assert_eq!(task.wait().unwrap(), 10);
}

/// The threads that a task was on, over some rounds of being woken by other threads.
async fn threads_of(rounds: usize) -> HashSet<ThreadId> {
    let mut threads = HashSet::new();
    for _ in 0..rounds {
        let gate = Gate::new();
        let elsewhere = gate.clone();
        drop(spawn(async move {
            yield_now().await;
            elsewhere.open();
        }));
        gate.wait().await;
        threads.insert(thread::current().id());
        yield_now().await;
        threads.insert(thread::current().id());
    }
    threads
}

#[test]
fn a_pinned_task_is_always_on_the_same_thread() {
    let runtime = runtime_of(workers().max(2));
    let _entered = runtime.handle().enter();
    let tasks: Vec<_> = (0..16).map(|_| spawn_pinned(|| threads_of(200))).collect();
    for task in tasks {
        assert_eq!(task.wait().unwrap().len(), 1);
    }
}

#[test]
fn a_pinned_task_is_woken_from_a_plain_thread() {
    within_limit(|| {
        let runtime = runtime();
        let _entered = runtime.handle().enter();
        for _ in 0..200 {
            let gate = Gate::new();
            let wait = gate.wait();
            let task = spawn_pinned(move || async move {
                let before = thread::current().id();
                wait.await;
                before == thread::current().id()
            });
            let waker = thread::spawn(move || gate.open());
            assert!(task.wait().unwrap());
            waker.join().unwrap();
        }
    });
}

#[test]
fn pinned_tasks_spread_over_all_workers() {
    let runtime = runtime_of(4);
    let _entered = runtime.handle().enter();
    let tasks: Vec<_> =
        (0..40).map(|_| spawn_pinned(|| async { thread::current().id() })).collect();
    let threads: HashSet<_> = tasks.into_iter().map(|task| task.wait().unwrap()).collect();
    assert_eq!(threads.len(), 4);
}

#[test]
fn a_local_task_outside_of_a_worker_is_refused_with_advice() {
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    let refused = thread::scope(|scope| {
        let handle = runtime.handle();
        let refused = scope.spawn(move || {
            let _entered = handle.enter();
            drop(spawn_local(async {}));
        });
        refused.join().unwrap_err()
    });
    let text = refused.downcast_ref::<&str>().expect("a text");
    assert!(text.contains("use `spawn_pinned`, which chooses one"), "{text}");
    let job = runtime.handle().spawn_blocking(|| drop(spawn_local(async {})));
    assert!(job.wait().unwrap_err().panic_message().unwrap().contains("`spawn_pinned`"));
}

/// Notes the thread it is dropped on.
struct NotesThread(Arc<std::sync::Mutex<Option<ThreadId>>>);

impl Drop for NotesThread {
    fn drop(&mut self) {
        *self.0.lock().unwrap() = Some(thread::current().id());
    }
}

/// Ends a waiting pinned task by `end`; its future must be dropped on its worker.
fn dropped_at_home(end: impl FnOnce(weftline::Runtime, weftline::JoinHandle<()>)) {
    let runtime = runtime_of(3);
    let dropped_on = Arc::new(std::sync::Mutex::new(None));
    let (note, waits) = (NotesThread(dropped_on.clone()), Gate::new());
    let (home, is_home) = std::sync::mpsc::channel();
    let waiting = waits.clone();
    let task = {
        let _entered = runtime.handle().enter();
        spawn_pinned(move || async move {
            let kept = (Rc::new(()), note);
            home.send(thread::current().id()).unwrap();
            waiting.wait().await;
            drop(kept);
        })
    };
    let home = is_home.recv().unwrap();
    end(runtime, task);
    assert_eq!(*dropped_on.lock().unwrap(), Some(home));
}

#[test]
fn a_cancelled_pinned_task_is_dropped_on_its_worker() {
    dropped_at_home(|_runtime, task| {
        task.cancel();
        assert!(task.wait().unwrap_err().is_cancelled());
    });
}

#[test]
fn a_pinned_task_is_dropped_on_its_worker_at_shutdown() {
    dropped_at_home(|runtime, _task| drop(runtime));
    dropped_at_home(|runtime, _task| {
        let report = runtime.shutdown(Grace::Forever);
        assert!(report.is_clean(), "{report}");
    });
    dropped_at_home(|runtime, _task| {
        let report = runtime.shutdown(Grace::None);
        assert!(report.is_clean(), "{report}");
    });
}

#[test]
fn a_pinned_task_that_wakes_itself_does_not_keep_new_ones_waiting() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let _entered = runtime.handle().enter();
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, begun) = (stop.clone(), Gate::new());
        let begins = begun.clone();
        let spinning = spawn_pinned(move || async move {
            begins.open();
            while !seen.load(Ordering::Relaxed) {
                yield_now().await;
            }
        });
        begun.block();
        let mut newcomer = spawn_pinned(|| async {});
        let ran = newcomer.wait_timeout(Duration::from_secs(5));
        stop.store(true, Ordering::Relaxed);
        spinning.wait().unwrap();
        assert!(ran.is_some(), "starved for five seconds");
    });
}

#[test]
fn pinned_and_other_tasks_take_turns() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let _entered = runtime.handle().enter();
        let stop = Gate::new();
        let spins = |stop: Gate| async move {
            let mut turns = 0_u64;
            while !stop.is_open() {
                turns += 1;
                yield_now().await;
            }
            turns
        };
        let (pinned, free) = (stop.clone(), stop.clone());
        let pinned = spawn_pinned(move || spins(pinned));
        let free = spawn(spins(free));
        thread::sleep(Duration::from_millis(100));
        stop.open();
        let (pinned, free) = (pinned.wait().unwrap(), free.wait().unwrap());
        assert!(pinned > free / 4 && free > pinned / 4, "{pinned} against {free} turns");
    });
}

#[test]
fn only_the_output_of_a_pinned_task_is_sent() {
    let runtime = runtime();
    let probe = Probe::new();
    let token = probe.token();
    let task = {
        let _entered = runtime.handle().enter();
        spawn_pinned(move || async move {
            let shared = Rc::new(token);
            yield_now().await;
            Rc::into_inner(shared).expect("the only one")
        })
    };
    let token = task.wait().unwrap();
    assert_eq!(probe.drops(), 0);
    drop(token);
    assert_eq!(probe.drops(), 1);
}
