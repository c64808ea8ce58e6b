//! Callbacks: in which order and when they are called, how often, and what prevents it.

use crate::probe::Probe;
use crate::rig::{
    PanicsWhenDropped, eventually, holder, panic_on_purpose, reporting_runtime, runtime,
    runtime_of, settle, within_limit,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use weftline::runtime::{CallHandle, Grace, Handle};
use weftline::task::{self, UnhandledKind};
use weftline::{Runtime, spawn, yield_now};

weftline::task_local! {
    static NUMBER: usize = 0;
    static PANICS: PanicsWhenDropped;
}

/// Where callbacks say that they were called.
struct Calls(Sender<usize>, Receiver<usize>);

impl Calls {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self(sender, receiver)
    }

    /// A callback that says so.
    fn note(&self, n: usize) -> impl FnOnce() + Send + 'static {
        let sender = self.0.clone();
        move || sender.send(n).expect("the test waits")
    }

    /// All calls, once no callback is left.
    fn all(self) -> Vec<usize> {
        drop(self.0);
        self.1.iter().collect()
    }
}

/// Keeps the queue busy until it is told to go on, so that what is registered meanwhile waits.
fn hold(handle: &Handle) -> Sender<()> {
    let (go_on, goes_on) = mpsc::channel();
    let (begin, begun) = mpsc::channel();
    handle.call_soon(move || {
        begin.send(()).unwrap();
        goes_on.recv().unwrap();
    });
    begun.recv().unwrap();
    go_on
}

// AT-CB-01
#[test]
fn callbacks_are_called_in_the_order_of_registration() {
    let runtime = runtime_of(4);
    let calls = Calls::new();
    for n in 0..10_000 {
        runtime.handle().call_soon(calls.note(n));
    }
    assert_eq!(calls.all(), (0..10_000).collect::<Vec<_>>());
}

#[test]
fn the_order_holds_for_a_task_that_moves_and_across_threads_that_take_turns() {
    let runtime = runtime_of(4);
    let calls = Calls::new();
    let notes: Vec<_> = (0..1000).map(|n| calls.note(n)).collect();
    let task = runtime.spawn(async move {
        let mut noted = notes.into_iter();
        while let Some(note) = noted.next() {
            Handle::current().call_soon(note);
            yield_now().await;
            let Some(note) = noted.next() else { break };
            let handle = Handle::current();
            thread::spawn(move || drop(handle.call_soon(note))).join().unwrap();
        }
    });
    task.wait().unwrap();
    assert_eq!(calls.all(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn each_thread_finds_its_own_order_and_no_two_callbacks_run_at_once() {
    const THREADS: usize = 4;
    const EACH: usize = 2_000;
    let runtime = runtime_of(4);
    let calls = Calls::new();
    let (running, start) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(THREADS)));
    thread::scope(|scope| {
        for t in 0..THREADS {
            let notes: Vec<_> = (0..EACH).map(|n| calls.note(t * EACH + n)).collect();
            let (handle, running, start) = (runtime.handle(), running.clone(), start.clone());
            scope.spawn(move || {
                start.wait();
                for note in notes {
                    let running = running.clone();
                    handle.call_soon(move || {
                        assert!(!running.swap(true, SeqCst), "two at once");
                        note();
                        running.store(false, SeqCst);
                    });
                }
            });
        }
    });
    let called = calls.all();
    assert_eq!(called.len(), THREADS * EACH);
    for t in 0..THREADS {
        let of_thread = called.iter().filter(|n| **n / EACH == t).copied();
        assert!(of_thread.eq(t * EACH..(t + 1) * EACH));
    }
}

// AT-TH-07
#[test]
fn a_callback_from_a_plain_thread_wakes_a_runtime_that_sleeps() {
    within_limit(|| {
        let runtime = runtime_of(1);
        settle(&runtime);
        for round in 0..20 {
            // Long enough, most times, for the worker to fall asleep.
            thread::sleep(Duration::from_millis(2));
            let calls = Calls::new();
            runtime.handle().call_soon(calls.note(round));
            assert_eq!(calls.all(), [round]);
        }
    });
}

#[test]
fn callbacks_of_callbacks_come_after_those_that_wait() {
    let runtime = runtime();
    let calls = Calls::new();
    let go_on = hold(runtime.handle());
    let (outer, inner, handle) = (calls.note(0), calls.note(2), runtime.handle().clone());
    runtime.handle().call_soon(move || {
        outer();
        handle.call_soon(inner);
    });
    runtime.handle().call_soon(calls.note(1));
    go_on.send(()).unwrap();
    assert_eq!(calls.all(), [0, 1, 2]);
}

#[test]
fn a_chain_of_callbacks_leaves_room_for_tasks() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let stop = Arc::new(AtomicBool::new(false));
        fn again(handle: Handle, stop: Arc<AtomicBool>) {
            if !stop.load(SeqCst) {
                handle.clone().call_soon(move || again(handle, stop));
            }
        }
        again(runtime.handle().clone(), stop.clone());
        runtime.spawn(async { yield_now().await }).wait().unwrap();
        stop.store(true, SeqCst);
    });
}

#[test]
fn a_later_call_is_never_early() {
    let runtime = runtime();
    let (sender, called) = mpsc::channel();
    for micros in [0, 1, 50, 999, 1_000, 3_333, 20_000] {
        let sender = sender.clone();
        let delay = Duration::from_micros(micros);
        let before = Instant::now();
        let timer = runtime.handle().call_later(delay, move || {
            sender.send((before + delay, Instant::now())).unwrap();
        });
        assert!(timer.when() >= before + delay);
    }
    drop(sender);
    let mut count = 0;
    for (when, at) in called {
        assert!(at >= when, "{:?} early", when - at);
        count += 1;
    }
    assert_eq!(count, 7);
}

// AT-CB-01, deadlines that have passed
#[test]
fn timers_are_called_by_time_and_then_by_registration() {
    let runtime = runtime();
    let calls = Calls::new();
    let go_on = hold(runtime.handle());
    let now = Instant::now();
    let at = |ms: u64| now + Duration::from_millis(ms);
    let past =
        |ms: u64| now.checked_sub(Duration::from_millis(ms)).expect("the clock began before");
    for (when, n) in [(at(5), 5), (at(1), 3), (at(1), 4), (past(1), 2), (past(2), 1)] {
        runtime.handle().call_at(when, calls.note(n));
    }
    // Its turn came when it was registered.
    runtime.handle().call_soon(calls.note(0));
    go_on.send(()).unwrap();
    assert_eq!(calls.all(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn an_earlier_timer_overtakes_one_that_is_waited_for() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let calls = Calls::new();
        let far = runtime.handle().call_later(Duration::from_secs(3600), calls.note(1));
        settle(&runtime);
        runtime.handle().call_later(Duration::from_millis(1), calls.note(0));
        assert_eq!(calls.1.recv(), Ok(0));
        assert!(far.cancel());
        assert_eq!(calls.all(), []);
    });
}

// AT-CB-01, one that is cancelled
#[test]
fn a_cancelled_callback_is_not_called_and_is_dropped_at_once() {
    let runtime = runtime();
    let calls = Calls::new();
    let go_on = hold(runtime.handle());
    let probe = Probe::new();
    let (soon_token, later_token) = (probe.token(), probe.token());
    runtime.handle().call_soon(calls.note(0));
    let soon = runtime.handle().call_soon(move || drop(soon_token));
    let later = runtime.handle().call_later(Duration::ZERO, move || drop(later_token));
    runtime.handle().call_soon(calls.note(1));
    assert!(!soon.is_cancelled() && !later.is_cancelled());
    assert!(soon.cancel() && later.cancel());
    assert_eq!(probe.drops(), 2);
    assert!(soon.is_cancelled() && later.is_cancelled());
    assert!(!soon.cancel() && !later.cancel(), "nothing was left to prevent");
    go_on.send(()).unwrap();
    assert_eq!(calls.all(), [0, 1]);
    assert!(format!("{soon:?} {later:?}").contains("cancelled"));
}

#[test]
fn cancelling_comes_too_late_during_the_call_and_after_it() {
    let runtime = runtime();
    let (give, given) = mpsc::channel::<CallHandle>();
    let (tell, told) = mpsc::channel();
    let own = runtime.handle().call_soon(move || {
        let own = given.recv().unwrap();
        tell.send((own.cancel(), own.is_cancelled(), own)).unwrap();
    });
    give.send(own).unwrap();
    let (prevented, is_cancelled, own) = told.recv().unwrap();
    assert!(!prevented && !is_cancelled);
    assert!(!own.cancel() && !own.is_cancelled());
}

#[test]
fn of_a_call_and_a_cancel_at_once_exactly_one_wins() {
    let runtime = runtime_of(2);
    let called = Arc::new(AtomicUsize::new(0));
    let mut prevented = 0;
    for round in 0..5_000 {
        let called = called.clone();
        let count = move || {
            called.fetch_add(1, SeqCst);
        };
        prevented += usize::from(if round % 2 == 0 {
            runtime.handle().call_soon(count).cancel()
        } else {
            runtime.handle().call_later(Duration::ZERO, count).cancel()
        });
    }
    let calls = Calls::new();
    runtime.handle().call_later(Duration::ZERO, calls.note(0));
    assert_eq!(calls.all(), [0]);
    assert_eq!(called.load(SeqCst) + prevented, 5_000);
}

// AT-SL-03, all of them
#[test]
fn where_all_timers_are_cancelled_nothing_is_left() {
    let runtime = runtime();
    let far = Duration::from_secs(3600);
    let timers: Vec<_> = (0..100).map(|_| runtime.handle().call_later(far, || ())).collect();
    let task = &runtime.handle().tasks()[0];
    assert_eq!(task.name(), Some("callbacks"));
    eventually("it waits", || task.status() == task::Status::Waiting);
    assert!(timers.iter().all(weftline::runtime::TimerHandle::cancel));
    eventually("it has ended", || task.is_finished());
    assert!(runtime.handle().tasks().is_empty());
}

#[test]
fn a_delay_beyond_all_time_is_far_away() {
    let runtime = runtime();
    let timer = runtime.handle().call_later(Duration::MAX, || panic!("already"));
    assert!(timer.when() > Instant::now() + Duration::from_secs(1 << 31));
    settle(&runtime);
    assert!(timer.cancel());
}

#[test]
fn a_callback_runs_in_the_context_of_its_registration() {
    let runtime = runtime();
    let calls = Calls::new();
    let register = |n: usize| {
        NUMBER.set(n);
        let (note, later) = (calls.0.clone(), calls.0.clone());
        runtime.handle().call_soon(move || {
            note.send(NUMBER.get()).unwrap();
            NUMBER.set(100);
        });
        runtime.handle().call_later(Duration::from_millis(1), move || {
            later.send(NUMBER.get() + 10).unwrap();
        });
    };
    register(1);
    register(2);
    NUMBER.set(3);
    let task = runtime.block_on(async {
        NUMBER.set(4);
        let (tell, told) = mpsc::channel();
        Handle::current().call_soon(move || tell.send(spawn(async { NUMBER.get() })).unwrap());
        told
    });
    assert_eq!(task.recv().unwrap().wait().unwrap(), 4);
    assert_eq!(NUMBER.get(), 3);
    let mut seen = calls.all();
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 11, 12]);
}

// AT-EH-01, AT-EH-03
#[test]
fn a_panic_is_reported_with_the_place_and_the_context_of_the_registration() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    let runtime = Runtime::builder()
        .workers(1)
        .on_unhandled(move |unhandled| {
            let at = unhandled.registered_at().map(|place| (place.file(), place.line()));
            into.lock().unwrap().push((unhandled.kind(), at, NUMBER.get(), unhandled.to_string()));
        })
        .build()
        .unwrap();
    let calls = Calls::new();
    NUMBER.set(7);
    let first = line!() + 1;
    runtime.handle().call_soon(|| panic_on_purpose("soon"));
    runtime.handle().call_later(Duration::from_millis(1), || panic_on_purpose("later"));
    runtime.handle().call_later(Duration::from_millis(2), calls.note(0));
    assert_eq!(calls.all(), [0], "the others are called all the same");
    let seen = seen.lock().unwrap();
    for (at, what) in ["soon", "later"].into_iter().enumerate() {
        let (kind, place, number, text) = &seen[at];
        assert_eq!(*kind, UnhandledKind::CallbackPanicked);
        assert_eq!(*place, Some((file!(), first + u32::try_from(at).unwrap())));
        assert_eq!(*number, 7);
        assert!(text.contains(what) && text.contains("registered at"), "{text}");
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn a_value_that_panics_when_it_goes_with_the_callback_is_reported() {
    let (runtime, reports) = reporting_runtime(1);
    let calls = Calls::new();
    // The callback has the value last: it is called when this thread has left the scope.
    let (hold, held) = holder();
    runtime.handle().call_soon(hold);
    PANICS.sync_scope(PanicsWhenDropped("a value"), || {
        runtime.handle().call_soon(calls.note(0));
    });
    held.release();
    runtime.handle().call_soon(calls.note(1));
    assert_eq!(calls.all(), [0, 1]);
    let reports = reports.all();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!(reports[0].kind, UnhandledKind::CallbackPanicked);
    assert!(runtime.handle().tasks().len() <= 1);
}

// AT-RUN-13, callbacks and timers
#[test]
fn what_waits_when_the_runtime_ends_is_dropped_and_not_called() {
    let (runtime, reports) = reporting_runtime(2);
    let probe = Probe::new();
    let handle = runtime.handle().clone();
    let (begin, begun) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    runtime.handle().call_soon(move || {
        begin.send(()).unwrap();
        ended.recv().unwrap();
    });
    begun.recv().unwrap();
    let token = || probe.token();
    let never = |token| move || panic!("called after the end: {token:?}");
    let soon = handle.call_soon(never(token()));
    let later = handle.call_later(Duration::from_secs(60), never(token()));
    let breaks = PanicsWhenDropped("a callback's own");
    handle.call_soon(move || panic!("called after the end: {breaks:?}"));
    let ending = thread::spawn(move || runtime.shutdown(Grace::Forever));
    let tasks = || handle.tasks();
    eventually("it is cancelled", || tasks().iter().all(|task| task.cancelling() > 0));
    end.send(()).unwrap();
    assert!(ending.join().unwrap().is_clean());
    assert_eq!(probe.drops(), 2);
    assert!(soon.is_cancelled() && later.is_cancelled());
    assert!(!soon.cancel() && !later.cancel());
    let late = handle.call_soon(never(token()));
    let later = handle.call_later(Duration::ZERO, never(token()));
    assert!(late.is_cancelled() && later.is_cancelled());
    assert_eq!(probe.drops(), 4);
    let reports = reports.all();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!(reports[0].kind, UnhandledKind::CallbackPanicked);
}

#[test]
fn cancelling_all_tasks_takes_no_callback_back() {
    within_limit(|| {
        let runtime = runtime();
        let calls = Calls::new();
        for n in 0..50 {
            runtime.handle().call_later(Duration::from_millis(n as u64), calls.note(n));
            runtime.handle().tasks().iter().for_each(|task| {
                task.cancel();
            });
        }
        assert_eq!(calls.all(), (0..50).collect::<Vec<_>>());
    });
}

#[test]
fn a_callback_may_spawn_and_is_no_child_of_who_came_first() {
    let runtime = runtime();
    let parent = runtime.spawn(async {
        let (tell, told) = mpsc::channel();
        Handle::current().call_soon(move || tell.send(task::current()).unwrap());
        told
    });
    let current = parent.wait().unwrap().recv().unwrap().expect("a task calls");
    assert_eq!((current.name(), current.parent()), (Some("callbacks"), None));
    assert!(current.context().is_empty());
}

// AT-SL-03
#[test]
fn cancelled_timers_leave_at_once_and_the_others_stay() {
    let runtime = runtime_of(1);
    let calls = Calls::new();
    let probe = Probe::new();
    let at = Instant::now() + Duration::from_millis(20);
    let timers: Vec<_> = (0..300)
        .map(|n| {
            let (token, note) = (probe.token(), calls.note(n));
            runtime.handle().call_at(at, move || {
                drop(token);
                note();
            })
        })
        .collect();
    let cancelled = timers.iter().enumerate().filter(|(n, _)| n % 3 != 0);
    let prevented = cancelled.filter(|(_, timer)| timer.cancel()).count();
    if Instant::now() < at {
        assert_eq!((prevented, probe.drops()), (200, 200), "nothing waits for its deadline");
    }
    let called = calls.all();
    assert_eq!(called.len() + prevented, 300);
    assert!((0..300).step_by(3).all(|n| called.contains(&n)));
    assert_eq!(probe.drops(), 300);
}
