//! Whether to look for something for a moment before going to sleep for it.
//!
//! Sleeping and being woken costs each side a system call and a switch; looking costs CPU time. A
//! thread whose last waits were short looks first, so that request and reply between two threads
//! need no system call; one whose waits are long goes straight to sleep and burns nothing. Each
//! look in vain doubles the number of waits that pass before the next one.

use super::TIME_PASSES;
use super::global::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A wait shorter than this may have been little more than the switches between threads, so that
/// looking might have caught its end.
const SHORT_WAIT: Duration = Duration::from_micros(150);
/// How long to look where waits are short: about what the switches cost.
const LOOK: Duration = Duration::from_micros(20);
/// Looks between two readings of the clock.
const LOOKS_PER_CLOCK: u32 = 32;
/// The most short waits that pass without a look.
const MAX_PENALTY: u32 = 255;
/// In [`Patience::until_look`]: the last wait was long.
const NOT_SHORT: u32 = u32::MAX;

/// One thread's guess about its next wait. Others have no use for it; it is atomic because it
/// stands among what they see. No protocol rests on it, and it hangs on the clock: models do not
/// look at it.
#[derive(Debug)]
pub(crate) struct Patience {
    /// How long to look. Models do not.
    look: Duration,
    /// How many short waits must pass until the thread looks again.
    until_look: AtomicU32,
    /// What `until_look` was set to last.
    penalty: AtomicU32,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self::of(LOOK)
    }

    /// For one who is worth `look` where waits are short.
    pub(crate) fn of(look: Duration) -> Self {
        let look = if TIME_PASSES { look } else { Duration::ZERO };
        Self { look, until_look: AtomicU32::new(NOT_SHORT), penalty: AtomicU32::new(0) }
    }

    /// Looks for a moment, if that is worth it.
    pub(crate) fn look<T>(&self, mut find: impl FnMut() -> Option<T>) -> Option<T> {
        // Relaxed: the thread's own note.
        if self.until_look.load(Ordering::Relaxed) != 0 {
            return None;
        }
        let began = Instant::now();
        let mut found = None;
        while found.is_none() && began.elapsed() < self.look {
            found = (0..LOOKS_PER_CLOCK).find_map(|_| {
                std::hint::spin_loop();
                find()
            });
        }
        self.note_look(found.is_some());
        found
    }

    fn note_look(&self, lucky: bool) {
        // Relaxed: the thread's own notes.
        let penalty = match self.penalty.load(Ordering::Relaxed) {
            _ if lucky => 0,
            before => (before * 2 + 1).min(MAX_PENALTY),
        };
        // Relaxed: as above.
        self.penalty.store(penalty, Ordering::Relaxed);
        self.until_look.store(penalty, Ordering::Relaxed);
    }

    /// The thread has slept for as long as `waited`, and was woken by what it might have found.
    pub(crate) fn note_wait(&self, waited: Duration) {
        // Relaxed: the thread's own notes.
        let next = match self.until_look.load(Ordering::Relaxed) {
            _ if waited >= SHORT_WAIT => NOT_SHORT,
            NOT_SHORT => self.penalty.load(Ordering::Relaxed),
            waits => waits.saturating_sub(1),
        };
        // Relaxed: as above.
        self.until_look.store(next, Ordering::Relaxed);
    }
}
