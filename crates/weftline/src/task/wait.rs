//! Driving a future on a plain thread: poll, and wait to be woken.

use super::budget;
use crate::platform::fork::Generation;
use crate::platform::parker::{Parker, Unpark};
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
        budget::begin();
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
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
