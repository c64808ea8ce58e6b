//! Timers: deadlines, and the wakers to call when they have passed.
//!
//! Each worker has one [`Timers`], and one more serves the threads that are no workers. The lock
//! is in practice its owner's alone: others come only to take out or to rearm what moved to
//! them, or to expire for an owner that is stuck. The earliest deadline is published in one
//! atomic, so looking whether something is due takes no lock. No foreign code (a waker's clone,
//! drop or wake) runs under the lock. The order is kept by the [`wheel`].

use crate::driver::clock::NEVER_NS;
use crate::platform::Mutex;
use crate::platform::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

#[cfg(test)]
mod tests;
mod wheel;
#[cfg(test)]
mod wheel_tests;

pub(crate) use wheel::TimerKey;
use wheel::Wheel;

/// Deadlines and wakers. All times are nanoseconds since the runtime's clock began.
#[derive(Debug)]
pub(crate) struct Timers {
    /// The entries.
    wheel: Mutex<Wheel>,
    /// What the wheel said last about when to expire; written only under the lock.
    next_ns: AtomicU64,
    /// The runtime has ended; read and written only under the lock.
    closed: AtomicBool,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self {
            wheel: Mutex::new(Wheel::new()),
            next_ns: AtomicU64::new(NEVER_NS),
            closed: AtomicBool::new(false),
        }
    }

    /// Adds an entry that wakes `waker` once when `deadline_ns` has passed; [`NEVER_NS`]: never.
    /// Also says whether whoever waits for [`Self::next_deadline_ns`] now waits too long. Once the
    /// timers are closed the waker is called at once.
    pub(crate) fn insert(&self, deadline_ns: u64, waker: Waker) -> (TimerKey, bool) {
        let mut wheel = self.wheel.lock();
        // Relaxed: under the lock.
        if self.closed.load(Ordering::Relaxed) {
            drop(wheel);
            waker.wake();
            return (TimerKey::GONE, false);
        }
        let key = wheel.insert(deadline_ns, waker);
        (key, self.publish(&wheel))
    }

    /// Makes an entry wake `waker` instead. Returns false if it is not there any more: it has
    /// expired, was removed, or the timers were closed.
    pub(crate) fn update(&self, key: TimerKey, waker: &Waker) -> bool {
        match self.wheel.lock().waker(key) {
            None => return false,
            Some(kept) if kept.will_wake(waker) => return true,
            Some(_) => {}
        }
        // Cloning may run foreign code: not under the lock, so look again afterwards.
        let mut waker = waker.clone();
        let mut wheel = self.wheel.lock();
        let found = wheel.waker(key).map(|kept| std::mem::swap(kept, &mut waker)).is_some();
        drop(wheel);
        found
    }

    /// Moves an entry's deadline back by `by_ns`. Returns false if it is not there any more. An
    /// earlier deadline must be inserted where somebody will notice: see [`Self::take`].
    pub(crate) fn postpone(&self, key: TimerKey, by_ns: u64) -> bool {
        let mut wheel = self.wheel.lock();
        let found = wheel.postpone(key, by_ns);
        self.publish(&wheel);
        found
    }

    /// Takes an entry out. Returns false if it is not there any more.
    pub(crate) fn remove(&self, key: TimerKey) -> bool {
        self.take(key).is_some()
    }

    /// Takes an entry out and hands back its waker.
    pub(crate) fn take(&self, key: TimerKey) -> Option<Waker> {
        let mut wheel = self.wheel.lock();
        let waker = wheel.remove(key);
        self.publish(&wheel);
        waker
    }

    /// Takes out what is due at `now_ns` and appends its wakers, at most `limit`. Never early;
    /// at most a tick (33 µs) late. What `limit` held back stays due, and
    /// [`Self::next_deadline_ns`] says so.
    pub(crate) fn expire(&self, now_ns: u64, limit: usize, wakers: &mut Vec<Waker>) {
        if now_ns < self.next_deadline_ns() {
            return;
        }
        let mut wheel = self.wheel.lock();
        wheel.expire(now_ns, limit, wakers);
        self.publish(&wheel);
    }

    /// The earliest deadline to the nanosecond, for a time that jumps, where it is not later than
    /// `bound_ns` or within the same tick; `None`: ask again with another bound.
    pub(crate) fn earliest_ns(&self, bound_ns: u64) -> Option<u64> {
        let mut wheel = self.wheel.lock();
        let earliest_ns = wheel.earliest_ns(bound_ns);
        self.publish(&wheel);
        earliest_ns
    }

    /// As [`Self::expire`], but to the nanosecond, after [`Self::earliest_ns`].
    pub(crate) fn expire_exactly(&self, now_ns: u64, wakers: &mut Vec<Waker>) {
        let mut wheel = self.wheel.lock();
        wheel.expire_exactly(now_ns, wakers);
        self.publish(&wheel);
    }

    /// Takes everything out and appends its wakers, for a runtime that ends: a sleep that lives
    /// on elsewhere finds its entry gone and registers there.
    pub(crate) fn close(&self, wakers: &mut Vec<Waker>) {
        let mut wheel = self.wheel.lock();
        // Relaxed: under the lock.
        self.closed.store(true, Ordering::Relaxed);
        wheel.clear(wakers);
        self.publish(&wheel);
    }

    /// When to call [`Self::expire`]; [`NEVER_NS`]: nothing to wait for. At most a tick later
    /// than the earliest deadline; it may be earlier, and then `expire` moves it on.
    #[inline]
    pub(crate) fn next_deadline_ns(&self) -> u64 {
        // Acquire: pairs with the Release in `publish`.
        self.next_ns.load(Ordering::Acquire)
    }

    /// Publishes when to expire next; says whether that has become earlier.
    #[inline]
    fn publish(&self, wheel: &Wheel) -> bool {
        let next_ns = wheel.next_ns();
        // Relaxed: written only under the lock, which the caller holds.
        let old_ns = self.next_ns.load(Ordering::Relaxed);
        if next_ns != old_ns {
            // Release: pairs with the Acquire in `next_deadline_ns`; who sees the deadline also
            // sees what its owner did before.
            self.next_ns.store(next_ns, Ordering::Release);
        }
        next_ns < old_ns
    }
}
