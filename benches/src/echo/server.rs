//! The server's side, and how a sample goes: connections are accepted, each gets a task that sends
//! back what comes, other tasks toil, and the client measures.
//!
//! The thread that takes the sample is none of the peer's and only waits for the client.

use std::{
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    client::{Client, Load},
    toil::Tally,
};
use crate::{
    peers::{AsyncPeer, EchoPeer},
    suite::{Metric, Setup},
};

/// Requests per second.
const RATE: u32 = 2000;
/// Requests of a sample: four seconds.
const REQUESTS: usize = 8000;
/// Requests before them: half a second.
const WARM_UP: u32 = 1000;
/// Connections.
const CONNECTIONS: usize = 4;
/// The largest message.
const MESSAGE: usize = 1024;

/// The figures of a sample.
pub const METRICS: [Metric; 4] = [
    Metric { suffix: "/p50", unit: "µs" },
    Metric { suffix: "/p99", unit: "µs" },
    Metric { suffix: "/p99.9", unit: "µs" },
    Metric { suffix: "/jobs", unit: "jobs/s" },
];

/// The output of one task, awaited at the end.
type Ended<P> = <P as AsyncPeer>::Join<()>;

/// Takes a sample: the peer answers requests while the tasks that `toil` spawns, given the count
/// that they share, keep its workers busy.
///
/// # Panics
///
/// If a request is not answered, or the client cannot be had.
pub fn sample<P: EchoPeer>(
    peer: &P,
    setup: &Setup,
    toil: impl FnOnce(&Arc<Tally>) -> Vec<Ended<P>>,
) -> Vec<f64> {
    measured(peer, setup, toil).unwrap_or_else(|error| panic!("{}: {error}", P::NAME))
}

fn measured<P: EchoPeer>(
    peer: &P,
    setup: &Setup,
    toil: impl FnOnce(&Arc<Tally>) -> Vec<Ended<P>>,
) -> io::Result<Vec<f64>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let load = Load {
        port: listener.local_addr()?.port(),
        connections: CONNECTIONS,
        rate: RATE,
        warm_up: WARM_UP,
        requests: u32::try_from(setup.count(REQUESTS)).unwrap_or(u32::MAX),
    };
    let tally = Arc::new(Tally::default());
    let mut client = Client::start(&load)?;
    let remote = peer.remote();
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (stream, _) = listener.accept()?;
        tasks.push(P::spawn_remote(&remote, echo::<P>(stream)));
    }
    tasks.extend(toil(&tally));

    client.wait_until_begun()?;
    let (begun, jobs_before) = (Instant::now(), tally.jobs());
    client.wait_until_sent()?;
    let jobs = (tally.jobs() - jobs_before) as f64 / begun.elapsed().as_secs_f64();
    tally.end();
    let mut latencies = client.latencies()?;
    for task in tasks {
        peer.block_on(task);
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        let place = (latencies.len() as f64 * share) as usize;
        micros(latencies[place.min(latencies.len() - 1)])
    };
    Ok(vec![at(0.5), at(0.99), at(0.999), jobs])
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Sends back what comes, until the client closes.
async fn echo<P: EchoPeer>(stream: TcpStream) {
    let echoed = async {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut socket = P::adopt(stream)?;
        let mut buffer = [0; MESSAGE];
        loop {
            match P::read(&mut socket, &mut buffer).await? {
                0 => return io::Result::Ok(()),
                length => P::write_all(&mut socket, &buffer[..length]).await?,
            }
        }
    };
    echoed.await.expect("the connection lasts");
}
