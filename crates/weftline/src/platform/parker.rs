//! How one thread waits for another: a token that is handed over at most once per wait.
//!
//! std's own token can be used up by anybody who parks on the same thread; this one is private to
//! its owner. `patience.rs` says whether the owner looks for the token before it sleeps.

use super::chosen::Mutex;
use super::chosen::atomic::{AtomicU32, Ordering};
use super::chosen::thread::{self, Thread};
use super::patience::Patience;
use std::time::{Duration, Instant};

/// No token, the owner is awake (or still looking).
const EMPTY: u32 = 0;
/// The owner sleeps in the kernel.
const PARKED: u32 = 1;
/// The owner waits in a place of its own, and must be notified there.
const ELSEWHERE: u32 = 2;
/// The token is there.
const NOTIFIED: u32 = 3;

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
    /// Who sleeps here, or did last. The owner of a seat may be another thread each time.
    owner: Mutex<Option<Thread>>,
    /// Whether the owner looks before it sleeps.
    patience: Patience,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU32::new(EMPTY), owner: Mutex::new(None), patience: Patience::new() }
    }

    /// Waits for the token, at most for `limit`, and takes it. False: it has not come yet; a wait
    /// with a limit may end early.
    pub(crate) fn park(&self, limit: Option<Duration>) -> bool {
        self.take() || self.sleep(limit)
    }

    /// As [`Parker::park`], for a thread that has nothing else to do: it may look for the token for
    /// a moment before it sleeps.
    pub(crate) fn park_patiently(&self, limit: Option<Duration>) -> bool {
        if self.take() || self.patience.look(|| self.take().then_some(())).is_some() {
            return true;
        }
        let began = Instant::now();
        let taken = self.sleep(limit);
        if taken {
            self.patience.note_wait(began.elapsed());
        }
        taken
    }

    fn sleep(&self, limit: Option<Duration>) -> bool {
        // What was there is dropped without the lock.
        let before = self.owner.lock().replace(thread::current());
        drop(before);
        if !self.go(PARKED) {
            return true;
        }
        if let Some(limit) = limit {
            thread::park_timeout(limit);
            return self.come_back();
        }
        loop {
            thread::park();
            if self.take() {
                return true;
            }
        }
    }

    /// Says that the owner is about to wait in a place of its own. False: the token is there
    /// already, and is taken.
    pub(crate) fn go_elsewhere(&self) -> bool {
        self.go(ELSEWHERE)
    }

    /// For an owner that is elsewhere: whether the token has come meanwhile. It stays there.
    pub(crate) fn is_called(&self) -> bool {
        // Relaxed: what was notified there and is seen to be so orders; who gives the token later
        // notifies after that.
        self.state.load(Ordering::Relaxed) == NOTIFIED
    }

    /// Ends what [`Parker::go_elsewhere`] began. True: the token came, and is taken.
    pub(crate) fn come_back(&self) -> bool {
        // Acquire: pairs with the Release in `unpark`.
        self.state.swap(EMPTY, Ordering::AcqRel) == NOTIFIED
    }

    fn go(&self, place: u32) -> bool {
        // Release: `unpark` asks for the `owner` after it saw the place. Acquire: pairs with the
        // Release in `unpark`, should the token be there.
        let gone =
            self.state.compare_exchange(EMPTY, place, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !gone {
            // Acquire: pairs with the Release in `unpark`: another token may have come since, and
            // is taken with the first.
            self.state.swap(EMPTY, Ordering::Acquire);
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
                // Whoever slept then is still the owner, or has the token already, and the next
                // one wakes once for nothing.
                let owner = self.owner.lock().clone();
                if let Some(owner) = owner {
                    owner.unpark();
                }
                Unpark::Done
            }
            ELSEWHERE => Unpark::Elsewhere,
            _ => Unpark::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{model, thread};
    use std::sync::Arc;

    #[test]
    fn whoever_sleeps_now_is_woken_and_not_who_slept_before() {
        model(|| {
            let parker = Arc::new(Parker::new());
            for _ in 0..2 {
                let owned = parker.clone();
                let owner = thread::spawn(move || assert!(owned.park(None)));
                let unpark = parker.unpark();
                assert_eq!(unpark, Unpark::Done);
                owner.join().unwrap();
            }
        });
    }
}
