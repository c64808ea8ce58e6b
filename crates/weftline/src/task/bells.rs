//! Bells: how a request reaches a region inside of a combinator that polls only what was woken.
//!
//! A request is delivered by polling: the innermost region that is polled with it takes it. Most
//! combinators poll all that they hold. Some, as unordered sets of futures, give each future a
//! waker of its own and poll it only when that was woken. A region that is suspended in such a
//! place leaves its waker with the region around it, or with the task: its *bell* ([`OwnBell`]).
//! Who polls with a request [rings](ring) those inside first, and takes the request for itself only
//! when they have been polled, or are not going to be ([`after_poll`]). `docs/cancellation.md` has
//! the rule.

use crate::platform::Mutex;
use crate::platform::atomic::AtomicBool;
use crate::platform::global::{AtomicU64, Ordering};
use std::mem;
use std::sync::{Arc, Weak};
use std::task::Waker;

/// A region that is suspended under a waker of its own.
#[derive(Debug)]
struct Bell {
    /// Has it polled; gone once it was rung.
    waker: Mutex<Option<Waker>>,
    /// The [`Bells`] that it hangs among, by their number.
    among: u64,
    /// What is inside of the region must not be interrupted, and was so at its last poll.
    holds: AtomicBool,
}

impl Bell {
    fn is_silent(&self) -> bool {
        self.waker.lock().is_none()
    }

    fn holds(&self) -> bool {
        // Relaxed: written and read inside of polls of one task, which follow one another.
        self.holds.load(Ordering::Relaxed)
    }
}

/// The place of a region among the bells of the region around it; none while it has no waker of
/// its own.
#[derive(Debug, Default)]
pub(crate) struct OwnBell(Option<Arc<Bell>>);

impl OwnBell {
    /// The region is suspended, and `waker` has it polled by those who are around `bells`.
    /// `holds`: what is inside must not be interrupted.
    pub(super) fn hang(&mut self, bells: &Mutex<Bells>, waker: &Waker, holds: bool) {
        let among = bells.lock().number();
        match self.0.as_deref().filter(|bell| bell.among == among) {
            Some(bell) if bell.waker.lock().as_ref().is_some_and(|old| old.will_wake(waker)) => {}
            Some(bell) => {
                // A waker is foreign code: it is cloned and dropped outside of the lock.
                let fresh = Some(waker.clone());
                let old = mem::replace(&mut *bell.waker.lock(), fresh);
                drop(old);
            }
            None => {
                let (waker, holds) = (Mutex::new(Some(waker.clone())), AtomicBool::new(holds));
                let bell = Arc::new(Bell { waker, among, holds });
                bells.lock().add(Arc::downgrade(&bell));
                self.0 = Some(bell);
            }
        }
        if let Some(bell) = &self.0 {
            bell.holds.store(holds, Ordering::Relaxed); // see `Bell::holds`
        }
    }

    pub(super) fn is_hung(&self) -> bool {
        self.0.is_some()
    }

    /// The region is suspended no more.
    #[inline]
    pub(super) fn take_down(&mut self) {
        self.0 = None;
    }
}

/// The bells of the regions inside of one region, or directly inside of a task.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    /// Which these are; zero before the first is hung.
    number: u64,
    /// Those that were hung. One that is gone leaves its place empty.
    hung: Vec<Weak<Bell>>,
    /// While a request is there: how many were rung and not polled since, at the last look.
    silent: Option<usize>,
    /// The request that they were rung for, by its number.
    request: u32,
    /// How many more polls may reach none of those who are silent, while there is other work.
    patience: u8,
}

/// A set that lets others go first may need some polls until it comes to those who were rung.
const PATIENCE: u8 = 32;

impl Bells {
    fn number(&mut self) -> u64 {
        // Relaxed: any number will do, as long as no two are the same.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.number == 0 {
            self.number = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        self.number
    }

    fn add(&mut self, bell: Weak<Bell>) {
        // Those that are gone are looked for when their places may be half of all.
        if self.hung.len() == self.hung.capacity() {
            self.hung.retain(|bell| bell.strong_count() > 0);
            self.hung.reserve(self.hung.len() + 1);
        }
        self.hung.push(bell);
    }

    /// Those that are there.
    fn all(&self) -> Vec<Arc<Bell>> {
        self.hung.iter().filter_map(Weak::upgrade).collect()
    }

    fn is_empty(&self) -> bool {
        self.hung.iter().all(|bell| bell.strong_count() == 0)
    }
}

/// Whether no region is suspended there under a waker of its own.
pub(super) fn is_none(bells: &Mutex<Bells>) -> bool {
    bells.lock().is_empty()
}

/// A request is there, and what is inside is about to be polled: takes the wakers of all who are
/// to be polled with it. None, where that was done for this request already.
#[must_use]
pub(super) fn ring(bells: &Mutex<Bells>, request: u32) -> Vec<Waker> {
    let all = {
        let mut bells = bells.lock();
        if bells.silent.is_some() && bells.request == request {
            return Vec::new();
        }
        let all = bells.all();
        bells.silent = Some(all.len());
        (bells.request, bells.patience) = (request, PATIENCE);
        all
    };
    all.iter().filter_map(|bell| bell.waker.lock().take()).collect()
}

/// What follows for a request that is still there after what is inside was polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterPoll {
    /// It is for whoever is around.
    Take,
    /// Somebody inside is to be polled with it before.
    Again,
    /// Somebody inside must not be interrupted: it waits.
    Held,
}

/// What is inside was polled, and nobody there has taken the request. It is polled again where
/// somebody was not rung yet, and as long as each poll reaches some of those who had not been
/// polled, or, for some polls, other work that waits: those whom it does not reach are held by code
/// that is busy elsewhere. `is_woken`: the task is to be polled again in any case.
pub(super) fn after_poll(bells: &Mutex<Bells>, is_woken: bool) -> AfterPoll {
    let (all, before, patience) = {
        let bells = bells.lock();
        (bells.all(), bells.silent, bells.patience)
    };
    let silent = all.iter().filter(|bell| bell.is_silent()).count();
    let Some(before) = before else {
        return if silent < all.len() { AfterPoll::Again } else { AfterPoll::Take };
    };
    let is_held = all.iter().any(|bell| bell.holds() && !bell.is_silent());
    let advances = silent < before;
    let is_patient = is_woken && patience > 0;
    let (after, now) = match silent {
        silent if is_held => (AfterPoll::Held, Some(silent)),
        silent if 0 < silent && (advances || is_patient) => (AfterPoll::Again, Some(silent)),
        _ => (AfterPoll::Take, None),
    };
    drop(all); // outside of the lock: a waker may go with it
    let mut bells = bells.lock();
    bells.silent = now;
    bells.patience = patience.saturating_sub(u8::from(!advances));
    after
}

/// The request is there no more: the next one is rung for anew.
pub(super) fn settle(bells: &Mutex<Bells>) {
    bells.lock().silent = None;
}
