//! `duplex`: two connected ends in memory, to try out with what will have a socket.

use super::{AsyncRead, AsyncWrite};
use crate::platform::Mutex;
use crate::task::{budget, wake_all};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// Two connected ends: what is written to one is read from the other. Each direction holds `capacity`
/// bytes; who writes more waits until they are read.
///
/// It is for tests, and for code that speaks a protocol with a part of the same program: it behaves as a
/// connection does, and needs no system.
///
/// # Panics
///
/// When the capacity is 0.
///
/// # Examples
///
/// ```
/// use weftline::io::{BufReader, BufWriter, duplex};
///
/// # weftline::run(async {
/// let (ours, theirs) = duplex(64);
/// let echo = weftline::spawn(async move {
///     let line = BufReader::new(&theirs).read_line().await?.to_vec();
///     let mut writer = BufWriter::new(&theirs);
///     writer.write_all(&line).await?;
///     writer.flush().await
/// });
/// let mut writer = BufWriter::new(&ours);
/// writer.write_all(b"hello\n").await?;
/// writer.flush().await?;
/// assert_eq!(BufReader::new(&ours).read_line().await?, b"hello\n");
/// echo.await.unwrap()
/// # }).unwrap();
/// ```
#[must_use]
pub fn duplex(capacity: usize) -> (DuplexStream, DuplexStream) {
    assert!(capacity > 0, "a pipe holds at least 1 byte");
    let pipe = || Arc::new(Pipe { capacity, flow: Mutex::new(Flow::default()) });
    let (one, other) = (pipe(), pipe());
    let swapped = DuplexStream { incoming: other.clone(), outgoing: one.clone() };
    (DuplexStream { incoming: one, outgoing: other }, swapped)
}

/// One of two connected ends in memory; made by [`duplex`].
///
/// It has the traits [`AsyncRead`] and [`AsyncWrite`], as has a reference to it, so that one task may read
/// while another writes. Of several that wait in one direction, the last one is woken. Closing ends the
/// writing. Dropping it does too, and the other end can then write no more: that fails with
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
///
/// # Examples
///
/// See [`duplex`].
pub struct DuplexStream {
    /// What the other end writes.
    incoming: Arc<Pipe>,
    /// What this one writes.
    outgoing: Arc<Pipe>,
}

/// One direction.
struct Pipe {
    /// How many bytes it holds.
    capacity: usize,
    /// What is in it, and who waits for it.
    flow: Mutex<Flow>,
}

/// What is in a pipe, and who waits for it.
#[derive(Default)]
struct Flow {
    /// Written and not read.
    bytes: VecDeque<u8>,
    /// Nothing more is written.
    is_closed: bool,
    /// Nobody reads any more.
    is_broken: bool,
    /// Who waits for bytes.
    reader: Option<Waker>,
    /// Who waits for room.
    writer: Option<Waker>,
}

impl Pipe {
    /// Changes the flow, and then wakes whom the change took out of it.
    fn change<R>(&self, change: impl FnOnce(&mut Flow) -> (R, Option<Waker>)) -> R {
        // Wakers are foreign code, which no lock is held for.
        let (result, waker) = change(&mut self.flow.lock());
        wake_all(waker);
        result
    }

    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(budget::poll_proceed(cx));
        let mut waker = Some(cx.waker().clone());
        self.change(|flow| {
            let (front, _) = flow.bytes.as_slices();
            let count = front.len().min(buf.len());
            if count == 0 && !buf.is_empty() && !flow.is_closed {
                std::mem::swap(&mut flow.reader, &mut waker);
                return (Poll::Pending, None);
            }
            buf[..count].copy_from_slice(&front[..count]);
            flow.bytes.drain(..count);
            (Poll::Ready(Ok(count)), flow.writer.take())
        })
    }

    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready!(budget::poll_proceed(cx));
        let mut waker = Some(cx.waker().clone());
        self.change(|flow| {
            if flow.is_broken || flow.is_closed {
                return (Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())), None);
            }
            let count = data.len().min(self.capacity - flow.bytes.len());
            if count == 0 && !data.is_empty() {
                std::mem::swap(&mut flow.writer, &mut waker);
                return (Poll::Pending, None);
            }
            flow.bytes.extend(&data[..count]);
            (Poll::Ready(Ok(count)), flow.reader.take())
        })
    }

    /// Ends the writing.
    fn close(&self) {
        self.change(|flow| {
            flow.is_closed = true;
            ((), flow.reader.take())
        });
        // Who waits for room, by a reference, waits in vain.
        self.change(|flow| ((), flow.writer.take()));
    }

    /// Ends the reading.
    fn break_off(&self) {
        self.change(|flow| {
            flow.is_broken = true;
            flow.bytes = VecDeque::new();
            ((), flow.writer.take())
        });
    }
}

impl AsyncRead for &DuplexStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.incoming.poll_read(cx, buf)
    }
}

impl AsyncWrite for &DuplexStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.outgoing.poll_write(cx, data)
    }

    /// Nothing to do: what is written can be read.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends the writing: the other end reads what is left, and then the end.
    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.close();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for DuplexStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }
}

impl AsyncWrite for DuplexStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        self.outgoing.close();
        self.incoming.break_off();
    }
}

impl fmt::Debug for DuplexStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DuplexStream").finish_non_exhaustive()
    }
}
