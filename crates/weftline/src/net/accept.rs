//! Accepting connections: which failures concern the listener, and which only one connection.
//!
//! A failure that belongs to a connection that is gone already is passed over. When descriptors or
//! memory run out, the listener stays ready, so trying again at once would spin: `Accepting`
//! pauses first. Neither reaches the caller.

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
    /// Until when to leave it alone.
    pause: Option<Pin<Box<Sleep>>>,
    /// The pauses since the last connection.
    pauses: Pauses,
}

/// What a failed accept means.
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
        let pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        Self { io, place: io.place(), pause: None, pauses }
    }

    /// Waits for the next connection.
    pub(super) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        accept: impl Fn(&L) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let accepted = self.io.poll_listed(Direction::Read, &mut self.place, cx, &accept);
            let error = match ready!(accepted) {
                Ok(connection) => {
                    self.pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
                    return Poll::Ready(Ok(connection));
                }
                Err(error) => error,
            };
            match judge(&error) {
                Failure::OfOne => {}
                Failure::Shortage => match self.pauses.next() {
                    Ok(pause) => self.pause = Some(Box::pin(pause)),
                    // Polled outside of a runtime: the caller has to know then.
                    Err(_) => return Poll::Ready(Err(error)),
                },
                Failure::OfAll => return Poll::Ready(Err(error)),
            }
        }
    }
}

fn judge(error: &io::Error) -> Failure {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, OutOfMemory};
    match (error.kind(), error.raw_os_error()) {
        (ConnectionAborted | ConnectionReset, _) => Failure::OfOne,
        (_, Some(libc::EPROTO)) => Failure::OfOne,
        (OutOfMemory, _) => Failure::Shortage,
        (_, Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)) => Failure::Shortage,
        _ => Failure::OfAll,
    }
}
