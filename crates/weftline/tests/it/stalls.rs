//! Nothing stalls: while every worker is inside of code that computes or blocks, events, timers and
//! ready tasks are served.
//!
//! Bounds of time leave room for a machine that is busy with something else: they lie far above what
//! a stall costs, and far below how long it lasts; to them is added what a bare thread suffers meanwhile.

use crate::probe::Gate;
use crate::rig::{
    LONG, eventually, holder, in_child, runtime_of, settle, until_waiting, within_limit,
};
use crate::threads::named;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream as StdStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use weftline::net::TcpListener;
use weftline::sync::oneshot;
use weftline::time::{sleep, sleep_until};
use weftline::{Runtime, spawn, spawn_local, spawn_pinned, yield_now};

/// How long the workers are stuck.
const STUCK: Duration = Duration::from_secs(1);
/// The most that anybody may have to wait for it.
const BOUND: Duration = Duration::from_millis(300);

/// The longest of many times.
#[derive(Clone, Default)]
struct Worst(Arc<AtomicU64>);

impl Worst {
    fn note(&self, time: Duration) {
        self.0.fetch_max(u64::try_from(time.as_micros()).unwrap(), Ordering::Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// A thread with nothing to do but to be late, beside what is measured.
struct Bare {
    stop: Arc<AtomicBool>,
    lateness: Worst,
}

impl Bare {
    fn start() -> Self {
        let (stop, lateness) = (Arc::new(AtomicBool::new(false)), Worst::default());
        let (until, worst) = (stop.clone(), lateness.clone());
        thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let due = Instant::now() + Duration::from_millis(2);
                thread::sleep(Duration::from_millis(2));
                worst.note(due.elapsed());
            }
        });
        Self { stop, lateness }
    }

    /// Checks what somebody else had to wait for.
    #[track_caller]
    fn check(&self, what: &str, waited: Duration) {
        let bare = self.lateness.get();
        assert!(waited < BOUND + 2 * bare, "{what}: {waited:?}, a bare thread: {bare:?}");
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What goes on beside a stall, and measures what it suffers.
struct Others {
    stop: Arc<AtomicBool>,
    ticks: Arc<AtomicUsize>,
    lateness: Worst,
    answers: Worst,
    bare: Bare,
    asking: thread::JoinHandle<usize>,
}

impl Others {
    /// A hundred tasks with timers of a millisecond, and a connection that answers.
    fn start(runtime: &Runtime) -> Self {
        let (stop, ticks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (lateness, answers) = (Worst::default(), Worst::default());
        for _ in 0..100 {
            let (until, count, worst) = (stop.clone(), ticks.clone(), lateness.clone());
            let _ticking = runtime.spawn(async move {
                while !until.load(Ordering::Relaxed) {
                    // With a pause: so many timers without one are work for more than a busy machine
                    // has to give.
                    for timer in [1, 20].map(Duration::from_millis) {
                        let due = Instant::now() + timer;
                        sleep_until(due).await;
                        worst.note(due.elapsed());
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let address = echo(runtime);
        let (until, worst) = (stop.clone(), answers.clone());
        let asking = thread::spawn(move || {
            let mut stream = StdStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            let mut asked = 0;
            while !until.load(Ordering::Relaxed) {
                let began = Instant::now();
                stream.write_all(b"echo").unwrap();
                stream.read_exact(&mut [0; 4]).unwrap();
                worst.note(began.elapsed());
                asked += 1;
                thread::sleep(Duration::from_millis(2));
            }
            asked
        });
        Self { stop, ticks, lateness, answers, bare: Bare::start(), asking }
    }

    /// Ends them, and says how they fared.
    #[track_caller]
    fn end(self, what: &str) {
        self.stop.store(true, Ordering::Relaxed);
        let asked = self.asking.join().unwrap();
        self.bare.check(&format!("{what}: lateness of a timer"), self.lateness.get());
        self.bare.check(&format!("{what}: an answer"), self.answers.get());
        assert!(asked > 3, "{what}: {asked} answers");
    }
}

/// A server that sends back what it gets.
fn echo(runtime: &Runtime) -> SocketAddr {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let _serving = runtime.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 4];
        while stream.read_exact(&mut bytes).await.is_ok() {
            stream.write_all(&bytes).await.unwrap();
        }
    });
    address
}

/// Makes every worker stuck for a while by `stick`, and looks how others fare meanwhile.
fn stall(what: &'static str, make: impl Fn() -> Box<dyn FnOnce() + Send> + Send + Sync + 'static) {
    within_limit(move || {
        for workers in [1, 2, 4, 8] {
            let runtime = runtime_of(workers);
            let others = Others::start(&runtime);
            eventually("others are at work", || others.ticks.load(Ordering::Relaxed) > 200);
            let _entered = runtime.handle().enter();
            let ticks = others.ticks.load(Ordering::Relaxed);
            let began = Instant::now();
            // One for each worker, where it stays.
            let stuck: Vec<_> = (0..workers)
                .map(|_| {
                    let stick = make();
                    spawn_pinned(move || async move { stick() })
                })
                .collect();
            for task in stuck {
                task.wait().unwrap();
            }
            assert!(began.elapsed() >= STUCK, "{what}: it was no stall");
            let ticks = others.ticks.load(Ordering::Relaxed) - ticks;
            assert!(ticks > 200, "{what}, {workers} workers: {ticks} timers in a second");
            others.end(&format!("{what}, {workers} workers"));
        }
    });
}

#[test]
fn others_go_on_while_all_workers_sleep_inside_of_a_task() {
    stall("sleep", || Box::new(|| thread::sleep(STUCK)));
}

#[test]
fn others_go_on_while_all_workers_compute() {
    stall("loop", || {
        Box::new(|| {
            let began = Instant::now();
            while began.elapsed() < STUCK {
                std::hint::spin_loop();
            }
        })
    });
}

#[test]
fn others_go_on_while_all_workers_wait_for_a_lock() {
    stall("lock", || {
        let lock = Arc::new(Mutex::new(()));
        let (hold, held) = (lock.clone(), Gate::new());
        let holds = held.clone();
        thread::spawn(move || {
            let _guard = hold.lock().unwrap();
            holds.open();
            // Longer than the stall lasts at least, which begins after this.
            thread::sleep(STUCK + Duration::from_millis(500));
        });
        held.block();
        Box::new(move || drop(lock.lock().unwrap()))
    });
}

#[test]
fn others_go_on_while_all_workers_read_from_a_pipe() {
    stall("read", || {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        Box::new(move || {
            thread::spawn(move || {
                thread::sleep(STUCK);
                there.write_all(b"x").unwrap();
            });
            here.read_exact(&mut [0]).unwrap();
        })
    });
}

#[test]
fn others_go_on_while_all_workers_block_on_another_future() {
    stall("block_on", || Box::new(|| weftline::Handle::current().block_on(sleep(STUCK))));
}

#[test]
fn others_go_on_while_all_workers_wait_for_a_task() {
    stall("wait", || Box::new(|| spawn(sleep(STUCK)).wait().unwrap()));
}

#[test]
fn a_task_woken_into_the_slot_of_a_worker_that_computes_runs_elsewhere() {
    within_limit(|| {
        for workers in [1, 2, 4] {
            let runtime = runtime_of(workers);
            settle(&runtime);
            let bare = Bare::start();
            let waited = runtime.spawn(async {
                let (sender, receiver) = oneshot::channel();
                let woken = spawn(async move {
                    let sent: Instant = receiver.await.unwrap();
                    sent.elapsed()
                });
                until_waiting(&woken).await;
                let sent = Instant::now();
                sender.send(sent).unwrap();
                while sent.elapsed() < STUCK {
                    std::hint::spin_loop();
                }
                woken.await.unwrap()
            });
            let waited = waited.wait().unwrap();
            bare.check(&format!("{workers} workers"), waited);
        }
    });
}

#[test]
fn a_busy_worker_looks_after_one_that_is_stuck() {
    within_limit(|| {
        let runtime = runtime_of(2);
        let others = Others::start(&runtime);
        let stop = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..4)
            .map(|_| {
                let until = stop.clone();
                runtime.spawn(async move {
                    while !until.load(Ordering::Relaxed) {
                        yield_now().await;
                    }
                })
            })
            .collect();
        eventually("others are at work", || others.ticks.load(Ordering::Relaxed) > 200);
        let stuck = runtime.spawn(async {
            let spawned = Instant::now();
            let woken = spawn(async move { spawned.elapsed() });
            thread::sleep(STUCK);
            woken.await.unwrap()
        });
        let waited = stuck.wait().unwrap();
        others.bare.check("a job in the slot", waited);
        stop.store(true, Ordering::Relaxed);
        busy.into_iter().for_each(|task| task.wait().unwrap());
        others.end("one stuck, one busy");
    });
}

#[test]
fn a_future_blocked_on_inside_of_a_task_needs_no_other_worker() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let nested = runtime.spawn(async {
            let handle = weftline::Handle::current();
            handle.block_on(async { spawn(async { 1 }).await.unwrap() })
                + spawn(async { 2 }).wait().unwrap()
        });
        assert_eq!(nested.wait().unwrap(), 3);
    });
}

#[test]
fn each_of_many_nested_waits_is_relieved() {
    fn nest(depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        1 + spawn(async move { nest(depth - 1) }).wait().unwrap()
    }
    within_limit(|| {
        let runtime = runtime_of(2);
        assert_eq!(runtime.spawn(async { nest(30) }).wait().unwrap(), 30);
    });
}

#[test]
fn relief_workers_come_when_they_are_needed_and_go_again() {
    within_limit(|| {
        let builder = Runtime::builder().workers(2).thread_name("rl");
        let runtime = builder.relief_keep_alive(Duration::from_millis(50)).build().unwrap();
        settle(&runtime);
        assert!(named("rl-relief").is_empty());
        for _ in 0..2 {
            let (holds, helds): (Vec<_>, Vec<_>) = (0..2).map(|_| holder()).unzip();
            let _entered = runtime.handle().enter();
            let held: Vec<_> =
                holds.into_iter().map(|hold| spawn_pinned(|| async move { hold() })).collect();
            helds.iter().for_each(|held| held.wait());
            runtime.spawn(async {}).wait().unwrap();
            assert_eq!(named("rl-relief").len(), 1);
            helds.iter().for_each(|held| held.release());
            held.into_iter().for_each(|task| task.wait().unwrap());
            eventually("relief has gone", || named("rl-relief").is_empty());
        }
    });
}

#[test]
fn relief_workers_that_get_stuck_are_relieved_up_to_the_limit() {
    within_limit(|| {
        let builder = Runtime::builder().workers(1).thread_name("rb").max_relief_workers(3);
        let runtime = builder.build().unwrap();
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (inside, most) = (inside.clone(), most.clone());
                runtime.spawn(async move {
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(100));
                    inside.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.wait().unwrap());
        assert_eq!(most.load(Ordering::SeqCst), 4);
        assert_eq!(named("rb-relief").len(), 3);
    });
}

#[test]
fn a_thousand_blocked_tasks_are_no_thousand_threads() {
    within_limit(|| {
        let runtime = Runtime::builder().workers(2).thread_name("rt").build().unwrap();
        let release = Gate::new();
        let tasks: Vec<_> = (0..1000)
            .map(|_| {
                let released = release.clone();
                runtime.spawn(async move { released.block() })
            })
            .collect();
        eventually("all relief is stuck", || named("rt-relief").len() == 64);
        thread::sleep(Duration::from_millis(50));
        assert_eq!(named("rt-relief").len(), 64);
        release.open();
        tasks.into_iter().for_each(|task| task.wait().unwrap());
    });
}

#[test]
fn without_relief_workers_tasks_wait() {
    within_limit(|| {
        let builder = Runtime::builder().workers(1).thread_name("rn").max_relief_workers(0);
        let runtime = builder.build().unwrap();
        let (hold, held) = holder();
        let holding = runtime.spawn(async move { hold() });
        held.wait();
        let waiting = runtime.spawn(async {});
        thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        assert_eq!(named("rn-"), ["rn-0"]);
        held.release();
        holding.wait().unwrap();
        waiting.wait().unwrap();
    });
}

#[test]
fn a_local_task_of_a_relief_worker_stays_there() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let (hold, held) = holder();
        let _entered = runtime.handle().enter();
        let holding = spawn_pinned(|| async move { hold() });
        held.wait();
        let go_on = Gate::new();
        let gone = go_on.wait();
        let local = runtime.spawn(async move {
            let here = thread::current().id();
            let local = spawn_local(async move {
                gone.await;
                assert_eq!(thread::current().id(), here);
                sleep(Duration::from_millis(5)).await;
                thread::current().id() == here
            });
            Some(local)
        });
        let local = local.wait().unwrap().unwrap();
        held.release();
        holding.wait().unwrap();
        settle(&runtime);
        thread::sleep(Duration::from_millis(50));
        go_on.open();
        assert!(local.wait().unwrap());
    });
}

#[test]
fn a_pinned_task_waits_for_its_worker_and_is_not_lost() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let (hold, held) = holder();
        let _entered = runtime.handle().enter();
        let holding = spawn_pinned(|| async move { hold() });
        held.wait();
        let pinned = spawn_pinned(|| async { thread::current().name().map(str::to_owned) });
        runtime.spawn(async {}).wait().unwrap();
        assert!(!pinned.is_finished());
        held.release();
        holding.wait().unwrap();
        assert_eq!(pinned.wait().unwrap().as_deref(), Some("weftline-0"));
    });
}

#[test]
fn a_runtime_ends_while_workers_and_relief_are_stuck() {
    within_limit(|| {
        let runtime = Runtime::builder().workers(1).thread_name("re").build().unwrap();
        let release = Gate::new();
        for _ in 0..3 {
            let released = release.clone();
            let _blocked = runtime.spawn(async move { released.block() });
        }
        eventually("relief has come", || named("re-relief").len() == 3);
        let began = Instant::now();
        let report = runtime.shutdown(Duration::ZERO);
        assert!(began.elapsed() < LONG / 2);
        assert_eq!(report.survivors().len(), 3);
        release.open();
        eventually("all threads have ended", || named("re-").is_empty());
    });
}

#[test]
fn an_idle_runtime_is_still_after_a_stall() {
    if in_child("stalls::an_idle_runtime_is_still_after_a_stall") {
        let builder = Runtime::builder().workers(2);
        let runtime = builder.relief_keep_alive(Duration::from_secs(3600)).build().unwrap();
        let others = Others::start(&runtime);
        let stuck: Vec<_> = (0..4)
            .map(|_| runtime.spawn(async { thread::sleep(Duration::from_millis(300)) }))
            .collect();
        stuck.into_iter().for_each(|task| task.wait().unwrap());
        others.end("a stall");
        settle(&runtime);
        crate::idle::assert_still();
    }
}

#[test]
fn virtual_time_has_no_monitor() {
    let builder = Runtime::builder().workers(1).thread_name("rv").virtual_time(true);
    let runtime = builder.build().unwrap();
    settle(&runtime);
    let mut names = named("rv-");
    names.retain(|name| !name.starts_with("rv-blocking"));
    assert_eq!(names, ["rv-0"]);
}

/// Reports of slow polls, each as its text and how long the poll had lasted.
type Told = Arc<Mutex<Vec<(String, Duration)>>>;

/// A runtime that tells the test of slow polls.
fn telling(workers: usize, threshold: Duration) -> (Runtime, Told) {
    let told = Told::default();
    let into = told.clone();
    let builder = Runtime::builder().workers(workers).slow_poll_threshold(threshold);
    let builder = builder.on_slow_poll(move |slow| {
        assert!(slow.task().name().is_none_or(|name| name == "slow"));
        into.lock().unwrap().push((slow.to_string(), slow.duration()));
    });
    (builder.build().unwrap(), told)
}

#[test]
fn a_slow_poll_is_told_of_once_while_it_lasts() {
    within_limit(|| {
        for workers in [1, 3] {
            let threshold = Duration::from_millis(30);
            let (runtime, told) = telling(workers, threshold);
            let seen = told.clone();
            let _entered = runtime.handle().enter();
            let slow = weftline::task::Builder::new().name("slow").spawn(async move {
                let began = Instant::now();
                eventually("it is told of", || !seen.lock().unwrap().is_empty());
                thread::sleep(4 * threshold);
                began.elapsed()
            });
            let (id, line) = (slow.id(), line!() - 6);
            let lasted = slow.wait().unwrap();
            let told = told.lock().unwrap();
            let about: Vec<_> =
                told.iter().filter(|(text, _)| text.contains(&format!("task {id} "))).collect();
            assert_eq!(about.len(), 1, "{told:?}");
            let (text, duration) = about[0];
            assert!((threshold..lasted).contains(duration), "{duration:?} of {lasted:?}");
            assert!(text.contains(&format!("\"slow\", spawned at {}:{line}:", file!())), "{text}");
        }
    });
}

#[test]
fn many_short_polls_are_no_slow_one() {
    within_limit(|| {
        let (runtime, told) = telling(2, Duration::from_secs(2));
        let began = Instant::now();
        let busy = runtime.spawn(async move {
            while began.elapsed() < Duration::from_secs(3) {
                yield_now().await;
            }
        });
        busy.wait().unwrap();
        assert!(told.lock().unwrap().is_empty());
    });
}

#[test]
fn debugging_tells_of_slow_polls_on_standard_error() {
    const NAME: &str = "stalls::debugging_tells_of_slow_polls_on_standard_error";
    if crate::rig::is_child() {
        let runtime = Runtime::builder().workers(1).debug(true).build().unwrap();
        let blocks = async {
            let named = weftline::task::Builder::new().name("the one that blocks");
            named.spawn(async { thread::sleep(STUCK) }).await
        };
        runtime.block_on(blocks).unwrap();
        return;
    }
    let output = crate::rig::child(NAME).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    crate::rig::expect_success(NAME, output);
    assert_eq!(said.matches("weftline: a poll has taken 1").count(), 1, "{said}");
    assert!(said.contains("stalls.rs") && said.contains("the one that blocks"), "{said}");
}
