//! [`Crowd`]: what a line has once somebody has waited in it, behind one counted reference, so that
//! a timer can look after it.
//!
//! Who was called needs no lock to take what it was promised: one of the called ones at a time has an
//! *offer*, which it takes by an exchange. The queue learns of it when it is next used, and takes back
//! an offer before it breaks the promise behind it.

use super::calls::Calls;
use super::keeper;
use super::queue::Queue;
use super::timing;
use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::platform::{Mutex, MutexGuard};
use std::sync::Arc;

/// No offer.
const NONE: usize = 0;

/// The queue, and the way to it for whoever keeps its time.
#[derive(Debug)]
pub(super) struct Crowd {
    /// Who waits.
    queue: Mutex<Queue>,
    /// The number of the called one that may take without the lock, and one more; or [`NONE`]. Set
    /// under the lock, unset by that one or under the lock.
    offer: AtomicUsize,
}

impl Crowd {
    pub(super) fn new() -> Self {
        Self { queue: Mutex::new(Queue::new()), offer: AtomicUsize::new(NONE) }
    }

    /// The waiter with this number takes what it was promised, if that is on offer.
    #[inline]
    pub(super) fn take_offer(&self, key: usize) -> bool {
        // Relaxed: only a hint to spare the exchange.
        self.offer.load(Ordering::Relaxed) == key + 1
            // Acquire: pairs with the Release in `make_offer`: who has the permits sees what was
            // done with them before.
            && self
                .offer
                .compare_exchange(key + 1, NONE, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// The queue, for what breaks no promise.
    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        let mut queue = self.queue.lock();
        // Relaxed: whoever has taken the offer was the only one who could, and nothing is read but
        // that it did.
        if queue.is_offering() && self.offer.load(Ordering::Relaxed) == NONE {
            queue.settle();
        }
        queue
    }

    /// The queue, for what may break a promise: there is no offer any more.
    pub(super) fn lock_alone(&self) -> MutexGuard<'_, Queue> {
        let mut queue = self.lock();
        if queue.is_offering() {
            // Relaxed: as in `lock`.
            match self.offer.swap(NONE, Ordering::Relaxed) {
                NONE => queue.settle(),
                _ => queue.withdraw(),
            }
        }
        queue
    }

    /// Before the lock is released: one of the called ones gets an offer.
    #[inline]
    pub(super) fn make_offer(&self, queue: &mut Queue) {
        if let Some(key) = queue.offer() {
            // Release: pairs with the Acquire in `take_offer`.
            self.offer.store(key + 1, Ordering::Release);
        }
    }

    /// The time of those that were called before the last look is over.
    pub(super) fn look(self: &Arc<Self>) {
        let mut calls = Calls::default();
        let mut queue = self.lock_alone();
        queue.look(&mut calls);
        let again = queue.must_be_timed();
        self.make_offer(&mut queue);
        drop(queue); // wakers are foreign code, and the timers may call this
        if again {
            timing::begin(self);
        }
        drop(calls);
    }

    /// Nobody looks after the called ones after all.
    pub(super) fn forget_timing(&self) {
        self.lock().forget_timing();
    }

    /// Whoever was going to look does not, too early to miss a call: if it is still needed, somebody
    /// else does.
    pub(super) fn look_elsewhere(self: &Arc<Self>) {
        let mut queue = self.lock();
        queue.forget_timing();
        let again = queue.must_be_timed();
        drop(queue);
        if again {
            keeper::add(self);
        }
    }
}
