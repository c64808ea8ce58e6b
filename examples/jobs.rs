//! Runs commands of the shell, several at a time, and tells which of them failed.
//!
//! What a command says is written when it has ended, all at once, so that nothing is mixed; a bar
//! shows how far it is. Ctrl-C, or a request to terminate, asks the commands that run to end, with
//! all that they have started; what is still there after a while is killed, and at once by a second
//! Ctrl-C.
//!
//! What it shows: [`Command`](weftline::process::Command) with groups of processes, a [`TaskSet`]
//! of the jobs that run, and signals as requests to end, which main catches and passes on to its
//! jobs, each of which cleans up.
//!
//! ```text
//! cargo run --bin jobs -- --at-once 2 'sleep 1; echo one' 'sleep 2; echo two' false
//! seq 1 20 | sed 's/.*/sleep 0.&; echo &/' | cargo run --bin jobs -- --file -
//! ```
//!
//! It ends with
//!
//! | code | when |
//! |---|---|
//! | 0 | every command has succeeded |
//! | 1 | some have failed, or their output could not be written |
//! | 2 | the command line is wrong, or the file cannot be read |
//! | 130, 143 | Ctrl-C, or a request to terminate |
//!
//! `jobs/job.rs` is where to read next: the life of one job.

mod jobs {
    pub mod job;
    pub mod options;
    pub mod progress;
}

use clap::Parser;
use jobs::job::{self, Outcome};
use jobs::options::Options;
use jobs::progress::Progress;
use std::collections::VecDeque;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use weftline::signal::{Kind, Registration, on_signal};
use weftline::{TaskSet, catch_cancel, task};

/// What a shell adds to the number of the signal that has ended a program.
const ENDED_BY: i32 = 128;

/// Lets signals ask the current task to end, any number of times.
struct Interrupts {
    /// The number of the first one that came; zero before.
    first: Arc<AtomicI32>,
    /// Both are listened for as long as this is there.
    _registrations: [Registration; 2],
}

impl Interrupts {
    fn begin() -> io::Result<Self> {
        let first = Arc::new(AtomicI32::new(0));
        let main = task::current().expect("this is a task");
        let register = |kind: Kind| {
            let (main, first) = (main.clone(), first.clone());
            on_signal(kind, move || {
                // Whoever comes later changes nothing. Relaxed: the request orders it.
                let _ =
                    first.compare_exchange(0, kind.as_raw(), Ordering::Relaxed, Ordering::Relaxed);
                main.cancel_with(kind.to_string());
            })
        };
        let registrations = [register(Kind::INTERRUPT)?, register(Kind::TERMINATE)?];
        Ok(Self { first, _registrations: registrations })
    }

    /// How the program ends because of them, if one came.
    fn exit_code(&self) -> Option<ExitCode> {
        // Relaxed: read by the task that the request went to.
        match self.first.load(Ordering::Relaxed) {
            0 => None,
            number => u8::try_from(ENDED_BY + number).ok().map(ExitCode::from),
        }
    }
}

/// Runs all commands; says whether each has succeeded.
async fn run(options: &Options, commands: Vec<String>, progress: &Progress) -> io::Result<bool> {
    let mut waiting = VecDeque::from(commands);
    let mut running = TaskSet::new();
    let mut all_well = true;
    loop {
        while running.len() < options.at_once() {
            let Some(command) = waiting.pop_front() else { break };
            progress.begun(&command);
            running.spawn(job::run(command, options.patience()));
        }
        let job = match catch_cancel(running.next()).await {
            Ok(Some((_, ended))) => ended.map_err(io::Error::other)?,
            Ok(None) => return Ok(all_well),
            Err(_interrupted) => {
                // The first one asks the jobs to end, each further one cuts their patience short.
                waiting.clear();
                running.cancel_all();
                continue;
            }
        };
        progress.ended(&job)?;
        all_well &= job.outcome == Outcome::Succeeded;
        if options.fail_fast && !all_well {
            waiting.clear();
        }
    }
}

#[weftline::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let commands = options.commands();
    let interrupts = match Interrupts::begin() {
        Ok(interrupts) => interrupts,
        Err(error) => return job::refuse("signals", &error),
    };
    let progress = Progress::new(commands.len());
    let result = run(&options, commands, &progress).await;
    progress.clear();
    match (result, interrupts.exit_code()) {
        (_, Some(code)) => code,
        (Ok(true), None) => ExitCode::SUCCESS,
        (Ok(false), None) => ExitCode::FAILURE,
        (Err(error), None) => job::refuse("output", &error),
    }
}
