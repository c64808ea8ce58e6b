//! Oneshot channels as a user sees them: between tasks, threads and runtimes, and at their ends.

use crate::counting::allocations_of_this_thread;
use crate::probe::{Gate, Probe};
use crate::rig::{panic_on_purpose, runtime, runtime_of, within_limit};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};
use weftline::sync::oneshot::{self, Receiver, RecvError, Sender, TryRecvError, channel};
use weftline::task::budget::SLICE;
use weftline::time::timeout;
use weftline::{spawn, yield_now};

const HOUR: Duration = Duration::from_secs(3600);

/// Polls once with the given waker.
fn poll<T>(receiver: &mut Receiver<T>, waker: &Waker) -> Poll<Result<T, RecvError>> {
    Pin::new(receiver).poll(&mut Context::from_waker(waker))
}

/// A waker that panics when it is used.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic_on_purpose("a waker");
    }
}

#[test]
fn a_value_passes_between_tasks() {
    let received = runtime().block_on(async {
        let (sender, receiver) = channel();
        drop(spawn(async move { sender.send(String::from("value")) }));
        receiver.await
    });
    assert_eq!(received, Ok("value".into()));
}

#[test]
fn pairs_of_tasks_exchange_values_under_load() {
    const PAIRS: usize = 10_000;
    let sum = runtime().block_on(async {
        let mut pairs = Vec::with_capacity(PAIRS);
        for number in 0..PAIRS {
            pairs.push(spawn(async move {
                let (ping, pinged) = channel();
                let (pong, ponged) = channel();
                drop(spawn(async move { pong.send(pinged.await.expect("a ping") + 1) }));
                ping.send(number).expect("the partner waits");
                ponged.await.expect("a pong")
            }));
        }
        let mut sum = 0;
        for pair in pairs {
            sum += pair.await.expect("no pair fails");
        }
        sum
    });
    assert_eq!(sum, PAIRS * (PAIRS + 1) / 2);
}

#[test]
fn two_runtimes_and_a_plain_thread_pass_a_value_on() {
    let (first, second) = (runtime_of(1), runtime_of(1));
    let (from_thread, at_first) = channel::<u32>();
    let (from_first, at_second) = channel::<u32>();
    let last = second.spawn(async move { at_second.await.map(|n| n * 2) });
    let passed_on =
        first.spawn(async move { from_first.send(at_first.await.expect("a value") + 1) });
    thread::spawn(move || from_thread.send(20).expect("a task waits"));
    assert_eq!(last.wait().expect("the task ends"), Ok(42));
    assert_eq!(passed_on.wait().expect("the task ends"), Ok(()));
}

#[test]
fn a_plain_thread_waits_for_a_task() {
    within_limit(|| {
        let runtime = runtime();
        let (sender, receiver) = channel();
        let gate = Gate::new();
        let wait = gate.wait();
        let task = runtime.spawn(async move {
            wait.await;
            sender.send("late")
        });
        let waits = thread::spawn(move || receiver.wait());
        gate.open();
        assert_eq!(waits.join().expect("the thread ends"), Ok("late"));
        assert_eq!(task.wait().expect("the task ends"), Ok(()));
    });
}

// AT-FU-01, an end without a value
#[test]
fn a_wait_ends_when_the_sender_is_dropped() {
    within_limit(|| {
        let (sender, receiver) = channel::<()>();
        let waits = thread::spawn(move || receiver.wait());
        drop(sender);
        assert!(waits.join().expect("the thread ends").is_err());
    });
}

#[test]
fn a_wait_that_took_too_long_leaves_the_receiver_usable() {
    let (sender, mut receiver) = channel();
    assert_eq!(receiver.wait_timeout(Duration::ZERO), None);
    assert_eq!(receiver.wait_timeout(Duration::from_millis(1)), None);
    assert_eq!(sender.send(1), Ok(()));
    assert_eq!(receiver.wait_timeout(Duration::ZERO), Some(Ok(1)));
    let (sender, mut receiver) = channel::<()>();
    drop(sender);
    assert!(matches!(receiver.wait_timeout(Duration::MAX), Some(Err(_))));
}

#[test]
fn a_receiver_left_by_a_timeout_still_gets_its_value() {
    runtime().block_on(async {
        let (sender, mut receiver) = channel();
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(1), &mut receiver).await.is_err());
        }
        sender.send(5).expect("the receiver is there");
        assert_eq!(timeout(HOUR, &mut receiver).await, Ok(Ok(5)));
    });
}

#[test]
fn a_receiver_can_wait_in_one_task_after_another() {
    runtime().block_on(async {
        let (sender, mut receiver) = channel();
        for _ in 0..4 {
            let waits = spawn(async move {
                let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut receiver).poll(cx))).await;
                (polled, receiver)
            });
            let (polled, again) = waits.await.expect("the task ends");
            assert!(polled.is_pending());
            receiver = again;
        }
        drop(spawn(async move { sender.send(8) }));
        assert_eq!(receiver.await, Ok(8));
    });
}

// AT-FU-01, cancelled
#[test]
fn closing_keeps_what_was_sent_and_refuses_the_rest() {
    let (sender, mut receiver) = channel();
    sender.send(1).expect("the receiver is there");
    receiver.close();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(1));

    let (sender, mut receiver) = channel();
    receiver.close();
    assert!(sender.is_closed());
    assert_eq!(sender.send(1), Err(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    receiver.close();
}

#[test]
fn awaiting_a_closed_receiver_does_not_wait_for_the_sender() {
    let (sender, mut receiver) = channel::<u32>();
    receiver.close();
    let probe = Probe::new();
    assert!(matches!(poll(&mut receiver, &probe.waker()), Poll::Ready(Err(_))));
    assert!(receiver.is_terminated());
    assert_eq!(sender.send(1), Err(1));
}

#[test]
fn a_receiver_that_gave_its_result_is_closed_and_must_not_be_polled() {
    let (sender, mut receiver) = channel();
    let probe = Probe::new();
    sender.send(1).expect("the receiver is there");
    assert!(!receiver.is_empty());
    assert_eq!(poll(&mut receiver, &probe.waker()), Poll::Ready(Ok(1)));
    assert!(receiver.is_terminated() && receiver.is_empty());
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    receiver.close();
    let again = catch_unwind(AssertUnwindSafe(|| poll(&mut receiver, &probe.waker())));
    assert!(again.is_err());
}

#[test]
fn a_value_that_nobody_receives_is_dropped_with_the_receiver() {
    let probe = Probe::new();
    let (sender, receiver) = channel();
    assert!(sender.send(probe.token()).is_ok());
    assert!(!receiver.is_empty());
    assert_eq!(probe.drops(), 0);
    drop(receiver);
    assert_eq!(probe.drops(), 1);
}

#[test]
fn a_value_that_is_refused_comes_back_whole() {
    let probe = Probe::new();
    let (sender, receiver) = channel();
    drop(receiver);
    let given_back = sender.send(probe.token());
    assert_eq!(probe.drops(), 0);
    assert!(given_back.is_err());
    drop(given_back);
    assert_eq!(probe.drops(), 1);
}

#[test]
fn a_waiting_receiver_is_woken_once_and_by_its_last_waker() {
    let (old, new) = (Probe::new(), Probe::new());
    for polls_by_old in 0..3 {
        let (sender, mut receiver) = channel();
        let before = (old.wakes(), new.wakes());
        for _ in 0..polls_by_old {
            assert!(poll(&mut receiver, &old.waker()).is_pending());
        }
        assert!(poll(&mut receiver, &new.waker()).is_pending());
        sender.send(1).expect("the receiver is there");
        assert_eq!((old.wakes(), new.wakes()), (before.0, before.1 + 1));
    }
}

#[test]
fn a_sender_learns_that_nobody_wants_the_value_any_more() {
    runtime().block_on(async {
        for closes in [true, false] {
            let (mut sender, mut receiver) = channel::<u32>();
            let (is_waiting, waiting) = channel();
            let task = spawn(async move {
                is_waiting.send(()).expect("the test waits");
                sender.closed().await;
                sender.closed().await;
                sender.send(1)
            });
            waiting.await.expect("the task begins");
            if closes {
                receiver.close();
                assert_eq!(task.await.expect("the task ends"), Err(1));
            } else {
                drop(receiver);
                assert_eq!(task.await.expect("the task ends"), Err(1));
            }
        }
    });
}

#[test]
fn a_sender_that_gave_up_waiting_for_the_close_can_still_send() {
    runtime().block_on(async {
        let (mut sender, receiver) = channel();
        assert!(timeout(Duration::from_millis(1), sender.closed()).await.is_err());
        assert!(timeout(Duration::from_millis(1), sender.closed()).await.is_err());
        sender.send(3).expect("the receiver is there");
        assert_eq!(receiver.await, Ok(3));
    });
}

#[test]
fn a_task_that_receives_without_end_lets_others_run() {
    let runtime = runtime_of(1);
    let turns = Arc::new(AtomicUsize::new(0));
    let other = runtime.spawn({
        let turns = turns.clone();
        async move {
            while turns.load(Ordering::Relaxed) < 100 {
                yield_now().await;
                turns.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let receives = runtime.spawn(async move {
        while turns.load(Ordering::Relaxed) < 100 {
            let (sender, receiver) = channel();
            sender.send(()).expect("the receiver is there");
            receiver.await.expect("it was sent");
        }
    });
    within_limit(move || {
        receives.wait().expect("the task ends");
        other.wait().expect("the task ends");
    });
}

#[test]
fn receiving_outside_of_a_runtime_knows_no_time_slice() {
    let began = Instant::now();
    while began.elapsed() < 5 * SLICE {
        let (sender, mut receiver) = channel();
        sender.send(1).expect("the receiver is there");
        assert_eq!(poll(&mut receiver, Waker::noop()), Poll::Ready(Ok(1)));
    }
}

#[test]
fn a_waker_that_panics_takes_nothing_with_it() {
    let panics = Arc::new(Panics);
    let waker = Waker::from(panics.clone());
    let probe = Probe::new();
    for replaces in [false, true] {
        let (sender, mut receiver) = channel();
        if replaces {
            assert!(poll(&mut receiver, &probe.waker()).is_pending());
        }
        assert!(poll(&mut receiver, &waker).is_pending());
        assert!(sender.send(probe.token()).is_ok());
        assert!(receiver.try_recv().is_ok(), "the value was sent");
    }
    let (mut sender, receiver) = channel::<()>();
    assert!(sender.poll_closed(&mut Context::from_waker(&waker)).is_pending());
    drop(receiver);
    assert!(sender.is_closed());
    drop(sender);
    assert_eq!(Arc::strong_count(&panics), 2, "wakers that are left");
}

#[test]
fn wakers_are_given_back_when_they_are_of_no_use_any_more() {
    let waits = Arc::new(Panics);
    let wakers = |count: usize| assert_eq!(Arc::strong_count(&waits), count + 1);
    let waker = Waker::from(waits.clone());
    let probe = Probe::new();

    let (sender, mut receiver) = channel::<()>();
    assert!(poll(&mut receiver, &waker).is_pending());
    wakers(2);
    assert!(poll(&mut receiver, &probe.waker()).is_pending());
    wakers(1);
    assert!(poll(&mut receiver, &waker).is_pending());
    wakers(2);
    drop(receiver);
    wakers(1);
    drop(sender);

    let (mut sender, mut receiver) = channel();
    assert!(sender.poll_closed(&mut Context::from_waker(&waker)).is_pending());
    wakers(2);
    assert_eq!(sender.send(1), Ok(()));
    wakers(1);
    assert_eq!(receiver.try_recv(), Ok(1));
    wakers(1);
}

#[test]
fn a_channel_is_one_allocation_and_waiting_adds_none() {
    let probe = Probe::new();
    let waker = probe.waker();
    let before = allocations_of_this_thread();
    let (sender, mut receiver) = channel();
    let pending = poll(&mut receiver, &waker).is_pending();
    let sent = sender.send([7_u64; 4]);
    let received = poll(&mut receiver, &waker);
    let allocations = allocations_of_this_thread() - before;
    assert!(pending && sent.is_ok() && received.is_ready());
    assert_eq!(allocations, 1);
    assert_eq!(size_of::<Sender<[u64; 4]>>(), size_of::<usize>());
    assert_eq!(size_of::<Receiver<[u64; 4]>>(), size_of::<usize>());
}

#[test]
fn both_ends_go_wherever_their_value_may() {
    fn goes_anywhere<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    // Sendable, not shareable.
    type Value = std::cell::Cell<u8>;
    goes_anywhere::<Sender<Value>>();
    goes_anywhere::<Receiver<Value>>();
}

#[test]
fn the_ends_say_how_they_are() {
    let (sender, mut receiver) = oneshot::channel();
    assert_eq!(format!("{sender:?}"), "Sender { is_closed: false, .. }");
    assert_eq!(format!("{receiver:?}"), "Receiver { is_empty: true, is_terminated: false }");
    sender.send(1).expect("the receiver is there");
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(format!("{receiver:?}"), "Receiver { is_empty: true, is_terminated: true }");
}

#[test]
fn a_future_that_is_dropped_while_it_waits_closes_its_channel() {
    runtime().block_on(async {
        let (mut sender, receiver) = channel::<u32>();
        let task = spawn(receiver);
        task.cancel();
        sender.closed().await;
        assert!(task.await.expect_err("it was cancelled").is_cancelled());
        let mut closed = pin!(sender.closed());
        assert!(poll_fn(|cx| Poll::Ready(closed.as_mut().poll(cx))).await.is_ready());
    });
}

// AT-FU-01
#[test]
fn a_channel_gives_its_value_once_and_says_what_it_has() {
    let (sender, mut receiver) = channel();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "pending");
    sender.send(42).unwrap();
    assert_eq!(receiver.try_recv(), Ok(42));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed), "nothing comes a second time");
    // An error is a value like any other.
    let (sender, receiver) = channel();
    sender.send(Err::<u8, _>("broken")).unwrap();
    assert_eq!(receiver.wait(), Ok(Err("broken")));
    let (sender, mut receiver) = channel();
    receiver.close();
    receiver.close();
    assert_eq!(sender.send(1), Err(1), "cancelled before");
}
