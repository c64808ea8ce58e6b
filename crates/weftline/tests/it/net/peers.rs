//! Sockets against programs that others wrote: socat, at both ends of TCP, UDP and Unix sockets, and a
//! server in Python. What curl says of a server is in `http`.

use crate::rig::within_limit;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use weftline::io::{BufReader, copy};
use weftline::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream, serve, serve_unix};
use weftline::process::{Child, Command, PipeReader, Stdio};
use weftline::yield_now;

/// A program that a test needs, with pipes; it is killed when it is dropped.
pub(super) fn start(program: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("{program} is needed, in the package of that name: {error}"),
    }
}

fn socat(arguments: &[&str]) -> Child {
    start("socat", arguments)
}

/// More than any buffer on the way holds.
fn much() -> Vec<u8> {
    (0..1_000_000u32).flat_map(u32::to_le_bytes).collect()
}

/// What `program` says when it was told `input` and its end.
async fn says(mut program: Child, input: &[u8]) -> Vec<u8> {
    let output = program.communicate(input).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    output.stdout
}

/// A folder for one test's sockets, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("weftline-it-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("it is new");
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("it is text").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until somebody has made a socket there.
async fn until_there(path: &str) {
    while !std::fs::exists(path).unwrap() {
        yield_now().await;
    }
}

/// Sends each line to a program, which must say it again before the next one is sent.
async fn is_echoed(program: &Child, out: &mut BufReader<&PipeReader>) {
    for line in ["one\n", "two, which is longer\n", "\n", "four\n"] {
        program.stdin.as_ref().unwrap().write_all(line.as_bytes()).await.unwrap();
        assert_eq!(out.read_line().await.unwrap(), line.as_bytes());
    }
}

#[test]
fn socat_gets_back_what_it_sent_to_a_tcp_server() {
    within_limit(|| {
        weftline::run(async {
            let echo = |stream: TcpStream| async move {
                copy(&mut &stream, &mut &stream).await?;
                stream.shutdown(std::net::Shutdown::Write).await
            };
            let server = serve("127.0.0.1:0", echo).await.unwrap();
            let at = format!("TCP4:{}", server.local_addrs()[0]);
            let all = much();
            // The end of one direction leaves the other open.
            let client = socat(&["-t", "1000", "-", &at]);
            assert!(says(client, &all).await == all);
        });
    });
}

#[test]
fn socat_gets_back_what_it_sent_to_a_unix_server() {
    within_limit(|| {
        weftline::run(async {
            let folder = Folder::new("socat-unix");
            let path = folder.path("echo");
            let echo = |stream: UnixStream| async move {
                copy(&mut &stream, &mut &stream).await?;
                stream.shutdown(std::net::Shutdown::Write).await
            };
            let _server = serve_unix(&path, echo).await.unwrap();
            let all = much();
            let client = socat(&["-t", "1000", "-", &format!("UNIX-CONNECT:{path}")]);
            assert!(says(client, &all).await == all);
        });
    });
}

#[test]
fn a_client_gets_back_what_it_sent_to_socat() {
    within_limit(|| {
        weftline::run(async {
            let folder = Folder::new("socat-serves");
            let path = folder.path("echo");
            let _socat = socat(&["-t", "1000", &format!("UNIX-LISTEN:{path}"), "EXEC:cat"]);
            until_there(&path).await;
            let stream = loop {
                // It has made the socket, and may not listen yet.
                match UnixStream::connect(&path).await {
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                        yield_now().await;
                    }
                    stream => break Arc::new(stream.unwrap()),
                }
            };
            let (all, sent) = (much(), much());
            let writer = stream.clone();
            let writing = weftline::spawn(async move {
                writer.write_all(&sent).await.unwrap();
                writer.shutdown(std::net::Shutdown::Write).await.unwrap();
            });
            let mut back = Vec::new();
            stream.read_to_end(&mut back).await.unwrap();
            assert!(back == all, "{} of {} bytes are back", back.len(), all.len());
            writing.await.unwrap();
        });
    });
}

#[test]
fn datagrams_of_socat_are_answered() {
    within_limit(|| {
        weftline::run(async {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let at = format!("UDP4:{}", socket.local_addr().unwrap());
            let _echo = weftline::spawn(async move {
                let mut buf = [0; 1500];
                loop {
                    let (length, from) = socket.recv_from(&mut buf).await.unwrap();
                    socket.send_to(&buf[..length], from).await.unwrap();
                }
            });
            let client = socat(&["-", &at]);
            is_echoed(&client, &mut BufReader::new(client.stdout.as_ref().unwrap())).await;
        });
    });
}

#[test]
fn socat_answers_datagrams() {
    within_limit(|| {
        weftline::run(async {
            // It says at which port it listens.
            let server = socat(&["-d", "-d", "UDP4-LISTEN:0,bind=127.0.0.1", "PIPE"]);
            let mut told = BufReader::new(server.stderr.as_ref().unwrap());
            let line = String::from_utf8(told.read_line().await.unwrap().to_vec()).unwrap();
            let (_, address) = line.trim().rsplit_once(' ').unwrap();
            assert!(line.contains("listening on UDP"), "{line}");

            let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            client.connect(address).await.unwrap();
            for length in [1, 1000, 8000] {
                let (sent, mut back) = (vec![7; length], [0; 9000]);
                client.send(&sent).await.unwrap();
                let count = client.recv(&mut back).await.unwrap();
                assert_eq!(&back[..count], &sent[..]);
            }
        });
    });
}

#[test]
fn unix_datagrams_of_socat_are_answered_and_socat_answers_them() {
    within_limit(|| {
        weftline::run(async {
            let folder = Folder::new("socat-datagrams");
            let (ours, theirs) = (folder.path("ours"), folder.path("theirs"));
            let socket = UnixDatagram::bind(&ours).unwrap();
            let echo = weftline::spawn(async move {
                let mut buf = [0; 1500];
                loop {
                    let (length, from) = socket.recv_from(&mut buf).await.unwrap();
                    let from = from.as_pathname().unwrap();
                    socket.send_to(&buf[..length], from).await.unwrap();
                }
            });
            let client = socat(&["-", &format!("UNIX-SENDTO:{ours},bind={theirs}")]);
            is_echoed(&client, &mut BufReader::new(client.stdout.as_ref().unwrap())).await;
            echo.cancel();

            let (ours, theirs) = (folder.path("client"), folder.path("server"));
            let _server = socat(&[&format!("UNIX-RECVFROM:{theirs},fork"), "EXEC:cat"]);
            until_there(&theirs).await;
            let client = UnixDatagram::bind(&ours).unwrap();
            for text in ["one", "two"] {
                client.send_to(text.as_bytes(), &theirs).await.unwrap();
                let mut back = [0; 16];
                let (length, from) = client.recv_from(&mut back).await.unwrap();
                assert_eq!(&back[..length], text.as_bytes());
                assert_eq!(from.as_pathname(), Some(theirs.as_ref()));
            }
        });
    });
}

#[test]
fn a_client_reads_what_a_server_in_python_has() {
    within_limit(|| {
        weftline::run(async {
            let folder = Folder::new("python");
            let all = much();
            std::fs::write(folder.path("much"), &all).unwrap();
            let place = folder.0.to_str().unwrap();
            let module = ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "-d", place];
            let server = start("python3", &module);
            // Serving HTTP on 127.0.0.1 port 40000 (http://127.0.0.1:40000/) ...
            let mut told = BufReader::new(server.stdout.as_ref().unwrap());
            let line = String::from_utf8(told.read_line().await.unwrap().to_vec()).unwrap();
            let (_, rest) = line.split_once("http://").unwrap();
            let (address, _) = rest.split_once('/').unwrap();
            for (path, status) in [("/much", "200 OK"), ("/none", "404 File not found")] {
                let stream = TcpStream::connect(address).await.unwrap();
                let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut reader = BufReader::new(&stream);
                let head = reader.read_until(&[b"\r\n\r\n"]).await.unwrap();
                let head = String::from_utf8(head.to_vec()).unwrap();
                assert!(head.starts_with(&format!("HTTP/1.0 {status}\r\n")), "{head}");
                let mut body = Vec::new();
                reader.read_to_end(&mut body).await.unwrap();
                assert_eq!(body == all, path == "/much");
            }
        });
    });
}
