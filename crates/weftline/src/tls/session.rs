//! [`Session`]: rustls's state machine and the stream that its records travel on, brought together.
//!
//! rustls takes bytes and gives bytes and waits for nothing; here is where the waiting is done. Reading
//! touches nothing but the reading direction of the stream and writing nothing but the other, so that two
//! tasks can wait at once, one in each. What a poll has taken is in the session, and so nothing is lost with
//! a future that is dropped.

use crate::io::{AsyncRead, AsyncWrite};
use rustls::{Connection, ProtocolVersion};
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A connection of TLS on a stream.
pub(super) struct Session<S> {
    /// What its records travel on.
    pub(super) stream: S,
    /// What they mean.
    pub(super) connection: Connection,
    /// The other side has said that it writes no more.
    pub(super) has_ended: bool,
    /// What has made it unusable, for good.
    failure: Option<rustls::Error>,
}

impl<S> Session<S> {
    pub(super) fn new(stream: S, connection: Connection) -> Self {
        Self { stream, connection, has_ended: false, failure: None }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Goes through the handshake.
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.connection.is_handshaking() {
            ready!(self.poll_flush(cx))?;
            let received = ready!(self.poll_receive(cx))?;
            if received == 0 && self.connection.is_handshaking() {
                let text = "the other side has ended the connection in the TLS handshake";
                return Poll::Ready(Err(io::Error::new(ErrorKind::UnexpectedEof, text)));
            }
        }
        let sent = self.poll_flush(cx);
        match self.connection {
            // All that may be left are tickets for later sessions. Nobody waits for those, and a client
            // that is gone already has not wanted them.
            Connection::Server(_) if self.is_1_3() => Poll::Ready(Ok(())),
            _ => sent,
        }
    }

    fn is_1_3(&self) -> bool {
        self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Receives once; says how many bytes, of which zero mean the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.look_for_failure()?;
        let count = ready!(pending_if_blocked(
            self.connection.read_tls(&mut Blocking { stream: &mut self.stream, cx })
        ))?;
        // Whatever waits to be sent is sent by those who write, but for what rustls has to say last.
        let is_idle = !self.connection.wants_write();
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.has_ended |= state.peer_has_closed();
                Poll::Ready(Ok(count))
            }
            Err(error) => {
                // Nobody waits to write, and so nobody's waker is lost.
                if is_idle {
                    let _ = self.poll_flush(cx);
                }
                self.failure = Some(error);
                Poll::Ready(self.look_for_failure().map(|()| 0))
            }
        }
    }

    /// Says what has made the connection unusable, if something has.
    fn look_for_failure(&self) -> io::Result<()> {
        match &self.failure {
            Some(error) => Err(io::Error::new(ErrorKind::InvalidData, error.clone())),
            None => Ok(()),
        }
    }

    /// Passes on to the stream all that waits to be sent.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.connection.wants_write() {
            let count = ready!(pending_if_blocked(
                self.connection.write_tls(&mut Blocking { stream: &mut self.stream, cx })
            ))?;
            if count == 0 {
                let text = "the stream below TLS takes no more";
                return Poll::Ready(Err(io::Error::new(ErrorKind::WriteZero, text)));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The same, and flushes the stream.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Reads what the other side has written. Zero is the end that it has said, or that `buf` is empty.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.connection.reader().read(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    let text =
                        "the connection has ended, and the other side has not said so by TLS";
                    return Poll::Ready(Err(io::Error::new(ErrorKind::UnexpectedEof, text)));
                }
                result => return Poll::Ready(result),
            }
            ready!(self.poll_receive(cx))?;
        }
    }

    /// Takes as much of `data` as there is room for, and sends what the stream takes.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.look_for_failure()?;
        loop {
            let taken = self.connection.writer().write(data)?;
            let sent = self.poll_send(cx)?;
            if taken > 0 || data.is_empty() {
                return Poll::Ready(Ok(taken));
            }
            ready!(sent);
        }
    }
}

/// A stream as rustls wants it: what would wait says so by an error.
struct Blocking<'a, 'b, S> {
    /// The stream.
    stream: &'a mut S,
    /// Who is woken when it need not wait any more.
    cx: &'a mut Context<'b>,
}

impl<S: AsyncRead + Unpin> Read for Blocking<'_, '_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        blocked_if_pending(Pin::new(&mut *self.stream).poll_read(self.cx, buf))
    }
}

impl<S: AsyncWrite + Unpin> Write for Blocking<'_, '_, S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        blocked_if_pending(Pin::new(&mut *self.stream).poll_write(self.cx, data))
    }

    fn write_vectored(&mut self, data: &[io::IoSlice<'_>]) -> io::Result<usize> {
        blocked_if_pending(Pin::new(&mut *self.stream).poll_write_vectored(self.cx, data))
    }

    fn flush(&mut self) -> io::Result<()> {
        blocked_if_pending(Pin::new(&mut *self.stream).poll_flush(self.cx))
    }
}

fn blocked_if_pending<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

fn pending_if_blocked<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
