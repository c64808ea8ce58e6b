//! The client's side: `benches load-echo` sends short messages at a fixed rate and prints how late
//! each answer came.
//!
//! The rate is kept whatever the server does, and an answer's time counts from the moment at which
//! its request was *to be* sent, so that a server that stands still is charged for all the requests
//! it kept from being sent in time. One thread sends; each connection has one more that waits for
//! answers, so nothing that is sent waits for anything that comes.
//!
//! Where the system allows it, the process runs at real-time priority: then what it measures is the
//! server's wait for a processor, not its own.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// What a client is told.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Load {
    /// The port to connect to.
    #[arg(long)]
    pub port: u16,
    /// Connections, which take turns.
    #[arg(long)]
    pub connections: usize,
    /// Requests per second on all of them.
    #[arg(long)]
    pub rate: u32,
    /// Requests that are sent before those of the record.
    #[arg(long)]
    pub warm_up: u32,
    /// Requests of the record.
    #[arg(long)]
    pub requests: u32,
}

/// Said when the first request of the record is due.
const BEGUN: &str = "begun";
/// Said when the last request has been sent. Latencies follow once all are answered.
const SENT: &str = "sent";
/// Bytes of a request: its number.
const REQUEST: usize = 4;

/// Loads a server and prints the latencies in nanoseconds, one per line.
///
/// # Errors
///
/// If a connection fails or ends before all its requests are answered.
pub fn run(load: &Load) -> io::Result<()> {
    let latencies = latencies(load)?;
    let lines: String = latencies.iter().map(|time| format!("{}\n", time.as_nanos())).collect();
    io::stdout().write_all(lines.as_bytes())
}

/// Loads a server; gives the latencies of the record.
fn latencies(load: &Load) -> io::Result<Vec<Duration>> {
    let connect = |_| {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, load.port))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    let streams: Vec<_> = (0..load.connections).map(connect).collect::<io::Result<_>>()?;
    let period = Duration::from_secs(1) / load.rate;
    let start = Instant::now() + period;
    let latencies = thread::scope(|scope| {
        let receive = |stream| scope.spawn(move || answers(stream, start, period));
        let receivers: Vec<_> = streams.iter().map(receive).collect();
        send(load, &streams, start, period)?;
        let mut latencies = Vec::new();
        for receiver in receivers {
            latencies.extend(receiver.join().expect("a receiver does not panic")?);
        }
        io::Result::Ok(latencies)
    })?;
    let all = (load.warm_up + load.requests) as usize;
    if latencies.len() != all {
        return Err(io::Error::other(format!("{} of {all} answers", latencies.len())));
    }
    let recorded = latencies.into_iter().filter(|(number, _)| *number >= load.warm_up);
    Ok(recorded.map(|(_, latency)| latency).collect())
}

/// Sends every request when it is due, or at once if it is overdue.
fn send(load: &Load, streams: &[TcpStream], start: Instant, period: Duration) -> io::Result<()> {
    for (number, mut stream) in (0..load.warm_up + load.requests).zip(streams.iter().cycle()) {
        if number == load.warm_up {
            println!("{BEGUN}");
        }
        thread::sleep((start + period * number).saturating_duration_since(Instant::now()));
        stream.write_all(&number.to_le_bytes())?;
    }
    println!("{SENT}");
    streams.iter().try_for_each(|stream| stream.shutdown(Shutdown::Write))
}

/// The number and the latency of each request that was answered on this connection.
fn answers(
    mut stream: &TcpStream,
    start: Instant,
    period: Duration,
) -> io::Result<Vec<(u32, Duration)>> {
    let mut latencies = Vec::new();
    let mut answer = [0; REQUEST];
    loop {
        match stream.read_exact(&mut answer) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(latencies),
            Err(error) => return Err(error),
        }
        let number = u32::from_le_bytes(answer);
        latencies.push((number, (start + period * number).elapsed()));
    }
}

/// A client, as the server's process sees it. Killed when dropped.
pub struct Client {
    /// The process.
    process: Child,
    /// What it says.
    output: BufReader<ChildStdout>,
}

impl Client {
    /// Starts a client in a process of its own.
    ///
    /// # Errors
    ///
    /// If the process cannot be started.
    pub fn start(load: &Load) -> io::Result<Client> {
        let program = std::env::current_exe()?;
        let mut command = if has_priority() {
            let mut command = Command::new("chrt");
            command.args(["--fifo", "1"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.arg("load-echo");
        for (option, value) in [
            ("--port", load.port.to_string()),
            ("--connections", load.connections.to_string()),
            ("--rate", load.rate.to_string()),
            ("--warm-up", load.warm_up.to_string()),
            ("--requests", load.requests.to_string()),
        ] {
            command.args([option, &value]);
        }
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().expect("the output is a pipe");
        Ok(Client { process, output: BufReader::new(output) })
    }

    /// Waits until the first request of the record is due.
    ///
    /// # Errors
    ///
    /// If the client fails.
    pub fn wait_until_begun(&mut self) -> io::Result<()> {
        self.expect(BEGUN)
    }

    /// Waits until all requests are sent.
    ///
    /// # Errors
    ///
    /// If the client fails.
    pub fn wait_until_sent(&mut self) -> io::Result<()> {
        self.expect(SENT)
    }

    /// The latencies of the record, once all requests are answered.
    ///
    /// # Errors
    ///
    /// If the client fails.
    pub fn latencies(mut self) -> io::Result<Vec<Duration>> {
        let parse = |line: io::Result<String>| {
            line?.parse().map(Duration::from_nanos).map_err(io::Error::other)
        };
        let latencies = self.output.by_ref().lines().map(parse).collect::<io::Result<_>>()?;
        let status = self.process.wait()?;
        if status.success() { Ok(latencies) } else { Err(io::Error::other("the client failed")) }
    }

    fn expect(&mut self, word: &str) -> io::Result<()> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.trim() == word {
            Ok(())
        } else {
            Err(io::Error::other(format!("the client said {line:?} instead of {word:?}")))
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A process that has ended by itself cannot be killed and need not be.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Whether a process may be started at real-time priority, with the program that does so.
pub fn has_priority() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let mut attempt = Command::new("chrt");
        attempt.args(["--fifo", "1", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
        attempt.status().is_ok_and(|status| status.success())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server with a thread for each connection, which begins to answer after so long.
    fn server(connections: usize, stall: Duration) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().take(connections) {
                let stream = stream.unwrap();
                thread::spawn(move || {
                    thread::sleep(stall);
                    io::copy(&mut &stream, &mut &stream)
                });
            }
        });
        port
    }

    #[test]
    fn every_request_of_the_record_has_a_latency() {
        let port = server(3, Duration::ZERO);
        let load = Load { port, connections: 3, rate: 10_000, warm_up: 7, requests: 50 };
        assert_eq!(latencies(&load).unwrap().len(), 50);
    }

    #[test]
    fn a_server_that_stands_still_is_charged_for_every_request() {
        let stall = Duration::from_secs(2);
        let port = server(1, stall);
        let load = Load { port, connections: 1, rate: 1000, warm_up: 0, requests: 100 };
        let latencies = latencies(&load).unwrap();
        // The last request is due a tenth of a second after the first.
        assert!(latencies.iter().all(|latency| *latency >= stall / 2));
    }
}
