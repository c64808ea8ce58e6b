//! A panic in foreign code reaches whoever asked for it, or a report, and nothing else.

use crate::probe::{Gate, Probe};
use crate::rig::{
    LONG, MS, PanicsWhenDropped, Reports, child, eventually, expect_success, is_child,
    panic_on_purpose, panic_with, panicking_waker, reporting_runtime, settle, until_waiting,
};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use weftline::runtime::Builder;
use weftline::sync::Event;
use weftline::task::{self, Unhandled, UnhandledKind};
use weftline::time::{sleep, timeout};
use weftline::{
    ExitStack, JoinError, JoinHandle, Runtime, exit_stack, finally, gather_results, race, spawn,
    uncancellable, yield_now,
};

#[test]
fn a_panic_in_a_task_leaves_its_worker_alive() {
    let (runtime, reports) = reporting_runtime(1);
    for _ in 0..100 {
        let task: JoinHandle<()> = runtime.spawn(async { panic_on_purpose("task") });
        assert!(task.wait().unwrap_err().is_panic());
    }
    assert_eq!(runtime.spawn(async { 1 }).wait().unwrap(), 1);
    assert!(reports.all().is_empty());
}

// AT-EH-01
#[test]
fn a_panic_that_nobody_read_is_reported_with_name_and_spawn_site() {
    let (runtime, reports) = reporting_runtime(1);
    let _entered = runtime.handle().enter();
    let (named, unread) = (task::Builder::new().name("unlucky"), unit(fails_later()));
    let (line, task) = (line!(), named.spawn(unread));
    drop(task);
    eventually("it is reported", || !reports.all().is_empty());
    settle(&runtime);
    let [report] = &reports.all()[..] else { panic!("one report: {:?}", reports.all()) };
    assert_eq!(report.kind, UnhandledKind::TaskPanicked);
    assert_eq!(report.message, "on purpose: unread");
    assert_eq!(report.name.as_deref(), Some("unlucky"));
    assert_eq!(report.line, Some(line));
    assert!(report.task.is_some());
}

async fn fails_later() {
    yield_now().await;
    panic_on_purpose("unread")
}

#[test]
fn a_panic_while_a_future_is_dropped_by_cancelling_reaches_the_joiner() {
    let (runtime, reports) = reporting_runtime(1);
    let task = runtime.spawn(async {
        let _held = PanicsWhenDropped("in the future");
        pending::<()>().await;
    });
    eventually("it waits", || task.task().status() == task::Status::Waiting);
    task.cancel();
    let error = task.wait().unwrap_err();
    assert_eq!(error.panic_message(), Some("on purpose: in the future"));
    settle(&runtime);
    assert!(reports.all().is_empty());
}

/// A future that gives a value, and then panics when it is dropped.
struct ReadyThenPanics(#[expect(dead_code, reason = "its drop matters")] PanicsWhenDropped);

impl Future for ReadyThenPanics {
    type Output = u8;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        Poll::Ready(8)
    }
}

#[test]
fn a_future_that_panics_after_its_value_is_reported_and_the_value_kept() {
    let (runtime, reports) = reporting_runtime(1);
    let task = runtime.spawn(ReadyThenPanics(PanicsWhenDropped("after the value")));
    let id = task.id();
    assert_eq!(task.wait().unwrap(), 8);
    let kinds: Vec<_> = reports.about(id).iter().map(|report| report.kind).collect();
    assert_eq!(kinds, [UnhandledKind::DropPanicked]);
}

/// A future that panics in its poll and in its drop.
struct PanicsTwice;

impl Future for PanicsTwice {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        panic_on_purpose("the poll")
    }
}

impl Drop for PanicsTwice {
    fn drop(&mut self) {
        panic_on_purpose("the drop")
    }
}

#[test]
fn of_a_panic_in_the_poll_and_one_in_the_drop_none_is_lost() {
    let (runtime, reports) = reporting_runtime(1);
    let error = runtime.spawn(PanicsTwice).wait().unwrap_err();
    assert_eq!(error.panic_message(), Some("on purpose: the poll"));
    let messages: Vec<_> = reports.all().into_iter().map(|report| report.message).collect();
    assert_eq!(messages, ["on purpose: the drop"]);
}

#[test]
fn an_output_that_panics_when_nobody_takes_it_is_reported() {
    let (runtime, reports) = reporting_runtime(1);
    drop(runtime.spawn(async { PanicsWhenDropped("the output") }));
    eventually("it is reported", || reports.all().len() == 1);
    let late = runtime.spawn(async { PanicsWhenDropped("another output") });
    eventually("it ended", || late.is_finished());
    drop(late);
    eventually("it is reported too", || reports.all().len() == 2);
    settle(&runtime);
}

#[test]
fn a_payload_whose_drop_panics_is_reported_and_kills_nothing() {
    let (runtime, reports) = reporting_runtime(1);
    drop(runtime.spawn(unit(async { panic_with(PanicsWhenDropped("a payload")) })));
    eventually("it is reported", || reports.all().len() == 1);
    settle(&runtime);
    assert_eq!(reports.all()[0].kind, UnhandledKind::TaskPanicked);
}

/// A waker that panics in each of its ways.
struct PanicsAlways;

impl Wake for PanicsAlways {
    fn wake(self: Arc<Self>) {
        panic_on_purpose("a wake")
    }
}

impl Drop for PanicsAlways {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic_on_purpose("a waker's drop")
        }
    }
}

fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Registers a waker that panics, and forgets the test's own reference to it.
fn register_bad_waker<F: Future + Unpin>(future: &mut F) {
    let waker = Waker::from(Arc::new(PanicsAlways));
    assert!(poll_with(future, &waker).is_pending());
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(waker)));
    assert!(dropped.is_ok(), "the task holds another reference");
}

#[test]
fn a_joiners_waker_that_panics_is_reported_and_the_output_kept() {
    let (runtime, reports) = reporting_runtime(1);
    let gate = Gate::new();
    let mut task = runtime.spawn(gate.wait());
    register_bad_waker(&mut task);
    gate.open();
    eventually("it is reported", || !reports.about(task.id()).is_empty());
    settle(&runtime);
    assert!(poll_with(&mut task, Waker::noop()).is_ready());
    let kinds: Vec<_> = reports.all().iter().map(|report| report.kind).collect();
    assert_eq!(kinds, [UnhandledKind::WakerPanicked]);
}

#[test]
fn a_joiners_waker_whose_drop_panics_is_reported_when_the_handle_goes() {
    let (runtime, reports) = reporting_runtime(1);
    let gate = Gate::new();
    let mut task = runtime.spawn(gate.wait());
    register_bad_waker(&mut task);
    drop(task);
    let kinds: Vec<_> = reports.all().iter().map(|report| report.kind).collect();
    assert_eq!(kinds, [UnhandledKind::WakerPanicked]);
    gate.open();
    settle(&runtime);
}

#[test]
fn a_timers_waker_that_panics_is_reported_and_the_worker_lives() {
    let (runtime, reports) = reporting_runtime(1);
    let probe = Probe::new();
    let seen = probe.clone();
    let task = runtime.spawn(async move {
        let bad = Waker::from(Arc::new(PanicsAlways));
        let mut sleeps = Vec::new();
        for waker in [&bad, &seen.waker()] {
            let mut sleep = Box::pin(weftline::time::sleep(std::time::Duration::from_millis(5)));
            assert!(sleep.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
            sleeps.push(sleep);
        }
        std::mem::forget(bad);
        poll_fn(|cx| {
            if seen.wakes() == 1 {
                Poll::Ready(())
            } else {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    });
    task.wait().unwrap();
    assert_eq!(probe.wakes(), 1);
    let kinds: Vec<_> = reports.all().iter().map(|report| report.kind).collect();
    assert_eq!(kinds, [UnhandledKind::WakerPanicked]);
}

#[test]
fn a_waker_that_panics_is_reported_by_the_task_that_calls_it_which_goes_on() {
    let (runtime, reports) = reporting_runtime(1);
    let event = Arc::new(Event::new());
    let waits_for = event.clone();
    let mut waits = Box::pin(async move { waits_for.wait().await });
    assert!(poll_with(&mut waits, &panicking_waker()).is_pending());
    let task = runtime.spawn(async move { event.set() });
    let id = task.id();
    task.wait().unwrap();
    let kinds: Vec<_> = reports.about(id).iter().map(|report| report.kind).collect();
    assert_eq!(kinds, [UnhandledKind::WakerPanicked]);
    assert!(poll_with(&mut waits, Waker::noop()).is_ready());
}

/// Runs a task on a runtime with a hook that panics; how many reports there are.
fn with_panicking_hook(hooked: impl FnOnce(Builder) -> Builder) -> usize {
    let (builder, reports) = Reports::collect(Runtime::builder().workers(1));
    let runtime = hooked(builder).build().unwrap();
    let value = runtime.spawn(async {
        yield_now().await;
        1
    });
    assert_eq!(value.wait().unwrap(), 1);
    drop(runtime);
    eventually("it is reported", || !reports.all().is_empty());
    assert!(reports.all().iter().all(|report| report.kind == UnhandledKind::HookPanicked));
    reports.all().len()
}

#[test]
fn a_hook_that_panics_is_reported_and_changes_nothing() {
    let panics = || panic_on_purpose("a hook");
    assert_eq!(with_panicking_hook(|builder| builder.on_thread_start(panics)), 1);
    assert_eq!(with_panicking_hook(|builder| builder.on_thread_stop(panics)), 1);
    assert_eq!(with_panicking_hook(|builder| builder.on_task_spawn(move |_| panics())), 1);
    assert_eq!(with_panicking_hook(|builder| builder.on_task_poll_start(move |_| panics())), 2);
    assert_eq!(with_panicking_hook(|builder| builder.on_task_poll_end(move |_| panics())), 2);
    assert_eq!(with_panicking_hook(|builder| builder.on_task_end(move |_| panics())), 1);
}

/// Says that a future which never returns would return nothing.
fn unit(future: impl Future<Output = ()> + Send) -> impl Future<Output = ()> + Send {
    future
}

/// Panics in all ways that end as a line on standard error.
fn panic_everywhere() {
    let panics = |_: &Unhandled| panic_on_purpose("the last hook");
    for builder in [Runtime::builder(), Runtime::builder().on_unhandled(panics)] {
        let runtime =
            builder.workers(1).on_task_end(|_| panic_on_purpose("a hook")).build().unwrap();
        runtime.block_on(async {
            for _ in 0..10 {
                drop(spawn(unit(async { panic_on_purpose("unread") })));
            }
            assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
        });
        eventually("all have ended", || runtime.handle().tasks().is_empty());
        settle(&runtime);
    }
}

// AT-EH-01, without a hook
#[test]
fn a_hook_for_the_unread_that_panics_falls_back_to_standard_error() {
    const NAME: &str = "panics::a_hook_for_the_unread_that_panics_falls_back_to_standard_error";
    if is_child() {
        return panic_everywhere();
    }
    let output = child(NAME).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    expect_success(NAME, output);
    assert_eq!(said.matches("weftline: a task panicked and nobody read it").count(), 20, "{said}");
    assert!(said.contains("weftline: a hook panicked: on purpose: the last hook"), "{said}");
    assert!(said.contains("spawned at crates/weftline/tests/it/panics.rs:"), "{said}");
}

#[test]
fn a_closed_standard_error_kills_nothing() {
    const NAME: &str = "panics::a_closed_standard_error_kills_nothing";
    if is_child() {
        return panic_everywhere();
    }
    let mut command = child(NAME);
    let mut running =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // The reading end goes at once: writing to it fails from now on.
    drop(running.stderr.take());
    let output = running.wait_with_output().unwrap();
    expect_success(NAME, output);
    let mut full = child(NAME);
    let device = std::fs::OpenOptions::new().write(true).open("/dev/full");
    if let Ok(device) = device {
        let output = full.stdout(Stdio::piped()).stderr(device).output().unwrap();
        expect_success(NAME, output);
    }
}

#[test]
fn an_error_that_nobody_reads_is_reported_where_that_was_asked_for() {
    let (runtime, reports) = reporting_runtime(2);
    let failing = || async { Err::<u8, _>(String::from("disk full")) };
    let read = runtime.spawn(failing()).report_error();
    assert_eq!(read.wait().unwrap().unwrap_err(), "disk full");
    drop(runtime.spawn(failing()));
    drop(runtime.spawn(async { Ok::<_, String>(1) }).report_error());
    let ended = runtime.spawn(failing()).report_error();
    eventually("it has ended", || ended.is_finished());
    drop(ended);
    drop(runtime.spawn(failing()).report_error());
    eventually("both are reported", || reports.all().len() == 2);
    settle(&runtime);
    for report in reports.all() {
        assert_eq!(
            (report.kind, report.message.as_str()),
            (UnhandledKind::TaskFailed, "disk full")
        );
    }
}

/// What is reported while `future` runs, and by the end of its runtime.
fn reported(future: impl Future<Output = ()>) -> Vec<String> {
    let (runtime, reports) = reporting_runtime(2);
    runtime.block_on(future);
    settle(&runtime);
    let all = reports.all();
    assert!(all.iter().all(|report| report.task.is_some()), "{all:?}");
    all.into_iter().map(|report| report.message).collect()
}

/// Polls a future as long as it may take to come to where it hangs, and drops it.
async fn leave(future: impl Future) {
    let mut future = Box::pin(future);
    for _ in 0..3 {
        assert!(poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await);
        sleep(10 * MS).await;
    }
}

#[test]
fn a_panic_whose_clean_up_is_ended_is_reported_and_one_that_goes_on_is_not() {
    let by_a_limit = async {
        let limited = timeout(MS, finally(unit(fails_later()), sleep(LONG)));
        assert!(limited.await.is_err());
    };
    let by_a_request = async {
        let (cleans, cleaned) = (Gate::new(), Gate::new());
        let (begins, ends) = (cleans.clone(), cleaned.wait());
        let fails = spawn(finally(unit(fails_later()), async move {
            begins.open();
            ends.await;
        }));
        cleans.wait().await;
        until_waiting(&fails).await;
        fails.cancel();
        assert!(fails.await.unwrap_err().is_cancelled());
    };
    let on_a_stack = |stack: ExitStack| async move {
        stack.push(pending());
        unit(fails_later()).await;
    };
    let goes_on = async {
        let fails = spawn(finally(unit(fails_later()), async { yield_now().await }));
        assert!(fails.await.unwrap_err().is_panic());
    };
    let once = ["on purpose: unread"];
    assert_eq!(reported(by_a_limit), once);
    assert_eq!(reported(by_a_request), once);
    assert_eq!(reported(leave(finally(unit(fails_later()), pending()))), once);
    assert_eq!(reported(leave(exit_stack(on_a_stack))), once);
    assert!(reported(goes_on).is_empty());
}

#[test]
fn a_panic_that_gives_way_to_that_of_a_clean_up_is_reported() {
    /// Runs a future as a task, and reads its panic.
    async fn read(future: impl Future<Output = ()> + Send + 'static) {
        let error = spawn(future).await.unwrap_err();
        assert_eq!(error.panic_message(), Some("on purpose: the last clean-up"));
    }
    async fn fails(place: &str) {
        panic_on_purpose(place)
    }
    let of_two = read(finally(unit(fails_later()), fails("the last clean-up")));
    assert_eq!(reported(of_two), ["on purpose: unread"]);
    let of_three = read(exit_stack(|stack| async move {
        stack.push(fails("the last clean-up"));
        stack.push(fails("the first clean-up"));
        unit(fails_later()).await;
    }));
    assert_eq!(reported(of_three), ["on purpose: unread", "on purpose: the first clean-up"]);
}

#[test]
fn a_panic_that_waits_for_other_tasks_is_reported_where_it_is_left() {
    /// Of two tasks one panics once the other has begun, which hangs, also when it is cancelled.
    async fn one_of_two(number: u8, begun: Gate, hang: Gate) -> Result<(), JoinError> {
        if number == 0 {
            begun.wait().await;
            panic_on_purpose("one of two")
        }
        begun.open();
        uncancellable(hang.wait()).await;
        Ok(())
    }
    for is_race in [false, true] {
        let (begun, hang) = (Gate::new(), Gate::new());
        let two = [0, 1].map(|number| one_of_two(number, begun.clone(), hang.clone()));
        let left = async {
            if is_race {
                leave(race(two)).await;
            } else {
                leave(gather_results(two)).await;
            }
            hang.open();
        };
        assert_eq!(reported(left), ["on purpose: one of two"], "{is_race}");
    }
}
