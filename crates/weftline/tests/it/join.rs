//! Join handles: awaited, waited for, shared, left, dropped.

use crate::probe::{Gate, Probe};
use crate::rig::{
    eventually, panic_on_purpose, panic_with, reporting_runtime, runtime, settle, within_limit,
};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};
use weftline::runtime::Handle;
use weftline::task::{Id, SharedHandle, Status, UnhandledKind};
use weftline::{JoinError, JoinHandle, Runtime, Task, spawn, yield_now};

/// Polls a future once, with a waker of the caller's.
fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

#[test]
fn handles_go_wherever_their_values_may() {
    fn anywhere<T: Send + Sync + Unpin + 'static>() {}
    fn moves<T: Send>() {}
    anywhere::<JoinHandle<Cell<u8>>>();
    anywhere::<SharedHandle<u8>>();
    anywhere::<Task>();
    anywhere::<Id>();
    anywhere::<JoinError>();
    anywhere::<Handle>();
    anywhere::<Runtime>();
    moves::<JoinHandle<Box<dyn Send>>>();
}

#[test]
fn a_plain_thread_waits_for_a_task() {
    let runtime = runtime();
    let gate = Gate::new();
    let task = runtime.spawn({
        let wait = gate.wait();
        async move {
            wait.await;
            5
        }
    });
    let waiter = thread::spawn(move || task.wait());
    gate.open();
    assert_eq!(waiter.join().unwrap().unwrap(), 5);
}

#[test]
fn a_wait_with_a_limit_ends_and_the_handle_stays_good() {
    let runtime = runtime();
    let gate = Gate::new();
    let mut task = runtime.spawn(gate.wait());
    let began = Instant::now();
    assert!(task.wait_timeout(Duration::from_millis(20)).is_none());
    assert!(began.elapsed() >= Duration::from_millis(20));
    assert!(task.wait_timeout(Duration::ZERO).is_none());
    gate.open();
    task.wait_timeout(Duration::MAX).expect("it ends long before that").unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_wait_of_zero_takes_what_is_there() {
    let runtime = runtime();
    let mut task = runtime.spawn(async { 1 });
    eventually("it ended", || task.is_finished());
    assert_eq!(task.wait_timeout(Duration::ZERO).unwrap().unwrap(), 1);
}

#[test]
fn taking_the_output_twice_is_refused() {
    let runtime = runtime();
    let mut task = runtime.spawn(async { 1 });
    runtime.block_on(&mut task).unwrap();
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        poll_with(&mut task, Waker::noop()).is_ready()
    }));
    let text = *again.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(text, "a `JoinHandle` was polled after it gave its output");
}

#[test]
fn only_the_last_waker_of_a_handle_is_woken() {
    let runtime = runtime();
    let gate = Gate::new();
    let (first, last) = (Probe::new(), Probe::new());
    let mut task = runtime.spawn(gate.wait());
    for probe in [&first, &last, &last] {
        assert!(poll_with(&mut task, &probe.waker()).is_pending());
    }
    gate.open();
    eventually("it is woken", || last.wakes() == 1);
    settle(&runtime);
    assert_eq!((first.wakes(), last.wakes()), (0, 1));
    assert!(poll_with(&mut task, Waker::noop()).is_ready());
}

#[test]
fn a_handle_that_was_polled_and_left_loses_nothing() {
    let runtime = runtime();
    let gate = Gate::new();
    let wait = gate.wait();
    runtime.block_on(async move {
        let mut slow = spawn(async {
            wait.await;
            "slow"
        });
        // As a select: whichever is first, and the other is left for now.
        for _ in 0..10 {
            let mut quick = pin!(yield_now());
            let slow_first = poll_fn(|cx| match Pin::new(&mut slow).poll(cx) {
                Poll::Ready(_) => Poll::Ready(true),
                Poll::Pending => quick.as_mut().poll(cx).map(|()| false),
            });
            assert!(!slow_first.await);
        }
        gate.open();
        assert_eq!(slow.await.unwrap(), "slow");
    });
}

#[test]
fn a_waiting_handle_that_is_dropped_drops_its_waker_and_detaches() {
    let runtime = runtime();
    let (gate, ended, waker) = (Gate::new(), Probe::new(), Probe::new());
    let mut task = runtime.spawn(ended.future(gate.wait()));
    let registered = Arc::new(Registered(waker.token()));
    assert!(poll_with(&mut task, &Waker::from(registered)).is_pending());
    assert_eq!(waker.drops(), 0);
    drop(task);
    assert_eq!(waker.drops(), 1);
    gate.open();
    eventually("the task runs on", || ended.drops() == 1);
}

/// A waker that carries something.
struct Registered<T>(T);

impl<T: Send + Sync + 'static> Wake for Registered<T> {
    fn wake(self: Arc<Self>) {
        let _carried = &self.0;
    }
}

#[test]
fn dropping_a_cancelling_handle_ends_its_task() {
    let runtime = runtime();
    let probe = Probe::new();
    let handle = runtime.spawn(probe.future(pending::<()>())).cancel_on_drop();
    let task = handle.task();
    eventually("it waits", || probe.polls() == 1);
    drop(handle);
    eventually("it is gone", || task.is_finished() && probe.drops() == 1);
    assert_eq!(task.cancelling(), 1);
}

#[test]
fn a_waiting_task_that_is_cancelled_may_still_take_what_is_ready() {
    let runtime = runtime();
    let (runs, ready) = (Probe::new(), Arc::new(AtomicBool::new(false)));
    let is_ready = ready.clone();
    // Nobody wakes it: only the cancellation makes it look again.
    let task = runtime.spawn(runs.future(poll_fn(move |_| {
        if is_ready.load(Ordering::SeqCst) { Poll::Ready("kept") } else { Poll::Pending }
    })));
    eventually("it waits", || task.task().status() == Status::Waiting);
    ready.store(true, Ordering::SeqCst);
    task.cancel();
    assert_eq!(task.wait().unwrap(), "kept");
}

#[test]
fn a_cancelling_handle_that_gave_its_value_cancels_nothing() {
    let runtime = runtime();
    let mut handle = runtime.spawn(async { 3 }).cancel_on_drop();
    assert_eq!(runtime.block_on(&mut handle).unwrap(), 3);
    drop(handle);
    assert!(runtime.handle().tasks().is_empty());
}

#[test]
fn a_cancelled_task_is_gone_when_its_joiner_knows() {
    let runtime = runtime();
    let probe = Probe::new();
    let task = runtime.spawn(probe.future(pending::<()>()));
    eventually("it waits", || probe.polls() == 1);
    task.cancel();
    let error = task.wait().unwrap_err();
    assert!(error.is_cancelled() && !error.is_panic());
    assert_eq!(error.panic_message(), None);
    assert_eq!(probe.drops(), 1);
    assert!(error.into_panic().is_err());
}

#[test]
fn a_task_that_returns_in_the_poll_that_was_cancelled_has_returned() {
    let runtime = runtime();
    let task = runtime.spawn(async {
        weftline::task::current().unwrap().cancel();
        "kept"
    });
    assert_eq!(task.wait().unwrap(), "kept");
}

#[test]
fn a_task_that_cancels_itself_ends_where_it_suspends_next() {
    let runtime = runtime();
    let probe = Probe::new();
    let reached = probe.clone();
    let task = runtime.spawn(async move {
        let _held = probe.token();
        weftline::task::current().unwrap().cancel();
        yield_now().await;
        panic_on_purpose("it went on");
    });
    assert!(task.wait().unwrap_err().is_cancelled());
    assert_eq!(reached.drops(), 1);
}

#[test]
fn a_panic_reaches_the_joiner_with_its_payload_and_its_text() {
    let (runtime, reports) = reporting_runtime(2);
    let text = runtime.spawn(async { panic_on_purpose("a text") }).wait();
    let text: JoinError = text.map(|(): ()| ()).unwrap_err();
    assert!(text.is_panic() && !text.is_cancelled());
    assert_eq!(text.panic_message(), Some("on purpose: a text"));
    let id = text.id();
    assert_eq!(text.to_string(), format!("task {id} panicked: on purpose: a text"));
    let value = runtime.spawn(async { panic_with(7_i32) }).wait();
    let payload = value.map(|(): ()| ()).unwrap_err().into_panic().unwrap();
    assert_eq!(payload.downcast_ref::<i32>(), Some(&7));
    settle(&runtime);
    assert!(reports.all().is_empty(), "it was read: {:?}", reports.all());
}

#[test]
fn the_error_of_a_task_with_a_name_says_the_name() {
    let runtime = runtime();
    let _entered = runtime.handle().enter();
    let named = || weftline::task::Builder::new().name("mill");
    let panicked = named().spawn(async { panic_on_purpose("grit") });
    let error: JoinError = panicked.wait().map(|(): ()| ()).unwrap_err();
    let id = error.id();
    assert_eq!(error.to_string(), format!("task {id} \"mill\" panicked: on purpose: grit"));
    assert!(format!("{error:?}").contains("\"mill\""), "{error:?}");

    let cancelled = named().spawn(std::future::pending::<()>());
    cancelled.cancel_with("no corn");
    let error = cancelled.wait().unwrap_err();
    assert_eq!(error.to_string(), format!("task {} \"mill\" was cancelled: no corn", error.id()));
    assert_eq!(error.cancel_reason(), Some("no corn"));
}

#[test]
fn a_shared_handle_gives_many_waiters_the_same() {
    within_limit(|| {
        let runtime = runtime();
        let gate = Gate::new();
        let wait = gate.wait();
        let shared = runtime.spawn(async move {
            wait.await;
            String::from("one")
        });
        let shared = shared.shared();
        let left = Probe::new();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (shared, handle) = (shared.clone(), runtime.handle().clone());
                thread::spawn(move || handle.block_on(shared).unwrap())
            })
            .collect();
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let shared = shared.clone();
                runtime.spawn(async move { shared.await.unwrap() })
            })
            .collect();
        let mut leaving = shared.clone();
        assert!(poll_with(&mut leaving, &left.waker()).is_pending());
        drop(leaving);
        gate.open();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap() == "one"));
        assert!(tasks.into_iter().all(|task| task.wait().unwrap() == "one"));
        assert_eq!(runtime.block_on(shared).unwrap(), "one");
        assert_eq!(left.wakes(), 0, "who has left is not woken");
    });
}

#[test]
fn a_shared_handle_wakes_the_others_when_the_woken_one_is_dropped() {
    let runtime = runtime();
    let gate = Gate::new();
    let probes: Vec<_> = (0..3).map(|_| Probe::new()).collect();
    let shared = runtime.spawn(gate.wait()).shared();
    let mut waiting: Vec<_> = probes.iter().map(|_| shared.clone()).collect();
    for (handle, probe) in waiting.iter_mut().zip(&probes) {
        assert!(poll_with(handle, &probe.waker()).is_pending());
    }
    gate.open();
    eventually("all are woken", || probes.iter().all(|probe| probe.wakes() == 1));
    drop(waiting.remove(0));
    assert!(waiting.iter_mut().all(|handle| poll_with(handle, Waker::noop()).is_ready()));
}

#[test]
fn a_shared_handle_shares_the_error() {
    let (runtime, reports) = reporting_runtime(2);
    let shared = runtime.spawn(async { panic_on_purpose("for all") });
    let shared: SharedHandle<()> = shared.shared();
    let (first, second) = (shared.clone(), shared.clone());
    let first = runtime.block_on(first).unwrap_err();
    let second = runtime.block_on(second).unwrap_err();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(first.panic_message(), Some("on purpose: for all"));
    drop((first, second, shared));
    settle(&runtime);
    assert!(reports.all().is_empty());
}

#[test]
fn a_shared_error_that_nobody_read_is_reported_once() {
    let (runtime, reports) = reporting_runtime(2);
    let gate = Gate::new();
    let wait = gate.wait();
    let shared = runtime.spawn(async move {
        wait.await;
        panic_on_purpose("for nobody")
    });
    let shared: SharedHandle<()> = shared.shared();
    let id = shared.task().id();
    drop(shared.clone());
    gate.open();
    eventually("it ended", || shared.task().is_finished());
    drop(shared);
    settle(&runtime);
    let kinds: Vec<_> = reports.about(id).iter().map(|report| report.kind).collect();
    assert_eq!(kinds, [UnhandledKind::TaskPanicked]);
}

#[test]
fn a_shared_handle_may_be_polled_again_after_its_end() {
    let runtime = runtime();
    let mut shared = runtime.spawn(async { 9 }).shared();
    assert_eq!(runtime.block_on(&mut shared).unwrap(), 9);
    assert_eq!(runtime.block_on(&mut shared).unwrap(), 9);
}

/// A waker that does what it likes when it is woken.
pub(crate) struct OnWake<F>(pub(crate) F);

impl<F: Fn() + Send + Sync + 'static> Wake for OnWake<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

#[test]
fn a_panicking_waker_of_one_waiter_does_not_keep_the_others_asleep() {
    let (runtime, reports) = reporting_runtime(1);
    let gate = Gate::new();
    let shared = runtime.spawn(gate.wait()).shared();
    let probes = [Probe::new(), Probe::new()];
    let bad = Waker::from(Arc::new(OnWake(|| panic_on_purpose("a waker"))));
    let wakers = [probes[0].waker(), bad, probes[1].waker()];
    let mut waiting = [shared.clone(), shared.clone(), shared];
    for (handle, waker) in waiting.iter_mut().zip(&wakers) {
        assert!(poll_with(handle, waker).is_pending());
    }
    gate.open();
    eventually("the panic is reported", || reports.all().len() == 1);
    settle(&runtime);
    assert_eq!(reports.all()[0].kind, UnhandledKind::WakerPanicked);
    assert_eq!((probes[0].wakes(), probes[1].wakes()), (1, 1));
}

#[test]
fn a_waker_that_holds_its_own_shared_handle_is_replaced_without_a_deadlock() {
    within_limit(|| {
        let runtime = runtime();
        let mut shared = runtime.spawn(pending::<()>()).shared();
        let mut held = shared.clone();
        // The handle in the waker has a place among the waiting of its own.
        assert!(poll_with(&mut held, Waker::noop()).is_pending());
        let holding = Waker::from(Arc::new(Registered(held)));
        assert!(poll_with(&mut shared, &holding).is_pending());
        drop(holding);
        assert!(poll_with(&mut shared, Waker::noop()).is_pending());
    });
}

#[test]
fn waiting_and_cancelling_race_to_one_result() {
    let runtime = runtime();
    for round in 0..500 {
        let probe = Probe::new();
        let gate = Gate::new();
        let handle = runtime.spawn(probe.future(gate.wait()));
        let task = handle.task();
        let canceller = thread::spawn(move || task.cancel());
        if round % 2 == 0 {
            gate.open();
        }
        let result = handle.wait();
        canceller.join().unwrap();
        assert!(result.is_ok() || result.is_err_and(|error| error.is_cancelled()));
        assert_eq!(probe.drops(), 1);
    }
}
