//! A worker before it runs: what is given to those who start the threads of a runtime themselves.

use super::instance::{CountedThread, Instance, thread_builder};
use crate::job::Job;
use crate::platform::deque::Worker;
use crate::scheduler::Local;
use std::sync::Arc;
use std::{fmt, io};

/// A worker without a thread; given by [`Builder::build_on`](super::Builder::build_on).
#[must_use = "a worker that nobody runs leaves its pinned tasks waiting"]
pub struct WorkerThread {
    /// Its runtime.
    instance: Arc<Instance>,
    /// Its place among the workers.
    index: usize,
    /// Its queue.
    queue: Worker<Job>,
    /// Shutting down waits for it.
    alive: CountedThread,
}

impl WorkerThread {
    pub(super) fn new(instance: Arc<Instance>, index: usize, queue: Worker<Job>) -> Self {
        let alive = instance.threads.enter();
        Self { instance, index, queue, alive }
    }

    /// Its place among the workers, from 0 on.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The name that its thread would have: the runtime's, and the index.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.instance.options.thread_name, self.index)
    }

    /// The size of the stack that was asked for, in bytes.
    #[must_use]
    pub fn stack_size(&self) -> Option<usize> {
        self.instance.options.stack_size
    }

    /// Makes the calling thread be this worker until the runtime ends.
    pub fn run(self) {
        let Self { instance, index, queue, alive } = self;
        let roster = instance.rosters[index].clone();
        instance.inhabit(&alive, roster, |shared| Local::new(index, shared.clone(), queue).run());
    }

    /// Runs it on a thread of its own.
    pub(super) fn start(self) -> io::Result<()> {
        thread_builder(self.name(), self.stack_size()).spawn(|| self.run()).map(drop)
    }
}

impl fmt::Debug for WorkerThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerThread").field("index", &self.index).finish_non_exhaustive()
    }
}
