//! Slices in pieces of one length.

use super::Split;
use std::mem;

/// The chunks of a slice; given by [`chunks`].
#[derive(Clone, Debug)]
pub struct Chunks<'a, T> {
    /// What has not been given.
    rest: &'a [T],
    /// How long each chunk is, but for the last one.
    size: usize,
}

/// The chunks of a mutable slice; given by [`chunks_mut`].
#[derive(Debug)]
pub struct ChunksMut<'a, T> {
    /// What has not been given.
    rest: &'a mut [T],
    /// How long each chunk is, but for the last one.
    size: usize,
}

/// The chunks of a slice, of `size` items each; the last one may be shorter.
///
/// # Panics
///
/// If `size` is zero.
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let sums = par::map(par::chunks(&[1, 2, 3, 4, 5], 2), |chunk| chunk.iter().sum::<i32>());
/// assert_eq!(sums, [3, 7, 5]);
/// ```
#[track_caller]
pub fn chunks<T>(slice: &[T], size: usize) -> Chunks<'_, T> {
    assert_ne!(size, 0, "a chunk must have one item at least");
    Chunks { rest: slice, size }
}

/// As [`chunks`], to be changed.
///
/// # Panics
///
/// If `size` is zero.
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let mut numbers = [3, 1, 2, 5, 4];
/// par::for_each(par::chunks_mut(&mut numbers, 3), |chunk| chunk.sort());
/// assert_eq!(numbers, [1, 2, 3, 4, 5]);
/// ```
#[track_caller]
pub fn chunks_mut<T>(slice: &mut [T], size: usize) -> ChunksMut<'_, T> {
    assert_ne!(size, 0, "a chunk must have one item at least");
    ChunksMut { rest: slice, size }
}

impl<'a, T> Iterator for Chunks<'a, T> {
    type Item = &'a [T];

    fn next(&mut self) -> Option<&'a [T]> {
        if self.rest.is_empty() {
            return None;
        }
        let (chunk, rest) = self.rest.split_at(self.size.min(self.rest.len()));
        self.rest = rest;
        Some(chunk)
    }
}

impl<'a, T> Iterator for ChunksMut<'a, T> {
    type Item = &'a mut [T];

    fn next(&mut self) -> Option<&'a mut [T]> {
        if self.rest.is_empty() {
            return None;
        }
        let middle = self.size.min(self.rest.len());
        let (chunk, rest) = mem::take(&mut self.rest).split_at_mut(middle);
        self.rest = rest;
        Some(chunk)
    }
}

impl<T: Sync> Split for Chunks<'_, T> {
    fn remaining(&self) -> usize {
        self.rest.len().div_ceil(self.size)
    }

    fn split_off(&mut self, at: usize) -> Self {
        let (first, second) = self.rest.split_at(items(at, self.size).min(self.rest.len()));
        self.rest = first;
        Self { rest: second, size: self.size }
    }
}

impl<T: Send> Split for ChunksMut<'_, T> {
    fn remaining(&self) -> usize {
        self.rest.len().div_ceil(self.size)
    }

    fn split_off(&mut self, at: usize) -> Self {
        let middle = items(at, self.size).min(self.rest.len());
        let (first, second) = mem::take(&mut self.rest).split_at_mut(middle);
        self.rest = first;
        Self { rest: second, size: self.size }
    }
}

/// How many items are in so many chunks; where that cannot be counted, more than a slice has.
fn items(chunks: usize, size: usize) -> usize {
    chunks.saturating_mul(size)
}
