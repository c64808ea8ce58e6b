//! TLS: handshakes, streams, servers, and the programs of OpenSSL as the other side.

mod handshakes;
#[cfg(unix)]
mod openssl;
mod serving;
mod streams;

use std::io;
use std::time::Duration;
use weftline::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use weftline::spawn;
use weftline::tls::{TlsAcceptor, TlsConnector, TlsStream, client_config, server_config};

/// The certificate of `localhost`, which is its own authority, and its key.
pub(crate) const PEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/localhost.pem");
/// Both defaults of asyncio.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

/// A server that is `localhost`.
fn acceptor() -> TlsAcceptor {
    TlsAcceptor::from(server_config(PEM, PEM).unwrap())
}

/// A client that trusts it.
fn connector() -> TlsConnector {
    TlsConnector::from(client_config(PEM).unwrap())
}

/// Both sides of a connection, or why there is none.
type Met<S> = (io::Result<TlsStream<S>>, io::Result<TlsStream<S>>);

/// Has a client and a server meet, each in a task of its own.
async fn meet<S>(connector: TlsConnector, acceptor: TlsAcceptor, (ours, theirs): (S, S)) -> Met<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let server = spawn(async move { acceptor.accept(theirs).await });
    let client = connector.connect("localhost", ours).await;
    (client, server.await.unwrap())
}

/// A client and a server that have met, on pipes that hold so many bytes.
async fn pair(capacity: usize) -> (TlsStream<DuplexStream>, TlsStream<DuplexStream>) {
    let (client, server) = meet(connector(), acceptor(), duplex(capacity)).await;
    (client.unwrap(), server.unwrap())
}

/// The error of rustls that is inside.
#[track_caller]
fn inside(error: &io::Error) -> &weftline::tls::rustls::Error {
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref());
    inside.unwrap_or_else(|| panic!("it is not one of rustls: {error:?}"))
}
