//! The parallel merge sort: parts are sorted where they are, and merged from one slice into another
//! and back.
//!
//! Elements are moved by copying their bits, so at any time one of the two slices *has* an element and
//! what the other holds of it is nothing. Three rules see to it that none is lost or doubled, also
//! where a comparison panics:
//!
//! 1. A call of `Sorting::sort` ends, or unwinds, with all elements of its part in the slice that was
//!    said; in order only where it ends.
//! 2. A [`Merge`] is the duty to do that for two runs: whatever it has not merged when it is
//!    dropped it copies.
//! 3. What was copied is compared no more: a comparison may change an element, by a `Cell`.

use crate::fork::join;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::{ptr, slice};

/// Parts of at most so many elements are sorted, and merged, by one thread. Merging a level more costs as
/// much as sorting one more, so parts could be smaller; tests see every step of few elements.
pub(super) const PART: usize = if cfg!(test) { 8 } else { 1 << 16 };

/// Sorts by merging parts that `sort_part` has sorted.
pub(super) fn sort<T: Send>(
    items: &mut [T],
    is_less: &(impl Fn(&T, &T) -> bool + Sync),
    sort_part: &(impl Fn(&mut [T]) + Sync),
) {
    if items.len() <= PART || size_of::<T>() == 0 {
        return sort_part(items);
    }
    let mut buffer = Box::new_uninit_slice(items.len());
    // SAFETY: of one layout. That all of them are initialised again at the end, each once, also where
    // this unwinds, is the first rule.
    let items = unsafe { &mut *(ptr::from_mut(items) as *mut [MaybeUninit<T>]) };
    Sorting { is_less, sort_part }.sort(items, &mut buffer, Place::Here);
}

/// Where the elements of a part are to be in the end.
#[derive(Clone, Copy)]
enum Place {
    /// Where they are.
    Here,
    /// In the other slice.
    There,
}

/// What all parts have in common.
struct Sorting<'a, L, S> {
    /// Whether one element comes before another.
    is_less: &'a L,
    /// Sorts a small part.
    sort_part: &'a S,
}

impl<L, S> Sorting<'_, L, S> {
    /// Sorts the elements that are in `here`, with room for as many in `there`.
    fn sort<T: Send>(&self, here: &mut [MaybeUninit<T>], there: &mut [MaybeUninit<T>], place: Place)
    where
        L: Fn(&T, &T) -> bool + Sync,
        S: Fn(&mut [T]) + Sync,
    {
        let middle = here.len() / 2;
        let (sorted, merge) = if here.len() <= PART {
            // SAFETY: of one layout, and initialised: the elements are here.
            let part = unsafe { &mut *(ptr::from_mut(here) as *mut [T]) };
            let sorted = catch_unwind(AssertUnwindSafe(|| (self.sort_part)(part)));
            match place {
                Place::Here => return sorted.unwrap_or_else(|panic| resume_unwind(panic)),
                Place::There => (sorted, Merge::new(here, &mut [], there)),
            }
        } else {
            let opposite = match place {
                Place::Here => Place::There,
                Place::There => Place::Here,
            };
            let (here_1, here_2) = here.split_at_mut(middle);
            let (there_1, there_2) = there.split_at_mut(middle);
            let sorted = catch_unwind(AssertUnwindSafe(|| {
                join(
                    || self.sort(here_1, there_1, opposite),
                    || self.sort(here_2, there_2, opposite),
                );
            }));
            let merge = match place {
                Place::Here => Merge::new(there_1, there_2, here),
                Place::There => Merge::new(here_1, here_2, there),
            };
            (sorted, merge)
        };
        match sorted {
            Ok(()) => merge.run(self.is_less),
            Err(panic) => {
                drop(merge);
                resume_unwind(panic)
            }
        }
    }
}

/// Two runs, each in order, on their way into one.
struct Merge<'a, T> {
    /// The run that comes first where elements are equal.
    left: *const T,
    /// Its end.
    left_end: *const T,
    /// The other run.
    right: *const T,
    /// Its end.
    right_end: *const T,
    /// Where the next element goes; there is room for all of them, apart from both runs.
    into: *mut T,
    /// The runs and the room are its own.
    slices: PhantomData<&'a mut [T]>,
}

// SAFETY: as a mutable slice.
unsafe impl<T: Send> Send for Merge<'_, T> {}

impl<'a, T> Merge<'a, T> {
    /// The elements of both runs are in these slices, and in the merge's hands from now on.
    fn new(
        left: &'a mut [MaybeUninit<T>],
        right: &'a mut [MaybeUninit<T>],
        into: &'a mut [MaybeUninit<T>],
    ) -> Self {
        assert_eq!(left.len() + right.len(), into.len());
        let (left, right) = (left.as_mut_ptr_range(), right.as_mut_ptr_range());
        Self {
            left: left.start.cast(),
            left_end: left.end.cast(),
            right: right.start.cast(),
            right_end: right.end.cast(),
            into: into.as_mut_ptr().cast(),
            slices: PhantomData,
        }
    }

    fn left_len(&self) -> usize {
        // SAFETY: of one slice, and in this order.
        unsafe { self.left_end.offset_from(self.left) as usize }
    }

    fn right_len(&self) -> usize {
        // SAFETY: of one slice, and in this order.
        unsafe { self.right_end.offset_from(self.right) as usize }
    }

    fn left(&self) -> &[T] {
        // SAFETY: what is left of the run.
        unsafe { slice::from_raw_parts(self.left, self.left_len()) }
    }

    fn right(&self) -> &[T] {
        // SAFETY: what is left of the run.
        unsafe { slice::from_raw_parts(self.right, self.right_len()) }
    }

    /// Merges.
    fn run(self, is_less: &(impl Fn(&T, &T) -> bool + Sync))
    where
        T: Send,
    {
        let in_order = match (self.left().last(), self.right().first()) {
            (Some(left), Some(right)) => !is_less(right, left),
            _ => true,
        };
        if in_order {
            // Copied as it is, where it is dropped.
            return;
        }
        let large = self.left_len() + self.right_len() > PART;
        let (first, second) = self.split(is_less);
        if large {
            join(|| first.run(is_less), || second.run(is_less));
        } else {
            first.run_beside(second, is_less);
        }
    }

    /// Makes two of it, about as large, of which all that is in the first comes before all that is in
    /// the second.
    fn split(self, is_less: &impl Fn(&T, &T) -> bool) -> (Self, Self) {
        let (left, right) = (self.left(), self.right());
        // What is equal to an element of the left run and to one of the right comes in that order.
        let (in_left, in_right) = if left.len() >= right.len() {
            let middle = left.len() / 2;
            (middle, right.partition_point(|element| is_less(element, &left[middle])))
        } else {
            let middle = right.len() / 2;
            (left.partition_point(|element| !is_less(&right[middle], element)), middle)
        };
        assert!(in_left <= left.len() && in_right <= right.len());
        // Both take the duty over.
        let whole = ManuallyDrop::new(self);
        // SAFETY: not more than the run has.
        let left = unsafe { whole.left.add(in_left) };
        // SAFETY: as above.
        let right = unsafe { whole.right.add(in_right) };
        // SAFETY: not more than both runs have.
        let into = unsafe { whole.into.add(in_left + in_right) };
        let first = Self { left_end: left, right_end: right, ..*whole };
        (first, Self { left, right, into, ..*whole })
    }

    /// Merges two, a step of each in turn: neither has to wait for what the other has loaded.
    fn run_beside(mut self, mut other: Self, is_less: &impl Fn(&T, &T) -> bool) {
        loop {
            let steps = self.sure_steps().min(other.sure_steps());
            if steps == 0 {
                break;
            }
            for _ in 0..steps {
                // SAFETY: there are so many steps for sure.
                unsafe { self.step(is_less) };
                // SAFETY: as above.
                unsafe { other.step(is_less) };
            }
        }
        self.run_alone(is_less);
        other.run_alone(is_less);
    }

    fn run_alone(mut self, is_less: &impl Fn(&T, &T) -> bool) {
        loop {
            let steps = self.sure_steps();
            if steps == 0 {
                break;
            }
            for _ in 0..steps {
                // SAFETY: there are so many steps for sure.
                unsafe { self.step(is_less) };
            }
        }
    }

    /// How many steps there are until one of the runs can be empty.
    fn sure_steps(&self) -> usize {
        self.left_len().min(self.right_len())
    }

    /// Moves one element.
    ///
    /// # Safety
    ///
    /// Neither run is empty.
    #[inline(always)]
    unsafe fn step(&mut self, is_less: &impl Fn(&T, &T) -> bool) {
        // SAFETY: the run is not empty.
        let left = unsafe { &*self.left };
        // SAFETY: the run is not empty.
        let right = unsafe { &*self.right };
        // Without a branch on it, which could not be foreseen.
        let takes_right = is_less(right, left);
        let next: *const T = if takes_right { right } else { left };
        // SAFETY: there is room for all of them, and this one is counted as moved below.
        unsafe { ptr::copy_nonoverlapping(next, self.into, 1) };
        // SAFETY: as above.
        self.into = unsafe { self.into.add(1) };
        // SAFETY: the run is not empty.
        self.left = unsafe { self.left.add(usize::from(!takes_right)) };
        // SAFETY: the run is not empty.
        self.right = unsafe { self.right.add(usize::from(takes_right)) };
    }
}

impl<T> Drop for Merge<'_, T> {
    fn drop(&mut self) {
        let (left, right) = (self.left_len(), self.right_len());
        // SAFETY: there is room for all of them.
        unsafe { ptr::copy_nonoverlapping(self.left, self.into, left) };
        // SAFETY: the room for those of the left run comes first.
        let into = unsafe { self.into.add(left) };
        // SAFETY: there is room for all of them.
        unsafe { ptr::copy_nonoverlapping(self.right, into, right) };
    }
}
