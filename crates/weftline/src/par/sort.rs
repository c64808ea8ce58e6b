//! Sorting: parts by std's sort, then merges, both by `join`.

use super::merge;
use std::cmp::Ordering;

/// Sorts a slice; items that are equal keep their order.
///
/// It takes as much memory again as the slice does, and gives it back.
///
/// # Panics
///
/// If comparing does; the slice has all of its items then, in some order. Where comparing does not
/// give a total order the order is any, or it panics.
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let mut numbers: Vec<u32> = (0..100_000).rev().collect();
/// weftline::run(async { par::sort(&mut numbers) });
/// assert!(numbers.is_sorted());
/// ```
pub fn sort<T: Ord + Send>(items: &mut [T]) {
    merge::sort(items, &T::lt, &<[T]>::sort);
}

/// As [`sort`](sort()), by a comparison.
///
/// # Panics
///
/// As [`sort`](sort()).
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let mut numbers = [0.5, -1.0, 2.5];
/// par::sort_by(&mut numbers, |a, b| f64::total_cmp(b, a));
/// assert_eq!(numbers, [2.5, 0.5, -1.0]);
/// ```
pub fn sort_by<T: Send>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Sync) {
    let is_less = |a: &T, b: &T| compare(a, b) == Ordering::Less;
    merge::sort(items, &is_less, &|part: &mut [T]| part.sort_by(&compare));
}

/// As [`sort`](sort()), by a key of each item, which is made anew for each comparison.
///
/// # Panics
///
/// As [`sort`](sort()), and if `key` does.
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let mut words = ["shuttle", "weft", "loom", "yarn"];
/// par::sort_by_key(&mut words, |word| word.len());
/// assert_eq!(words, ["weft", "loom", "yarn", "shuttle"]);
/// ```
pub fn sort_by_key<T: Send, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K + Sync) {
    merge::sort(items, &|a, b| key(a) < key(b), &|part: &mut [T]| part.sort_by_key(&key));
}

/// Sorts a slice; items that are equal may change their order, which is faster as a rule.
///
/// It takes as much memory again as the slice does, and gives it back.
///
/// # Panics
///
/// As [`sort`](sort()).
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let mut numbers = [3, 1, 2];
/// par::sort_unstable(&mut numbers);
/// assert_eq!(numbers, [1, 2, 3]);
/// ```
pub fn sort_unstable<T: Ord + Send>(items: &mut [T]) {
    merge::sort(items, &T::lt, &<[T]>::sort_unstable);
}

/// As [`sort_unstable`], by a comparison.
///
/// # Panics
///
/// As [`sort`](sort()).
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let mut numbers = [3, 1, 2];
/// par::sort_unstable_by(&mut numbers, |a, b| b.cmp(a));
/// assert_eq!(numbers, [3, 2, 1]);
/// ```
pub fn sort_unstable_by<T: Send>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Sync) {
    let is_less = |a: &T, b: &T| compare(a, b) == Ordering::Less;
    merge::sort(items, &is_less, &|part: &mut [T]| part.sort_unstable_by(&compare));
}

/// As [`sort_unstable`], by a key of each item, which is made anew for each comparison.
///
/// # Panics
///
/// As [`sort`](sort()), and if `key` does.
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let mut numbers = [-3, 1, 2_i32];
/// par::sort_unstable_by_key(&mut numbers, |number| number.abs());
/// assert_eq!(numbers, [1, 2, -3]);
/// ```
pub fn sort_unstable_by_key<T: Send, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K + Sync) {
    merge::sort(items, &|a, b| key(a) < key(b), &|part: &mut [T]| part.sort_unstable_by_key(&key));
}
