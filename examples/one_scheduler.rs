//! A service that answers in time while all processors crunch: one scheduler for both.
//!
//! A TCP service sends back what it is sent. Meanwhile tasks of the same runtime do nothing, then *fork-join*
//! work, then *loops* of some 25 ms, then *sleeps*: `std::thread::sleep`, which no task should call. A
//! client in a process of its own sends requests at a fixed rate and tells how long each answer took.
//!
//! ```text
//! cargo run --release --bin one_scheduler
//! cargo run --release --bin one_scheduler -- --work loops,sleeps
//! cargo run --release --bin one_scheduler -- --peer both --svg latencies.svg
//! ```
//!
//! What it shows: a [`group`](weftline::group()) of connections and of tasks that crunch,
//! [`compute`](weftline::compute) with [`par`](weftline::par), and that tasks which compute or block hold
//! nobody up. `--peer` does the same with tokio and rayon.
//!
//! `one_scheduler/ours.rs` is where to read next: the service. `one_scheduler/peer.rs` is its twin on
//! tokio and rayon, `one_scheduler/client.rs` sends and measures, `one_scheduler/table.rs` and
//! `one_scheduler/picture.rs` show what came out.

mod one_scheduler {
    pub mod client;
    pub mod options;
    pub mod ours;
    pub mod peer;
    pub mod picture;
    pub mod table;
    pub mod work;
}

use clap::Parser;
use one_scheduler::client::{self, Client};
use one_scheduler::options::{Options, Role, Server};
use one_scheduler::picture::{self, Curve};
use one_scheduler::table::{Figures, Table};
use one_scheduler::work::{Site, Tally, Work};
use one_scheduler::{ours, peer};
use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use std::{fs, thread};

/// What can go wrong, in any part.
type Problem = Box<dyn Error + Send + Sync>;

/// How many tasks crunch, for each worker.
const TASKS_PER_WORKER: usize = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.role {
        Some(Role::Client(load)) => client::run(load),
        None => show(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "one_scheduler: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Goes through all kinds of work, and draws what came out.
fn show(options: &Options) -> Result<(), Problem> {
    let conditions = options.conditions();
    println!("{conditions}");
    let mut table = Table::begin();
    let mut curves = Vec::new();
    for work in options.work() {
        for &server in options.servers() {
            let figures = measure(options, server, work, &mut table)?;
            curves.push(Curve { server: server.name(), work, figures });
        }
    }
    let path = options.svg();
    let written = fs::write(&path, picture::svg(&conditions, curves));
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    println!("The picture is in {}", path.display());
    Ok(())
}

/// One server under one kind of work, from its start to its end.
fn measure(
    options: &Options,
    server: Server,
    work: Work,
    table: &mut Table,
) -> Result<Figures, Problem> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let load = options.load(listener.local_addr()?.port());
    let tally = Arc::new(Tally::default());
    let site = Site {
        listener,
        connections: load.connections,
        workers: options.workers(),
        work,
        tasks: TASKS_PER_WORKER * options.workers(),
        tally: tally.clone(),
    };
    let offloads = options.spawn_blocking;
    let serving = thread::spawn(move || match server {
        Server::Weftline => ours::serve(site),
        Server::TokioRayon => peer::serve(site, offloads),
    });

    let mut client = Client::start(&load)?;
    let mut figures = Figures::new(work.name(), server.name());
    client.wait_until_warm()?;
    let begun = (Instant::now(), tally.jobs());
    while let Some(latencies) = client.next_latencies()? {
        if work != Work::Nothing && !client.has_sent_all() {
            let jobs = (tally.jobs() - begun.1) as f64;
            figures.jobs_per_s = Some(jobs / begun.0.elapsed().as_secs_f64());
        }
        figures.add(latencies);
        table.redraw(&mut figures);
        if client.has_sent_all() {
            tally.end();
        }
    }
    client.finish()?;
    serving.join().map_err(|_| "the server panicked")??;
    table.end_row(&mut figures);
    Ok(figures)
}
