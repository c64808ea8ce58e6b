//! Streams as hyper wants them: one adapter for every stream with the `futures-io` traits, one for
//! blocking streams.
//!
//! tokio's streams go through the adapter of `hyper-util` instead, which its users take. Like that
//! one, Weftline's reads into hyper's buffer as it is; `futures-io`, which smol's goes by, asks for
//! initialised bytes, so that the buffer is cleared first.

use std::{
    io::{self, IoSlice, Read as _, Write as _},
    net::TcpStream,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};

/// A stream that is written to by the traits of `futures-io`, and read from in its own way.
pub struct FuturesIo<S>(pub S);

/// A stream's way to read into a buffer of hyper's.
pub trait ReadInto: Unpin {
    /// Reads and advances the cursor.
    fn poll_read_into(
        &mut self,
        context: &mut Context<'_>,
        cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>>;
}

impl ReadInto for smol::net::TcpStream {
    fn poll_read_into(
        &mut self,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let length = ready!(Pin::new(self).poll_read(context, cursor.initialize_unfilled()))?;
        advance(&mut cursor, length);
        Poll::Ready(Ok(()))
    }
}

impl ReadInto for weftline::net::TcpStream {
    fn poll_read_into(
        &mut self,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // SAFETY: what is initialised stays so: the stream only writes to the buffer.
        let buffer = unsafe { cursor.as_mut() };
        let length = ready!(self.poll_read_uninit(context, buffer))?;
        // SAFETY: so many bytes were just read.
        unsafe { cursor.advance(length) };
        Poll::Ready(Ok(()))
    }
}

impl<S: ReadInto> Read for FuturesIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read_into(context, cursor)
    }
}

impl<S: AsyncWrite + Unpin> Write for FuturesIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(context)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }
}

/// A stream whose calls block the thread they are made on, so that none of them is ever pending.
pub struct BlockingIo(pub TcpStream);

impl Read for BlockingIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.0.read(cursor.initialize_unfilled())?;
        advance(&mut cursor, length);
        Poll::Ready(Ok(()))
    }
}

impl Write for BlockingIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(std::net::Shutdown::Write))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write_vectored(slices))
    }
}

/// Marks the next `length` bytes as read.
///
/// # Panics
///
/// If the cursor has fewer bytes than that.
fn advance(cursor: &mut ReadBufCursor<'_>, length: usize) {
    assert!(length <= cursor.remaining(), "a stream reads no more than it is asked for");
    // SAFETY: `initialize_unfilled` has initialised all remaining bytes of the cursor, and `length`
    // is not more.
    unsafe { cursor.advance(length) };
}
