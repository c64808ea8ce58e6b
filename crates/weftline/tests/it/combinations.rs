//! Every way a task can go: where it panics × what becomes of its handle × when it is cancelled ×
//! where it is spawned. What must come out is written down once, in [`Case::expected`].

use crate::probe::{Gate, Probe, Token};
use crate::rig::{PanicsWhenDropped, Reports, eventually, panic_on_purpose, settle, within_limit};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use weftline::task::{Builder, SharedHandle, Status, Task, UnhandledKind};
use weftline::{JoinError, JoinHandle, Runtime};

/// Where the panic is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum PanicAt {
    Nowhere,
    FirstPoll,
    LaterPoll,
    FutureDrop,
    OutputDrop,
    Waker,
}

/// What becomes of the join handle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Awaited,
    DroppedBefore,
    DroppedAfter,
    Shared,
    WaitedOnThread,
    CancelOnDrop,
}

/// When the task is cancelled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum CancelAt {
    Never,
    BeforeFirstPoll,
    WhileWaiting,
    AfterEnd,
}

/// Where it is spawned, and as what.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Main,
    FromTask,
    OutsideThread,
    Eager,
    Pinned,
    Blocking,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    panic: PanicAt,
    fate: Fate,
    cancel: CancelAt,
    place: Place,
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Value,
    Cancelled,
    Panicked,
}

/// What a case must come to.
#[derive(Debug, PartialEq)]
struct Expected {
    end: End,
    /// Whether the future made an output.
    outputs: usize,
    report: Option<UnhandledKind>,
}

impl Case {
    fn expected(self) -> Expected {
        let end = self.end();
        let read = matches!(self.fate, Fate::Awaited | Fate::Shared | Fate::WaitedOnThread);
        let wakes = self.cancel != CancelAt::BeforeFirstPoll
            && matches!(self.fate, Fate::Awaited | Fate::DroppedAfter | Fate::Shared);
        let report = match (self.panic, end) {
            (PanicAt::Waker, _) if wakes => Some(UnhandledKind::WakerPanicked),
            (PanicAt::FutureDrop, End::Value) => Some(UnhandledKind::DropPanicked),
            (PanicAt::OutputDrop, End::Value) if !read => Some(UnhandledKind::DropPanicked),
            (_, End::Panicked) if !read => Some(UnhandledKind::TaskPanicked),
            _ => None,
        };
        Expected { end, outputs: usize::from(end == End::Value), report }
    }

    fn end(self) -> End {
        let blocking = self.place == Place::Blocking;
        // What a closure has captured, and the future that a closure made, is dropped in the poll.
        let inside = blocking || self.place == Place::Pinned;
        let drop_is_end =
            if self.panic == PanicAt::FutureDrop { End::Panicked } else { End::Cancelled };
        let cancelled_waiting =
            self.cancel == CancelAt::WhileWaiting || self.fate == Fate::CancelOnDrop;
        if self.cancel == CancelAt::BeforeFirstPoll {
            drop_is_end
        } else if self.panic == PanicAt::FirstPoll {
            End::Panicked
        } else if cancelled_waiting && !blocking {
            drop_is_end
        } else if self.panic == PanicAt::LaterPoll || (inside && drop_is_end == End::Panicked) {
            End::Panicked
        } else {
            End::Value
        }
    }

    /// The name tells the runtime's hook what to do.
    fn name(self) -> &'static str {
        if self.cancel == CancelAt::BeforeFirstPoll { CANCEL_AT_BIRTH } else { "case" }
    }
}

const CANCEL_AT_BIRTH: &str = "cancel at birth";

/// What a task is made of, and what is seen of it.
#[derive(Clone, Default)]
struct Parts {
    /// Opens when the task may go on.
    gate: Gate,
    /// Opens when the task has begun.
    begun: Gate,
    future: Probe,
    output: Probe,
}

/// The output: clones share what is dropped.
#[derive(Clone)]
struct Output {
    _parts: Arc<(Token, Option<PanicsWhenDropped>)>,
}

/// What the future holds; the token first, since a panic leaves the rest of a drop undone.
struct Held {
    _token: Token,
    _panics: Option<PanicsWhenDropped>,
}

impl Parts {
    fn held(&self, case: Case) -> Held {
        let panics = case.panic == PanicAt::FutureDrop;
        Held { _token: self.future.token(), _panics: panics.then(|| PanicsWhenDropped("future")) }
    }

    fn output(&self, case: Case) -> Output {
        let panics = case.panic == PanicAt::OutputDrop;
        let panics = panics.then(|| PanicsWhenDropped("output"));
        Output { _parts: Arc::new((self.output.token(), panics)) }
    }

    fn begin(&self, case: Case) {
        self.begun.open();
        if case.panic == PanicAt::FirstPoll {
            panic_on_purpose("first poll");
        }
    }

    fn end(&self, case: Case) -> Output {
        if case.panic == PanicAt::LaterPoll {
            panic_on_purpose("later poll");
        }
        self.output(case)
    }

    fn future(self, case: Case) -> impl Future<Output = Output> + Send {
        let held = self.held(case);
        Holding {
            future: Box::pin(async move {
                self.begin(case);
                self.gate.wait().await;
                self.end(case)
            }),
            _held: held,
        }
    }

    fn job(self, case: Case) -> impl FnOnce() -> Output + Send {
        let held = self.held(case);
        move || {
            let _held = held;
            self.begin(case);
            self.gate.block();
            self.end(case)
        }
    }
}

/// A future that keeps what it holds until it is dropped itself.
struct Holding<O> {
    future: Pin<Box<dyn Future<Output = O> + Send>>,
    _held: Held,
}

impl<O> Future for Holding<O> {
    type Output = O;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        self.future.as_mut().poll(cx)
    }
}

struct PanickingWaker;

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        panic_on_purpose("waker");
    }
}

fn spawn(runtime: &Runtime, case: Case, parts: Parts) -> JoinHandle<Output> {
    let builder = Builder::new().name(case.name());
    let _entered = runtime.handle().enter();
    match case.place {
        Place::Main => runtime.block_on(spawn_inside(builder, case, parts)),
        Place::FromTask => {
            let spawner = runtime.spawn(spawn_inside(builder, case, parts));
            spawner.wait().expect("spawning does not panic")
        }
        Place::OutsideThread => thread::scope(|scope| {
            let spawner = scope.spawn(|| {
                let _entered = runtime.handle().enter();
                builder.spawn(parts.future(case))
            });
            spawner.join().expect("spawning does not panic")
        }),
        Place::Eager => builder.eager(true).spawn(parts.future(case)),
        Place::Pinned => {
            let future = parts.future(case);
            builder.spawn_pinned(move || future)
        }
        Place::Blocking => builder.spawn_blocking(parts.job(case)),
    }
}

/// Spawns from inside of a future.
async fn spawn_inside(builder: Builder, case: Case, parts: Parts) -> JoinHandle<Output> {
    builder.spawn(parts.future(case))
}

/// Who has the join handle.
enum Hands {
    Nobody,
    Handle(JoinHandle<Output>),
    Shared(SharedHandle<Output>),
    Thread(thread::JoinHandle<Result<Output, JoinError>>),
}

/// Registers a waker that panics, where the case says so.
fn register<F: Future + Unpin>(case: Case, mut handle: F) -> F {
    if case.panic == PanicAt::Waker {
        let waker = Waker::from(Arc::new(PanickingWaker));
        let _ = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_ready();
    }
    handle
}

impl Hands {
    /// The task is waiting, or has ended by itself; the gate is still closed.
    fn begin(case: Case, handle: JoinHandle<Output>) -> Self {
        match case.fate {
            Fate::DroppedBefore | Fate::CancelOnDrop => {
                drop(handle);
                Hands::Nobody
            }
            // Its waiting replaces any waker that was registered before.
            Fate::WaitedOnThread => Hands::Thread(thread::spawn(|| handle.wait())),
            // A handle that gave its output early could not be asked again.
            _ if case.cancel == CancelAt::BeforeFirstPoll => Hands::wrap(case, handle),
            Fate::Shared => Hands::Shared(register(case, handle.shared())),
            Fate::Awaited | Fate::DroppedAfter => Hands::Handle(register(case, handle)),
        }
    }

    fn wrap(case: Case, handle: JoinHandle<Output>) -> Self {
        match case.fate {
            Fate::Shared => Hands::Shared(handle.shared()),
            _ => Hands::Handle(handle),
        }
    }

    /// The task has ended. How, if the handle's fate is to be asked.
    fn finish(self, case: Case, runtime: &Runtime) -> Option<End> {
        match self {
            Hands::Nobody => None,
            Hands::Handle(handle) if case.fate == Fate::DroppedAfter => {
                // Nobody is there to read: a panic of the output goes to the report.
                drop(handle);
                None
            }
            Hands::Handle(handle) => Some(read(case, runtime.block_on(handle))),
            Hands::Thread(thread) => {
                Some(read(case, thread.join().expect("a wait does not panic")))
            }
            Hands::Shared(shared) => {
                let result = runtime.block_on(shared.clone());
                let end = end_of(result.as_ref().map_err(|error| &**error));
                drop_output(case, (result, shared));
                Some(end)
            }
        }
    }
}

/// How it ended, by what the joiner got.
fn end_of(result: Result<&Output, &JoinError>) -> End {
    match result {
        Ok(_) => End::Value,
        Err(error) if error.is_cancelled() => End::Cancelled,
        Err(_) => End::Panicked,
    }
}

fn read(case: Case, result: Result<Output, JoinError>) -> End {
    let end = end_of(result.as_ref());
    drop_output(case, result);
    end
}

/// The last of what holds the output panics when it is dropped, if the case says so.
fn drop_output<T>(case: Case, output: T) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(output)));
    assert!(dropped.is_ok() || case.panic == PanicAt::OutputDrop);
}

fn run(runtime: &Runtime, reports: &Reports, case: Case) {
    let parts = Parts::default();
    let handle = spawn(runtime, case, parts.clone());
    let handle = if case.fate == Fate::CancelOnDrop { handle.cancel_on_drop() } else { handle };
    let task = handle.task();
    let id = task.id();
    let expected = case.expected();
    let mut handle = Some(handle);
    let mut held = None;
    if case.fate == Fate::DroppedBefore {
        held = handle.take().map(|handle| Hands::begin(case, handle));
    }
    wait_for_begin(case, &parts, &task);
    if let Some(handle) = handle {
        held = Some(Hands::begin(case, handle));
    }
    if case.cancel == CancelAt::WhileWaiting {
        task.cancel();
        if case.place != Place::Blocking {
            eventually("it is gone", || task.is_finished());
        }
    } else if case.fate == Fate::CancelOnDrop && case.place != Place::Blocking {
        eventually("it is gone", || task.is_finished());
    }
    parts.gate.open();
    eventually("it ended", || task.is_finished());
    if case.cancel == CancelAt::AfterEnd {
        task.cancel();
    }
    let end = held.expect("the handle is in somebody's hands").finish(case, runtime);
    // All workers have done what they had begun, and are alive.
    settle(runtime);
    assert!(end.is_none_or(|end| end == expected.end), "{case:?}: ended as {end:?}");
    assert_eq!(task.status(), Status::Finished);
    assert_eq!(parts.future.drops(), 1, "{case:?}: drops of the future");
    assert_eq!(parts.output.drops(), expected.outputs, "{case:?}: drops of the output");
    let kinds: Vec<_> = reports.about(id).iter().map(|report| report.kind).collect();
    assert_eq!(kinds, Vec::from_iter(expected.report), "{case:?}: reports");
}

/// Waits until the task waits at its gate, or has ended without getting there.
fn wait_for_begin(case: Case, parts: &Parts, task: &Task) {
    let ends_early = case.cancel == CancelAt::BeforeFirstPoll || case.panic == PanicAt::FirstPoll;
    eventually("it begins", || {
        if ends_early {
            task.is_finished()
        } else if case.place == Place::Blocking {
            parts.begun.is_open()
        } else {
            parts.begun.is_open() && task.status() == Status::Waiting
        }
    });
}

/// All cases of one place.
fn run_all(place: Place) {
    within_limit(move || {
        let cancel_at_birth = |task: &Task| {
            if task.name() == Some(CANCEL_AT_BIRTH) {
                task.cancel();
            }
        };
        let builder = Runtime::builder().workers(crate::rig::workers()).max_blocking_threads(1);
        let (builder, reports) = Reports::collect(builder.on_task_spawn(cancel_at_birth));
        let runtime = builder.build().expect("a runtime starts");
        use {CancelAt as C, Fate as F, PanicAt as P};
        let panics =
            [P::Nowhere, P::FirstPoll, P::LaterPoll, P::FutureDrop, P::OutputDrop, P::Waker];
        let fates = [
            F::Awaited,
            F::DroppedBefore,
            F::DroppedAfter,
            F::Shared,
            F::WaitedOnThread,
            F::CancelOnDrop,
        ];
        for panic in panics {
            for fate in fates {
                for cancel in [C::Never, C::BeforeFirstPoll, C::WhileWaiting, C::AfterEnd] {
                    run(&runtime, &reports, Case { panic, fate, cancel, place });
                }
            }
        }
        assert!(runtime.handle().tasks().is_empty());
    });
}

#[test]
fn a_task_of_main_ends_as_its_case_says() {
    run_all(Place::Main);
}

#[test]
fn a_task_of_a_task_ends_as_its_case_says() {
    run_all(Place::FromTask);
}

#[test]
fn a_task_of_an_outside_thread_ends_as_its_case_says() {
    run_all(Place::OutsideThread);
}

#[test]
fn an_eager_task_ends_as_its_case_says() {
    run_all(Place::Eager);
}

#[test]
fn a_pinned_task_ends_as_its_case_says() {
    run_all(Place::Pinned);
}

#[test]
fn a_blocking_job_ends_as_its_case_says() {
    run_all(Place::Blocking);
}
