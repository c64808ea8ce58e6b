//! The state word of a task: every change of it is a named transition with a named result.
//!
//! No other file touches the word. `docs/task.md` draws the states and numbers the arrows.
//!
//! ```text
//!  63 ... 10  | 9    | 8         | 7     | 6       | 5          | 4             | 3      | 2        | 1        | 0
//!  references | CALL | CANCELLED | ABORT | STARTED | JOIN_WAKER | JOIN_INTEREST | CANCEL | COMPLETE | NOTIFIED | OWNED
//! ```

use crate::platform::atomic::{AtomicUsize, Ordering};

/// Somebody holds the one right to run the task: a job for it is queued, or it is being run.
/// Stays set once the task is complete, so that a late wake-up finds nothing to do.
const OWNED: usize = 1 << 0;
/// Woken since the last poll began.
const NOTIFIED: usize = 1 << 1;
/// The output is stored, or was dropped because nobody can ask for it.
const COMPLETE: usize = 1 << 2;
/// A request to cancel waits for its delivery, or ends the task.
const CANCEL: usize = 1 << 3;
/// The `JoinHandle` exists.
const JOIN_INTEREST: usize = 1 << 4;
/// The join waker's field holds a waker, and belongs to whoever completes the task.
const JOIN_WAKER: usize = 1 << 5;
/// The future was polled at least once; of one call: a job has it, or had.
const STARTED: usize = 1 << 6;
/// The runtime's grace is over: the future is not polled again, whatever it still wants to do.
const ABORT: usize = 1 << 7;
/// The task ended by a cancellation; set together with `COMPLETE`.
const CANCELLED: usize = 1 << 8;
/// The future is one call of a closure: it never waits, each of its jobs holds a reference, and the
/// job that begins first has the task.
const CALL: usize = 1 << 9;
/// One reference; the count fills the rest of the word.
const REFERENCE: usize = 1 << 10;
/// A task that its spawner owns, with a join handle.
const NEW: usize = OWNED | NOTIFIED | JOIN_INTEREST | (2 * REFERENCE);
/// A count that can only be reached by forgetting references in a loop.
const MAX_REFERENCES: usize = isize::MAX as usize;

/// The state word.
#[derive(Debug)]
pub(crate) struct State(AtomicUsize);

/// What [`State::start_poll`] found.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StartPoll {
    /// Poll the future.
    Poll,
    /// Poll the future; a request to cancel waits for its next suspension.
    PollCancelled,
    /// The task was cancelled before its first poll: drop the future unpolled.
    NeverStarted,
    /// The grace is over: drop the future as it is.
    Abort,
    /// The future is one call, and may have begun elsewhere: [`State::claim`] says.
    Call,
}

/// What a job finds of a task that is one call.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It has the task: call the closure.
    Call,
    /// It has the task, which was cancelled: drop the closure.
    Drop,
    /// Another job of the task has it, or had.
    Taken,
}

/// What a wake-up by a waker that is used up came to.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LastWake {
    /// The caller owns the task now and must queue it.
    Queue,
    /// Whoever owns the task will see it, or it has ended.
    Noted,
    /// It has ended, and that was the last reference: the caller frees it.
    Free,
}

/// Where a poll has left a request to cancel, as far as the task's own regions are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspension {
    /// No region inside can take it: it is the task that it ends.
    Open,
    /// A region inside may take it, but was polled before it knew of the request: poll once more.
    Unasked,
    /// What is suspended must not be interrupted: the request goes on waiting.
    Held,
}

/// What follows a poll that returned `Pending`.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FinishPoll {
    /// Nobody owns the task now; a wake-up will queue it.
    Idle,
    /// It was woken meanwhile: the caller still owns it and queues it again.
    Again,
    /// A cancellation is to be delivered: the caller still owns it and drops the future.
    Cancelled,
}

/// What a request to cancel came to.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cancel {
    /// The caller owns the task now and must queue it.
    Queue,
    /// Whoever owns the task will see it.
    Noted,
    /// So it is, but the task may have long to wait in its queue: the caller sends another job.
    Hasten,
    /// The task had ended.
    TooLate,
}

/// What [`State::complete`] leaves to its caller.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Complete {
    /// The caller's reference is gone as well; the join handle will find the output.
    Released,
    /// The caller owns the join waker's field: wake it, then release the reference.
    WakeJoiner,
    /// No join handle is left: drop the output, then release the reference.
    Unread,
}

/// What a join handle finds when it is dropped.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DropHandle {
    /// Interest and reference are gone.
    Released,
    /// Interest is gone, the join waker's field is the caller's: drop it, then release.
    DropWaker,
    /// The task is complete: the output is the caller's to drop, then release.
    DropOutput,
}

/// A read of the word, for those who only want to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot(usize);

impl Snapshot {
    pub(crate) fn is_complete(self) -> bool {
        self.0 & COMPLETE != 0
    }

    /// Whether it ended by a cancellation.
    pub(crate) fn is_cancelled(self) -> bool {
        self.0 & CANCELLED != 0
    }

    /// Whether a request to cancel waits for its delivery, or ends the task just now.
    pub(crate) fn is_cancel_pending(self) -> bool {
        self.0 & (CANCEL | COMPLETE) == CANCEL
    }

    pub(crate) fn is_owned(self) -> bool {
        self.0 & OWNED != 0
    }

    fn has_join_waker(self) -> bool {
        self.0 & JOIN_WAKER != 0
    }
}

impl State {
    /// A task that is about to be queued for the first time, with two references: the runtime's,
    /// which lasts until completion, and the join handle's.
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(NEW))
    }

    /// The owner of a new task that is one call gives it up: from now on whichever of its jobs begins
    /// first has it. True: it was asked to end meanwhile, and is only to be dropped.
    pub(crate) fn become_call(&self) -> bool {
        let mut seen = self.0.load(Ordering::Relaxed); // the exchange below decides
        loop {
            let is_cancelled = seen & (CANCEL | ABORT) != 0;
            // `ABORT` as in `cancel`.
            let next = seen | CALL | if is_cancelled { ABORT } else { 0 };
            // Release: pairs with the Acquire in `request`, whose caller may send a job. Acquire: keeps
            // the word's release sequence whole.
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return is_cancelled,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether the task is one call, once it is queued. That never changes.
    pub(crate) fn is_call(&self) -> bool {
        // Relaxed: whoever was told of a poll is told of it, too.
        self.0.load(Ordering::Relaxed) & CALL != 0
    }

    /// Reads the word. Acquire: whoever sees `COMPLETE` also sees the output, which
    /// [`State::complete`] released.
    pub(crate) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Whether it was woken since its poll began, as the owner who polls it asks: another poll
    /// follows then, if the task does not end with this one.
    #[inline]
    pub(crate) fn is_notified(&self) -> bool {
        // Relaxed: the owner alone takes the bit back; nothing is read because of it.
        self.0.load(Ordering::Relaxed) & NOTIFIED != 0
    }

    /// A wake-up. True: the caller owns the task now and must queue it.
    #[inline]
    pub(crate) fn wake(&self) -> bool {
        // A read-modify-write even when it changes nothing. Release: pairs with the Acquire in
        // `start_poll`, so that the poll sees what the waker wrote. Acquire: pairs with the
        // Release in `finish_poll`, so that a new owner sees the future as the last poll left it.
        self.0.fetch_or(NOTIFIED | OWNED, Ordering::AcqRel) & OWNED == 0
    }

    /// A wake-up by a waker that is used up: its reference goes in the same step.
    #[inline]
    pub(crate) fn wake_and_release(&self) -> LastWake {
        let mut seen = self.0.load(Ordering::Relaxed); // the exchange below decides
        loop {
            let next = (seen | NOTIFIED | OWNED) - REFERENCE;
            // Orderings as in `wake` and in `release`, which this is together.
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                // The runtime's reference lasts until completion, and a task that is complete is owned.
                Ok(_) if seen & OWNED == 0 => return LastWake::Queue,
                Ok(_) if next < REFERENCE => return LastWake::Free,
                Ok(_) => return LastWake::Noted,
                Err(now) => seen = now,
            }
        }
    }

    /// A request to cancel, to be delivered at the next suspension.
    pub(crate) fn cancel(&self) -> Cancel {
        let cancel = self.request(CANCEL);
        if cancel == Cancel::Hasten {
            // A call that has not begun never begins, also where the request is taken back: the job that
            // is sent runs where the closure may only be dropped. AcqRel: as in `request`.
            self.0.fetch_or(ABORT, Ordering::AcqRel);
        }
        cancel
    }

    /// The grace is over: the task ends before its next poll.
    pub(crate) fn abort(&self) -> Cancel {
        self.request(ABORT)
    }

    fn request(&self, request: usize) -> Cancel {
        // Orderings as in `wake`, which this is with one more bit.
        let before = self.0.fetch_or(request | NOTIFIED | OWNED, Ordering::AcqRel);
        match before & (OWNED | COMPLETE) {
            0 => Cancel::Queue,
            OWNED if before & (CALL | STARTED | CANCEL | ABORT) == CALL => Cancel::Hasten,
            OWNED => Cancel::Noted,
            _ => Cancel::TooLate,
        }
    }

    /// A job of a task that is one call wants to begin.
    pub(crate) fn claim(&self) -> Claim {
        let mut seen = self.0.load(Ordering::Relaxed); // the exchange below decides
        loop {
            if seen & STARTED != 0 {
                return Claim::Taken;
            }
            let claim = if seen & (CANCEL | ABORT) == 0 { Claim::Call } else { Claim::Drop };
            // Acquire: pairs with the Release in `request`, so that the place of the reason is seen.
            // AcqRel keeps the word's release sequence whole for the joiner's side as well.
            let next = (seen & !NOTIFIED) | STARTED;
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return claim,
                Err(now) => seen = now,
            }
        }
    }

    /// Takes the request to cancel that waits for delivery: a region delivers it, or whoever made
    /// it takes it back. False: there is none. Of several that try, one gets it.
    pub(crate) fn take_cancel(&self) -> bool {
        // AcqRel: pairs with the Release in `request`, so that what was made before it (the place
        // of the reason) is seen; the rest keeps the word's release sequence whole.
        self.0.fetch_and(!CANCEL, Ordering::AcqRel) & CANCEL != 0
    }

    /// The owner, inside of a poll, hands a request that was delivered to it on to the next region.
    pub(crate) fn renew_cancel(&self) {
        // Relaxed: seen by the same poll.
        self.0.fetch_or(CANCEL, Ordering::Relaxed);
    }

    /// The owner begins a poll: from here on a wake-up counts for the next one.
    #[inline]
    pub(crate) fn start_poll(&self) -> StartPoll {
        let mut seen = self.0.load(Ordering::Relaxed); // the exchange below decides
        loop {
            debug_assert!(seen & CALL != 0 || seen & (OWNED | COMPLETE) == OWNED);
            if seen & (CANCEL | ABORT | CALL) != 0 {
                if seen & CALL != 0 {
                    return StartPoll::Call;
                }
                if seen & STARTED == 0 {
                    return StartPoll::NeverStarted;
                }
                if seen & ABORT != 0 {
                    return StartPoll::Abort;
                }
            }
            let next = (seen & !NOTIFIED) | STARTED;
            // Acquire: pairs with the Release in `wake`. AcqRel keeps the word's release
            // sequence whole for the joiner's side as well.
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if seen & CANCEL != 0 => return StartPoll::PollCancelled,
                Ok(_) => return StartPoll::Poll,
                Err(now) => seen = now,
            }
        }
    }

    /// The owner's poll returned `Pending`. `suspension` is asked where a request is there.
    #[inline]
    pub(crate) fn finish_poll(&self, suspension: impl Fn() -> Suspension) -> FinishPoll {
        // Relaxed: a bit that is seen here was set by a read-modify-write whose writes the next
        // `start_poll` acquires; one that is missed makes the exchange below fail.
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let asked = (seen & CANCEL != 0).then(&suspension);
            let (next, result) = match asked {
                // The request stays: until the future is dropped, it is what ends the task.
                Some(Suspension::Open) => (seen, FinishPoll::Cancelled),
                Some(Suspension::Unasked) => return FinishPoll::Again,
                Some(Suspension::Held) | None if seen & NOTIFIED != 0 => return FinishPoll::Again,
                Some(Suspension::Held) | None => (seen & !OWNED, FinishPoll::Idle),
            };
            // Release: pairs with the Acquire in `wake`: the next owner sees the future. Acquire:
            // pairs with the Release in `request`: the place of the reason is seen.
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return result,
                Err(now) => seen = now,
            }
        }
    }

    /// The owner has stored the output, which is a cancellation if `cancelled`. Where a join handle
    /// is there and not waiting, this gives the runtime's reference back in the same step.
    pub(crate) fn complete(&self, cancelled: bool) -> Complete {
        let mut seen = self.0.load(Ordering::Relaxed); // the exchange below decides
        loop {
            debug_assert!(seen & OWNED != 0 && seen & COMPLETE == 0);
            let (mut next, result) = if seen & JOIN_INTEREST == 0 {
                (seen, Complete::Unread)
            } else if seen & JOIN_WAKER != 0 {
                (seen, Complete::WakeJoiner)
            } else {
                (seen - REFERENCE, Complete::Released)
            };
            next |= if cancelled { COMPLETE | CANCELLED } else { COMPLETE };
            // Release: pairs with the Acquire in `load` and in the join handle's transitions, so
            // that the output is seen. Acquire: pairs with the Release in `set_join_waker`.
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return result,
                Err(now) => seen = now,
            }
        }
    }

    /// The join handle has written its waker. False: the task completed first; the field is still
    /// the handle's.
    pub(crate) fn set_join_waker(&self) -> bool {
        self.change_join_waker(|word| word | JOIN_WAKER)
    }

    /// The join handle wants the waker's field back. False: the task completed first; the field
    /// belongs to whoever completed it.
    pub(crate) fn take_back_join_waker(&self) -> bool {
        self.change_join_waker(|word| word & !JOIN_WAKER)
    }

    fn change_join_waker(&self, change: impl Fn(usize) -> usize) -> bool {
        // Acquire: pairs with the Release in `complete`: where that came first, the output may be
        // taken. So for the exchange's failure below.
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            if seen & COMPLETE != 0 {
                return false;
            }
            // Release: pairs with the Acquire in `complete`: the waker is seen.
            match self.0.compare_exchange_weak(
                seen,
                change(seen),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
    }

    /// True while a waker is registered, for the join handle's own use.
    pub(crate) fn has_join_waker(&self) -> bool {
        self.load().has_join_waker()
    }

    /// The join handle goes away.
    pub(crate) fn drop_join_handle(&self) -> DropHandle {
        // Acquire: pairs with the Release in `complete`: where that came first, the output may be
        // dropped. So for the exchange's failure below.
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            if seen & COMPLETE != 0 {
                return DropHandle::DropOutput;
            }
            let (next, result) = if seen & JOIN_WAKER != 0 {
                (seen & !(JOIN_INTEREST | JOIN_WAKER), DropHandle::DropWaker)
            } else {
                ((seen & !JOIN_INTEREST) - REFERENCE, DropHandle::Released)
            };
            // Release: pairs with the Acquire of the last reference's `release`.
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return result,
                Err(now) => seen = now,
            }
        }
    }

    /// One more reference.
    #[inline]
    pub(crate) fn retain(&self) {
        // Relaxed: made from a reference that is held, so nothing new becomes reachable.
        let before = self.0.fetch_add(REFERENCE, Ordering::Relaxed);
        if before > MAX_REFERENCES {
            std::process::abort();
        }
    }

    /// One reference less. True: it was the last, and the caller frees the task.
    #[inline]
    pub(crate) fn release(&self) -> bool {
        // Release: everything done through this reference happens before the task is freed.
        // Acquire: pairs with those releases, for the one who frees.
        self.0.fetch_sub(REFERENCE, Ordering::AcqRel) < 2 * REFERENCE
    }
}
