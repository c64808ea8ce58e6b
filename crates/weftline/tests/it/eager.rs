//! Eager tasks: the first poll happens inside `spawn`.

use crate::probe::{Gate, Probe};
use crate::rig::{
    alone, panic_on_purpose, reporting_runtime, runtime, runtime_of, settle, within_limit,
};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};
use weftline::runtime::Handle;
use weftline::task::{self, Builder};
use weftline::{spawn, yield_now};

fn eager() -> Builder {
    Builder::new().eager(true)
}

// AT-TASK-05
#[test]
fn an_eager_task_that_need_not_wait_ends_inside_spawn() {
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    let here = thread::current().id();
    let task = eager().spawn(async { thread::current().id() });
    assert!(task.is_finished());
    assert_eq!(task.wait().unwrap(), here);
}

#[test]
fn an_eager_task_that_waits_goes_on_on_a_worker() {
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    let here = thread::current().id();
    let (gate, probe) = (Gate::new(), Probe::new());
    let wait = gate.wait();
    let task = eager().spawn(probe.future(async move {
        let first = thread::current().id();
        wait.await;
        (first, thread::current().id())
    }));
    assert_eq!(probe.polls(), 1);
    gate.open();
    let (first, second) = task.wait().unwrap();
    assert_eq!(first, here);
    assert_ne!(second, here);
}

#[test]
fn an_eager_task_that_wakes_itself_goes_on() {
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    let task = eager().spawn(async {
        for _ in 0..100 {
            yield_now().await;
        }
        1
    });
    assert_eq!(task.wait().unwrap(), 1);
}

#[test]
fn an_eager_task_is_current_inside_and_its_spawner_outside() {
    let runtime = runtime();
    let ids = runtime.spawn(async {
        let outer = task::current().unwrap().id();
        let inner = eager().spawn(async { task::current().unwrap() });
        assert_eq!(task::current().unwrap().id(), outer);
        let inner = inner.await.unwrap();
        (outer, inner.parent())
    });
    let (outer, parent) = ids.wait().unwrap();
    assert_eq!(parent, Some(outer));
}

#[test]
fn eager_tasks_nest() {
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    let task = eager().spawn(async {
        eager().spawn(async { eager().spawn(async { 3 }).await.unwrap() }).await.unwrap()
    });
    assert_eq!(task.wait().unwrap(), 3);
}

#[test]
fn a_panic_in_the_eager_poll_does_not_reach_the_spawner() {
    let (runtime, reports) = reporting_runtime(1);
    let _entered = runtime.handle().enter();
    let task = eager().spawn(async { panic_on_purpose("at once") });
    assert!(task.is_finished());
    let error = task.wait().map(|(): ()| ()).unwrap_err();
    assert_eq!(error.panic_message(), Some("on purpose: at once"));
    settle(&runtime);
    assert!(reports.all().is_empty());
}

#[test]
fn an_eager_local_task_starts_at_once_and_stays() {
    let runtime = runtime();
    let same = runtime.spawn(async {
        let here = thread::current().id();
        let task = eager().spawn_local(async move {
            let kept = Rc::new(here);
            yield_now().await;
            *kept == thread::current().id()
        });
        task.await.unwrap()
    });
    assert!(same.wait().unwrap());
}

#[test]
fn an_eager_task_may_enter_and_block_as_any_other() {
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    let task = eager().spawn(async {
        let entered = Handle::current().enter();
        drop(entered);
        Handle::current().block_on(async { 4 })
    });
    assert_eq!(task.wait().unwrap(), 4);
}

#[test]
fn a_spawn_hook_may_enter_the_runtime() {
    let (builder, reports) = crate::rig::Reports::collect(weftline::Runtime::builder());
    let hooked = builder.on_task_spawn(|_| drop(Handle::current().enter())).build().unwrap();
    hooked.block_on(async { spawn(async {}).await.unwrap() });
    drop(hooked);
    assert!(reports.all().is_empty(), "{:?}", reports.all());
}

#[test]
fn an_eager_child_that_yields_runs_on_while_its_spawner_blocks() {
    within_limit(|| {
        let runtime = runtime_of(2);
        settle(&runtime);
        // Long enough for the other worker to fall asleep.
        thread::sleep(Duration::from_millis(50));
        let blocks = runtime.spawn(async {
            let went_on = Gate::new();
            let goes_on = went_on.clone();
            let child = eager().spawn(async move {
                yield_now().await;
                goes_on.open();
            });
            let began = Instant::now();
            while !went_on.is_open() && began.elapsed() < Duration::from_secs(5) {
                thread::sleep(Duration::from_millis(1));
            }
            drop(child);
            began.elapsed()
        });
        let stranded = blocks.wait().unwrap();
        assert!(stranded < Duration::from_secs(1), "it waited {stranded:?} beside an idle worker");
    });
}

// AT-TASK-05
#[test]
fn an_eager_task_is_listed_while_it_has_not_ended_and_no_longer() {
    alone(async {
        let listed = |id| Handle::current().tasks().iter().any(|task| task.id() == id);
        let ends = eager().spawn(async move {
            let me = task::current().unwrap().id();
            (me, listed(me))
        });
        assert!(ends.is_finished());
        let (id, was_listed) = ends.await.unwrap();
        assert!(was_listed && !listed(id));
        let gate = Gate::new();
        let wait = gate.wait();
        let waits = eager().spawn(async move {
            assert!(listed(task::current().unwrap().id()));
            wait.await;
        });
        let id = waits.id();
        assert!(!waits.is_finished() && listed(id));
        gate.open();
        waits.await.unwrap();
        assert!(!listed(id));
    });
}

// AT-TASK-07
#[test]
fn a_request_comes_too_late_for_an_eager_task_that_has_ended_and_in_time_for_one_that_waits() {
    alone(async {
        let ended = eager().spawn(async { "without waiting" });
        assert!(!ended.cancel());
        assert_eq!(ended.await.unwrap(), "without waiting");
        let waits = eager().spawn(std::future::pending::<()>());
        let task = waits.task();
        assert!(waits.cancel_with("a message"));
        assert!(task.cancelling() > 0);
        assert_eq!(waits.await.unwrap_err().cancel_reason(), Some("a message"));
    });
}

#[test]
fn an_eager_task_is_the_same_task_on_both_sides_of_its_first_wait_and_has_its_name() {
    alone(async {
        let named = Builder::new().name("test name").eager(true);
        let (tell, told) = std::sync::mpsc::channel();
        let handle = named.spawn(async move {
            let first = task::current().unwrap();
            tell.send((first.id(), first.name().map(str::to_owned))).unwrap();
            yield_now().await;
            first.id() == task::current().unwrap().id()
        });
        assert_eq!(told.recv().unwrap(), (handle.id(), Some("test name".to_owned())));
        assert!(handle.await.unwrap());
    });
}
