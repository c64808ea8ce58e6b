//! Servers whose handlers begin with a handshake.

use super::{PEM, acceptor, connector};
use crate::rig::{echo_lines, eventually, reporting_runtime, runtime, within_limit};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use weftline::io::{AsyncRead, AsyncWrite, BufReader, BufWriter, split};
use weftline::net::{Server, TcpStream, serve};
use weftline::spawn;
use weftline::tls::{TlsConnector, TlsStream, client_config};

/// How many clients there are at once.
const MANY: usize = 200;

/// Says every line again.
pub(super) async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    stream: TlsStream<S>,
) -> io::Result<()> {
    let (reader, mut writer) = split(stream);
    echo_lines(reader, &mut writer).await?;
    BufWriter::new(writer).close().await
}

fn address(server: &Server) -> SocketAddr {
    server.local_addrs()[0]
}

async fn is_echoed(connector: &TlsConnector, address: SocketAddr) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    let mut reader = BufReader::new(connector.connect("localhost", stream).await?);
    for _ in 0..3 {
        reader.get_mut().write_all(b"hello\n").await?;
        assert_eq!(reader.read_line().await?, b"hello\n");
    }
    reader.get_mut().close().await?;
    assert_eq!(reader.read_line().await?, b"");
    Ok(())
}

#[test]
fn many_are_served_at_once() {
    within_limit(|| {
        runtime().block_on(async {
            let server = serve("127.0.0.1:0", acceptor().handler(echo)).await.unwrap();
            let (connector, address) = (connector(), address(&server));
            let client = |_| {
                let connector = connector.clone();
                spawn(async move { is_echoed(&connector, address).await })
            };
            let clients: Vec<_> = (0..MANY).map(client).collect();
            for client in clients {
                client.await.unwrap().unwrap();
            }
            assert_eq!(server.graceful_shutdown(Duration::from_secs(10)).await, 0);
        });
    });
}

#[test]
fn a_client_that_does_not_shake_hands_holds_up_nobody() {
    within_limit(|| {
        runtime().block_on(async {
            let server = serve("127.0.0.1:0", acceptor().handler(echo)).await.unwrap();
            let silent = TcpStream::connect(address(&server)).await.unwrap();
            while server.clients() == 0 {
                weftline::yield_now().await;
            }
            is_echoed(&connector(), address(&server)).await.unwrap();
            // It is a client as any other, and ends with them.
            assert_eq!(server.graceful_shutdown(Duration::from_secs(10)).await, 0);
            assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
        });
    });
}

#[test]
fn a_handshake_that_fails_is_told_of_and_touches_nobody_else() {
    within_limit(|| {
        let (runtime, reports) = reporting_runtime(2);
        runtime.block_on(async {
            let server = serve("127.0.0.1:0", acceptor().handler(echo)).await.unwrap();
            let stream = TcpStream::connect(address(&server)).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            is_echoed(&connector(), address(&server)).await.unwrap();
            server.graceful_shutdown(Duration::from_secs(10)).await;
        });
        eventually("it is told of", || !reports.all().is_empty());
        let all = reports.all();
        let [report] = &all[..] else { panic!("{all:?}") };
        assert!(report.message.starts_with("a TLS handshake failed: "), "{report:?}");
    });
}

#[test]
fn a_session_is_resumed() {
    within_limit(|| {
        runtime().block_on(async {
            let server = serve("127.0.0.1:0", acceptor().handler(echo)).await.unwrap();
            let connector = TlsConnector::from(client_config(PEM).unwrap());
            let mut kinds = Vec::new();
            for _ in 0..2 {
                let stream = TcpStream::connect(address(&server)).await.unwrap();
                let stream = connector.connect("localhost", stream).await.unwrap();
                let mut reader = BufReader::new(stream);
                reader.get_mut().write_all(b"hello\n").await.unwrap();
                // The tickets come before the answer.
                assert_eq!(reader.read_line().await.unwrap(), b"hello\n");
                kinds.push(format!("{:?}", reader.get_ref().connection().handshake_kind()));
                reader.get_mut().close().await.unwrap();
            }
            assert_eq!(kinds, ["Some(Full)", "Some(Resumed)"]);
        });
    });
}

#[cfg(unix)]
#[test]
fn unix_sockets_are_served_too() {
    use weftline::net::{UnixStream, serve_unix};

    within_limit(|| {
        runtime().block_on(async {
            let name = format!("weftline-tls-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let server = serve_unix(&path, acceptor().handler(echo)).await.unwrap();
            let stream = UnixStream::connect(&path).await.unwrap();
            let mut reader =
                BufReader::new(connector().connect("localhost", stream).await.unwrap());
            reader.get_mut().write_all(b"hello\n").await.unwrap();
            assert_eq!(reader.read_line().await.unwrap(), b"hello\n");
            server.graceful_shutdown(Duration::from_secs(10)).await;
        });
    });
}
