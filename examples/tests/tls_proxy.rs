//! Runs `tls_proxy` between clients, ours and OpenSSL's, and servers, and interrupts it.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader as StdReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::Duration;
use weftline::io::BufReader;
use weftline::net::{TcpListener, TcpStream, serve};
use weftline::time::timeout;
use weftline::tls::{TlsAcceptor, TlsConnector, TlsStream, client_config, server_config};

const PROXY: &str = env!("CARGO_BIN_EXE_tls_proxy");
/// The certificate of localhost, which is its own authority, and its key.
const PEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/weftline/tests/localhost.pem");
/// Far longer than anything here takes, also on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// A proxy that runs; killed when dropped.
struct Proxy {
    child: Child,
    stdout: StdReader<ChildStdout>,
    address: String,
}

impl Proxy {
    fn begin(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROXY);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = StdReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.strip_prefix("tls_proxy: listening at ");
        let address = address.and_then(|rest| rest.split(',').next());
        let address = address.unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { child, stdout, address }
    }

    /// Asks it to end; its exit code, and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.stdout.read_to_string(&mut String::new()).unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code(), stderr)
    }

    async fn connect(&self) -> BufReader<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(&*self.address).await.unwrap();
        BufReader::new(connector().connect("localhost", stream).await.unwrap())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connector() -> TlsConnector {
    TlsConnector::from(client_config(PEM).unwrap())
}

/// Runs a test on a runtime, within a limit.
#[track_caller]
fn run<F: Future<Output = ()> + Send + 'static>(test: F) {
    weftline::run(async move { timeout(LONG, test).await.expect("it hangs") });
}

/// Says a line, and expects another.
async fn answers(client: &mut BufReader<TlsStream<TcpStream>>, line: &str, answer: &str) {
    client.get_mut().write_all(line.as_bytes()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(client.read_line().await.unwrap()), answer);
}

/// The end of the other side, which it has said.
async fn ends(client: &mut BufReader<TlsStream<TcpStream>>) {
    assert_eq!(client.read_line().await.unwrap(), b"");
}

#[test]
fn lines_are_passed_on_in_both_directions() {
    run(async {
        let proxy = Proxy::begin(&["--demo"]);
        let mut one = proxy.connect().await;
        let mut other = proxy.connect().await;
        answers(&mut one, "hello\n", "HELLO\n").await;
        answers(&mut other, "what\r\n", "WHAT\r\n").await;
        // Several at once, and a last one without an end.
        one.get_mut().write_all(b"a\nb\nc").await.unwrap();
        one.get_mut().close().await.unwrap();
        for line in [&b"A\n"[..], b"B\n", b"C"] {
            assert_eq!(one.read_line().await.unwrap(), line);
        }
        ends(&mut one).await;
        other.get_mut().close().await.unwrap();
        ends(&mut other).await;
        assert_eq!(proxy.end(), (Some(0), String::new()));
    });
}

#[test]
fn a_line_that_is_too_long_ends_its_connection_alone() {
    run(async {
        let proxy = Proxy::begin(&["--demo", "--max-line", "10"]);
        let mut other = proxy.connect().await;
        let mut client = proxy.connect().await;
        answers(&mut client, "0123456789\n", "0123456789\n").await;
        let why = "a line of the client is longer than 10 bytes";
        answers(&mut client, "0123456789a\n", &format!("ERROR :{why}\r\n")).await;
        ends(&mut client).await;
        answers(&mut other, "still here\n", "STILL HERE\n").await;
        drop((client, other));
        let (code, err) = proxy.end();
        assert!(code == Some(0) && err.contains(why), "{code:?}: {err}");
    });
}

#[test]
fn a_client_goes_over_to_tls_and_nothing_is_passed_on_before() {
    run(async {
        let proxy = Proxy::begin(&["--demo", "--starttls"]);
        let mut reader = BufReader::new(TcpStream::connect(&*proxy.address).await.unwrap());
        reader.get_ref().write_all(b"hello\n").await.unwrap();
        let answer = reader.read_line().await.unwrap();
        assert_eq!(answer, b":tls_proxy 451 * :say STARTTLS first\r\n");
        reader.get_ref().write_all(b"starttls\r\n").await.unwrap();
        let answer = reader.read_line().await.unwrap();
        assert_eq!(answer, b":tls_proxy 670 * :go on with TLS\r\n");
        let stream = connector().connect("localhost", reader).await.unwrap();
        let mut reader = BufReader::new(stream);
        reader.get_mut().write_all(b"hello\n").await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"HELLO\n");
    });
}

#[test]
fn what_was_said_with_starttls_does_not_count_as_encrypted() {
    run(async {
        let proxy = Proxy::begin(&["--demo", "--starttls"]);
        let stream = TcpStream::connect(&*proxy.address).await.unwrap();
        stream.write_all(b"STARTTLS\r\nsmuggled\n").await.unwrap();
        let mut all = Vec::new();
        // An answer, an alert, the end.
        let _ = stream.read_to_end(&mut all).await;
        assert!(!String::from_utf8_lossy(&all).contains("SMUGGLED"), "{all:?}");
        let (code, err) = proxy.end();
        assert!(code == Some(0) && err.contains(": TLS: "), "{code:?}: {err}");
    });
}

#[test]
fn the_server_may_speak_tls_too() {
    run(async {
        let acceptor = TlsAcceptor::from(server_config(PEM, PEM).unwrap());
        let greet = |mut stream: TlsStream<TcpStream>| async move {
            stream.write_all(b"hello\n").await?;
            stream.close().await
        };
        let server = serve("127.0.0.1:0", acceptor.handler(greet)).await.unwrap();
        let upstream = server.local_addrs()[0].to_string();
        let usual = ["--upstream", &upstream, "--certificate", PEM, "--upstream-roots", PEM];
        let proxy = Proxy::begin(&[&usual[..], &["--upstream-tls", "localhost"]].concat());
        let mut client = proxy.connect().await;
        assert_eq!(client.read_line().await.unwrap(), b"hello\n");
        ends(&mut client).await;

        let proxy = Proxy::begin(&[&usual[..], &["--upstream-tls", "example.org"]].concat());
        let mut client = proxy.connect().await;
        let line = String::from_utf8_lossy(client.read_line().await.unwrap()).into_owned();
        assert!(line.starts_with(&format!("ERROR :the server at {upstream}: ")), "{line}");
        assert!(line.contains("example.org"), "{line}");
    });
}

#[test]
fn a_server_that_is_not_there_is_named() {
    run(async {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let address = address.to_string();
        let proxy = Proxy::begin(&["--upstream", &address, "--certificate", PEM, "--key", PEM]);
        let mut client = proxy.connect().await;
        let line = String::from_utf8_lossy(client.read_line().await.unwrap()).into_owned();
        assert!(line.starts_with(&format!("ERROR :the server at {address}: ")), "{line}");
        ends(&mut client).await;
    });
}

#[test]
fn ctrl_c_says_goodbye_to_all() {
    run(async {
        let proxy = Proxy::begin(&["--demo"]);
        let mut client = proxy.connect().await;
        answers(&mut client, "hello\n", "HELLO\n").await;
        // This one never comes to TLS.
        let silent = TcpStream::connect(&*proxy.address).await.unwrap();
        let ended = weftline::spawn_blocking(move || proxy.end());
        assert_eq!(client.read_line().await.unwrap(), b"ERROR :the proxy ends\r\n");
        ends(&mut client).await;
        assert_eq!(ended.await.unwrap(), (Some(0), String::new()));
        drop(silent);
    });
}

/// OpenSSL's client, connected with the proxy.
struct OpenSsl {
    child: Child,
    stdin: ChildStdin,
    stdout: StdReader<ChildStdout>,
}

impl OpenSsl {
    fn connect(proxy: &Proxy, more: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &proxy.address, "-servername", "localhost"]);
        command.args(["-CAfile", PEM, "-verify_return_error", "-verify_hostname", "localhost"]);
        command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("this test calls openssl, which is in the package openssl: {error}")
        });
        let stdin = child.stdin.take().unwrap();
        let stdout = StdReader::new(child.stdout.take().unwrap());
        let mut client = Self { child, stdin, stdout };
        client.until("Verify return code: 0 (ok)");
        client
    }

    /// Reads on until a line has these words.
    fn until(&mut self, words: &str) {
        let mut said = String::new();
        while !said.contains(words) {
            let count = self.stdout.read_line(&mut said).unwrap();
            assert!(count > 0, "it ended, and has not said {words:?}:\n{said}");
        }
    }

    fn end(mut self) {
        drop(self.stdin);
        self.stdout.read_to_end(&mut Vec::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn openssls_client_talks_to_it_at_once_or_after_starttls() {
    for (ours, theirs) in
        [(&["--demo"][..], &[][..]), (&["--demo", "--starttls"], &["-starttls", "irc"])]
    {
        let proxy = Proxy::begin(ours);
        let mut client = OpenSsl::connect(&proxy, theirs);
        client.stdin.write_all(b"hello\n").unwrap();
        client.until("HELLO");
        client.end();
        assert_eq!(proxy.end(), (Some(0), String::new()));
    }
}

fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = Command::new(PROXY).args(arguments).output().unwrap();
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn a_wrong_command_line_is_refused() {
    let usual = ["--upstream", "127.0.0.1:1", "--certificate"];
    let with = |more: &[&'static str]| [&usual[..], more].concat();
    for (arguments, words) in [
        (vec![], "--upstream"),
        (vec!["--demo", "--upstream", "127.0.0.1:1"], "cannot be used with"),
        (vec!["--demo", "--max-line", "0"], "--max-line"),
        (vec!["--demo", "--upstream-tls", "localhost"], "--upstream-roots"),
        (with(&["/no/such/file"]), "cannot read /no/such/file: "),
        (with(&["/dev/null"]), "there is no certificate in /dev/null"),
        (with(&[PEM, "--key", "/dev/null"]), "there is no private key in /dev/null"),
    ] {
        let (code, err) = refused(&arguments);
        assert!(code == Some(2) && err.contains(words), "{arguments:?}: {code:?}: {err}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let (code, err) = refused(&["--demo", "--listen", &taken]);
    assert!(code == Some(1) && err.contains(&format!("cannot listen at {taken}")), "{err}");
    assert_eq!(refused(&["--help"]).0, Some(0));
}
