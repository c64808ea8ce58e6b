//! A small HTTP/1.1 server, and what curl says of it.

use super::peers::start;
use crate::rig::within_limit;
use std::io;
use std::net::SocketAddr;
use weftline::io::{BufReader, BufWriter, ReadError};
use weftline::net::{Server, TcpStream, serve};

/// More than a connection's buffers hold.
const MUCH: usize = 10_000_000;

/// The first lines of a request, in lower case.
struct Head(String);

impl Head {
    /// The next one; none where the client has gone.
    async fn read(reader: &mut BufReader<&TcpStream>) -> Result<Option<Self>, ReadError> {
        match reader.read_until(&[b"\r\n\r\n"]).await {
            Ok(head) => Ok(Some(Self(String::from_utf8_lossy(head).to_lowercase()))),
            Err(ReadError::Incomplete(end)) if end.partial.is_empty() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The method, the path, the version.
    fn request(&self) -> Vec<&str> {
        self.0.lines().next().unwrap_or_default().split(' ').collect()
    }

    /// What is said of `name`.
    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

/// The body of a request: of the length that was told, or in chunks.
async fn body(reader: &mut BufReader<&TcpStream>, head: &Head) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    let mut read = async |length: usize, reader: &mut BufReader<&TcpStream>| {
        let begin = body.len();
        body.resize(begin + length, 0);
        reader.read_exact(&mut body[begin..]).await
    };
    if head.field("transfer-encoding") != Some("chunked") {
        let length = head.field("content-length").map_or(0, |length| length.parse().unwrap());
        read(length, reader).await?;
        return Ok(body);
    }
    loop {
        let line = String::from_utf8_lossy(reader.read_line().await?).into_owned();
        let length = usize::from_str_radix(line.trim(), 16).expect(&line);
        read(length, reader).await?;
        assert_eq!(reader.read_line().await?, b"\r\n");
        if length == 0 {
            return Ok(body);
        }
    }
}

/// Answers requests until the client goes: by what was sent, or else by what was asked for.
async fn answer(stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(&stream), BufWriter::new(&stream));
    while let Some(head) = Head::read(&mut reader).await? {
        if head.field("expect") == Some("100-continue") {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            writer.flush().await?;
        }
        let mut body = body(&mut reader, &head).await?;
        let [method, path, version] = head.request()[..] else { panic!("{}", head.0) };
        if body.is_empty() {
            body = format!("{method} {path}\n").into_bytes();
        }
        let is_chunked = path == "/chunked";
        let length = if is_chunked {
            "Transfer-Encoding: chunked".to_owned()
        } else {
            format!("Content-Length: {}", body.len())
        };
        writer.write_all(format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\n").as_bytes()).await?;
        if is_chunked {
            for chunk in body.chunks(1000) {
                writer.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
                writer.write_all(chunk).await?;
                writer.write_all(b"\r\n").await?;
            }
            writer.write_all(b"0\r\n\r\n").await?;
        } else if method != "head" {
            writer.write_all(&body).await?;
        }
        writer.flush().await?;
        if version == "http/1.0" {
            break;
        }
    }
    writer.close().await
}

/// What curl gets and tells when it is fed `input`.
async fn curl(arguments: &[&str], input: &[u8]) -> (Vec<u8>, String) {
    let mut curl = start("curl", &[&["-sS", "--noproxy", "*"], arguments].concat());
    let output = curl.communicate(input).await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {told}", output.status);
    (output.stdout, told)
}

/// Runs a test beside a server.
fn served<F: Future<Output = ()>>(test: impl FnOnce(SocketAddr) -> F + Send + 'static) {
    within_limit(|| {
        weftline::run(async {
            let server: Server = serve("127.0.0.1:0", answer).await.unwrap();
            test(server.local_addrs()[0]).await;
        });
    });
}

#[test]
fn curl_gets_what_it_asks_for() {
    served(|at| async move {
        let (got, _) = curl(&[&format!("http://{at}/a/path")], b"").await;
        assert_eq!(got, b"get /a/path\n");
        let (got, _) = curl(&["-0", &format!("http://{at}/old")], b"").await;
        assert_eq!(got, b"get /old\n");
    });
}

#[test]
fn curl_asks_twice_on_one_connection() {
    served(|at| async move {
        let (one, two) = (format!("http://{at}/one"), format!("http://{at}/two"));
        let (got, _) = curl(&["-w", "connected: %{num_connects}\n", &one, &two], b"").await;
        assert_eq!(got, b"get /one\nconnected: 1\nget /two\nconnected: 0\n");
    });
}

#[test]
fn curl_asks_for_heads_and_no_body_follows() {
    served(|at| async move {
        let (one, two) = (format!("http://{at}/one"), format!("http://{at}/three"));
        let (got, _) = curl(&["--head", &one, &two], b"").await;
        let head = |length| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(got, [head(10), head(12)].concat().as_bytes());
    });
}

#[test]
fn curl_sends_a_body_and_gets_it_back() {
    served(|at| async move {
        let body: Vec<u8> = (0..=250).cycle().take(MUCH).collect();
        for path in ["whole", "chunked"] {
            let at = format!("http://{at}/{path}");
            let plain = ["-H", "Expect:", "--data-binary", "@-", &at];
            assert!(curl(&plain, &body).await.0 == body, "{path}");
            let chunked = [&["-H", "Transfer-Encoding: chunked"], &plain[..]].concat();
            assert!(curl(&chunked, &body).await.0 == body, "{path}, in chunks");
        }
    });
}

#[test]
fn curl_waits_to_be_told_to_go_on() {
    served(|at| async move {
        let at = format!("http://{at}/wait");
        // Longer than the test may take: it sends nothing before it is told.
        let patience = ["-v", "--expect100-timeout", "1000", "-H", "Expect: 100-continue"];
        let arguments = [&patience[..], &["--data-binary", "@-", &at]].concat();
        let (got, told) = curl(&arguments, b"here it is").await;
        assert_eq!(got, b"here it is");
        assert!(told.contains("< HTTP/1.1 100 Continue"), "{told}");
    });
}

#[test]
fn curl_asks_for_much_at_once() {
    served(|at| async move {
        let many = format!("http://{at}/[1-200]");
        let (got, _) = curl(&["--parallel", "--parallel-max", "50", &many], b"").await;
        let mut lines: Vec<_> = std::str::from_utf8(&got).unwrap().lines().collect();
        lines.sort_unstable();
        let mut expected: Vec<_> = (1..=200).map(|n| format!("get /{n}")).collect();
        expected.sort();
        assert_eq!(lines, expected);
    });
}
