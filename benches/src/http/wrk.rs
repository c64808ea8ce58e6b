//! The client's side: starts a server process, loads it with `wrk` and reads the figures `wrk`
//! prints.

use std::{
    env,
    io::{self, BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// How to get `wrk`, for where it is missing.
pub const HOW_TO_INSTALL: &str = "`wrk` is not found; on Debian and Ubuntu: apt-get install wrk";

/// Seconds of load before a sample.
const WARM_UP_S: u32 = 1;

/// Seconds of load of a sample.
const SAMPLE_S: u32 = 2;

/// What `wrk` says about one load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Requests answered per second.
    pub requests_per_s: f64,
    /// The latency that 99 of 100 requests keep, in microseconds.
    pub p99_us: f64,
}

/// A server process, killed when dropped.
struct Server {
    /// The process.
    process: Child,
    /// The port it listens on.
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that has ended by itself cannot be killed and need not be.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Whether `wrk` can be started.
pub fn is_installed() -> bool {
    Command::new("wrk").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Loads a fresh server on the named peer over `connections` connections.
///
/// # Errors
///
/// If the server or `wrk` cannot be started, or if any request failed.
pub fn load(peer: &str, workers: usize, connections: usize) -> io::Result<Figures> {
    let server = start(peer, workers)?;
    run(server.port, connections, WARM_UP_S)?;
    run(server.port, connections, SAMPLE_S)
}

/// Starts this program as a server and waits for its port.
fn start(peer: &str, workers: usize) -> io::Result<Server> {
    let workers = workers.to_string();
    let mut process = Command::new(env::current_exe()?)
        .args(["serve-http", "--peer", peer, "--port", "0", "--workers", &workers])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = process.stdout.take().expect("the output is a pipe");
    let mut server = Server { process, port: 0 };
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    server.port = line
        .trim()
        .parse()
        .map_err(|_| io::Error::other(format!("the server on {peer} gave no port")))?;
    Ok(server)
}

/// One load of the given length.
fn run(port: u16, connections: usize, seconds: u32) -> io::Result<Figures> {
    let output = Command::new("wrk")
        .args(["--latency", "--threads", "1"])
        .args(["--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s")])
        .arg(format!("http://127.0.0.1:{port}/"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    figures(&text)
        .ok_or_else(|| io::Error::other(format!("wrk did not report a clean run:\n{text}")))
}

/// Reads the figures; none if a request failed or was answered with an error.
fn figures(text: &str) -> Option<Figures> {
    let after =
        |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    if after("Socket errors").is_some() || after("Non-2xx").is_some() {
        return None;
    }
    let figures = Figures {
        requests_per_s: after("Requests/sec:")?.parse().ok()?,
        p99_us: microseconds(after("99%")?)?,
    };
    (figures.requests_per_s > 0.0).then_some(figures)
}

/// A time as `wrk` writes it, such as `1.20ms`.
fn microseconds(text: &str) -> Option<f64> {
    const UNITS: &[(&str, f64)] = &[("us", 1.0), ("ms", 1e3), ("s", 1e6)];
    UNITS
        .iter()
        .find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output of a run, cut to what matters.
    const CLEAN: &str = "  Latency Distribution\n     50%  690.00us\n     99%    1.20ms\n  \
                         133000 requests in 2.00s, 16.00MB read\nRequests/sec:  66345.12\nTransfer/sec:  8.00MB\n";

    #[test]
    fn the_figures_of_a_clean_run_are_read() {
        assert_eq!(figures(CLEAN), Some(Figures { requests_per_s: 66_345.12, p99_us: 1_200.0 }));
    }

    #[test]
    fn a_run_with_failed_requests_gives_no_figures() {
        let failed = format!("{CLEAN}  Socket errors: connect 0, read 3, write 0, timeout 0\n");
        assert_eq!(figures(&failed), None);
        let answered_badly = format!("{CLEAN}  Non-2xx or 3xx responses: 12\n");
        assert_eq!(figures(&answered_badly), None);
    }

    #[test]
    fn every_unit_of_time_is_understood() {
        assert_eq!(microseconds("690.00us"), Some(690.0));
        assert_eq!(microseconds("1.20ms"), Some(1_200.0));
        assert_eq!(microseconds("2.00s"), Some(2e6));
        assert_eq!(microseconds("soon"), None);
    }
}
