//! A proxy for protocols of lines: clients speak TLS with it, and it speaks with a server in plain text,
//! or by TLS as well.
//!
//! With `--starttls` a client begins in plain text, and goes over to TLS on the same connection by a line
//! that says `STARTTLS`. Nothing of what it says before that is passed on. The answers are those of IRC, so
//! that `openssl s_client -starttls irc` knows them.
//!
//! A line that is too long ends its connection, as do a server that is not there and a handshake
//! that fails; each is told of on standard error, and touches nobody else. Ctrl-C, or a request
//! to terminate, lets each client end the line that is being passed on, says goodbye, and cuts off who has not
//! taken that after a while.
//!
//! What it shows: [TLS](weftline::tls) on streams of any kind, on live ones too;
//! [`split`](weftline::io::split()) for two directions at once, and a [`group`](weftline::group()) that ends
//! with the first of them that fails; a [`Server`](weftline::net::Server) that ends in time.
//!
//! ```text
//! cargo run --bin tls_proxy -- --demo
//! openssl s_client -connect 127.0.0.1:PORT -CAfile crates/weftline/tests/localhost.pem
//! ```
//!
//! It ends with
//!
//! | code | when |
//! |---|---|
//! | 0 | it was asked to end, and every client has |
//! | 1 | it could not listen, or clients had to be cut off |
//! | 2 | the command line is wrong, or a file of it |
//!
//! `tls_proxy/client.rs` is where to read next: the life of one connection.

mod tls_proxy {
    pub mod client;
    pub mod demo;
    pub mod options;
}

use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;
use tls_proxy::client::Proxy;
use tls_proxy::demo;
use tls_proxy::options::Options;
use weftline::catch_cancel;
use weftline::net::{TcpStream, serve};

/// The exit code of a wrong command line, as that of clap.
const WRONG_USE: u8 = 2;

/// Serves until the program is asked to end; says how many clients had to be cut off.
async fn run(options: &Options, proxy: Proxy) -> std::io::Result<usize> {
    let proxy = Arc::new(proxy);
    let upstream = proxy.upstream().to_owned();
    let handler = move |stream: TcpStream| {
        let proxy = proxy.clone();
        async move {
            let address = stream.peer_addr().map_or("a client".into(), |from| from.to_string());
            // Told of here, since it is known here who it was.
            if let Err(error) = proxy.serve(stream).await {
                eprintln!("tls_proxy: {address}: {error}");
            }
            Ok::<_, String>(())
        }
    };
    let server = serve(options.listen(), handler).await?;
    for address in server.local_addrs() {
        println!("tls_proxy: listening at {address}, for {upstream}");
    }
    if options.is_demo() {
        demo::explain(server.local_addrs()[0], options.is_starttls());
    }
    // It never ends by itself: what comes is a request to end.
    let _ = catch_cancel(server.wait_closed()).await;
    Ok(server.graceful_shutdown(options.grace()).await)
}

#[weftline::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let refuse = |code, why: &dyn std::fmt::Display| {
        eprintln!("tls_proxy: {why}");
        ExitCode::from(code)
    };
    let mut upstream = None;
    if options.is_demo() {
        match demo::shouting_server().await {
            Ok(server) => upstream = Some(server),
            Err(error) => return refuse(1, &error),
        }
    }
    let own = upstream.as_ref().map(|server| server.local_addrs()[0].to_string());
    let proxy = match Proxy::new(&options, own) {
        Ok(proxy) => proxy,
        Err(error) => return refuse(WRONG_USE, &error),
    };
    match run(&options, proxy).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(cut_off) => refuse(1, &format!("{cut_off} connections were cut off")),
        Err(error) => refuse(1, &error),
    }
}
