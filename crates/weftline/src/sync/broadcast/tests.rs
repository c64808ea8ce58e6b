//! Models of the channel: each runs as a stress test, under loom and under Miri.

use super::channel;
use super::error::{RecvError, TryRecvError};
use crate::platform::{model, thread};
use crate::sync::waiter::Waiter;

#[test]
fn a_message_sent_while_a_receiver_begins_to_wait_is_not_lost() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let sends = thread::spawn(move || {
            assert_eq!(sender.send(7), Ok(1));
            sender
        });
        let waiter = Waiter::begun(receiver.recv());
        let _sender = sends.join().expect("the sender ends");
        assert_eq!(waiter.outcome(), Ok(7));
    });
}

#[test]
fn the_last_sender_dropped_while_a_receiver_begins_to_wait_ends_the_wait() {
    model(|| {
        let (sender, mut receiver) = channel::<u32>(1);
        let drops = thread::spawn(move || drop(sender));
        let waiter = Waiter::begun(receiver.recv());
        drops.join().expect("the sender ends");
        assert_eq!(waiter.outcome(), Err(RecvError::Closed));
    });
}

#[test]
fn the_last_receiver_dropped_while_a_sender_begins_to_wait_is_told() {
    model(|| {
        let (sender, receiver) = channel::<u32>(1);
        let drops = thread::spawn(move || drop(receiver));
        let waiter = Waiter::begun(sender.closed());
        drops.join().expect("the receiver ends");
        waiter.outcome();
    });
}

#[test]
fn each_message_is_received_or_counted_as_missed() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let sends = thread::spawn(move || {
            for n in 0..2 {
                assert_eq!(sender.send(n), Ok(1));
            }
        });
        let mut accounted = 0;
        let mut account = |received| match received {
            Ok(n) => {
                assert_eq!(n, accounted, "in order");
                accounted += 1;
                true
            }
            Err(TryRecvError::Lagged(missed)) => {
                accounted += missed;
                true
            }
            Err(_) => false,
        };
        account(receiver.try_recv());
        sends.join().expect("the sender ends");
        while account(receiver.try_recv()) {}
        assert_eq!(accounted, 2, "messages received or missed");
    });
}

#[test]
fn a_receiver_dropped_while_a_message_is_sent_leaves_nothing_behind() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        let another = sender.subscribe();
        let drops = thread::spawn(move || drop(another));
        assert!(sender.send(1).is_ok());
        assert_eq!(receiver.try_recv(), Ok(1));
        drops.join().expect("the receiver ends");
        assert_eq!(sender.len(), 0, "messages that nobody is to get");
    });
}
