//! Servers: who is served, what a failure touches, and how they end.

use crate::rig::{
    LONG, MS, echo_lines, eventually, holder, panic_on_purpose, panicking_waker, reporting_runtime,
    runtime, until_waiting, within_limit,
};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};
use weftline::io::{BufReader, BufWriter};
use weftline::net::{Server, TcpListener, TcpStream, serve, serve_on};
use weftline::sync::oneshot;
use weftline::task::UnhandledKind;
use weftline::time::{sleep, timeout};
use weftline::{finally, uncancellable, yield_now};

/// Says every line again.
async fn echo(stream: TcpStream) -> io::Result<()> {
    echo_lines(&stream, &stream).await
}

/// Waits until the client is gone.
async fn wait(stream: TcpStream) -> io::Result<()> {
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

fn address(server: &Server) -> SocketAddr {
    server.local_addrs()[0]
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(address(server)).await.unwrap()
}

/// Waits until so many handlers run.
async fn until_served(server: &Server, count: usize) {
    while server.clients() != count {
        yield_now().await;
    }
}

async fn is_echoed(stream: &TcpStream) {
    stream.write_all(b"hello\n").await.unwrap();
    assert_eq!(BufReader::new(stream).read_line().await.unwrap(), b"hello\n");
}

// AT-SV-01
#[test]
fn serving_begins_on_demand_and_ends_with_who_asked_for_it() {
    within_limit(|| {
        weftline::run(async {
            let (tell, told) = oneshot::channel();
            let tell = Arc::new(std::sync::Mutex::new(Some(tell)));
            let handler = move |stream: TcpStream| {
                let tell = tell.lock().unwrap().take();
                async move {
                    let mut reader = BufReader::new(&stream);
                    assert_eq!(reader.read_line().await.unwrap().len(), 5 * 1024 + 1);
                    tell.unwrap().send(()).unwrap();
                    stream.write_all(b"1").await
                }
            };
            let server = Arc::new(serve("127.0.0.1:0", handler).paused().await.unwrap());
            assert!(!server.is_serving());
            let client = connect(&server).await;
            let serving = weftline::spawn({
                let server = server.clone();
                async move { server.serve_forever().await }
            });
            client.write_all(&[&[b'1'; 5 * 1024][..], b"\n"].concat()).await.unwrap();
            told.await.unwrap();
            assert!(server.is_serving());
            serving.cancel();
            assert!(serving.await.unwrap_err().is_cancelled());
            client.read_to_end(&mut Vec::new()).await.unwrap();
            assert!(server.local_addrs().is_empty());
            assert!(!server.is_serving());
            let error = server.serve_forever().await.unwrap_err();
            assert!(error.to_string().contains("is closed"), "{error}");
            server.start_serving();
            assert!(!server.is_serving(), "what is closed stays so");
            server.wait_closed().await;
        });
    });
}

#[test]
fn waiting_for_the_end_waits_for_the_listeners_and_for_the_clients() {
    within_limit(|| {
        weftline::run(async {
            let server = Arc::new(serve("127.0.0.1:0", wait).await.unwrap());
            let waiting = || {
                let server = server.clone();
                weftline::spawn(async move { server.wait_closed().await })
            };
            let first = waiting();
            until_waiting(&first).await;
            let client = connect(&server).await;
            until_served(&server, 1).await;
            let second = waiting();
            until_waiting(&second).await;
            server.stop_accepting();
            let third = waiting();
            for task in [&first, &second, &third] {
                until_waiting(task).await;
            }
            assert!(timeout(MS, server.wait_closed()).await.is_err());
            drop(client);
            for task in [first, second, third] {
                task.await.unwrap();
            }
            server.wait_closed().await;
        });
    });
}

#[test]
fn a_server_that_is_closed_while_its_last_client_goes_is_closed() {
    within_limit(|| {
        weftline::run(async {
            for _ in 0..50 {
                let server = Arc::new(serve("127.0.0.1:0", wait).await.unwrap());
                let client = connect(&server).await;
                let closing = weftline::spawn({
                    let server = server.clone();
                    async move { server.stop_accepting() }
                });
                drop(client);
                server.wait_closed().await;
                closing.await.unwrap();
                assert_eq!(server.clients(), 0);
            }
        });
    });
}

// AT-SV-03
#[test]
fn clients_that_are_closed_may_clean_up_and_new_ones_are_refused() {
    within_limit(|| {
        weftline::run(async {
            let handler = |stream: TcpStream| async move {
                let bye = async {
                    yield_now().await;
                    stream.write_all(b"bye").await.unwrap();
                };
                stream.write_all(b"hello, ").await?;
                finally(stream.read(&mut [0; 1]), bye).await.map(drop)
            };
            let server = serve("127.0.0.1:0", handler).await.unwrap();
            let address = address(&server);
            let clients = [connect(&server).await, connect(&server).await];
            for client in &clients {
                client.read_exact(&mut [0; 7]).await.unwrap();
            }
            server.stop_accepting();
            let error = TcpStream::connect(address).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            server.close_clients();
            server.wait_closed().await;
            for client in clients {
                let mut all = Vec::new();
                client.read_to_end(&mut all).await.unwrap();
                assert_eq!(all, b"bye");
            }
        });
    });
}

// AT-SV-03
#[test]
fn clients_that_are_aborted_end_although_nobody_reads_what_they_write() {
    within_limit(|| {
        weftline::run(async {
            let written = Arc::new(AtomicUsize::new(0));
            let handler = {
                let written = written.clone();
                move |stream: TcpStream| uncancellable(write_on(stream, written.clone()))
            };
            let server = serve("127.0.0.1:0", handler).await.unwrap();
            let client = connect(&server).await;
            // Full buffers in both directions.
            loop {
                let before = written.load(Ordering::Relaxed);
                while client.try_write(&[0; 4096]).is_ok() {}
                sleep(20 * MS).await;
                if before > 0 && before == written.load(Ordering::Relaxed) {
                    break;
                }
            }
            server.stop_accepting();
            server.close_clients();
            assert!(timeout(5 * MS, server.wait_closed()).await.is_err(), "it keeps requests off");
            server.abort_clients();
            server.wait_closed().await;
            assert!(client.read_to_end(&mut Vec::new()).await.is_err(), "a reset");
        });
    });
}

/// Writes for as long as the client lives, and counts the bytes.
async fn write_on(stream: TcpStream, written: Arc<AtomicUsize>) -> io::Result<()> {
    let mut writer = BufWriter::new(stream);
    loop {
        writer.write_all(&[0; 4096]).await?;
        written.fetch_add(4096, Ordering::Relaxed);
    }
}

// AT-SV-05
#[test]
fn an_address_in_use_is_named() {
    weftline::run(async {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = serve(address, echo).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    });
}

#[test]
fn it_listens_at_every_address() {
    weftline::run(async {
        let both = [SocketAddr::from(([127, 0, 0, 1], 0)), SocketAddr::from(([127, 0, 0, 1], 0))];
        let server = serve(both, echo).await.unwrap();
        assert_eq!(server.local_addrs().len(), 2);
        for address in server.local_addrs() {
            is_echoed(&TcpStream::connect(address).await.unwrap()).await;
        }
    });
}

// AT-SV-09
#[test]
fn it_listens_at_one_port_of_both_families() {
    within_limit(|| {
        weftline::run(async {
            let all = |family: IpAddr, port| SocketAddr::from((family, port));
            let (v4, v6) = (Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into());
            // The port is chosen by the system, and may be somebody else's when it is asked for again.
            let server = loop {
                let port = match TcpListener::bind(all(v6, 0)).await {
                    Ok(listener) => listener.local_addr().unwrap().port(),
                    Err(error) => return println!("passed over: there is no IPv6 here: {error}"),
                };
                let twice = [all(v4, port), all(v6, port), all(v4, port)];
                match serve(twice, echo).await {
                    Err(error) if error.kind() == ErrorKind::AddrInUse => yield_now().await,
                    server => break server.unwrap(),
                }
            };
            assert_eq!(server.local_addrs().len(), 2);
            let port = address(&server).port();
            for client in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
                let client: IpAddr = client;
                is_echoed(&TcpStream::connect((client, port)).await.unwrap()).await;
            }
        });
    });
}

// AT-SV-09
#[test]
fn a_server_serves_at_a_listener_that_is_there_already() {
    within_limit(|| {
        weftline::run(async {
            let theirs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = theirs.local_addr().unwrap();
            // It has waited since before the server was there.
            let early = std::net::TcpStream::connect(address).unwrap();
            let ours = TcpListener::from_std(theirs).unwrap();
            let server = serve_on(ours, echo).paused().await.unwrap();
            assert_eq!(server.local_addrs(), [address]);
            assert!(!server.is_serving());
            server.start_serving();
            is_echoed(&TcpStream::from_std(early).unwrap()).await;
            is_echoed(&connect(&server).await).await;
            assert_eq!(server.graceful_shutdown(LONG).await, 0);
            assert!(TcpStream::connect(address).await.is_err());
        });
    });
}

// AT-SV-07
#[test]
fn a_handler_that_fails_or_panics_is_reported_and_touches_nobody() {
    within_limit(|| {
        let (runtime, reports) = reporting_runtime(2);
        let line = runtime.block_on(async {
            let handler = |stream: TcpStream| async move {
                let mut kind = [0; 1];
                stream.read_exact(&mut kind).await.unwrap();
                match &kind {
                    b"f" => Err("it failed"),
                    b"p" => panic_on_purpose("a handler"),
                    _ => echo(stream).await.map_err(|_| "no echo"),
                }
            };
            let serves = (serve("127.0.0.1:0", handler), line!());
            let server = serves.0.await.unwrap();
            let steady = connect(&server).await;
            steady.write_all(b"e").await.unwrap();
            is_echoed(&steady).await;
            for kind in [b"f", b"p"] {
                let client = connect(&server).await;
                client.write_all(kind).await.unwrap();
                assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
            }
            is_echoed(&steady).await;
            let another = connect(&server).await;
            another.write_all(b"e").await.unwrap();
            is_echoed(&another).await;
            serves.1
        });
        eventually("both are reported", || reports.all().len() == 2);
        let reports = reports.all();
        assert!(
            reports.iter().any(|r| r.kind == UnhandledKind::TaskFailed && r.message == "it failed")
        );
        assert!(reports.iter().any(|r| r.kind == UnhandledKind::TaskPanicked));
        for report in reports {
            let name = report.name.expect("named after its client");
            assert!(name.starts_with("client 127.0.0.1:"), "{name}");
            assert_eq!(report.line, Some(line), "where the server was asked for");
        }
    });
}

#[test]
fn a_handler_that_panics_when_it_is_called_ends_its_connection_alone() {
    within_limit(|| {
        let (runtime, reports) = reporting_runtime(2);
        runtime.block_on(async {
            let calls = AtomicUsize::new(0);
            let handler = move |stream: TcpStream| {
                if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                    panic_on_purpose("a call");
                }
                echo(stream)
            };
            let server = serve("127.0.0.1:0", handler).await.unwrap();
            assert_eq!(connect(&server).await.read(&mut [0; 1]).await.unwrap(), 0);
            is_echoed(&connect(&server).await).await;
        });
        eventually("it is reported", || reports.all().len() == 1);
    });
}

// AT-SV-07
#[test]
fn a_handler_that_was_cancelled_is_not_reported() {
    within_limit(|| {
        let (runtime, reports) = reporting_runtime(2);
        runtime.block_on(async {
            let handler = |stream: TcpStream| async move {
                let mut who = [0; 1];
                stream.read_exact(&mut who).await?;
                if &who == b"i" {
                    weftline::task::current().expect("it is a task").cancel();
                }
                wait(stream).await
            };
            let server = serve("127.0.0.1:0", handler).await.unwrap();
            let [by_itself, by_the_server] = [connect(&server).await, connect(&server).await];
            by_itself.write_all(b"i").await.unwrap();
            assert_eq!(by_itself.read(&mut [0; 1]).await.unwrap(), 0);
            by_the_server.write_all(b"s").await.unwrap();
            until_served(&server, 1).await;
            server.stop_accepting();
            server.close_clients();
            server.wait_closed().await;
        });
        drop(runtime);
        assert!(reports.all().is_empty(), "{:?}", reports.all());
    });
}

#[test]
fn a_client_that_sends_one_byte_a_second_holds_up_nobody() {
    within_limit(|| {
        weftline::run(async {
            let server = serve("127.0.0.1:0", echo).await.unwrap();
            let slow: Vec<_> = [connect(&server).await, connect(&server).await]
                .into_iter()
                .map(|stream| {
                    weftline::spawn(async move {
                        loop {
                            stream.write_all(b"x").await.unwrap();
                            sleep(Duration::from_secs(1)).await;
                        }
                    })
                })
                .collect();
            for _ in 0..500 {
                is_echoed(&connect(&server).await).await;
            }
            for task in slow {
                assert!(task.cancel(), "it goes on");
            }
        });
    });
}

#[test]
fn a_shutdown_ends_within_its_grace_and_says_whom_it_aborted() {
    const GRACE: Duration = Duration::from_millis(200);
    within_limit(|| {
        weftline::run(async {
            let server = serve("127.0.0.1:0", wait).await.unwrap();
            let client = connect(&server).await;
            until_served(&server, 1).await;
            assert_eq!(server.graceful_shutdown(LONG).await, 0, "who waits ends at once");
            drop(client);

            let calls = AtomicUsize::new(0);
            let handler = move |stream: TcpStream| {
                let is_stubborn = calls.fetch_add(1, Ordering::Relaxed) < 2;
                async move {
                    stream.write_all(b"hello").await?;
                    match is_stubborn {
                        true => uncancellable(wait(stream)).await,
                        false => wait(stream).await,
                    }
                }
            };
            let server = serve("127.0.0.1:0", handler).await.unwrap();
            let mut clients = Vec::new();
            for _ in 0..5 {
                let client = connect(&server).await;
                client.read_exact(&mut [0; 5]).await.unwrap();
                client.write_all(b"x").await.unwrap();
                clients.push(client);
            }
            let began = Instant::now();
            assert_eq!(server.graceful_shutdown(GRACE).await, 2);
            assert!(began.elapsed() >= GRACE);
            assert!(began.elapsed() < LONG / 2);
            assert_eq!(server.clients(), 0);
            for client in clients {
                // With what it sent read or not: the end, or a reset.
                assert_eq!(client.read(&mut [0; 1]).await.unwrap_or(0), 0);
            }
        });
    });
}

#[test]
fn a_handler_that_computes_does_not_hold_up_a_shutdown() {
    within_limit(|| {
        let (hold, held) = holder();
        let hold = Arc::new(std::sync::Mutex::new(Some(hold)));
        weftline::Runtime::builder().workers(2).build().unwrap().block_on(async {
            let handler = move |_stream: TcpStream| {
                let hold = hold.lock().unwrap().take().expect("one client");
                async move {
                    hold();
                    io::Result::Ok(())
                }
            };
            let server = serve("127.0.0.1:0", handler).await.unwrap();
            let _client = connect(&server).await;
            held.wait();
            assert_eq!(server.graceful_shutdown(20 * MS).await, 1);
            assert_eq!(server.clients(), 1, "it was not waited for");
            held.release();
            server.wait_closed().await;
        });
    });
}

#[test]
fn a_server_that_is_dropped_refuses_and_asks_its_handlers_to_end() {
    within_limit(|| {
        weftline::run(async {
            let server = serve("127.0.0.1:0", wait).await.unwrap();
            let address = address(&server);
            let client = connect(&server).await;
            until_served(&server, 1).await;
            drop(server);
            assert!(TcpStream::connect(address).await.is_err());
            assert_eq!(client.read(&mut [0; 1]).await.unwrap_or(0), 0);
        });
    });
}

#[test]
fn a_server_ends_with_its_runtime() {
    within_limit(|| {
        let runtime = runtime();
        let (server, client) = runtime.block_on(async {
            let server = serve("127.0.0.1:0", wait).await.unwrap();
            let client = std::net::TcpStream::connect(address(&server)).unwrap();
            until_served(&server, 1).await;
            (server, client)
        });
        let address = address(&server);
        drop(runtime);
        assert!(!server.is_serving() && server.clients() == 0);
        assert!(std::net::TcpStream::connect(address).is_err());
        weftline::run(server.wait_closed());
        drop(client);
    });
}

#[test]
fn a_slow_reader_holds_a_handler_at_its_mark() {
    const MARK: usize = 32 * 1024;
    within_limit(|| {
        weftline::run(async {
            let most = Arc::new(AtomicUsize::new(0));
            let handler = {
                let most = most.clone();
                move |stream: TcpStream| {
                    let most = most.clone();
                    async move {
                        let mut writer = BufWriter::with_capacity(MARK, stream);
                        for _ in 0..40_000 {
                            writer.write_all(&[b'x'; 1000]).await?;
                            most.fetch_max(writer.buffer().len(), Ordering::Relaxed);
                        }
                        writer.close().await
                    }
                }
            };
            let server = serve("127.0.0.1:0", handler).await.unwrap();
            let client = connect(&server).await;
            let mut received = 0;
            let mut buf = vec![0; 100_000];
            loop {
                match client.read(&mut buf).await.unwrap() {
                    0 => break,
                    count => received += count,
                }
            }
            assert_eq!(received, 40_000_000);
            assert!(most.load(Ordering::Relaxed) <= MARK);
        });
    });
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_learning_that_a_server_is_gone() {
    struct Counts(AtomicUsize);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    within_limit(|| {
        runtime().block_on(async {
            let server = serve("127.0.0.1:0", echo).await.unwrap();
            let (mut first, mut second) = (pin!(server.wait_closed()), pin!(server.wait_closed()));
            let calls = Arc::new(Counts(AtomicUsize::new(0)));
            let (panics, counts) = (panicking_waker(), Waker::from(calls.clone()));
            assert!(first.as_mut().poll(&mut Context::from_waker(&panics)).is_pending());
            assert!(second.as_mut().poll(&mut Context::from_waker(&counts)).is_pending());
            server.stop_accepting();
            assert_eq!(calls.0.load(Ordering::SeqCst), 1);
        });
    });
}
