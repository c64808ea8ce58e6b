//! Channels to one receiver as a user sees them: order, room, the two ends, and who is woken.

use crate::probe::Probe;
use crate::rig::{LONG, MS, alone, many_times, runtime_of, until_waiting, within_limit};
use futures_core::Stream;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use weftline::sync::mpsc::error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
use weftline::sync::mpsc::{Receiver, channel, unbounded_channel};
use weftline::time::timeout;
use weftline::{spawn, yield_now};

/// Polls a future once, with a waker that nobody hears.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// All that comes, to the end.
async fn rest<T>(mut receiver: Receiver<T>) -> Vec<T> {
    let mut all = Vec::new();
    while let Some(message) = receiver.recv().await {
        all.push(message);
    }
    all
}

#[test]
fn what_each_sender_sends_is_received_once_and_in_its_order() {
    many_times(|| async {
        const EACH: usize = 200;
        let (sender, receiver) = channel(3);
        for who in 0..4 {
            let sender = sender.clone();
            drop(spawn(async move {
                for n in 0..EACH {
                    sender.send((who, n)).await.expect("somebody receives");
                }
            }));
        }
        drop(sender);
        let all = rest(receiver).await;
        for who in 0..4 {
            let of_one: Vec<_> = all.iter().filter(|(from, _)| *from == who).collect();
            assert!(of_one.iter().map(|(_, n)| *n).eq(0..EACH));
        }
    });
}

#[test]
fn without_a_bound_sending_never_waits() {
    alone(async {
        let (sender, receiver) = unbounded_channel();
        for n in 0..10_000 {
            sender.send(n).expect("the receiver is there");
        }
        assert_eq!(receiver.len(), 10_000);
        drop(sender);
        assert!(rest(receiver).await.into_iter().eq(0..10_000));
    });
}

#[test]
fn senders_that_wait_for_room_get_it_in_their_turn() {
    alone(async {
        let (sender, receiver) = channel(1);
        sender.try_send(0).expect("there is room");
        for n in 1..=8 {
            let sender = sender.clone();
            let task = spawn(async move { sender.send(n).await });
            until_waiting(&task).await;
        }
        assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
        drop(sender);
        assert!(rest(receiver).await.into_iter().eq(0..=8));
    });
}

#[test]
fn a_message_takes_room_until_it_is_received() {
    let (sender, mut receiver) = channel(2);
    sender.try_send('a').unwrap();
    sender.try_send('b').unwrap();
    assert_eq!(sender.try_send('c'), Err(TrySendError::Full('c')));
    assert_eq!((sender.capacity(), receiver.len()), (0, 2));
    assert_eq!(receiver.try_recv(), Ok('a'));
    assert_eq!((sender.capacity(), receiver.len()), (1, 1));
    sender.try_send('c').unwrap();
    assert_eq!(sender.try_send('d'), Err(TrySendError::Full('d')));
    assert_eq!(receiver.try_recv(), Ok('b'));
    assert_eq!(receiver.try_recv(), Ok('c'));
    assert_eq!((sender.capacity(), sender.max_capacity()), (2, 2));
}

#[test]
fn a_message_that_is_received_makes_room_for_one_that_waits() {
    alone(async {
        let (sender, mut receiver) = channel(2);
        sender.try_send('a').unwrap();
        sender.try_send('b').unwrap();
        let waits = spawn(async move { sender.send('c').await });
        until_waiting(&waits).await;
        // Of two that are there one is received: there is room, though the other was fetched too.
        assert_eq!(receiver.recv().await, Some('a'));
        assert_eq!(waits.await.unwrap(), Ok(()));
        assert_eq!(rest(receiver).await, ['b', 'c']);
    });
}

#[test]
fn the_end_comes_after_all_that_was_sent() {
    alone(async {
        let (sender, mut receiver) = channel(4);
        let another = sender.clone();
        sender.try_send(1).unwrap();
        drop(sender);
        another.try_send(2).unwrap();
        assert!(!receiver.is_closed());
        drop(another);
        assert!(receiver.is_closed());
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.recv().await, Some(2));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(receiver.recv().await, None);
    });
}

#[test]
fn closing_keeps_what_was_sent_and_refuses_the_rest() {
    alone(async {
        let (sender, mut receiver) = channel(1);
        sender.try_send(1).unwrap();
        let waiting = sender.clone();
        let waits = spawn(async move { waiting.send(2).await });
        until_waiting(&waits).await;
        receiver.close();
        receiver.close();
        assert_eq!(waits.await.unwrap(), Err(SendError(2)));
        assert_eq!(sender.send(3).await, Err(SendError(3)));
        assert_eq!(sender.try_send(4), Err(TrySendError::Closed(4)));
        assert!(sender.reserve().await.is_err());
        sender.closed().await;
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(receiver.recv().await, None);
    });
}

#[test]
fn a_receiver_that_goes_gives_those_who_wait_their_messages_back() {
    alone(async {
        let probe = Probe::new();
        let (sender, receiver) = channel(1);
        assert!(sender.try_send(probe.token()).is_ok());
        let (waiting, token) = (sender.clone(), probe.token());
        let waits = spawn(async move { waiting.send(token).await });
        let told = spawn(async move { sender.closed().await });
        until_waiting(&waits).await;
        until_waiting(&told).await;
        drop(receiver);
        assert_eq!(probe.drops(), 1, "what nobody receives goes with the receiver");
        let given_back = waits.await.unwrap().unwrap_err();
        assert_eq!(probe.drops(), 1);
        drop(given_back);
        assert_eq!(probe.drops(), 2);
        told.await.unwrap();
    });
}

#[test]
fn the_end_of_a_closed_channel_waits_for_its_permits() {
    alone(async {
        for sends in [true, false] {
            let (sender, mut receiver) = channel(2);
            let permit = sender.reserve().await.unwrap();
            receiver.close();
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
            let end = spawn(rest(receiver));
            until_waiting(&end).await;
            if sends {
                permit.send(1);
            } else {
                drop(permit);
            }
            assert_eq!(end.await.unwrap(), if sends { vec![1] } else { vec![] });
        }
    });
}

#[test]
fn a_permit_takes_room_until_it_is_used_or_given_back() {
    alone(async {
        let (sender, mut receiver) = channel(1);
        let permit = sender.try_reserve().unwrap();
        assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
        let waiting = sender.clone();
        let waits = spawn(async move { waiting.send(2).await });
        until_waiting(&waits).await;
        drop(permit);
        assert_eq!(waits.await.unwrap(), Ok(()));
        assert_eq!(receiver.recv().await, Some(2));
        let permit = sender.reserve().await.unwrap();
        drop(receiver);
        let probe = Probe::new();
        permit.send(3);
        let (sender, receiver) = channel(1);
        let permit = sender.try_reserve().unwrap();
        drop(receiver);
        permit.send(probe.token());
        assert_eq!(probe.drops(), 1, "sent to nobody");
    });
}

#[test]
fn room_for_many_is_taken_at_once_or_not_at_all() {
    alone(async {
        let (sender, mut receiver) = channel(3);
        sender.try_send('a').unwrap();
        assert!(matches!(sender.try_reserve_many(3), Err(TrySendError::Full(()))));
        assert_eq!(sender.capacity(), 2, "what was refused has taken nothing");
        let mut permits = sender.try_reserve_many(2).unwrap();
        assert_eq!((permits.len(), sender.capacity()), (2, 0));
        permits.next().expect("there are two").send('b');
        assert_eq!((permits.len(), sender.capacity()), (1, 0));
        drop(permits);
        assert_eq!(sender.capacity(), 1);
        assert_eq!(sender.reserve_many(0).await.unwrap().count(), 0);
        assert!(sender.try_reserve_many(4).is_err(), "more than there can ever be");
        receiver.close();
        assert!(matches!(sender.try_reserve_many(1), Err(TrySendError::Closed(()))));
        assert!(sender.reserve_many(0).await.is_err());
        drop(sender);
        assert_eq!(rest(receiver).await, ['a', 'b']);
    });
}

#[test]
fn who_waits_for_room_for_many_is_not_passed_by_small_ones() {
    alone(async {
        let (sender, mut receiver) = channel(2);
        sender.try_send('a').unwrap();
        let large = sender.clone();
        let waits = spawn(async move {
            large.reserve_many(2).await.unwrap().zip(['b', 'c']).for_each(|(p, m)| p.send(m));
        });
        until_waiting(&waits).await;
        assert_eq!(sender.try_send('X'), Err(TrySendError::Full('X')), "there is room for one");
        let small = spawn(async move { sender.send('d').await });
        until_waiting(&small).await;
        assert_eq!(receiver.recv().await, Some('a'));
        assert_eq!(rest(receiver).await, ['b', 'c', 'd']);
        waits.await.unwrap();
        assert_eq!(small.await.unwrap(), Ok(()));
    });
}

#[test]
fn one_who_wanted_more_room_than_there_was_and_leaves_takes_none_with_it() {
    let (sender, mut receiver) = channel(2);
    sender.try_send('a').unwrap();
    {
        let mut gathers = pin!(sender.reserve_many(2));
        assert!(poll_once(gathers.as_mut()).is_pending());
        assert!(sender.try_send('X').is_err(), "what there is goes to the first in the line");
    }
    assert_eq!(sender.capacity(), 1);
    assert_eq!(sender.try_send('b'), Ok(()));
    assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok('a'), Ok('b')));
    assert!(sender.try_reserve_many(2).is_ok());
}

#[test]
#[should_panic = "cannot reserve room for 3 messages in a channel with a capacity of 2"]
fn waiting_for_room_that_there_can_never_be_is_refused() {
    let (sender, _receiver) = channel::<u32>(2);
    let _ = poll_once(pin!(sender.reserve_many(3)));
}

#[test]
fn an_owned_permit_keeps_the_channel_open_and_gives_its_sender_back() {
    alone(async {
        let (sender, mut receiver) = channel(1);
        let permit = sender.reserve_owned().await.unwrap();
        assert_eq!((receiver.capacity(), receiver.sender_strong_count()), (0, 1));
        let sender = permit.release();
        assert_eq!(receiver.capacity(), 1);
        let sender = sender.reserve_owned().await.unwrap().send('a');
        let sender = sender.try_reserve_owned().unwrap_err().into_inner();
        let waits = spawn(sender.reserve_owned());
        until_waiting(&waits).await;
        assert_eq!(receiver.recv().await, Some('a'));
        let permit = waits.await.unwrap().unwrap();
        receiver.close();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "the permit is there");
        drop(permit);
        assert_eq!(receiver.recv().await, None);
        assert_eq!(receiver.sender_strong_count(), 0);
    });
}

#[test]
fn a_send_with_a_limit_gives_its_message_back_and_leaves_the_line() {
    alone(async {
        let (sender, mut receiver) = channel(1);
        assert_eq!(sender.send_timeout('a', MS).await, Ok(()));
        let late = sender.send_timeout('b', MS).await;
        assert_eq!(late, Err(SendTimeoutError::Timeout('b')));
        let waiting = sender.clone();
        let waits = spawn(async move { waiting.send_timeout('c', LONG).await });
        until_waiting(&waits).await;
        assert_eq!(receiver.recv().await, Some('a'));
        assert_eq!(waits.await.unwrap(), Ok(()));
        let waits = spawn(async move { sender.send_timeout('d', LONG).await });
        until_waiting(&waits).await;
        receiver.close();
        assert_eq!(waits.await.unwrap(), Err(SendTimeoutError::Closed('d')));
        assert_eq!(rest(receiver).await, ['c']);
    });
}

#[test]
fn a_send_that_is_dropped_sends_nothing_and_leaves_its_turn_to_the_next() {
    alone(async {
        // Dropped while it waits, and when there is room for it already.
        for called in [false, true] {
            let (sender, mut receiver) = channel(1);
            sender.try_send('a').unwrap();
            let mut dropped = Box::pin(sender.send('X'));
            assert!(poll_once(dropped.as_mut()).is_pending());
            let second = sender.clone();
            let waits = spawn(async move { second.send('b').await });
            until_waiting(&waits).await;
            if called {
                assert_eq!(receiver.try_recv(), Ok('a'));
                drop(dropped);
            } else {
                drop(dropped);
                assert_eq!(receiver.try_recv(), Ok('a'));
            }
            assert_eq!(waits.await.unwrap(), Ok(()));
            assert_eq!(receiver.try_recv(), Ok('b'));
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        }
    });
}

#[test]
fn a_send_that_is_never_polled_again_does_not_block_the_others_for_ever() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let (sender, mut receiver) = channel(1);
        sender.try_send(0).unwrap();
        let mut forgotten = Box::pin(sender.send(1));
        assert!(poll_once(forgotten.as_mut()).is_pending());
        let others: Vec<_> = (2..5)
            .map(|n| {
                let sender = sender.clone();
                runtime.spawn(async move { sender.send(n).await })
            })
            .collect();
        let received = runtime.spawn(async move {
            let mut received = Vec::new();
            for _ in 0..4 {
                received.extend(receiver.recv().await);
            }
            received.sort_unstable();
            received
        });
        for other in others {
            assert_eq!(other.wait().unwrap(), Ok(()));
        }
        assert_eq!(received.wait().unwrap(), [0, 2, 3, 4]);
        drop(forgotten);
    });
}

#[test]
fn a_task_that_waits_for_two_sends_at_once_can_poll_the_second_alone() {
    alone(async {
        let (sender, mut receiver) = channel(1);
        sender.try_send(0).unwrap();
        let mut first = pin!(sender.send(1));
        assert!(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx))).await.is_pending());
        let receives = spawn(async move { (receiver.recv().await, receiver.recv().await) });
        // The first one stands before it in the line, and is not polled.
        assert_eq!(sender.send(2).await, Ok(()));
        assert_eq!(receives.await.unwrap(), (Some(0), Some(2)));
    });
}

#[test]
fn many_messages_are_received_at_once_as_far_as_they_are_there() {
    alone(async {
        let (sender, mut receiver) = channel(8);
        let mut all = Vec::new();
        for n in 0..5 {
            sender.try_send(n).unwrap();
        }
        assert_eq!(receiver.recv_many(&mut all, 0).await, 0);
        assert_eq!(receiver.recv_many(&mut all, 2).await, 2);
        for n in 5..8 {
            sender.try_send(n).unwrap();
        }
        // Some were fetched already, some were not.
        assert_eq!(receiver.recv_many(&mut all, 100).await, 6);
        assert!(all.iter().copied().eq(0..8));
        assert_eq!(sender.capacity(), 8);
        let late = spawn(async move {
            let mut all = Vec::new();
            let first = receiver.recv_many(&mut all, 10).await;
            (first, receiver.recv_many(&mut all, 10).await, all)
        });
        until_waiting(&late).await;
        sender.try_send(9).unwrap();
        yield_now().await;
        drop(sender);
        assert_eq!(late.await.unwrap(), (1, 0, vec![9]));
    });
}

#[test]
fn a_receive_that_was_dropped_has_taken_nothing() {
    alone(async {
        let (sender, mut receiver) = channel(1);
        for n in 0..3 {
            assert!(timeout(MS, receiver.recv()).await.is_err());
            {
                let mut recv = pin!(receiver.recv());
                assert!(poll_once(recv.as_mut()).is_pending());
                sender.try_send(n).unwrap();
            }
            assert_eq!(receiver.recv().await, Some(n));
        }
    });
}

#[test]
fn the_last_waker_of_a_receiver_is_the_one_that_is_woken() {
    let (sender, mut receiver) = channel(1);
    let (old, new) = (Probe::new(), Probe::new());
    for waker in [old.waker(), new.waker()] {
        assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    }
    sender.try_send(1).unwrap();
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

#[test]
fn a_weak_sender_keeps_nothing_open() {
    let (sender, mut receiver) = channel(2);
    let weak = sender.downgrade();
    weak.upgrade().expect("a sender is there").try_send(1).unwrap();
    assert_eq!((weak.strong_count(), receiver.sender_strong_count()), (1, 1));
    assert_eq!((sender.weak_count(), weak.clone().weak_count()), (1, 2));
    drop(sender);
    assert_eq!((weak.strong_count(), receiver.sender_weak_count()), (0, 1));
    assert!(weak.upgrade().is_none());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    drop(receiver);
    assert!(weak.clone().upgrade().is_none());
}

#[test]
fn two_runtimes_and_a_plain_thread_share_a_channel() {
    within_limit(|| {
        const EACH: usize = 1000;
        let (first, second) = (runtime_of(1), runtime_of(1));
        let (sender, receiver) = channel(2);
        for runtime in [&first, &second] {
            let sender = sender.clone();
            drop(runtime.spawn(async move {
                for _ in 0..EACH {
                    sender.send(1).await.expect("somebody receives");
                }
            }));
        }
        let blocks = thread::spawn(move || {
            for _ in 0..EACH {
                sender.blocking_send(1).expect("somebody receives");
            }
        });
        let mut receiver = receiver;
        let mut sum = 0;
        while let Some(n) = receiver.blocking_recv() {
            sum += n;
        }
        assert_eq!(sum, 3 * EACH);
        blocks.join().expect("the thread ends");
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
        let (sender, mut receiver) = unbounded_channel();
        while turns.load(Ordering::Relaxed) < 100 {
            sender.send(()).expect("the receiver is there");
            receiver.recv().await;
        }
    });
    within_limit(move || {
        receives.wait().expect("the task ends");
        other.wait().expect("the task ends");
    });
}

#[test]
fn a_receiver_is_a_stream_that_ends_with_its_senders() {
    alone(async {
        let (sender, mut receiver) = channel(2);
        sender.try_send(1).unwrap();
        drop(sender);
        let mut stream = Pin::new(&mut receiver);
        assert_eq!(poll_fn(|cx| stream.as_mut().poll_next(cx)).await, Some(1));
        assert_eq!(poll_fn(|cx| stream.as_mut().poll_next(cx)).await, None);
    });
}

#[test]
fn a_channel_without_room_is_refused_where_it_is_made() {
    let refused = std::panic::catch_unwind(|| channel::<u32>(0)).unwrap_err();
    let text = refused.downcast_ref::<&str>().expect("a text");
    assert_eq!(*text, "the capacity of a channel is 0, but at least 1 is needed");
}
