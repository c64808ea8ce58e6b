//! The server's side: `benches serve-http --peer P` answers every request with the same few bytes,
//! on any peer.
//!
//! The accept loop and each connection are tasks of their own; hyper is set up alike for all. The
//! process prints its port and serves until it is killed.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, TcpListener},
    thread,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    rt::{Read, Write},
    server::conn::http1::Builder,
    service::service_fn,
};

use super::stream::BlockingIo;
use crate::peers::{
    Drivers, HttpPeer, smol::Smol, std::wait_outside, tokio::Tokio, weftline::Weftline,
};

/// The peers that can serve, in the order of the tables. `threads` has one thread per connection
/// and blocks in it.
pub const PEERS: &[&str] = &["weftline", "tokio", "smol", "threads"];

/// Serves on the named peer until the process is killed.
///
/// # Errors
///
/// If no such peer can serve or the port cannot be had.
pub fn serve(peer: &str, port: u16, workers: usize) -> io::Result<Infallible> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    println!("{}", listener.local_addr()?.port());
    match peer {
        "weftline" => on_peer::<Weftline>(listener, workers),
        "tokio" => on_peer::<Tokio>(listener, workers),
        "smol" => on_peer::<Smol>(listener, workers),
        "threads" => on_threads(&listener),
        unknown => Err(io::Error::other(format!(
            "no HTTP server on {unknown}, only on {}",
            PEERS.join(", ")
        ))),
    }
}

/// Serves one connection until the client closes it. A client that goes away is no error here.
async fn connection(stream: impl Read + Write + Unpin) {
    let hello = |_: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"Hello, World!"))))
    };
    // Half closing: hyper does not look for the end of the stream while it answers, where a
    // blocking read would hang.
    let served = Builder::new().half_close(true).serve_connection(stream, service_fn(hello)).await;
    drop(served);
}

/// Accepts and serves on a runtime.
fn on_peer<P: HttpPeer>(listener: TcpListener, workers: usize) -> io::Result<Infallible> {
    let peer = P::start(workers, Drivers::On);
    peer.block_on(async move { P::spawn(accept_all::<P>(listener)).await })
}

/// Spawns a task for each connection.
async fn accept_all<P: HttpPeer>(listener: TcpListener) -> io::Result<Infallible> {
    listener.set_nonblocking(true)?;
    let listener = P::listen(listener)?;
    loop {
        let stream = P::accept(&listener).await?;
        P::spawn_detached(connection(stream));
    }
}

/// Starts a thread for each connection.
fn on_threads(listener: &TcpListener) -> io::Result<Infallible> {
    loop {
        let (stream, _) = listener.accept()?;
        thread::spawn(move || wait_outside(connection(BlockingIo(stream))));
    }
}
