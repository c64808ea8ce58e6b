//! The benchmark program: runs the workloads on Weftline and its peers and shows them side by side.
//!
//! `cargo run --release -p benches` measures everything; `-- --help` lists the choices.
//! `docs/benchmarks.md` tells the method. Begin reading at `suite.rs`, then `peers/mod.rs`, then
//! any file of `workloads/`.

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

mod echo;
mod http;
mod line;
mod machine;
mod peers;
mod record;
#[cfg_attr(target_os = "linux", expect(unsafe_code, reason = "a system call filter is installed"))]
mod slices;
mod suite;
mod workloads;

use record::Row;
use suite::{Series, Setup, Workload};

/// Measures Weftline beside other runtimes.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Something else than measuring.
    #[command(subcommand)]
    command: Option<Command>,
    /// Workloads to run, by number or name; all by default.
    #[arg(long, value_name = "W", value_delimiter = ',')]
    only: Vec<String>,
    /// Peers to run; all by default.
    #[arg(long, value_name = "P", value_delimiter = ',')]
    peer: Vec<String>,
    /// Samples per workload and peer.
    #[arg(long, default_value_t = 7, value_parser = at_least_one)]
    samples: usize,
    /// Factor on the size of each workload.
    #[arg(long, default_value_t = 1.0, value_parser = more_than_none)]
    scale: f64,
    /// Worker threads of each peer.
    #[arg(long, default_value_t = 2, value_parser = at_least_one)]
    workers: usize,
    /// Has the kernel refuse short slices of the processor, which Weftline asks for.
    #[arg(long)]
    without_slices: bool,
    /// Writes one object per workload and peer to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes every single sample, with the machine's description, to this file.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Lists workloads and peers and measures nothing.
    #[arg(long)]
    list: bool,
}

/// Something else than measuring.
#[derive(Debug, Subcommand)]
enum Command {
    /// Turns a record written by --json into a Markdown table.
    Render {
        /// The record.
        file: PathBuf,
    },
    /// Sends requests to an echo workload's server and prints how late the answers were.
    LoadEcho(echo::client::Load),
    /// Serves the HTTP workload until killed; prints its port.
    ServeHttp {
        /// The peer to serve on.
        #[arg(long)]
        peer: String,
        /// The port to listen on, 0 for any.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Worker threads.
        #[arg(long, default_value_t = 2, value_parser = at_least_one)]
        workers: usize,
    },
}

/// Reads a count.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a factor.
fn more_than_none(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        Ok(_) => Err("must be more than 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the command line asks for.
fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    match &arguments.command {
        Some(Command::Render { file }) => print!("{}", record::markdown(&record::read_json(file)?)),
        Some(Command::LoadEcho(load)) => echo::client::run(load)?,
        Some(Command::ServeHttp { peer, port, workers }) => {
            match http::serve::serve(peer, *port, *workers)? {}
        }
        None if arguments.list => list(&workloads::all()),
        None => measure(arguments)?,
    }
    Ok(())
}

/// Prints what there is to measure.
fn list(workloads: &[Workload]) {
    for workload in workloads {
        let mut peers: Vec<_> = workload.peers().collect();
        let mut seen = Vec::new();
        peers.retain(|peer| {
            !seen.contains(peer) && {
                seen.push(*peer);
                true
            }
        });
        println!("{:>2} {:<20} {}", workload.number, workload.name, peers.join(", "));
    }
}

/// The workloads that the command line names.
fn chosen(arguments: &Arguments) -> Result<Vec<Workload>, String> {
    let all = workloads::all();
    let named = |word: &String| all.iter().any(|workload| workload.is_meant_by(word));
    if let Some(unknown) = arguments.only.iter().find(|word| !named(word)) {
        return Err(format!("no workload {unknown}; --list shows all"));
    }
    let has_peer =
        |peer: &String| all.iter().any(|workload| workload.peers().any(|name| name == peer));
    if let Some(unknown) = arguments.peer.iter().find(|peer| !has_peer(peer)) {
        return Err(format!("no peer {unknown}; --list shows all"));
    }
    let is_wanted = |workload: &Workload| {
        arguments.only.is_empty() || arguments.only.iter().any(|word| workload.is_meant_by(word))
    };
    Ok(all.into_iter().filter(is_wanted).collect())
}

/// Measures and reports.
fn measure(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (workloads, skipped): (Vec<_>, Vec<_>) =
        chosen(arguments)?.into_iter().partition(|workload| workload.skipped.is_none());
    if arguments.without_slices {
        slices::refuse()?;
    }
    let setup = Setup { workers: arguments.workers, scale: arguments.scale };
    let mut header = machine::header(&setup, arguments.samples);
    if arguments.without_slices {
        header.push("slices: refused".to_owned());
    }
    for line in &header {
        println!("{line}");
    }
    for workload in skipped {
        println!("skipped: {}: {}", workload.name, workload.skipped.unwrap_or_default());
    }
    println!("\n{}", record::heading());
    let mut all: Vec<Series> = Vec::new();
    let takes_part =
        |peer: &str| arguments.peer.is_empty() || arguments.peer.iter().any(|name| name == peer);
    suite::measure(&workloads, takes_part, arguments.samples, &setup, |bar, series| {
        let rows: Vec<Row> = series.iter().map(Row::of).collect();
        bar.suspend(|| record::lines(&rows).iter().for_each(|line| println!("{line}")));
        all.extend_from_slice(series);
    });
    let rows: Vec<Row> = all.iter().map(Row::of).collect();
    if let Some(path) = &arguments.json {
        record::write_json(path, &rows)?;
    }
    if let Some(path) = &arguments.csv {
        record::write_csv(path, &header, &all)?;
    }
    Ok(())
}
