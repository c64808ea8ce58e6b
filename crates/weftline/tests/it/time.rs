//! Time as a user sees it. Where a test can, it has virtual time, and asserts instants; where time
//! is real it asserts order and "never early", and for "soon enough" leaves room for a busy machine.

use crate::rig::{MS, Random};
use futures_core::Stream;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use weftline::time::{
    Elapsed, Interval, MissedTickPolicy, Sleep, Timeout, interval, interval_at, now, sleep,
    sleep_until, timeout, timeout_at,
};
use weftline::{Runtime, spawn, yield_now};

const HOUR: Duration = Duration::from_secs(3600);

fn runtime(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).build().expect("the runtime starts")
}

/// Runs a future with virtual time.
fn run<F: Future>(main: F) -> F::Output {
    Runtime::builder().workers(2).virtual_time(true).run(main).expect("the runtime starts")
}

/// Polls a future once, with the task's own waker.
async fn poll_once<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx))).await
}

/// Counts wakes; the Arc counts clones.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_sleep_never_ends_early_on_any_worker() {
    let runtime = runtime(4);
    let tasks: Vec<_> = (0..10_000)
        .map(|seed| {
            runtime.spawn(async move {
                let duration = Duration::from_nanos(Random::new(seed).below(30_000_000));
                let before = Instant::now();
                sleep(duration).await;
                assert!(before.elapsed() >= duration, "{:?} of {duration:?}", before.elapsed());
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("no sleep ended early");
        }
    });
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    let runtime = runtime(1);
    let ended = Arc::new(Mutex::new(Vec::new()));
    let start = now() + 200 * MS;
    // All of them wait before the first is due, in an order of no meaning.
    let tasks: Vec<_> = (0..100_u32)
        .map(|i| {
            let at = i * 37 % 100;
            let ended = ended.clone();
            runtime.spawn(async move {
                sleep_until(start + at * MS / 4).await;
                ended.lock().unwrap().push(at);
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(*ended.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

#[test]
fn zero_and_past_deadlines_are_over_at_the_first_poll() {
    run(async {
        assert!(poll_once(sleep(Duration::ZERO)).await.is_ready());
        let past = now();
        assert!(poll_once(sleep_until(past)).await.is_ready());
        let mut sleep = sleep(Duration::ZERO);
        (&mut sleep).await;
        assert!(poll_once(&mut sleep).await.is_ready(), "a sleep that is over stays over");
    });
}

#[test]
fn far_deadlines_do_not_fire_and_can_be_dropped() {
    run(async {
        let year = 8766 * HOUR;
        let mut far = vec![sleep(HOUR), sleep(1_000 * year), sleep(Duration::MAX)];
        for years in [1, 10, 100, 200, 500] {
            far.push(sleep(years * year));
        }
        for _ in 0..3 {
            for sleep in &mut far {
                assert!(poll_once(sleep).await.is_pending());
            }
            sleep(2 * MS).await;
        }
        assert!(far.iter().all(|sleep| !sleep.is_elapsed()));
        assert_eq!(far[2].deadline(), None);
    });
}

#[test]
fn a_dropped_sleep_gives_its_waker_back_and_wakes_nobody() {
    run(async {
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let mut quick = sleep(MS);
        assert!(Pin::new(&mut quick).poll(&mut Context::from_waker(&waker)).is_pending());
        let clones = Arc::strong_count(&wakes);
        assert!(clones > 2);
        drop(quick);
        assert_eq!(Arc::strong_count(&wakes), clones - 1);
        sleep(5 * MS).await;
        assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn the_latest_waker_is_the_one_that_is_woken() {
    run(async {
        let [first, second] = [(); 2].map(|()| Arc::new(Wakes::default()));
        let mut quick = sleep(MS);
        for wakes in [&first, &second] {
            let waker = Waker::from(wakes.clone());
            assert!(Pin::new(&mut quick).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        while second.0.load(Ordering::SeqCst) == 0 {
            sleep(MS).await;
        }
        assert_eq!(first.0.load(Ordering::SeqCst), 0);
        assert_eq!(Arc::strong_count(&first), 1);
    });
}

#[test]
fn a_reset_to_an_earlier_deadline_wakes_the_waiting_task_earlier() {
    run(async {
        let mut long = sleep(HOUR);
        assert!(poll_once(&mut long).await.is_pending());
        // Not polled in between: the waiting task's waker goes along.
        let before = now();
        long.reset(before + MS);
        long.await;
        assert_eq!(now() - before, MS);
    });
}

#[test]
fn a_reset_works_without_another_poll() {
    run(async {
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let mut moved = sleep(HOUR);
        assert!(Pin::new(&mut moved).poll(&mut Context::from_waker(&waker)).is_pending());
        moved.reset(now() + HOUR + HOUR);
        moved.reset(now() + MS);
        while wakes.0.load(Ordering::SeqCst) == 0 {
            sleep(MS).await;
        }
        assert!(poll_once(&mut moved).await.is_ready());
    });
}

#[test]
fn a_reset_to_a_later_deadline_holds_back_the_end() {
    run(async {
        let mut short = sleep(5 * MS);
        assert!(poll_once(&mut short).await.is_pending());
        let later = now() + 15 * MS;
        short.reset(later);
        assert_eq!(short.deadline(), Some(later));
        (&mut short).await;
        assert_eq!(now(), later);
        // And again after its end.
        let later = now() + MS;
        short.reset(later);
        assert!(!short.is_elapsed());
        short.await;
        assert_eq!(now(), later);
    });
}

#[test]
fn a_sleep_moved_to_another_thread_is_woken_there() {
    let runtime = runtime(3);
    for _ in 0..50 {
        let mut moved = sleep(3 * MS);
        assert!(runtime.block_on(poll_once(&mut moved)).is_pending());
        let task = runtime.spawn(async move {
            assert!(poll_once(&mut moved).await.is_pending() || moved.is_elapsed());
            let task = spawn(async move {
                (&mut moved).await;
                assert!(moved.is_elapsed());
            });
            task.await.unwrap();
        });
        runtime.block_on(task).unwrap();
    }
}

#[test]
fn a_sleep_made_on_one_runtime_ends_on_another() {
    let first = runtime(1);
    let second = runtime(1);
    let mut waiting = sleep(5 * MS);
    assert!(first.block_on(poll_once(&mut waiting)).is_pending());
    second.block_on(waiting);
}

#[test]
fn a_sleep_outlives_the_runtime_it_was_registered_with() {
    let first = runtime(1);
    let second = runtime(1);
    let registered = |duration| {
        let mut waiting = sleep(duration);
        let (sender, receiver) = mpsc::channel();
        // Once in a task, so that a worker keeps it, and once on this thread.
        let mut other = sleep(duration);
        assert!(first.block_on(poll_once(&mut other)).is_pending());
        let task = first.spawn(async move {
            assert!(poll_once(&mut waiting).await.is_pending());
            sender.send(waiting).unwrap();
        });
        first.block_on(task).unwrap();
        [other, receiver.recv().unwrap()]
    };
    let sleeps = registered(100 * MS);
    let tasks = sleeps.map(|sleep| second.spawn(sleep));
    drop(first);
    for task in tasks {
        second.block_on(task).unwrap();
    }
}

#[test]
fn many_sleeps_on_several_workers_all_end() {
    let runtime = runtime(4);
    let ended = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..20_000_u64)
        .map(|i| {
            let ended = ended.clone();
            runtime.spawn(async move {
                let mut random = Random::new(i);
                for _ in 0..3 {
                    // Some of them are given up.
                    let limit = Duration::from_micros(random.below(10_000));
                    let _ =
                        timeout(limit, sleep(Duration::from_micros(random.below(10_000)))).await;
                }
                ended.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(ended.load(Ordering::SeqCst), 20_000);
}

#[test]
fn sleeps_of_the_main_future_and_of_tasks_do_not_hold_each_other_up() {
    let runtime = runtime(2);
    let long = runtime.spawn(sleep(HOUR));
    let before = Instant::now();
    runtime.block_on(async {
        let task = spawn(async {
            for _ in 0..20 {
                sleep(MS).await;
            }
        });
        for _ in 0..20 {
            sleep(MS).await;
        }
        task.await.unwrap();
    });
    assert!(before.elapsed() < HOUR / 2);
    drop(long);
}

#[test]
#[should_panic(expected = "outside of a runtime")]
fn polling_a_sleep_outside_of_a_runtime_panics_with_a_clear_text() {
    let sleep = pin!(sleep(HOUR));
    let _ = sleep.poll(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn a_timeout_gives_the_value_of_a_future_that_is_ready() {
    run(async {
        assert_eq!(timeout(HOUR, ready(1)).await, Ok(1));
        assert_eq!(timeout(Duration::ZERO, ready(2)).await, Ok(2));
        assert_eq!(timeout(Duration::MAX, ready(3)).await, Ok(3));
        assert_eq!(timeout_at(now(), async { 4 }).await, Ok(4));
        assert_eq!(timeout(HOUR, yield_now()).await, Ok(()));
        assert_eq!(timeout(Duration::MAX, sleep(MS)).await, Ok(()));
    });
}

#[test]
fn a_ready_future_needs_no_runtime_for_its_timeout() {
    let mut limited = timeout(HOUR, ready(1));
    let polled = Pin::new(&mut limited).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(Ok(1)));
}

#[test]
fn a_timeout_elapses_with_an_error_that_names_the_limit() {
    run(async {
        let before = now();
        let error = timeout(5 * MS, pending::<()>()).await.unwrap_err();
        assert_eq!(now() - before, 5 * MS);
        assert_eq!(error.to_string(), "not finished within 5ms");
        let error = timeout(Duration::ZERO, pending::<()>()).await.unwrap_err();
        assert_eq!(error.limit(), Some(Duration::ZERO));
        let error = timeout_at(now(), pending::<()>()).await.unwrap_err();
        assert_eq!(error.limit(), None);
        let error = std::io::Error::from(error);
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert!(error.get_ref().is_some_and(|inner| inner.is::<Elapsed>()));
    });
}

#[test]
fn a_value_that_is_ready_when_the_limit_is_over_wins() {
    weftline::run(async {
        let mut polls = 0;
        // Ready at its second poll, which comes when both are due.
        let late = poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(7);
            }
            cx.waker().wake_by_ref();
            std::thread::sleep(5 * MS);
            Poll::Pending
        });
        assert_eq!(timeout(MS, late).await, Ok(7));
    });
}

#[test]
fn a_future_that_never_gives_its_slice_back_does_not_hold_off_its_limit() {
    weftline::run(async {
        let greedy = async {
            loop {
                std::thread::sleep(MS);
                yield_now().await;
            }
        };
        let limited: Result<(), Elapsed> = timeout(5 * MS, greedy).await;
        assert!(limited.is_err());
    });
}

#[test]
fn a_timeout_drops_its_future_when_it_is_dropped_and_leaves_it_when_it_is_borrowed() {
    run(async {
        let mut inner = sleep(10 * MS);
        assert!(timeout(MS, &mut inner).await.is_err());
        assert_eq!(timeout(HOUR, inner).await, Ok(()));
        let owned = Arc::new(());
        let held = owned.clone();
        let limited = timeout(MS, async move {
            let _held = held;
            pending::<()>().await;
        });
        assert!(limited.await.is_err());
        assert_eq!(Arc::strong_count(&owned), 1);
    });
}

#[test]
fn an_interval_ticks_at_once_and_then_on_its_period() {
    run(async {
        let start = now();
        let mut interval = interval_at(start, 2 * MS);
        for i in 0..10 {
            assert_eq!(interval.tick().await, start + i * 2 * MS);
            assert_eq!(now(), start + i * 2 * MS);
        }
        sleep(MS).await;
        interval.reset();
        let after = now();
        assert_eq!(interval.tick().await, after + 2 * MS);
    });
}

const PERIOD: Duration = Duration::from_millis(100);

/// The ticks that follow a stall of three periods and a half, since the start.
fn ticks_after_a_stall(policy: MissedTickPolicy, count: usize) -> Vec<Duration> {
    run(async move {
        let start = now();
        let mut interval = interval_at(start, PERIOD).with_policy(policy);
        interval.tick().await;
        sleep(PERIOD * 7 / 2).await;
        let mut ticks = vec![interval.tick().await - start];
        while ticks.len() < count {
            ticks.push(interval.tick().await - start);
        }
        ticks
    })
}

#[test]
fn a_burst_makes_up_for_every_missed_tick() {
    let ticks = ticks_after_a_stall(MissedTickPolicy::Burst, 5);
    assert_eq!(ticks, [1, 2, 3, 4, 5].map(|i| i * PERIOD));
}

#[test]
fn a_delay_counts_the_period_from_the_late_tick() {
    let ticks = ticks_after_a_stall(MissedTickPolicy::Delay, 3);
    assert_eq!(ticks, [PERIOD, PERIOD * 9 / 2, PERIOD * 11 / 2]);
}

#[test]
fn a_skip_leaves_missed_ticks_out_and_keeps_to_the_grid() {
    let ticks = ticks_after_a_stall(MissedTickPolicy::Skip, 3);
    assert_eq!(ticks, [PERIOD, 4 * PERIOD, 5 * PERIOD]);
}

#[test]
fn an_interval_is_a_stream_without_an_end() {
    run(async {
        let mut ticks = interval(MS);
        for _ in 0..3 {
            let tick = poll_fn(|cx| Pin::new(&mut ticks).poll_next(cx)).await;
            assert!(tick.is_some_and(|tick| tick <= now()));
        }
    });
}

#[test]
fn an_interval_with_a_period_beyond_time_ticks_once() {
    run(async {
        let mut once = interval(Duration::MAX);
        once.tick().await;
        assert!(timeout(2 * MS, once.tick()).await.is_err());
    });
}

#[test]
#[should_panic(expected = "the period of an interval must not be zero")]
fn an_interval_of_zero_panics() {
    let _ = interval(Duration::ZERO);
}

#[test]
fn everything_of_time_is_send_sync_and_unpin() {
    fn check<T: Send + Sync + Unpin + 'static>() {}
    check::<Sleep>();
    check::<Interval>();
    check::<Timeout<Sleep>>();
    check::<Elapsed>();
    assert!(size_of::<Sleep>() <= 40, "{}", size_of::<Sleep>());
}

/// Yields for ever.
async fn yield_for_ever() {
    loop {
        yield_now().await;
    }
}

#[test]
fn a_limit_is_over_in_time_though_its_future_wakes_itself_each_time() {
    for workers in [1, 2] {
        let began = Instant::now();
        let result = runtime(workers).block_on(spawn_in_main(timeout(5 * MS, yield_for_ever())));
        assert!(result.is_err());
        assert!(began.elapsed() >= 5 * MS);
    }
}

/// Awaits a future as a task of its own.
async fn spawn_in_main<F: Future<Output: Send> + Send + 'static>(future: F) -> F::Output {
    spawn(future).await.expect("the task ends")
}

#[test]
fn a_limit_holds_for_a_future_that_wakes_itself_before_it_waits() {
    run(async {
        for yields in 0..4 {
            let start = now();
            let waits = async move {
                for _ in 0..yields {
                    yield_now().await;
                }
                pending::<()>().await;
            };
            assert!(spawn_in_main(timeout(HOUR, waits)).await.is_err());
            assert_eq!(now() - start, HOUR);
        }
    });
}

#[test]
fn a_past_deadline_is_over_at_the_first_poll_though_its_future_wakes_itself() {
    run(async {
        for limited in [timeout(Duration::ZERO, yield_now()), timeout_at(now(), yield_now())] {
            assert!(poll_once(Box::pin(limited)).await.is_ready());
        }
    });
}

/// Polls its future with a waker of its own, and again only when that one was called.
struct OnlyWhenWoken<F> {
    future: Pin<Box<F>>,
    woken: Arc<Relay>,
}

/// Passes a wake-up on, and notes it.
struct Relay {
    called: AtomicUsize,
    task: Mutex<Option<Waker>>,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.called.fetch_add(1, Ordering::SeqCst);
        if let Some(task) = self.task.lock().unwrap().take() {
            task.wake();
        }
    }
}

impl<F: Future> OnlyWhenWoken<F> {
    fn new(future: F) -> Self {
        let woken = Relay { called: AtomicUsize::new(1), task: Mutex::default() };
        Self { future: Box::pin(future), woken: Arc::new(woken) }
    }
}

impl<F: Future> Future for OnlyWhenWoken<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        *self.woken.task.lock().unwrap() = Some(cx.waker().clone());
        if self.woken.called.swap(0, Ordering::SeqCst) == 0 {
            return Poll::Pending;
        }
        let waker = self.woken.clone().into();
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

#[test]
fn a_limit_that_is_polled_only_when_its_own_waker_was_called_is_over_in_time() {
    run(async {
        let start = now();
        let mut limited = OnlyWhenWoken::new(timeout(HOUR, pending::<()>()));
        let mut first = true;
        let task = spawn(poll_fn(move |cx| {
            // The task will be polled again, but that will not reach the limit.
            if std::mem::take(&mut first) {
                cx.waker().wake_by_ref();
            }
            Pin::new(&mut limited).poll(cx)
        }));
        assert!(task.await.unwrap().is_err());
        assert_eq!(now() - start, HOUR);
    });
}
