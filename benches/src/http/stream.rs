//! Streams as hyper wants them: one adapter for every stream with the `futures-io` traits, one for
//! blocking streams.
//!
//! tokio's streams go through the adapter of `hyper-util` instead, which its users take. The only
//! difference is that the adapter here clears hyper's read buffer before it is read into, because
//! `futures-io` asks for initialised bytes.

use std::{
    io::{self, IoSlice, Read as _, Write as _},
    net::TcpStream,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};

/// A stream with the traits of `futures-io`.
pub struct FuturesIo<S>(pub S);

impl<S: AsyncRead + Unpin> Read for FuturesIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let length =
            ready!(Pin::new(&mut self.0).poll_read(context, cursor.initialize_unfilled()))?;
        advance(&mut cursor, length);
        Poll::Ready(Ok(()))
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
