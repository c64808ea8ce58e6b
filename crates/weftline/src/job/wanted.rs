//! Whether anybody would run a fork that is latent so far: the word that each `join` looks at.
//!
//! It is a hint and no protocol rests on it: a wish that nobody has any more costs a look, a wish
//! that is overlooked is repeated. So it may be static, which lets `join` reach it without asking
//! for how long it is there.

use crate::platform::global::{AtomicU64, AtomicUsize, Ordering};
use crossbeam_utils::CachePadded;

/// How many different words there are. Runtimes beyond that number share them.
const WORDS: usize = 64;
/// The mask of the idle.
const IDLE: u64 = u32::MAX as u64;
/// One who waits.
const WAITING: u64 = 1 << 32;

/// How many would run a fork.
///
/// ```text
///  63 ............................ 32 | 31 ............................ 0
///  waiting for forks that were taken   | idle workers
/// ```
#[derive(Debug)]
pub(crate) struct Wanted(AtomicU64);

/// Where there is no runtime, nobody wants anything.
pub(crate) static BY_NOBODY: Wanted = Wanted::new();

impl Wanted {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The word for a new runtime.
    pub(crate) fn assign() -> &'static Self {
        static ALL: [CachePadded<Wanted>; WORDS] =
            [const { CachePadded::new(Wanted::new()) }; WORDS];
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // Relaxed: any spread will do.
        &ALL[NEXT.fetch_add(1, Ordering::Relaxed) % WORDS]
    }

    /// Whether anybody does.
    #[inline]
    pub(crate) fn by_anybody(&self) -> bool {
        // Relaxed: a hint.
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Whether an idle worker asks.
    pub(crate) fn by_idle(&self) -> bool {
        // Relaxed: a hint.
        self.0.load(Ordering::Relaxed) & IDLE != 0
    }

    /// Whether somebody waits.
    pub(crate) fn by_waiting(&self) -> bool {
        // Relaxed: a hint.
        self.0.load(Ordering::Relaxed) >= WAITING
    }

    /// `idle` workers would.
    pub(crate) fn ask(&self, idle: usize) {
        self.change_idle(|asked| (asked < idle as u64).then_some(idle as u64));
    }

    /// One fork is about to be given, to one of `idle` workers. False: none of them has asked.
    pub(crate) fn answer(&self, idle: usize) -> bool {
        let mut answered = false;
        self.change_idle(|asked| {
            answered = idle > 0 && asked > 0;
            (asked > 0).then(|| asked.min(idle as u64).saturating_sub(1))
        });
        answered
    }

    fn change_idle(&self, mut change: impl FnMut(u64) -> Option<u64>) {
        // Relaxed: a hint.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            Some(word & !IDLE | change(word & IDLE)?)
        });
    }

    /// One more waits.
    pub(crate) fn begin_wait(&self) {
        self.change_waiting(|word| word.fetch_add(WAITING, Ordering::Relaxed)); // Relaxed: a hint.
    }

    /// One of those that waited does so no more, or was answered.
    pub(crate) fn end_wait(&self) {
        self.change_waiting(|word| word.fetch_sub(WAITING, Ordering::Relaxed)); // Relaxed: a hint.
    }

    /// Outside of a runtime whoever waits is not counted: nobody there could do anything about it.
    fn change_waiting(&self, change: impl FnOnce(&AtomicU64) -> u64) {
        if !std::ptr::eq(self, &BY_NOBODY) {
            change(&self.0);
        }
    }
}
