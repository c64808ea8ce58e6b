//! Calls: what one worker alone is to do, and does also while it waits inside of a job.
//!
//! A job that is pinned to a worker waits until that is free. Somebody may wait for each worker to do
//! something, and a worker may be waiting for that somebody, so a call does not wait: a worker that is about
//! to sleep inside of a job looks into its [`Inbox`](super::queues::Inbox) for calls, and leaves there how it
//! is woken, under the one lock that a call is added under. What is called is no part of what the worker
//! waits for, so a lock held across the wait must not be wanted by it; only those who post such calls
//! can know that.

use super::Shared;
use super::worker::with_own;
use crate::job::Job;
use std::task::Waker;

impl Shared {
    /// Has one worker alone make a call.
    pub(crate) fn post_to(&self, worker: usize, call: Job) {
        match self.remotes[worker].inbox.push_call(call) {
            None => self.wake_worker(worker),
            Some(call) => call.discard(),
        }
    }
}

/// Makes a call that is for the calling worker, which is about to wait inside of a job. False: there is
/// none, and `waiter` is woken when there is, once.
pub(crate) fn answer(waiter: &dyn Fn() -> Waker) -> bool {
    let call = with_own(|local| local.shared.remotes[local.index].inbox.take_call(waiter));
    // No worker is lent meanwhile.
    call.flatten().map(Job::run).is_some()
}

/// The calling worker waits no more: nobody is woken for a call.
pub(crate) fn forget() {
    with_own(|local| local.shared.remotes[local.index].inbox.forget_waiter());
}
