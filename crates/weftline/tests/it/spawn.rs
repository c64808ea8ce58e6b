//! Spawning: what a task is told about itself, and where it runs.

use crate::counting;
use crate::probe::{Gate, Probe};
use crate::rig::{alone, eventually, in_child, runtime, runtime_of};
use std::collections::HashSet;
use std::panic::Location;
use std::sync::{Arc, Barrier};
use std::thread;
use weftline::runtime::Handle;
use weftline::task::{self, Builder, Status};
use weftline::{JoinHandle, spawn, spawn_blocking, spawn_local, spawn_pinned, yield_now};

#[test]
fn a_task_gives_its_value() {
    let runtime = runtime();
    assert_eq!(runtime.block_on(async { spawn(async { 6 * 7 }).await.unwrap() }), 42);
    assert_eq!(runtime.spawn(async { "outside" }).wait().unwrap(), "outside");
}

#[test]
fn a_value_of_any_size_and_alignment_arrives() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(128))]
    struct Aligned([u8; 300]);
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    spawn(async {}).wait().unwrap();
    assert_eq!(spawn(async { 1_u8 }).wait().unwrap(), 1);
    assert_eq!(spawn(async { [7_u64; 2000] }).wait().unwrap(), [7; 2000]);
    let aligned = spawn(async {
        let kept = Aligned([3; 300]);
        yield_now().await;
        assert_eq!(std::ptr::from_ref(&kept).addr() % 128, 0);
        kept
    });
    assert_eq!(aligned.wait().unwrap(), Aligned([3; 300]));
}

// AT-TASK-09
#[test]
fn a_detached_task_runs_on_to_its_end() {
    let runtime = runtime();
    let (gate, ended, probe) = (Gate::new(), Gate::new(), Probe::new());
    let (wait, end) = (gate.wait(), ended.clone());
    drop(runtime.spawn(probe.future(async move {
        wait.await;
        end.open();
    })));
    eventually("it waits", || probe.polls() == 1);
    gate.open();
    ended.block();
    eventually("its future is dropped once", || probe.drops() == 1);
    assert_eq!(probe.polls(), 2);
}

#[test]
fn a_task_wakes_while_it_is_polled_and_is_polled_again() {
    let runtime = runtime();
    let probe = Probe::new();
    let task = runtime.spawn(probe.future(async {
        for _ in 0..1000 {
            yield_now().await;
        }
    }));
    task.wait().unwrap();
    assert_eq!(probe.polls(), 1001);
}

#[test]
fn ids_are_unique_over_threads_and_runtimes() {
    let runtimes = [runtime(), runtime_of(1)];
    let ids = thread::scope(|scope| {
        let spawners: Vec<_> = (0..8)
            .map(|n| {
                let handle = runtimes[n % 2].handle();
                scope.spawn(move || (0..2000).map(|_| handle.spawn(async {}).id()).collect())
            })
            .collect();
        spawners.into_iter().map(|s| s.join().unwrap()).collect::<Vec<Vec<_>>>()
    });
    let unique: HashSet<_> = ids.iter().flatten().collect();
    assert_eq!(unique.len(), 8 * 2000);
}

// AT-TASK-01
#[test]
fn a_task_knows_its_id_its_name_and_its_parent() {
    let runtime = runtime();
    let outer = Builder::new().name("outer");
    let _entered = runtime.handle().enter();
    let outer = outer.spawn(async {
        let me = task::current().expect("this is a task");
        assert_eq!(me.name(), Some("outer"));
        let inner = spawn(async { task::current().expect("so is this") });
        let inner_task = inner.task();
        let from_inside = inner.await.unwrap();
        assert_eq!(from_inside, inner_task);
        assert_eq!(from_inside.name(), None);
        assert_eq!(from_inside.parent(), Some(me.id()));
        me.id()
    });
    assert_eq!(outer.task().parent(), None);
    assert_eq!(outer.id(), outer.task().id());
    let id = outer.id();
    assert_eq!(outer.wait().unwrap(), id);
}

#[test]
fn the_main_future_is_a_task_and_the_parent_of_what_it_spawns() {
    assert!(task::current().is_none());
    runtime().block_on(async {
        let main = task::current().expect("the main future is a task");
        assert_eq!(main.parent(), None);
        assert_eq!(spawn(async {}).task().parent(), Some(main.id()));
    });
}

/// Checks that a task's spawn site is the line that `spawned` names.
#[track_caller]
fn assert_site<T>(spawned: (&'static Location<'static>, JoinHandle<T>)) {
    let (expected, handle) = spawned;
    let site = handle.task().spawned_at();
    assert_eq!((site.file(), site.line()), (expected.file(), expected.line()));
}

/// This very place.
#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

#[test]
fn the_spawn_site_of_handle_and_runtime_is_the_callers_line() {
    let runtime = runtime();
    assert_site((here(), runtime.spawn(async {})));
    assert_site((here(), runtime.handle().spawn(async {})));
    assert_site((here(), runtime.handle().spawn_blocking(|| {})));
}

#[test]
fn the_spawn_site_of_free_functions_is_the_callers_line() {
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    assert_site((here(), spawn(async {})));
    assert_site((here(), spawn_pinned(|| async {})));
    assert_site((here(), spawn_blocking(|| {})));
    let local = spawn(async { assert_site((here(), spawn_local(async {}))) });
    local.wait().unwrap();
}

#[test]
fn the_spawn_site_of_a_builder_is_the_callers_line() {
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    assert_site((here(), Builder::new().spawn(async {})));
    assert_site((here(), Builder::new().eager(true).spawn(async {})));
    assert_site((here(), Builder::new().spawn_pinned(|| async {})));
    assert_site((here(), Builder::new().spawn_blocking(|| {})));
    let local = spawn(async { assert_site((here(), Builder::new().spawn_local(async {}))) });
    local.wait().unwrap();
}

#[test]
fn the_runtime_lists_exactly_the_living_tasks() {
    let runtime = runtime();
    assert!(runtime.handle().tasks().is_empty());
    let gate = Gate::new();
    let tasks: Vec<_> = (0..50).map(|_| runtime.spawn(gate.wait())).collect();
    let listed: HashSet<_> = runtime.handle().tasks().iter().map(task::Id::from_task).collect();
    assert_eq!(listed, tasks.iter().map(JoinHandle::id).collect());
    gate.open();
    tasks.into_iter().for_each(|task| task.wait().unwrap());
    assert!(runtime.handle().tasks().is_empty(), "a joined task is listed nowhere");
}

/// So that ids can be collected from either kind of reference.
trait FromTask {
    fn from_task(task: &task::Task) -> Self;
}

impl FromTask for task::Id {
    fn from_task(task: &task::Task) -> Self {
        task.id()
    }
}

#[test]
fn the_status_of_a_task_follows_its_life() {
    let runtime = runtime();
    let (begun, go, gate) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)), Gate::new());
    let (begin, goes, wait) = (begun.clone(), go.clone(), gate.wait());
    let handle = runtime.spawn(async move {
        begin.wait();
        goes.wait();
        wait.await;
    });
    let task = handle.task();
    begun.wait();
    assert_eq!(task.status(), Status::Scheduled);
    go.wait();
    eventually("it waits", || task.status() == Status::Waiting);
    assert!(!task.is_finished() && !handle.is_finished());
    gate.open();
    handle.wait().unwrap();
    assert_eq!(task.status(), Status::Finished);
    assert!(task.is_finished());
}

#[test]
fn a_task_reference_keeps_neither_future_nor_output_alive() {
    let runtime = runtime();
    let (future, output) = (Probe::new(), Probe::new());
    let (held, given) = (future.token(), output.token());
    let handle = runtime.spawn(async move {
        drop(held);
        given
    });
    let task = handle.task();
    drop(handle.wait());
    assert_eq!((future.drops(), output.drops()), (1, 1));
    assert!(task.is_finished());
}

#[test]
fn spawning_outside_of_a_runtime_says_what_to_do() {
    let told = |spawn: fn()| {
        let panicked = thread::spawn(spawn).join().unwrap_err();
        panicked.downcast_ref::<String>().expect("a text").clone()
    };
    let advice = "call it in `weftline::run`, in `Runtime::block_on`, in a task, or after";
    assert!(told(|| drop(spawn(async {}))).contains(advice));
    assert!(told(|| drop(spawn_blocking(|| {}))).contains(advice));
    assert!(told(|| drop(spawn_pinned(|| async {}))).contains(advice));
    assert!(told(|| drop(Handle::current())).contains("`weftline::run`"));
    let error = Handle::try_current().unwrap_err();
    assert!(error.to_string().contains("`weftline::run`"), "{error}");
}

#[test]
fn a_task_is_one_allocation() {
    if !in_child("spawn::a_task_is_one_allocation") {
        return;
    }
    let (from_inside, with_handle) = runtime_of(1).block_on(async {
        let counted = spawn(async {
            for _ in 0..100 {
                spawn(async { yield_now().await }).await.unwrap();
            }
            let before = counting::allocations_of_this_thread();
            for _ in 0..1000 {
                assert_eq!(spawn(async { [0_u8; 100] }).await.unwrap().len(), 100);
            }
            let joined = counting::allocations_of_this_thread() - before;
            let before = counting::allocations_of_this_thread();
            for _ in 0..1000 {
                drop(spawn(async { yield_now().await }));
                yield_now().await;
                yield_now().await;
            }
            (joined, counting::allocations_of_this_thread() - before)
        });
        counted.await.unwrap()
    });
    assert_eq!((from_inside, with_handle), (1000, 1000));
}

#[test]
fn a_future_object_can_be_spawned_through_futures_task() {
    use futures_task::{FutureObj, Spawn};
    let runtime = runtime();
    let ended = Gate::new();
    let end = ended.clone();
    let spawner: &dyn Spawn = runtime.handle();
    spawner.status().unwrap();
    spawner.spawn_obj(FutureObj::new(Box::new(async move { end.open() }))).unwrap();
    ended.block();
    let handle = runtime.handle().clone();
    drop(runtime);
    assert!(handle.status().unwrap_err().is_shutdown());
    let refused = handle.spawn_obj(FutureObj::new(Box::new(async {})));
    assert!(refused.unwrap_err().is_shutdown());
}

// AT-TASK-01
#[test]
fn a_task_without_a_name_is_told_by_its_number_and_numbers_grow() {
    alone(async {
        let tasks: Vec<_> = (0..10).map(|_| spawn(async {}).task()).collect();
        assert!(tasks.is_sorted_by_key(|task| task.id().get()));
        assert!(tasks.iter().all(|task| task.name().is_none()));
        let text = format!("{:?}", tasks[0]);
        assert!(text.contains(&tasks[0].id().get().to_string()), "{text}");
        let named = task::Builder::new().name("yolo").spawn(async {});
        let text = format!("{:?}", named.task());
        assert!(named.task().name() == Some("yolo") && text.contains("yolo"), "{text}");
    });
}
