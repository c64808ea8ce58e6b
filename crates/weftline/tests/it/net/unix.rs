//! Unix sockets.

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use weftline::io::{AsyncRead, AsyncWrite};
use weftline::net::{UnixDatagram, UnixListener, UnixStream};
use weftline::time::timeout;

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

// AT-DG-01
#[test]
fn unix_datagrams_are_answered_and_one_to_nobody_disturbs_nobody() {
    let (here, there, gone) = (Place::new("here"), Place::new("there"), Place::new("gone"));
    weftline::run(async {
        let echo = UnixDatagram::bind(&there.0).unwrap();
        let server = weftline::spawn(async move {
            let mut buf = [0; 64];
            loop {
                let (length, from) = echo.recv_from(&mut buf).await.unwrap();
                let from = from.as_pathname().expect("who asks has an address").to_owned();
                // Who has gone meanwhile gets no answer.
                let _ = echo.send_to(&buf[..length], from).await;
            }
        });
        let client = UnixDatagram::bind(&here.0).unwrap();
        let mut buf = [0; 64];
        for text in ["one", "", "three"] {
            client.send_to(b"nobody", "/no/such/place").await.unwrap_err();
            let left = UnixDatagram::bind(&gone.0).unwrap();
            left.send_to(b"who?", &there.0).await.unwrap();
            drop(left);
            let refused = client.send_to(b"nobody", &gone.0).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            std::fs::remove_file(&gone.0).unwrap();

            client.send_to(text.as_bytes(), &there.0).await.unwrap();
            let (length, from) = client.recv_from(&mut buf).await.unwrap();
            assert_eq!(&buf[..length], text.as_bytes());
            assert_eq!(from.as_pathname(), Some(there.0.as_path()));
        }
        let taken = UnixDatagram::bind(&there.0).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        server.cancel();
    });
}

#[test]
fn a_cancelled_send_has_sent_nothing_and_a_cancelled_receive_taken_nothing() {
    weftline::run(async {
        let (one, other) = UnixDatagram::pair().unwrap();
        let limit = Duration::from_millis(2);
        let mut buf = [0; 8];
        assert!(timeout(limit, other.recv(&mut buf)).await.is_err());
        let mut sent = 0u32;
        while timeout(limit, one.send(&sent.to_le_bytes())).await.is_ok() {
            sent += 1;
        }
        let last = weftline::spawn(async move {
            one.send(b"last").await.unwrap();
            one
        });
        for number in 0..sent {
            assert_eq!(other.recv(&mut buf).await.unwrap(), 4);
            assert_eq!(buf[..4], number.to_le_bytes());
        }
        // The one that was given up would come here.
        assert_eq!(other.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..4], b"last");
        let _one = last.await.unwrap();
        assert!(timeout(limit, other.recv(&mut buf)).await.is_err());
    });
}

#[test]
fn every_datagram_is_received_once_however_often_those_who_receive_give_up() {
    const DATAGRAMS: u32 = 5_000;
    weftline::run(async {
        let (one, other) = UnixDatagram::pair().unwrap();
        let other = Arc::new(other);
        let sender = weftline::spawn(async move {
            for number in 0..DATAGRAMS {
                one.send(&number.to_le_bytes()).await.unwrap();
            }
            // Empty ones are datagrams too: four ends, one for each.
            for _ in 0..4 {
                one.send(b"").await.unwrap();
            }
            one
        });
        let receivers: Vec<_> = (0..4)
            .map(|_| {
                let other = other.clone();
                weftline::spawn(async move {
                    let mut taken = Vec::new();
                    for patience in (0..5).cycle() {
                        let (limit, mut buf) = (Duration::from_micros(patience * 20), [0; 8]);
                        match timeout(limit, other.recv(&mut buf)).await {
                            Ok(Ok(0)) => break,
                            Ok(length) => {
                                assert_eq!(length.unwrap(), 4);
                                taken.push(u32::from_le_bytes(buf[..4].try_into().unwrap()));
                            }
                            Err(_elapsed) => {}
                        }
                    }
                    taken
                })
            })
            .collect();
        let mut all = Vec::new();
        for receiver in receivers {
            let taken = receiver.await.unwrap();
            assert!(taken.is_sorted(), "each one got them in their order");
            all.extend(taken);
        }
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..DATAGRAMS), "{} are there", all.len());
        sender.await.unwrap();
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
