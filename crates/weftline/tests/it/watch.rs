//! Watched values as a user sees them: the latest one, who is told of it, and the two ends.

use crate::rig::{alone, many_times, panic_on_purpose, runtime_of, until_waiting, within_limit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use weftline::spawn;
use weftline::sync::watch::error::SendError;
use weftline::sync::watch::{Sender, channel};

#[test]
fn who_watches_sees_the_latest_value_in_the_end() {
    many_times(|| async {
        let (sender, receiver) = channel(0);
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let mut receiver = receiver.clone();
                spawn(async move {
                    let mut seen = *receiver.borrow();
                    while receiver.changed().await.is_ok() {
                        let now = *receiver.borrow_and_update();
                        assert!(now >= seen, "values go by in order");
                        seen = now;
                    }
                    seen
                })
            })
            .collect();
        drop(receiver);
        for n in 1..=100 {
            let _ = sender.send(n);
        }
        drop(sender);
        for task in tasks {
            assert_eq!(task.await.unwrap(), 100);
        }
    });
}

#[test]
fn a_change_is_told_once_and_also_to_who_comes_late() {
    alone(async {
        let (sender, mut receiver) = channel('a');
        assert_eq!(receiver.has_changed(), Ok(false));
        sender.send('b').unwrap();
        sender.send('c').unwrap();
        assert_eq!(receiver.changed().await, Ok(()));
        assert_eq!(*receiver.borrow(), 'c');
        assert_eq!(receiver.has_changed(), Ok(false));
        let waits = spawn(async move { receiver.changed().await.map(|()| *receiver.borrow()) });
        until_waiting(&waits).await;
        sender.send('d').unwrap();
        assert_eq!(waits.await.unwrap(), Ok('d'));
    });
}

#[test]
fn the_last_value_can_be_seen_after_the_last_sender() {
    alone(async {
        let (sender, mut receiver) = channel(1);
        let mut waiting = receiver.clone();
        let waits = spawn(async move { waiting.changed().await });
        until_waiting(&waits).await;
        sender.clone().send(2).unwrap();
        assert_eq!(waits.await.unwrap(), Ok(()));
        let mut waiting = receiver.clone();
        waiting.mark_unchanged();
        let waits = spawn(async move { waiting.changed().await });
        until_waiting(&waits).await;
        drop(sender);
        assert!(waits.await.unwrap().is_err());
        assert!(receiver.has_changed().is_err());
        assert_eq!(receiver.changed().await, Ok(()));
        assert_eq!(*receiver.borrow(), 2);
        assert!(receiver.changed().await.is_err());
    });
}

#[test]
fn waiting_for_a_value_looks_at_the_present_one_first() {
    alone(async {
        let (sender, mut receiver) = channel(1);
        assert_eq!(receiver.wait_for(|n| *n == 1).await.map(|n| *n), Ok(1));
        let waits = spawn(async move {
            let found = receiver.wait_for(|n| *n >= 3).await.map(|n| *n);
            (found, receiver.wait_for(|n| *n == 0).await.is_err())
        });
        until_waiting(&waits).await;
        sender.send(2).unwrap();
        until_waiting(&waits).await;
        sender.send(3).unwrap();
        weftline::yield_now().await;
        drop(sender);
        assert_eq!(waits.await.unwrap(), (Ok(3), true));
    });
}

#[test]
fn a_value_changed_in_its_place_is_told_where_it_is_said_to_have_changed() {
    let (sender, mut receiver) = channel(vec![1]);
    assert!(!sender.send_if_modified(|_| false));
    assert_eq!(receiver.has_changed(), Ok(false));
    sender.send_modify(|numbers| numbers.push(2));
    assert_eq!(*receiver.borrow_and_update(), [1, 2]);
    assert_eq!(sender.send_replace(vec![]), [1, 2]);
    assert!(receiver.borrow().has_changed());
    receiver.mark_unchanged();
    assert!(!receiver.borrow().has_changed());
    receiver.mark_changed();
    assert_eq!(receiver.has_changed(), Ok(true));
}

#[test]
fn a_change_that_panics_is_told_to_nobody_and_leaves_the_channel_usable() {
    let (sender, mut receiver) = channel(1);
    let change = || sender.send_modify(|_| panic_on_purpose("a change"));
    assert!(catch_unwind(AssertUnwindSafe(change)).is_err());
    assert_eq!(receiver.has_changed(), Ok(false));
    sender.send(2).unwrap();
    assert_eq!(*receiver.borrow_and_update(), 2);
}

#[test]
fn a_value_that_nobody_watches_is_refused_or_kept_as_one_says() {
    alone(async {
        let sender = Sender::new(1);
        assert_eq!(sender.send(2), Err(SendError(2)));
        assert_eq!(sender.send_replace(3), 1);
        let receiver = sender.subscribe();
        assert_eq!((*receiver.borrow(), receiver.has_changed()), (3, Ok(false)));
        let waiting = sender.clone();
        let told = spawn(async move { waiting.closed().await });
        until_waiting(&told).await;
        drop(receiver);
        told.await.unwrap();
        assert_eq!((sender.receiver_count(), sender.sender_count()), (0, 1));
    });
}

#[test]
fn a_wait_that_was_dropped_has_seen_nothing() {
    alone(async {
        let (sender, mut receiver) = channel(1);
        assert!(weftline::time::timeout(crate::rig::MS, receiver.changed()).await.is_err());
        sender.send(2).unwrap();
        assert_eq!(receiver.has_changed(), Ok(true));
        assert_eq!(receiver.changed().await, Ok(()));
    });
}

#[test]
fn a_value_is_watched_from_another_runtime() {
    within_limit(|| {
        let (first, second) = (runtime_of(1), runtime_of(1));
        let (sender, mut receiver) = channel(0);
        let watches = first.spawn(async move { receiver.wait_for(|n| *n == 50).await.is_ok() });
        let counts = second.spawn(async move {
            for n in 1..=50 {
                sender.send(n).expect("somebody watches");
            }
            sender.closed().await;
        });
        assert!(watches.wait().unwrap());
        counts.wait().unwrap();
    });
}
