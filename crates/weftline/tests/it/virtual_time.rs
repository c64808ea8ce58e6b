//! Virtual time: it stands still while anything happens, and jumps when nothing else can.

use crate::probe::Gate;
use crate::rig::within_limit;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use weftline::net::{TcpListener, TcpStream, resolve};
use weftline::runtime::Grace;
use weftline::sync::oneshot;
use weftline::time::{interval, now, sleep, sleep_until, timeout};
use weftline::{Handle, Runtime, spawn, spawn_blocking, spawn_pinned, yield_now};

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
const NS: Duration = Duration::from_nanos(1);

/// A runtime with virtual time.
fn runtime(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).virtual_time(true).build().expect("a runtime starts")
}

/// Runs a test on one, two and four workers; it must not hang.
fn on_each(test: impl Fn(Runtime) + Copy + Send + 'static) {
    for workers in [1, 2, 4] {
        within_limit(move || test(runtime(workers)));
    }
}

#[test]
fn a_sleep_of_a_year_is_over_at_once_and_to_the_nanosecond() {
    let began = Instant::now();
    on_each(|runtime| {
        runtime.block_on(async {
            let before = now();
            sleep(8766 * HOUR).await;
            assert_eq!(now() - before, 8766 * HOUR);
            spawn(sleep(HOUR + NS)).await.unwrap();
            assert_eq!(now() - before, 8767 * HOUR + NS);
            spawn_pinned(|| sleep(HOUR)).await.unwrap();
            assert_eq!(now() - before, 8768 * HOUR + NS);
        });
    });
    assert!(began.elapsed() < HOUR);
}

#[test]
fn deadlines_a_nanosecond_apart_are_kept_in_order() {
    on_each(|runtime| {
        let order = Arc::new(Mutex::new(Vec::new()));
        runtime.block_on(async {
            let start = now();
            let tasks: Vec<_> = (0..200_u32)
                .map(|i| {
                    let order = order.clone();
                    let at = i * 67 % 200;
                    spawn(async move {
                        sleep_until(start + SECOND + at * NS).await;
                        assert_eq!(now(), start + SECOND + at * NS);
                        order.lock().unwrap().push(at);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(*order.lock().unwrap(), (0..200).collect::<Vec<_>>());
    });
}

#[test]
fn deadlines_far_apart_and_close_together_are_all_kept_exactly() {
    on_each(|runtime| {
        runtime.block_on(async {
            let start = now();
            let tasks: Vec<_> = (0..2_000_u64)
                .map(|i| {
                    spawn(async move {
                        let mut random = i + 1;
                        let mut due = now();
                        for _ in 0..5 {
                            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                            // From nanoseconds to days.
                            due += Duration::from_nanos((random >> 20) >> (random % 44));
                            // Some are given up on the way.
                            let _ = timeout(NS, sleep(HOUR)).await;
                            sleep_until(due).await;
                            assert!(now() == due || now() - due == NS);
                            due = now();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            assert!(now() > start);
        });
    });
}

#[test]
fn sleepers_interleave_by_their_deadlines() {
    on_each(|runtime| {
        let log = Arc::new(Mutex::new(Vec::new()));
        runtime.block_on(async {
            let start = now();
            let beat = |name: char, period: Duration, count: u32| {
                let log = log.clone();
                async move {
                    for _ in 0..count {
                        sleep(period).await;
                        log.lock().unwrap().push((name, (now() - start).as_secs()));
                    }
                }
            };
            let fast = spawn(beat('f', 2 * SECOND, 5));
            let slow = spawn(beat('s', 3 * SECOND, 3));
            beat('m', 7 * SECOND, 1).await;
            fast.await.unwrap();
            slow.await.unwrap();
        });
        let mut log = log.lock().unwrap();
        // Both are due at six.
        log[3..5].sort_unstable();
        let expected =
            [('f', 2), ('s', 3), ('f', 4), ('f', 6), ('s', 6), ('m', 7), ('f', 8), ('s', 9)];
        assert_eq!(log[..8], expected);
        assert_eq!(log[8..], [('f', 10)]);
    });
}

#[test]
fn a_timeout_around_a_sleep_is_exact() {
    on_each(|runtime| {
        runtime.block_on(async {
            let start = now();
            assert!(timeout(HOUR, sleep(HOUR + NS)).await.is_err());
            assert_eq!(now() - start, HOUR);
            assert!(timeout(HOUR + NS, sleep(HOUR)).await.is_ok());
            assert_eq!(now() - start, 2 * HOUR);
            let mut ticks = interval(SECOND);
            for i in 0..100 {
                assert_eq!(ticks.tick().await, start + 2 * HOUR + i * SECOND);
                assert_eq!(now(), start + 2 * HOUR + i * SECOND);
            }
        });
    });
}

#[test]
fn time_stands_still_while_a_task_can_run() {
    on_each(|runtime| {
        runtime.block_on(async {
            let start = now();
            let sleeper = spawn(sleep(NS));
            let others: Vec<_> = (0..8)
                .map(|_| {
                    spawn(async move {
                        for _ in 0..500 {
                            assert_eq!(now(), start, "time passed while a task could run");
                            yield_now().await;
                        }
                    })
                })
                .collect();
            for task in others {
                task.await.unwrap();
            }
            sleeper.await.unwrap();
            assert_eq!(now(), start + NS);
        });
    });
}

#[test]
fn time_stands_still_while_the_main_future_is_polled() {
    on_each(|runtime| {
        runtime.block_on(async {
            let start = now();
            let sleeper = spawn(sleep(NS));
            for _ in 0..20 {
                yield_now().await;
                thread::sleep(Duration::from_millis(1));
                assert_eq!(now(), start);
            }
            sleeper.await.unwrap();
        });
    });
}

#[test]
fn time_stands_still_while_messages_travel() {
    on_each(|runtime| {
        runtime.block_on(async {
            // Each hop wakes a task on some worker, or one that must stay on its own: at no moment
            // do all rest. The alarm would ring if time passed on the way.
            let start = now();
            for round in 0..200_u32 {
                let alarm = spawn(async move {
                    sleep(SECOND).await;
                    now()
                });
                let (first, mut receiver) = oneshot::channel();
                for hop in 0..10 {
                    let (sender, next) = oneshot::channel();
                    let pass_on = move |receiver: oneshot::Receiver<u32>| async move {
                        let _ = sender.send(receiver.await.unwrap() + 1);
                    };
                    if hop % 2 == 0 {
                        drop(spawn(pass_on(receiver)));
                    } else {
                        drop(spawn_pinned(move || pass_on(receiver)));
                    }
                    receiver = next;
                }
                first.send(0).unwrap();
                assert_eq!(receiver.await, Ok(10));
                assert_eq!(now(), start + round * SECOND, "time passed while a message travelled");
                assert_eq!(alarm.await.unwrap(), start + (round + 1) * SECOND);
            }
        });
    });
}

#[test]
fn time_stands_still_while_a_blocking_job_runs() {
    on_each(|runtime| {
        runtime.block_on(async {
            let start = now();
            let rang = Arc::new(AtomicBool::new(false));
            let ring = rang.clone();
            let alarm = spawn(async move {
                sleep(NS).await;
                ring.store(true, Ordering::SeqCst);
            });
            let job = spawn_blocking(move || {
                thread::sleep(Duration::from_millis(20));
                (rang.load(Ordering::SeqCst), now())
            });
            assert_eq!(job.await.unwrap(), (false, start));
            assert_eq!(now(), start);
            alarm.await.unwrap();
        });
    });
}

#[test]
fn a_queued_blocking_job_holds_the_time_too() {
    within_limit(|| {
        let builder = Runtime::builder().workers(2).max_blocking_threads(1).virtual_time(true);
        let runtime = builder.build().unwrap();
        runtime.block_on(async {
            let start = now();
            let alarm = spawn(sleep(NS));
            let jobs: Vec<_> = (0..5)
                .map(|_| {
                    spawn_blocking(|| {
                        thread::sleep(Duration::from_millis(2));
                        now()
                    })
                })
                .collect();
            for job in jobs {
                assert_eq!(job.await.unwrap(), start);
            }
            alarm.await.unwrap();
        });
    });
}

#[test]
fn a_blocking_job_that_waits_for_time_lets_it_pass() {
    on_each(|runtime| {
        runtime.block_on(async {
            let start = now();
            let job = spawn_blocking(move || {
                Handle::current().block_on(sleep(HOUR));
                let mut task = spawn(sleep(2 * HOUR));
                assert!(task.wait_timeout(HOUR).is_none(), "by the runtime's time");
                assert_eq!(now(), start + 2 * HOUR);
                task.wait().unwrap();
                now()
            });
            assert_eq!(job.await.unwrap(), start + 3 * HOUR);
        });
    });
}

#[test]
fn a_task_that_blocks_its_worker_lets_time_pass() {
    within_limit(|| {
        let runtime = runtime(2);
        runtime.block_on(async {
            let start = now();
            let task = spawn(async move {
                let inner = spawn(sleep(HOUR));
                Handle::current().block_on(async {
                    sleep(SECOND).await;
                    inner.await.unwrap();
                });
                now()
            });
            assert_eq!(task.await.unwrap(), start + HOUR);
        });
    });
}

#[test]
fn time_stands_still_while_a_socket_has_data() {
    on_each(|runtime| {
        runtime.block_on(async {
            let start = now();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let client = spawn(async move { TcpStream::connect(address).await.unwrap() });
            let (server, _) = listener.accept().await.unwrap();
            let client = client.await.unwrap();
            assert_eq!(now(), start, "neither connecting nor accepting takes time");
            for _ in 0..100 {
                client.write_all(b"data").await.unwrap();
                let mut buffer = [0; 4];
                let read = timeout(NS, server.read_exact(&mut buffer)).await;
                assert!(read.is_ok(), "what has arrived is read before time passes");
                assert_eq!(now(), start);
            }
            let read = timeout(HOUR, server.read(&mut [0; 1])).await;
            assert!(read.is_err(), "nothing comes");
            assert_eq!(now(), start + HOUR);
        });
    });
}

#[test]
fn time_stands_still_while_a_name_is_looked_up() {
    on_each(|runtime| {
        runtime.block_on(async {
            let start = now();
            let found = timeout(NS, resolve("localhost", 80)).await;
            assert!(found.expect("it takes no time").is_ok());
            assert_eq!(now(), start);
        });
    });
}

#[test]
fn threads_that_block_on_the_runtime_share_its_time() {
    within_limit(|| {
        let runtime = runtime(2);
        let start = runtime.block_on(async { now() });
        let order = Mutex::new(Vec::new());
        // All begin before the first rests: each holds the time until all have arrived.
        let all_here = std::sync::Barrier::new(4);
        thread::scope(|scope| {
            for i in 0..4_u32 {
                let (runtime, order, all_here) = (&runtime, &order, &all_here);
                scope.spawn(move || {
                    runtime.block_on(async {
                        all_here.wait();
                        sleep_until(start + (4 - i) * HOUR).await;
                        order.lock().unwrap().push((i, now() - start));
                    });
                });
            }
        });
        let order = order.into_inner().unwrap();
        assert_eq!(order, [(3, HOUR), (2, 2 * HOUR), (1, 3 * HOUR), (0, 4 * HOUR)]);
    });
}

#[test]
fn two_runtimes_have_two_times() {
    within_limit(|| {
        let (outer, inner) = (runtime(1), runtime(1));
        outer.block_on(async {
            let start = now();
            let alarm = spawn(sleep(NS));
            let handle = inner.handle().clone();
            let task = spawn(async move {
                handle.block_on(async {
                    let start = now();
                    sleep(HOUR).await;
                    assert_eq!(now() - start, HOUR);
                });
                now()
            });
            assert_eq!(task.await.unwrap(), start, "whoever is elsewhere holds the time here");
            alarm.await.unwrap();
        });
    });
}

#[test]
fn a_thread_outside_wakes_a_task_at_any_time() {
    on_each(|runtime| {
        let (sender, receiver) = oneshot::channel();
        let gate = Gate::new();
        let opener = gate.clone();
        // While nothing is left to wait for but this.
        let outside = thread::spawn(move || {
            gate.block();
            thread::sleep(Duration::from_millis(5));
            sender.send(1).unwrap();
        });
        runtime.block_on(async {
            sleep(HOUR).await;
            opener.open();
            assert_eq!(spawn(receiver).await.unwrap(), Ok(1));
        });
        outside.join().unwrap();
    });
}

#[test]
fn a_runtime_at_rest_with_virtual_time_can_be_shut_down() {
    on_each(|runtime| {
        let before = runtime.block_on(async { now() });
        let polls = Arc::new(AtomicUsize::new(0));
        let count = polls.clone();
        drop(runtime.spawn(async move {
            loop {
                sleep(HOUR).await;
                if count.fetch_add(1, Ordering::SeqCst) > 100 {
                    pending::<()>().await;
                }
            }
        }));
        // Time passes although nobody is in `block_on`.
        while polls.load(Ordering::SeqCst) < 100 {
            thread::yield_now();
        }
        runtime.block_on(async { assert!(now() - before >= 100 * HOUR) });
        let report = runtime.shutdown(Grace::For(SECOND));
        assert!(report.is_clean(), "{report}");
    });
}

#[test]
fn real_time_is_the_default_and_the_time_outside() {
    let before = Instant::now();
    assert!(now() >= before);
    weftline::run(async {
        let began = now();
        sleep(Duration::from_millis(2)).await;
        assert!(began.elapsed() >= Duration::from_millis(2));
    });
    let (done, is_done) = mpsc::channel();
    let runtime = runtime(1);
    runtime.block_on(async { sleep(HOUR).await });
    thread::spawn(move || done.send(now()).unwrap());
    assert!(is_done.recv().unwrap() < before + HOUR);
}

#[test]
fn a_worker_that_blocks_leaves_the_time_to_another() {
    within_limit(|| {
        let runtime = runtime(2);
        runtime.block_on(async {
            let start = now();
            // In turn on both workers, of which one waits in the driver when it is woken.
            for i in 1..=40 {
                let blocks = || async { Handle::current().block_on(sleep(HOUR)) };
                spawn_pinned(blocks).await.unwrap();
                assert_eq!(now() - start, i * HOUR);
            }
        });
    });
}
