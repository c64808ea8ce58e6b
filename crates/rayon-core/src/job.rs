//! What a registry queues: closures that are called once, and never unwind.

use crate::locked;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// A closure to be called once, which does not unwind.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// A job that borrows, as one that does not.
///
/// # Safety
///
/// What it borrows stays until the job has been called.
pub(crate) unsafe fn erase<'a>(job: Box<dyn FnOnce() + Send + 'a>) -> Job {
    // SAFETY: the types differ in a lifetime only, which the caller looks after.
    unsafe { std::mem::transmute::<Box<dyn FnOnce() + Send + 'a>, Job>(job) }
}

/// Jobs that are called in the order in which they came, by whoever calls one.
#[derive(Clone, Default)]
pub(crate) struct Fifo {
    /// The oldest first.
    jobs: Arc<Mutex<VecDeque<Job>>>,
}

impl Fifo {
    /// Adds a job. What is returned calls the oldest one that is there then.
    pub(crate) fn push(&self, job: Job) -> Job {
        locked(&self.jobs).push_back(job);
        let jobs = self.jobs.clone();
        Box::new(move || {
            let oldest = locked(&jobs).pop_front();
            if let Some(job) = oldest {
                job();
            }
        })
    }
}
