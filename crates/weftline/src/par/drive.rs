//! How items are worked off: by halves, each a fork of the one before, down to strides.
//!
//! A stride is as many items as take about `STRIDE`, once a few have been timed, and is one loop; before
//! that it is one item. So items may be as small or as large as they like, a fork costs next to nothing
//! beside what it stands for, and there is always one to be given away where more is left than that.
//!
//! A second half that nobody has taken goes on with the value of the first one, so that values are
//! combined as often as forks were given away, not as often as there are strides.

use super::Split;
use crate::fork::{is_wanted, join};
use crate::platform::Mutex;
use crate::platform::global::{AtomicUsize, Ordering};
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// How long a stride is to take: long against a `join` and two looks at the clock, short against what
/// waking a worker takes.
const STRIDE: Duration = Duration::from_micros(10);
/// In a stride that takes longer: how many items are between two looks whether somebody waits for the
/// rest. Long against what a look costs.
const LOOK_EVERY: usize = 128;

/// Takes all items into values that `begin` gives for so many items at most, and combines those.
pub(super) fn drive<S, A, B, T, C>(items: S, begin: B, take: T, combine: C) -> A
where
    S: Split,
    A: Send,
    B: Fn(usize) -> A + Sync,
    T: Fn(A, S::Item) -> A + Sync,
    C: Fn(A, A) -> A + Sync,
{
    drive_unless(|| false, items, begin, take, combine)
}

/// As [`drive`], leaving out items from when `is_over` says so.
pub(super) fn drive_unless<O, S, A, B, T, C>(
    is_over: O,
    items: S,
    begin: B,
    take: T,
    combine: C,
) -> A
where
    O: Fn() -> bool + Sync,
    S: Split,
    A: Send,
    B: Fn(usize) -> A + Sync,
    T: Fn(A, S::Item) -> A + Sync,
    C: Fn(A, A) -> A + Sync,
{
    let value = begin(items.remaining());
    let of = PhantomData;
    Work { stride: AtomicUsize::new(1), is_over, begin, take, combine, of }.halve(items, value)
}

/// What all parts have in common.
struct Work<O, S, A, B, T, C> {
    /// So many items are a stride, as far as is known. A guess: all of its accesses are relaxed.
    stride: AtomicUsize,
    /// Whether the items that are left do not matter any more.
    is_over: O,
    /// Gives a value to begin with.
    begin: B,
    /// Takes an item into a value.
    take: T,
    /// Makes one value of two.
    combine: C,
    /// Of such items such values are made.
    of: PhantomData<fn(S) -> A>,
}

impl<O, S, A, B, T, C> Work<O, S, A, B, T, C>
where
    O: Fn() -> bool + Sync,
    S: Split,
    A: Send,
    B: Fn(usize) -> A + Sync,
    T: Fn(A, S::Item) -> A + Sync,
    C: Fn(A, A) -> A + Sync,
{
    /// Takes items into a value, the second half perhaps on another thread.
    fn halve(&self, mut items: S, value: A) -> A {
        if (self.is_over)() {
            return value;
        }
        let count = items.remaining();
        // Relaxed: a guess.
        if count <= self.stride.load(Ordering::Relaxed) {
            return self.stride(items, count, value);
        }
        let others = items.split_off(count / 2);
        let of_first = Mutex::new(None);
        let ((), of_second) = join(
            || {
                let value = self.halve(items, value);
                *of_first.lock() = Some(value);
            },
            || {
                let so_far = of_first.lock().take();
                let value = so_far.unwrap_or_else(|| (self.begin)(others.remaining()));
                self.halve(others, value)
            },
        );
        // Unless the second half has gone on with it.
        let of_first = of_first.lock().take();
        match of_first {
            Some(of_first) => (self.combine)(of_first, of_second),
            None => of_second,
        }
    }

    /// Takes the items of a stride into a value, in one loop.
    fn stride(&self, mut items: S, count: usize, mut value: A) -> A {
        let began = Instant::now();
        while items.remaining() > LOOK_EVERY {
            value = items.fold_front(LOOK_EVERY, value, &self.take);
            if (self.is_over)() {
                return value;
            }
            if is_wanted() && began.elapsed() > 2 * STRIDE {
                // They take longer than those before.
                // Relaxed: a guess.
                self.stride.store(1, Ordering::Relaxed);
                return self.halve(items, value);
            }
        }
        value = items.fold(value, &self.take);
        let took = began.elapsed();
        if took < STRIDE / 2 {
            // Relaxed: a guess.
            self.stride.fetch_max(count * 2, Ordering::Relaxed);
        } else if took > 2 * STRIDE && count > 1 {
            // Relaxed: a guess.
            self.stride.fetch_min(count / 2, Ordering::Relaxed);
        }
        value
    }
}
