//! Where operations meet the driver: one registered descriptor as the leaf types see it.
//!
//! `Watch` waits for readiness and settles what an operation came to: not ready after all means
//! taking the readiness back and waiting again. Every leaf operation of the runtime's I/O begins
//! with `Watch::begin`.

pub(crate) use crate::driver::source::{Assume, Direction};

use crate::driver::source::{Because, Readiness, Source, WaiterKey};
use crate::driver::{Driver, closed_error};
use crate::platform::poller::Descriptor;
use crate::runtime::context;
use crate::task::budget;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A descriptor's registration with the driver of one runtime.
pub(super) struct Watch {
    /// The driver it is registered with.
    driver: Arc<Driver>,
    /// What the driver knows of it.
    source: Arc<Source>,
    /// A read or write that moves less than it could have means that the descriptor is not ready
    /// any more. So for TCP where the kernel reports what comes after; not so where reads end at
    /// borders inside of what is there, as with datagrams, descriptors sent over Unix sockets and
    /// most devices.
    short_means_used_up: bool,
}

/// What kind of thing a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A TCP stream.
    PlainStream,
    /// Anything else.
    Other,
}

/// One future's place among those that wait for a descriptor, given back when dropped.
pub(crate) struct Place<'a> {
    /// The descriptor.
    source: &'a Source,
    /// The place, once the future has waited.
    key: Option<WaiterKey>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.source.forget(key);
        }
    }
}

/// How a caller waits.
pub(super) enum Waiting<'w, 'a> {
    /// As the one poll-style reader or writer; the next one takes its place.
    Slot,
    /// As one of any number of futures.
    Listed(&'w mut Place<'a>),
}

impl Watch {
    /// Registers `descriptor` with the driver of the current runtime.
    pub(super) fn new(descriptor: Descriptor<'_>, assume: Assume, kind: Kind) -> io::Result<Self> {
        let driver = context::driver()?;
        let source = driver.register(descriptor, assume)?;
        let short_means_used_up = kind == Kind::PlainStream && driver.trusts_short_operations();
        Ok(Self { driver, source, short_means_used_up })
    }

    /// Ends the registration.
    pub(super) fn end(&self, descriptor: Descriptor<'_>) {
        // A failure means that the descriptor is gone already, and its events with it.
        let _ = self.driver.deregister(&self.source, descriptor);
    }

    /// A place for one future.
    pub(super) fn place(&self) -> Place<'_> {
        Place { source: &self.source, key: None }
    }

    /// What every leaf operation asks before it works: has the task used up its time slice, so
    /// that others must run first?
    #[inline]
    pub(super) fn begin(cx: &mut Context<'_>) -> Poll<()> {
        budget::poll_proceed(cx)
    }

    /// Waits until an operation in `direction` should be tried.
    #[inline]
    pub(super) fn poll_ready(
        &self,
        descriptor: Descriptor<'_>,
        direction: Direction,
        waiting: &mut Waiting<'_, '_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Readiness>> {
        let found = match waiting {
            Waiting::Slot => self.source.poll_ready(direction, cx.waker()),
            Waiting::Listed(place) => {
                self.source.poll_listed(direction, &mut place.key, cx.waker())
            }
        };
        match found {
            Poll::Ready(seen) if seen.is_closed() => Poll::Ready(Err(closed_error())),
            Poll::Ready(seen) => Poll::Ready(Ok(seen)),
            Poll::Pending => match self.driver.arm(&self.source, descriptor) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
        }
    }

    /// Judges what an operation came to: `None` says to wait and try again. `short` says whether a
    /// success moved less than it could have.
    #[inline]
    pub(super) fn settle<R>(
        &self,
        direction: Direction,
        seen: Readiness,
        result: io::Result<R>,
        short: impl FnOnce(&R) -> bool,
    ) -> Option<io::Result<R>> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.source.clear(direction, seen, Because::WouldBlock);
                None
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Ok(value) => {
                if self.short_means_used_up && short(&value) {
                    self.source.clear(direction, seen, Because::Short);
                }
                Some(Ok(value))
            }
            failed => Some(failed),
        }
    }

    /// Tries `operation` each time the descriptor may be ready, until it is.
    #[inline]
    pub(super) fn poll_operation<R>(
        &self,
        descriptor: Descriptor<'_>,
        direction: Direction,
        mut waiting: Waiting<'_, '_>,
        cx: &mut Context<'_>,
        mut operation: impl FnMut() -> io::Result<R>,
        short: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        ready!(Self::begin(cx));
        loop {
            let seen = ready!(self.poll_ready(descriptor, direction, &mut waiting, cx))?;
            if let Some(result) = self.settle(direction, seen, operation(), &short) {
                return Poll::Ready(result);
            }
        }
    }

    /// Tries `operation` once, whatever is known of the readiness.
    pub(super) fn try_operation<R>(
        &self,
        direction: Direction,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let seen = self.source.readiness();
        if seen.is_closed() {
            return Err(closed_error());
        }
        let result = operation();
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.source.clear(direction, seen, Because::WouldBlock);
        }
        result
    }
}
