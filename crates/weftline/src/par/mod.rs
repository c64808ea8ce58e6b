//! Data parallelism: a call for each of many items, on all workers.
//!
//! | function | what it does |
//! |---|---|
//! | [`for_each`] | calls a function for each item |
//! | [`map`] | collects what a function makes of each item, in order |
//! | [`try_for_each`], [`try_map`] | the same, ended by the first error |
//! | [`sum`], [`reduce`], [`fold`] | make one value of all items |
//! | [`sort`](sort()) and its kin | sort a slice |
//!
//! Items are those of a slice, a mutable slice, a vector, or a range of integers (`a..b`, and not `a..=b`);
//! [`chunks`](chunks()), [`chunks_mut`], [`enumerate`] and [`zip`] make others of them. What another iterator
//! gives is collected first. All of it is made of
//! [`join`](crate::join()), may be called wherever that may, and borrows and panics as that does. There
//! is no least size to choose: items are worked off in order by the calling thread, which gives half
//! of what is left away whenever a worker has nothing to do.
//!
//! In a task, long work belongs into [`compute`](crate::compute), so that the worker which polls the
//! task has company at once. [`try_for_each`] shows how such work ends when its task is to.
//!
//! # Examples
//!
//! ```
//! use weftline::par;
//!
//! weftline::run(async {
//!     let words = ["weft", "line", "warp", "shuttle"];
//!     let letters = weftline::compute(move || par::sum(&words, |word| word.len()));
//!     assert_eq!(letters.await.unwrap(), 19);
//! });
//! ```
//!
//! A picture in place, row by row:
//!
//! ```
//! use weftline::par;
//!
//! let (width, height) = (64, 48);
//! let mut pixels = vec![0_u8; width * height];
//! par::for_each(par::enumerate(par::chunks_mut(&mut pixels, width)), |(y, row)| {
//!     row.fill(y as u8);
//! });
//! assert_eq!(pixels[10 * width], 10);
//! ```

mod chunks;
mod drive;
mod fallible;
#[expect(unsafe_code, reason = "elements are moved between two slices by their bits")]
mod merge;
#[cfg(feature = "orx-parallel")]
mod orx;
mod sort;
mod split;
#[cfg(test)]
mod tests;

pub use chunks::{Chunks, ChunksMut, chunks, chunks_mut};
pub use fallible::{try_for_each, try_map};
pub use sort::{sort, sort_by, sort_by_key, sort_unstable, sort_unstable_by, sort_unstable_by_key};
pub use split::{Enumerate, Split, Zip, enumerate, zip};

use drive::drive;
use std::iter;

/// Calls `act` for each item.
///
/// # Panics
///
/// If `act` does, once all calls that have begun have ended; not every item has seen one then.
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let mut numbers = vec![1, 2, 3];
/// par::for_each(&mut numbers, |number| *number *= 10);
/// assert_eq!(numbers, [10, 20, 30]);
/// ```
pub fn for_each<I>(items: I, act: impl Fn(I::Item) + Sync)
where
    I: IntoIterator<IntoIter: Split>,
{
    fold(items, || (), |(), item| act(item), |(), ()| ());
}

/// Gives what `make` makes of each item, in the order of the items.
///
/// # Panics
///
/// As [`for_each`].
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// assert_eq!(par::map(0..5, |n| n * n), [0, 1, 4, 9, 16]);
/// ```
pub fn map<I, R>(items: I, make: impl Fn(I::Item) -> R + Sync) -> Vec<R>
where
    I: IntoIterator<IntoIter: Split>,
    R: Send,
{
    let push = |mut made: Vec<R>, item| {
        made.push(make(item));
        made
    };
    let append = |mut made: Vec<R>, mut more| {
        made.append(&mut more);
        made
    };
    drive(items.into_iter(), Vec::with_capacity, push, append)
}

/// Adds up what `make` makes of each item.
///
/// Floating point numbers are added in an order that is not the same each time.
///
/// # Panics
///
/// As [`for_each`]; and where adding overflows, in builds that check that.
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let numbers: Vec<u64> = (1..=1000).collect();
/// assert_eq!(par::sum(&numbers, |&number| number), 500_500);
/// ```
pub fn sum<I, R>(items: I, make: impl Fn(I::Item) -> R + Sync) -> R
where
    I: IntoIterator<IntoIter: Split>,
    R: iter::Sum + Send,
{
    let add = |sum: R, more: R| [sum, more].into_iter().sum();
    fold(items, || iter::empty().sum(), |sum, item| add(sum, make(item)), add)
}

/// Combines what `make` makes of each item, two values at a time; `None` where there are no items.
///
/// Values that stand beside each other are combined, the one that comes first being the first argument.
/// Which are combined first is not the same each time.
///
/// # Panics
///
/// As [`for_each`].
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let words = ["weft", "line", "shuttle"];
/// assert_eq!(par::reduce(&words, |word| word.len(), usize::max), Some(7));
/// let all = par::reduce(&words, |word| word.to_string(), |a, b| a + &b);
/// assert_eq!(all.unwrap(), "weftlineshuttle");
/// assert_eq!(par::reduce(0..0, |n| n, |a, _| a), None);
/// ```
pub fn reduce<I, R>(
    items: I,
    make: impl Fn(I::Item) -> R + Sync,
    combine: impl Fn(R, R) -> R + Sync,
) -> Option<R>
where
    I: IntoIterator<IntoIter: Split>,
    R: Send,
{
    let either = |first, second| match (first, second) {
        (Some(first), Some(second)) => Some(combine(first, second)),
        (first, second) => first.or(second),
    };
    fold(items, || None, |so_far, item| either(so_far, Some(make(item))), either)
}

/// Takes the items into values, which begin as `begin()`, and combines the values.
///
/// There are as many values as the work came to have parts, one at least. Each part is a run of items in
/// their order, and `combine` gets the values of two that stand beside each other.
///
/// # Panics
///
/// As [`for_each`].
///
/// # Examples
///
/// How often each letter comes:
///
/// ```
/// use weftline::par;
///
/// let words = ["weft", "line"];
/// let count = par::fold(
///     &words,
///     || [0; 26],
///     |mut count, word| {
///         word.bytes().for_each(|letter| count[usize::from(letter - b'a')] += 1);
///         count
///     },
///     |a, b| std::array::from_fn(|letter| a[letter] + b[letter]),
/// );
/// assert_eq!(count[usize::from(b'e' - b'a')], 2);
/// ```
pub fn fold<I, A>(
    items: I,
    begin: impl Fn() -> A + Sync,
    take: impl Fn(A, I::Item) -> A + Sync,
    combine: impl Fn(A, A) -> A + Sync,
) -> A
where
    I: IntoIterator<IntoIter: Split>,
    A: Send,
{
    drive(items.into_iter(), |_| begin(), take, combine)
}
