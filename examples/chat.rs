//! A chat over TCP: who connects with `nc`, `telnet` or a program of their own sees what the others say.
//!
//! All see the same lines in the same order, those who said them included. Who takes them in too
//! slowly misses some, is told how many, and holds up nobody. Ctrl-C, or a request to terminate, closes the
//! room: everybody is told, and who has not taken that in after a while is cut off.
//!
//! What it shows: [`serve`] with a handler for each client, lines from a [broadcast] to all of them,
//! a limit on the length of lines, and an end in bounded time: the channel's end ends the handlers.
//!
//! ```text
//! cargo run --bin chat                # in one terminal
//! nc 127.0.0.1 7000                   # in some others
//! ```
//!
//! It ends with
//!
//! | code | when |
//! |---|---|
//! | 0 | it was asked to end, and has told everybody |
//! | 1 | the address cannot be listened at |
//! | 2 | the command line is wrong |
//!
//! A second Ctrl-C ends it at once, as it ends programs that do not catch it.
//!
//! `chat/client.rs` is where to read next: the life of one connection. `chat/room.rs` has who is there.
//!
//! [broadcast]: weftline::sync::broadcast

mod chat {
    pub mod client;
    pub mod room;
}

use chat::client::attend;
use chat::room::Room;
use clap::Parser;
use std::future::pending;
use std::io;
use std::num::NonZero;
use std::process::ExitCode;
use std::time::Duration;
use weftline::catch_cancel;
use weftline::net::serve;
use weftline::time::timeout;

const AFTER_HELP: &str = "\
Who is connected says lines to all others, or a command: /nick NAME, /who, /quit.

Example: cargo run --bin chat, and in some other terminals: nc 127.0.0.1 7000

Exit codes: 0 it was asked to end by Ctrl-C or a request to terminate, and has told everybody; 1 the \
address cannot be listened at; 2 the command line is wrong.";

/// A chat over TCP, for nc, telnet and the like
#[derive(Debug, Parser)]
#[command(name = "chat", version, after_help = AFTER_HELP)]
struct Options {
    /// Where to listen: an IP address or the name of a host, and a port; port 0 lets the system choose
    #[arg(default_value = "127.0.0.1:7000")]
    address: String,

    /// How many bytes a line may have
    #[arg(long, value_name = "BYTES", default_value = "1024")]
    line_limit: NonZero<u16>,

    /// How many lines a client may be behind before it misses some
    #[arg(long, value_name = "LINES", default_value = "256")]
    behind: NonZero<u16>,

    /// How many seconds clients have to take the farewell in, before they are cut off
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = parse_seconds)]
    grace: Duration,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Serves until this task is asked to end, and tells everybody then.
async fn run(options: Options) -> io::Result<()> {
    let room = Room::new(options.behind.get().into());
    let limit = options.line_limit.get().into();
    let visited = room.clone();
    let server =
        serve(options.address, move |client| attend(client, visited.clone(), limit)).await?;
    for address in server.local_addrs() {
        println!("listening at {address}");
    }

    // Ctrl-C is a request, which ends this wait and nothing else.
    let _ = catch_cancel(pending::<()>()).await;
    server.stop_accepting();
    room.close("* the server is closing, goodbye");
    if timeout(options.grace, server.wait_closed()).await.is_err() {
        eprintln!("chat: cut off before the farewell was taken in: {}", server.clients());
        server.abort_clients();
        server.wait_closed().await;
    }
    Ok(())
}

#[weftline::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: {error}");
            ExitCode::FAILURE
        }
    }
}
