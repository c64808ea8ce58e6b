//! Accepting connections: which failures concern the listener, and which only one connection.
//!
//! A failure that belongs to a connection that is gone already is passed over. When descriptors or
//! memory run out, the listener stays ready, so trying again at once would spin: `Patience`
//! pauses first. Neither reaches the caller of `Accepting`; a server hears of the latter.

use super::pause::Pauses;
use crate::io::{Async, Direction, Place};
use crate::platform::poller::AsDescriptor;
use crate::time::Sleep;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The first pause after the system ran out of something. Value picked out of thin air: long
/// against the cost of a refused call, short against what a client notices.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// Pauses double up to this one.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// One listener's waiting for connections.
pub(super) struct Accepting<'a, L: AsDescriptor> {
    /// The listener.
    io: &'a Async<L>,
    /// The place among those that wait for it.
    place: Place<'a>,
    /// What becomes of failures.
    patience: Patience,
}

/// When to try again after a failure.
pub(super) struct Patience {
    /// Until when to leave the listener alone.
    pause: Option<Pin<Box<Sleep>>>,
    /// The pauses since the last connection.
    pauses: Pauses,
}

/// A failure that concerns the listener. The next attempt pauses first.
pub(super) struct Refusal {
    /// What the system said.
    pub(super) error: io::Error,
    /// The system or the process is out of descriptors or memory; otherwise the listener does not work.
    is_shortage: bool,
}

/// What a failed accept means.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// That connection is gone; the next may do.
    OfOne,
    /// The system or the process is out of descriptors or memory.
    Shortage,
    /// The listener does not work.
    OfAll,
}

impl<'a, L: AsDescriptor> Accepting<'a, L> {
    pub(super) fn new(io: &'a Async<L>) -> Self {
        Self { io, place: io.place(), patience: Patience::new() }
    }

    /// Waits for the next connection.
    pub(super) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        accept: impl Fn(&L) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            let (io, place) = (self.io, &mut self.place);
            let attempt =
                |cx: &mut Context<'_>| io.poll_listed(Direction::Read, place, cx, &accept);
            match ready!(self.patience.poll(cx, attempt)) {
                Ok(connection) => return Poll::Ready(Ok(connection)),
                Err(refusal) if refusal.is_shortage => {}
                Err(refusal) => {
                    self.patience = Patience::new();
                    return Poll::Ready(Err(refusal.error));
                }
            }
        }
    }
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { pause: None, pauses: Pauses::new(FIRST_PAUSE, LONGEST_PAUSE) }
    }

    /// Waits for what `attempt` gives, after the pause that the last failure made necessary.
    pub(super) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<Result<R, Refusal>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        loop {
            let error = match ready!(attempt(cx)) {
                Ok(connection) => {
                    self.pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
                    return Poll::Ready(Ok(connection));
                }
                Err(error) => error,
            };
            let is_shortage = match judge(&error) {
                Failure::OfOne => continue,
                Failure::Shortage => true,
                Failure::OfAll => false,
            };
            // Polled outside of a runtime there is no pause, and the caller has to know.
            self.pause = self.pauses.next().ok().map(Box::pin);
            let is_shortage = is_shortage && self.pause.is_some();
            return Poll::Ready(Err(Refusal { error, is_shortage }));
        }
    }
}

fn judge(error: &io::Error) -> Failure {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, NetworkDown, NetworkUnreachable,
        OutOfMemory,
    };
    match (error.kind(), error.raw_os_error()) {
        (ConnectionAborted | ConnectionReset, _) => Failure::OfOne,
        // Linux tells of what has befallen a connection's network by the call that accepts it.
        (NetworkDown | NetworkUnreachable | HostUnreachable, _) => Failure::OfOne,
        (_, Some(libc::EPROTO)) => Failure::OfOne,
        (OutOfMemory, _) => Failure::Shortage,
        (_, Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)) => Failure::Shortage,
        _ => Failure::OfAll,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_befell_one_connection_says_nothing_of_the_listener() {
        use io::ErrorKind::{HostUnreachable, InvalidInput, NetworkDown, OutOfMemory};
        let of = |kind: io::ErrorKind| judge(&kind.into());
        assert_eq!([of(NetworkDown), of(HostUnreachable)], [Failure::OfOne, Failure::OfOne]);
        assert_eq!([of(OutOfMemory), of(InvalidInput)], [Failure::Shortage, Failure::OfAll]);
        assert_eq!(judge(&io::Error::from_raw_os_error(libc::EMFILE)), Failure::Shortage);
    }
}
