//! This side of the pipes to a child.

use crate::io::Async;
use crate::io::delegate::delegate_read;
use futures_io::AsyncWrite;
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

/// Where a child's output is read: its [`stdout`](super::Child::stdout) or
/// [`stderr`](super::Child::stderr).
///
/// It comes to its end when all processes that could write to it have closed it: the child, and
/// those that the child has started and left behind. Also an [`AsyncRead`](futures_io::AsyncRead), as what it is and by
/// reference.
pub struct PipeReader(Async<File>);

/// Where a child's input is written: its [`stdin`](super::Child::stdin).
///
/// Dropping it closes the pipe, so that the child reads the end. Also an [`AsyncWrite`], as what it
/// is and by reference; `poll_close` closes the pipe, where it is not by reference.
pub struct PipeWriter(Option<Async<File>>);

impl PipeReader {
    /// Makes a descriptor of a pipe one to wait for.
    pub(super) fn new(pipe: impl Into<OwnedFd>) -> io::Result<Self> {
        Async::new(File::from(pipe.into())).map(Self)
    }

    /// Reads into `buf` what is there, waiting until there is something. Returns how many bytes;
    /// zero means the end, or that `buf` is empty.
    ///
    /// # Errors
    ///
    /// Whatever the system says, and when the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: bytes are taken only by the poll that returns them.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::process::{Command, Stdio};
    ///
    /// # weftline::run(async {
    /// let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    /// let stdout = child.stdout.take().expect("it is piped");
    /// let mut buf = [0; 16];
    /// let n = stdout.read(&mut buf).await?;
    /// assert_eq!(&buf[..n], b"hello\n");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).await
    }

    /// Reads until `buf` is full; see [`Async::read_exact`].
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the end
    /// comes first.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, the bytes read so far are in `buf`, but nobody knows how many.
    pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(buf).await
    }

    /// Reads until the end and appends everything to `buf`; see [`Async::read_to_end`].
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); what was read before stays in `buf`.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, what was read so far is in `buf`: nothing is lost.
    pub async fn read_to_end(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        self.0.read_to_end(buf).await
    }

    /// The pipe as the object to wait for.
    #[must_use]
    pub fn as_async(&self) -> &Async<File> {
        &self.0
    }

    /// The pipe as a plain descriptor, in blocking mode.
    ///
    /// # Errors
    ///
    /// Whatever the system says to the change of mode.
    pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
        into_blocking(self.0)
    }
}

impl PipeWriter {
    /// Makes a descriptor of a pipe one to wait for.
    pub(super) fn new(pipe: impl Into<OwnedFd>) -> io::Result<Self> {
        Async::new(File::from(pipe.into())).map(|io| Self(Some(io)))
    }

    /// Writes what there is room for, waiting until there is some. Returns how many bytes of `buf`
    /// were taken.
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) when nobody reads any more, or this side was
    /// closed; else whatever the system says, and when the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing was written.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::process::{Command, Stdio};
    ///
    /// # weftline::run(async {
    /// let mut cat =
    ///     Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// let stdin = cat.stdin.take().expect("it is piped");
    /// assert_eq!(stdin.write(b"hello").await?, 5);
    /// drop(stdin);
    /// let mut all = Vec::new();
    /// cat.stdout.take().expect("it is piped").read_to_end(&mut all).await?;
    /// assert_eq!(all, b"hello");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.open()?.write(buf).await
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); some bytes may have been written before.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, some bytes may have been written, and nobody knows how many.
    pub async fn write_all(&self, buf: &[u8]) -> io::Result<()> {
        self.open()?.write_all(buf).await
    }

    /// The pipe as the object to wait for; none once it was closed by `poll_close`.
    #[must_use]
    pub fn as_async(&self) -> Option<&Async<File>> {
        self.0.as_ref()
    }

    /// The pipe as a plain descriptor, in blocking mode.
    ///
    /// # Errors
    ///
    /// Whatever the system says to the change of mode, and once it was closed by `poll_close`.
    pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
        into_blocking(self.0.ok_or_else(closed)?)
    }

    fn open(&self) -> io::Result<&Async<File>> {
        self.0.as_ref().ok_or_else(closed)
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the pipe was closed on this side")
}

/// A pipe for whoever does not expect one that never blocks.
fn into_blocking(io: Async<File>) -> io::Result<OwnedFd> {
    let pipe = io.into_inner();
    socket2::SockRef::from(&pipe).set_nonblocking(false)?;
    Ok(pipe.into())
}

delegate_read!([] PipeReader where [], pipe => &pipe.0);
delegate_read!([] &PipeReader where [], pipe => &pipe.0);

impl AsyncWrite for PipeWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.open()?).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.open()?).poll_write_vectored(cx, bufs)
    }

    /// Nothing to do: a pipe holds nothing back.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the pipe: the child reads the end.
    fn poll_close(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for &PipeWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.open()?).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.open()?).poll_write_vectored(cx, bufs)
    }

    /// Nothing to do: a pipe holds nothing back.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Nothing to do by reference: dropping the pipe closes it.
    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsFd for PipeReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

/// One child's output as another one's input.
impl TryFrom<PipeReader> for Stdio {
    type Error = io::Error;

    fn try_from(pipe: PipeReader) -> io::Result<Self> {
        pipe.into_owned_fd().map(Self::from)
    }
}

/// One child's input as another one's output.
impl TryFrom<PipeWriter> for Stdio {
    type Error = io::Error;

    fn try_from(pipe: PipeWriter) -> io::Result<Self> {
        pipe.into_owned_fd().map(Self::from)
    }
}

impl fmt::Debug for PipeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PipeReader").field(self.0.get_ref()).finish()
    }
}

impl fmt::Debug for PipeWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PipeWriter").field(&self.0.as_ref().map(Async::get_ref)).finish()
    }
}
