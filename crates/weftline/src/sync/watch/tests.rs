//! Models of the channel: each runs as a stress test, under loom and under Miri.

use super::channel;
use crate::platform::{model, thread};
use crate::sync::waiter::Waiter;

#[test]
fn a_change_made_while_a_receiver_begins_to_wait_is_told() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let changes = thread::spawn(move || {
            sender.send_replace(2);
            sender
        });
        let waiter = Waiter::begun(receiver.changed());
        let _sender = changes.join().expect("the sender ends");
        assert!(waiter.outcome().is_ok());
        assert_eq!(*receiver.borrow(), 2);
        assert_eq!(receiver.has_changed(), Ok(false));
    });
}

#[test]
fn the_last_sender_dropped_while_a_receiver_begins_to_wait_is_told() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let drops = thread::spawn(move || drop(sender));
        let waiter = Waiter::begun(receiver.changed());
        drops.join().expect("the sender ends");
        assert!(waiter.outcome().is_err());
    });
}

#[test]
fn the_last_value_is_seen_however_the_sender_goes_meanwhile() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let sends_and_goes = thread::spawn(move || {
            sender.send_replace(2);
        });
        let waiter = Waiter::begun(async { receiver.wait_for(|n| *n == 2).await.is_ok() });
        sends_and_goes.join().expect("the sender ends");
        assert!(waiter.outcome(), "the value was missed");
    });
}

#[test]
fn the_last_receiver_dropped_while_a_sender_begins_to_wait_is_told() {
    model(|| {
        let (sender, receiver) = channel(1);
        let drops = thread::spawn(move || drop(receiver));
        let waiter = Waiter::begun(sender.closed());
        drops.join().expect("the receiver ends");
        waiter.outcome();
    });
}

#[test]
fn a_wait_dropped_while_the_value_changes_leaves_the_others_woken() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let mut another = receiver.clone();
        let (mut first, second) =
            (Waiter::waiting(another.changed()), Waiter::waiting(receiver.changed()));
        let changes = thread::spawn(move || {
            sender.send_replace(2);
            sender
        });
        first.leave();
        let _sender = changes.join().expect("the sender ends");
        assert!(second.outcome().is_ok());
        assert!(first.wakes() <= 1, "woken once, or not at all");
    });
}
