//! Models of the channel: each runs as a stress test, under loom and under Miri.

use super::channel;
use crate::platform::{model, thread};
use crate::sync::listener::Listener;
use std::pin::pin;
use std::task::Poll;

#[test]
fn a_change_made_while_a_receiver_begins_to_wait_is_told() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let waiter = Listener::new();
        let changes = thread::spawn(move || {
            sender.send_replace(2);
            sender
        });
        let mut changed = Box::pin(receiver.changed());
        let first = waiter.poll(changed.as_mut());
        let _sender = changes.join().expect("the sender ends");
        assert!(waiter.outcome(first, changed.as_mut()).is_ok());
        drop(changed);
        assert_eq!(*receiver.borrow(), 2);
        assert_eq!(receiver.has_changed(), Ok(false));
    });
}

#[test]
fn the_last_sender_dropped_while_a_receiver_begins_to_wait_is_told() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let waiter = Listener::new();
        let drops = thread::spawn(move || drop(sender));
        let mut changed = pin!(receiver.changed());
        let first = waiter.poll(changed.as_mut());
        drops.join().expect("the sender ends");
        assert!(waiter.outcome(first, changed).is_err());
    });
}

#[test]
fn the_last_value_is_seen_however_the_sender_goes_meanwhile() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let waiter = Listener::new();
        let sends_and_goes = thread::spawn(move || {
            sender.send_replace(2);
        });
        let mut found = Box::pin(async { receiver.wait_for(|n| *n == 2).await.is_ok() });
        let mut first = waiter.poll(found.as_mut());
        sends_and_goes.join().expect("the sender ends");
        if first.is_pending() {
            assert!(waiter.wakes() > 0, "pending, and not woken");
            first = waiter.poll(found.as_mut());
        }
        assert_eq!(first, Poll::Ready(true), "the value was missed");
    });
}

#[test]
fn the_last_receiver_dropped_while_a_sender_begins_to_wait_is_told() {
    model(|| {
        let (sender, receiver) = channel(1);
        let waiter = Listener::new();
        let drops = thread::spawn(move || drop(receiver));
        let mut closed = pin!(sender.closed());
        let first = waiter.poll(closed.as_mut());
        drops.join().expect("the receiver ends");
        waiter.outcome(first, closed);
    });
}

#[test]
fn a_wait_dropped_while_the_value_changes_leaves_the_others_woken() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let mut another = receiver.clone();
        let (gives_up, waits) = (Listener::new(), Listener::new());
        let mut dropped = Box::pin(another.changed());
        let mut changed = pin!(receiver.changed());
        assert!(gives_up.poll(dropped.as_mut()).is_pending());
        let first = waits.poll(changed.as_mut());
        assert!(first.is_pending());
        let changes = thread::spawn(move || {
            sender.send_replace(2);
            sender
        });
        drop(dropped);
        let _sender = changes.join().expect("the sender ends");
        assert!(waits.outcome(first, changed).is_ok());
        assert!(gives_up.wakes() <= 1, "woken once, or not at all");
    });
}
