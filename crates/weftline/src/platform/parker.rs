//! How one thread waits for another: a token that is handed over at most once per wait.
//!
//! std's own token can be used up by anybody who parks on the same thread; this one is private to
//! its owner. A thread whose last waits were short looks at the token for a moment before it asks
//! the kernel, so that request and reply between two threads need no system call; one whose waits
//! are long goes straight to sleep and burns nothing.

use super::chosen::atomic::{AtomicBool, AtomicU32, Ordering};
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

/// A wait shorter than this would have been cheaper to spend looking: about what two switches
/// between threads cost here.
const SHORT_WAIT: Duration = Duration::from_micros(50);
/// How long to look for the token where waits are short.
const LOOK: Duration = Duration::from_micros(if cfg!(any(miri, loom)) { 0 } else { 20 });
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
    /// Whether the owner's last wait was short. Only a guess about the next one.
    short: AtomicBool,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU32::new(EMPTY),
            owner: OnceLock::new(),
            short: AtomicBool::new(false),
        }
    }

    /// Waits for the token, at most for `limit`, and takes it. False: it did not come.
    /// `may_look`: whether the thread may look for the token for a moment before it sleeps.
    pub(crate) fn park(&self, limit: Option<Duration>, may_look: bool) -> bool {
        if self.take() {
            return true;
        }
        // Relaxed: `short` is the owner's own note.
        if may_look && self.short.load(Ordering::Relaxed) && self.look() {
            return true;
        }
        let began = Instant::now();
        let taken = self.sleep(began, limit);
        // Relaxed: as above.
        self.short
            .store(taken && began.elapsed() < SHORT_WAIT, Ordering::Relaxed);
        taken
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
                    return true;
                }
                std::hint::spin_loop();
            }
        }
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
