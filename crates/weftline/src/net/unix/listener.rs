//! `UnixListener`: where connections within the machine come in.

use super::stream::UnixStream;
use crate::io::{Assume, Async, Direction, Kind};
use crate::net::accept::Accepting;
use futures_core::Stream;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How many connections the system keeps ready; it may have a lower limit of its own.
const BACKLOG: i32 = 1024;

/// A Unix socket that accepts connections.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::net::{UnixListener, UnixStream};
///
/// let path = std::env::temp_dir().join(format!("weftline-doc-{}", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// let client = UnixStream::connect(&path).await?;
/// let (server, _) = listener.accept().await?;
/// std::fs::remove_file(&path)?;
/// client.write_all(b"hello").await?;
/// assert_eq!(server.read(&mut [0; 16]).await?, 5);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixListener {
    /// The socket.
    io: Async<net::UnixListener>,
}

impl UnixListener {
    /// Makes the file `path` and listens there.
    ///
    /// # Errors
    ///
    /// When the file exists already, or the path is longer than a socket's may be (about 100
    /// bytes); outside of a runtime.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        let (socket, address) = super::socket_for(path.as_ref(), socket2::Type::STREAM)?;
        socket.bind(&address)?;
        socket.listen(BACKLOG)?;
        Self::from_std(socket.into())
    }

    /// Takes over a listener of the standard library, or one inherited from the parent process.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and when the system refuses.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # weftline::run(async {
    /// let theirs = std::os::unix::net::UnixListener::bind("/run/service")?;
    /// let ours = weftline::net::UnixListener::from_std(theirs)?;
    /// let _theirs: std::os::unix::net::UnixListener = ours.into_std()?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn from_std(listener: net::UnixListener) -> io::Result<Self> {
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
    /// See [`from_std`](UnixListener::from_std).
    pub fn into_std(self) -> io::Result<net::UnixListener> {
        let listener = self.io.into_inner();
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    /// The registered socket, for operations that have no method here.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # weftline::run(async {
    /// let listener = weftline::net::UnixListener::bind("/run/service")?;
    /// listener.as_async().readable().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn as_async(&self) -> &Async<net::UnixListener> {
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
    /// ```no_run
    /// # weftline::run(async {
    /// let listener = weftline::net::UnixListener::bind("/run/service")?;
    /// assert!(listener.local_addr()?.as_pathname().is_some());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Waits for a connection, and for the address of its other side, as
    /// [`TcpListener::accept`](crate::net::TcpListener::accept) does.
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
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let mut accepting = Accepting::new(&self.io);
        let (stream, peer) = poll_fn(|cx| accepting.poll(cx, net::UnixListener::accept)).await?;
        Ok((UnixStream::from_std(stream)?, peer))
    }

    /// Waits for a connection as the one that does so.
    pub(in crate::net) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        let accepted = self.io.poll_single(Direction::Read, cx, net::UnixListener::accept);
        accepted.map(|found| UnixStream::from_std(found?.0))
    }

    /// The connections as a stream that never ends.
    ///
    /// # Examples
    ///
    /// See [`TcpListener::incoming`](crate::net::TcpListener::incoming).
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming { accepting: Accepting::new(&self.io) }
    }
}

/// The connections that come in at a [`UnixListener`]; made by [`UnixListener::incoming`].
///
/// # Examples
///
/// See [`TcpListener::incoming`](crate::net::TcpListener::incoming).
#[must_use = "a stream does nothing until it is polled"]
pub struct UnixIncoming<'a> {
    /// The waiting for the next one.
    accepting: Accepting<'a, net::UnixListener>,
}

impl Stream for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = self.accepting.poll(cx, net::UnixListener::accept);
        accepted.map(|found| Some(found.and_then(|(stream, _)| UnixStream::from_std(stream))))
    }
}

/// As [`UnixListener::from_std`].
impl TryFrom<net::UnixListener> for UnixListener {
    type Error = io::Error;

    fn try_from(listener: net::UnixListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

impl fmt::Debug for UnixIncoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixIncoming").finish_non_exhaustive()
    }
}
