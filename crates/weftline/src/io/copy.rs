//! Copying from a source to a sink until the end, in one direction or in both.

use super::{AsyncRead, AsyncWrite};
use crate::task::budget;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How much is read at once. Value picked out of thin air: most of what a socket has at one time.
const PIECE_BYTES: usize = 16 * 1024;

/// Copies from `reader` to `writer` until the end, and flushes the writer; says how many bytes.
///
/// While nothing comes, nothing is held back: the writer is flushed then, too. It is not closed.
///
/// # Errors
///
/// What the reader or the writer fails with first.
///
/// # Cancel safety
///
/// Bytes that were read and not yet written are lost, and nobody knows how many.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// let mut copied = Vec::new();
/// assert_eq!(weftline::io::copy(&mut &b"hello"[..], &mut copied).await?, 5);
/// assert_eq!(copied, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn copy<R, W>(reader: &mut R, writer: &mut W) -> io::Result<u64>
where
    R: AsyncRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    let mut copying = Copying::default();
    poll_fn(|cx| copying.poll(cx, reader, writer)).await
}

/// Copies in both directions until both have ended: what a proxy does. Gives the number of bytes from
/// `a` to `b`, and of those from `b` to `a`.
///
/// The end of one direction is passed on, by closing the writer of the other side, while the other
/// direction goes on.
///
/// # Errors
///
/// What any of them fails with first; the other direction ends with it.
///
/// # Cancel safety
///
/// As [`copy`].
///
/// # Examples
///
/// ```
/// use weftline::io::{BufReader, BufWriter, copy_bidirectional, duplex};
///
/// # weftline::run(async {
/// let (client, mut a) = duplex(64);
/// let (mut b, server) = duplex(64);
/// let proxy = weftline::spawn(async move { copy_bidirectional(&mut a, &mut b).await });
///
/// let mut request = BufWriter::new(&client);
/// request.write_all(b"hello").await?;
/// request.close().await?;
/// let mut seen = Vec::new();
/// BufReader::new(&server).read_to_end(&mut seen).await?;
/// assert_eq!(seen, b"hello");
///
/// let mut reply = BufWriter::new(&server);
/// reply.write_all(b"hi").await?;
/// reply.close().await?;
/// assert_eq!(proxy.await.unwrap()?, (5, 2));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn copy_bidirectional<A, B>(a: &mut A, b: &mut B) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    let (mut there, mut back) = (Way::default(), Way::default());
    let mut back_is_first = false;
    poll_fn(|cx| {
        // By turns: one that never waits uses up the time slice, and leaves nothing to the other.
        let early = if back_is_first { Some(back.poll(cx, b, a)?) } else { None };
        let there = there.poll(cx, a, b)?;
        let back = match early {
            Some(back) => back,
            None => back.poll(cx, b, a)?,
        };
        back_is_first = !back_is_first;
        match (there, back) {
            (Poll::Ready(there), Poll::Ready(back)) => Poll::Ready(Ok((there, back))),
            _ => Poll::Pending,
        }
    })
    .await
}

/// A copy that is under way.
#[derive(Default)]
struct Copying {
    /// What was read and not written lies in here, from `start` to `end`.
    bytes: Vec<u8>,
    /// Where it begins.
    start: usize,
    /// Where it ends.
    end: usize,
    /// How much was written.
    copied: u64,
    /// The reader has no more.
    has_ended: bool,
    /// Something was written since the writer was flushed.
    is_dirty: bool,
}

impl Copying {
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        loop {
            // The reader and the writer may both lie in memory, and never wait.
            ready!(budget::poll_proceed(cx));
            if self.poll_piece(cx, reader)?.is_pending() {
                ready!(self.poll_flush(cx, writer))?;
                return Poll::Pending;
            }
            while self.start < self.end {
                let rest = &self.bytes[self.start..self.end];
                match ready!(Pin::new(&mut *writer).poll_write(cx, rest))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    count => {
                        self.start += count;
                        self.copied += count as u64;
                        self.is_dirty = true;
                    }
                }
            }
            if self.has_ended {
                ready!(self.poll_flush(cx, writer))?;
                return Poll::Ready(Ok(self.copied));
            }
        }
    }

    /// Waits until there is something to write, or the end.
    fn poll_piece<R>(&mut self, cx: &mut Context<'_>, reader: &mut R) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin + ?Sized,
    {
        if self.start == self.end && !self.has_ended {
            self.bytes.resize(PIECE_BYTES, 0);
            let count = ready!(Pin::new(reader).poll_read(cx, &mut self.bytes))?;
            (self.start, self.end) = (0, count);
            self.has_ended = count == 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Flushes what was written.
    fn poll_flush<W>(&mut self, cx: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        if self.is_dirty {
            ready!(Pin::new(writer).poll_flush(cx))?;
            self.is_dirty = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// One direction of two.
enum Way {
    /// Bytes may come.
    Copying(Copying),
    /// The end came after so many bytes, and is being passed on.
    Closing(u64),
    /// All is done.
    Done(u64),
}

impl Default for Way {
    fn default() -> Self {
        Self::Copying(Copying::default())
    }
}

impl Way {
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        loop {
            *self = match self {
                Self::Copying(copying) => Self::Closing(ready!(copying.poll(cx, reader, writer))?),
                Self::Closing(copied) => {
                    ready!(Pin::new(&mut *writer).poll_close(cx))?;
                    Self::Done(*copied)
                }
                Self::Done(copied) => return Poll::Ready(Ok(*copied)),
            };
        }
    }
}
