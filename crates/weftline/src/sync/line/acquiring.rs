//! [`Acquiring`]: a future that takes permits of a line, in its turn.

use super::{Closed, Line, Place};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Takes permits; made by [`Line::acquire`]. Dropped before it is ready it has taken nothing, and
/// gives up its place.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Acquiring<'a> {
    /// Of which line.
    line: &'a Line,
    /// How many.
    want: usize,
    /// Where it waits.
    place: Place,
}

impl<'a> Acquiring<'a> {
    #[inline]
    pub(super) fn new(line: &'a Line, want: usize, place: Place) -> Self {
        Self { line, want, place }
    }
}

impl Future for Acquiring<'_> {
    type Output = Result<(), Closed>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.line.poll_acquire(&mut this.place, this.want, cx)
    }
}

impl Drop for Acquiring<'_> {
    #[inline]
    fn drop(&mut self) {
        self.line.leave(&mut self.place);
    }
}
