//! Servers of more clients than there are descriptors for, and at Unix sockets. The former runs in a
//! process of its own, since descriptors belong to the whole process.

#![cfg(target_os = "linux")]

use crate::rig::{MS, child_of, expect_success, is_child, within_limit};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use weftline::io::BufReader;
use weftline::net::{TcpStream, UnixListener, UnixStream, serve, serve_unix, serve_unix_on};
use weftline::time::timeout;

// AT-SV-05
#[test]
fn a_flood_of_connections_beyond_the_limit_of_descriptors_is_served_in_the_end() {
    let name =
        "net::flood::a_flood_of_connections_beyond_the_limit_of_descriptors_is_served_in_the_end";
    if is_child() {
        return within_limit(|| weftline::run(flood()));
    }
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 256; exec \"$0\" \"$@\""]);
    limited.arg(std::env::current_exe().expect("this binary has a path"));
    expect_success(name, child_of(limited, name).output().expect("the test binary runs"));
}

async fn flood() {
    const CLIENTS: usize = 180;
    let shortages = Arc::new(AtomicUsize::new(0));
    let server = {
        let shortages = shortages.clone();
        let handler = |stream: TcpStream| async move {
            let mut byte = [0; 1];
            stream.read_exact(&mut byte).await?;
            stream.write_all(&byte).await?;
            stream.read(&mut byte).await.map(drop)
        };
        serve("127.0.0.1:0", handler).paused().on_accept_error(move |error| {
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
            shortages.fetch_add(1, Ordering::Relaxed);
        })
    };
    let server = server.await.unwrap();
    let address = server.local_addrs()[0];
    // Each takes a descriptor, and will need a second one for the other side.
    let connect = move || -> Vec<_> {
        let connect = |_| std::net::TcpStream::connect(address).unwrap();
        (0..CLIENTS).map(connect).collect()
    };
    let clients = weftline::spawn_blocking(connect).await.unwrap();
    server.start_serving();
    while shortages.load(Ordering::Relaxed) == 0 {
        weftline::yield_now().await;
    }
    let served = server.clients();
    assert!(served < CLIENTS, "{served} of {CLIENTS} have two descriptors each");
    let talk = move || {
        for (number, mut client) in clients.into_iter().enumerate() {
            let sent = [number as u8];
            client.write_all(&sent).unwrap();
            let mut received = [0; 1];
            client.read_exact(&mut received).unwrap();
            assert_eq!(sent, received);
        }
    };
    weftline::spawn_blocking(talk).await.unwrap();
    assert!(server.is_serving());
    server.stop_accepting();
    server.wait_closed().await;
}

/// A path of its own for each test.
fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("weftline-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

async fn greet(stream: UnixStream) -> io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let line = reader.read_line().await?;
    stream.write_all(line).await
}

// AT-SV-01
#[test]
fn a_unix_server_begins_on_demand_and_takes_its_file_with_it() {
    within_limit(|| {
        weftline::run(async {
            let path = path("demand");
            let server = Arc::new(serve_unix(&path, greet).paused().await.unwrap());
            assert!(!server.is_serving() && server.local_addrs().is_empty());
            let client = UnixStream::connect(&path).await.unwrap();
            client.write_all(b"hello\n").await.unwrap();
            let serving = weftline::spawn({
                let server = server.clone();
                async move { server.serve_forever().await }
            });
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"hello\n");
            assert!(server.is_serving());
            serving.cancel();
            assert!(serving.await.unwrap_err().is_cancelled());
            assert!(!path.exists());
            assert!(server.serve_forever().await.is_err());
        });
    });
}

#[test]
fn the_file_of_a_unix_server_stays_where_it_is_not_its_own() {
    weftline::run(async {
        let path = path("replaced");
        let server = serve_unix(&path, greet).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        server.stop_accepting();
        assert!(path.exists(), "another one has taken its place");
        std::fs::remove_file(&path).unwrap();

        let server = serve_unix(&path, greet).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        server.stop_accepting();

        let server = serve_unix(&path, greet).keep_file().await.unwrap();
        drop(server);
        assert!(path.exists(), "it was to be kept");
        std::fs::remove_file(&path).unwrap();
    });
}

// AT-SV-09
#[test]
fn a_unix_server_at_a_listener_that_is_there_already_leaves_its_file() {
    within_limit(|| {
        weftline::run(async {
            let path = path("handed");
            let server = serve_unix_on(UnixListener::bind(&path).unwrap(), greet).await.unwrap();
            let client = UnixStream::connect(&path).await.unwrap();
            client.write_all(b"hello\n").await.unwrap();
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"hello\n");
            server.stop_accepting();
            assert!(UnixStream::connect(&path).await.is_err());
            std::fs::remove_file(&path).expect("it is there");
        });
    });
}

#[test]
fn a_unix_server_takes_the_place_of_a_dead_one_and_of_nothing_else() {
    weftline::run(async {
        let path = path("place");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.symlink_metadata().unwrap().file_type().is_socket(), "it was left there");
        let server = serve_unix(&path, greet).await.unwrap();
        let error = serve_unix(&path, greet).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        drop(server);

        for kind in [Type::STREAM, Type::SEQPACKET, Type::DGRAM] {
            let begins = Socket::new(Domain::UNIX, kind, None).unwrap();
            begins.bind(&SockAddr::unix(&path).unwrap()).unwrap();
            let error = serve_unix(&path, greet).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "it does not listen yet: {kind:?}");
            drop(begins);
            drop(serve_unix(&path, greet).await.unwrap());
        }

        let listener = UnixListener::bind(&path).unwrap();
        assert!(serve_unix(&path, greet).await.is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(timeout(50 * MS, listener.accept()).await.is_err(), "nobody was a client of it");

        std::fs::write(&path, "a file").unwrap();
        assert!(serve_unix(&path, greet).await.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"a file");
        std::fs::remove_file(&path).unwrap();
    });
}
