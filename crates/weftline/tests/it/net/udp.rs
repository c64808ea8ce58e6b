//! Datagrams.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use weftline::net::UdpSocket;
use weftline::time::timeout;

async fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("bound")
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
