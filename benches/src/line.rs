//! `Line`: a channel for one number at a time, which knows nothing of any runtime.
//!
//! Workloads in which tasks talk use it on every peer, so that the peers differ in nothing but how
//! they are woken. The two ends take turns: a number is received before the next is sent.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
};

use atomic_waker::AtomicWaker;

/// What is on the line when nothing is.
const EMPTY: usize = usize::MAX;

/// A line between one sender and one receiver.
pub struct Line {
    /// The number under way, or `EMPTY`.
    number: AtomicUsize,
    /// The receiver, while it waits.
    receiver: AtomicWaker,
}

impl Default for Line {
    fn default() -> Line {
        Line { number: AtomicUsize::new(EMPTY), receiver: AtomicWaker::new() }
    }
}

impl Line {
    /// Hands over a number and wakes the receiver.
    ///
    /// # Panics
    ///
    /// If the number before it has not been received.
    pub fn send(&self, number: usize) {
        // AcqRel: the Release half pairs with the receiver's Acquire; what was sent before happened
        // before.
        let before = self.number.swap(number, Ordering::AcqRel);
        assert_eq!(before, EMPTY, "one number at a time");
        self.receiver.wake();
    }

    /// Waits for a number.
    pub async fn receive(&self) -> usize {
        poll_fn(|context| match self.take() {
            Some(number) => Poll::Ready(number),
            None => {
                self.receiver.register(context.waker());
                // A number sent before the waker was registered has woken nobody.
                self.take().map_or(Poll::Pending, Poll::Ready)
            }
        })
        .await
    }

    /// The number under way, if there is one.
    fn take(&self) -> Option<usize> {
        // Acquire: pairs with the Release of `send`.
        if self.number.load(Ordering::Acquire) == EMPTY {
            return None;
        }
        Some(self.number.swap(EMPTY, Ordering::AcqRel))
    }
}
