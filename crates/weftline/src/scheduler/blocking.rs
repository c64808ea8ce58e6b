//! Threads for jobs that may block: as many as are needed, up to a limit, and gone again when they
//! have had nothing to do for a while.
//!
//! One thread comes at a time: while one has been called and has not yet looked at the queue, nobody
//! calls another. Whoever takes a job and leaves others in the queue calls the next. So a job waits
//! for no job before it, and as long as the jobs are short, one thread that comes takes many,
//! and few system calls are made for them. A thread that has nothing left to do looks for a moment
//! before it sleeps, if that has been worth it; it counts as one that comes.

use super::actors::Actors;
use crate::job::Job;
use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::platform::patience::Patience;
use crate::platform::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a thread looks for the next job where those come soon: until whoever awaits the last one
/// has been woken, has run, and has asked for the next.
const LOOK: Duration = Duration::from_micros(50);

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
    /// Told when a thread is called, and when the pool stops.
    called: Condvar,
    /// How many jobs the queue holds, for those who look without the lock.
    queued: AtomicUsize,
    limits: BlockingLimits,
    start: StartThread,
    /// Where time is virtual: a job is at work from when it is queued until it has ended.
    actors: Option<Arc<Actors>>,
}

/// Where there are jobs, a thread comes, or there are as many as may be and each will look again.
#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Threads that there are.
    threads: usize,
    /// Threads that sleep and were not called.
    asleep: usize,
    /// Calls that no thread has answered yet, each to one that slept.
    calls: usize,
    /// Threads that are up and have not looked at the queue yet, or look at it without the lock.
    looking: usize,
    /// Threads end when there are no jobs left.
    stopped: bool,
}

/// How a thread is to be brought to the queue, once the lock is released.
enum Bring {
    /// None is needed, or none may be.
    Nobody,
    /// One of those that sleep is to be woken.
    Sleeper,
    /// A new one is to be started.
    New,
}

impl State {
    fn nobody_comes(&self) -> bool {
        self.calls + self.looking == 0
    }

    /// Decides who comes to the jobs, and counts them.
    fn bring(&mut self, max_threads: usize) -> Bring {
        if self.jobs.is_empty() || !self.nobody_comes() {
            Bring::Nobody
        } else if self.asleep > 0 {
            self.asleep -= 1;
            self.calls += 1;
            Bring::Sleeper
        } else if self.threads < max_threads {
            self.threads += 1;
            self.looking += 1;
            Bring::New
        } else {
            Bring::Nobody
        }
    }
}

impl BlockingPool {
    pub(crate) fn new(limits: BlockingLimits, start: StartThread) -> Self {
        Self {
            state: Mutex::default(),
            called: Condvar::new(),
            queued: AtomicUsize::new(0),
            limits,
            start,
            actors: None,
        }
    }

    /// Counts the jobs among the actors.
    pub(super) fn count_in(&mut self, actors: Option<Arc<Actors>>) {
        self.actors = actors;
    }

    /// Queues a job, and has a thread come to it if none does.
    pub(crate) fn push(&self, job: Job) {
        if let Some(actors) = &self.actors {
            actors.begin();
        }
        let mut state = self.state.lock();
        state.jobs.push_back(job);
        self.note_queued(&state);
        self.bring(state, self.limits.max_threads);
    }

    /// Has a thread come to the jobs if there are any and none does: one that sleeps, or else a new one
    /// where there are fewer than `max_threads`.
    fn bring(&self, mut state: MutexGuard<'_, State>, max_threads: usize) {
        let bring = state.bring(max_threads);
        drop(state);
        match bring {
            Bring::Nobody => {}
            Bring::Sleeper => {
                self.called.notify_one();
            }
            Bring::New => {
                if let Err(error) = (self.start)() {
                    self.thread_not_started(&error);
                }
            }
        }
    }

    /// The system refuses another thread: the job waits for one of those that there are. Where
    /// there is none it is run here, since nothing may be lost.
    #[cold]
    fn thread_not_started(&self, error: &io::Error) {
        let mut state = self.state.lock();
        state.threads -= 1;
        state.looking -= 1;
        if state.threads > 0 {
            // While this one was expected, the others may have fallen asleep beside the jobs. No other new
            // one: the system would refuse it.
            return self.bring(state, 0);
        }
        let jobs = std::mem::take(&mut state.jobs);
        self.note_queued(&state);
        drop(state);
        let _ = writeln!(
            io::stderr(),
            "weftline: no thread for blocking jobs, they run where they are spawned: {error}"
        );
        jobs.into_iter().for_each(|job| self.run(job));
    }

    /// What a thread of the pool does.
    pub(crate) fn work(&self) {
        let patience = Patience::of(LOOK);
        let mut state = self.state.lock();
        state.looking -= 1;
        loop {
            while let Some(job) = state.jobs.pop_front() {
                self.note_queued(&state);
                self.bring(state, self.limits.max_threads);
                self.run(job);
                state = self.state.lock();
            }
            if state.stopped {
                break;
            }
            if state.nobody_comes() {
                state = self.look(state, &patience);
            }
            if state.jobs.is_empty() && !state.stopped && !self.sleep(&mut state, &patience) {
                break;
            }
        }
        state.threads -= 1;
    }

    /// Looks for a job for a moment, without the lock.
    fn look<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        patience: &Patience,
    ) -> MutexGuard<'a, State> {
        state.looking += 1;
        drop(state);
        // Relaxed: whoever sees a job looks again under the lock.
        patience.look(|| (self.queued.load(Ordering::Relaxed) > 0).then_some(()));
        let mut state = self.state.lock();
        state.looking -= 1;
        state
    }

    /// Sleeps until the calling thread is called. False: it has slept for long enough.
    fn sleep(&self, state: &mut MutexGuard<'_, State>, patience: &Patience) -> bool {
        let began = Instant::now();
        state.asleep += 1;
        while state.calls == 0 {
            let waited = self.called.wait_for(state, self.limits.keep_alive);
            if waited.timed_out() && state.calls == 0 {
                state.asleep -= 1;
                return false;
            }
        }
        state.calls -= 1;
        patience.note_wait(began.elapsed());
        true
    }

    fn run(&self, job: Job) {
        job.run();
        if let Some(actors) = &self.actors {
            actors.rest();
        }
    }

    /// Tells those who look without the lock how many jobs there are.
    fn note_queued(&self, state: &State) {
        // Relaxed: they look again under the lock.
        self.queued.store(state.jobs.len(), Ordering::Relaxed);
    }

    /// Makes the threads end once the queue is empty.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        state.calls += std::mem::take(&mut state.asleep);
        drop(state);
        self.called.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{model, thread};

    /// A pool of at most so many threads, which a model can start.
    struct Pool {
        pool: Arc<BlockingPool>,
        /// The threads that were started.
        threads: Arc<Mutex<Vec<thread::JoinHandle<()>>>>,
    }

    impl Pool {
        fn new(max_threads: usize) -> Self {
            Self::with_starts(max_threads, max_threads)
        }

        /// The system starts only so many of them.
        fn with_starts(max_threads: usize, most: usize) -> Self {
            let threads = Arc::new(Mutex::new(Vec::new()));
            let started = threads.clone();
            let pool = Arc::new_cyclic(|pool: &std::sync::Weak<BlockingPool>| {
                let pool = pool.clone();
                let start = move || {
                    let pool = pool.upgrade().expect("whoever pushes has it");
                    let mut started = started.lock();
                    if started.len() == most {
                        return Err(io::Error::other("the system has no more"));
                    }
                    started.push(thread::spawn(move || pool.work()));
                    Ok(())
                };
                let limits = BlockingLimits { max_threads, keep_alive: Duration::from_secs(60) };
                BlockingPool::new(limits, Box::new(start))
            });
            Self { pool, threads }
        }

        /// Queues a job that notes that it runs, and one can wait for that.
        fn push(&self, runs: &Arc<Runs>) {
            let runs = runs.clone();
            self.pool.push(Job::of_call(move || runs.note()));
        }

        /// Ends the threads, and gives how many there were.
        fn end(self) -> usize {
            self.pool.stop();
            let threads = std::mem::take(&mut *self.threads.lock());
            let count = threads.len();
            threads.into_iter().for_each(|thread| thread.join().expect("no job panics"));
            count
        }
    }

    /// How many jobs have begun.
    #[derive(Default)]
    struct Runs {
        count: Mutex<usize>,
        changed: Condvar,
    }

    impl Runs {
        fn note(&self) {
            *self.count.lock() += 1;
            self.changed.notify_all();
        }

        /// Blocks until so many jobs have begun.
        fn wait_for(&self, least: usize) {
            let mut count = self.count.lock();
            while *count < least {
                self.changed.wait(&mut count);
            }
        }
    }

    #[test]
    fn a_job_waits_for_no_job_before_it() {
        model(|| {
            let pool = Pool::new(2);
            let runs = Arc::new(Runs::default());
            let blocked = runs.clone();
            pool.pool.push(Job::of_call(move || {
                blocked.note();
                blocked.wait_for(2);
            }));
            pool.push(&runs);
            runs.wait_for(2);
            pool.end();
        });
    }

    #[test]
    fn a_job_that_is_pushed_while_the_only_thread_falls_asleep_is_run() {
        model(|| {
            let pool = Pool::new(1);
            let runs = Arc::new(Runs::default());
            for run in 1..=2 {
                pool.push(&runs);
                runs.wait_for(run);
            }
            assert_eq!(pool.end(), 1);
        });
    }

    #[test]
    fn a_job_that_is_pushed_while_a_thread_cannot_be_started_is_run() {
        model(|| {
            let pool = Pool::with_starts(3, 1);
            let runs = Arc::new(Runs::default());
            pool.push(&runs);
            let (other, second) = (pool.pool.clone(), runs.clone());
            let pusher = thread::spawn(move || other.push(Job::of_call(move || second.note())));
            runs.wait_for(2);
            pool.push(&runs);
            runs.wait_for(3);
            pusher.join().expect("nobody panics");
            assert_eq!(pool.end(), 1);
        });
    }

    #[test]
    fn a_job_that_is_pushed_while_the_pool_stops_is_run() {
        model(|| {
            let pool = Pool::new(1);
            let runs = Arc::new(Runs::default());
            pool.push(&runs);
            let (other, late) = (pool.pool.clone(), runs.clone());
            let pusher = thread::spawn(move || other.push(Job::of_call(move || late.note())));
            pool.pool.stop();
            pusher.join().expect("nobody panics");
            runs.wait_for(2);
            pool.end();
        });
    }
}
