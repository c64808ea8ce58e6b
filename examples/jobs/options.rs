//! The command line, and the commands that it names.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const AFTER_HELP: &str = "\
Example: cargo run --bin jobs -- --at-once 2 'sleep 1; echo one' 'sleep 2; echo two' false

Exit codes: 0 every command has succeeded; 1 some have failed, or their output could not be written; 2 \
the command line is wrong, or the file cannot be read; 130 Ctrl-C; 143 a request to terminate.";

/// Runs commands of the shell, several at a time
#[derive(Debug, Parser)]
#[command(name = "jobs", version, after_help = AFTER_HELP)]
pub struct Options {
    /// Commands, each one argument, such as 'make test'
    #[arg(value_name = "COMMAND")]
    arguments: Vec<String>,

    /// Read more commands from this file, one a line, or from standard input if it is -; empty
    /// lines and those that begin with # are left out
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// How many commands run at once [default: as many as there are processors]
    #[arg(short = 'j', long, value_name = "NUMBER")]
    at_once: Option<NonZero<usize>>,

    /// How many seconds commands have to end after Ctrl-C, before they are killed
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    patience: Duration,

    /// Begin no more commands once one has failed
    #[arg(long)]
    pub fail_fast: bool,
}

impl Options {
    pub fn at_once(&self) -> usize {
        let processors = || thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        self.at_once.unwrap_or_else(processors).get()
    }

    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// All commands, those of the file after those of the command line.
    pub fn commands(&self) -> Vec<String> {
        let mut commands = self.arguments.clone();
        if let Some(file) = &self.file {
            match read(file) {
                Ok(text) => commands.extend(lines(&text)),
                Err(error) => refuse(&format!("cannot read {}: {error}", file.display())),
            }
        }
        if commands.is_empty() && self.file.is_none() {
            refuse("there is nothing to run: give COMMAND or --file");
        }
        commands
    }
}

/// Ends the program as a wrong command line does.
fn refuse(why: &str) -> ! {
    Options::command().error(ErrorKind::InvalidValue, why).exit()
}

fn read(file: &Path) -> io::Result<String> {
    if file == Path::new("-") { io::read_to_string(io::stdin()) } else { fs::read_to_string(file) }
}

/// The commands of a text.
fn lines(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned)
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
