//! Connections once they are made, and listeners.

use socket2::SockRef;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use weftline::io::{AsyncRead, AsyncWrite};
use weftline::net::{
    OwnedReadHalf, OwnedWriteHalf, TcpListener, TcpStream, ToSocketAddrs, UdpSocket,
};
use weftline::time::timeout;

/// Two connected sockets.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    (client, server)
}

#[test]
fn halves_are_used_by_two_tasks() {
    weftline::run(async {
        let (client, server) = pair().await;
        let echo = weftline::spawn(async move {
            let (reader, writer) = server.split();
            let mut buf = [0; 4096];
            loop {
                match reader.read(&mut buf).await.unwrap() {
                    0 => return writer.shutdown().await.unwrap(),
                    n => writer.write_all(&buf[..n]).await.unwrap(),
                }
            }
        });
        let (reader, writer) = client.into_split();
        let sender = weftline::spawn(async move {
            for round in 0..1000u32 {
                writer.write_all(&round.to_le_bytes().repeat(500)).await.unwrap();
            }
            writer
        });
        let mut buf = [0; 2000];
        for round in 0..1000u32 {
            reader.read_exact(&mut buf).await.unwrap();
            assert_eq!(buf, round.to_le_bytes().repeat(500)[..]);
        }
        let stream = reader.reunite(sender.await.unwrap()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).await.unwrap();
        assert_eq!(stream.read(&mut buf).await.unwrap(), 0);
        echo.await.unwrap();
    });
}

#[test]
fn dropping_the_writing_half_ends_the_writing() {
    weftline::run(async {
        let (client, server) = pair().await;
        let (reader, writer) = client.into_split();
        drop(writer);
        assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
        server.write_all(b"still").await.unwrap();
        assert_eq!(reader.read(&mut [0; 16]).await.unwrap(), 5);
    });
}

#[test]
fn peek_takes_nothing() {
    weftline::run(async {
        let (client, server) = pair().await;
        client.write_all(b"hello").await.unwrap();
        let mut buf = [0; 2];
        for _ in 0..3 {
            assert_eq!(server.peek(&mut buf).await.unwrap(), 2);
        }
        let mut all = [0; 5];
        server.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"hello");
    });
}

#[test]
fn options_are_read_back() {
    weftline::run(async {
        let (client, _server) = pair().await;
        assert!(!client.nodelay().unwrap() && !client.keepalive().unwrap());
        assert_eq!(client.linger().unwrap(), None);
        client.set_nodelay(true).unwrap();
        client.set_linger(Some(Duration::from_secs(7))).unwrap();
        client.set_keepalive(Some(Duration::from_secs(90))).unwrap();
        client.set_ttl(77).unwrap();
        assert!(client.nodelay().unwrap() && client.keepalive().unwrap());
        assert_eq!(client.linger().unwrap(), Some(Duration::from_secs(7)));
        assert_eq!(client.ttl().unwrap(), 77);
        #[cfg(target_os = "linux")]
        assert_eq!(SockRef::from(&client).tcp_keepalive_time().unwrap(), Duration::from_secs(90));
        client.set_keepalive(None).unwrap();
        client.set_linger(None).unwrap();
        assert!(!client.keepalive().unwrap());
        assert!(client.take_error().unwrap().is_none());
    });
}

#[test]
fn a_cancelled_read_loses_nothing() {
    weftline::run(async {
        let (client, server) = pair().await;
        let mut buf = [0; 16];
        for round in 0..20 {
            let limit = Duration::from_micros(200);
            assert!(timeout(limit, server.read(&mut buf)).await.is_err());
            client.write_all(&[round; 5]).await.unwrap();
            assert_eq!(server.read(&mut buf).await.unwrap(), 5);
            assert_eq!(buf[..5], [round; 5]);
        }
    });
}

#[test]
fn a_cancelled_write_has_written_a_beginning_and_the_stream_works_on() {
    weftline::run(async {
        let (client, server) = pair().await;
        let much: Vec<_> = (0..20_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
        let limit = Duration::from_millis(20);
        assert!(timeout(limit, client.write_all(&much)).await.is_err(), "nobody reads");
        let rest = weftline::spawn(async move {
            client.write_all(b"the end").await.unwrap();
        });
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        let beginning = all.strip_suffix(b"the end").unwrap();
        assert!(!beginning.is_empty() && much.starts_with(beginning));
        rest.await.unwrap();
    });
}

#[test]
fn a_cancelled_accept_leaves_the_connection_to_the_next() {
    weftline::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for _ in 0..20 {
            let limit = Duration::from_micros(200);
            assert!(timeout(limit, listener.accept()).await.is_err());
            let client = TcpStream::connect(address).await.unwrap();
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
        }
        drop(listener);
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn two_tasks_that_read_one_socket_both_progress() {
    weftline::run(async {
        let (client, server) = pair().await;
        let server = Arc::new(server);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let server = server.clone();
                weftline::spawn(async move { server.read_exact(&mut [0; 100]).await })
            })
            .collect();
        for _ in 0..200 {
            client.write_all(b"x").await.unwrap();
            weftline::yield_now().await;
        }
        for reader in readers {
            reader.await.unwrap().unwrap();
        }
    });
}

#[test]
fn the_end_is_seen_behind_the_last_bytes() {
    weftline::run(async {
        for _ in 0..50 {
            let (client, server) = pair().await;
            client.write_all(b"last words").await.unwrap();
            drop(client);
            let mut all = Vec::new();
            let read = timeout(Duration::from_secs(20), server.read_to_end(&mut all));
            assert_eq!(read.await.expect("the end comes").unwrap(), 10);
        }
    });
}

#[test]
fn bytes_behind_urgent_data_are_seen() {
    weftline::run(async {
        let (client, server) = pair().await;
        client.write_all(b"ab").await.unwrap();
        SockRef::from(&client).send_out_of_band(b"!").unwrap();
        client.write_all(b"cd").await.unwrap();
        let mut all = [0; 4];
        let read = timeout(Duration::from_secs(20), server.read_exact(&mut all));
        read.await.expect("all bytes come").unwrap();
        assert_eq!(&all, b"abcd");
    });
}

#[test]
fn a_writer_waits_for_room_and_nothing_is_lost() {
    weftline::run(async {
        let (client, server) = pair().await;
        let total = 20_000_000;
        let writer = weftline::spawn(async move {
            let chunk = vec![7; 1 << 20];
            let mut left = total;
            while left > 0 {
                left -= client.write(&chunk[..chunk.len().min(left)]).await.unwrap();
            }
        });
        let mut buf = vec![0; 1 << 16];
        let mut received = 0;
        loop {
            match server.read(&mut buf).await.unwrap() {
                0 => break,
                n => received += n,
            }
        }
        assert_eq!(received, total);
        writer.await.unwrap();
    });
}

#[test]
fn the_traits_read_write_and_close() {
    weftline::run(async {
        let (mut client, server) = pair().await;
        poll_fn(|cx| Pin::new(&mut client).poll_write(cx, b"hello")).await.unwrap();
        poll_fn(|cx| Pin::new(&mut client).poll_flush(cx)).await.unwrap();
        poll_fn(|cx| Pin::new(&mut client).poll_close(cx)).await.unwrap();
        let mut buf = [0; 16];
        let (mut reader, mut writer) = server.into_split();
        let n = poll_fn(|cx| Pin::new(&mut reader).poll_read(cx, &mut buf)).await.unwrap();
        assert_eq!(&buf[..n], b"hello");
        assert_eq!(poll_fn(|cx| Pin::new(&mut reader).poll_read(cx, &mut buf)).await.unwrap(), 0);
        poll_fn(|cx| Pin::new(&mut writer).poll_write(cx, b"bye")).await.unwrap();
        assert_eq!(client.read(&mut buf).await.unwrap(), 3);
    });
}

#[test]
fn incoming_yields_every_connection() {
    weftline::run(async {
        use futures_core::Stream;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clients = weftline::spawn(async move {
            for number in 0..20u8 {
                let client = TcpStream::connect(address).await.unwrap();
                client.write_all(&[number]).await.unwrap();
            }
        });
        let mut incoming = pin!(listener.incoming());
        for expected in 0..20u8 {
            let server = poll_fn(|cx| incoming.as_mut().poll_next(cx)).await.unwrap().unwrap();
            let mut number = [0];
            server.read_exact(&mut number).await.unwrap();
            assert_eq!(number, [expected]);
        }
        clients.await.unwrap();
    });
}

#[test]
fn many_tasks_accept_on_one_listener() {
    weftline::run(async {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        let servers: Vec<_> = (0..8)
            .map(|_| {
                let listener = listener.clone();
                weftline::spawn(async move { listener.accept().await })
            })
            .collect();
        for _ in 0..8 {
            TcpStream::connect(address).await.unwrap();
        }
        for server in servers {
            server.await.unwrap().unwrap();
        }
    });
}

#[cfg(unix)]
#[test]
fn listeners_share_a_port_when_all_ask_for_it() {
    weftline::run(async {
        let options = TcpListener::builder().reuse_port(true).backlog(16);
        let one = options.bind("127.0.0.1:0").await.unwrap();
        let address = one.local_addr().unwrap();
        let _other = options.bind(address).await.unwrap();
        let error = TcpListener::bind(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn outside_of_a_runtime_every_socket_says_so() {
    // Polls once: nothing here has to wait.
    fn outcome<T>(future: impl Future<Output = std::io::Result<T>>) -> String {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match pin!(future).as_mut().poll(&mut cx) {
            std::task::Poll::Ready(Err(error)) => error.to_string(),
            std::task::Poll::Ready(Ok(_)) => "it worked".to_owned(),
            std::task::Poll::Pending => "it waits".to_owned(),
        }
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for said in [
        outcome(TcpStream::connect(address)),
        outcome(TcpListener::bind("127.0.0.1:0")),
        outcome(UdpSocket::bind("127.0.0.1:0")),
    ] {
        assert!(said.contains("runtime"), "{said}");
    }
}

#[test]
fn everything_can_be_shared() {
    fn check<T: Send + Sync>() {}
    fn check_value<T: Send>(_: &T) {}
    check::<TcpListener>();
    check::<TcpStream>();
    check::<UdpSocket>();
    check::<OwnedReadHalf>();
    check::<OwnedWriteHalf>();
    check::<weftline::net::Incoming<'_>>();
    check_value(&TcpStream::connect("127.0.0.1:1"));
    check_value(&TcpListener::bind(("localhost", 1)));
    check_value(&weftline::net::resolve("localhost", 1));
    fn address<T: ToSocketAddrs>() {}
    address::<&str>();
    address::<String>();
    address::<(String, u16)>();
    address::<&[std::net::SocketAddr]>();
}
