//! Pipes: those to a child, those within the process, FIFOs and terminals.

use super::Async;
use super::delegate::delegate_read;
use crate::platform::processes;
use futures_io::AsyncWrite;
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

/// Makes a pipe: what is written to one end is read from the other. Neither is inherited by child processes, but for
/// one that is made the `Stdio` of a [`Command`](crate::process::Command).
///
/// Within the process [`duplex`](super::duplex()) is cheaper. Unix only.
///
/// # Errors
///
/// Whatever the system says, such as that there are too many descriptors; and outside of a runtime.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// let (reader, writer) = weftline::io::pipe()?;
/// writer.write_all(b"hello").await?;
/// drop(writer);
/// let mut all = Vec::new();
/// reader.read_to_end(&mut all).await?;
/// assert_eq!(all, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = processes::pipe()?;
    Ok((PipeReader::from_fd(reader)?, PipeWriter::from_fd(writer)?))
}

/// The end of a pipe that is read: the [`stdout`](crate::process::Child::stdout) or
/// [`stderr`](crate::process::Child::stderr) of a child, that of [`pipe`], or [any descriptor](Self::from_fd) that is like one.
///
/// It comes to its end when all processes that could write to it have closed it: a child, and
/// those that the child has started and left behind. (A terminal whose other side is closed gives no end on Linux:
/// there reading it fails, with an input/output error.) Also an [`AsyncRead`](futures_io::AsyncRead), as what it is and by
/// reference. Unix only.
pub struct PipeReader(Async<File>);

/// The end of a pipe that is written: the [`stdin`](crate::process::Child::stdin) of a child, that of [`pipe`], or
/// [any descriptor](Self::from_fd) that is like one.
///
/// Dropping it closes the pipe, so that the other side reads the end. Also an [`AsyncWrite`], as what it
/// is and by reference; `poll_close` closes the pipe, where it is not by reference. Unix only.
pub struct PipeWriter(Option<Async<File>>);

impl PipeReader {
    /// Reads from an open descriptor: a pipe, a FIFO, a terminal, a device.
    ///
    /// It is put into non-blocking mode, and so are its duplicates, in other processes too.
    ///
    /// # Errors
    ///
    /// Whatever the system says where it cannot be waited for, such as a regular file on Linux; and outside of a runtime.
    ///
    /// # Examples
    ///
    /// A FIFO; opening one waits for the other side.
    ///
    /// ```
    /// # weftline::run(async {
    /// use weftline::fs::{self, File, OpenOptions};
    /// use weftline::io::{PipeReader, PipeWriter};
    ///
    /// let dir = fs::TempDir::new().await?;
    /// let path = dir.path().join("fifo");
    /// assert!(weftline::process::Command::new("mkfifo").arg(&path).status().await?.success());
    ///
    /// let there = path.clone();
    /// let writing = weftline::spawn(async move {
    ///     let fifo = OpenOptions::new().write(true).open(there).await?;
    ///     PipeWriter::from_fd(fifo.into_std().await?)?.write_all(b"hello").await
    /// });
    /// let reader = PipeReader::from_fd(File::open(path).await?.into_std().await?)?;
    /// let mut all = Vec::new();
    /// reader.read_to_end(&mut all).await?;
    /// assert_eq!(all, b"hello");
    /// writing.await.unwrap()?;
    /// # dir.close().await }).unwrap();
    /// ```
    pub fn from_fd(pipe: impl Into<OwnedFd>) -> io::Result<Self> {
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
    /// Writes to an open descriptor: a pipe, a FIFO, a terminal, a device.
    ///
    /// It is put into non-blocking mode, and so are its duplicates, in other processes too.
    ///
    /// # Errors
    ///
    /// Whatever the system says where it cannot be waited for, such as a regular file on Linux; and outside of a runtime.
    ///
    /// # Examples
    ///
    /// A terminal is read and written by two descriptors of it; here it is a pair that another program could be given.
    ///
    /// ```
    /// # weftline::run(async {
    /// use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    /// use weftline::io::{BufReader, PipeReader, PipeWriter};
    ///
    /// let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    /// grantpt(&master)?;
    /// unlockpt(&master)?;
    /// let name = ptsname(&master, Vec::new())?.into_string().unwrap();
    /// let mut terminal = std::fs::OpenOptions::new().read(true).write(true).open(name)?;
    ///
    /// let keyboard = PipeWriter::from_fd(master.try_clone()?)?;
    /// let mut screen = BufReader::new(PipeReader::from_fd(master)?);
    /// keyboard.write_all(b"hello\n").await?;
    /// assert_eq!(screen.read_line().await?, b"hello\r\n"); // the echo
    /// std::io::Write::write_all(&mut terminal, b"bye\n")?;
    /// assert_eq!(screen.read_line().await?, b"bye\r\n");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn from_fd(pipe: impl Into<OwnedFd>) -> io::Result<Self> {
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

    /// Closes the pipe: the other side reads the end.
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
