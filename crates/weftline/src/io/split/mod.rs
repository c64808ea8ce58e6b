//! `split` makes two halves of any stream, and `join` one stream of a reader and a writer.
//!
//! The halves share the stream: whoever is polled takes it, and puts it back before the poll ends. No
//! lock is held meanwhile, so that a half which finds it taken waits as for anything else, by its waker.

#[cfg(test)]
mod tests;

use super::{AsyncRead, AsyncWrite};
use crate::platform::Mutex;
use crate::task::wake_all;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// Splits a stream into a half that reads and one that writes, for two tasks or for a
/// [`BufReader`](super::BufReader) and a [`BufWriter`](super::BufWriter).
///
/// It is for streams that are read and written as a whole, as those of TLS and of other
/// crates. The sockets in [`net`](crate::net) need it not: they are read and written through references,
/// and have halves of their own.
///
/// The stream is dropped with the last half; dropping the writing one does not close it.
///
/// # Examples
///
/// ```
/// use weftline::io::{BufReader, BufWriter, duplex, split};
///
/// # weftline::run(async {
/// let (ours, theirs) = duplex(64);
/// let (reader, writer) = split(theirs);
/// let echo = weftline::spawn(async move {
///     let (mut reader, mut writer) = (BufReader::new(reader), BufWriter::new(writer));
///     writer.write_all(reader.read_line().await?).await?;
///     writer.close().await
/// });
///
/// let (reader, writer) = split(ours);
/// BufWriter::with_capacity(0, writer).write_all(b"hello\n").await?;
/// assert_eq!(BufReader::new(reader).read_line().await?, b"hello\n");
/// echo.await.unwrap()
/// # }).unwrap();
/// ```
pub fn split<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let place = Place { stream: Some(Box::new(stream)), waiting: None };
    let whole = Arc::new(Whole { place: Mutex::new(place) });
    (ReadHalf { whole: whole.clone() }, WriteHalf { whole })
}

/// The half of a stream that reads; made by [`split`].
///
/// # Examples
///
/// See [`split`].
pub struct ReadHalf<S> {
    /// What both halves share.
    whole: Arc<Whole<S>>,
}

/// The half of a stream that writes; made by [`split`].
///
/// # Examples
///
/// See [`split`].
pub struct WriteHalf<S> {
    /// What both halves share.
    whole: Arc<Whole<S>>,
}

impl<S> ReadHalf<S> {
    /// Puts the halves of a stream together again.
    ///
    /// # Panics
    ///
    /// When they are of different streams.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::io::{duplex, split};
    ///
    /// let (stream, _) = duplex(64);
    /// let (reader, writer) = split(stream);
    /// let _stream = reader.unsplit(writer);
    /// ```
    #[must_use]
    pub fn unsplit(self, writer: WriteHalf<S>) -> S {
        assert!(Arc::ptr_eq(&self.whole, &writer.whole), "the two halves are of different streams");
        let stream = self.whole.place.lock().stream.take();
        match stream {
            Some(stream) => *stream,
            None => unreachable!("neither half is being polled: both are here"),
        }
    }
}

/// A stream, as long as one of its halves is there.
struct Whole<S> {
    /// Where it is while no half is polled.
    place: Mutex<Place<S>>,
}

/// Where a stream is while no half is polled.
struct Place<S> {
    /// None while a half is polled.
    stream: Option<Box<S>>,
    /// The half that found it taken.
    waiting: Option<Waker>,
}

impl<S> Whole<S> {
    /// Takes the stream, once the other half has put it back.
    fn take(&self, cx: &mut Context<'_>) -> Poll<Taken<'_, S>> {
        // Wakers are foreign code: cloned before, dropped after the lock.
        let mut waker = Some(cx.waker().clone());
        let mut place = self.place.lock();
        let Some(stream) = place.stream.take() else {
            std::mem::swap(&mut place.waiting, &mut waker);
            return Poll::Pending;
        };
        Poll::Ready(Taken { whole: self, stream: Some(stream) })
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T>
    where
        S: Unpin,
    {
        let mut taken = ready!(self.take(cx));
        match &mut taken.stream {
            Some(stream) => operation(Pin::new(&mut **stream), cx),
            None => unreachable!("it is put back when `taken` is dropped"),
        }
    }
}

/// A stream that a half has taken. Put back when dropped, however the poll ends.
struct Taken<'a, S> {
    /// Where it goes.
    whole: &'a Whole<S>,
    /// The stream; none only once it was put back.
    stream: Option<Box<S>>,
}

impl<S> Drop for Taken<'_, S> {
    fn drop(&mut self) {
        let mut place = self.whole.place.lock();
        place.stream = self.stream.take();
        let waiting = place.waiting.take();
        drop(place);
        wake_all(waiting);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadHalf<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.whole.poll(cx, |stream, cx| stream.poll_read(cx, buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.whole.poll(cx, |stream, cx| stream.poll_read_vectored(cx, bufs))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteHalf<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.whole.poll(cx, |stream, cx| stream.poll_write(cx, data))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.whole.poll(cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole.poll(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole.poll(cx, |stream, cx| stream.poll_close(cx))
    }
}

impl<S> fmt::Debug for ReadHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf").finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for WriteHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf").finish_non_exhaustive()
    }
}

/// Makes one stream of a reader and a writer, for what takes a stream as a whole.
///
/// # Examples
///
/// ```
/// use weftline::io::{BufReader, BufWriter, copy_bidirectional, duplex, join};
///
/// # weftline::run(async {
/// let mut written = Vec::new();
/// let mut stream = join(&b"from the reader"[..], &mut written);
/// let (mut ours, theirs) = duplex(64);
/// let mut writer = BufWriter::new(&theirs);
/// writer.write_all(b"to the writer").await?;
/// writer.close().await?;
/// copy_bidirectional(&mut stream, &mut ours).await?;
/// assert_eq!(written, b"to the writer");
/// let mut read = Vec::new();
/// BufReader::new(&theirs).read_to_end(&mut read).await?;
/// assert_eq!(read, b"from the reader");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[must_use]
pub fn join<R, W>(reader: R, writer: W) -> Join<R, W> {
    Join { reader, writer }
}

/// A reader and a writer as one stream; made by [`join`].
///
/// # Examples
///
/// See [`join`].
#[derive(Debug)]
pub struct Join<R, W> {
    /// What is read from.
    reader: R,
    /// What is written to.
    writer: W,
}

impl<R, W> Join<R, W> {
    /// The reader and the writer.
    ///
    /// # Examples
    ///
    /// ```
    /// let stream = weftline::io::join(&b"one"[..], Vec::new());
    /// let (reader, writer) = stream.into_inner();
    /// assert_eq!((reader, writer), (&b"one"[..], Vec::<u8>::new()));
    /// ```
    #[must_use]
    pub fn into_inner(self) -> (R, W) {
        (self.reader, self.writer)
    }
}

impl<R: AsyncRead + Unpin, W: Unpin> AsyncRead for Join<R, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Join<R, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(cx)
    }
}
