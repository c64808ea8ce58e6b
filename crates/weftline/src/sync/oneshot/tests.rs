//! Models of the channel: each runs as a stress test, under loom and under Miri.

use super::state::{Close, Complete, DropReceiver, DropSender, State};
use super::{Receiver, RecvError, Sender, TryRecvError, channel};
use crate::platform::{UnsafeCell, model, thread};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts its wake-ups; the strong count of the `Arc` counts the wakers made of it.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Somebody who waits, and of whom only the wake-ups are seen.
struct Waiter {
    wakes: Arc<Wakes>,
    waker: Waker,
}

impl Waiter {
    fn new() -> Self {
        let wakes = Arc::new(Wakes::default());
        Self { waker: wakes.clone().into(), wakes }
    }

    fn poll<T>(&self, receiver: &mut Receiver<T>) -> Poll<Result<T, RecvError>> {
        Pin::new(receiver).poll(&mut Context::from_waker(&self.waker))
    }

    fn poll_closed<T>(&self, sender: &mut Sender<T>) -> Poll<()> {
        sender.poll_closed(&mut Context::from_waker(&self.waker))
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }

    /// Fails if a waker is kept anywhere, or was dropped too often.
    #[track_caller]
    fn is_left_alone(&self) {
        let wakers = Arc::strong_count(&self.wakes);
        assert_eq!(wakers, 2, "the wakers of a waiter, its own included");
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What was dropped too often stays alive for the report.
            std::mem::forget([self.wakes.clone(), self.wakes.clone()]);
        }
    }
}

/// A value that counts its drops.
#[derive(Debug)]
struct Value(Arc<AtomicUsize>);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A value, and the number of its drops.
fn value() -> (Value, Arc<AtomicUsize>) {
    let drops = Arc::new(AtomicUsize::new(0));
    (Value(drops.clone()), drops)
}

#[test]
fn a_value_sent_while_the_receiver_begins_to_wait_is_not_lost() {
    model(|| {
        let (sender, mut receiver) = channel();
        let waiter = Waiter::new();
        let sends = thread::spawn(move || sender.send(Box::new(7)).is_ok());
        let first = waiter.poll(&mut receiver);
        assert!(sends.join().expect("the sender ends"), "nobody closed the channel");
        match first {
            Poll::Ready(result) => assert_eq!(result, Ok(Box::new(7))),
            Poll::Pending => {
                assert_eq!(waiter.wakes(), 1, "pending, and not woken once");
                assert_eq!(waiter.poll(&mut receiver), Poll::Ready(Ok(Box::new(7))));
            }
        }
        drop(receiver);
        waiter.is_left_alone();
    });
}

#[test]
fn a_sender_dropped_while_the_receiver_begins_to_wait_ends_the_wait() {
    model(|| {
        let (sender, mut receiver) = channel::<Value>();
        let waiter = Waiter::new();
        let drops = thread::spawn(move || drop(sender));
        let first = waiter.poll(&mut receiver);
        drops.join().expect("the sender ends");
        if first.is_pending() {
            assert_eq!(waiter.wakes(), 1, "pending, and not woken once");
            assert!(matches!(waiter.poll(&mut receiver), Poll::Ready(Err(_))));
        } else {
            assert!(matches!(first, Poll::Ready(Err(_))));
        }
        drop(receiver);
        waiter.is_left_alone();
    });
}

#[test]
fn a_value_sent_while_the_receiver_is_dropped_is_dropped_once() {
    model(|| {
        let (sender, receiver) = channel();
        let (value, drops) = value();
        let sends = thread::spawn(move || sender.send(value).is_ok());
        drop(receiver);
        sends.join().expect("the sender ends");
        assert_eq!(drops.load(Ordering::SeqCst), 1, "drops of the value");
    });
}

#[test]
fn a_value_sent_while_a_waiting_receiver_is_dropped_is_dropped_once() {
    model(|| {
        let (sender, mut receiver) = channel();
        let (value, drops) = value();
        let waiter = Waiter::new();
        assert!(waiter.poll(&mut receiver).is_pending());
        let sends = thread::spawn(move || sender.send(value).is_ok());
        drop(receiver);
        let sent = sends.join().expect("the sender ends");
        assert_eq!(drops.load(Ordering::SeqCst), 1, "drops of the value");
        assert_eq!(waiter.wakes(), usize::from(sent), "the receiver is woken by what it can have");
        waiter.is_left_alone();
    });
}

#[test]
fn a_value_is_either_sent_before_the_close_or_given_back() {
    model(|| {
        let (sender, mut receiver) = channel();
        let (value, drops) = value();
        let sends = thread::spawn(move || sender.send(value).err());
        receiver.close();
        let received = receiver.try_recv();
        let given_back = sends.join().expect("the sender ends");
        assert_ne!(received.is_ok(), given_back.is_some(), "one of the two has the value");
        assert_eq!(drops.load(Ordering::SeqCst), 0, "drops of the value");
        if let Err(error) = received {
            assert_eq!(error, TryRecvError::Closed);
        }
    });
}

#[test]
fn the_waker_that_replaced_another_is_the_one_that_is_woken() {
    model(|| {
        let (sender, mut receiver) = channel();
        let (first, second) = (Waiter::new(), Waiter::new());
        assert!(first.poll(&mut receiver).is_pending());
        let sends = thread::spawn(move || sender.send(7));
        if second.poll(&mut receiver).is_pending() {
            sends.join().expect("the sender ends").expect("nobody closed the channel");
            assert_eq!(second.wakes(), 1, "pending, and not woken once");
            assert_eq!(first.wakes(), 0, "replaced, and woken");
            assert_eq!(second.poll(&mut receiver), Poll::Ready(Ok(7)));
        } else {
            assert_eq!(sends.join().expect("the sender ends"), Ok(()));
        }
        drop(receiver);
        first.is_left_alone();
        second.is_left_alone();
    });
}

#[test]
fn a_waker_can_be_replaced_again_and_again() {
    model(|| {
        let (sender, mut receiver) = channel();
        let (first, second, third) = (Waiter::new(), Waiter::new(), Waiter::new());
        assert!(first.poll(&mut receiver).is_pending());
        assert!(second.poll(&mut receiver).is_pending());
        assert!(second.poll(&mut receiver).is_pending());
        let sends = thread::spawn(move || sender.send(7));
        if third.poll(&mut receiver).is_pending() {
            let last = first.poll(&mut receiver);
            sends.join().expect("the sender ends").expect("nobody closed the channel");
            match last {
                Poll::Ready(result) => assert_eq!(result, Ok(7)),
                Poll::Pending => {
                    assert_eq!(first.wakes(), 1, "pending, and not woken once");
                    assert_eq!(first.poll(&mut receiver), Poll::Ready(Ok(7)));
                }
            }
        } else {
            assert_eq!(sends.join().expect("the sender ends"), Ok(()));
        }
        assert!(first.wakes() + second.wakes() + third.wakes() <= 1, "sent once, woken twice");
        drop(receiver);
        [first, second, third].iter().for_each(Waiter::is_left_alone);
    });
}

#[test]
fn a_receiver_whose_waker_was_replaced_can_be_dropped_while_the_value_is_sent() {
    model(|| {
        let (sender, mut receiver) = channel();
        let (value, drops) = value();
        let (first, second) = (Waiter::new(), Waiter::new());
        assert!(first.poll(&mut receiver).is_pending());
        assert!(second.poll(&mut receiver).is_pending());
        let sends = thread::spawn(move || sender.send(value).is_ok());
        drop(receiver);
        let sent = sends.join().expect("the sender ends");
        assert_eq!(drops.load(Ordering::SeqCst), 1, "drops of the value");
        assert!(second.wakes() <= usize::from(sent), "woken by what it cannot have");
        first.is_left_alone();
        second.is_left_alone();
    });
}

#[test]
fn a_sender_that_begins_to_wait_while_the_receiver_is_dropped_is_told() {
    model(|| {
        let (mut sender, receiver) = channel::<Value>();
        let waiter = Waiter::new();
        let drops = thread::spawn(move || drop(receiver));
        let first = waiter.poll_closed(&mut sender);
        drops.join().expect("the receiver ends");
        assert_eq!(waiter.wakes(), usize::from(first.is_pending()), "pending, or woken, not both");
        assert!(waiter.poll_closed(&mut sender).is_ready());
        drop(sender);
        waiter.is_left_alone();
    });
}

#[test]
fn a_sender_that_waits_with_another_waker_is_told_by_that() {
    model(|| {
        let (mut sender, mut receiver) = channel::<Value>();
        let (first, second) = (Waiter::new(), Waiter::new());
        assert!(first.poll_closed(&mut sender).is_pending());
        let closes = thread::spawn(move || receiver.close());
        if second.poll_closed(&mut sender).is_pending() {
            closes.join().expect("the receiver ends");
            assert_eq!((first.wakes(), second.wakes()), (0, 1), "wakes of the old and the new");
        } else {
            assert!(sender.is_closed());
            closes.join().expect("the receiver ends");
        }
        drop(sender);
        first.is_left_alone();
        second.is_left_alone();
    });
}

#[test]
fn a_sender_that_waited_sends_while_the_receiver_is_dropped() {
    model(|| {
        let (mut sender, receiver) = channel();
        let (value, drops) = value();
        let waiter = Waiter::new();
        assert!(waiter.poll_closed(&mut sender).is_pending());
        let drops_it = thread::spawn(move || drop(receiver));
        let _ = sender.send(value);
        drops_it.join().expect("the receiver ends");
        assert_eq!(drops.load(Ordering::SeqCst), 1, "drops of the value");
        waiter.is_left_alone();
    });
}

#[test]
fn a_thread_that_waits_gets_the_value() {
    model(|| {
        let (sender, receiver) = channel();
        let sends = thread::spawn(move || sender.send(7));
        assert_eq!(receiver.wait(), Ok(7));
        assert_eq!(sends.join().expect("the sender ends"), Ok(()));
    });
}

/// An allocation whose accesses are seen by a model checker, and which is never really freed.
struct Allocation {
    state: State,
    content: UnsafeCell<()>,
    frees: AtomicUsize,
}

#[expect(unsafe_code, reason = "a model shares a cell, which the checker watches")]
// SAFETY: nobody makes a reference of the pointers that the cell lends.
unsafe impl Sync for Allocation {}

impl Allocation {
    /// As an end does as long as it is not gone.
    fn touch(&self) {
        self.content.with(|_| ());
    }

    /// As the last end does.
    fn free(&self) {
        self.content.with_mut(|_| ());
        self.frees.fetch_add(1, Ordering::SeqCst);
    }

    /// As the sender's end is dropped.
    fn sender_goes(&self) {
        self.touch();
        match self.state.complete(|| self.touch()) {
            Complete::Gone | Complete::Wake(()) => return,
            Complete::WakeLater | Complete::Refused => self.touch(),
        }
        if self.state.drop_sender() == DropSender::Last {
            self.free();
        }
    }

    /// As the receiver's end is dropped.
    fn receiver_goes(&self) {
        self.touch();
        match self.state.drop_receiver(|| self.touch()) {
            DropReceiver::WakeSender => self.receiver_goes(),
            DropReceiver::Gone(_) => {}
            DropReceiver::Last(_) => self.free(),
        }
    }
}

/// Both ends go at once, after `prepare`.
fn both_go(prepare: impl Fn(&State) + Send + Sync + 'static) {
    model(move || {
        let allocation = Arc::new(Allocation {
            state: State::new(),
            content: UnsafeCell::new(()),
            frees: AtomicUsize::new(0),
        });
        prepare(&allocation.state);
        let sender = thread::spawn({
            let allocation = allocation.clone();
            move || allocation.sender_goes()
        });
        allocation.receiver_goes();
        sender.join().expect("the sender ends");
        assert_eq!(allocation.frees.load(Ordering::SeqCst), 1, "how often it was freed");
    });
}

#[test]
fn two_ends_dropped_at_once_free_once() {
    both_go(|_| {});
}

#[test]
fn two_ends_dropped_at_once_free_once_where_the_receiver_waits() {
    both_go(|state| assert!(state.set_first_waker()));
}

#[test]
fn two_ends_dropped_at_once_free_once_where_the_waker_was_replaced() {
    both_go(|state| {
        assert!(state.set_first_waker());
        assert!(state.replace_first_waker());
    });
}

#[test]
fn two_ends_dropped_at_once_free_once_where_the_sender_waits() {
    both_go(|state| assert!(state.set_sender_waker()));
}

#[test]
fn two_ends_dropped_at_once_free_once_where_the_receiver_has_closed() {
    both_go(|state| assert_eq!(state.close(), Close::Done));
}
