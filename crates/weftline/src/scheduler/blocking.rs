//! Threads for jobs that may block: as many as are needed, up to a limit, and gone again when they
//! have had nothing to do for a while.

use super::actors::Actors;
use crate::job::Job;
use crate::platform::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

/// How many threads there may be, and how long they stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockingLimits {
    /// The most threads.
    pub(crate) max_threads: usize,
    /// How long a thread waits for another job before it ends.
    pub(crate) keep_alive: Duration,
}

/// Starts a thread that calls [`BlockingPool::work`].
pub(crate) type StartThread = Box<dyn Fn() -> io::Result<()> + Send + Sync>;

/// The threads and their queue.
pub(crate) struct BlockingPool {
    /// The queue and the counts.
    state: Mutex<State>,
    /// Told when a job is queued, and when the pool stops.
    changed: Condvar,
    limits: BlockingLimits,
    start: StartThread,
    /// Where time is virtual: a job is at work from when it is queued until it has ended.
    actors: Option<Arc<Actors>>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Threads that there are.
    threads: usize,
    /// Threads that wait for a job.
    idle: usize,
    /// Threads end when there are no jobs left.
    stopped: bool,
}

impl BlockingPool {
    pub(crate) fn new(limits: BlockingLimits, start: StartThread) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), limits, start, actors: None }
    }

    /// Counts the jobs among the actors.
    pub(super) fn count_in(&mut self, actors: Option<Arc<Actors>>) {
        self.actors = actors;
    }

    /// Queues a job, and starts a thread if none is free for it.
    pub(crate) fn push(&self, job: Job) {
        if let Some(actors) = &self.actors {
            actors.begin();
        }
        let mut state = self.state.lock();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() {
            drop(state);
            self.changed.notify_one();
            return;
        }
        if state.threads >= self.limits.max_threads {
            return;
        }
        state.threads += 1;
        drop(state);
        if let Err(error) = (self.start)() {
            self.thread_not_started(&error);
        }
    }

    /// The system refuses another thread: the job waits for one of those that there are. Where
    /// there is none it is run here, since nothing may be lost.
    #[cold]
    fn thread_not_started(&self, error: &io::Error) {
        let mut state = self.state.lock();
        state.threads -= 1;
        if state.threads > 0 {
            return;
        }
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        let _ = writeln!(
            io::stderr(),
            "weftline: no thread for blocking jobs, they run where they are spawned: {error}"
        );
        jobs.into_iter().for_each(|job| self.run(job));
    }

    /// What a thread of the pool does.
    pub(crate) fn work(&self) {
        let mut state = self.state.lock();
        loop {
            while let Some(job) = state.jobs.pop_front() {
                drop(state);
                self.run(job);
                state = self.state.lock();
            }
            if state.stopped {
                break;
            }
            state.idle += 1;
            let waited = self.changed.wait_for(&mut state, self.limits.keep_alive);
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }

    fn run(&self, job: Job) {
        job.run();
        if let Some(actors) = &self.actors {
            actors.rest();
        }
    }

    /// Makes the threads end once the queue is empty.
    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }
}
