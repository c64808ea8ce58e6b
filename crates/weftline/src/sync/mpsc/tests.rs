//! Models of the channel: each runs as a stress test, under loom and under Miri.

use super::error::TryRecvError;
use super::{Receiver, Sender, channel, unbounded_channel};
use crate::platform::{model, thread};
use crate::sync::waiter::Waiter;

/// A channel with room for one message, which is taken.
fn full() -> (Sender<u32>, Receiver<u32>) {
    let (sender, receiver) = channel(1);
    sender.try_send(0).expect("there is room");
    (sender, receiver)
}

#[test]
fn a_message_sent_while_the_receiver_begins_to_wait_is_not_lost() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        let sends = thread::spawn(move || {
            let _ = sender.send(7);
            sender
        });
        let waiter = Waiter::begun(receiver.recv());
        let _sender = sends.join().expect("the sender ends");
        assert_eq!(waiter.outcome(), Some(7));
    });
}

#[test]
fn the_last_sender_dropped_while_the_receiver_begins_to_wait_ends_the_wait() {
    model(|| {
        let (sender, mut receiver) = channel::<u32>(1);
        let another = sender.clone();
        let drops = thread::spawn(move || drop(another));
        drop(sender);
        let waiter = Waiter::begun(receiver.recv());
        drops.join().expect("the sender ends");
        assert_eq!(waiter.outcome(), None);
    });
}

#[test]
fn a_sender_that_begins_to_wait_while_room_is_made_is_told() {
    model(|| {
        let (sender, mut receiver) = full();
        let receives = thread::spawn(move || {
            assert_eq!(receiver.try_recv(), Ok(0));
            receiver
        });
        let waiter = Waiter::begun(sender.send(1));
        let mut receiver = receives.join().expect("the receiver ends");
        assert_eq!(waiter.outcome(), Ok(()));
        assert_eq!(receiver.try_recv(), Ok(1));
    });
}

#[test]
fn of_two_that_begin_to_wait_while_room_is_made_for_both_none_is_forgotten() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        sender.try_send(0).expect("there is room");
        sender.try_send(0).expect("there is room");
        let receives = thread::spawn(move || {
            assert_eq!(receiver.try_recv(), Ok(0));
            assert_eq!(receiver.try_recv(), Ok(0));
            receiver
        });
        let waiters = [1, 2].map(|n| Waiter::begun(sender.send(n)));
        let _receiver = receives.join().expect("the receiver ends");
        assert_eq!(waiters.map(Waiter::outcome), [Ok(()), Ok(())]);
    });
}

#[test]
fn a_send_dropped_while_room_is_made_leaves_it_to_the_next() {
    model(|| {
        let (sender, mut receiver) = full();
        let mut first = Waiter::waiting(sender.send(1));
        let second = Waiter::waiting(sender.send(2));
        let receives = thread::spawn(move || {
            assert_eq!(receiver.try_recv(), Ok(0));
            receiver
        });
        first.leave();
        let mut receiver = receives.join().expect("the receiver ends");
        assert_eq!(second.outcome(), Ok(()));
        assert_eq!(receiver.try_recv(), Ok(2));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
fn a_message_is_either_sent_before_the_close_or_given_back() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let sends = thread::spawn(move || sender.try_send(7).is_ok());
        receiver.close();
        // Nothing is sent any more, so this is the last word.
        let received = receiver.try_recv();
        let sent = sends.join().expect("the sender ends");
        assert_eq!(received.is_ok(), sent, "one of the two has the message");
    });
}

#[test]
fn a_sender_that_begins_to_wait_while_the_channel_is_closed_is_told() {
    model(|| {
        let (sender, mut receiver) = full();
        let closes = thread::spawn(move || {
            receiver.close();
            receiver
        });
        let waiter = Waiter::begun(sender.send(1));
        let _receiver = closes.join().expect("the receiver ends");
        assert!(waiter.outcome().is_err());
    });
}

#[test]
fn a_sender_that_waits_for_the_close_is_told() {
    model(|| {
        let (sender, receiver) = channel::<u32>(1);
        let drops = thread::spawn(move || drop(receiver));
        let waiter = Waiter::begun(sender.closed());
        drops.join().expect("the receiver ends");
        waiter.outcome();
    });
}

#[test]
fn the_last_permit_of_a_closed_channel_ends_the_wait() {
    model(|| {
        let (sender, mut receiver) = channel::<u32>(1);
        let gives_back = thread::spawn(move || {
            let permit = sender.try_reserve();
            drop(permit);
            sender
        });
        receiver.close();
        let waiter = Waiter::begun(receiver.recv());
        let _sender = gives_back.join().expect("the sender ends");
        assert_eq!(waiter.outcome(), None);
    });
}

#[test]
fn room_that_is_made_while_a_sender_takes_all_of_it_is_not_lost() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        sender.try_send(0).expect("there is room");
        sender.try_send(0).expect("there is room");
        let another = sender.clone();
        let receives = thread::spawn(move || {
            assert_eq!(receiver.try_recv(), Ok(0));
            assert_eq!(receiver.try_recv(), Ok(0));
            receiver
        });
        let sends = thread::spawn(move || another.try_send(1).is_ok());
        let waiter = Waiter::begun(sender.send(2));
        let _receiver = receives.join().expect("the receiver ends");
        let _sent = sends.join().expect("the sender ends");
        // There is room for two, and one at most has used it.
        assert_eq!(waiter.outcome(), Ok(()));
    });
}

#[test]
fn room_for_two_that_comes_back_from_two_sides_is_gathered_for_one() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        sender.try_send(0).expect("there is room");
        let permit = sender.clone().try_reserve_owned().expect("there is room");
        let receives = thread::spawn(move || {
            assert_eq!(receiver.try_recv(), Ok(0));
            receiver
        });
        let gives_back = thread::spawn(move || drop(permit));
        let waiter = Waiter::begun(sender.reserve_many(2));
        let receiver = receives.join().expect("the receiver ends");
        gives_back.join().expect("the thread ends");
        let permits = waiter.outcome().expect("the receiver is there");
        assert_eq!((permits.len(), receiver.capacity()), (2, 0));
    });
}

#[test]
fn room_that_was_gathered_for_one_who_leaves_is_there_for_the_next() {
    model(|| {
        let (sender, mut receiver) = channel(4);
        (0..3).for_each(|n| sender.try_send(n).expect("there is room"));
        let mut waiter = Waiter::waiting(sender.reserve_many(4));
        let receives = thread::spawn(move || {
            assert_eq!(receiver.try_recv(), Ok(0));
            assert_eq!(receiver.try_recv(), Ok(1));
            receiver
        });
        waiter.leave();
        let _receiver = receives.join().expect("the receiver ends");
        assert_eq!(sender.try_reserve_many(3).map(|permits| permits.len()), Ok(3));
    });
}
