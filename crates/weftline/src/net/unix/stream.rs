//! `UnixStream`: a connection within the machine.

use crate::io::delegate::{delegate_read, delegate_write};
use crate::io::{Assume, Async, Kind};
use crate::net::connect::is_under_way;
use crate::net::pause::Pauses;
use crate::net::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, Splittable, WriteHalf};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// The first pause when a listener's queue is full; the system does not tell when it no longer is.
/// Value picked out of thin air: about what a busy server needs for the next accept.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// Pauses double up to this one.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A connection of Unix sockets.
///
/// Any number of tasks may use one at the same time through `&UnixStream`; it can be split as a
/// [`TcpStream`](crate::net::TcpStream) can. It is closed when dropped.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::net::UnixStream;
///
/// let (one, other) = UnixStream::pair()?;
/// one.write_all(b"hello").await?;
/// let mut buf = [0; 5];
/// other.read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixStream {
    /// The socket.
    io: Async<net::UnixStream>,
}

impl UnixStream {
    /// Connects to the socket at `path`. When its listener has a full queue, waits until there is
    /// room.
    ///
    /// # Errors
    ///
    /// When nobody listens there; outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, no connection is made.
    ///
    /// # Examples
    ///
    /// See [`UnixListener`](crate::net::UnixListener).
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        let (socket, address) = super::socket_for(path.as_ref(), socket2::Type::STREAM)?;
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match socket.connect(&address) {
                Err(error) if is_under_way(&error) => pauses.next()?.await,
                // Made during a pause.
                Err(error) if error.raw_os_error() == Some(libc::EISCONN) => break,
                result => break result?,
            }
        }
        Self::from_std(socket.into())
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
        let (one, other) = net::UnixStream::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(other)?))
    }

    /// Takes over a connection of the standard library.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and when the system refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let (theirs, _peer) = std::os::unix::net::UnixStream::pair()?;
    /// let ours = weftline::net::UnixStream::from_std(theirs)?;
    /// let _theirs: std::os::unix::net::UnixStream = ours.into_std()?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn from_std(stream: net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // Not a plain stream: a read ends where descriptors were sent along, with more behind.
        Ok(Self { io: Async::register(stream, Assume::Ready, Kind::Other)? })
    }

    /// Gives the connection back to the standard library, in blocking mode.
    ///
    /// # Errors
    ///
    /// When the system refuses to change the mode.
    ///
    /// # Examples
    ///
    /// See [`from_std`](UnixStream::from_std).
    pub fn into_std(self) -> io::Result<net::UnixStream> {
        let stream = self.io.into_inner();
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// The registered socket, for operations that have no method here.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let (one, _other) = weftline::net::UnixStream::pair()?;
    /// one.as_async().writable().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn as_async(&self) -> &Async<net::UnixStream> {
        &self.io
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let (one, _other) = weftline::net::UnixStream::pair()?;
    /// assert!(one.local_addr()?.is_unnamed() && one.peer_addr()?.is_unnamed());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// The address of the other side.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`local_addr`](UnixStream::local_addr).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// Reads what is there, waiting until there is something. Zero bytes mean that the other side
    /// has ended its writing, or that `buf` is empty.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: bytes are taken only by the poll that returns them.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.read(buf).await
    }

    /// Reads into several buffers, one after the other. See [`Async::read_vectored`] for errors,
    /// cancel safety and an example.
    pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.read_vectored(bufs).await
    }

    /// Reads until `buf` is full. See [`Async::read_exact`] for errors, cancel safety and an
    /// example.
    pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
        self.io.read_exact(buf).await
    }

    /// Reads until the other side has ended its writing, and appends everything to `buf`. See
    /// [`Async::read_to_end`] for errors, cancel safety and an example.
    pub async fn read_to_end(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        self.io.read_to_end(buf).await
    }

    /// Writes what there is room for, waiting until there is some, and returns how much of `buf`
    /// that was. See [`Async::write`] for errors, cancel safety and an example.
    pub async fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.write(buf).await
    }

    /// Writes from several buffers, one after the other. See [`Async::write_vectored`] for errors,
    /// cancel safety and an example.
    pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io.write_vectored(bufs).await
    }

    /// Writes all of `buf`. See [`Async::write_all`] for errors, cancel safety and an example.
    pub async fn write_all(&self, buf: &[u8]) -> io::Result<()> {
        self.io.write_all(buf).await
    }

    /// Does nothing: a socket holds nothing back. Here for symmetry with other writers.
    ///
    /// # Errors
    ///
    /// None.
    ///
    /// # Examples
    ///
    /// See [`Async::flush`].
    pub async fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    /// Ends reading, writing or both, also for whoever is waiting.
    ///
    /// # Errors
    ///
    /// When the connection is closed already.
    ///
    /// # Cancel safety
    ///
    /// Done at the first poll.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let (one, other) = weftline::net::UnixStream::pair()?;
    /// one.shutdown(std::net::Shutdown::Write).await?;
    /// assert_eq!(other.read(&mut [0; 1]).await?, 0);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }

    /// Takes the error that the next operation would fail with, if there is one (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// When the system does not even say that.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let (one, _other) = weftline::net::UnixStream::pair()?;
    /// assert!(one.take_error()?.is_none());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
    }

    /// Two halves that borrow the connection, as
    /// [`TcpStream::split`](crate::net::TcpStream::split).
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let (one, other) = weftline::net::UnixStream::pair()?;
    /// let (_reader, writer) = one.split();
    /// let (reader, _writer) = other.split();
    /// writer.write_all(b"x").await?;
    /// assert_eq!(reader.read(&mut [0; 16]).await?, 1);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn split(&self) -> (ReadHalf<'_, Self>, WriteHalf<'_, Self>) {
        (ReadHalf::new(self), WriteHalf::new(self))
    }

    /// Two halves that own the connection, as
    /// [`TcpStream::into_split`](crate::net::TcpStream::into_split).
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let (one, other) = weftline::net::UnixStream::pair()?;
    /// let (reader, writer) = one.into_split();
    /// drop(writer);
    /// assert_eq!(other.read(&mut [0; 16]).await?, 0);
    /// # drop(reader);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf<Self>, OwnedWriteHalf<Self>) {
        OwnedReadHalf::pair(self)
    }

    fn close_write(&self) -> io::Result<()> {
        Splittable::close_write(self)
    }
}

impl Splittable for UnixStream {
    type Io = net::UnixStream;

    fn io(&self) -> &Async<net::UnixStream> {
        &self.io
    }

    fn close_write(&self) -> io::Result<()> {
        match self.io.get_ref().shutdown(Shutdown::Write) {
            // Closed by the other side already.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

delegate_read!([] UnixStream where [], stream => &stream.io);
delegate_write!([] UnixStream where [], stream => &stream.io);
delegate_read!([] &UnixStream where [], stream => &stream.io);
delegate_write!([] &UnixStream where [], stream => &stream.io);

/// As [`UnixStream::from_std`].
impl TryFrom<net::UnixStream> for UnixStream {
    type Error = io::Error;

    fn try_from(stream: net::UnixStream) -> io::Result<Self> {
        Self::from_std(stream)
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
