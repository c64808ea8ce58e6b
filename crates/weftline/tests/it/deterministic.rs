//! The deterministic mode: one thread, an order that a seed chooses, and the same order again.

use crate::rig::{self, panic_on_purpose, within_limit};
use std::collections::HashSet;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use weftline::net::{TcpListener, TcpStream};
use weftline::runtime::{Builder, Grace, Trace};
use weftline::sync::oneshot;
use weftline::time::{now, sleep, timeout};
use weftline::{Handle, Runtime, spawn, spawn_blocking, spawn_local, spawn_pinned, yield_now};

const HOUR: Duration = Duration::from_secs(3600);

fn builder(seed: u64) -> Builder {
    Runtime::builder().workers(3).deterministic(seed)
}

fn runtime(seed: u64) -> Runtime {
    builder(seed).build().expect("a runtime starts")
}

/// Tasks of all kinds, which spawn, yield, sleep and pass values on. Returns what they did, in
/// order, and where: who ran it is the seed's choice too.
async fn busy_program() -> Vec<(u32, u32)> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..20_u32)
        .map(|task| {
            let log = log.clone();
            let body = move || async move {
                for step in 0..5 {
                    log.lock().unwrap().push((task, step));
                    match (task + step) % 4 {
                        0 => yield_now().await,
                        1 => sleep(Duration::from_millis(u64::from(step % 3))).await,
                        2 => {
                            let (sender, receiver) = oneshot::channel();
                            drop(spawn(async move { sender.send(step) }));
                            assert_eq!(receiver.await, Ok(step));
                        }
                        _ => {
                            spawn(async { spawn_local(yield_now()).await.unwrap() }).await.unwrap()
                        }
                    }
                }
            };
            if task % 3 == 0 { spawn_pinned(body) } else { spawn(body()) }
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let log = log.lock().unwrap();
    log.clone()
}

/// What the busy program does with a seed.
fn course(seed: u64) -> (Vec<(u32, u32)>, Trace) {
    let runtime = runtime(seed);
    let log = runtime.block_on(busy_program());
    let trace = runtime.handle().trace().expect("it is deterministic");
    (log, trace)
}

#[test]
fn the_same_seed_takes_the_same_course() {
    for seed in 0..20 {
        let first = course(seed);
        // Also where ids, addresses and the thread are others.
        let again = thread::spawn(move || course(seed)).join().unwrap();
        assert_eq!(first, again, "seed {seed}");
        assert_eq!(first, course(seed), "seed {seed}");
    }
}

#[test]
fn other_seeds_take_other_courses() {
    let courses: HashSet<_> = (0..50).map(course).collect();
    assert!(courses.len() > 45, "only {} of 50 differ", courses.len());
    let traces: HashSet<_> = courses.iter().map(|(_, trace)| trace).collect();
    assert_eq!(traces.len(), courses.len(), "the trace tells courses apart");
}

#[test]
fn a_trace_goes_on_over_several_calls() {
    let run = || {
        let runtime = runtime(3);
        let mut traces = vec![runtime.handle().trace().unwrap()];
        for _ in 0..3 {
            runtime.block_on(busy_program());
            traces.push(runtime.handle().trace().unwrap());
        }
        traces
    };
    let traces = run();
    assert_eq!(traces[0], Trace::default());
    assert!(traces.windows(2).all(|pair| pair[0].steps() < pair[1].steps()));
    assert_eq!(traces, run());
}

#[test]
fn only_a_deterministic_runtime_has_a_seed_and_a_trace() {
    assert_eq!(runtime(7).handle().seed(), Some(7));
    let threaded = Runtime::builder().workers(1).virtual_time(true).build().unwrap();
    assert_eq!((threaded.handle().seed(), threaded.handle().trace()), (None, None));
    assert_eq!(Runtime::builder().deterministic(1).build().unwrap().handle().workers(), 4);
}

#[test]
fn everything_runs_on_the_calling_thread() {
    let runtime = runtime(1);
    let here = thread::current().id();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..50).map(|_| spawn(async { thread::current().id() })).collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), here);
        }
    });
}

#[test]
fn outside_of_block_on_nothing_runs() {
    let runtime = runtime(1);
    let ran = Arc::new(AtomicBool::new(false));
    let runs = ran.clone();
    let task = runtime.spawn(async move { runs.store(true, Ordering::SeqCst) });
    thread::sleep(Duration::from_millis(5));
    assert!(!ran.load(Ordering::SeqCst));
    runtime.block_on(task).unwrap();
}

/// Two tasks that each read, yield and write: an update may be lost.
async fn racy_program() -> u32 {
    let count = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let count = count.clone();
            spawn(async move {
                let seen = count.load(Ordering::SeqCst);
                if seen == 0 {
                    // The window is open only here.
                    yield_now().await;
                }
                count.store(seen + 1, Ordering::SeqCst);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    count.load(Ordering::SeqCst)
}

#[test]
fn some_seed_finds_a_race_and_finds_it_again() {
    let run = |seed| runtime(seed).block_on(racy_program());
    let results: Vec<_> = (0..100).map(run).collect();
    let lost = results.iter().position(|&count| count == 1).expect("some seed loses an update");
    assert!(results.contains(&2), "some seed loses none");
    for _ in 0..10 {
        assert_eq!(run(lost as u64), 1);
    }
}

#[test]
fn one_worker_has_many_courses_too() {
    let run = |seed| {
        let runtime = Runtime::builder().workers(1).deterministic(seed).build().unwrap();
        runtime.block_on(busy_program())
    };
    let courses: HashSet<_> = (0..50).map(run).collect();
    assert!(courses.len() > 25, "only {} of 50 differ", courses.len());
}

#[test]
fn timers_due_at_once_fire_in_any_order_and_others_in_theirs() {
    let run = |seed| {
        let log = Arc::new(Mutex::new(Vec::new()));
        runtime(seed).block_on(async {
            let start = now();
            let tasks: Vec<_> = (0..12_u32)
                .map(|i| {
                    let log = log.clone();
                    spawn(async move {
                        let due = Duration::from_nanos(u64::from(i / 4) + 1);
                        sleep(due).await;
                        assert_eq!(now() - start, due);
                        log.lock().unwrap().push(i);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        let log = log.lock().unwrap();
        assert!(log.iter().map(|i| i / 4).is_sorted(), "{log:?}");
        log.clone()
    };
    let orders: HashSet<_> = (0..20).map(run).collect();
    assert!(orders.len() > 10);
}

#[test]
fn time_is_virtual() {
    let began = Instant::now();
    runtime(5).block_on(async {
        let before = now();
        spawn(sleep(1000 * HOUR)).await.unwrap();
        assert_eq!(now() - before, 1000 * HOUR);
        assert!(timeout(HOUR, pending::<()>()).await.is_err());
        assert_eq!(now() - before, 1001 * HOUR);
    });
    assert!(began.elapsed() < HOUR);
}

#[test]
fn a_task_that_never_rests_gives_its_slice_back_by_count() {
    let run = |seed| {
        let runtime = runtime(seed);
        let turns = runtime.block_on(async {
            let over = Arc::new(AtomicBool::new(false));
            let ends = over.clone();
            let greedy = spawn(async move {
                let mut questions = 0;
                while !over.load(Ordering::SeqCst) {
                    // As every leaf future asks.
                    std::future::poll_fn(weftline::task::budget::poll_proceed).await;
                    questions += 1;
                }
                questions
            });
            spawn(async move { ends.store(true, Ordering::SeqCst) }).await.unwrap();
            greedy.await.unwrap()
        });
        (turns, runtime.handle().trace())
    };
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed));
    }
}

#[test]
fn sockets_work() {
    within_limit(|| {
        for seed in 0..10 {
            runtime(seed).block_on(async {
                let before = now();
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let server = spawn(async move {
                    let (stream, _) = listener.accept().await.unwrap();
                    let mut buffer = [0; 4];
                    for _ in 0..50 {
                        stream.read_exact(&mut buffer).await.unwrap();
                        stream.write_all(&buffer).await.unwrap();
                    }
                });
                let stream = TcpStream::connect(address).await.unwrap();
                let mut buffer = [0; 4];
                for _ in 0..50 {
                    stream.write_all(b"ping").await.unwrap();
                    timeout(HOUR, stream.read_exact(&mut buffer)).await.unwrap().unwrap();
                    assert_eq!(&buffer, b"ping");
                }
                server.await.unwrap();
                assert_eq!(now(), before, "data that is there takes no time");
            });
        }
    });
}

#[test]
fn a_task_that_spins_does_not_keep_events_waiting() {
    within_limit(|| {
        runtime(1).block_on(async {
            let over = Arc::new(AtomicBool::new(false));
            let seen = over.clone();
            let spins = spawn(async move {
                while !seen.load(Ordering::SeqCst) {
                    yield_now().await;
                }
            });
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let peer = thread::spawn(move || std::net::TcpStream::connect(address).unwrap());
            listener.accept().await.unwrap();
            over.store(true, Ordering::SeqCst);
            spins.await.unwrap();
            peer.join().unwrap();
        });
    });
}

#[test]
fn a_main_future_that_spins_lets_the_workers_be_played() {
    within_limit(|| {
        for seed in 0..10 {
            runtime(seed).block_on(async {
                let task = spawn(yield_now());
                while !task.is_finished() {
                    yield_now().await;
                }
            });
        }
    });
}

#[test]
fn blocking_jobs_run_on_their_threads_and_hold_the_time() {
    within_limit(|| {
        for seed in 0..10 {
            runtime(seed).block_on(async {
                let here = thread::current().id();
                let start = now();
                let alarm = spawn(sleep(HOUR));
                let job = spawn_blocking(move || {
                    thread::sleep(Duration::from_millis(2));
                    assert_ne!(thread::current().id(), here);
                    // The player goes on meanwhile.
                    let inner = spawn(async { thread::current().id() });
                    assert_eq!(inner.wait().unwrap(), here);
                    Handle::current().block_on(yield_now());
                    now()
                });
                assert_eq!(job.await.unwrap(), start);
                alarm.await.unwrap();
                // A job that waits for time lets it pass.
                let job = spawn_blocking(|| Handle::current().block_on(sleep(HOUR)));
                job.await.unwrap();
                assert_eq!(now(), start + 2 * HOUR);
            });
        }
    });
}

#[test]
fn a_thread_outside_wakes_whoever_waits() {
    within_limit(|| {
        let runtime = runtime(1);
        let (to_main, for_main) = oneshot::channel();
        let (to_task, for_task) = oneshot::channel();
        let handle = runtime.handle().clone();
        let outside = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            to_task.send(1).unwrap();
            thread::sleep(Duration::from_millis(5));
            drop(handle.spawn(async move { to_main.send(2) }));
        });
        runtime.block_on(async {
            assert_eq!(spawn(for_task).await.unwrap(), Ok(1));
            assert_eq!(for_main.await, Ok(2));
        });
        outside.join().unwrap();
    });
}

#[test]
fn whoever_blocks_inside_of_a_task_lets_the_others_run() {
    within_limit(|| {
        let runtime = runtime(2);
        runtime.block_on(async {
            let before = now();
            let task = spawn(async {
                let inner = spawn(sleep(HOUR));
                let mut slow = spawn(sleep(5 * HOUR));
                assert!(slow.wait_timeout(2 * HOUR).is_none());
                Handle::current().block_on(async {
                    inner.await.unwrap();
                    spawn(yield_now()).await.unwrap();
                });
                slow.wait().unwrap();
            });
            task.await.unwrap();
            assert_eq!(now() - before, 5 * HOUR);
        });
    });
}

#[test]
fn a_deterministic_runtime_inside_of_another_keeps_its_own_course() {
    let alone = course(9);
    runtime(1).block_on(async {
        let inner = spawn(async { course(9) }).await.unwrap();
        assert_eq!(inner, alone);
        spawn(yield_now()).await.unwrap();
    });
}

#[test]
fn another_thread_may_not_take_over() {
    let runtime = runtime(1);
    runtime.block_on(async {});
    let refused = thread::scope(|scope| {
        let other = scope.spawn(|| runtime.block_on(async {}));
        other.join().unwrap_err()
    });
    let text = refused.downcast_ref::<&str>().expect("a text");
    assert!(text.contains("the thread that was first in its `block_on`"), "{text}");
    runtime.block_on(spawn_on(&runtime));
}

async fn spawn_on(runtime: &Runtime) {
    runtime.spawn(yield_now()).await.unwrap();
}

#[test]
fn a_panic_of_the_main_future_leaves_the_runtime_whole() {
    let runtime = runtime(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            drop(spawn(yield_now()));
            yield_now().await;
            panic_on_purpose("main")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(runtime.block_on(async { spawn(async { 1 }).await.unwrap() }), 1);
    let task = runtime.spawn(async { panic_on_purpose("a task") });
    assert!(runtime.block_on(task).unwrap_err().is_panic());
}

/// Counts its drop.
struct Ends(Arc<AtomicU32>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn shutting_down_ends_all_tasks() {
    within_limit(|| {
        for seed in 0..20 {
            let runtime = runtime(seed);
            let ended = Arc::new(AtomicU32::new(0));
            runtime.block_on(async {
                for i in 0..10_u32 {
                    let ends = Ends(ended.clone());
                    let body = async move {
                        let _ends = ends;
                        match i % 3 {
                            0 => pending::<()>().await,
                            1 => sleep(HOUR).await,
                            _ => loop {
                                yield_now().await;
                            },
                        }
                    };
                    if i % 2 == 0 { drop(spawn(body)) } else { drop(spawn_pinned(move || body)) }
                }
                yield_now().await;
            });
            let report = runtime.shutdown(Grace::Forever);
            assert!(report.is_clean(), "{report}");
            assert_eq!(ended.load(Ordering::SeqCst), 10);
        }
    });
}

/// A runtime with a waiting task that must stay on this thread, and the count of its drops.
fn with_a_local_task() -> (Runtime, Arc<AtomicU32>) {
    let runtime = runtime(1);
    let ended = Arc::new(AtomicU32::new(0));
    let ends = Ends(ended.clone());
    runtime.block_on(async {
        let spawns = spawn_pinned(|| async {
            let held = Rc::new(ends);
            drop(spawn_local(async move {
                pending::<()>().await;
                drop(held);
            }));
        });
        spawns.await.unwrap();
        sleep(HOUR).await;
    });
    (runtime, ended)
}

#[test]
fn a_future_that_cannot_be_sent_is_dropped_where_it_lives_or_not_at_all() {
    let (runtime, ended) = with_a_local_task();
    assert!(runtime.shutdown(Grace::Forever).is_clean());
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    let (runtime, ended) = with_a_local_task();
    let report = thread::spawn(move || runtime.shutdown(Grace::Forever)).join().unwrap();
    assert_eq!(report.survivors().len(), 1, "{report}");
    assert_eq!(ended.load(Ordering::SeqCst), 0);
}

#[test]
fn a_runtime_that_ran_nothing_is_shut_down_anywhere() {
    let runtime = runtime(1);
    let task = runtime.spawn(pending::<()>());
    let report = thread::spawn(move || runtime.shutdown(Grace::Forever)).join().unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(task.wait().unwrap_err().is_cancelled());
}

#[test]
fn a_runtime_dropped_by_its_own_task_ends() {
    within_limit(|| {
        let runtime = runtime(1);
        let handle = runtime.handle().clone();
        handle.block_on(async move {
            let waits = spawn(pending::<()>());
            drop(spawn(async move { drop(runtime) }));
            assert!(waits.await.unwrap_err().is_cancelled());
        });
        assert!(handle.spawn(async {}).wait().unwrap_err().is_cancelled());
    });
}

#[weftline::test(seed = 7, workers = 2)]
async fn the_attribute_chooses_the_seed() {
    let handle = Handle::current();
    if std::env::var_os("WEFTLINE_SEED").is_none() {
        assert_eq!(handle.seed(), Some(7));
    }
    assert_eq!(handle.workers(), 2);
}

#[weftline::test(seeds = 20)]
async fn the_attribute_runs_many_seeds() -> Result<(), weftline::JoinError> {
    spawn(sleep(HOUR)).await
}

#[weftline::test(virtual_time, workers = 2)]
async fn the_attribute_gives_virtual_time() {
    let before = now();
    sleep(HOUR).await;
    assert_eq!(now() - before, HOUR);
    assert_eq!(Handle::current().seed(), None);
}

/// Fails, in a child process, with the seeds for which an update is lost.
#[weftline::test(seed = 0, seeds = 100)]
async fn in_a_child_some_seed_fails() {
    if rig::is_child() {
        let seed = Handle::current().seed().unwrap();
        assert_eq!(racy_program().await, 2, "seed {seed} loses an update");
    }
}

#[test]
fn the_failing_seed_is_printed_and_replays() {
    let name = "deterministic::in_a_child_some_seed_fails";
    let run = |seed: Option<&str>| {
        let mut child = rig::child(name);
        child.env_remove("WEFTLINE_SEED").envs(seed.map(|seed| ("WEFTLINE_SEED", seed)));
        let output = child.output().expect("the test binary runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (succeeded, said) = run(None);
    assert!(!succeeded, "{said}");
    let line = said.lines().find(|line| line.contains(" replays this run")).expect("the seed");
    let seed = line.split(['=', ' ']).find(|word| word.parse::<u64>().is_ok()).expect("a number");
    assert_eq!(line, format!("weftline: WEFTLINE_SEED={seed} replays this run"));
    let (succeeded, said) = run(Some(seed));
    assert!(!succeeded && said.contains(&format!("seed {seed} loses an update")), "{said}");
    // One seed alone is run, and most seeds lose nothing.
    let lossless = (0..).find(|seed| runtime_of_test(*seed).block_on(racy_program()) == 2);
    let (succeeded, said) = run(lossless.map(|seed| seed.to_string()).as_deref());
    assert!(succeeded, "{said}");
    let (succeeded, said) = run(Some("seven"));
    assert!(!succeeded && said.contains("WEFTLINE_SEED is \"seven\", but must be"), "{said}");
}

/// A runtime as the attribute makes it.
fn runtime_of_test(seed: u64) -> Runtime {
    Runtime::builder().deterministic(seed).build().unwrap()
}

/// As the one above, by an error instead of a panic.
#[weftline::test(seed = 0, seeds = 100)]
async fn in_a_child_some_seed_gives_an_error() -> Result<(), String> {
    if rig::is_child() && racy_program().await != 2 {
        return Err("an update is lost".to_owned());
    }
    Ok(())
}

#[test]
fn the_seed_of_a_returned_error_is_printed_too() {
    let mut child = rig::child("deterministic::in_a_child_some_seed_gives_an_error");
    let output = child.env_remove("WEFTLINE_SEED").output().expect("the test binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("an update is lost"), "{said}");
    assert!(said.lines().any(|line| line.ends_with(" replays this run")), "{said}");
}
