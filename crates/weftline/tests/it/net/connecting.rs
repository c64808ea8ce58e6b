//! Looking up names and making connections.

use crate::rig::{panicking_waker, within_limit};
use socket2::{Domain, Socket, Type};
use std::future::Future;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::pin::pin;
use std::task::Context;
use std::thread;
use std::time::{Duration, Instant};
use weftline::net::{TcpListener, TcpStream, resolve};
use weftline::time::{sleep, timeout};

/// A port that nobody listens at, for as long as the socket lives.
fn refusing() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// A listener that no longer answers: its queue is full.
#[cfg(target_os = "linux")]
fn silent() -> (StdListener, Vec<StdStream>, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let listener = StdListener::from(socket);
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = StdStream::connect_timeout(&address, Duration::from_millis(200)) {
        queued.push(stream);
    }
    (listener, queued, address)
}

#[test]
fn a_refused_connection_is_an_error() {
    weftline::run(async {
        let (_socket, address) = refusing();
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn all_addresses_are_tried() {
    weftline::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let live = listener.local_addr().unwrap();
        let ((_one, first), (_two, second)) = (refusing(), refusing());
        let start = Instant::now();
        let stream = TcpStream::connect(&[first, second, live][..]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), live);
        assert!(start.elapsed() < Duration::from_millis(250), "a refusal is no reason to wait");
        let error = TcpStream::connect(vec![first, second]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = TcpStream::connect(Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_silent_address_does_not_hold_up_the_next() {
    weftline::run(async {
        let (_listener, _queued, dead) = silent();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let live = listener.local_addr().unwrap();
        let start = Instant::now();
        let stream = TcpStream::connect([dead, live]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), live);
        assert!(start.elapsed() >= Duration::from_millis(250), "the first had no time of its own");
        assert!(start.elapsed() < Duration::from_secs(20));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_slow_address_wins_when_the_others_fail() {
    weftline::run(async {
        let (listener, queued, slow) = silent();
        let (_socket, refused) = refusing();
        let connecting = weftline::spawn(async move { TcpStream::connect([slow, refused]).await });
        // Until the other address had its turn; the order of the two is what this is about.
        sleep(Duration::from_millis(400)).await;
        // Room again: the system repeats its request after a second.
        for _ in &queued {
            listener.accept().unwrap();
        }
        let stream = timeout(Duration::from_secs(30), connecting).await.unwrap().unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), slow);
    });
}

#[test]
fn a_connection_comes_from_where_it_was_bound() {
    weftline::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (socket, local) = refusing();
        drop(socket);
        let stream = TcpStream::connect_from(local, address).await.unwrap();
        assert_eq!(stream.local_addr().unwrap(), local);
        let (_server, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, local);
        let other_family = "[::1]:0".parse().unwrap();
        let error = TcpStream::connect_from(other_family, address).await.unwrap_err();
        assert!(error.to_string().contains("family"), "{error}");
    });
}

#[test]
fn a_builder_sets_options_before_the_connection() {
    weftline::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = TcpStream::builder()
            .nodelay(true)
            .keepalive(Duration::from_secs(30))
            .send_buffer(1 << 16)
            .receive_buffer(1 << 16);
        let stream = options.connect(listener.local_addr().unwrap()).await.unwrap();
        assert!(stream.nodelay().unwrap() && stream.keepalive().unwrap());
        assert!(socket2::SockRef::from(&stream).send_buffer_size().unwrap() >= 1 << 16);
    });
}

#[test]
fn a_cancelled_connect_leaves_the_runtime_well() {
    weftline::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for _ in 0..100 {
            let _ = timeout(Duration::ZERO, TcpStream::connect(address)).await;
        }
        TcpStream::connect(address).await.unwrap();
    });
}

#[test]
fn names_are_looked_up() {
    weftline::run(async {
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect(("localhost", port)).await.unwrap();
        TcpStream::connect(format!("localhost:{port}")).await.unwrap();
        assert_eq!(resolve("192.0.2.7", 80).await.unwrap(), ["192.0.2.7:80".parse().unwrap()]);
        assert_eq!(resolve("::1", 80).await.unwrap(), ["[::1]:80".parse().unwrap()]);
        for text in ["localhost", "localhost:", "localhost:65536", "localhost:http"] {
            let error = TcpStream::connect(text).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(text), "{error}");
        }
    });
}

#[test]
fn many_lookups_share_a_few_threads() {
    weftline::run(async {
        let lookups: Vec<_> = (0..100)
            .map(|port| weftline::spawn(async move { resolve("localhost", port).await }))
            .collect();
        // Half of them are given up before anybody hears the answer.
        for (port, lookup) in lookups.into_iter().enumerate() {
            if port % 2 == 0 {
                lookup.cancel();
            } else {
                let addresses = lookup.await.unwrap().unwrap();
                assert!(addresses.iter().all(|address| usize::from(address.port()) == port));
            }
        }
        assert!(resolver_threads() <= 4);
    });
}

#[test]
fn a_waker_that_panics_takes_no_thread_from_the_lookups_to_come() {
    within_limit(|| {
        let waker = panicking_waker();
        let mut heard = Context::from_waker(&waker);
        for _ in 0..20 {
            let mut lookup = pin!(resolve("localhost", 1));
            while lookup.as_mut().poll(&mut heard).is_pending() {
                thread::yield_now();
            }
        }
        let addresses = weftline::run(resolve("localhost", 80)).unwrap();
        assert!(addresses.iter().all(|address| address.port() == 80));
    });
}

/// How many threads of this process look names up.
fn resolver_threads() -> usize {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let names =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("weftline-resol")).count()
}
