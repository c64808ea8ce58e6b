//! What waits in a pool, and who is told that something does.
//!
//! A job waits in the *lane* of the thread that pushed it, or among the injected ones. Two are told:
//! whoever takes the *ticket*, of which one is on its way while there is something to find; and
//! *watchers*, who wait for something else and look here meanwhile. A ticket too many is a look, and so
//! is a wake-up.
//!
//! No thread and no runtime here: who carries tickets and how a watcher is woken is up to the caller
//! (`pool.rs`). The models are in `tests.rs`.

#[cfg(test)]
mod tests;

use crate::platform::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::platform::{Mutex, lock};
use std::collections::VecDeque;
use std::sync::Arc;

/// Jobs and forks that wait, for threads that have an index each, and who is told of them.
pub(crate) struct Lanes<Job, Fork, Watcher> {
    /// What waits, for each thread.
    lanes: Box<[Lane<Job, Fork>]>,
    /// Jobs from other threads, the oldest first.
    injected: Mutex<VecDeque<Job>>,
    /// How many jobs and forks wait, or are about to.
    waiting: AtomicUsize,
    /// How many forks are put up; some may be done.
    offered: AtomicUsize,
    /// Whether a ticket is on its way.
    invited: AtomicBool,
    /// Who waits for something else, and is woken when there is a job.
    watchers: Mutex<Vec<Arc<Watcher>>>,
}

/// What waits for one thread.
struct Lane<Job, Fork> {
    /// What it has pushed, the oldest first.
    jobs: Mutex<VecDeque<Job>>,
    /// What it alone may call, the oldest first.
    broadcasts: Mutex<VecDeque<Job>>,
    /// The forks that it has put up, the oldest first; some may be done.
    forks: Mutex<VecDeque<Fork>>,
}

/// What is found.
pub(crate) enum Work<Job, Fork> {
    /// A closure.
    Job(Job),
    /// A fork that was put up.
    Fork(Fork),
}

/// Which of a thread's own jobs it takes first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    /// The newest.
    NewestFirst,
    /// The oldest.
    OldestFirst,
}

impl<Job, Fork> Lane<Job, Fork> {
    fn new() -> Self {
        Self {
            jobs: Mutex::new(VecDeque::new()),
            broadcasts: Mutex::new(VecDeque::new()),
            forks: Mutex::new(VecDeque::new()),
        }
    }
}

impl<Job, Fork, Watcher> Lanes<Job, Fork, Watcher> {
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            lanes: (0..threads).map(|_| Lane::new()).collect(),
            injected: Mutex::new(VecDeque::new()),
            waiting: AtomicUsize::new(0),
            offered: AtomicUsize::new(0),
            invited: AtomicBool::new(false),
            watchers: Mutex::new(Vec::new()),
        }
    }

    /// How many threads there are.
    pub(crate) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Adds a job of the thread with that index, or of one without, and wakes the watchers. A ticket is
    /// due then ([`Lanes::invite`]).
    pub(crate) fn push(&self, index: Option<usize>, job: Job, wake: impl Fn(&Watcher)) {
        // Relaxed: the lock of the watchers, and the exchange in `invite`, order it.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let jobs = index.map_or(&self.injected, |index| &self.lanes[index].jobs);
        lock(jobs).push_back(job);
        self.wake_watchers(wake);
    }

    /// Adds what only the thread with that index may call.
    pub(crate) fn push_broadcast(&self, index: usize, job: Job) {
        lock(&self.lanes[index].broadcasts).push_back(job);
    }

    /// Adds a fork of the thread with that index. A ticket is due then.
    pub(crate) fn put_up(&self, index: usize, fork: Fork) {
        // Relaxed: as in `push`; the other count is a hint.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.offered.fetch_add(1, Ordering::Relaxed);
        lock(&self.lanes[index].forks).push_back(fork);
    }

    /// Whether fewer forks are put up than there are threads that might come for one.
    #[inline]
    pub(crate) fn has_room_for_forks(&self) -> bool {
        // Relaxed: a hint.
        self.offered.load(Ordering::Relaxed) + 1 < self.lanes.len()
    }

    /// A fork of the thread with that index which is done, if it is the newest there: of those that a
    /// thread has put up the newest end first. To be dropped without the lock.
    pub(crate) fn take_done(&self, index: usize, is_open: impl Fn(&Fork) -> bool) -> Option<Fork> {
        let mut forks = lock(&self.lanes[index].forks);
        if is_open(forks.back()?) {
            return None;
        }
        // Relaxed: what is taken is counted no more.
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.offered.fetch_sub(1, Ordering::Relaxed);
        forks.pop_back()
    }

    /// Something to do for the thread with that index: its own, what it alone may do, others' oldest,
    /// and what came from outside. `with_forks`: also a fork.
    pub(crate) fn find(
        &self,
        index: Option<usize>,
        own: Own,
        with_forks: bool,
    ) -> Option<Work<Job, Fork>> {
        index.and_then(|index| self.find_local(index, own)).map(Work::Job).or_else(|| {
            if !self.has_some() {
                return None;
            }
            let job = self.others(index).find_map(|lane| lock(&lane.jobs).pop_front());
            let job = job.or_else(|| lock(&self.injected).pop_front());
            let work = job.map(Work::Job);
            let work = work.or_else(|| if with_forks { self.find_fork(index) } else { None })?;
            // Relaxed: as in `take_done`.
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            Some(work)
        })
    }

    /// Something that the thread with that index has pushed itself, or that it alone may do.
    pub(crate) fn find_local(&self, index: usize, own: Own) -> Option<Job> {
        let lane = &self.lanes[index];
        let mut jobs = lock(&lane.jobs);
        let job = if own == Own::OldestFirst { jobs.pop_front() } else { jobs.pop_back() };
        drop(jobs);
        if job.is_some() {
            // Relaxed: as in `take_done`.
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        job.or_else(|| lock(&lane.broadcasts).pop_front())
    }

    fn find_fork(&self, index: Option<usize>) -> Option<Work<Job, Fork>> {
        let fork = self.others(index).find_map(|lane| lock(&lane.forks).pop_front())?;
        // Relaxed: a hint.
        self.offered.fetch_sub(1, Ordering::Relaxed);
        Some(Work::Fork(fork))
    }

    /// The lanes of all other threads, beginning after that one.
    fn others(&self, index: Option<usize>) -> impl Iterator<Item = &Lane<Job, Fork>> {
        let first = index.map_or(0, |index| index + 1);
        let (before, after) = self.lanes.split_at(first);
        after.iter().chain(&before[..index.unwrap_or(0)])
    }

    /// Whether a job or a fork waits.
    pub(crate) fn has_some(&self) -> bool {
        // Relaxed: whoever has taken a ticket, or become a watcher, sees what was pushed before.
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Whether the thread with that index has pushed something that nobody has taken.
    pub(crate) fn has_jobs_of(&self, index: usize) -> bool {
        !lock(&self.lanes[index].jobs).is_empty()
    }

    /// Whether the caller is to send a ticket out: none is on its way.
    pub(crate) fn invite(&self) -> bool {
        // Release: pairs with the Acquire in `accept`: who takes the ticket sees what was pushed.
        !self.invited.swap(true, Ordering::AcqRel)
    }

    /// The ticket was taken, before the look for what it tells of.
    pub(crate) fn accept(&self) {
        // Acquire: pairs with the Release in `invite`, also in those that found one on its way.
        self.invited.swap(false, Ordering::AcqRel);
    }

    /// From now on `watcher` is woken, once, when there is something. False: that is so already.
    pub(crate) fn watch(&self, watcher: &Arc<Watcher>) -> bool {
        let mut watchers = lock(&self.watchers);
        let newly = !watchers.iter().any(|other| Arc::ptr_eq(other, watcher));
        if newly {
            watchers.push(watcher.clone());
        }
        newly
    }

    pub(crate) fn unwatch(&self, watcher: &Arc<Watcher>) {
        lock(&self.watchers).retain(|other| !Arc::ptr_eq(other, watcher));
    }

    /// There is something new.
    pub(crate) fn wake_watchers(&self, wake: impl Fn(&Watcher)) {
        let watchers = std::mem::take(&mut *lock(&self.watchers));
        watchers.iter().for_each(|watcher| wake(watcher));
    }
}
