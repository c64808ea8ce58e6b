//! The queues that every worker can reach: the injector for what comes from outside, and each
//! worker's own, seen from outside.

use crate::job::{Job, JobHeader};
use crate::platform::Mutex;
use crate::platform::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};
use crate::platform::deque::{Injector, Steal, Stealer, Worker};
use crossbeam_utils::CachePadded;
use std::collections::VecDeque;
use std::task::Waker;

/// The most shards an injector has: as many as a mask has bits.
const MAX_SHARDS: usize = 64;

/// Jobs from threads that are no workers, in shards so that many such threads do not meet.
pub(crate) struct ShardedInjector {
    /// The queues. Their number is a power of two.
    shards: Box<[CachePadded<Injector<Job>>]>,
    /// A bit for each shard that may hold something. Set by whoever pushes; cleared by whoever
    /// finds the shard empty, who then looks again.
    nonempty: CachePadded<AtomicU64>,
}

impl ShardedInjector {
    pub(crate) fn new(workers: usize) -> Self {
        let shards = workers.next_power_of_two().min(MAX_SHARDS);
        Self {
            shards: (0..shards).map(|_| CachePadded::new(Injector::new())).collect(),
            nonempty: CachePadded::new(AtomicU64::new(0)),
        }
    }

    /// Adds a job. `near` chooses the shard; equal numbers choose equal ones.
    pub(crate) fn push(&self, near: usize, job: Job) {
        let shard = near & (self.shards.len() - 1);
        self.shards[shard].push(job);
        // SeqCst: pairs with the fence in `clear`: either the bit is seen cleared here, or the
        // job is seen there.
        fence(Ordering::SeqCst);
        let bit = 1 << shard;
        // Relaxed: ordered by the fence; the exchange is spared where the bit is set.
        if self.nonempty.load(Ordering::Relaxed) & bit == 0 {
            self.nonempty.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Whether a job may be waiting. Ordered by a fence of the caller's where it matters.
    #[inline]
    pub(crate) fn may_hold_jobs(&self) -> bool {
        // Acquire: pairs with the Release in `clear`: whoever sees a bit cleared also sees where
        // the jobs went.
        self.nonempty.load(Ordering::Acquire) != 0
    }

    /// Takes a job, and some more into `into`, beginning at the shard chosen by `near`.
    pub(crate) fn take(&self, near: usize, into: &Worker<Job>) -> Option<Taken> {
        // Relaxed: a bit that is missed here is seen by the look before the worker sleeps.
        let mut waiting = self.nonempty.load(Ordering::Relaxed);
        let count = self.shards.len();
        for offset in 0..count {
            if waiting == 0 {
                return None;
            }
            let shard = (near + offset) & (count - 1);
            if waiting & (1 << shard) == 0 {
                continue;
            }
            waiting &= !(1 << shard);
            if let Some(taken) = self.take_from(shard, into) {
                return Some(taken);
            }
        }
        None
    }

    fn take_from(&self, shard: usize, into: &Worker<Job>) -> Option<Taken> {
        let injector = &self.shards[shard];
        let mut announce = false;
        loop {
            match injector.steal_batch_and_pop(into) {
                Steal::Success(job) => {
                    if injector.is_empty() {
                        // The bit of an empty shard would call others in vain.
                        announce |= !self.clear(shard);
                    }
                    return Some(Taken { job, announce });
                }
                Steal::Retry => {}
                Steal::Empty if self.clear(shard) => return None,
                Steal::Empty => announce = true,
            }
        }
    }

    /// Clears the bit of a shard that was found empty. False: it is not empty any more.
    fn clear(&self, shard: usize) -> bool {
        let bit = 1 << shard;
        // Release: pairs with the Acquire in `may_hold_jobs`.
        self.nonempty.fetch_and(!bit, Ordering::Release);
        // SeqCst: pairs with the fence in `push`.
        fence(Ordering::SeqCst);
        if self.shards[shard].is_empty() {
            return true;
        }
        // Relaxed: it is this thread that acts on the bit next.
        self.nonempty.fetch_or(bit, Ordering::Relaxed);
        false
    }
}

/// What was taken from a [`ShardedInjector`].
pub(crate) struct Taken {
    pub(crate) job: Job,
    /// The shard's bit was cleared for a moment although the shard was not empty: somebody may have
    /// fallen asleep at that sight, and is to be told again.
    pub(crate) announce: bool,
}

/// A place for one job: the one that was woken last, which its waker most likely waits for.
///
/// Its worker takes it before anything else. Others may take it only once it has aged there; see
/// `SlotWatch` in `steal.rs`.
pub(crate) struct Slot(AtomicPtr<JobHeader>);

impl Slot {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// Puts a job in, and gives back the one that was there. Only the slot's own worker does.
    #[inline]
    pub(crate) fn put(&self, job: Job) -> Option<Job> {
        if self.is_empty() {
            // It stays so, since nobody else fills it: no exchange is needed. Release: pairs with the
            // Acquire in `exchange`.
            self.0.store(job.into_raw(), Ordering::Release);
            return None;
        }
        self.exchange(job.into_raw())
    }

    /// Takes the job.
    #[inline]
    pub(crate) fn take(&self) -> Option<Job> {
        if self.is_empty() {
            return None;
        }
        self.exchange(std::ptr::null_mut())
    }

    /// Whether there is no job.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: a hint.
        self.0.load(Ordering::Relaxed).is_null()
    }

    #[inline]
    fn exchange(&self, next: *mut JobHeader) -> Option<Job> {
        // Release: who takes the job sees it as it was put in. Acquire: pairs with that.
        let before = self.0.swap(next, Ordering::AcqRel);
        // SAFETY: only `put` stores, what `into_raw` gave; the swap takes it out once.
        unsafe { Job::from_raw(before) }
    }
}

/// What is for one worker alone, from any thread: jobs, which it runs when it is free, and calls, which it
/// makes also while it waits inside of a job.
pub(crate) struct Inbox {
    /// What there is; `None` once the worker has ended.
    state: Mutex<Option<Received>>,
    /// Whether there is anything; written under the lock.
    nonempty: AtomicBool,
}

/// What has come, and was not taken.
#[derive(Default)]
struct Received {
    /// What the worker runs when it is free, the oldest first.
    jobs: VecDeque<Job>,
    /// What it also runs while it waits, the oldest first.
    calls: VecDeque<Job>,
    /// Wakes the worker where it waits inside of a job.
    waiter: Option<Waker>,
}

impl Received {
    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.calls.is_empty()
    }
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(Some(Received::default())), nonempty: AtomicBool::new(false) }
    }

    /// Adds a job; gives it back if the worker has ended.
    pub(crate) fn push(&self, job: Job) -> Option<Job> {
        let mut state = self.state.lock();
        let Some(received) = &mut *state else { return Some(job) };
        received.jobs.push_back(job);
        // Relaxed: the worker is woken through its parker, which orders it.
        self.nonempty.store(true, Ordering::Relaxed);
        None
    }

    /// Adds a call, and wakes the worker if it waits inside of a job; gives the call back if the worker
    /// has ended.
    pub(crate) fn push_call(&self, call: Job) -> Option<Job> {
        let mut state = self.state.lock();
        let Some(received) = &mut *state else { return Some(call) };
        received.calls.push_back(call);
        // Relaxed: as in `push`.
        self.nonempty.store(true, Ordering::Relaxed);
        let waiter = received.waiter.take();
        drop(state);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        None
    }

    /// The worker ends: hands out what is left, and takes no more.
    pub(crate) fn close(&self) -> VecDeque<Job> {
        let mut left = self.state.lock().take().unwrap_or_default();
        left.jobs.append(&mut left.calls);
        left.jobs
    }

    /// Moves all jobs into `into`, and gives out a call, if there `may_call` be one. Other calls stay: what
    /// is moved is out of reach where the worker waits inside of a job.
    pub(crate) fn drain(&self, into: &mut VecDeque<Job>, may_call: bool) -> Option<Job> {
        if self.is_empty() {
            return None;
        }
        let mut state = self.state.lock();
        let received = state.as_mut()?;
        into.append(&mut received.jobs);
        let call = if may_call { received.calls.pop_front() } else { None };
        // Relaxed: under the lock.
        self.nonempty.store(!received.is_empty(), Ordering::Relaxed);
        call
    }

    /// Gives out a call. `None`: there is none, and `waiter` is woken when there is, once.
    pub(crate) fn take_call(&self, waiter: impl FnOnce() -> Waker) -> Option<Job> {
        let mut state = self.state.lock();
        let received = state.as_mut()?;
        let call = received.calls.pop_front();
        let before = if call.is_none() { received.waiter.replace(waiter()) } else { None };
        // Relaxed: under the lock.
        self.nonempty.store(!received.is_empty(), Ordering::Relaxed);
        drop(state);
        drop(before);
        call
    }

    /// Nobody is woken for a call any more.
    pub(crate) fn forget_waiter(&self) {
        let waiter = self.state.lock().as_mut().and_then(|received| received.waiter.take());
        drop(waiter);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: see `push`.
        !self.nonempty.load(Ordering::Relaxed)
    }
}

/// Takes half of another worker's queue.
pub(crate) fn steal_from(victim: &Stealer<Job>, into: &Worker<Job>) -> Option<Job> {
    // The look spares the deque's own entry, which pins an epoch even where there is nothing.
    while !victim.is_empty() {
        match victim.steal_batch_and_pop(into) {
            Steal::Success(job) => return Some(job),
            Steal::Empty => return None,
            Steal::Retry => std::hint::spin_loop(),
        }
    }
    None
}
