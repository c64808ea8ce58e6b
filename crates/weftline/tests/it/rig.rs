//! What the tests stand on: runtimes that collect their reports, a watchdog, deliberate panics, and
//! child processes for what must not touch the other tests.

use crate::probe::Gate;
use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, Once, PoisonError, mpsc};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};
use weftline::io::{AsyncRead, AsyncWrite, BufReader, BufWriter};
use weftline::runtime::Builder;
use weftline::task::{Id, Status, Unhandled, UnhandledKind};
use weftline::time::timeout;
use weftline::{JoinError, JoinHandle, Runtime, shield, yield_now};

/// Far longer than anything here takes, also on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);
/// What most things here take in times of their own.
pub(crate) const MS: Duration = Duration::from_millis(1);
/// How often [`many_times`] runs a body.
const ROUNDS: usize = 200;
/// Tells a test that it runs in a child process of itself.
const CHILD: &str = "WEFTLINE_IT_CHILD";
/// The words that a deliberate panic begins with.
const ON_PURPOSE: &str = "on purpose";

/// How many workers a test's runtime has, where the test does not care.
pub(crate) fn workers() -> usize {
    std::env::var("WEFTLINE_IT_WORKERS").map_or(2, |n| n.parse().expect("a number of workers"))
}

/// A runtime, where the test does not care.
pub(crate) fn runtime() -> Runtime {
    runtime_of(workers())
}

/// A runtime with that many workers.
pub(crate) fn runtime_of(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).build().expect("a runtime starts")
}

/// What a runtime reported as read by nobody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports(Arc<Mutex<Vec<Report>>>);

/// One such report.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) kind: UnhandledKind,
    pub(crate) message: String,
    pub(crate) task: Option<Id>,
    pub(crate) name: Option<String>,
    pub(crate) line: Option<u32>,
    /// The whole report, as it is printed.
    pub(crate) text: String,
}

impl Reports {
    /// Makes the runtime report here.
    pub(crate) fn collect(builder: Builder) -> (Builder, Self) {
        let reports = Self::default();
        let into = reports.clone();
        let builder = builder.on_unhandled(move |unhandled| into.push(unhandled));
        (builder, reports)
    }

    fn push(&self, unhandled: &Unhandled) {
        let report = Report {
            kind: unhandled.kind(),
            message: unhandled.message().to_owned(),
            task: unhandled.task_id(),
            name: unhandled.task_name().map(str::to_owned),
            line: unhandled.spawned_at().map(|place| place.line()),
            text: unhandled.to_string(),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }

    pub(crate) fn all(&self) -> Vec<Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those about one task.
    pub(crate) fn about(&self, task: Id) -> Vec<Report> {
        self.all().into_iter().filter(|report| report.task == Some(task)).collect()
    }
}

/// A runtime of one's own that reports to the test.
pub(crate) fn reporting_runtime(workers: usize) -> (Runtime, Reports) {
    let (builder, reports) = Reports::collect(Runtime::builder().workers(workers));
    (builder.build().expect("a runtime starts"), reports)
}

/// Waits until all that the runtime's threads were doing is done: each worker and one thread for
/// blocking jobs has run something new.
pub(crate) fn settle(runtime: &Runtime) {
    let _entered = runtime.handle().enter();
    let mut settled: Vec<_> =
        (0..runtime.handle().workers()).map(|_| weftline::spawn_pinned(|| async {})).collect();
    settled.push(weftline::spawn_blocking(|| {}));
    for task in settled {
        task.wait().expect("an empty task ends");
    }
}

/// Something that holds the thread which calls it, and the way to steer that.
pub(crate) fn holder() -> (impl FnOnce() + Send + 'static, Held) {
    let held = Held { begun: Gate::new(), release: Gate::new() };
    let (begins, released) = (held.begun.clone(), held.release.clone());
    let hold = move || {
        begins.open();
        released.block();
    };
    (hold, held)
}

/// The other end of a [`holder`].
pub(crate) struct Held {
    begun: Gate,
    release: Gate,
}

impl Held {
    /// Waits until a thread is held.
    pub(crate) fn wait(&self) {
        self.begun.block();
    }

    /// Lets it go on.
    pub(crate) fn release(&self) {
        self.release.open();
    }
}

/// How much a stress test does: as a variable of the environment says, or else so much in a debug
/// build, and so much where it is optimized.
pub(crate) fn amount(variable: &str, debug: usize, optimized: usize) -> usize {
    let usual = if cfg!(debug_assertions) { debug } else { optimized };
    std::env::var(variable).map_or(usual, |n| n.parse().expect("a number"))
}

/// The seed of all random choices, told so that a failed run can be repeated.
pub(crate) fn seed() -> u64 {
    let chosen = std::env::var("WEFTLINE_IT_SEED").map(|n| n.parse().expect("a number"));
    let by_time = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(1, |time| u64::from(time.subsec_nanos()) | 1)
    };
    let seed = chosen.unwrap_or_else(|_| by_time());
    println!("WEFTLINE_IT_SEED={seed} makes the same choices");
    seed
}

/// A pseudo random generator (xorshift): the same seed makes the same choices.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds are far apart; zero would stay zero.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    /// Another one, whose choices do not depend on those that this one makes later.
    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.next())
    }
}

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    pub(crate) fn read(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Waits until a task waits.
pub(crate) async fn until_waiting<T>(handle: &JoinHandle<T>) {
    while handle.task().status() != Status::Waiting {
        assert!(!handle.is_finished(), "it has ended, and waits no more");
        yield_now().await;
    }
}

/// How a task has ended; none, where that takes far too long. It is not asked to.
pub(crate) async fn bounded<T>(handle: &mut JoinHandle<T>) -> Option<Result<T, JoinError>> {
    timeout(LONG / 2, shield(handle)).await.ok()
}

/// Polls two futures, of which the first has the first say, until one of them is ready.
pub(crate) async fn either(a: impl Future, b: impl Future) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| {
        if a.as_mut().poll(cx).is_ready() { Poll::Ready(()) } else { b.as_mut().poll(cx).map(drop) }
    })
    .await;
}

/// Runs a test that might hang on a thread of its own, and fails if it does.
#[track_caller]
pub(crate) fn within_limit<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    within(LONG, test)
}

/// As [`within_limit`], with a limit of one's own.
#[track_caller]
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    test: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, is_done) = mpsc::channel();
    let name = thread::current().name().unwrap_or("test").to_owned();
    let body = move || {
        let result = catch_unwind(AssertUnwindSafe(test));
        // A receiver that is gone has given up on this thread.
        let _ = done.send(result);
    };
    thread::Builder::new().name(name).spawn(body).expect("a thread starts");
    match is_done.recv_timeout(limit) {
        Ok(Ok(value)) => value,
        Ok(Err(payload)) => resume_unwind(payload),
        Err(_) => panic!("it hangs: not done after {limit:?}"),
    }
}

/// Runs a body as a task on the only worker, where nothing runs beside it.
#[track_caller]
pub(crate) fn alone<F: Future<Output = ()> + Send + 'static>(body: F) {
    within_limit(|| {
        if let Err(error) = runtime_of(1).spawn(body).wait() {
            raise(error);
        }
    });
}

/// Runs a body as a task on the only worker, in virtual time: it passes only where nothing else can
/// happen, so that what lies between two instants is always done in between.
#[track_caller]
pub(crate) fn in_virtual_time<F: Future<Output = ()> + Send + 'static>(body: F) {
    within_limit(|| {
        let runtime = Runtime::builder().workers(1).virtual_time(true).build();
        if let Err(error) = runtime.expect("a runtime starts").spawn(body).wait() {
            raise(error);
        }
    });
}

/// Runs a body as a task some hundred times, all side by side on four workers.
#[track_caller]
pub(crate) fn many_times<F>(body: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    within_limit(move || {
        let runtime = runtime_of(4);
        let rounds: Vec<_> = (0..ROUNDS).map(|_| runtime.spawn(body())).collect();
        for round in rounds {
            if let Err(error) = round.wait() {
                raise(error);
            }
        }
        eventually("no task is left", || runtime.handle().tasks().is_empty());
    });
}

/// Fails as the task did.
fn raise(error: JoinError) -> ! {
    match error.into_panic() {
        Ok(payload) => resume_unwind(payload),
        Err(error) => panic!("{error}"),
    }
}

/// Waits until something has become true.
#[track_caller]
pub(crate) fn eventually(what: &str, is_true: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < LONG, "still not so after {LONG:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Says every line again, until there are no more.
pub(crate) async fn echo_lines(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(reader), BufWriter::new(writer));
    loop {
        let line = reader.read_line().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write_all(line).await?;
        writer.flush().await?;
    }
}

/// A waker that panics when it is used.
pub(crate) fn panicking_waker() -> Waker {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic_on_purpose("a waker");
        }
    }
    Waker::from(Arc::new(Panics))
}

/// Panics without a word on standard error.
pub(crate) fn panic_on_purpose(what: &str) -> ! {
    hide_panics_on_purpose();
    panic!("{ON_PURPOSE}: {what}")
}

/// Panics with any payload, without a word on standard error.
pub(crate) fn panic_with(payload: impl Any + Send) -> ! {
    resume_unwind(Box::new(payload))
}

/// Deliberate panics are not news.
fn hide_panics_on_purpose() {
    static HIDDEN: Once = Once::new();
    HIDDEN.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<String>();
            if !text.is_some_and(|text| text.starts_with(ON_PURPOSE)) {
                usual(info);
            }
        }));
    });
}

/// Panics on purpose when it is dropped, unless the thread panics already.
#[derive(Debug)]
pub(crate) struct PanicsWhenDropped(pub(crate) &'static str);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_on_purpose(self.0);
        }
    }
}

/// Runs the test `name` (with its module) again in a process of its own, which must succeed.
/// In that process this says true, and the test does what it is there for.
#[track_caller]
pub(crate) fn in_child(name: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    expect_success(name, child(name).output().expect("the test binary runs"));
    false
}

/// The command that runs one test of this binary again, as [`in_child`] does.
pub(crate) fn child(name: &str) -> Command {
    let this = std::env::current_exe().expect("this binary has a path");
    child_of(Command::new(this), name)
}

/// As [`child`], for a command that ends with the path of this binary.
pub(crate) fn child_of(mut command: Command, name: &str) -> Command {
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    command.stdin(Stdio::null());
    command
}

/// Whether this process is a child of the test.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Fails with all that the child said.
#[track_caller]
pub(crate) fn expect_success(name: &str, output: Output) {
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {}\n{out}\n{err}", output.status);
    assert!(out.contains("1 passed"), "{name} is the name of no test:\n{out}");
}
