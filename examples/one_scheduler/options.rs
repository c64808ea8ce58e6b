//! The command line.

use super::client::{self, Load};
use super::work::Work;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Answers requests while all processors crunch, and shows how late the answers are
///
/// The same service is measured while its runtime does nothing else, fork-join work, loops of some
/// 25 ms in plain tasks, and blocking sleeps of 25 ms in plain tasks. Latencies count from the moment
/// at which a request was to be sent. The client is a process of its own, at real-time priority where
/// the system allows that.
#[derive(Debug, Parser)]
#[command(
    name = "one_scheduler",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Example: cargo run --release --bin one_scheduler -- --work loops,sleeps"
)]
pub struct Options {
    /// What this process is started for by another one of this program
    #[command(subcommand)]
    pub role: Option<Role>,

    /// Who serves
    #[arg(long, value_enum, default_value = "weftline")]
    pub peer: Peer,

    /// What runs beside the service, after nothing else has
    #[arg(long, value_enum, value_name = "NAME[,NAME]", value_delimiter = ',',
        default_values_t = [Work::ForkJoin, Work::Loops, Work::Sleeps])]
    pub work: Vec<Work>,

    /// Lets tokio leave loops and sleeps to `spawn_blocking`
    #[arg(long)]
    pub spawn_blocking: bool,

    /// How long each kind of work is measured, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: u32,

    /// Requests per second
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,

    /// Worker threads [default: as many as the process may use processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub workers: Option<u16>,

    /// Measures for a moment only, at 500 requests per second, to see that all is well
    #[arg(long)]
    pub quick: bool,

    /// Where the picture goes [default: `one_scheduler.svg` in the folder for temporary files]
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// Another process of this program.
#[derive(Clone, Debug, Subcommand)]
pub enum Role {
    /// Sends requests.
    #[command(hide = true)]
    Client(Load),
}

/// Who serves, as the command line has it.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Peer {
    /// Weftline alone
    Weftline,
    /// tokio, with rayon for fork-join work
    TokioRayon,
    /// one after the other
    Both,
}

/// Who serves.
#[derive(Clone, Copy, Debug)]
pub enum Server {
    /// `ours.rs`.
    Weftline,
    /// `peer.rs`.
    TokioRayon,
}

impl Server {
    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Server::Weftline => "Weftline",
            Server::TokioRayon => "tokio + rayon",
        }
    }
}

/// Connections to the service.
const CONNECTIONS: usize = 4;
/// What `--quick` measures.
const QUICK: (Duration, u32) = (Duration::from_millis(300), 500);

impl Options {
    /// The servers to be measured.
    pub fn servers(&self) -> &'static [Server] {
        match self.peer {
            Peer::Weftline => &[Server::Weftline],
            Peer::TokioRayon => &[Server::TokioRayon],
            Peer::Both => &[Server::Weftline, Server::TokioRayon],
        }
    }

    /// The kinds of work to be measured, each once, in the order of the table.
    pub fn work(&self) -> Vec<Work> {
        let mut work = [&[Work::Nothing], self.work.as_slice()].concat();
        work.sort();
        work.dedup();
        work
    }

    /// Under which conditions: what stands above the table and in the picture.
    pub fn conditions(&self) -> String {
        format!(
            "{} requests/s for {:?} each, {} workers on {} processors, client at {} priority",
            self.rate(),
            self.time(),
            self.workers(),
            processors(),
            if client::has_priority() { "real-time" } else { "the usual" },
        )
    }

    /// How many worker threads a server has.
    pub fn workers(&self) -> usize {
        self.workers.map_or_else(processors, usize::from)
    }

    /// Requests per second.
    pub fn rate(&self) -> u32 {
        if self.quick { QUICK.1 } else { self.rate }
    }

    /// How long each kind of work is measured.
    fn time(&self) -> Duration {
        if self.quick { QUICK.0 } else { Duration::from_secs(self.seconds.into()) }
    }

    /// What a client of the service at `port` sends.
    pub fn load(&self, port: u16) -> Load {
        let requests = (self.time().as_secs_f64() * f64::from(self.rate())).ceil() as u32;
        Load { port, connections: CONNECTIONS, rate: self.rate(), warm_up: requests / 10, requests }
    }

    /// Where the picture goes.
    pub fn svg(&self) -> PathBuf {
        let default = || std::env::temp_dir().join("one_scheduler.svg");
        self.svg.clone().unwrap_or_else(default)
    }
}

/// How many processors the process may use.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
