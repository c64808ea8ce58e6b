//! Who keeps virtual time from passing.
//!
//! An *actor* is whatever may still change something without time passing: a worker, a job for
//! threads that may block, the thread inside of `block_on`. It is at work or at rest, and what
//! wakes it counts it as at work again *before* it is awake. So when all actors rest, nothing is
//! on its way from one to another, and time may pass. `docs/time.md` has the whole rule.

use crate::driver::Driver;
use crate::platform::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// One actor at work.
const AT_WORK: u64 = 1;
/// The mask of how many are at work.
const ALL_AT_WORK: u64 = u32::MAX as u64;
/// One more actor that has begun to work. Overflows without harm.
const BEGUN: u64 = 1 << 32;

/// The actors of one runtime, counted.
///
/// ```text
///  63 ................ 32 | 31 ................. 0
///  how often one has begun | how many are at work
/// ```
pub(super) struct Actors {
    /// The two numbers.
    word: AtomicU64,
    /// Whoever waits in it sees whether time may pass.
    driver: Arc<Driver>,
}

/// The evidence that all rested at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest(u64);

impl Actors {
    /// `at_work` actors that are at work.
    pub(super) fn new(at_work: usize, driver: Arc<Driver>) -> Self {
        Self { word: AtomicU64::new(at_work as u64), driver }
    }

    /// One more is at work. To be called by an actor that is at work itself, for the one it wakes;
    /// by others only for what comes from outside.
    pub(super) fn begin(&self) {
        // Relaxed: what the woken one is to see comes with what wakes it.
        self.word.fetch_add(BEGUN + AT_WORK, Ordering::Relaxed);
    }

    /// One rests; the last to do so sends whoever waits in the driver to let time pass.
    pub(super) fn rest(&self) {
        if self.rest_silently() {
            self.driver.notify();
        }
    }

    /// One rests. True: now all do.
    #[must_use = "somebody must see whether time may pass now"]
    pub(super) fn rest_silently(&self) -> bool {
        // Release: pairs with the Acquire in `all_rest`. Acquire: so that the last one passes on
        // what all others did.
        let before = self.word.fetch_sub(AT_WORK, Ordering::AcqRel);
        before & ALL_AT_WORK == AT_WORK
    }

    /// Whether all rest: then the caller sees all that they did.
    pub(super) fn all_rest(&self) -> Option<Rest> {
        // Acquire: pairs with the Release in `rest`.
        let word = self.word.load(Ordering::Acquire);
        (word & ALL_AT_WORK == 0).then_some(Rest(word))
    }

    /// The caller begins to work, if nobody has since all rested.
    pub(super) fn begin_first(&self, since: Rest) -> bool {
        let begun = since.0.wrapping_add(BEGUN + AT_WORK);
        // Acquire: as in `all_rest`. Relaxed where it fails: nothing is done then.
        let exchanged =
            self.word.compare_exchange(since.0, begun, Ordering::Acquire, Ordering::Relaxed);
        exchanged.is_ok()
    }
}
