//! [`TlsAcceptor`]: the server's side of a handshake, also as part of the handlers of a
//! [server](crate::net::serve).

use super::connector::Limits;
use super::session::Session;
use super::stream::TlsStream;
use crate::io::{AsyncRead, AsyncWrite};
use rustls::{Connection, ServerConfig, ServerConnection};
use std::fmt::Display;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A handler of [`TlsAcceptor::handler`] that runs.
pub type Handling = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Begins TLS as a server, on any stream. To be cloned at will.
///
/// # Examples
///
/// See [`handler`](Self::handler), and [`accept`](Self::accept) where a connection begins in plain text.
#[derive(Clone, Debug)]
pub struct TlsAcceptor {
    /// Who this is, and how to speak.
    config: Arc<ServerConfig>,
    /// How long things may take.
    limits: Limits,
}

impl<C: Into<Arc<ServerConfig>>> From<C> for TlsAcceptor {
    fn from(config: C) -> Self {
        Self { config: config.into(), limits: Limits::default() }
    }
}

impl TlsAcceptor {
    /// How long a handshake may take, by default a minute.
    ///
    /// # Examples
    ///
    /// See [`handler`](Self::handler).
    #[must_use]
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.limits.handshake = limit;
        self
    }

    /// As [`TlsConnector::close_timeout`](super::TlsConnector::close_timeout).
    ///
    /// # Examples
    ///
    /// See [`handler`](Self::handler).
    #[must_use]
    pub fn close_timeout(mut self, limit: Duration) -> Self {
        self.limits.close = limit;
        self
    }

    /// Begins TLS on `stream`, on which a client begins it, too.
    ///
    /// The stream may have been used before: a [`BufReader`](crate::io::BufReader) is handed over
    /// with what it has read, a reader and a writer by [`join`](crate::io::join).
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) when the other side does not speak TLS, or refuses, or is
    /// refused; what [`get_ref`](io::Error::get_ref) gives is then a
    /// [`rustls::Error`], which says more. [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the other
    /// side ends the connection, [`TimedOut`](io::ErrorKind::TimedOut) after the
    /// [limit](Self::handshake_timeout), and whatever the stream says. The stream is dropped then.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, which the limit needs.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, the stream is dropped, which ends the connection.
    ///
    /// # Examples
    ///
    /// A connection of which the halves have been used:
    ///
    /// ```
    /// use weftline::io::{BufReader, join};
    /// use weftline::net::{TcpListener, TcpStream};
    /// use weftline::tls::{TlsAcceptor, TlsConnector, client_config, server_config};
    ///
    /// # let (pem, listener) = ("tests/localhost.pem", TcpListener::bind("127.0.0.1:0"));
    /// # let acceptor = TlsAcceptor::from(server_config(pem, pem).unwrap());
    /// # let connector = TlsConnector::from(client_config("tests/localhost.pem").unwrap());
    /// # weftline::run(async {
    /// # let listener = listener.await?;
    /// # let address = listener.local_addr()?;
    /// # let client = weftline::spawn(async move {
    /// #     let stream = TcpStream::connect(address).await?;
    /// #     stream.write_all(b"STARTTLS\n").await?;
    /// #     let stream = connector.connect("localhost", BufReader::new(stream)).await?;
    /// #     assert_eq!(BufReader::new(stream).read_line().await?, b"hello\n");
    /// #     std::io::Result::Ok(())
    /// # });
    /// let (stream, _) = listener.accept().await?;
    /// let (reader, writer) = stream.into_split();
    /// let mut reader = BufReader::new(reader);
    /// assert_eq!(reader.read_line().await?, b"STARTTLS\n");
    /// let mut stream = acceptor.accept(join(reader, writer)).await?;
    /// stream.write_all(b"hello\n").await?;
    /// stream.close().await?;
    /// # client.await.unwrap()?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[doc(alias = "start_tls")]
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let server = ServerConnection::new(self.config.clone()).map_err(io::Error::other)?;
        self.limits.shake_hands(Session::new(stream, Connection::Server(server))).await
    }

    /// Makes a handler of plain connections from one of TLS connections, for
    /// [`serve`](crate::net::serve) and `serve_unix`.
    ///
    /// The handshake is part of the handler's task: a client that takes long for it, or never ends it, holds up
    /// nobody else, and is cancelled with the others. A handshake that fails is told of like a
    /// handler that does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::net::{TcpStream, serve};
    /// use weftline::tls::{TlsAcceptor, TlsStream, server_config};
    ///
    /// async fn greet(mut stream: TlsStream<TcpStream>) -> std::io::Result<()> {
    ///     stream.write_all(b"hello").await?;
    ///     stream.close().await
    /// }
    ///
    /// # let (chain, key) = ("tests/localhost.pem", "tests/localhost.pem");
    /// # weftline::run(async {
    /// let acceptor = TlsAcceptor::from(server_config(chain, key)?)
    ///     .handshake_timeout(Duration::from_secs(10))
    ///     .close_timeout(Duration::from_secs(10));
    /// let server = serve("127.0.0.1:0", acceptor.handler(greet)).await?;
    /// # drop(server);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn handler<S, H, F, E>(
        &self,
        handler: H,
    ) -> impl Fn(S) -> Handling + Send + Sync + use<S, H, F, E> + 'static
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        H: Fn(TlsStream<S>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let shared = Arc::new((self.clone(), handler));
        move |stream| {
            let shared = shared.clone();
            Box::pin(async move {
                let (acceptor, handler) = &*shared;
                let stream = acceptor.accept(stream).await;
                let stream = stream.map_err(|error| format!("a TLS handshake failed: {error}"))?;
                handler(stream).await.map_err(|error| error.to_string())
            })
        }
    }
}
