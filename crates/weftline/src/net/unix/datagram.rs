//! `UnixDatagram`: datagrams within the machine.

use crate::io::{Assume, Async, Kind};
use crate::net::pause::Pauses;
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// The first pause when the queue of the receiver is full, which the sender is not told about by
/// readiness. Value picked out of thin air: about what a busy receiver needs for the next datagram.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// Pauses double up to this one.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A Unix socket for datagrams.
///
/// Datagrams arrive whole and in order, and none is lost: a sender waits while the receiver's queue
/// is full.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::net::UnixDatagram;
///
/// let (one, other) = UnixDatagram::pair()?;
/// one.send(b"hello").await?;
/// let mut buf = [0; 16];
/// let n = other.recv(&mut buf).await?;
/// assert_eq!(&buf[..n], b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixDatagram {
    /// The socket.
    io: Async<net::UnixDatagram>,
}

impl UnixDatagram {
    /// Makes the file `path` and receives there.
    ///
    /// # Errors
    ///
    /// When the file exists already, or the path is longer than a socket's may be (about 100
    /// bytes); outside of a runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use weftline::net::UnixDatagram;
    ///
    /// let path = std::env::temp_dir().join(format!("weftline-doc-dgram-{}", std::process::id()));
    /// let receiver = UnixDatagram::bind(&path)?;
    /// let sender = UnixDatagram::unbound()?;
    /// sender.send_to(b"hello", &path).await?;
    /// sender.connect(&path)?;
    /// sender.send(b"again").await?;
    /// std::fs::remove_file(&path)?;
    /// let (n, from) = receiver.recv_from(&mut [0; 16]).await?;
    /// assert!(n == 5 && from.is_unnamed());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        let (socket, address) = super::socket_for(path.as_ref(), socket2::Type::DGRAM)?;
        socket.bind(&address)?;
        Self::from_std(socket.into())
    }

    /// A socket without an address: it can send, but nobody can answer.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and when there are no descriptors left.
    ///
    /// # Examples
    ///
    /// See [`bind`](UnixDatagram::bind).
    pub fn unbound() -> io::Result<Self> {
        Self::from_std(net::UnixDatagram::unbound()?)
    }

    /// Two sockets connected to each other.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and when there are no descriptors left.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = net::UnixDatagram::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(other)?))
    }

    /// Takes over a socket of the standard library.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and when the system refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let theirs = std::os::unix::net::UnixDatagram::unbound()?;
    /// let ours = weftline::net::UnixDatagram::from_std(theirs)?;
    /// let _theirs: std::os::unix::net::UnixDatagram = ours.into_std()?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn from_std(socket: net::UnixDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { io: Async::register(socket, Assume::Ready, Kind::Other)? })
    }

    /// Gives the socket back to the standard library, in blocking mode.
    ///
    /// # Errors
    ///
    /// When the system refuses to change the mode.
    ///
    /// # Examples
    ///
    /// See [`from_std`](UnixDatagram::from_std).
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        let socket = self.io.into_inner();
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    /// The registered socket, for operations that have no method here.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let (one, _other) = weftline::net::UnixDatagram::pair()?;
    /// one.as_async().writable().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn as_async(&self) -> &Async<net::UnixDatagram> {
        &self.io
    }

    /// The address it is bound to.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let (one, _other) = weftline::net::UnixDatagram::pair()?;
    /// assert!(one.local_addr()?.is_unnamed() && one.peer_addr()?.is_unnamed());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// The address it is connected to.
    ///
    /// # Errors
    ///
    /// When it is not connected.
    ///
    /// # Examples
    ///
    /// See [`local_addr`](UnixDatagram::local_addr).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// Makes the socket at `path` the one to [`send`](UnixDatagram::send) to.
    ///
    /// # Errors
    ///
    /// When nobody receives there.
    ///
    /// # Examples
    ///
    /// See [`bind`](UnixDatagram::bind).
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let address = socket2::SockAddr::unix(path)?;
        socket2::SockRef::from(self.io.get_ref()).connect(&address)
    }

    /// Sends one datagram to the connected socket, waiting for room. Returns its length.
    ///
    /// # Errors
    ///
    /// When it is not connected, the receiver is gone, or the datagram is longer than the system
    /// allows.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing was sent.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.write_with(|socket| socket.send(buf)).await
    }

    /// Sends one datagram to the socket at `path`, waiting for room. Returns its length.
    ///
    /// # Errors
    ///
    /// When nobody receives there, or the datagram is longer than the system allows.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing was sent.
    ///
    /// # Examples
    ///
    /// See [`bind`](UnixDatagram::bind).
    pub async fn send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let address = socket2::SockAddr::unix(path)?;
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let sent = self
                .io
                .try_write_with(|socket| socket2::SockRef::from(socket).send_to(buf, &address));
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => pauses.next()?.await,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Receives one datagram. What does not fit into `buf` is lost. Returns its length.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Cancel safety
    ///
    /// Loses no datagram: one is taken only by the poll that returns it.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.read_with(|socket| socket.recv(buf)).await
    }

    /// Receives one datagram, and the address it came from. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](UnixDatagram::recv).
    ///
    /// # Examples
    ///
    /// See [`bind`](UnixDatagram::bind).
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.read_with(|socket| socket.recv_from(buf)).await
    }

    /// Ends sending, receiving or both.
    ///
    /// # Errors
    ///
    /// When it is not connected.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let (one, _other) = weftline::net::UnixDatagram::pair()?;
    /// one.shutdown(std::net::Shutdown::Both).await?;
    /// assert!(one.send(b"x").await.is_err());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }
}

/// As [`UnixDatagram::from_std`].
impl TryFrom<net::UnixDatagram> for UnixDatagram {
    type Error = io::Error;

    fn try_from(socket: net::UnixDatagram) -> io::Result<Self> {
        Self::from_std(socket)
    }
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
