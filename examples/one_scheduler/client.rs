//! The client: sends requests at a fixed rate, whatever becomes of them, and tells how long each answer
//! took.
//!
//! A latency counts from the moment at which the request was *to be* sent, so that a server that stands
//! still is charged for all requests that it kept from being sent in time. The client is a process of its own, at
//! real-time priority where the system allows that: then it does not wait for a processor itself.
//!
//! It says `warm` when the first request that counts is due, then latencies in nanoseconds, many in a
//! line, and `sent` when there is nothing more to be sent.

use crate::Problem;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};
use std::{env, thread};

/// What is to be sent.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Load {
    /// Where to.
    pub port: u16,
    /// On how many connections, in turn.
    pub connections: usize,
    /// How many requests per second.
    pub rate: u32,
    /// How many that do not count.
    pub warm_up: u32,
    /// How many that count.
    pub requests: u32,
}

/// Said when the first request that counts is due.
const WARM: &str = "warm";
/// Said when the last request is sent.
const SENT: &str = "sent";
/// How often latencies are told.
const TOLD_EVERY: Duration = Duration::from_millis(100);
/// A request is its number.
const REQUEST: usize = size_of::<u32>();

/// Requests under way.
struct Course {
    /// When the first one is due.
    start: Instant,
    /// Between two of them.
    period: Duration,
    /// Those from this number on count.
    warm_up: u32,
    /// Latencies that were not told yet.
    untold: Mutex<Vec<Duration>>,
}

/// What the client's process does.
pub fn run(load: &Load) -> Result<(), Problem> {
    let connect = |_| TcpStream::connect((Ipv4Addr::LOCALHOST, load.port));
    let streams: Vec<_> = (0..load.connections).map(connect).collect::<Result<_, _>>()?;
    let streams = &streams;
    let period = Duration::from_secs(1) / load.rate;
    let course = &Course {
        start: Instant::now() + period,
        period,
        warm_up: load.warm_up,
        untold: Mutex::default(),
    };
    thread::scope(|scope| {
        let receive = |stream| scope.spawn(move || course.receive(stream));
        let receivers: Vec<_> = streams.iter().map(receive).collect();
        scope.spawn(move || course.send(load.warm_up + load.requests, streams));
        while !receivers.iter().all(|receiver| receiver.is_finished()) {
            thread::sleep(TOLD_EVERY);
            course.tell()?;
        }
        let mut answered = 0;
        for receiver in receivers {
            answered += receiver.join().expect("no receiver panics")?;
        }
        let all = load.warm_up + load.requests;
        if answered == all { Ok(()) } else { Err(format!("{answered} of {all} answers").into()) }
    })
}

impl Course {
    /// When a request is to be sent.
    fn due(&self, number: u32) -> Instant {
        self.start + self.period * number
    }

    /// Sends all requests.
    fn send(&self, requests: u32, streams: &[TcpStream]) -> io::Result<()> {
        for (number, mut stream) in (0..requests).zip(streams.iter().cycle()) {
            if number == self.warm_up {
                println!("{WARM}");
            }
            thread::sleep(self.due(number).saturating_duration_since(Instant::now()));
            stream.write_all(&number.to_le_bytes())?;
        }
        println!("{SENT}");
        streams.iter().try_for_each(|stream| stream.shutdown(Shutdown::Write))
    }

    /// Waits for the answers on one connection, until it ends. How many there were.
    fn receive(&self, mut stream: &TcpStream) -> io::Result<u32> {
        let mut answers = 0;
        let mut answer = [0; REQUEST];
        loop {
            match stream.read_exact(&mut answer) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(answers),
                read => read?,
            }
            answers += 1;
            let number = u32::from_le_bytes(answer);
            if number >= self.warm_up {
                let latency = self.due(number).elapsed();
                self.untold.lock().expect("nobody panics with it").push(latency);
            }
        }
    }

    /// Tells the latest latencies.
    fn tell(&self) -> io::Result<()> {
        let latest = std::mem::take(&mut *self.untold.lock().expect("nobody panics with it"));
        let line: Vec<_> = latest.iter().map(|latency| latency.as_nanos().to_string()).collect();
        writeln!(io::stdout(), "{}", line.join(" "))
    }
}

/// A client's process, as the one that started it sees it. Killed when dropped.
pub struct Client {
    /// The process.
    process: Child,
    /// What it says.
    output: BufReader<ChildStdout>,
    /// Whether it has said that all requests are sent.
    has_sent_all: bool,
}

impl Client {
    /// Starts one.
    pub fn start(load: &Load) -> Result<Client, Problem> {
        let program = env::current_exe()?;
        let mut command = if has_priority() {
            let mut command = prioritised();
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command.arg("client").args([load.port.to_string(), load.connections.to_string()]);
        command.args([load.rate, load.warm_up, load.requests].map(|number| number.to_string()));
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().expect("it is a pipe");
        Ok(Client { process, output: BufReader::new(output), has_sent_all: false })
    }

    /// Waits until the requests count.
    pub fn wait_until_warm(&mut self) -> Result<(), Problem> {
        while let Some(line) = self.next_line()? {
            if line == WARM {
                return Ok(());
            }
        }
        Err("the client failed".into())
    }

    /// Waits for the next latencies; `None` after the last ones.
    pub fn next_latencies(&mut self) -> Result<Option<Vec<Duration>>, Problem> {
        let Some(line) = self.next_line()? else { return Ok(None) };
        if line == SENT {
            self.has_sent_all = true;
            return Ok(Some(Vec::new()));
        }
        let latencies = line.split_whitespace().map(|word| word.parse().map(Duration::from_nanos));
        Ok(Some(latencies.collect::<Result<_, _>>()?))
    }

    /// Whether all requests are sent.
    pub fn has_sent_all(&self) -> bool {
        self.has_sent_all
    }

    /// Waits for the end of the process.
    pub fn finish(mut self) -> Result<(), Problem> {
        if self.process.wait()?.success() { Ok(()) } else { Err("the client failed".into()) }
    }

    fn next_line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let length = self.output.read_line(&mut line)?;
        Ok((length > 0).then(|| line.trim().to_owned()))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // There is nothing left to kill where it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The start of a command whose program runs at real-time priority.
fn prioritised() -> Command {
    let mut command = Command::new("chrt");
    command.args(["--fifo", "1"]);
    command
}

/// Whether the system has such a command and grants it.
pub fn has_priority() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    let silent = |mut command: Command| {
        command.arg("true").stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    *ANSWER.get_or_init(|| silent(prioritised()).is_ok_and(|status| status.success()))
}
