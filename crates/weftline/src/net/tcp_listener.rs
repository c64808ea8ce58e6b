//! `TcpListener`: where connections come in.

use super::accept::Accepting;
use super::address::ToSocketAddrs;
use super::tcp_listener_builder::TcpListenerBuilder;
use super::tcp_stream::TcpStream;
use crate::io::{Assume, Async, Direction, Kind};
use crate::platform;
use futures_core::Stream;
use socket2::SockRef;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{self, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A socket that accepts TCP connections.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (_server, peer) = listener.accept().await?;
/// assert_eq!(peer, client.local_addr()?);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpListener {
    /// The socket.
    io: Async<net::TcpListener>,
}

impl TcpListener {
    /// Listens at `address`; port zero lets the system choose. If `address` stands for several,
    /// the first one that can be bound is taken.
    ///
    /// # Errors
    ///
    /// When no address can be bound, what the last one failed with; outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing listens.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::builder().bind(address).await
    }

    /// Options to listen with.
    ///
    /// # Examples
    ///
    /// See [`TcpListenerBuilder`].
    pub fn builder() -> TcpListenerBuilder {
        TcpListenerBuilder::default()
    }

    /// Takes over a listener of the standard library, or one inherited from the parent process.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and when the system refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let theirs = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let ours = weftline::net::TcpListener::from_std(theirs)?;
    /// let _theirs: std::net::TcpListener = ours.into_std()?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn from_std(listener: net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { io: Async::register(listener, Assume::Ready, Kind::Other)? })
    }

    /// Gives the listener back to the standard library, in blocking mode.
    ///
    /// # Errors
    ///
    /// When the system refuses to change the mode.
    ///
    /// # Examples
    ///
    /// See [`from_std`](TcpListener::from_std).
    pub fn into_std(self) -> io::Result<net::TcpListener> {
        let listener = self.io.into_inner();
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    /// The registered socket, for operations that have no method here.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let listener = weftline::net::TcpListener::bind("127.0.0.1:0").await?;
    /// assert!(listener.as_async().get_ref().ttl()? > 0);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn as_async(&self) -> &Async<net::TcpListener> {
        &self.io
    }

    /// The address it listens at.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Waits for a connection, and for the address of its other side.
    ///
    /// A connection that failed before it was accepted is passed over. When the process or the
    /// system runs out of descriptors or memory, it waits a little, ever longer up to half a
    /// second, and tries again, so a server needs no handling of its own for that.
    ///
    /// # Errors
    ///
    /// When the listener itself does not work, or the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Loses no connection: one is taken only by the poll that returns it.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let mut accepting = Accepting::new(&self.io);
        let (stream, peer) = poll_fn(|cx| accepting.poll(cx, accept)).await?;
        Ok((TcpStream::from_nonblocking(stream)?, peer))
    }

    /// Waits for a connection as the one that does so.
    pub(super) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.io.poll_single(Direction::Read, cx, accept).map(|found| {
            let (stream, peer) = found?;
            Ok((TcpStream::from_nonblocking(stream)?, peer))
        })
    }

    /// The connections as a stream that never ends, each as [`accept`](TcpListener::accept) gives
    /// it.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use futures_core::Stream;
    /// use std::{future::poll_fn, pin::pin};
    /// use weftline::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let mut incoming = pin!(listener.incoming());
    /// let server = poll_fn(|cx| incoming.as_mut().poll_next(cx)).await.unwrap()?;
    /// assert_eq!(server.peer_addr()?, client.local_addr()?);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { accepting: Accepting::new(&self.io) }
    }
}

/// Accepts in non-blocking mode.
fn accept(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    let (connection, peer) = platform::accept::accept(&SockRef::from(listener))?;
    let peer = peer.as_socket().ok_or_else(|| {
        io::Error::other(format!("a TCP peer of the address family {}", peer.family()))
    })?;
    Ok((connection.into(), peer))
}

/// The connections that come in at a [`TcpListener`]; made by [`TcpListener::incoming`].
///
/// # Examples
///
/// See [`TcpListener::incoming`].
#[must_use = "a stream does nothing until it is polled"]
pub struct Incoming<'a> {
    /// The waiting for the next one.
    accepting: Accepting<'a, net::TcpListener>,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = self.accepting.poll(cx, accept);
        accepted
            .map(|found| Some(found.and_then(|(stream, _)| TcpStream::from_nonblocking(stream))))
    }
}

/// As [`TcpListener::from_std`].
impl TryFrom<net::TcpListener> for TcpListener {
    type Error = io::Error;

    fn try_from(listener: net::TcpListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}
