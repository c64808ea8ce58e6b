//! One job: a command from its start to its end, whatever ends it.

use std::fmt;
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;
use weftline::catch_cancel;
use weftline::process::{Child, Command, ExitStatus, Stdio};
use weftline::signal::Kind;
use weftline::time::timeout;

/// A job that has ended.
#[derive(Debug)]
pub struct Job {
    /// What was run.
    pub command: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What it said until then.
    pub said: Vec<u8>,
}

/// How a job has ended.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// As it should.
    Succeeded,
    /// By itself, and not well.
    Failed(ExitStatus),
    /// It was asked to.
    Interrupted(ExitStatus),
    /// It could not be started, or looked after.
    Broken(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Succeeded => f.write_str("succeeded"),
            Outcome::Failed(status) => status.fmt(f),
            Outcome::Interrupted(status) => write!(f, "interrupted, {status}"),
            Outcome::Broken(why) => f.write_str(why),
        }
    }
}

/// Runs a command. A request to end this task asks the command to end, and kills it when `patience`
/// is over; one more request does so at once.
pub async fn run(command: String, patience: Duration) -> Job {
    let mut said = Vec::new();
    let outcome = match start(&command) {
        Ok(child) => attend(child, &mut said, patience).await,
        Err(error) => Err(error),
    };
    let outcome = outcome.unwrap_or_else(|error| Outcome::Broken(error.to_string()));
    Job { command, outcome, said }
}

fn start(command: &str) -> io::Result<Child> {
    let mut shell = Command::shell(command);
    // A group of its own: the terminal's Ctrl-C comes to us alone, and what we send comes to all
    // that the command has started. Nothing of it outlives its job, however that ends.
    shell.process_group(0).kill_on_drop(true);
    shell.stdin(Stdio::null()).merge_output(true).spawn()
}

async fn attend(mut child: Child, said: &mut Vec<u8>, patience: Duration) -> io::Result<Outcome> {
    let (stdout, ended) = (child.stdout.take().expect("it is piped"), child.wait());
    // The end of a job is that nobody can say anything more.
    let mut end = pin!(async {
        stdout.read_to_end(said).await?;
        ended.await
    });
    // Lent, so that it goes on where it is after a request.
    match catch_cancel(end.as_mut()).await {
        Ok(status) => {
            let status = status?;
            return Ok(if status.success() { Outcome::Succeeded } else { Outcome::Failed(status) });
        }
        Err(_interrupted) => child.signal_group(Kind::TERMINATE)?,
    }
    // Impatience is another request.
    if let Ok(Ok(status)) = catch_cancel(timeout(patience, end.as_mut())).await {
        return status.map(Outcome::Interrupted);
    }
    child.kill_group()?;
    end.await.map(Outcome::Interrupted)
}

/// Tells why the program does not go on.
pub fn refuse(what: &str, error: &io::Error) -> ExitCode {
    eprintln!("jobs: {what}: {error}");
    ExitCode::FAILURE
}
