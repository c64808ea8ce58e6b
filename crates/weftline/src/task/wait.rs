//! Driving a future on a plain thread: poll, and wait to be woken.

use super::budget;
use crate::platform::fork::Generation;
use crate::platform::parker::{Parker, Unpark};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

/// Wakes a thread that drives a future.
struct ThreadWaker(Parker);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let unpark = self.0.unpark();
        debug_assert_eq!(unpark, Unpark::Done, "this thread waits nowhere else");
    }
}

thread_local! {
    /// Whether this thread polls a future that it blocks for.
    static BLOCKING: Cell<bool> = const { Cell::new(false) };
}

/// Marks such a poll until it is dropped.
pub(super) struct Blocking {
    /// Whether one is around it.
    outer: bool,
}

impl Blocking {
    pub(super) fn begin() -> Self {
        Self { outer: BLOCKING.replace(true) }
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        BLOCKING.set(self.outer);
    }
}

/// Whether the thread polls a future that it blocks for: a worker that does so looks after nothing
/// of its own until that is ready.
pub(crate) fn is_blocking() -> bool {
    BLOCKING.get()
}

/// Polls `future` until it is ready, or until the deadline has passed.
///
/// # Panics
///
/// In a child process that was forked meanwhile: whoever would wake it stayed behind.
pub(crate) fn drive<F: Future>(
    mut future: Pin<&mut F>,
    deadline: Option<Instant>,
) -> Option<F::Output> {
    let thread = Arc::new(ThreadWaker(Parker::new()));
    let waker = Waker::from(thread.clone());
    let mut cx = Context::from_waker(&waker);
    let generation = Generation::current();
    loop {
        let polled = {
            let _slice = budget::Slice::begin();
            let _blocking = Blocking::begin();
            future.as_mut().poll(&mut cx)
        };
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        let limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if limit.is_some_and(|limit| limit.is_zero()) {
            return None;
        }
        generation.assert_same_process();
        thread.0.park_patiently(limit);
    }
}
