//! 17, `http`: how many small requests does a hyper 1 server answer, and how late are the slowest?
//!
//! `wrk` loads a hello world over 64 connections and over one, for two seconds after one second of
//! warm-up. Every sample has a fresh server in a process of its own, started from this program, so
//! that peers share neither heap nor threads. The workload is skipped where `wrk` is missing.
//!
//! Fair, because client, hyper's settings and the service are the same for all; only the stream's
//! adapter differs (`http/stream.rs`). `wrk` runs on the same processors as the server and takes
//! its share of them, for every peer. `threads` is hyper on blocking sockets with a thread per
//! connection: the work without a runtime. Forte, rayon and chili have no sockets. With more
//! requests per second, more is better, unlike elsewhere.

use crate::{
    http::{
        serve::PEERS,
        wrk::{self, HOW_TO_INSTALL},
    },
    suite::{Case, Metric, Setup, Workload},
};

/// The numbers of connections of the two cases.
const CONNECTIONS: [usize; 2] = [64, 1];

/// The workload with its cases.
pub fn workload() -> Workload {
    let mut workload = Workload::new(17, "http", CONNECTIONS.map(case).into());
    if !wrk::is_installed() {
        workload.skipped = Some(HOW_TO_INSTALL.to_owned());
    }
    workload
}

/// The case with this many connections.
fn case(connections: usize) -> Case {
    let metrics =
        [Metric { suffix: "/requests", unit: "requests/s" }, Metric { suffix: "/p99", unit: "µs" }];
    let case = Case::new(format!("http/{connections}"), metrics);
    PEERS.iter().fold(case, |case, peer| {
        case.entry(peer, move |setup: &Setup| {
            let figures = wrk::load(peer, setup.workers, connections)
                .unwrap_or_else(|error| panic!("{peer}: {error}"));
            vec![figures.requests_per_s, figures.p99_us]
        })
    })
}
