//! The state word of a channel: every change of it is a named transition with a named result.
//!
//! No other file touches the word. What each bit gives the right to touch stands in `ends.rs`.
//!
//! ```text
//!  6            | 5           | 4           | 3             | 2      | 1           | 0
//!  SENDER_WAKER | LATER_WAKER | FIRST_WAKER | RECEIVER_GONE | CLOSED | SENDER_GONE | COMPLETE
//! ```
//!
//! ```text
//!           set_first_waker   replace_first_waker   take_back_later_waker
//!                  |                   |              set_later_waker
//!  receiver:  idle -> FIRST_WAKER ---> LATER_WAKER <---> idle
//!
//!  sender:    any --- complete ---> COMPLETE, mostly with SENDER_GONE   (not after CLOSED)
//!  receiver:  any --- close ------> CLOSED
//!  either:    any --- drop_sender, drop_receiver ---> SENDER_GONE, RECEIVER_GONE
//! ```
//!
//! `COMPLETE` and the two `GONE` bits are never unset, nor is `CLOSED`.

use crate::platform::atomic::{AtomicUsize, Ordering};

/// The sender has done its part: the value is in its place, or none will come.
const COMPLETE: usize = 1 << 0;
/// The sender touches the channel no more.
const SENDER_GONE: usize = 1 << 1;
/// The receiver takes no value that was not there before.
const CLOSED: usize = 1 << 2;
/// The receiver touches the channel no more.
const RECEIVER_GONE: usize = 1 << 3;
/// The receiver waits; its waker is in the first place.
const FIRST_WAKER: usize = 1 << 4;
/// The receiver waits; its waker is in the later place.
const LATER_WAKER: usize = 1 << 5;
/// The sender waits for `CLOSED`; its waker is in the sender's place.
const SENDER_WAKER: usize = 1 << 6;

/// The state word.
#[derive(Debug)]
pub(super) struct State(AtomicUsize);

/// What [`State::complete`] leaves to the sender.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Complete<W> {
    /// The sender is done and gone; nobody waits.
    Gone,
    /// The sender is done and gone; wake the receiver by this, which is the sender's now.
    Wake(W),
    /// The sender is done: wake the receiver through the later place, then drop the sender.
    WakeLater,
    /// Nothing changed: the receiver has closed, or the sender had completed before. The value,
    /// if it was written just now, is still the sender's; drop the sender.
    Refused,
}

/// What [`State::close`] leaves to the receiver.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// Nobody waits for it.
    Done,
    /// Wake the sender through its place.
    WakeSender,
}

/// What [`State::drop_sender`] leaves to the sender.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DropSender {
    /// The receiver is still there.
    Gone,
    /// The receiver went before: free the channel.
    Last,
}

/// What [`State::drop_receiver`] leaves to the receiver. Where it gives a waker, that is the
/// receiver's own from the first place, to be dropped.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DropReceiver<W> {
    /// The receiver is still there, but closed: wake the sender through its place, then drop the
    /// receiver again.
    WakeSender,
    /// The sender is still there.
    Gone(Option<W>),
    /// The sender went before: free the channel.
    Last(Option<W>),
}

/// A read of the word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Snapshot(usize);

impl Snapshot {
    pub(super) fn is_complete(self) -> bool {
        self.0 & COMPLETE != 0
    }

    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(super) fn has_first_waker(self) -> bool {
        self.0 & FIRST_WAKER != 0
    }

    pub(super) fn has_later_waker(self) -> bool {
        self.0 & LATER_WAKER != 0
    }

    pub(super) fn has_sender_waker(self) -> bool {
        self.0 & SENDER_WAKER != 0
    }
}

impl State {
    /// An empty channel with both ends.
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Reads the word. Acquire: whoever sees `COMPLETE` also sees the value, which
    /// [`State::complete`] released; whoever sees `CLOSED` sees what happened before it.
    #[inline]
    pub(super) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// The sender has written the value, or will write none. Where the receiver's waker is in the
    /// first place, `copy_first_waker` is called before the word changes, since the channel may
    /// be freed right after.
    #[inline]
    pub(super) fn complete<W>(&self, copy_first_waker: impl Fn() -> W) -> Complete<W> {
        // Acquire: pairs with the Release in `set_first_waker`, so that the first place may be
        // copied.
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            if seen & (CLOSED | COMPLETE) != 0 {
                return Complete::Refused;
            }
            let first = (seen & FIRST_WAKER != 0).then(&copy_first_waker);
            let later = seen & LATER_WAKER != 0;
            // The later place is written more than once, so the sender may read it only when the
            // receiver knows that it does; it stays for that.
            let next = if later { seen | COMPLETE } else { seen | COMPLETE | SENDER_GONE };
            // Release: pairs with the Acquire in `load` and in `drop_receiver`: the value is seen,
            // and the channel freed after the sender's last access. Acquire: pairs with the
            // Release in `set_later_waker`, whose latest writing this may be the first to see;
            // on failure as for the load above.
            match self.0.compare_exchange_weak(
                seen,
                next & !FIRST_WAKER,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) if later => return Complete::WakeLater,
                Ok(_) => return first.map_or(Complete::Gone, Complete::Wake),
                Err(now) => seen = now,
            }
        }
    }

    /// The receiver has written its waker to the first place, for the first and only time. False:
    /// the sender completed first. The bit stays set then, and says that the waker is left.
    #[inline]
    pub(super) fn set_first_waker(&self) -> bool {
        // Release: pairs with the Acquire in `complete`: the waker is seen. Acquire: pairs with
        // the Release in `complete`, should that have come first: the value is seen.
        self.0.fetch_or(FIRST_WAKER, Ordering::AcqRel) & COMPLETE == 0
    }

    /// The receiver, whose waker is in the first place, has written another to the later place.
    /// True: the one in the first place is the receiver's again. False: the sender completed
    /// first, and the one in the first place is the sender's.
    pub(super) fn replace_first_waker(&self) -> bool {
        let mut seen = self.0.load(Ordering::Relaxed); // the exchange below decides
        loop {
            if seen & COMPLETE != 0 {
                return false;
            }
            let next = (seen & !FIRST_WAKER) | LATER_WAKER;
            // Release: pairs with the Acquire in `complete`: the later waker is seen. Relaxed on
            // failure: nothing is read on its account; whoever wants the value uses `load`.
            match self.0.compare_exchange_weak(seen, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
    }

    /// The receiver has written its waker to the later place. False: the sender completed first.
    pub(super) fn set_later_waker(&self) -> bool {
        // Orderings as in `set_first_waker`, for the later place.
        self.0.fetch_or(LATER_WAKER, Ordering::AcqRel) & COMPLETE == 0
    }

    /// The receiver wants the later place back. False: the sender completed first, and may be
    /// reading the place until the channel is freed.
    pub(super) fn take_back_later_waker(&self) -> bool {
        // Relaxed: the place was written by the receiver itself, and where the sender has not
        // completed nobody has read it. The next writing is released by `set_later_waker`.
        self.0.fetch_and(!LATER_WAKER, Ordering::Relaxed) & COMPLETE == 0
    }

    /// The sender has written its waker to its place. False: the receiver closed first.
    pub(super) fn set_sender_waker(&self) -> bool {
        // Release: pairs with the Acquire in `close` and `drop_receiver`: the waker is seen.
        // Acquire: pairs with the Release there, as for one that reads `CLOSED` by `load`.
        self.0.fetch_or(SENDER_WAKER, Ordering::AcqRel) & CLOSED == 0
    }

    /// The sender wants its place back. False: the receiver closed first, and may be reading the
    /// place until the channel is freed.
    pub(super) fn take_back_sender_waker(&self) -> bool {
        // Relaxed: the place was written by the sender itself, and where the receiver has not
        // closed nobody has read it. The next writing is released by `set_sender_waker`.
        self.0.fetch_and(!SENDER_WAKER, Ordering::Relaxed) & CLOSED == 0
    }

    /// The receiver takes no further value.
    pub(super) fn close(&self) -> Close {
        // Acquire: pairs with the Release in `set_sender_waker`: the waker is seen. Release: pairs
        // with the Acquire in `load`, for a sender that sees `CLOSED`.
        let before = self.0.fetch_or(CLOSED, Ordering::AcqRel);
        if sender_waits(before) { Close::WakeSender } else { Close::Done }
    }

    /// The sender goes, after [`State::complete`] left it there.
    #[inline]
    pub(super) fn drop_sender(&self) -> DropSender {
        // Acquire: pairs with the Release in `drop_receiver`: the receiver's last access comes
        // before the channel is freed. Nobody else is left who could change the word.
        if self.0.load(Ordering::Acquire) & RECEIVER_GONE != 0 {
            return DropSender::Last;
        }
        // Acquire: as above. Release: pairs with the Acquire in `drop_receiver`, which frees.
        let before = self.0.fetch_or(SENDER_GONE, Ordering::AcqRel);
        if before & RECEIVER_GONE != 0 { DropSender::Last } else { DropSender::Gone }
    }

    /// The receiver goes. Where its waker is in the first place and is left, `copy_first_waker` is
    /// called before the word changes, since the channel may be freed right after.
    #[inline]
    pub(super) fn drop_receiver<W>(&self, copy_first_waker: impl Fn() -> W) -> DropReceiver<W> {
        // Acquire: pairs with the Release in `complete` and `drop_sender`: the sender's last
        // access comes before the channel is freed.
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            let first = (seen & FIRST_WAKER != 0).then(&copy_first_waker);
            if seen & SENDER_GONE != 0 {
                // Nobody else is left who could change the word.
                return DropReceiver::Last(first);
            }
            let next = if sender_waits(seen) {
                seen | CLOSED
            } else {
                (seen | CLOSED | RECEIVER_GONE) & !FIRST_WAKER
            };
            // Release: pairs with the Acquire in `drop_sender`, which frees, and in `load`, for a
            // sender that sees `CLOSED`. Acquire: pairs with the Release in `set_sender_waker`;
            // on failure as for the load above.
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if sender_waits(seen) => return DropReceiver::WakeSender,
                Ok(_) => return DropReceiver::Gone(first),
                Err(now) => seen = now,
            }
        }
    }
}

/// Whether closing a channel in this state has a sender to wake. One that has completed waits for
/// nothing, and one that was told once is not told again.
fn sender_waits(word: usize) -> bool {
    word & (SENDER_WAKER | CLOSED | COMPLETE) == SENDER_WAKER
}
