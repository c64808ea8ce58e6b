//! The one allocation of a channel, and its two ends, each of which exists once.
//!
//! The ends are safe to use and keep the rules below; the state word (`state.rs`) says which of
//! them holds at a moment. Who may touch what:
//!
//! | field | written by | read by | changes hands with |
//! |---|---|---|---|
//! | `value` | sender, then receiver | the same | `COMPLETE` |
//! | `first_waker` | receiver, once | both | `FIRST_WAKER` (the waker, not the place) |
//! | `later_waker` | receiver | both | `LATER_WAKER`, `COMPLETE` |
//! | `sender_waker` | sender | both | `SENDER_WAKER`, `CLOSED` |
//!
//! 1. The value is the sender's until `COMPLETE`, and the receiver's from then on.
//! 2. The first waker's place is written once, before `FIRST_WAKER` is set for the only time, and
//!    from then on only read, by either end. The waker itself is owned by one end at a time: the
//!    receiver, until [`State::complete`] answers `Wake` and gives it to the sender.
//! 3. The later waker's place is the receiver's to write while `LATER_WAKER` is unset and was not
//!    set at `COMPLETE`; otherwise both ends may only read it. The sender does from the answer
//!    `WakeLater` until it is dropped.
//! 4. The sender waker's place is the sender's to write while `SENDER_WAKER` is unset and was not
//!    set at `CLOSED`; otherwise both ends may only read it. The receiver does after the answer
//!    `WakeSender`.
//! 5. The allocation lives until both ends are gone. An end is gone with the answer `Gone`, `Wake`
//!    or `Last`, and touches nothing after it, except that `Last` makes it free the allocation.
//!
//! The first waker is what nearly every receiver ever has. Since its place never changes, the
//! sender can copy it before it completes, and completing and going are one step.

use super::state::{Close, Complete, DropReceiver, DropSender, Snapshot, State};
use crate::platform::UnsafeCell;
use crate::task::guard_waker;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::{Poll, RawWakerVTable, Waker};

/// The allocation. Dropping it drops a value that was not received.
struct Channel<T> {
    /// Who may touch the rest.
    state: State,
    /// Whom to wake when the sender completes: the receiver's first waker (rule 2).
    first_waker: UnsafeCell<Option<WakerParts>>,
    /// Whom to wake when the sender completes: a waker that replaced the first (rule 3).
    later_waker: UnsafeCell<Option<Waker>>,
    /// Whom to wake when the receiver closes (rule 4).
    sender_waker: UnsafeCell<Option<Waker>>,
    /// The value, from when it is sent until it is received (rule 1).
    value: UnsafeCell<Option<T>>,
}

/// What a waker consists of, without owning it.
#[derive(Clone, Copy)]
struct WakerParts {
    /// As `Waker::data`.
    data: *const (),
    /// As `Waker::vtable`.
    vtable: &'static RawWakerVTable,
}

/// The sender's end.
pub(super) struct SenderEnd<T>(NonNull<Channel<T>>);

/// The receiver's end.
pub(super) struct ReceiverEnd<T>(NonNull<Channel<T>>);

// SAFETY: the ends share what the rules give to one of them at a time; values of type `T` pass
// from thread to thread, for which `T: Send` is needed, and wakers are `Send` and `Sync`.
unsafe impl<T: Send> Send for SenderEnd<T> {}
// SAFETY: through `&SenderEnd` the state word is read, and nothing else.
unsafe impl<T: Send> Sync for SenderEnd<T> {}
// SAFETY: as for `SenderEnd`.
unsafe impl<T: Send> Send for ReceiverEnd<T> {}
// SAFETY: through `&ReceiverEnd` the state word is read and whether a value is there, not the
// value.
unsafe impl<T: Send> Sync for ReceiverEnd<T> {}

/// Makes a channel.
pub(super) fn allocate<T>() -> (SenderEnd<T>, ReceiverEnd<T>) {
    let channel = NonNull::from(Box::leak(Box::new(Channel {
        state: State::new(),
        first_waker: UnsafeCell::new(None),
        later_waker: UnsafeCell::new(None),
        sender_waker: UnsafeCell::new(None),
        value: UnsafeCell::new(None),
    })));
    (SenderEnd(channel), ReceiverEnd(channel))
}

impl<T> SenderEnd<T> {
    fn channel(&self) -> &Channel<T> {
        // SAFETY: this end is not gone (rule 5): what makes it go is the last thing done with it.
        unsafe { self.0.as_ref() }
    }

    /// Whether the receiver has closed.
    pub(super) fn is_closed(&self) -> bool {
        self.channel().state.load().is_closed()
    }

    /// Whether the receiver has not closed yet, so that `waker` will be woken when it does.
    pub(super) fn wait_with(&mut self, waker: &Waker) -> bool {
        let channel = self.channel();
        let seen = channel.state.load();
        if seen.is_closed() {
            return false;
        }
        if seen.has_sender_waker() {
            // SAFETY: written before `SENDER_WAKER` was set; both ends only read it (rule 4).
            if unsafe { will_wake(&channel.sender_waker, waker) } {
                return true;
            }
            if !channel.state.take_back_sender_waker() {
                return false;
            }
        }
        let waker = waker.clone();
        // SAFETY: `SENDER_WAKER` is unset, and was so at every moment since the receiver was seen
        // not closed, or taking it back says so: the place is the sender's (rule 4).
        let before = unsafe { replace(&channel.sender_waker, Some(waker)) };
        let waits = channel.state.set_sender_waker();
        drop(before); // foreign code, once the new waker is in force
        waits
    }

    /// Gives the value to the receiver, or back if that has closed.
    pub(super) fn send(self, value: T) -> Result<(), T> {
        // Dropped last, since that is foreign code.
        let _unused = self.take_back_waker();
        let end = ManuallyDrop::new(self);
        // SAFETY: this end has not completed: the value is the sender's (rule 1). What is written
        // over is nothing, and needs no drop.
        end.channel().value.with_mut(|place| unsafe { place.write(Some(value)) });
        if end.complete() {
            return Ok(());
        }
        // SAFETY: the completion was refused, so the value is still the sender's (rule 1).
        let value = unsafe { replace(&end.channel().value, None) };
        end.leave();
        value.map_or_else(|| unreachable!("what was written is there"), Err)
    }

    /// Completes, with or without a value, and wakes the receiver. True: this end is gone, or as
    /// good as. False: nothing changed.
    fn complete(&self) -> bool {
        let channel = self.0;
        // SAFETY: 1. this end is not gone yet. 2. The state calls this when `FIRST_WAKER` is set.
        let copy = move || unsafe { copy_first_waker(channel) };
        match self.channel().state.complete(copy) {
            Complete::Gone => true,
            Complete::Wake(parts) => {
                // SAFETY: the waker is now the sender's (rule 2), and no copy of the parts
                // becomes one again.
                let waker = unsafe { parts.into_waker() };
                guard_waker(|| waker.wake());
                true
            }
            Complete::WakeLater => {
                // Goes when it is dropped.
                let end = SenderEnd(self.0);
                // SAFETY: the answer `WakeLater` allows it until this end is gone (rule 3).
                unsafe { wake_by_ref(&end.channel().later_waker) };
                true
            }
            Complete::Refused => false,
        }
    }

    /// The last thing that this end does, where completing did not make it go.
    fn leave(&self) {
        if self.channel().state.drop_sender() == DropSender::Last {
            // SAFETY: `Last` was answered to this end (rule 5).
            unsafe { free(self.0) };
        }
    }

    /// Gives back this end's own waker, where it waits: it does so no more.
    fn take_back_waker(&self) -> Option<Waker> {
        let channel = self.channel();
        if !channel.state.load().has_sender_waker() || !channel.state.take_back_sender_waker() {
            return None;
        }
        // SAFETY: the place is the sender's again (rule 4).
        unsafe { replace(&channel.sender_waker, None) }
    }
}

impl<T> Drop for SenderEnd<T> {
    fn drop(&mut self) {
        // Dropped last, since that is foreign code.
        let _unused = self.take_back_waker();
        if !self.complete() {
            self.leave();
        }
    }
}

impl<T> ReceiverEnd<T> {
    fn channel(&self) -> &Channel<T> {
        // SAFETY: this end is not gone (rule 5): what makes it go is its drop.
        unsafe { self.0.as_ref() }
    }

    /// Reads the state.
    fn look(&self) -> Snapshot {
        self.channel().state.load()
    }

    /// Whether a value was sent and not taken.
    pub(super) fn has_value(&self) -> bool {
        // SAFETY: once complete, the value is the receiver's (rule 1), which changes it through
        // `&mut` alone.
        self.look().is_complete() && self.channel().value.with(|value| unsafe { &*value }.is_some())
    }

    /// The value; nothing where none will come; pending where one may.
    pub(super) fn receive(&mut self) -> Poll<Option<T>> {
        let seen = self.look();
        if seen.is_complete() {
            // SAFETY: complete, so the value is the receiver's (rule 1).
            return Poll::Ready(unsafe { replace(&self.channel().value, None) });
        }
        if seen.is_closed() { Poll::Ready(None) } else { Poll::Pending }
    }

    /// Whether a value may still come, so that `waker` will be woken when it does, or when it is
    /// sure that none will.
    pub(super) fn wait_with(&mut self, waker: &Waker) -> bool {
        let seen = self.look();
        if seen.is_complete() || seen.is_closed() {
            return false;
        }
        // SAFETY: only the receiver writes the place, through `&mut` (rule 2).
        let first = self.channel().first_waker.with(|first| unsafe { *first });
        match first {
            None => self.wait_first(waker),
            Some(parts) if seen.has_first_waker() && parts.is_of(waker) => true,
            Some(parts) => self.wait_later(seen, parts, waker),
        }
    }

    fn wait_first(&mut self, waker: &Waker) -> bool {
        let channel = self.channel();
        let parts = Some(WakerParts::from(waker.clone()));
        // SAFETY: the place holds nothing, so `FIRST_WAKER` was never set: it is the receiver's to
        // write this once (rule 2).
        let _nothing = unsafe { replace(&channel.first_waker, parts) };
        channel.state.set_first_waker()
    }

    /// As [`ReceiverEnd::wait_with`], for a receiver that is not polled by one task alone.
    #[cold]
    fn wait_later(&mut self, seen: Snapshot, first: WakerParts, waker: &Waker) -> bool {
        let channel = self.channel();
        if seen.has_later_waker() {
            // SAFETY: written before `LATER_WAKER` was set; both ends only read it (rule 3).
            if unsafe { will_wake(&channel.later_waker, waker) } {
                return true;
            }
            if !channel.state.take_back_later_waker() {
                return false;
            }
        }
        let waker = waker.clone();
        // SAFETY: `LATER_WAKER` was unset when `seen` was read, and only the receiver sets it, or
        // taking it back says so: the place is the receiver's (rule 3).
        let before = unsafe { replace(&channel.later_waker, Some(waker)) };
        let waits = if seen.has_first_waker() {
            let replaced = channel.state.replace_first_waker();
            if replaced {
                // SAFETY: the answer says that the waker is the receiver's (rule 2), and no copy
                // of the parts becomes one again.
                drop(unsafe { first.into_waker() });
            }
            replaced
        } else {
            channel.state.set_later_waker()
        };
        drop(before); // foreign code, once the new waker is in force
        waits
    }

    /// Takes no further value, and tells the sender.
    pub(super) fn close(&mut self) {
        match self.channel().state.close() {
            Close::Done => {}
            Close::WakeSender => self.wake_sender(),
        }
    }

    /// To be called after the answer `WakeSender`.
    fn wake_sender(&self) {
        // SAFETY: the sender's waker was set when the receiver closed, and this end is not gone:
        // both ends only read it (rule 4).
        unsafe { wake_by_ref(&self.channel().sender_waker) };
    }

    /// Gives back a waker in the later place.
    fn take_back_later_waker(&self) -> Option<Waker> {
        let channel = self.channel();
        if !self.look().has_later_waker() || !channel.state.take_back_later_waker() {
            return None;
        }
        // SAFETY: the place is the receiver's again (rule 3).
        unsafe { replace(&channel.later_waker, None) }
    }
}

impl<T> Drop for ReceiverEnd<T> {
    fn drop(&mut self) {
        // Dropped last, since that is foreign code.
        let _unused = self.take_back_later_waker();
        let channel = self.0;
        // SAFETY: 1. this end is not gone yet. 2. The state calls this when `FIRST_WAKER` is set.
        let copy = move || unsafe { copy_first_waker(channel) };
        let left = match self.channel().state.drop_receiver(copy) {
            DropReceiver::WakeSender => {
                // Goes when it is dropped.
                let end = ReceiverEnd(self.0);
                end.wake_sender();
                return;
            }
            DropReceiver::Gone(left) => left,
            DropReceiver::Last(left) => {
                // SAFETY: `Last` was answered to this end (rule 5).
                unsafe { free(self.0) };
                left
            }
        };
        if let Some(parts) = left {
            // SAFETY: the waker is the receiver's (rule 2), and no copy of the parts becomes one
            // again.
            drop(unsafe { parts.into_waker() });
        }
    }
}

impl From<Waker> for WakerParts {
    fn from(waker: Waker) -> Self {
        let waker = ManuallyDrop::new(waker);
        Self { data: waker.data(), vtable: waker.vtable() }
    }
}

impl WakerParts {
    /// Whether the waker that these were taken from wakes what `waker` does.
    fn is_of(self, waker: &Waker) -> bool {
        self.data == waker.data() && std::ptr::eq(self.vtable, waker.vtable())
    }

    /// Makes the waker again.
    ///
    /// # Safety
    ///
    /// 1. The caller owns the waker that these were taken from.
    /// 2. No other copy of these parts becomes a waker again.
    unsafe fn into_waker(self) -> Waker {
        // SAFETY: the parts were taken from a waker that was not dropped, and are given to one
        // new waker only, by the caller's promises.
        unsafe { Waker::new(self.data, self.vtable) }
    }
}

/// Copies what is in the first waker's place.
///
/// # Safety
///
/// 1. The channel is alive.
/// 2. `FIRST_WAKER` was seen set: the place is written, and only read from then on (rule 2).
unsafe fn copy_first_waker<T>(channel: NonNull<Channel<T>>) -> WakerParts {
    // SAFETY: 1.
    let channel = unsafe { channel.as_ref() };
    // SAFETY: 2.
    let parts = channel.first_waker.with(|first| unsafe { *first });
    parts.unwrap_or_else(|| unreachable!("the place is written before its bit is set"))
}

/// Puts something into a place, and gives back what was there.
///
/// # Safety
///
/// The place is the caller's to write until this returns.
unsafe fn replace<P>(place: &UnsafeCell<Option<P>>, content: Option<P>) -> Option<P> {
    // SAFETY: by the caller's promise nobody else touches the place.
    place.with_mut(|place| unsafe { place.replace(content) })
}

/// Whether the waker in a place wakes what `waker` does.
///
/// # Safety
///
/// Nobody writes the place until this returns.
unsafe fn will_wake(place: &UnsafeCell<Option<Waker>>, waker: &Waker) -> bool {
    place.with(|place| {
        // SAFETY: by the caller's promise nobody writes the place.
        let place = unsafe { &*place };
        place.as_ref().is_some_and(|own| own.will_wake(waker))
    })
}

/// Wakes by the waker in a place, which stays.
///
/// # Safety
///
/// Nobody writes the place until this returns.
unsafe fn wake_by_ref(place: &UnsafeCell<Option<Waker>>) {
    place.with(|place| {
        // SAFETY: by the caller's promise nobody writes the place.
        let place = unsafe { &*place };
        place.iter().for_each(|waker| guard_waker(|| waker.wake_by_ref()));
    });
}

/// Frees the allocation, with what is left in it.
///
/// # Safety
///
/// `Last` was answered to the caller's end, which touches the channel no more.
unsafe fn free<T>(channel: NonNull<Channel<T>>) {
    // SAFETY: made by `Box::leak` in `allocate`; both ends are gone (rule 5), and `Last` is
    // answered once.
    drop(unsafe { Box::from_raw(channel.as_ptr()) });
}
