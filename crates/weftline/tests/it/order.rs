//! Who runs when: fairness among the tasks of one worker, and work that must not be stranded.

use crate::probe::Gate;
use crate::rig::{eventually, runtime_of, settle, within_limit};
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};
use weftline::runtime::Handle;
use weftline::task::budget;
use weftline::time::sleep;
use weftline::{Runtime, spawn, yield_now};

/// Runs `body` as a task of a runtime with one worker.
fn on_one_worker<T: Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> T {
    within_limit(|| runtime_of(1).spawn(body).wait().unwrap())
}

/// What ran, in order.
#[derive(Clone, Default)]
struct Order(Arc<Mutex<Vec<usize>>>);

impl Order {
    fn note(&self, what: usize) {
        self.0.lock().unwrap().push(what);
    }

    fn all(&self) -> Vec<usize> {
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn spawned_tasks_run_in_order_but_the_last_goes_first() {
    let order = on_one_worker(async {
        let order = Order::default();
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let order = order.clone();
                spawn(async move { order.note(n) })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        order.all()
    });
    assert_eq!(order, [9, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn woken_tasks_run_in_order_but_the_last_goes_first() {
    let order = on_one_worker(async {
        let order = Order::default();
        let gates: Vec<_> = (0..10).map(|_| Gate::new()).collect();
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let (order, wait) = (order.clone(), gates[n].wait());
                spawn(async move {
                    wait.await;
                    order.note(n);
                })
            })
            .collect();
        yield_now().await;
        yield_now().await;
        gates.iter().for_each(Gate::open);
        for task in tasks {
            task.await.unwrap();
        }
        order.all()
    });
    assert_eq!(order, [9, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn tasks_that_step_back_take_turns() {
    let order = on_one_worker(async {
        let order = Order::default();
        let tasks: Vec<_> = (0..3)
            .map(|n| {
                let order = order.clone();
                spawn(async move {
                    for _ in 0..50 {
                        order.note(n);
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        order.all()
    });
    for round in order.chunks(3) {
        let mut round = round.to_vec();
        round.sort_unstable();
        assert_eq!(round, [0, 1, 2], "each once in a round: {order:?}");
    }
}

/// Two tasks that wake each other until `stop` is open.
fn ping_pong(stop: &Gate) -> [impl Future<Output = ()> + Send + use<>; 2] {
    let turn = Arc::new(Mutex::new((0_usize, [None, None])));
    [0, 1].map(|me| {
        let (turn, stop) = (turn.clone(), stop.clone());
        poll_fn(move |cx| {
            let mut table = turn.lock().unwrap();
            table.1[me] = Some(cx.waker().clone());
            let other = table.1[1 - me].take();
            table.0 += 1;
            drop(table);
            if let Some(other) = other {
                other.wake();
            }
            if stop.is_open() { Poll::Ready(()) } else { Poll::Pending }
        })
    })
}

/// Whether `body` ends on a worker on which two tasks play ping-pong.
fn beside_ping_pong(body: impl Future<Output = ()> + Send + 'static) -> bool {
    within_limit(|| {
        let runtime = runtime_of(1);
        let stop = Gate::new();
        let players = ping_pong(&stop).map(|player| runtime.spawn(player));
        let mut third = runtime.spawn(body);
        let ended = third.wait_timeout(Duration::from_secs(10)).is_some();
        stop.open();
        drop((players, runtime));
        ended
    })
}

#[test]
fn two_tasks_that_wake_each_other_do_not_starve_a_third() {
    let third = async {
        for _ in 0..100 {
            yield_now().await;
        }
    };
    assert!(beside_ping_pong(third));
}

#[test]
fn two_tasks_that_wake_each_other_do_not_starve_timers_nor_pinned_tasks() {
    assert!(beside_ping_pong(async {
        for _ in 0..10 {
            sleep(Duration::from_millis(1)).await;
            weftline::spawn_pinned(yield_now).await.unwrap();
        }
    }));
}

/// A task that wakes itself until the flag is set, and how often it was polled.
fn spins(stop: Arc<AtomicBool>) -> (impl Future<Output = ()> + Send, Arc<AtomicU64>) {
    let polls = Arc::new(AtomicU64::new(0));
    let count = polls.clone();
    let spin = async move {
        while !stop.load(Ordering::Relaxed) {
            count.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
        }
    };
    (spin, polls)
}

#[test]
fn jobs_that_compute_and_other_tasks_have_equal_shares_of_a_worker() {
    const JOBS: u64 = 100;
    const LENGTH: Duration = Duration::from_micros(300);
    within_limit(|| {
        let runtime = runtime_of(1);
        let stop = Arc::new(AtomicBool::new(false));
        let (spin, polls) = spins(stop.clone());
        let spinning = runtime.spawn(spin);
        eventually("it spins", || polls.load(Ordering::Relaxed) > 0);
        let compute = || {
            let began = Instant::now();
            while began.elapsed() < LENGTH {}
        };
        let before = polls.load(Ordering::Relaxed);
        let jobs: Vec<_> = (0..JOBS).map(|_| runtime.handle().compute(compute)).collect();
        jobs.into_iter().for_each(|job| job.wait().unwrap());
        let meanwhile = polls.load(Ordering::Relaxed) - before;
        stop.store(true, Ordering::Relaxed);
        spinning.wait().unwrap();
        // Some hundreds have room in one share.
        assert!(meanwhile >= 20 * JOBS, "{meanwhile} polls beside {JOBS} jobs");
    });
}

#[test]
fn a_task_that_wakes_itself_starves_neither_timers_nor_outside_threads() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let stop = Arc::new(AtomicBool::new(false));
        let (spin, polls) = spins(stop.clone());
        let spinning = runtime.spawn(spin);
        eventually("it spins", || polls.load(Ordering::Relaxed) > 0);
        for _ in 0..20 {
            runtime.spawn(sleep(Duration::from_millis(1))).wait().unwrap();
            runtime.block_on(sleep(Duration::from_millis(1)));
            runtime.spawn(async {}).wait().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        spinning.wait().unwrap();
    });
}

#[test]
fn a_timer_beside_a_task_that_wakes_itself_is_in_time() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let stop = Arc::new(AtomicBool::new(false));
        let (spin, _) = spins(stop.clone());
        let spinning = runtime.spawn(spin);
        let late = runtime.spawn(async {
            let mut best = Duration::MAX;
            for _ in 0..20 {
                let began = Instant::now();
                sleep(Duration::from_millis(2)).await;
                best = best.min(began.elapsed());
            }
            best
        });
        // The best of twenty: other processes want the machine too.
        assert!(late.wait().unwrap() < Duration::from_millis(10));
        stop.store(true, Ordering::Relaxed);
        spinning.wait().unwrap();
    });
}

#[test]
fn a_task_whose_operations_are_all_ready_steps_back() {
    let other_ran = on_one_worker(async {
        let flag = Arc::new(AtomicBool::new(false));
        let set = flag.clone();
        let other = spawn(async move { set.store(true, Ordering::Relaxed) });
        let began = Instant::now();
        while !flag.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(10) {
            poll_fn(budget::poll_proceed).await;
        }
        other.await.unwrap();
        began.elapsed()
    });
    assert!(other_ran < Duration::from_secs(5), "{other_ran:?}");
}

#[test]
fn the_slice_begins_anew_with_each_poll() {
    on_one_worker(async {
        while !budget::is_spent() {}
        assert!(budget::is_spent(), "once spent it stays so");
        yield_now().await;
        assert!(!budget::is_spent());
        poll_fn(budget::poll_proceed).await;
    });
}

/// Lets a task wake another and then hold its thread, while the runtime's other worker sleeps; how
/// long the woken one had to wait. `lend` chooses how the second task comes to be ready.
fn time_to_be_taken(wake: fn(&Gate)) -> Duration {
    within_limit(move || {
        let runtime = runtime_of(2);
        let (gate, ran) = (Gate::new(), Gate::new());
        let (wait, runs) = (gate.wait(), ran.clone());
        let woken = runtime.spawn(async move {
            wait.await;
            runs.open();
        });
        eventually("it waits", || woken.task().status() == weftline::task::Status::Waiting);
        settle(&runtime);
        // Long enough for the other worker to fall asleep.
        thread::sleep(Duration::from_millis(50));
        let holds = runtime.spawn(async move {
            wake(&gate);
            let began = Instant::now();
            while !ran.is_open() && began.elapsed() < Duration::from_secs(3) {
                thread::sleep(Duration::from_millis(1));
            }
            began.elapsed()
        });
        let waited = holds.wait().unwrap();
        woken.wait().unwrap();
        waited
    })
}

#[test]
fn a_task_woken_by_one_that_then_blocks_is_taken_by_an_idle_worker() {
    let waited = time_to_be_taken(Gate::open);
    assert!(waited < Duration::from_millis(500), "it was stranded for {waited:?}");
}

#[test]
fn a_task_spawned_by_one_that_then_blocks_is_taken_by_an_idle_worker() {
    let waited = time_to_be_taken(|gate| {
        let gate = gate.clone();
        drop(spawn(async move { gate.open() }));
    });
    assert!(waited < Duration::from_millis(500), "it was stranded for {waited:?}");
}

#[test]
fn a_task_woken_before_a_nested_block_on_is_taken_by_an_idle_worker() {
    let waited = time_to_be_taken(|gate| {
        let answer = Gate::new();
        let (gate, answers) = (gate.clone(), answer.clone());
        drop(spawn(async move {
            gate.open();
            answers.open();
        }));
        Handle::current().block_on(answer.wait());
    });
    assert!(waited < Duration::from_millis(500), "it was stranded for {waited:?}");
}

#[test]
fn work_of_a_blocked_worker_is_stolen() {
    within_limit(|| {
        let runtime: Runtime = runtime_of(2);
        let ran = Arc::new(AtomicU64::new(0));
        let counts = ran.clone();
        let blocks = runtime.spawn(async move {
            for _ in 0..1000 {
                let count = counts.clone();
                drop(spawn(async move {
                    count.fetch_add(1, Ordering::Relaxed);
                }));
            }
            let began = Instant::now();
            while counts.load(Ordering::Relaxed) < 1000 && began.elapsed() < Duration::from_secs(5)
            {
                thread::sleep(Duration::from_millis(1));
            }
            began.elapsed()
        });
        let waited = blocks.wait().unwrap();
        assert!(waited < Duration::from_secs(4), "{} ran", ran.load(Ordering::Relaxed));
    });
}
