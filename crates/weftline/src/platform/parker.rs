//! How one thread waits for another: a token that is handed over at most once per wait.
//!
//! std's own token can be used up by anybody who parks on the same thread; this one is private to
//! its owner. A thread whose last waits were short looks at the token for a moment before it asks
//! the kernel, so that request and reply between two threads need no system call; one whose waits
//! are long goes straight to sleep and burns nothing.

use super::chosen::atomic::{AtomicU32, Ordering};
use super::chosen::thread::{self, Thread};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// No token, the owner is awake (or still looking).
const EMPTY: u32 = 0;
/// The owner sleeps in the kernel.
const PARKED: u32 = 1;
/// The owner waits in a place of its own, and must be notified there.
const ELSEWHERE: u32 = 2;
/// The token is there.
const NOTIFIED: u32 = 3;

/// A wait shorter than this may have been little more than the switches between threads, so that
/// looking might have caught its end.
const SHORT_WAIT: Duration = Duration::from_micros(150);
/// How long to look for the token where waits are short.
const LOOK: Duration = Duration::from_micros(if cfg!(any(miri, loom)) { 0 } else { 20 });
/// The most short waits that pass without a look after looks that were in vain.
const MAX_PENALTY: u32 = 255;
/// Looks between two readings of the clock.
const LOOKS_PER_CLOCK: u32 = 32;

/// What [`Parker::unpark`] leaves to its caller.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unpark {
    /// The owner has the token.
    Done,
    /// The owner has the token and waits elsewhere: notify it there.
    Elsewhere,
}

/// The token, and what its owner needs to wait for it.
#[derive(Debug)]
pub(crate) struct Parker {
    /// `EMPTY`, `PARKED`, `ELSEWHERE` or `NOTIFIED`.
    state: AtomicU32,
    /// The owner, known from its first wait on.
    owner: OnceLock<Thread>,
    /// How many short waits must pass until the owner looks again; `NOT_SHORT` while its waits
    /// are long. The owner's own note, and only a guess about its next wait.
    until_look: AtomicU32,
    /// What `until_look` was set to last: doubled by each look in vain, forgotten by a lucky one.
    penalty: AtomicU32,
}

/// In `until_look`: the last wait was long.
const NOT_SHORT: u32 = u32::MAX;

impl Parker {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU32::new(EMPTY),
            owner: OnceLock::new(),
            until_look: AtomicU32::new(NOT_SHORT),
            penalty: AtomicU32::new(0),
        }
    }

    /// Waits for the token, at most for `limit`, and takes it. False: it did not come.
    /// `may_look`: whether the thread may look for the token for a moment before it sleeps.
    pub(crate) fn park(&self, limit: Option<Duration>, may_look: bool) -> bool {
        if self.take() {
            return true;
        }
        if may_look && self.worth_a_look() && self.look() {
            return true;
        }
        let began = Instant::now();
        let taken = self.sleep(began, limit);
        self.note_wait(taken && began.elapsed() < SHORT_WAIT);
        taken
    }

    // Relaxed in the next three: the owner alone reads and writes these.

    fn worth_a_look(&self) -> bool {
        self.until_look.load(Ordering::Relaxed) == 0
    }

    fn note_look(&self, lucky: bool) {
        let penalty = match self.penalty.load(Ordering::Relaxed) {
            _ if lucky => 0,
            before => (before * 2 + 1).min(MAX_PENALTY),
        };
        self.penalty.store(penalty, Ordering::Relaxed);
        self.until_look.store(penalty, Ordering::Relaxed);
    }

    fn note_wait(&self, short: bool) {
        let next = match self.until_look.load(Ordering::Relaxed) {
            _ if !short => NOT_SHORT,
            NOT_SHORT => self.penalty.load(Ordering::Relaxed),
            waits => waits.saturating_sub(1),
        };
        self.until_look.store(next, Ordering::Relaxed);
    }

    fn sleep(&self, began: Instant, limit: Option<Duration>) -> bool {
        self.owner.get_or_init(thread::current);
        if !self.go(PARKED) {
            return true;
        }
        loop {
            match limit {
                None => thread::park(),
                Some(limit) => match limit.checked_sub(began.elapsed()) {
                    Some(rest) if !rest.is_zero() => thread::park_timeout(rest),
                    _ => return self.come_back(),
                },
            }
            if self.take() {
                return true;
            }
        }
    }

    /// Looks at the token for a moment. True: it came and is taken.
    fn look(&self) -> bool {
        let began = Instant::now();
        while began.elapsed() < LOOK {
            for _ in 0..LOOKS_PER_CLOCK {
                if self.take() {
                    self.note_look(true);
                    return true;
                }
                std::hint::spin_loop();
            }
        }
        self.note_look(false);
        false
    }

    /// Says that the owner is about to wait in a place of its own. False: the token is there
    /// already, and is taken.
    pub(crate) fn go_elsewhere(&self) -> bool {
        self.go(ELSEWHERE)
    }

    /// Ends what [`Parker::go_elsewhere`] began. True: the token came, and is taken.
    pub(crate) fn come_back(&self) -> bool {
        // Acquire: pairs with the Release in `unpark`.
        self.state.swap(EMPTY, Ordering::AcqRel) == NOTIFIED
    }

    fn go(&self, place: u32) -> bool {
        // Release: `unpark` reads `owner` after it saw the place. Acquire: pairs with the Release
        // in `unpark`, should the token be there.
        let gone = self
            .state
            .compare_exchange(EMPTY, place, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if !gone {
            // Relaxed: only the owner takes the token, and it has just acquired it.
            self.state.store(EMPTY, Ordering::Relaxed);
        }
        gone
    }

    /// Takes the token if it is there.
    fn take(&self) -> bool {
        // Relaxed: only a hint to spare the exchange.
        self.state.load(Ordering::Relaxed) == NOTIFIED
            // Acquire: pairs with the Release in `unpark`.
            && self
                .state
                .compare_exchange(NOTIFIED, EMPTY, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// Gives the owner the token.
    pub(crate) fn unpark(&self) -> Unpark {
        // Release: what was written before is seen by the owner. Acquire: pairs with the Release
        // in `go`, for `owner`.
        match self.state.swap(NOTIFIED, Ordering::AcqRel) {
            PARKED => {
                if let Some(owner) = self.owner.get() {
                    owner.unpark();
                }
                Unpark::Done
            }
            ELSEWHERE => Unpark::Elsewhere,
            _ => Unpark::Done,
        }
    }
}
