//! Broadcasts as a user sees them: who gets what, who has missed what, and the two ends.

use crate::probe::Probe;
use crate::rig::{alone, many_times, runtime_of, until_waiting, within_limit};
use futures_core::Stream;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use weftline::spawn;
use weftline::sync::broadcast::error::{RecvError, SendError, TryRecvError};
use weftline::sync::broadcast::{Sender, channel};

#[test]
fn every_receiver_gets_every_message_in_order() {
    many_times(|| async {
        let (sender, mut first) = channel(1000);
        let mut receivers: Vec<_> = (0..3).map(|_| sender.subscribe()).collect();
        let tasks: Vec<_> = receivers
            .drain(..)
            .map(|mut receiver| {
                spawn(async move {
                    let mut all = Vec::new();
                    while let Ok(n) = receiver.recv().await {
                        all.push(n);
                    }
                    all
                })
            })
            .collect();
        for n in 0..500 {
            assert_eq!(sender.send(n), Ok(4));
        }
        drop(sender);
        for task in tasks {
            assert!(task.await.unwrap().into_iter().eq(0..500));
        }
        for n in 0..500 {
            assert_eq!(first.try_recv(), Ok(n));
        }
        assert_eq!(first.try_recv(), Err(TryRecvError::Closed));
    });
}

#[test]
fn who_lags_behind_learns_how_many_it_has_missed_and_goes_on() {
    alone(async {
        let (sender, mut slow) = channel(2);
        let mut fast = sender.subscribe();
        for n in 0..5 {
            sender.send(n).unwrap();
            assert_eq!(fast.recv().await, Ok(n));
        }
        assert_eq!(slow.len(), 5);
        assert_eq!(slow.recv().await, Err(RecvError::Lagged(3)));
        assert_eq!(slow.recv().await, Ok(3));
        sender.send(5).unwrap();
        sender.send(6).unwrap();
        assert_eq!(slow.try_recv(), Err(TryRecvError::Lagged(1)));
        assert_eq!(slow.try_recv(), Ok(5));
        assert_eq!(slow.try_recv(), Ok(6));
        assert_eq!(slow.try_recv(), Err(TryRecvError::Empty));
        drop(sender);
        assert_eq!(slow.recv().await, Err(RecvError::Closed));
    });
}

#[test]
fn a_receiver_gets_what_is_sent_since_it_was_made() {
    let sender = Sender::new(4);
    assert_eq!(sender.send(1), Err(SendError(1)));
    let mut early = sender.subscribe();
    sender.send(2).unwrap();
    let (mut late, mut again) = (sender.subscribe(), early.resubscribe());
    sender.send(3).unwrap();
    assert_eq!((early.try_recv(), early.try_recv()), (Ok(2), Ok(3)));
    assert_eq!(late.try_recv(), Ok(3));
    assert_eq!(again.try_recv(), Ok(3));
    assert!(sender.is_empty());
}

#[test]
fn a_message_goes_when_all_have_got_it_or_are_gone() {
    let probe = Probe::new();
    #[derive(Clone)]
    struct Message(
        #[expect(dead_code, reason = "its drop is what counts")]
        std::sync::Arc<crate::probe::Token>,
    );
    let message = || Message(std::sync::Arc::new(probe.token()));
    let (sender, mut first) = channel(4);
    let second = sender.subscribe();
    for _ in 0..3 {
        assert!(sender.send(message()).is_ok());
    }
    drop(first.try_recv());
    assert_eq!((probe.drops(), sender.len()), (0, 3));
    drop(second);
    assert_eq!((probe.drops(), sender.len()), (1, 2));
    drop(first.try_recv());
    assert_eq!((probe.drops(), sender.len()), (2, 1));
    drop(first);
    assert_eq!((probe.drops(), sender.len()), (3, 0));
}

#[test]
fn a_receiver_that_waits_is_woken_by_a_message_and_by_the_end() {
    alone(async {
        let (sender, mut receiver) = channel(4);
        let waits = spawn(async move { (receiver.recv().await, receiver.recv().await) });
        until_waiting(&waits).await;
        sender.send(1).unwrap();
        while !sender.is_empty() {
            weftline::yield_now().await;
        }
        until_waiting(&waits).await;
        drop(sender);
        assert_eq!(waits.await.unwrap(), (Ok(1), Err(RecvError::Closed)));
    });
}

#[test]
fn a_wait_that_was_dropped_has_taken_nothing_and_leaves_no_waker() {
    let (sender, mut receiver) = channel(4);
    let probe = Probe::new();
    let waker = probe.waker();
    assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    sender.send(1).unwrap();
    assert_eq!(probe.wakes(), 1);
    assert_eq!(receiver.try_recv(), Ok(1));
    assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    drop(receiver);
    let _another = sender.subscribe();
    sender.send(2).unwrap();
    assert_eq!(probe.wakes(), 1, "woken for a receiver that is gone");
}

#[test]
fn senders_learn_that_nobody_receives() {
    alone(async {
        let (sender, receiver) = channel::<u32>(4);
        let waiting = sender.clone();
        let told = spawn(async move { waiting.closed().await });
        until_waiting(&told).await;
        drop(receiver);
        told.await.unwrap();
        assert_eq!((sender.receiver_count(), sender.strong_count()), (0, 1));
        let weak = sender.downgrade();
        drop(sender);
        assert!(weak.upgrade().is_none());
    });
}

#[test]
fn a_broadcast_reaches_two_runtimes_and_a_plain_thread() {
    within_limit(|| {
        let (sender, mut receiver) = channel(16);
        let runtimes = [runtime_of(1), runtime_of(1)];
        let tasks = runtimes.each_ref().map(|runtime| {
            let mut receiver = sender.subscribe();
            runtime.spawn(async move { receiver.recv().await })
        });
        let blocks = thread::spawn(move || receiver.blocking_recv());
        assert_eq!(sender.send(7), Ok(3));
        for task in tasks {
            assert_eq!(task.wait().unwrap(), Ok(7));
        }
        assert_eq!(blocks.join().unwrap(), Ok(7));
    });
}

#[test]
fn a_receiver_is_a_stream_that_tells_what_was_missed() {
    alone(async {
        let (sender, mut receiver) = channel(1);
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        drop(sender);
        let mut stream = Pin::new(&mut receiver);
        assert_eq!(
            poll_fn(|cx| stream.as_mut().poll_next(cx)).await,
            Some(Err(RecvError::Lagged(1)))
        );
        assert_eq!(poll_fn(|cx| stream.as_mut().poll_next(cx)).await, Some(Ok(2)));
        assert_eq!(poll_fn(|cx| stream.as_mut().poll_next(cx)).await, None);
        assert!(matches!(
            receiver.poll_recv(&mut Context::from_waker(std::task::Waker::noop())),
            Poll::Ready(Err(RecvError::Closed))
        ));
    });
}
