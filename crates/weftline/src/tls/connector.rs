//! [`TlsConnector`]: the client's side of a handshake; and how long handshakes and ends may take, on either
//! side.

use super::session::Session;
use super::stream::TlsStream;
use crate::io::{AsyncRead, AsyncWrite};
use crate::time::sleep;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection};
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// How long a handshake may take, where nobody said otherwise. As in asyncio.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to say goodbye. As in asyncio.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Begins TLS as a client, on any stream. To be cloned at will.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use weftline::net::TcpStream;
/// use weftline::tls::{TlsConnector, client_config};
///
/// # weftline::run(async {
/// let config = client_config("/etc/ssl/certs/ca-certificates.crt")?;
/// let connector = TlsConnector::from(config).handshake_timeout(Duration::from_secs(10));
///
/// let stream = TcpStream::connect("example.org:443").await?;
/// let mut stream = connector.connect("example.org", stream).await?;
/// stream.write_all(b"GET / HTTP/1.0\r\nHost: example.org\r\n\r\n").await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct TlsConnector {
    /// Whom to trust, and how to speak.
    config: Arc<ClientConfig>,
    /// How long things may take.
    limits: Limits,
}

impl<C: Into<Arc<ClientConfig>>> From<C> for TlsConnector {
    fn from(config: C) -> Self {
        Self { config: config.into(), limits: Limits::default() }
    }
}

impl TlsConnector {
    /// How long a handshake may take, by default a minute.
    ///
    /// # Examples
    ///
    /// See the type.
    #[must_use]
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.limits.handshake = limit;
        self
    }

    /// How long it may take to send the last words when a stream is [closed](TlsStream::close), by
    /// default half a minute. The other side may have stopped reading.
    ///
    /// # Examples
    ///
    /// ```
    /// # use weftline::tls::{TlsConnector, client_config};
    /// use std::time::Duration;
    ///
    /// # let config = client_config("tests/localhost.pem")?;
    /// let connector = TlsConnector::from(config).close_timeout(Duration::from_secs(1));
    /// # drop(connector);
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn close_timeout(mut self, limit: Duration) -> Self {
        self.limits.close = limit;
        self
    }

    /// Begins TLS on `stream`, with a server that must prove to be `name`: the name of a host, or an IP
    /// address. The name is also told to the server (SNI).
    ///
    /// The stream may have been used before: a [`BufReader`](crate::io::BufReader) is handed over
    /// with what it has read, a reader and a writer by [`join`](crate::io::join).
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) when nothing can have that name.
    /// [`InvalidData`](ErrorKind::InvalidData) when the other side is not trusted, or has another name, or
    /// does not speak TLS, or refuses; what [`get_ref`](io::Error::get_ref) gives is then a
    /// [`rustls::Error`], which says more. [`UnexpectedEof`](ErrorKind::UnexpectedEof) when the other side ends the
    /// connection, [`TimedOut`](ErrorKind::TimedOut) after the
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
    /// ```
    /// use std::io::ErrorKind;
    /// use weftline::tls::{TlsConnector, client_config, rustls};
    /// # use weftline::tls::{TlsAcceptor, server_config};
    ///
    /// # let (config, pem) = (client_config("tests/localhost.pem").unwrap(), "tests/localhost.pem");
    /// # let acceptor = TlsAcceptor::from(server_config(pem, pem).unwrap());
    /// # weftline::run(async {
    /// # let (stream, theirs) = weftline::io::duplex(1024);
    /// # let server = weftline::spawn(async move { acceptor.accept(theirs).await.map(drop) });
    /// let connector = TlsConnector::from(config);
    /// // The server is `localhost`.
    /// let error = connector.connect("example.org", stream).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidData);
    /// let why = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    /// assert!(matches!(why, Some(rustls::Error::InvalidCertificate(_))));
    /// # server.await.unwrap().unwrap_err();
    /// # });
    /// ```
    #[doc(alias = "start_tls")]
    pub async fn connect<S>(&self, name: &str, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(name).map_err(|_| {
            let text = format!("{name:?} is neither the name of a host nor an IP address");
            io::Error::new(ErrorKind::InvalidInput, text)
        })?;
        let client = ClientConnection::new(self.config.clone(), name.to_owned());
        let client = client.map_err(io::Error::other)?;
        self.limits.shake_hands(Session::new(stream, Connection::Client(client))).await
    }
}

/// How long things may take.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// A handshake.
    pub(super) handshake: Duration,
    /// The last words.
    pub(super) close: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { handshake: HANDSHAKE_TIMEOUT, close: CLOSE_TIMEOUT }
    }
}

impl Limits {
    /// Goes through the handshake, within its limit.
    pub(super) async fn shake_hands<S>(&self, mut session: Session<S>) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut limit = pin!(sleep(self.handshake));
        poll_fn(|cx| match session.poll_handshake(cx) {
            Poll::Pending => {
                limit.as_mut().poll(cx).map(|()| Err(too_long("handshake", self.handshake)))
            }
            result => result,
        })
        .await?;
        Ok(TlsStream::new(session, self.close))
    }
}

/// The error of what has taken longer than it may.
pub(super) fn too_long(what: &str, limit: Duration) -> io::Error {
    let text = format!("the TLS {what} has not ended within {limit:?}");
    io::Error::new(ErrorKind::TimedOut, text)
}
