//! How TLS begins, on new connections and on live ones, and why it does not.

use super::{HANDSHAKE_LIMIT, PEM, acceptor, connector, inside, meet};
use crate::rig::{alone, in_virtual_time, many_times, until_waiting};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use weftline::io::{BufReader, BufWriter, DuplexStream, duplex, join};
use weftline::net::{TcpListener, TcpStream};
use weftline::spawn;
use weftline::time::now;
use weftline::tls::rustls::pki_types::pem::PemObject;
use weftline::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use weftline::tls::rustls::server::WebPkiClientVerifier;
use weftline::tls::rustls::time_provider::TimeProvider;
use weftline::tls::rustls::{
    CertificateError, ClientConfig, Error, RootCertStore, ServerConfig, crypto,
};
use weftline::tls::{TlsAcceptor, TlsConnector, client_config, server_config};

/// Has them meet in vain; the errors of the client and of the server.
async fn fail(connector: TlsConnector, acceptor: TlsAcceptor) -> (io::Error, io::Error) {
    let (client, server) = meet(connector, acceptor, duplex(4096)).await;
    (client.unwrap_err(), server.unwrap_err())
}

fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(PEM).unwrap()).unwrap();
    roots
}

#[test]
fn another_name_is_refused() {
    alone(async {
        let (ours, theirs) = duplex(4096);
        let server = spawn(async move { acceptor().accept(theirs).await.map(drop) });
        let error = connector().connect("example.org", ours).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let Error::InvalidCertificate(why) = inside(&error) else { panic!("{error:?}") };
        assert!(matches!(why, CertificateError::NotValidForNameContext { .. }), "{why:?}");
        // The server is told why.
        let error = server.await.unwrap().unwrap_err();
        assert!(matches!(inside(&error), Error::AlertReceived(_)), "{error:?}");
    });
}

#[test]
fn an_address_is_a_name_too() {
    alone(async {
        for name in ["127.0.0.1", "::1"] {
            let (ours, theirs) = duplex(4096);
            let server = spawn(async move { acceptor().accept(theirs).await });
            connector().connect(name, ours).await.unwrap();
            assert_eq!(server.await.unwrap().unwrap().server_name(), None);
        }
    });
}

#[test]
fn what_is_no_name_is_said() {
    alone(async {
        for name in ["", "no name", "a..b", "https://example.org", "[::1]"] {
            let error = connector().connect(name, duplex(1).0).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
        }
    });
}

#[test]
fn an_authority_that_nobody_trusts_is_refused() {
    alone(async {
        let config =
            ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let (client, server) = fail(config.into(), acceptor()).await;
        let why = inside(&client);
        assert_eq!(why, &Error::InvalidCertificate(CertificateError::UnknownIssuer));
        assert!(matches!(inside(&server), Error::AlertReceived(_)), "{server:?}");
    });
}

/// A clock that is far ahead.
#[derive(Debug)]
struct InTwoCenturies;

impl TimeProvider for InTwoCenturies {
    fn current_time(&self) -> Option<UnixTime> {
        let two_centuries = Duration::from_secs(200 * 365 * 24 * 3600);
        Some(UnixTime::since_unix_epoch(UnixTime::now().as_secs_duration() + two_centuries))
    }
}

/// What [`UnixTime`] has no method for.
trait AsDuration {
    fn as_secs_duration(&self) -> Duration;
}

impl AsDuration for UnixTime {
    fn as_secs_duration(&self) -> Duration {
        Duration::from_secs(self.as_secs())
    }
}

#[test]
fn a_certificate_that_has_expired_is_refused() {
    alone(async {
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ClientConfig::builder_with_details(provider, Arc::new(InTwoCenturies));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots()).with_no_client_auth();
        let (client, _) = fail(config.into(), acceptor()).await;
        let Error::InvalidCertificate(why) = inside(&client) else { panic!("{client:?}") };
        assert!(matches!(why, CertificateError::ExpiredContext { .. }), "{why:?}");
    });
}

/// A server that wants to see a certificate of its clients.
fn strict_acceptor() -> TlsAcceptor {
    let provider = Arc::new(crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots()), provider.clone()).build();
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(verifier.unwrap());
    let chain = vec![CertificateDer::from_pem_file(PEM).unwrap()];
    config.with_single_cert(chain, PrivateKeyDer::from_pem_file(PEM).unwrap()).unwrap().into()
}

#[test]
fn a_client_shows_its_certificate_where_it_must() {
    alone(async {
        let config =
            ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let chain = vec![CertificateDer::from_pem_file(PEM).unwrap()];
        let key = PrivateKeyDer::from_pem_file(PEM).unwrap();
        let config = config.with_root_certificates(roots()).with_client_auth_cert(chain, key);
        let (_client, server) = meet(config.unwrap().into(), strict_acceptor(), duplex(4096)).await;
        let server = server.unwrap();
        let shown = server.connection().peer_certificates().unwrap();
        assert_eq!(shown, [CertificateDer::from_pem_file(PEM).unwrap()]);

        let (client, server) = meet(connector(), strict_acceptor(), duplex(4096)).await;
        let error = server.unwrap_err();
        assert_eq!(inside(&error), &Error::NoCertificatesPresented);
        // A client of TLS 1.3 hears of it when it reads.
        let error = client.unwrap().read(&mut [0; 1]).await.unwrap_err();
        assert!(matches!(inside(&error), Error::AlertReceived(_)), "{error:?}");
    });
}

#[test]
fn both_sides_know_what_they_have_agreed_on() {
    alone(async {
        let mut config = client_config(PEM).unwrap();
        config.alpn_protocols = vec![b"one".to_vec(), b"two".to_vec()];
        let mut server = server_config(PEM, PEM).unwrap();
        server.alpn_protocols = vec![b"two".to_vec()];
        let (client, server) = meet(config.into(), server.into(), duplex(4096)).await;
        let (client, server) = (client.unwrap(), server.unwrap());
        assert_eq!(client.connection().alpn_protocol(), Some(&b"two"[..]));
        assert_eq!(server.connection().alpn_protocol(), Some(&b"two"[..]));
        assert_eq!(server.server_name(), Some("localhost"));
        assert_eq!(client.server_name(), None);
        let shown = client.connection().peer_certificates().unwrap();
        assert_eq!(shown, [CertificateDer::from_pem_file(PEM).unwrap()]);

        let mut config = client_config(PEM).unwrap();
        config.alpn_protocols = vec![b"three".to_vec()];
        let mut server = server_config(PEM, PEM).unwrap();
        server.alpn_protocols = vec![b"two".to_vec()];
        let (_, error) = fail(config.into(), server.into()).await;
        assert_eq!(inside(&error), &Error::NoApplicationProtocol);
    });
}

#[test]
fn who_does_not_speak_tls_is_told_so() {
    alone(async {
        let (ours, theirs) = duplex(4096);
        let mut writer = BufWriter::with_capacity(0, &theirs);
        writer.write_all(b"220 hello\r\n").await.unwrap();
        let error = connector().connect("localhost", ours).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        inside(&error);

        let (ours, theirs) = duplex(4096);
        BufWriter::with_capacity(0, &ours).write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let error = acceptor().accept(theirs).await.unwrap_err();
        inside(&error);
        let mut alert = Vec::new();
        BufReader::new(&ours).read_to_end(&mut alert).await.unwrap();
        assert_eq!(alert.first(), Some(&21), "an alert, and then the end");
    });
}

#[test]
fn an_end_in_the_handshake_is_said() {
    alone(async {
        let (ours, theirs) = duplex(4096);
        BufWriter::new(&theirs).close().await.unwrap();
        let error = connector().connect("localhost", ours).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains("handshake"), "{error}");
    });
}

#[test]
fn a_handshake_has_a_limit_on_either_side() {
    in_virtual_time(async {
        let began = now();
        let (ours, theirs) = duplex(4096);
        let error = connector().connect("localhost", ours).await.unwrap_err();
        assert_eq!((error.kind(), now() - began), (ErrorKind::TimedOut, HANDSHAKE_LIMIT));
        assert!(error.to_string().contains("handshake has not ended within 60s"), "{error}");
        drop(theirs);

        let (_ours, theirs) = duplex(4096);
        let began = now();
        let limit = Duration::from_secs(3);
        let error = acceptor().handshake_timeout(limit).accept(theirs).await.unwrap_err();
        assert_eq!((error.kind(), now() - began), (ErrorKind::TimedOut, limit));
    });
}

#[test]
fn a_handshake_that_is_cancelled_leaves_nothing() {
    alone(async {
        let (ours, theirs) = duplex(4096);
        let connecting = spawn(async move { connector().connect("localhost", ours).await });
        until_waiting(&connecting).await;
        connecting.cancel();
        assert!(connecting.await.unwrap_err().is_cancelled());
        let mut hello = Vec::new();
        BufReader::new(&theirs).read_to_end(&mut hello).await.unwrap();
        assert_eq!(hello.first(), Some(&22), "a handshake record, and then the end");
    });
}

/// Says STARTTLS to whoever speaks so, and goes on by TLS.
async fn ask_for_tls(stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    reader.get_ref().write_all(b"STARTTLS\n").await?;
    assert_eq!(reader.read_line().await?, b"go on\n");
    let stream = connector().connect("localhost", reader).await?;
    let mut reader = BufReader::new(stream);
    reader.get_mut().write_all(b"hello\n").await?;
    assert_eq!(reader.read_line().await?, b"hello\n");
    reader.get_mut().close().await
}

/// Waits for STARTTLS, and says a line again by TLS.
async fn offer_tls(stream: TcpStream) -> io::Result<()> {
    let (reader, writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    assert_eq!(reader.read_line().await?, b"STARTTLS\n");
    writer.write_all(b"go on\n").await?;
    let mut stream = BufReader::new(acceptor().accept(join(reader, writer)).await?);
    let line = stream.read_line().await?.to_vec();
    stream.get_mut().write_all(&line).await?;
    assert_eq!(stream.read_line().await?, b"");
    stream.get_mut().close().await
}

// AT-TLS-01
#[test]
fn a_live_connection_goes_over_to_tls_on_both_sides() {
    many_times(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = spawn(async move { ask_for_tls(TcpStream::connect(address).await?).await });
        let (stream, _) = listener.accept().await.unwrap();
        offer_tls(stream).await.unwrap();
        client.await.unwrap().unwrap();
    });
}

// AT-TLS-01
#[test]
fn bytes_of_tls_that_were_read_with_the_last_line_are_not_lost() {
    alone(async {
        let (ours, theirs) = duplex(4096);
        // The client does not wait for an answer: the line and its first words come together.
        BufWriter::with_capacity(0, &ours).write_all(b"STARTTLS\n").await.unwrap();
        let client = spawn(async move {
            let stream = connector().connect("localhost", ours).await?;
            let mut stream = BufReader::new(stream);
            let line = stream.read_line().await?.to_vec();
            io::Result::Ok(line)
        });
        until_waiting(&client).await;
        let mut reader = BufReader::new(theirs);
        assert_eq!(reader.read_line().await.unwrap(), b"STARTTLS\n");
        assert_eq!(reader.buffer().first(), Some(&22), "the first words are in the buffer");
        let mut stream = acceptor().accept(reader).await.unwrap();
        stream.write_all(b"hello\n").await.unwrap();
        assert_eq!(client.await.unwrap().unwrap(), b"hello\n");
    });
}

#[test]
fn tls_runs_inside_of_tls() {
    alone(async {
        let (client, server) = meet(connector(), acceptor(), duplex(4096)).await;
        let (client, server) =
            meet(connector(), acceptor(), (client.unwrap(), server.unwrap())).await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        client.write_all(b"hello").await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(server.read(&mut buf).await.unwrap(), 5);
    });
}

#[test]
fn files_with_something_else_in_them_are_named() {
    let empty = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (error, words) in [
        (client_config("no/such/file").unwrap_err(), "cannot read no/such/file: "),
        (client_config(empty).unwrap_err(), "there is no certificate in "),
        (server_config(empty, PEM).unwrap_err(), "there is no certificate in "),
        (server_config(PEM, empty).unwrap_err(), "there is no private key in "),
        (server_config(PEM, "no/such/file").unwrap_err(), "cannot read no/such/file: "),
    ] {
        assert!(error.to_string().starts_with(words), "{error}");
    }
}

/// The parts can be shared and sent, and so can whoever awaits them.
#[test]
fn streams_and_handshakes_go_from_thread_to_thread() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_shared<T: Sync>(value: T) -> T {
        value
    }
    alone(async {
        let connector = is_shared(is_send(connector()));
        let _connecting = is_send(connector.connect("localhost", duplex(1).0));
        let stream: Option<weftline::tls::TlsStream<DuplexStream>> = None;
        is_shared(is_send(stream));
    });
}
