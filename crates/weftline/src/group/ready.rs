//! [`Ready`]: which of many tasks have ended, without asking the others.
//!
//! Each task wakes a waker of its own, which notes the task's number and wakes whoever waits for
//! any of them. So the end of one task costs the same however many there are.

use crate::platform::Mutex;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// The numbers of the tasks that were woken for.
#[derive(Default)]
pub(super) struct Ready {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In the order in which they ended.
    numbers: VecDeque<usize>,
    /// Who waits for the next one.
    waker: Option<Waker>,
}

/// The waker of one task.
struct Numbered {
    ready: Arc<Ready>,
    number: usize,
}

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        let mut state = self.ready.state.lock();
        state.numbers.push_back(self.number);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Ready {
    /// The waker that notes a number.
    pub(super) fn waker(self: &Arc<Self>, number: usize) -> Waker {
        Waker::from(Arc::new(Numbered { ready: self.clone(), number }))
    }

    /// The next number. One may come more than once, or late: it is a hint to look.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<usize> {
        // Declared first, so that a foreign waker is dropped after the lock is let go.
        let mut fresh = None;
        loop {
            let mut state = self.state.lock();
            if let Some(number) = state.numbers.pop_front() {
                return Poll::Ready(number);
            }
            if state.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            if fresh.is_some() {
                mem::swap(&mut state.waker, &mut fresh);
                return Poll::Pending;
            }
            drop(state);
            fresh = Some(cx.waker().clone());
        }
    }
}
