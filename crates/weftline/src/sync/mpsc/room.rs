//! [`Room`]: how many messages may be on their way, as permits: each message holds one from when it is
//! sent until it is received.
//!
//! A permit that nobody holds is in one of three places, so that senders and receiver seldom touch
//! the same word:
//!
//! - the *allowance*, under the lock of the mailbox: whoever sends next takes it from there;
//! - the word `freed`: the receiver puts it there;
//! - the [`Line`], in which senders wait when there was neither.
//!
//! A sender without enough of an allowance takes all that is free as the next one ([`Room::refill`]).
//! One that finds too little takes a place in the line first, and then moves whatever is free to the
//! line (`Mailbox::serve_line`), which calls those who stand there in their order, each when there is
//! as much as it wants. `AWAITED` in the word makes the receiver do so from then on, and keeps
//! everybody else from making an allowance, until nobody waits.

use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::sync::line::Line;
use crossbeam_utils::CachePadded;

/// In the word: somebody waits in the line, to which permits are to be moved.
const AWAITED: usize = 1;
/// In the word: one permit.
const ONE: usize = 1 << 1;

/// The most messages that may be on their way: as many as fit into the word, with room to spare.
pub(super) const MAX_CAPACITY: usize = usize::MAX >> 3;

/// The permits of a channel.
pub(super) struct Room {
    /// How many there are.
    capacity: usize,
    /// Permits that came back, in units of `ONE`; and `AWAITED`.
    freed: CachePadded<AtomicUsize>,
    /// The senders that wait, and the permits that were moved there for them.
    pub(super) line: Line,
}

impl Room {
    pub(super) fn new(capacity: usize) -> Self {
        let freed = CachePadded::new(AtomicUsize::new(capacity * ONE));
        Self { capacity, freed, line: Line::new(0) }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Permits that nobody holds and that are no allowance.
    pub(super) fn free(&self) -> usize {
        // Relaxed: what is read may be over in the next moment.
        self.freed.load(Ordering::Relaxed) / ONE + self.line.free()
    }

    /// Permits come back. True: somebody waits, and the line must be served.
    #[inline]
    #[must_use]
    pub(super) fn give_back(&self, permits: usize) -> bool {
        // Acquire: pairs with the Release in `watch`: who set the mark is in the line. Release: pairs
        // with the Acquire in `take_freed`.
        self.freed.fetch_add(permits * ONE, Ordering::AcqRel) & AWAITED != 0
    }

    /// Takes what is free, unless somebody waits for it: all that was given back, and what is in the
    /// line as well where that is less than `short`.
    pub(super) fn refill(&self, short: usize) -> usize {
        // Relaxed: only what the exchange below compares.
        let mut seen = self.freed.load(Ordering::Relaxed);
        let mut taken = 0;
        while seen >= ONE && seen & AWAITED == 0 {
            // Acquire: pairs with the Release in `give_back`. Relaxed: compared again.
            match self.freed.compare_exchange_weak(seen, 0, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    taken = seen / ONE;
                    break;
                }
                Err(now) => seen = now,
            }
        }
        if taken < short {
            // What was moved there, and those for whom it was have left, or have taken enough. The
            // mark may be there still, of one who wanted more than there was.
            taken += self.line.take_all();
        }
        taken
    }

    /// Takes what has come back, and forgets that somebody waits.
    pub(super) fn take_freed(&self) -> usize {
        // Acquire: pairs with the Release in `give_back`. Release: pairs with the Acquire there; the
        // next one who sets the mark has seen what this one did.
        self.freed.swap(0, Ordering::AcqRel) / ONE
    }

    /// From now on whoever gives something back is told that somebody waits. Says what has come back
    /// before.
    pub(super) fn watch(&self) -> usize {
        // Release: pairs with the Acquire in `give_back`. Acquire: pairs with the Release there.
        self.freed.fetch_or(AWAITED, Ordering::AcqRel) / ONE
    }
}
