//! OpenSSL's client and its server as the other side: programs of the Debian package openssl.

use super::serving::echo;
use super::{PEM, acceptor, connector};
use crate::rig::{LONG, eventually, reporting_runtime, within_limit};
use std::io;
use std::process::Output;
use std::time::Duration;
use weftline::io::{AsyncRead, BufReader, BufWriter};
use weftline::net::{Server, TcpStream, serve};
use weftline::process::{Child, Command, PipeReader, PipeWriter, Stdio};
use weftline::time::timeout;
use weftline::tls::rustls::ProtocolVersion;
use weftline::tls::{TlsStream, rustls};

/// Runs a test on a runtime, within a limit.
#[track_caller]
fn run<F: Future<Output = ()> + Send + 'static>(test: F) {
    within_limit(move || {
        weftline::run(async move { timeout(LONG, test).await.expect("it hangs") });
    });
}

/// One of OpenSSL's programs, with what it is told and what it says.
struct Peer {
    child: Child,
    input: BufWriter<PipeWriter>,
    output: BufReader<PipeReader>,
}

impl Peer {
    fn begin(arguments: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(arguments).kill_on_drop(true).merge_output(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let spawned = command.spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            panic!("this test calls openssl, which is in the package openssl: {error}")
        });
        let input = BufWriter::with_capacity(0, child.stdin.take().unwrap());
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// A client of a server of ours, with more arguments.
    fn client(server: &Server, more: &[&str]) -> Self {
        let address = server.local_addrs()[0].to_string();
        let usual = ["s_client", "-connect", &address, "-servername", "localhost"];
        let trusting = ["-CAfile", PEM, "-verify_return_error"];
        Self::begin(&[&usual[..], &trusting, more].concat())
    }

    /// Its next line that has these words, and before which no other is wanted.
    async fn until(&mut self, words: &str) -> String {
        let mut said = String::new();
        loop {
            let line = self.output.read_line().await.unwrap();
            assert!(!line.is_empty(), "it ended, and has not said {words:?}:\n{said}");
            let line = String::from_utf8_lossy(line).into_owned();
            if line.contains(words) {
                return line;
            }
            said += &line;
        }
    }

    async fn say(&mut self, line: &str) {
        self.input.write_all(line.as_bytes()).await.unwrap();
    }

    /// Ends its input; what it has still said, and how it has ended.
    async fn end(mut self) -> Output {
        self.input.close().await.unwrap();
        drop(self.input);
        let mut stdout = Vec::new();
        self.output.read_to_end(&mut stdout).await.unwrap();
        let status = self.child.wait().await.unwrap();
        Output { status, stdout, stderr: Vec::new() }
    }
}

/// A server of theirs, of which each line comes back from end to beginning; and a connection to it.
async fn their_server(more: &[&str]) -> (Peer, TcpStream) {
    let usual = ["s_server", "-accept", "127.0.0.1:0", "-cert", PEM, "-key", PEM, "-rev"];
    let mut peer = Peer::begin(&[&usual[..], more].concat());
    let line = peer.until("ACCEPT").await;
    let address = line.trim().strip_prefix("ACCEPT ").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    (peer, stream)
}

/// Asks for a line and for its end.
async fn is_reversed<S: AsyncRead + weftline::io::AsyncWrite + Unpin>(stream: TlsStream<S>) {
    let mut reader = BufReader::new(stream);
    reader.get_mut().write_all(b"hello\n").await.unwrap();
    assert_eq!(reader.read_line().await.unwrap(), b"olleh\n");
    reader.get_mut().close().await.unwrap();
    assert_eq!(reader.read_line().await.unwrap(), b"");
}

#[test]
fn our_client_talks_to_their_server() {
    run(async {
        let (_peer, stream) = their_server(&["-alpn", "two"]).await;
        let mut config = weftline::tls::client_config(PEM).unwrap();
        config.alpn_protocols = vec![b"one".to_vec(), b"two".to_vec()];
        let connector = weftline::tls::TlsConnector::from(config);
        let stream = connector.connect("localhost", stream).await.unwrap();
        assert_eq!(stream.connection().protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(stream.connection().alpn_protocol(), Some(&b"two"[..]));
        is_reversed(stream).await;
    });
}

#[test]
fn our_client_talks_to_their_server_of_tls_1_2() {
    run(async {
        let (_peer, stream) = their_server(&["-tls1_2"]).await;
        let stream = connector().connect("localhost", stream).await.unwrap();
        assert_eq!(stream.connection().protocol_version(), Some(ProtocolVersion::TLSv1_2));
        is_reversed(stream).await;
    });
}

#[test]
fn our_client_refuses_their_server_under_another_name() {
    run(async {
        let (_peer, stream) = their_server(&[]).await;
        let error = connector().connect("example.org", stream).await.unwrap_err();
        let inside = error.get_ref().and_then(|error| error.downcast_ref());
        assert!(matches!(inside, Some(rustls::Error::InvalidCertificate(_))), "{error:?}");
    });
}

/// The lines that a client of theirs says come back.
async fn is_served(more: &[&str], protocol: &str) {
    let server = serve("127.0.0.1:0", acceptor().handler(echo)).await.unwrap();
    let mut client = Peer::client(&server, more);
    client.until(protocol).await;
    client.until("Verify return code: 0 (ok)").await;
    for word in ["one\n", "two\n"] {
        client.say(word).await;
        client.until(word).await;
    }
    let output = client.end().await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.graceful_shutdown(Duration::from_secs(10)).await, 0);
}

#[test]
fn their_client_talks_to_our_server() {
    run(is_served(&["-tls1_3"], "TLSv1.3"));
}

#[test]
fn their_client_of_tls_1_2_talks_to_our_server() {
    run(is_served(&["-tls1_2"], "TLSv1.2"));
}

#[test]
fn new_keys_in_between_change_nothing() {
    run(async {
        let server = serve("127.0.0.1:0", acceptor().handler(echo)).await.unwrap();
        let mut client = Peer::client(&server, &["-tls1_3"]);
        client.until("Verify return code: 0 (ok)").await;
        for word in ["one\n", "two\n"] {
            // On a line of its own it asks both sides for new keys.
            client.say("K\n").await;
            client.until("KEYUPDATE").await;
            client.say(word).await;
            client.until(word).await;
        }
        assert!(client.end().await.status.success());
    });
}

#[test]
fn their_client_refuses_our_server_under_another_name() {
    within_limit(|| {
        let (runtime, reports) = reporting_runtime(2);
        runtime.block_on(async {
            let server = serve("127.0.0.1:0", acceptor().handler(echo)).await.unwrap();
            let client = Peer::client(&server, &["-verify_hostname", "example.org"]);
            let output = client.end().await;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(!output.status.success() && said.contains("mismatch"), "{said}");
        });
        // Their reason reaches the hook.
        eventually("it is told of", || !reports.all().is_empty());
        assert!(reports.all()[0].message.contains("BadCertificate"), "{reports:?}");
    });
}

/// As much of a mail server as it takes to come to STARTTLS.
async fn mail(stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    reader.get_ref().write_all(b"220 localhost\r\n").await?;
    assert!(reader.read_line().await?.starts_with(b"EHLO"));
    reader.get_ref().write_all(b"250-localhost\r\n250 STARTTLS\r\n").await?;
    assert_eq!(reader.read_line().await?, b"STARTTLS\r\n");
    reader.get_ref().write_all(b"220 go on\r\n").await?;
    echo(acceptor().accept(reader).await?).await
}

/// As much of a PostgreSQL server as it takes to come to TLS.
async fn database(stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = [0; 8];
    reader.read_exact(&mut request).await?;
    assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47]);
    reader.get_ref().write_all(b"S").await?;
    echo(acceptor().accept(reader).await?).await
}

/// A client of theirs goes over to TLS, by that protocol.
async fn goes_over(server: Server, protocol: &str) {
    let mut client = Peer::client(&server, &["-starttls", protocol]);
    client.until("Verify return code: 0 (ok)").await;
    client.say("hello\n").await;
    client.until("hello\n").await;
    assert!(client.end().await.status.success());
    assert_eq!(server.graceful_shutdown(Duration::from_secs(10)).await, 0);
}

// AT-TLS-01
#[test]
fn their_client_goes_over_to_tls_as_with_mail() {
    run(async { goes_over(serve("127.0.0.1:0", mail).await.unwrap(), "smtp").await });
}

// AT-TLS-01
#[test]
fn their_client_goes_over_to_tls_as_with_a_database() {
    run(async { goes_over(serve("127.0.0.1:0", database).await.unwrap(), "postgres").await });
}
