//! One registered descriptor: what is known of its readiness, and who waits for it.
//!
//! Readiness is cached in one atomic word with a tick that counts events. An operation that finds
//! the descriptor not ready after all takes back exactly what it saw, by naming the tick: an event
//! that came meanwhile has a newer tick and stays. Waiters are under a lock; the word is looked at
//! again under that lock before a waiter is left, and events change the word before they take it,
//! so that no event falls between looking and waiting.

use super::Key;
use crate::platform::Mutex;
use crate::platform::atomic::{AtomicU32, Ordering};
use crate::platform::poller::{Event, Interest};
use slab::Slab;
use std::task::{Poll, Waker};

/// The two things one waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// There is something to read or to accept.
    Read = 0,
    /// There is room to write, or a connection is made.
    Write = 1,
}

/// What a new source is taken to be before its first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assume {
    /// Try first, wait when that fails: right where trying tells.
    Ready,
    /// Try to write first, wait for something to read: right for what was just connected.
    Writable,
    /// Wait for the first event.
    NotReady,
}

/// Why readiness is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    /// The kernel said so: nothing is ready, not even an end of stream.
    WouldBlock,
    /// A read or write moved less than it could have: whatever was ready is used up, but an end,
    /// an error or urgent data may stand behind it.
    Short,
}

/// A snapshot of a source's readiness, and the evidence needed to take it back.
///
/// ```text
///  31                              8 7     5    4        3           2          1        0
/// +---------------------------------+-------+--------+-----------+----------+---------+--------+
/// |              tick               |   -   | CLOSED |WRITE_LASTS|READ_LASTS|  WRITE  |  READ  |
/// +---------------------------------+-------+--------+-----------+----------+---------+--------+
/// ```
///
/// `READ`, `WRITE`: the operation may succeed. `READ_LASTS`, `WRITE_LASTS`: it may succeed even
/// after a short one, see [`Because::Short`]. `CLOSED`: the runtime has ended. The tick counts
/// events and wraps; a snapshot 16 million events old is the price of a lost wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readiness(u32);

impl Readiness {
    const READ: u32 = 1;
    const WRITE: u32 = 1 << 1;
    const READ_LASTS: u32 = 1 << 2;
    const WRITE_LASTS: u32 = 1 << 3;
    const CLOSED: u32 = 1 << 4;
    const ONE_TICK: u32 = 1 << 8;
    const TICKS: u32 = !(Self::ONE_TICK - 1);

    fn new(assume: Assume) -> Self {
        match assume {
            Assume::Ready => Self(Self::READ | Self::WRITE),
            Assume::Writable => Self(Self::WRITE),
            Assume::NotReady => Self(0),
        }
    }

    /// The runtime has ended.
    #[inline]
    pub(crate) fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }

    /// Whether to try: the operation may succeed, or will fail with a reason.
    #[inline]
    pub(crate) fn allows(self, direction: Direction) -> bool {
        let bits = match direction {
            Direction::Read => Self::READ | Self::READ_LASTS | Self::CLOSED,
            Direction::Write => Self::WRITE | Self::WRITE_LASTS | Self::CLOSED,
        };
        self.0 & bits != 0
    }

    fn is_same_tick(self, other: Self) -> bool {
        (self.0 ^ other.0) & Self::TICKS == 0
    }

    fn after(self, event: &Event) -> Self {
        let mut bits = self.0;
        for (happened, bit) in [
            (event.readable, Self::READ),
            (event.writable, Self::WRITE),
            (event.readable_lasts, Self::READ_LASTS),
            (event.writable_lasts, Self::WRITE_LASTS),
        ] {
            if happened {
                bits |= bit;
            }
        }
        Self(bits.wrapping_add(Self::ONE_TICK))
    }

    fn without(self, direction: Direction, because: Because) -> Self {
        let bits = match (direction, because) {
            (Direction::Read, Because::Short) => Self::READ,
            (Direction::Read, Because::WouldBlock) => Self::READ | Self::READ_LASTS,
            (Direction::Write, Because::Short) => Self::WRITE,
            (Direction::Write, Because::WouldBlock) => Self::WRITE | Self::WRITE_LASTS,
        };
        Self(self.0 & !bits)
    }
}

/// One registered descriptor.
#[derive(Debug)]
pub(crate) struct Source {
    /// Names this source in the driver's table and in the kernel's events.
    key: Key,
    /// A [`Readiness`].
    readiness: AtomicU32,
    /// Who is to be woken by the next event.
    waiters: Mutex<Waiters>,
}

/// Who waits for one source.
#[derive(Debug, Default)]
struct Waiters {
    /// By direction: the task that polled last through a poll-style function. Events empty them.
    slots: [Option<Waker>; 2],
    /// Futures that wait, any number of them. Events leave the entries, without their wakers.
    list: Slab<Waiter>,
}

/// One future that waits.
#[derive(Debug)]
struct Waiter {
    /// What it waits for.
    direction: Direction,
    /// Whom to wake; none once woken.
    waker: Option<Waker>,
}

/// The place of one future in the list of those that wait; to be given back.
#[derive(Debug)]
pub(crate) struct WaiterKey(usize);

impl Source {
    pub(super) fn new(key: Key, assume: Assume) -> Self {
        Self {
            key,
            readiness: AtomicU32::new(Readiness::new(assume).0),
            waiters: Mutex::new(Waiters::default()),
        }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// What is known now.
    #[inline]
    pub(crate) fn readiness(&self) -> Readiness {
        // Acquire: pairs with the Release in `change`, so that what the driver did before it
        // recorded an event or the end of the runtime has happened for whoever acts on it.
        Readiness(self.readiness.load(Ordering::Acquire))
    }

    /// Ready, or `waker` is left as the one to wake for `direction` in place of the last one.
    pub(crate) fn poll_ready(&self, direction: Direction, waker: &Waker) -> Poll<Readiness> {
        let seen = self.readiness();
        if seen.allows(direction) {
            return Poll::Ready(seen);
        }
        // Cloned before the lock and dropped after it: wakers are foreign code.
        let waker = waker.clone();
        let mut waiters = self.waiters.lock();
        // Again, under the lock: an event that is not in this snapshot takes the lock after us
        // and finds the waker.
        let seen = self.readiness();
        if seen.allows(direction) {
            drop(waiters);
            return Poll::Ready(seen);
        }
        let replaced = waiters.slots[direction as usize].replace(waker);
        drop(waiters);
        drop(replaced);
        Poll::Pending
    }

    /// Ready, or `waker` is left in the list under `place`, which is filled on the first call.
    /// The caller gives the place back through [`Source::forget`].
    pub(crate) fn poll_listed(
        &self,
        direction: Direction,
        place: &mut Option<WaiterKey>,
        waker: &Waker,
    ) -> Poll<Readiness> {
        let seen = self.readiness();
        if seen.allows(direction) {
            return Poll::Ready(seen);
        }
        let waker = Some(waker.clone());
        let mut waiters = self.waiters.lock();
        // Again, under the lock, as in `poll_ready`.
        let seen = self.readiness();
        if seen.allows(direction) {
            drop(waiters);
            return Poll::Ready(seen);
        }
        let replaced = match place {
            Some(WaiterKey(index)) => std::mem::replace(&mut waiters.list[*index].waker, waker),
            None => {
                *place = Some(WaiterKey(waiters.list.insert(Waiter { direction, waker })));
                None
            }
        };
        drop(waiters);
        drop(replaced);
        Poll::Pending
    }

    /// Takes a future out of the list.
    pub(crate) fn forget(&self, WaiterKey(index): WaiterKey) {
        let waiter = self.waiters.lock().list.remove(index);
        drop(waiter);
    }

    /// Takes back the readiness that `seen` showed for `direction`, unless an event came since.
    pub(crate) fn clear(&self, direction: Direction, seen: Readiness, because: Because) {
        self.change(|now| now.is_same_tick(seen).then(|| now.without(direction, because)));
    }

    /// Records an event and appends the wakers it concerns. An event disarms a one-shot source in
    /// both directions, so whoever waits for the other one is woken as well, to arm it again.
    pub(super) fn deliver(&self, event: Event, one_shot: bool, wakers: &mut Vec<Waker>) {
        self.change(|now| Some(now.after(&event)));
        let mut waiters = self.waiters.lock();
        if event.readable || one_shot {
            waiters.take(Direction::Read, wakers);
        }
        if event.writable || one_shot {
            waiters.take(Direction::Write, wakers);
        }
    }

    /// Marks the source closed and appends all wakers.
    pub(super) fn close(&self, wakers: &mut Vec<Waker>) {
        self.change(|now| Some(Readiness(now.0 | Readiness::CLOSED)));
        let mut waiters = self.waiters.lock();
        waiters.take(Direction::Read, wakers);
        waiters.take(Direction::Write, wakers);
    }

    /// Calls `arm` with what is waited for. Under the lock, so that of two callers the one that
    /// sees more waiters arms last.
    pub(super) fn with_interest<R>(&self, arm: impl FnOnce(Interest) -> R) -> R {
        let waiters = self.waiters.lock();
        let (readable, writable) = (waiters.any(Direction::Read), waiters.any(Direction::Write));
        arm(Interest { readable, writable })
    }

    /// Replaces the word by what `next` makes of it; `None` leaves it.
    fn change(&self, mut next: impl FnMut(Readiness) -> Option<Readiness>) {
        // Release: pairs with the Acquire in `readiness`. Relaxed on failure and for the first
        // look: `next` depends on nothing but the word.
        let _ = self.readiness.fetch_update(Ordering::Release, Ordering::Relaxed, |bits| {
            next(Readiness(bits)).map(|readiness| readiness.0)
        });
    }
}

impl Waiters {
    fn take(&mut self, direction: Direction, wakers: &mut Vec<Waker>) {
        wakers.extend(self.slots[direction as usize].take());
        for (_, waiter) in &mut self.list {
            if waiter.direction == direction {
                wakers.extend(waiter.waker.take());
            }
        }
    }

    fn any(&self, direction: Direction) -> bool {
        self.slots[direction as usize].is_some()
            || self
                .list
                .iter()
                .any(|(_, waiter)| waiter.direction == direction && waiter.waker.is_some())
    }
}
