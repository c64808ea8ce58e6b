//! `spawn`: jobs that nobody waits for.

use crate::job::Job;
use crate::place;
use crate::pool::Registry;
use std::sync::Arc;
use weftline::foundation::Branch;

/// Queues a job in the pool around the calling thread, or else in the global one. Of those that one
/// thread has spawned that thread calls the newest first, others the oldest.
///
/// A panic goes to the pool's [panic handler](crate::ThreadPoolBuilder::panic_handler); without one
/// the process is aborted.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = std::sync::mpsc::channel();
/// rayon_core::spawn(move || sender.send(1).unwrap());
/// assert_eq!(receiver.recv(), Ok(1));
/// ```
pub fn spawn<F>(func: F)
where
    F: FnOnce() + Send + 'static,
{
    place::current().spawn(func);
}

/// As [`spawn`]; but of those that one thread has spawned so the oldest is called first.
pub fn spawn_fifo<F>(func: F)
where
    F: FnOnce() + Send + 'static,
{
    place::current().spawn_fifo(func);
}

impl Registry {
    pub(crate) fn spawn(self: &Arc<Self>, call: impl FnOnce() + Send + 'static) {
        self.push(self.job(call));
    }

    pub(crate) fn spawn_fifo(self: &Arc<Self>, call: impl FnOnce() + Send + 'static) {
        self.push_fifo(self.job(call));
    }

    /// A job that nobody waits for, and that keeps the pool.
    pub(crate) fn job(self: &Arc<Self>, call: impl FnOnce() + Send + 'static) -> Job {
        self.retain();
        let registry = self.clone();
        Box::new(move || {
            Branch::enter_none(|| registry.guard(call));
            registry.release();
        })
    }
}
