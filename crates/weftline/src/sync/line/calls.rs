//! [`Calls`]: wakers that are collected under a lock, and called once it is gone.

use crate::runtime::context;
use crate::task::wake_all;
use std::task::Waker;

/// Wakers to be called, which happens where this is dropped: after the lock. One that panics keeps
/// none of the others from being called, nor whoever calls from going on.
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

    /// Calls them so that they run in their order, as far as the scheduler goes by that: a worker
    /// runs what it has woken last before all else, and the rest first come, first served.
    #[cold]
    fn call_all(&mut self, first: Waker) {
        let (before, after) =
            if context::is_on_worker() { (None, Some(first)) } else { (Some(first), None) };
        wake_all(before.into_iter().chain(self.more.drain(..)).chain(after));
    }
}

impl Drop for Calls {
    #[inline]
    fn drop(&mut self) {
        let Some(first) = self.first.take() else { return };
        if self.more.is_empty() { wake_all(Some(first)) } else { self.call_all(first) }
    }
}
