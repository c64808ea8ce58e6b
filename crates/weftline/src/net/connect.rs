//! Making TCP connections: one attempt, and the race between the addresses of a name.
//!
//! The race is that of RFC 8305 (happy eyeballs): the addresses are tried in turn, the families
//! alternating, each as soon as the one before has failed or has not answered for
//! `ATTEMPT_DELAY`; the first connection made wins, and the others are closed.

use super::tcp_stream::{StdTcpStream, TcpStream};
use super::tcp_stream_builder::TcpStreamBuilder;
use crate::io::{Assume, Async, Direction, Kind};
use crate::time::{Sleep, sleep};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long an attempt is the only one: RFC 8305's recommendation.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to the first of `addresses` that answers.
pub(super) async fn connect_any(
    addresses: Vec<SocketAddr>,
    options: &TcpStreamBuilder,
) -> io::Result<TcpStream> {
    let mut race = Race::new(addresses, options)?;
    poll_fn(|cx| race.poll(cx)).await
}

/// The attempts to connect to one of several addresses.
struct Race<'o> {
    /// What each socket gets before it connects.
    options: &'o TcpStreamBuilder,
    /// Addresses that have not been tried, the next one first.
    untried: VecDeque<SocketAddr>,
    /// Connections being made.
    attempts: Vec<Async<StdTcpStream>>,
    /// When the next address gets its turn, if nothing is decided before.
    next_turn: Option<Pin<Box<Sleep>>>,
    /// Why the last attempt failed.
    failure: Option<io::Error>,
}

impl<'o> Race<'o> {
    fn new(addresses: Vec<SocketAddr>, options: &'o TcpStreamBuilder) -> io::Result<Self> {
        let mut usable = addresses;
        if let Some(local) = options.local {
            usable.retain(|address| address.is_ipv4() == local.is_ipv4());
            if usable.is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::AddrNotAvailable,
                    format!("no address of the other side is of the same family as {local}"),
                ));
            }
        }
        let untried = alternate_families(usable);
        Ok(Self { options, untried, attempts: Vec::new(), next_turn: None, failure: None })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        loop {
            if let Some(connected) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(TcpStream::from_async(connected)));
            }
            if self.is_too_early(cx) {
                return Poll::Pending;
            }
            let Some(address) = self.untried.pop_front() else {
                if !self.attempts.is_empty() {
                    return Poll::Pending;
                }
                let failure = self.failure.take();
                return Poll::Ready(Err(failure.unwrap_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidInput, "there is no address to try")
                })));
            };
            match begin(address, self.options) {
                Ok(attempt) => self.attempts.push(attempt),
                Err(error) => {
                    self.failure = Some(error);
                    continue;
                }
            }
            if !self.untried.is_empty() {
                self.next_turn = Some(Box::pin(sleep(ATTEMPT_DELAY)));
            }
        }
    }

    /// The first connection that was made, if any. A failed attempt gives the next address its
    /// turn at once.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<Async<StdTcpStream>> {
        let mut index = 0;
        while let Some(attempt) = self.attempts.get(index) {
            match poll_connected(attempt, cx) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(())) => return Some(self.attempts.swap_remove(index)),
                Poll::Ready(Err(error)) => {
                    self.failure = Some(error);
                    self.attempts.swap_remove(index);
                    self.next_turn = None;
                }
            }
        }
        None
    }

    /// Whether the last attempt is still to be the only one.
    fn is_too_early(&mut self, cx: &mut Context<'_>) -> bool {
        let turn = self.next_turn.as_mut();
        if turn.is_some_and(|turn| turn.as_mut().poll(cx).is_pending()) {
            return true;
        }
        self.next_turn = None;
        false
    }
}

/// The families in turn, beginning with that of the first address; within a family the order is
/// kept.
fn alternate_families(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (one, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv4() == first_is_v4);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut order = VecDeque::with_capacity(one.len() + other.len());
    loop {
        match (one.next(), other.next()) {
            (None, None) => return order,
            (first, second) => order.extend(first.into_iter().chain(second)),
        }
    }
}

/// A non-blocking TCP socket for addresses like `address`.
pub(super) fn new_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Begins to connect to `address`.
fn begin(address: SocketAddr, options: &TcpStreamBuilder) -> io::Result<Async<StdTcpStream>> {
    let socket = new_socket(address)?;
    options.apply(&socket)?;
    match socket.connect(&address.into()) {
        Err(error) if !is_under_way(&error) => return Err(error),
        _ => {}
    }
    // Writable is assumed, so that a connection to this machine, which is made at once, is found
    // without waiting for its event.
    Async::register(socket.into(), Assume::Writable, Kind::PlainStream)
}

/// The connection is being made; an interrupted call goes on in the background as well.
pub(super) fn is_under_way(error: &io::Error) -> bool {
    let by_kind = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
    by_kind || error.raw_os_error() == Some(libc::EINPROGRESS)
}

fn poll_connected(attempt: &Async<StdTcpStream>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    attempt.poll_single(Direction::Write, cx, check_connected)
}

/// Succeeds once the connection is made; `WouldBlock` until it is decided.
fn check_connected(stream: &StdTcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::alternate_families;
    use std::net::SocketAddr;

    #[test]
    fn families_alternate_beginning_with_the_first() {
        let texts = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"];
        let addresses = texts.map(|text| text.parse::<SocketAddr>().expect("an address")).to_vec();
        let order: Vec<_> = alternate_families(addresses).iter().map(ToString::to_string).collect();
        assert_eq!(order, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"]);
    }

    #[test]
    fn one_family_keeps_its_order() {
        let addresses: Vec<SocketAddr> =
            ["1.1.1.1:1", "1.1.1.2:1"].map(|text| text.parse().expect("an address")).to_vec();
        assert_eq!(Vec::from(alternate_families(addresses.clone())), addresses);
    }
}
