//! [`Calls`]: wakers that are collected under a lock, and called once it is gone.

use crate::runtime::context;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// What a panic carries.
type Panic = Box<dyn Any + Send>;

/// Wakers to be called, which happens where this is dropped: after the lock.
///
/// A waker that panics keeps none of the others from being called. Its panic goes on afterwards,
/// unless the thread panics already.
#[derive(Debug, Default)]
pub(in crate::sync) struct Calls {
    /// The first one; mostly there is no other.
    first: Option<Waker>,
    /// The others.
    more: Vec<Waker>,
}

impl Calls {
    /// Adds one.
    #[inline]
    pub(in crate::sync) fn push(&mut self, waker: Waker) {
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.more.push(waker),
        }
    }
}

impl Drop for Calls {
    #[inline]
    fn drop(&mut self) {
        let Some(first) = self.first.take() else { return };
        let panicked = if self.more.is_empty() { call(first) } else { self.call_all(first) };
        match panicked {
            Some(panic) if !std::thread::panicking() => resume_unwind(panic),
            panicked => std::mem::forget(panicked),
        }
    }
}

impl Calls {
    /// Calls them so that they run in their order, as far as the scheduler goes by that: a worker
    /// runs what it has woken last before all else, and the rest first come, first served.
    #[cold]
    fn call_all(&mut self, first: Waker) -> Option<Panic> {
        let (before, after) =
            if context::is_on_worker() { (None, Some(first)) } else { (Some(first), None) };
        let mut panicked = None;
        for waker in before.into_iter().chain(self.more.drain(..)).chain(after) {
            match (call(waker), &panicked) {
                // What a payload does when it is dropped is foreign code as well.
                (Some(second), Some(_)) => std::mem::forget(second),
                (None, _) => {}
                (first, None) => panicked = first,
            }
        }
        panicked
    }
}

/// Calls one; its panic, if it panicked.
#[inline]
fn call(waker: Waker) -> Option<Panic> {
    catch_unwind(AssertUnwindSafe(|| waker.wake())).err()
}
