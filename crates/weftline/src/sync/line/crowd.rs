//! [`Crowd`]: what a line has once somebody has waited in it, behind one counted reference, so that
//! a timer can look after it.

use super::calls::Calls;
use super::queue::Queue;
use super::timing;
use crate::platform::Mutex;
use std::sync::Arc;
use std::task::Wake;

/// The queue, and the way to it for whoever keeps its time. As a waker it looks after the called
/// ones.
#[derive(Debug)]
pub(super) struct Crowd {
    /// Who waits.
    pub(super) queue: Mutex<Queue>,
}

impl Crowd {
    pub(super) fn new() -> Self {
        Self { queue: Mutex::new(Queue::new()) }
    }

    /// The time of those that were called before the last look is over.
    pub(super) fn look(self: &Arc<Self>) {
        let mut calls = Calls::default();
        let mut queue = self.queue.lock();
        queue.look(&mut calls);
        let again = queue.must_be_timed();
        drop(queue); // wakers are foreign code, and the timers may call this
        if again {
            timing::begin(self);
        }
        drop(calls);
    }
}

impl Wake for Crowd {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}
