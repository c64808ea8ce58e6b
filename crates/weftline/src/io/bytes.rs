//! Reading and writing bytes through an [`Async`]: awaiting methods, and the `futures-io` traits.

use super::pollable::Async;
use super::watch::{Direction, Waiting, Watch};
use crate::platform::poller::{AsDescriptor, descriptor};
use futures_io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How much room `read_to_end` makes when it begins with a vector that has none; it doubles from
/// there. Small, as most whole streams are.
const FIRST_READ_BYTES: usize = 1024;

/// Something moved, but less than `wanted`.
fn is_short(moved: usize, wanted: usize) -> bool {
    0 < moved && moved < wanted
}

impl<T: AsDescriptor> Async<T>
where
    for<'a> &'a T: Read,
{
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
    /// # weftline::run(async {
    /// use std::io::Write;
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let mut theirs = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// # let (ours, _) = listener.accept()?;
    /// let ours = weftline::io::Async::new(ours)?;
    /// theirs.write_all(b"hello")?;
    /// let mut buf = [0; 16];
    /// let n = ours.read(&mut buf).await?;
    /// assert_eq!(&buf[..n], b"hello");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_bytes(buf.len(), |mut io| io.read(buf)).await
    }

    /// Reads by `read`, which asks for `wanted` bytes.
    pub(crate) async fn read_bytes(
        &self,
        wanted: usize,
        read: impl FnMut(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.operate(Direction::Read, read, |n| is_short(*n, wanted)).await
    }

    /// Reads into several buffers, one after the other, as [`read`](Async::read) into one.
    ///
    /// # Errors
    ///
    /// As [`read`](Async::read).
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Async::read).
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use std::io::{IoSliceMut, Write};
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let mut theirs = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// # let (ours, _) = listener.accept()?;
    /// # let ours = weftline::io::Async::new(ours)?;
    /// theirs.write_all(b"hello")?;
    /// let (mut first, mut rest) = ([0; 1], [0; 16]);
    /// let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut rest)];
    /// assert_eq!(ours.read_vectored(&mut buffers).await?, 5);
    /// assert_eq!((&first, &rest[..4]), (b"h", &b"ello"[..]));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        self.read_bytes(wanted, |mut io| io.read_vectored(bufs)).await
    }

    /// Reads until `buf` is full.
    ///
    /// # Errors
    ///
    /// As [`read`](Async::read), and [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the end
    /// comes first; what `buf` holds then is not specified.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, the bytes read so far are in `buf`, but nobody knows how many.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use std::io::Write;
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let mut theirs = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// # let (ours, _) = listener.accept()?;
    /// # let ours = weftline::io::Async::new(ours)?;
    /// theirs.write_all(b"hello")?;
    /// let mut buf = [0; 4];
    /// ours.read_exact(&mut buf).await?;
    /// assert_eq!(&buf, b"hell");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read(&mut buf[filled..]).await? {
                0 => {
                    let wanted = buf.len();
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        format!("the end came after {filled} of {wanted} bytes"),
                    ));
                }
                n => filled += n,
            }
        }
        Ok(())
    }

    /// Reads until the end and appends everything to `buf`. Returns how many bytes were appended.
    ///
    /// # Errors
    ///
    /// As [`read`](Async::read); what was read before stays in `buf`.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, what was read so far is in `buf`: nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use std::io::Write;
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let mut theirs = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// # let (ours, _) = listener.accept()?;
    /// # let ours = weftline::io::Async::new(ours)?;
    /// theirs.write_all(b"all of it")?;
    /// drop(theirs);
    /// let mut all = Vec::new();
    /// assert_eq!(ours.read_to_end(&mut all).await?, 9);
    /// assert_eq!(all, b"all of it");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_to_end(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let mut growing = Growing { filled: buf.len(), vec: buf };
        let before = growing.filled;
        loop {
            match self.read(growing.room()).await? {
                0 => return Ok(growing.filled - before),
                n => growing.filled += n,
            }
        }
    }
}

/// A vector that is read into: longer than what it holds while it is, and cut back when dropped.
struct Growing<'a> {
    /// The vector, zeroes at its end.
    vec: &'a mut Vec<u8>,
    /// How much of it was read.
    filled: usize,
}

impl Growing<'_> {
    /// Where to read next; never empty.
    fn room(&mut self) -> &mut [u8] {
        if self.vec.len() == self.filled {
            self.vec.reserve(FIRST_READ_BYTES.max(self.filled));
            self.vec.resize(self.vec.capacity(), 0);
        }
        &mut self.vec[self.filled..]
    }
}

impl Drop for Growing<'_> {
    fn drop(&mut self) {
        self.vec.truncate(self.filled);
    }
}

impl<T: AsDescriptor> Async<T>
where
    for<'a> &'a T: Write,
{
    /// Writes what there is room for, waiting until there is some. Returns how many bytes of `buf`
    /// were taken.
    ///
    /// # Errors
    ///
    /// Whatever the system says, and when the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing was written.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let theirs = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let theirs = weftline::io::Async::new(theirs)?;
    /// assert_eq!(theirs.write(b"hello").await?, 5);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn write(&self, buf: &[u8]) -> io::Result<usize> {
        let write = |mut io: &T| io.write(buf);
        self.operate(Direction::Write, write, |n| is_short(*n, buf.len())).await
    }

    /// Writes from several buffers, one after the other, as [`write`](Async::write) from one.
    ///
    /// # Errors
    ///
    /// As [`write`](Async::write).
    ///
    /// # Cancel safety
    ///
    /// As [`write`](Async::write).
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use std::io::IoSlice;
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let theirs = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// # let theirs = weftline::io::Async::new(theirs)?;
    /// let parts = [IoSlice::new(b"head"), IoSlice::new(b"body")];
    /// assert_eq!(theirs.write_vectored(&parts).await?, 8);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        let write = |mut io: &T| io.write_vectored(bufs);
        self.operate(Direction::Write, write, |n| is_short(*n, wanted)).await
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// As [`write`](Async::write), and [`WriteZero`](io::ErrorKind::WriteZero) when the system
    /// takes no more; some bytes may have been written before.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, some bytes may have been written, and nobody knows how many.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let theirs = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// # let theirs = weftline::io::Async::new(theirs)?;
    /// theirs.write_all(b"hello").await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn write_all(&self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write(buf).await? {
                0 => {
                    return Err(io::Error::new(
                        io::ErrorKind::WriteZero,
                        format!("the system takes no more; {} bytes are left", buf.len()),
                    ));
                }
                n => buf = &buf[n..],
            }
        }
        Ok(())
    }

    /// Flushes what the object itself holds back; sockets and pipes hold nothing.
    ///
    /// # Errors
    ///
    /// Whatever the object says.
    ///
    /// # Cancel safety
    ///
    /// Calling it again goes on where it was.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let theirs = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// # let theirs = weftline::io::Async::new(theirs)?;
    /// theirs.flush().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn flush(&self) -> io::Result<()> {
        // At once, since most objects have nothing to flush and no reason to wait for room.
        match self.try_write_with(|mut io| io.flush()) {
            Err(error) if must_wait(&error) => self.write_with(|mut io| io.flush()).await,
            result => result,
        }
    }
}

/// The operation is to be tried again, after waiting.
fn must_wait(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Runs `operation` on the object itself, as the one poll-style reader or writer.
fn poll_exclusive<T: AsDescriptor>(
    io: &mut Async<T>,
    direction: Direction,
    cx: &mut Context<'_>,
    wanted: usize,
    mut operation: impl FnMut(&mut T) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    ready!(Watch::begin(cx));
    let (io, watch) = io.parts();
    loop {
        let found = watch.poll_ready(descriptor(io), direction, &mut Waiting::Slot, cx);
        let seen = ready!(found)?;
        let result = operation(io);
        if let Some(result) = watch.settle(direction, seen, result, |n| is_short(*n, wanted)) {
            return Poll::Ready(result);
        }
    }
}

/// Runs `operation` on a shared object, as the one poll-style reader or writer.
#[inline]
pub(crate) fn poll_shared<T: AsDescriptor>(
    io: &Async<T>,
    direction: Direction,
    cx: &mut Context<'_>,
    wanted: usize,
    operation: impl FnMut(&T) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    io.poll_operation(direction, Waiting::Slot, cx, operation, |n| is_short(*n, wanted))
}

impl<T: AsDescriptor + Read> AsyncRead for Async<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let wanted = buf.len();
        poll_exclusive(&mut self, Direction::Read, cx, wanted, |io| io.read(buf))
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        poll_exclusive(&mut self, Direction::Read, cx, wanted, |io| io.read_vectored(bufs))
    }
}

impl<T: AsDescriptor + Write> AsyncWrite for Async<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_exclusive(&mut self, Direction::Write, cx, buf.len(), |io| io.write(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        poll_exclusive(&mut self, Direction::Write, cx, wanted, |io| io.write_vectored(bufs))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.parts().0.flush() {
            Err(error) if must_wait(&error) => {}
            result => return Poll::Ready(result),
        }
        poll_exclusive(&mut self, Direction::Write, cx, 0, |io| io.flush().map(|()| 0))
            .map_ok(|_| ())
    }

    /// Flushes. What closing means depends on the object; dropping it does it.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<T: AsDescriptor> AsyncRead for &Async<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        poll_shared(&self, Direction::Read, cx, buf.len(), |mut io| io.read(buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        poll_shared(&self, Direction::Read, cx, wanted, |mut io| io.read_vectored(bufs))
    }
}

impl<T: AsDescriptor> AsyncWrite for &Async<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_shared(&self, Direction::Write, cx, buf.len(), |mut io| io.write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        poll_shared(&self, Direction::Write, cx, wanted, |mut io| io.write_vectored(bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.try_write_with(|mut io| io.flush()) {
            Err(error) if must_wait(&error) => {}
            result => return Poll::Ready(result),
        }
        poll_shared(&self, Direction::Write, cx, 0, |mut io| io.flush().map(|()| 0)).map_ok(|_| ())
    }

    /// Flushes. What closing means depends on the object; dropping it does it.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
