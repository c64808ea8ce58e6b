//! Datagrams.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use weftline::JoinHandle;
use weftline::net::UdpSocket;
use weftline::time::timeout;

async fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("bound")
}

/// Sends back whatever comes, until it is cancelled.
async fn begin_echo() -> (SocketAddr, JoinHandle<io::Result<()>>) {
    let socket = socket().await;
    let address = socket.local_addr().unwrap();
    let echo = weftline::spawn(async move {
        let mut buf = [0; 1 << 16];
        loop {
            let (length, from) = socket.recv_from(&mut buf).await?;
            socket.send_to(&buf[..length], from).await?;
        }
    });
    (address, echo)
}

/// An address at which there was a socket, and is none now.
async fn dead() -> SocketAddr {
    socket().await.local_addr().unwrap()
}

// AT-DG-01
#[test]
fn a_datagram_to_a_dead_port_disturbs_nobody() {
    weftline::run(async {
        let ((echo, server), client) = (begin_echo().await, socket().await);
        let mut buf = [0; 16];
        for round in 0..10 {
            let receive = client.recv_from(&mut buf);
            client.send_to(&[round], dead().await).await.unwrap();
            client.send_to(&[round; 2], echo).await.unwrap();
            assert_eq!(receive.await.unwrap(), (2, echo));
            assert_eq!(buf[..2], [round; 2]);
        }
        // Also the one who answers somebody that is gone.
        let gone = socket().await;
        gone.send_to(b"who?", echo).await.unwrap();
        drop(gone);
        client.send_to(b"still", echo).await.unwrap();
        assert_eq!(client.recv(&mut buf).await.unwrap(), 5);
        assert!(!server.is_finished());
    });
}

// AT-DG-01
#[test]
fn one_connected_to_a_dead_port_is_told_once_and_works_on() {
    weftline::run(async {
        let (echo, _server) = begin_echo().await;
        let client = socket().await;
        client.connect(dead().await).await.unwrap();
        client.send(b"anybody?").await.unwrap();
        let mut buf = [0; 16];
        let refused = client.recv(&mut buf).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let nothing = client.try_recv_from(&mut buf).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);

        client.connect(echo).await.unwrap();
        client.send(b"hello").await.unwrap();
        assert_eq!(client.recv(&mut buf).await.unwrap(), 5);
    });
}

#[test]
fn many_clients_are_answered_by_one_socket_each_its_own() {
    weftline::run(async {
        let (echo, server) = begin_echo().await;
        let clients: Vec<_> = (0..50u32)
            .map(|client| {
                weftline::spawn(async move {
                    let socket = socket().await;
                    for round in 0..20u32 {
                        let sent = [client.to_le_bytes(), round.to_le_bytes()].concat();
                        let mut answer = [0; 16];
                        socket.send_to(&sent, echo).await.unwrap();
                        let (length, from) = socket.recv_from(&mut answer).await.unwrap();
                        assert_eq!((&answer[..length], from), (&sent[..], echo));
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn what_does_not_fit_is_cut_off_and_the_next_datagram_is_whole() {
    weftline::run(async {
        let (one, other) = (socket().await, socket().await);
        let to = other.local_addr().unwrap();
        for text in ["too long", "", "fits"] {
            one.send_to(text.as_bytes(), to).await.unwrap();
        }
        let mut buf = [0; 4];
        #[cfg(not(windows))] // where it is an error
        assert_eq!(other.recv(&mut buf).await.unwrap(), 4);
        #[cfg(windows)]
        assert!(other.recv(&mut buf).await.is_err());
        assert_eq!(other.recv(&mut buf).await.unwrap(), 0);
        assert_eq!(other.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf, b"fits");
    });
}

#[test]
fn what_cannot_be_sent_is_an_error_and_the_socket_works_on() {
    weftline::run(async {
        let (one, other) = (socket().await, socket().await);
        let to = other.local_addr().unwrap();
        // More than the length field of a datagram can say.
        one.send_to(&[0; 1 << 16], to).await.unwrap_err();
        one.send_to(b"another family", "[::1]:9").await.unwrap_err();
        assert_eq!(one.send(b"to whom?").await.unwrap_err().kind(), not_connected());
        one.send_to(b"well", to).await.unwrap();
        assert_eq!(other.recv(&mut [0; 16]).await.unwrap(), 4);
        let taken = UdpSocket::bind(to).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    });
}

/// What sending without an address fails with.
fn not_connected() -> ErrorKind {
    // Linux says that the address is missing, which std has no word for.
    let error = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send(b""));
    error.unwrap_err().kind()
}

#[test]
fn a_socket_made_elsewhere_becomes_one_that_waits_and_back() {
    weftline::run(async {
        let theirs = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let ours = UdpSocket::from_std(theirs).unwrap();
        // It would block the only worker's other task otherwise.
        assert!(timeout(Duration::from_millis(5), ours.recv(&mut [0; 4])).await.is_err());
        let to = ours.local_addr().unwrap();
        socket().await.send_to(b"hello", to).await.unwrap();
        let theirs = ours.into_std().unwrap();
        assert_eq!(theirs.recv_from(&mut [0; 16]).unwrap().0, 5);
    });
}

// Elsewhere the network of this machine may have no such address.
#[cfg(target_os = "linux")]
#[test]
fn a_broadcast_is_sent_once_that_is_allowed() {
    weftline::run(async {
        let (one, other) = (socket().await, UdpSocket::bind("0.0.0.0:0").await.unwrap());
        let all = SocketAddr::from(([127, 255, 255, 255], other.local_addr().unwrap().port()));
        let refused = one.send_to(b"all", all).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        one.set_broadcast(true).unwrap();
        one.send_to(b"all", all).await.unwrap();
        let from = one.local_addr().unwrap();
        assert_eq!(other.recv_from(&mut [0; 16]).await.unwrap(), (3, from));
    });
}

#[test]
fn datagrams_arrive_whole_and_tell_their_sender() {
    weftline::run(async {
        let (one, other) = (socket().await, socket().await);
        let (from, to) = (one.local_addr().unwrap(), other.local_addr().unwrap());
        for length in [0, 1, 1000, 9000] {
            assert_eq!(one.send_to(&vec![7; length], to).await.unwrap(), length);
            let mut buf = [0; 10_000];
            assert_eq!(other.peek_from(&mut buf).await.unwrap(), (length, from));
            assert_eq!(other.recv_from(&mut buf).await.unwrap(), (length, from));
        }
    });
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    weftline::run(async {
        let (one, other, stranger) = (socket().await, socket().await, socket().await);
        one.connect(other.local_addr().unwrap()).await.unwrap();
        assert_eq!(one.peer_addr().unwrap(), other.local_addr().unwrap());
        stranger.send_to(b"stranger", one.local_addr().unwrap()).await.unwrap();
        other.send_to(b"peer", one.local_addr().unwrap()).await.unwrap();
        let mut buf = [0; 16];
        assert_eq!(one.recv(&mut buf).await.unwrap(), 4);
        one.send(b"answer").await.unwrap();
        assert_eq!(other.recv(&mut buf).await.unwrap(), 6);
    });
}

#[test]
fn many_tasks_receive_on_one_socket() {
    weftline::run(async {
        let receiver = Arc::new(socket().await);
        let to = receiver.local_addr().unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let receiver = receiver.clone();
                weftline::spawn(async move { receiver.recv_from(&mut [0; 16]).await })
            })
            .collect();
        let sender = socket().await;
        for _ in 0..8 {
            sender.send_to(b"x", to).await.unwrap();
        }
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap().0, 1);
        }
    });
}

#[test]
fn a_cancelled_receive_loses_no_datagram() {
    weftline::run(async {
        let (one, other) = (socket().await, socket().await);
        let mut buf = [0; 16];
        assert!(timeout(Duration::from_millis(5), one.recv(&mut buf)).await.is_err());
        other.send_to(b"hello", one.local_addr().unwrap()).await.unwrap();
        assert_eq!(one.recv(&mut buf).await.unwrap(), 5);
        let error = one.try_recv_from(&mut buf).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn options_are_read_back_and_groups_are_joined() {
    weftline::run(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.set_broadcast(true).unwrap();
        socket.set_ttl(9).unwrap();
        assert_eq!((socket.broadcast().unwrap(), socket.ttl().unwrap()), (true, 9));
        let group = Ipv4Addr::new(224, 0, 0, 251);
        socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
        socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
        socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap_err();
    });
}
