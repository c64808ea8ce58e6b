//! [`TlsStream`]: what is read and written once the handshake is done.

use super::connector::too_long;
use super::session::Session;
use crate::io::{AsyncRead, AsyncWrite};
use crate::time::{Sleep, sleep};
use rustls::Connection;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A stream whose bytes travel encrypted on the stream `S`; made by
/// [`TlsConnector::connect`](super::TlsConnector::connect) and
/// [`TlsAcceptor::accept`](super::TlsAcceptor::accept).
///
/// Dropping it drops the stream below. That does not say to the other side that this was all: its
/// reads fail then, unless [`close`](Self::close) came before.
///
/// # Examples
///
/// See the [module](super).
pub struct TlsStream<S> {
    /// The connection.
    session: Session<S>,
    /// Nothing more may be written.
    is_closing: bool,
    /// How long the last words may take.
    close_limit: Duration,
    /// Until when they may, once they are waited for.
    close_deadline: Option<Sleep>,
}

impl<S> TlsStream<S> {
    pub(super) fn new(session: Session<S>, close_limit: Duration) -> Self {
        Self { session, is_closing: false, close_limit, close_deadline: None }
    }

    /// The stream below. Nobody else should read from it or write to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::net::TcpStream;
    /// use weftline::tls::TlsStream;
    ///
    /// async fn greet(mut stream: TlsStream<TcpStream>) -> std::io::Result<()> {
    ///     let from = stream.get_ref().peer_addr()?;
    ///     stream.write_all(format!("hello, {from}\n").as_bytes()).await?;
    ///     stream.close().await
    /// }
    /// # let _ = greet;
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.session.stream
    }

    /// What the two sides have agreed on: the other side's certificates
    /// ([`peer_certificates`](rustls::CommonState::peer_certificates)), the protocol
    /// ([`alpn_protocol`](rustls::CommonState::alpn_protocol)), the version, the ciphers.
    ///
    /// # Examples
    ///
    /// ```
    /// # use weftline::tls::{TlsAcceptor, TlsConnector, client_config, rustls, server_config};
    /// # let connector = TlsConnector::from(client_config("tests/localhost.pem").unwrap());
    /// # let config = server_config("tests/localhost.pem", "tests/localhost.pem").unwrap();
    /// # weftline::run(async {
    /// # let (stream, theirs) = weftline::io::duplex(1024);
    /// # let server = weftline::spawn(async move { TlsAcceptor::from(config).accept(theirs).await });
    /// let stream = connector.connect("localhost", stream).await?;
    /// assert_eq!(stream.connection().protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    /// assert_eq!(stream.connection().peer_certificates().map(<[_]>::len), Some(1));
    /// assert_eq!(stream.connection().alpn_protocol(), None);
    /// # let stream = server.await.unwrap()?;
    /// // On the server:
    /// assert_eq!(stream.server_name(), Some("localhost"));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.session.connection
    }

    /// The name by which a client has called this server (SNI); none for a client, and where it was
    /// called by an IP address.
    ///
    /// # Examples
    ///
    /// See [`connection`](Self::connection).
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        match &self.session.connection {
            Connection::Server(server) => server.server_name(),
            Connection::Client(_) => None,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// Reads into `buf` what is there, waiting until there is something. Returns how many bytes;
    /// zero means the end, or that `buf` is empty.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](ErrorKind::UnexpectedEof) when the connection has ended and the other side has not said that this
    /// was all; [`InvalidData`](ErrorKind::InvalidData), with a [`rustls::Error`] inside, when what comes is not
    /// what was sent; and whatever the stream below says.
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: bytes are taken only by the poll that returns them.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::net::TcpStream;
    /// use weftline::tls::TlsStream;
    ///
    /// async fn count(mut stream: TlsStream<TcpStream>) -> std::io::Result<usize> {
    ///     let (mut buf, mut count) = ([0; 1024], 0);
    ///     loop {
    ///         match stream.read(&mut buf).await? {
    ///             0 => return Ok(count),
    ///             n => count += n,
    ///         }
    ///     }
    /// }
    /// # let _ = count;
    /// ```
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, buf)).await
    }

    /// Writes all of `data`, and waits until it is on its way.
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](ErrorKind::BrokenPipe) after [`close`](Self::close), and whatever the stream below
    /// says. It may concern bytes of earlier calls.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, some bytes may have been taken, and nobody knows how many. Those are sent by
    /// whatever is written next, or by [`flush`](Self::flush).
    ///
    /// # Examples
    ///
    /// See the [module](super).
    pub async fn write_all(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let count = poll_fn(|cx| Pin::new(&mut *self).poll_write(cx, data)).await?;
            data = &data[count..];
        }
        self.flush().await
    }

    /// Waits until all that was written is on its way. Needed only after the methods of
    /// [`AsyncWrite`], which may hold some of it back while the stream below takes no more.
    ///
    /// # Errors
    ///
    /// Whatever the stream below says.
    ///
    /// # Cancel safety
    ///
    /// Calling it again goes on where it was.
    ///
    /// # Examples
    ///
    /// See [`BufWriter::flush`](crate::io::BufWriter::flush), which flushes what is below it, too.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self).poll_flush(cx)).await
    }

    /// Ends the writing: sends what was written, says that this was all, and closes the stream below,
    /// which for a socket ends its writing. Reading goes on, until the other side has said the same.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](ErrorKind::TimedOut) when it takes longer than the
    /// [limit](super::TlsConnector::close_timeout), by default half a minute, and whatever the stream below says. None
    /// where the other side has said that it has written all, and is gone.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, where it has to wait.
    ///
    /// # Cancel safety
    ///
    /// Calling it again goes on where it was, within the same time.
    ///
    /// # Examples
    ///
    /// See the [module](super).
    pub async fn close(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self).poll_close(cx)).await
    }

    /// Sends the last words and closes the stream below.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.session.poll_send(cx))?;
        Pin::new(&mut self.session.stream).poll_close(cx)
    }
}

/// Whether a write failed since nobody is there any more.
fn is_gone(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.session.poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_closing {
            let error = io::Error::new(ErrorKind::BrokenPipe, "the stream is closed for writing");
            return Poll::Ready(Err(error));
        }
        self.session.poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.poll_flush(cx)
    }

    /// Says that this was all, and closes the stream below.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_closing {
            this.is_closing = true;
            this.session.connection.send_close_notify();
        }
        match this.poll_end(cx) {
            Poll::Pending => {
                let limit = this.close_limit;
                let deadline = this.close_deadline.get_or_insert_with(|| sleep(limit));
                Pin::new(deadline).poll(cx).map(|()| Err(too_long("closing", limit)))
            }
            Poll::Ready(Err(error)) if this.session.has_ended && is_gone(&error) => {
                Poll::Ready(Ok(()))
            }
            result => result,
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("stream", &self.session.stream)
            .field("version", &self.session.connection.protocol_version())
            .finish_non_exhaustive()
    }
}
