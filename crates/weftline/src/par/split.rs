//! What can be worked off by several threads: iterators that can be split.

use std::ops::Range;
use std::{mem, slice, vec};

/// Items that can be split in two.
///
/// It is implemented for the iterators of slices, mutable slices and vectors, and for ranges of
/// integers, so that the functions of [`par`](super) take `&items`, `&mut items`, `items` and
/// `0..n`. A collection of one's own joins in by an iterator that can do this.
///
/// # Examples
///
/// ```
/// use weftline::par::{self, Split};
///
/// /// The even numbers below twice `end`, from twice `start` on.
/// struct Even {
///     start: u64,
///     end: u64,
/// }
///
/// impl Iterator for Even {
///     type Item = u64;
///
///     fn next(&mut self) -> Option<u64> {
///         let half = (self.start < self.end).then_some(self.start)?;
///         self.start += 1;
///         Some(2 * half)
///     }
/// }
///
/// impl Split for Even {
///     fn remaining(&self) -> usize {
///         (self.end - self.start) as usize
///     }
///
///     fn split_off(&mut self, at: usize) -> Self {
///         let end = std::mem::replace(&mut self.end, self.start + at as u64);
///         Self { start: self.end, end }
///     }
/// }
///
/// assert_eq!(par::sum(Even { start: 0, end: 1000 }, |n| n), 999_000);
/// ```
#[diagnostic::on_unimplemented(
    message = "the items of `{Self}` cannot be split among workers",
    note = "items are those of `&slice`, `&mut slice`, a `Vec` or a range `a..b`; collect others into a `Vec` first"
)]
pub trait Split: Iterator + Send + Sized {
    /// How many items there are.
    fn remaining(&self) -> usize;

    /// Keeps the first `at` items and gives the others. `at` is not more than
    /// [`remaining`](Self::remaining).
    #[must_use = "the items that are split off are to be found there alone"]
    fn split_off(&mut self, at: usize) -> Self;

    /// Takes the first `count` items into a value. `count` is not more than
    /// [`remaining`](Self::remaining).
    ///
    /// To be implemented where [`split_off`](Self::split_off) moves items in memory.
    #[inline]
    fn fold_front<A>(&mut self, count: usize, value: A, take: impl FnMut(A, Self::Item) -> A) -> A {
        let rest = self.split_off(count);
        mem::replace(self, rest).fold(value, take)
    }
}

impl<T: Sync> Split for slice::Iter<'_, T> {
    #[inline]
    fn remaining(&self) -> usize {
        self.len()
    }

    #[inline]
    fn split_off(&mut self, at: usize) -> Self {
        let (first, second) = self.as_slice().split_at(at);
        *self = first.iter();
        second.iter()
    }
}

impl<T: Send> Split for slice::IterMut<'_, T> {
    #[inline]
    fn remaining(&self) -> usize {
        self.len()
    }

    #[inline]
    fn split_off(&mut self, at: usize) -> Self {
        let (first, second) = mem::take(self).into_slice().split_at_mut(at);
        *self = first.iter_mut();
        second.iter_mut()
    }
}

impl<T: Send> Split for vec::IntoIter<T> {
    #[inline]
    fn remaining(&self) -> usize {
        self.len()
    }

    fn split_off(&mut self, at: usize) -> Self {
        let mut first: Vec<T> = mem::take(self).collect();
        let second = first.split_off(at);
        *self = first.into_iter();
        second.into_iter()
    }

    #[inline]
    fn fold_front<A>(&mut self, count: usize, value: A, take: impl FnMut(A, T) -> A) -> A {
        self.take(count).fold(value, take)
    }
}

/// For ranges of the integers named.
macro_rules! split_ranges {
    ($($integer:ty),*) => {$(
        impl Split for Range<$integer> {
            #[inline]
            fn remaining(&self) -> usize {
                if self.is_empty() {
                    return 0;
                }
                usize::try_from(self.end.abs_diff(self.start)).unwrap_or_else(|_| {
                    panic!("{self:?} has more items than the {} that can be counted", usize::MAX)
                })
            }

            #[inline]
            fn split_off(&mut self, at: usize) -> Self {
                // What is cut off here the sum cuts off again: it lies in the range.
                let middle = self.start.wrapping_add(at as $integer);
                middle..mem::replace(&mut self.end, middle)
            }
        }
    )*};
}

split_ranges!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

/// The items of two collections in pairs; given by [`zip`].
#[derive(Clone, Debug)]
pub struct Zip<A, B> {
    /// The first of each pair.
    first: A,
    /// The second.
    second: B,
}

/// Pairs the items of one collection with those of another, as many as the shorter one has.
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let mut sums = vec![0; 3];
/// par::for_each(par::zip(&mut sums, [1, 2, 3].iter()), |(sum, n)| *sum += n);
/// assert_eq!(sums, [1, 2, 3]);
/// ```
pub fn zip<A, B>(first: A, second: B) -> Zip<A::IntoIter, B::IntoIter>
where
    A: IntoIterator<IntoIter: Split>,
    B: IntoIterator<IntoIter: Split>,
{
    Zip { first: first.into_iter(), second: second.into_iter() }
}

impl<A: Iterator, B: Iterator> Iterator for Zip<A, B> {
    type Item = (A::Item, B::Item);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.first.next()?, self.second.next()?))
    }
}

impl<A: Split, B: Split> Split for Zip<A, B> {
    #[inline]
    fn remaining(&self) -> usize {
        self.first.remaining().min(self.second.remaining())
    }

    fn split_off(&mut self, at: usize) -> Self {
        Self { first: self.first.split_off(at), second: self.second.split_off(at) }
    }

    #[inline]
    fn fold_front<V>(
        &mut self,
        count: usize,
        value: V,
        mut take: impl FnMut(V, Self::Item) -> V,
    ) -> V {
        let second = &mut self.second;
        self.first.fold_front(count, value, |value, first| match second.next() {
            Some(second) => take(value, (first, second)),
            None => value,
        })
    }
}

/// Items with their places; given by [`enumerate`].
#[derive(Clone, Debug)]
pub struct Enumerate<S> {
    /// The place of the next item.
    next: usize,
    /// The items.
    items: S,
}

/// Gives each item with its place, counted from zero.
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let labels = par::map(par::enumerate(&["a", "b"]), |(n, letter)| format!("{n}{letter}"));
/// assert_eq!(labels, ["0a", "1b"]);
/// ```
pub fn enumerate<I>(items: I) -> Enumerate<I::IntoIter>
where
    I: IntoIterator<IntoIter: Split>,
{
    Enumerate { next: 0, items: items.into_iter() }
}

impl<S: Iterator> Iterator for Enumerate<S> {
    type Item = (usize, S::Item);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let item = self.items.next()?;
        let place = self.next;
        self.next += 1;
        Some((place, item))
    }
}

impl<S: Split> Split for Enumerate<S> {
    #[inline]
    fn remaining(&self) -> usize {
        self.items.remaining()
    }

    fn split_off(&mut self, at: usize) -> Self {
        Self { next: self.next + at, items: self.items.split_off(at) }
    }

    #[inline]
    fn fold_front<A>(
        &mut self,
        count: usize,
        value: A,
        mut take: impl FnMut(A, Self::Item) -> A,
    ) -> A {
        let next = &mut self.next;
        self.items.fold_front(count, value, |value, item| {
            let place = *next;
            *next += 1;
            take(value, (place, item))
        })
    }
}
