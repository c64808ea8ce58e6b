//! Unix sockets.

use std::future::poll_fn;
use std::io::{IoSlice, IoSliceMut};
use std::path::PathBuf;
use std::pin::Pin;
use weftline::io::{AsyncRead, AsyncWrite};
use weftline::net::{UnixDatagram, UnixListener, UnixStream};

/// A path for one test's socket, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let name = format!("weftline-it-{test}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_stream_connects_by_path() {
    let place = Place::new("stream");
    weftline::run(async {
        let listener = UnixListener::bind(&place.0).unwrap();
        let server = weftline::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            stream.read_to_end(&mut request).await.unwrap();
            stream.write_all(&request).await.unwrap();
        });
        let client = UnixStream::connect(&place.0).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        client.shutdown(std::net::Shutdown::Write).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"hello");
        server.await.unwrap();
    });
}

#[test]
fn nobody_there_is_an_error() {
    let place = Place::new("nobody");
    weftline::run(async {
        assert!(UnixStream::connect(&place.0).await.is_err());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_queue_makes_the_next_connection_wait() {
    let place = Place::new("full");
    weftline::run(async {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&socket2::SockAddr::unix(&place.0).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let listener = UnixListener::from_std(socket.into()).unwrap();
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let path = place.0.clone();
                weftline::spawn(async move { UnixStream::connect(path).await })
            })
            .collect();
        for _ in 0..4 {
            listener.accept().await.unwrap();
        }
        for client in clients {
            client.await.unwrap().unwrap();
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_leaves_no_file() {
    weftline::run(async {
        let name = format!("\0weftline-it-abstract-{}", std::process::id());
        let listener = UnixListener::bind(&name).unwrap();
        let _client = UnixStream::connect(&name).await.unwrap();
        listener.accept().await.unwrap();
    });
}

#[test]
fn halves_of_a_pair_are_used_by_two_tasks() {
    weftline::run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (one_reads, one_writes) = one.into_split();
        let (other_reads, other_writes) = other.into_split();
        let echo = weftline::spawn(async move {
            let mut buf = [0; 4096];
            loop {
                match other_reads.read(&mut buf).await.unwrap() {
                    0 => return,
                    n => other_writes.write_all(&buf[..n]).await.unwrap(),
                }
            }
        });
        let writer = weftline::spawn(async move {
            for _ in 0..200 {
                one_writes.write_all(&[7; 3000]).await.unwrap();
            }
        });
        let mut back = Vec::new();
        one_reads.read_to_end(&mut back).await.unwrap();
        assert_eq!(back.len(), 200 * 3000);
        writer.await.unwrap();
        echo.await.unwrap();
    });
}

#[test]
fn vectored_operations_fill_several_buffers() {
    weftline::run(async {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let parts = [IoSlice::new(b"he"), IoSlice::new(b"llo")];
        let n = poll_fn(|cx| Pin::new(&mut one).poll_write_vectored(cx, &parts)).await.unwrap();
        assert_eq!(n, 5);
        let (mut first, mut second) = ([0; 3], [0; 3]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        let read = poll_fn(|cx| Pin::new(&mut other).poll_read_vectored(cx, &mut buffers));
        assert_eq!(read.await.unwrap(), 5);
        assert_eq!((&first, &second[..2]), (b"hel", &b"lo"[..]));
        poll_fn(|cx| Pin::new(&mut one).poll_close(cx)).await.unwrap();
        assert_eq!(other.read(&mut first).await.unwrap(), 0);
    });
}

#[test]
fn datagrams_wait_for_room_and_none_is_lost() {
    let place = Place::new("datagrams");
    weftline::run(async {
        let receiver = UnixDatagram::bind(&place.0).unwrap();
        let path = place.0.clone();
        let sender = weftline::spawn(async move {
            let by_path = UnixDatagram::unbound().unwrap();
            let connected = UnixDatagram::unbound().unwrap();
            connected.connect(&path).unwrap();
            for number in 0..500u32 {
                let bytes = number.to_le_bytes();
                if number % 2 == 0 {
                    by_path.send_to(&bytes, &path).await.unwrap();
                } else {
                    connected.send(&bytes).await.unwrap();
                }
            }
        });
        for number in 0..500u32 {
            let mut buf = [0; 8];
            let (n, _) = receiver.recv_from(&mut buf).await.unwrap();
            assert_eq!(&buf[..n], number.to_le_bytes());
        }
        sender.await.unwrap();
    });
}
