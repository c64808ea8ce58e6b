//! Task-local variables: who inherits them, who sees what is set, and when values are dropped.

use crate::counting::allocations_of_this_thread;
use crate::probe::{Gate, Probe, Token};
use crate::rig::{
    PanicsWhenDropped, eventually, panic_on_purpose, reporting_runtime, runtime, runtime_of, settle,
};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use weftline::context::{Context, NotSet};
use weftline::runtime::Handle;
use weftline::task::{self, Builder, UnhandledKind};
use weftline::{Runtime, spawn, spawn_blocking, spawn_local, spawn_pinned, yield_now};

weftline::task_local! {
    static NAME: &'static str = "nobody";
    static NUMBER: usize;
    /// Attributes and visibility are taken over.
    pub(crate) static OWNED: Token;
    static ANYTHING: Box<dyn Fn() + Send + Sync>;
    static PANICS: PanicsWhenDropped;
    static PANICS_TOO: PanicsWhenDropped
}

fn counted() -> (Token, Probe) {
    let probe = Probe::new();
    (probe.token(), probe)
}

/// Calls this when it is dropped.
struct WhenDropped<F: FnMut()>(F);

impl<F: FnMut()> Drop for WhenDropped<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn number() -> Option<usize> {
    NUMBER.try_with(|number| *number).ok()
}

// AT-CV-01
#[test]
fn a_task_has_what_its_spawner_had_when_it_spawned_it() {
    runtime().block_on(async {
        NAME.set("parent");
        let gate = Gate::new();
        let wait = gate.wait();
        let child = spawn(async move {
            wait.await;
            let inherited = NAME.get();
            NAME.set("child");
            (inherited, NAME.get())
        });
        NAME.set("later");
        gate.open();
        assert_eq!(child.await.unwrap(), ("parent", "child"));
        assert_eq!(NAME.get(), "later");
    });
}

#[test]
fn every_kind_of_task_inherits() {
    let runtime = runtime();
    let in_task = runtime.spawn(async {
        NAME.set("spawner");
        let seen = [
            spawn(async { NAME.get() }).await.unwrap(),
            spawn_local(async { NAME.get() }).await.unwrap(),
            spawn_pinned(|| async { NAME.get() }).await.unwrap(),
            spawn_blocking(|| NAME.get()).await.unwrap(),
            Handle::current().spawn(async { NAME.get() }).await.unwrap(),
            Handle::current().spawn_blocking(|| NAME.get()).await.unwrap(),
            Builder::new().name("named").spawn(async { NAME.get() }).await.unwrap(),
            // Through one that sets nothing itself.
            spawn(async { spawn(async { NAME.get() }).await.unwrap() }).await.unwrap(),
        ];
        assert_eq!(seen, ["spawner"; 8]);
    });
    in_task.wait().unwrap();
}

#[test]
fn an_eager_task_has_a_copy_from_its_first_poll_on() {
    runtime().block_on(async {
        NAME.set("spawner");
        let child = Builder::new().eager(true).spawn(async {
            let inherited = NAME.get();
            NAME.set("child");
            yield_now().await;
            (inherited, NAME.get())
        });
        assert_eq!(NAME.get(), "spawner");
        assert_eq!(child.await.unwrap(), ("spawner", "child"));
        assert_eq!(NAME.get(), "spawner");
    });
}

// AT-CV-01, a hundred tasks that move
#[test]
fn what_a_task_sets_is_its_own_over_many_yields_on_all_workers() {
    let runtime = runtime_of(4);
    let _entered = runtime.handle().enter();
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            spawn(async move {
                assert_eq!(number(), None);
                for step in 0..200 {
                    NUMBER.set(n * 1000 + step);
                    yield_now().await;
                    assert_eq!(number(), Some(n * 1000 + step));
                }
                spawn_blocking(number).await.unwrap()
            })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.wait().unwrap(), Some(n * 1000 + 199));
    }
    assert_eq!(number(), None);
    for _ in 0..20 {
        assert_eq!(spawn(async { number() }).wait().unwrap(), None, "a worker kept a value");
    }
}

#[test]
fn a_value_goes_with_its_task_to_another_thread() {
    let runtime = runtime_of(2);
    let _entered = runtime.handle().enter();
    let here = thread::current().id();
    let task = Builder::new().eager(true).spawn(async move {
        NUMBER.set(7);
        assert_eq!(thread::current().id(), here);
        yield_now().await;
        (thread::current().id(), number())
    });
    let (there, seen) = task.wait().unwrap();
    assert_ne!(there, here);
    assert_eq!(seen, Some(7));
    assert_eq!(number(), None);
}

#[test]
fn the_main_future_has_a_copy_of_its_own() {
    let runtime = runtime();
    NAME.set("thread");
    runtime.block_on(async {
        assert_eq!(NAME.get(), "thread");
        NAME.set("main");
        yield_now().await;
        assert_eq!(NAME.get(), "main");
        assert_eq!(spawn(async { NAME.get() }).await.unwrap(), "main");
    });
    assert_eq!(NAME.get(), "thread");
    let inner = runtime.spawn(async {
        NAME.set("task");
        let inside = Runtime::builder().workers(1).build().unwrap().block_on(async {
            let inherited = NAME.get();
            NAME.set("inner");
            (inherited, spawn(async { NAME.get() }).await.unwrap())
        });
        (inside, NAME.get())
    });
    assert_eq!(inner.wait().unwrap(), (("task", "inner"), "task"));
}

#[test]
fn a_plain_thread_has_a_context_that_its_tasks_inherit() {
    let runtime = runtime();
    NAME.set("thread");
    assert_eq!(runtime.spawn(async { NAME.get() }).wait().unwrap(), "thread");
    thread::spawn(|| assert_eq!(NAME.get(), "nobody")).join().unwrap();
}

#[test]
fn a_variable_that_is_not_set_says_so() {
    let error: NotSet = NUMBER.try_with(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "the task-local `NUMBER` is not set here, and has no default");
    let runtime = runtime();
    let task = runtime.spawn(async {
        std::panic::catch_unwind(|| NUMBER.get()).map_err(|p| p.downcast::<String>().unwrap())
    });
    assert_eq!(*task.wait().unwrap().unwrap_err(), error.to_string());
}

#[test]
fn a_default_is_made_once() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    weftline::task_local! {
        static DEFAULT: usize = MADE.fetch_add(1, Relaxed);
    }
    let runtime = runtime();
    let tasks: Vec<_> = (0..10).map(|_| runtime.spawn(async { DEFAULT.get() })).collect();
    assert!(tasks.into_iter().all(|task| task.wait().unwrap() == 0));
    assert_eq!(Context::new().get(&DEFAULT), Some(&0));
}

#[test]
fn setting_gives_back_what_was_there() {
    runtime().block_on(async {
        let first = NUMBER.set(1);
        assert_eq!(first.value(), None);
        let second = NUMBER.set(2);
        assert_eq!(second.value(), Some(&1));
        second.restore();
        assert_eq!(number(), Some(1));
        first.restore();
        assert_eq!(number(), None);
        assert!(Context::current().is_empty());
    });
}

#[test]
fn a_scope_lasts_as_long_as_its_future() {
    runtime().block_on(async {
        NAME.set("outside");
        let scoped = NUMBER.scope(1, async {
            assert_eq!((NAME.get(), number()), ("outside", Some(1)));
            NAME.set("inside");
            yield_now().await;
            assert_eq!(spawn(async { (NAME.get(), number()) }).await.unwrap(), ("inside", Some(1)));
            NUMBER.sync_scope(2, || assert_eq!(number(), Some(2)));
            NUMBER.scope(3, async { assert_eq!(number(), Some(3)) }).await;
            number()
        });
        assert_eq!(scoped.await, Some(1));
        assert_eq!((NAME.get(), number()), ("outside", None));
    });
}

#[test]
fn scopes_side_by_side_in_one_task_do_not_meet() {
    let runtime = runtime();
    let task = runtime.spawn(async {
        let count = |n: usize| {
            NUMBER.scope(n, async move {
                for step in 0..10 {
                    assert_eq!(number(), Some(n + step));
                    yield_now().await;
                    NUMBER.set(n + step + 1);
                }
            })
        };
        let (mut a, mut b) = (Box::pin(count(100)), Box::pin(count(200)));
        let (mut a_done, mut b_done) = (false, false);
        std::future::poll_fn(|cx| {
            a_done = a_done || a.as_mut().poll(cx).is_ready();
            assert_eq!(number(), None);
            b_done = b_done || b.as_mut().poll(cx).is_ready();
            assert_eq!(number(), None);
            if a_done && b_done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    });
    task.wait().unwrap();
}

#[test]
fn a_scoped_future_is_dropped_in_its_scope() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = |seen: &Arc<Mutex<Vec<_>>>| {
        let seen = seen.clone();
        WhenDropped(move || seen.lock().unwrap().push(number()))
    };
    let unpolled = note(&seen);
    drop(NUMBER.scope(1, async move { drop(unpolled) }));
    let ready = note(&seen);
    runtime().block_on(NUMBER.scope(2, async move {
        let _ready = ready;
        yield_now().await;
    }));
    let panics = note(&seen);
    let runtime = runtime();
    let task = runtime.spawn(NUMBER.scope(3, async move {
        let _panics = panics;
        panic_on_purpose("in a scope")
    }));
    assert!(task.wait().is_err());
    assert_eq!(*seen.lock().unwrap(), [Some(1), Some(2), Some(3)]);
    assert_eq!(number(), None);
}

#[test]
fn a_panic_leaves_no_scope_behind() {
    let caught = std::panic::catch_unwind(|| {
        NUMBER.sync_scope(1, || panic_on_purpose("in a scope"));
    });
    assert!(caught.is_err());
    assert_eq!(number(), None);
}

#[test]
fn a_context_is_a_value() {
    runtime().block_on(async {
        NUMBER.set(1);
        let context = Context::current();
        NUMBER.set(2);
        assert_eq!(context.get(&NUMBER), Some(&1));
        assert_eq!(context.get(&NAME), Some(&"nobody"));
        let changed = context.run(|| {
            NUMBER.set(3);
            number()
        });
        assert_eq!(changed, Some(3));
        assert_eq!(context.run(number), Some(1), "what ran in it before left no trace");
        assert_eq!(context.clone().scope(async { number() }).await, Some(1));
        assert_eq!(Context::new().run(number), None);
        let both = context.with(&NUMBER, 4).with(&NAME, "four");
        assert_eq!(both.run(|| (NAME.get(), number())), ("four", Some(4)));
        let only = format!("{:?} {:?}", Context::new(), Context::new().with(&NUMBER, 1));
        assert_eq!(only, r#"Context({}) Context({"NUMBER"})"#);
        assert_eq!(number(), Some(2));
        thread::spawn(move || assert_eq!(both.run(number), Some(4))).join().unwrap();
    });
}

#[test]
fn a_task_may_be_given_a_context() {
    runtime().block_on(async {
        NUMBER.set(1);
        let given = Context::current();
        NUMBER.set(2);
        let spawned = |context: Context| {
            Builder::new().context(context).spawn(async {
                let before = number();
                NUMBER.set(9);
                before
            })
        };
        assert_eq!(spawned(given.clone()).await.unwrap(), Some(1));
        assert_eq!(spawned(given).await.unwrap(), Some(1), "each has a copy");
        assert_eq!(spawned(Context::new()).await.unwrap(), None);
        assert_eq!(number(), Some(2));
    });
}

#[test]
fn a_task_tells_its_context_until_its_output_is_gone() {
    let runtime = runtime();
    let task = runtime.spawn(async {
        NUMBER.set(5);
        yield_now().await;
        NUMBER.set(6);
    });
    let reference = task.task();
    eventually("it ends", || reference.is_finished());
    assert_eq!(reference.context().get(&NUMBER), Some(&6));
    task.wait().unwrap();
    assert!(reference.context().is_empty());
}

// AT-EH-03
#[test]
fn a_report_about_a_task_sees_its_values() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    let builder = Runtime::builder().workers(1);
    let runtime = builder
        .on_unhandled(move |unhandled| {
            into.lock().unwrap().push((unhandled.message().to_owned(), number()));
            NUMBER.set(99);
        })
        .build()
        .unwrap();
    let failing = |n| async move {
        NUMBER.set(n);
        panic_on_purpose("unread")
    };
    // The panic is found by the worker, or by whoever drops the handle.
    drop(runtime.spawn(failing(1)));
    eventually("it is reported", || seen.lock().unwrap().len() == 1);
    let ended = runtime.spawn(failing(2));
    eventually("it ends", || ended.is_finished());
    drop(ended);
    let late = runtime.spawn(async {
        NUMBER.set(3);
        PanicsWhenDropped("late")
    });
    eventually("it ends", || late.is_finished());
    drop(late);
    let unread = |text: &str, n| (format!("on purpose: {text}"), Some(n));
    let expected = [unread("unread", 1), unread("unread", 2), unread("late", 3)];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(number(), None, "what a hook sets is forgotten");
}

#[test]
fn a_task_that_outlives_its_runtime_is_reported_with_its_values() {
    let seen = Arc::new(Mutex::new(None));
    let into = seen.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let builder = Runtime::builder().workers(1).grace(std::time::Duration::ZERO);
    let stays = builder.on_unhandled(move |_| *into.lock().unwrap() = number()).run(async {
        NUMBER.set(4);
        let (begin, began) = std::sync::mpsc::channel::<()>();
        drop(spawn_blocking(move || {
            begin.send(()).unwrap();
            stopped.recv()
        }));
        began.recv().unwrap();
    });
    stays.unwrap();
    assert_eq!(*seen.lock().unwrap(), Some(4));
    drop(stop);
}

#[test]
fn each_value_is_dropped_once_when_the_last_context_goes() {
    let (value, drops) = counted();
    let runtime = runtime();
    let gate = Gate::new();
    let (wait, drops_meanwhile) = (gate.wait(), drops.clone());
    let task = runtime.spawn(async move {
        OWNED.set(value);
        let child = spawn(async move {
            wait.await;
            OWNED.with(|_| drops_meanwhile.drops())
        });
        let replaced = counted();
        OWNED.set(replaced.0);
        (child, replaced.1)
    });
    let (child, replaced) = task.wait().unwrap();
    assert_eq!(replaced.drops(), 1, "its task has ended");
    assert_eq!(drops.drops(), 0, "the child has it");
    let kept = child.task();
    gate.open();
    assert_eq!(child.wait().unwrap(), 0);
    assert_eq!(drops.drops(), 1);
    drop(kept);
}

#[test]
fn a_cancelled_task_and_one_that_never_began_drop_their_values() {
    let (value, drops) = counted();
    let runtime = runtime();
    let waiting = OWNED.sync_scope(value, || runtime.spawn(std::future::pending::<()>()));
    eventually("it waits", || waiting.task().status() == task::Status::Waiting);
    waiting.cancel();
    assert!(waiting.wait().unwrap_err().is_cancelled());
    assert_eq!(drops.drops(), 1);
    let (value, drops) = counted();
    let handle = runtime.handle().clone();
    drop(runtime);
    let refused = OWNED.sync_scope(value, || handle.spawn(async {}));
    assert!(refused.wait().unwrap_err().is_cancelled());
    assert_eq!(drops.drops(), 1);
}

#[test]
fn a_detached_task_drops_its_values_when_it_ends() {
    let (value, drops) = counted();
    let runtime = runtime();
    let task = OWNED.sync_scope(value, || runtime.spawn(async { yield_now().await }));
    let kept = task.task();
    drop(task);
    eventually("they are dropped", || drops.drops() == 1);
    drop(kept);
}

#[test]
fn values_that_panic_when_they_are_dropped_are_reported() {
    let (runtime, reports) = reporting_runtime(1);
    let task = runtime.spawn(async {
        drop(PANICS.set(PanicsWhenDropped("a value")));
        drop(PANICS_TOO.set(PanicsWhenDropped("another value")));
        5
    });
    let id = task.id();
    assert_eq!(task.wait().unwrap(), 5);
    let detached = runtime.spawn(async {
        drop(PANICS.set(PanicsWhenDropped("a value")));
    });
    let detached_id = detached.id();
    drop(detached);
    settle(&runtime);
    for id in [id, detached_id] {
        let about = reports.about(id);
        assert_eq!(about.len(), 1, "{about:?}");
        assert_eq!(about[0].kind, UnhandledKind::DropPanicked);
        assert!(about[0].message.ends_with("value"), "{about:?}");
    }
}

#[test]
fn a_value_that_panics_when_its_thread_ends_harms_nobody() {
    let thread = thread::spawn(|| {
        drop(PANICS.set(PanicsWhenDropped("of a thread")));
    });
    thread.join().unwrap();
}

#[test]
fn a_destructor_of_a_value_may_use_variables() {
    let (seen, into) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let note = |into: &Arc<Mutex<Vec<_>>>| {
        let into = into.clone();
        let last = WhenDropped(move || {
            let before = number();
            drop(NUMBER.set(8));
            drop(ANYTHING.set(Box::new(|| ())));
            into.lock().unwrap().push(before);
        });
        let last = Mutex::new(last);
        Box::new(move || drop(last.lock().unwrap())) as Box<dyn Fn() + Send + Sync>
    };
    let value = note(&seen);
    let runtime = runtime();
    let task = runtime.spawn(async move {
        NUMBER.set(1);
        ANYTHING.set(value);
        drop(ANYTHING.set(Box::new(|| ())));
        number()
    });
    assert_eq!(task.wait().unwrap(), Some(8), "it was dropped in the middle of the task");
    let value = note(&into);
    thread::spawn(move || drop(ANYTHING.set(value))).join().unwrap();
    assert_eq!(*seen.lock().unwrap(), [Some(1)]);
    assert_eq!(*into.lock().unwrap(), [None], "a thread that ends has no values");
}

#[test]
fn a_value_may_be_replaced_while_it_is_lent() {
    runtime().block_on(async {
        let (value, drops) = counted();
        OWNED.set(value);
        OWNED.with(|_| {
            drop(OWNED.set(counted().0));
            assert_eq!(drops.drops(), 0);
        });
        assert_eq!(drops.drops(), 1);
    });
}

#[test]
fn a_blocking_wait_inside_of_a_task_keeps_its_values() {
    let runtime = runtime_of(2);
    let task = runtime.spawn(async {
        NUMBER.set(1);
        let other = spawn(async {
            NUMBER.set(2);
            yield_now().await;
            number()
        });
        let other = other.wait().unwrap();
        (number(), other)
    });
    assert_eq!(task.wait().unwrap(), (Some(1), Some(2)));
}

#[test]
fn a_hook_on_a_thread_sets_nothing_for_the_tasks() {
    let runtime =
        Runtime::builder().workers(1).on_thread_start(|| drop(NUMBER.set(1))).build().unwrap();
    assert_eq!(runtime.spawn(async { number() }).wait().unwrap(), None);
}

#[test]
fn poll_hooks_see_the_values_of_their_task() {
    let seen = Arc::new(AtomicUsize::new(0));
    let into = seen.clone();
    let builder = Runtime::builder().workers(1);
    let runtime = builder
        .on_task_poll_end(move |_| into.store(number().unwrap_or(0), Relaxed))
        .build()
        .unwrap();
    runtime.spawn(async { drop(NUMBER.set(5)) }).wait().unwrap();
    assert_eq!(seen.load(Relaxed), 5);
}

#[test]
fn where_nothing_was_set_a_spawn_allocates_nothing_more() {
    let runtime = runtime_of(1);
    let task = runtime.spawn(async {
        let mut fewest = usize::MAX;
        for _ in 0..20 {
            let before = allocations_of_this_thread();
            spawn_local(async {}).await.unwrap();
            fewest = fewest.min(allocations_of_this_thread() - before);
        }
        fewest
    });
    assert_eq!(task.wait().unwrap(), 1);
}
