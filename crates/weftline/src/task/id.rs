//! What tells one task from every other in the process.

use crate::platform::global::{AtomicU64, Ordering};
use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;

/// The identity of a task: unique in the process, for ever.
///
/// Ids are not consecutive: threads take them in blocks.
///
/// # Examples
///
/// ```
/// weftline::run(async {
///     let a = weftline::spawn(async {});
///     let b = weftline::spawn(async {});
///     assert_ne!(a.task().id(), b.task().id());
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(NonZeroU64);

/// How many ids a thread takes at a time, so that spawning threads do not meet at one counter.
const BLOCK: u64 = 1024;

thread_local! {
    /// The next id of this thread, and the end of its block.
    static RANGE: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

impl Id {
    pub(crate) fn next() -> Self {
        static NEXT_BLOCK: AtomicU64 = AtomicU64::new(1);
        RANGE.with(|range| {
            let (mut next, mut end) = range.get();
            if next == end {
                // Relaxed: uniqueness is all that is asked of the counter.
                next = NEXT_BLOCK.fetch_add(BLOCK, Ordering::Relaxed);
                end = next + BLOCK;
            }
            range.set((next + 1, end));
            Self(NonZeroU64::new(next).expect("the counter starts at one"))
        })
    }

    /// The id as a number, for logs and metrics.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
