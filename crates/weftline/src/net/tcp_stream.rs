//! `TcpStream`: a connection.

use super::address::ToSocketAddrs;
use super::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, Splittable, WriteHalf};
use super::tcp_stream_builder::TcpStreamBuilder;
use crate::io::delegate::{delegate_read, delegate_write};
use crate::io::{Assume, Async, Direction, Kind, poll_shared};
use socket2::SockRef;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll};

pub(super) use std::net::TcpStream as StdTcpStream;

/// A TCP connection.
///
/// Any number of tasks may use one at the same time through `&TcpStream`; to give reading and
/// writing to tasks of their own, split it with [`split`](TcpStream::split) or
/// [`into_split`](TcpStream::into_split), or put it into an `Arc`. It is closed when dropped. To end
/// the writing before that, which the other side reads as the end, use
/// [`shutdown(Shutdown::Write)`](TcpStream::shutdown).
///
/// # Examples
///
/// ```no_run
/// # weftline::run(async {
/// use weftline::net::TcpStream;
///
/// let stream = TcpStream::connect("example.org:80").await?;
/// stream.write_all(b"GET / HTTP/1.0\r\nHost: example.org\r\n\r\n").await?;
/// let mut page = Vec::new();
/// stream.read_to_end(&mut page).await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpStream {
    /// The socket.
    pub(super) io: Async<StdTcpStream>,
}

impl TcpStream {
    /// Connects to `address`.
    ///
    /// A host name is looked up by [`resolve`](super::resolve), and all its addresses are tried:
    /// IPv6 and IPv4 in turn, the next one when the one before has failed or has not answered
    /// within 250 ms, while it goes on (RFC 8305, "happy eyeballs"). The first connection made is
    /// the result. There is no time limit but the system's: see
    /// [`timeout`](crate::time::timeout).
    ///
    /// # Errors
    ///
    /// When no address answers, what the last one failed with; when the name is unknown; outside
    /// of a runtime.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, every attempt is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use weftline::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::builder().connect(address).await
    }

    /// Connects to `address` from `local`, as [`TcpStreamBuilder::bind`].
    ///
    /// # Errors
    ///
    /// As [`connect`](TcpStream::connect), and when `local` cannot be bound.
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](TcpStream::connect).
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let local = "127.0.0.1:0".parse().unwrap();
    /// let stream = TcpStream::connect_from(local, listener.local_addr()?).await?;
    /// assert!(stream.local_addr()?.ip().is_loopback());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn connect_from(local: SocketAddr, address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::builder().bind(local).connect(address).await
    }

    /// Options to connect with.
    ///
    /// # Examples
    ///
    /// See [`TcpStreamBuilder`].
    pub fn builder() -> TcpStreamBuilder {
        TcpStreamBuilder::default()
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
    /// use weftline::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let theirs = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let ours = TcpStream::from_std(theirs)?;
    /// let _theirs: std::net::TcpStream = ours.into_std()?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn from_std(stream: StdTcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Self::from_nonblocking(stream)
    }

    /// Takes over a connection that is in non-blocking mode already.
    pub(super) fn from_nonblocking(stream: StdTcpStream) -> io::Result<Self> {
        let io = Async::register(stream, Assume::Ready, Kind::PlainStream)?;
        Ok(Self { io })
    }

    /// A connection that was made by `connect`.
    pub(super) fn from_async(io: Async<StdTcpStream>) -> Self {
        Self { io }
    }

    /// Gives the connection back to the standard library, in blocking mode.
    ///
    /// # Errors
    ///
    /// When the system refuses to change the mode.
    ///
    /// # Examples
    ///
    /// See [`from_std`](TcpStream::from_std).
    pub fn into_std(self) -> io::Result<StdTcpStream> {
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
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// stream.as_async().writable().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn as_async(&self) -> &Async<StdTcpStream> {
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
    /// See [`TcpStreamBuilder::bind`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// The address of the other side.
    ///
    /// # Errors
    ///
    /// When the other side is gone.
    ///
    /// # Examples
    ///
    /// See [`connect`](TcpStream::connect).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// Reads what is there, waiting until there is something. Zero bytes mean that the other side
    /// has ended its writing, or that `buf` is empty.
    ///
    /// # Errors
    ///
    /// A connection that was reset, above all.
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: bytes are taken only by the poll that returns them.
    ///
    /// # Examples
    ///
    /// See the [module](super).
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

    /// Reads into memory that need not be initialised: how to fill a buffer for the first time
    /// without clearing it before. Otherwise as [`read`](TcpStream::read).
    ///
    /// The first `n` bytes of `buf` are initialised where the result is `n`.
    ///
    /// # Errors
    ///
    /// As [`read`](TcpStream::read).
    ///
    /// # Cancel safety
    ///
    /// As [`read`](TcpStream::read).
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// client.write_all(b"GET").await?;
    /// let mut head = Vec::with_capacity(1024);
    /// let n = server.read_uninit(head.spare_capacity_mut()).await?;
    /// // SAFETY: so many bytes were read into the spare capacity.
    /// unsafe { head.set_len(n) };
    /// assert_eq!(head, b"GET");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_uninit(&self, buf: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        self.io.read_bytes(buf.len(), |stream| SockRef::from(stream).recv(buf)).await
    }

    /// As [`read_uninit`](TcpStream::read_uninit), for futures that are written by hand. Of several
    /// tasks that ask, the last one is woken.
    ///
    /// # Errors
    ///
    /// As [`read`](TcpStream::read).
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// use std::{future::poll_fn, mem::MaybeUninit};
    ///
    /// client.write_all(b"GET").await?;
    /// let mut head = [MaybeUninit::uninit(); 1024];
    /// assert_eq!(poll_fn(|cx| server.poll_read_uninit(cx, &mut head)).await?, 3);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        let wanted = buf.len();
        poll_shared(&self.io, Direction::Read, cx, wanted, |stream| SockRef::from(stream).recv(buf))
    }

    /// Reads what is there without taking it: the next read sees it again.
    ///
    /// # Errors
    ///
    /// As [`read`](TcpStream::read).
    ///
    /// # Cancel safety
    ///
    /// Takes nothing, so nothing can be lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = listener.accept().await?;
    /// client.write_all(b"GET").await?;
    /// let mut first = [0; 1];
    /// assert_eq!(server.peek(&mut first).await?, 1);
    /// assert_eq!(server.read(&mut first).await?, 1);
    /// assert_eq!(&first, b"G");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.read_with(|stream| stream.peek(buf)).await
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

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// A connection that was reset or is closed, above all.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, some bytes may have been written, and nobody knows how many.
    ///
    /// # Examples
    ///
    /// See the [module](super).
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

    /// Ends reading, writing or both, also for whoever is waiting. The other side reads the end
    /// when writing ends here.
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
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = listener.accept().await?;
    /// client.shutdown(std::net::Shutdown::Write).await?;
    /// assert_eq!(server.read(&mut [0; 1]).await?, 0);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }

    /// Waits until a read may succeed. See [`Async::readable`] for errors, cancel safety and an
    /// example.
    pub async fn readable(&self) -> io::Result<()> {
        self.io.readable().await
    }

    /// Waits until a write may succeed. See [`Async::writable`] for errors, cancel safety and an
    /// example.
    pub async fn writable(&self) -> io::Result<()> {
        self.io.writable().await
    }

    /// Reads what is there, without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// let error = stream.try_read(&mut [0; 1]).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    /// assert_eq!(stream.try_write(b"hello")?, 5);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.try_read_with(|mut stream| io::Read::read(&mut stream, buf))
    }

    /// Writes what there is room for, without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room.
    ///
    /// # Examples
    ///
    /// See [`try_read`](TcpStream::try_read).
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.try_write_with(|mut stream| io::Write::write(&mut stream, buf))
    }

    /// Two halves that borrow the connection: one reads, one writes. They can be used by two
    /// futures of one task; for two tasks see [`into_split`](TcpStream::into_split).
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// let (reader, writer) = client.split();
    /// writer.write_all(b"hello").await?;
    /// # server.write_all(b"x").await?;
    /// reader.read(&mut [0; 16]).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn split(&self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf::new(self), WriteHalf::new(self))
    }

    /// Two halves that own the connection: one reads, one writes, each in a task of its own. It is
    /// closed when both are dropped, and writing ends when the writing one is. They can be put
    /// together again by [`OwnedReadHalf::reunite`].
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// let (reader, writer) = client.into_split();
    /// let write = weftline::spawn(async move { writer.write_all(b"hello").await });
    /// # server.write_all(b"x").await?;
    /// reader.read(&mut [0; 16]).await?;
    /// write.await.unwrap()?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        OwnedReadHalf::pair(self)
    }

    fn close_write(&self) -> io::Result<()> {
        Splittable::close_write(self)
    }
}

impl Splittable for TcpStream {
    type Io = StdTcpStream;

    fn io(&self) -> &Async<StdTcpStream> {
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

delegate_read!([] TcpStream where [], stream => &stream.io);
delegate_write!([] TcpStream where [], stream => &stream.io);
delegate_read!([] &TcpStream where [], stream => &stream.io);
delegate_write!([] &TcpStream where [], stream => &stream.io);

/// As [`TcpStream::from_std`].
impl TryFrom<StdTcpStream> for TcpStream {
    type Error = io::Error;

    fn try_from(stream: StdTcpStream) -> io::Result<Self> {
        Self::from_std(stream)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
