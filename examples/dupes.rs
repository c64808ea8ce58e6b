//! Finds files with the same content under the folders given.
//!
//! Files are told apart by their size, then by a hash of their first block, and only those that
//! still look alike are read whole. Every folder is a task, and every group of files of one size;
//! what waits for the disk is a blocking job, and their number is what bounds the open files. What was read
//! is hashed by [`compute`](weftline::compute), on as many threads as there are workers.
//!
//! ```text
//! cargo run --release --bin dupes -- /usr/share
//! ```
//!
//! It ends with
//!
//! | code | when |
//! |---|---|
//! | 0 | everything was searched; whatever could not be read is told |
//! | 1 | a folder given could not be searched, or the report could not be written |
//! | 2 | the command line is wrong |
//! | 130 | Ctrl-C: the report holds what was known by then |
//!
//! `dupes/search.rs` is where to read next: the tasks. `dupes/walk.rs` and `dupes/read.rs` are the
//! blocking jobs, `dupes/report.rs` is what comes out.

mod dupes {
    pub mod descriptors;
    pub mod findings;
    pub mod options;
    pub mod progress;
    pub mod read;
    pub mod report;
    pub mod search;
    #[cfg(test)]
    mod tests;
    pub mod text;
    pub mod walk;
}

use clap::Parser;
use clap::error::ErrorKind;
use dupes::options::Options;
use dupes::report::Report;
use dupes::search::Search;
use dupes::{descriptors, text};
use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Duration;
use weftline::runtime::Grace;
use weftline::{Handle, Runtime};

/// Something could not be searched or written.
const INCOMPLETE: u8 = 1;
/// As a shell says it of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;
/// How long a read that hangs may keep the program once the report is written.
const GRACE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let options = Options::parse();
    let open_files = match descriptors::bound(options.open_files) {
        Ok(bound) => bound,
        Err(error) => Options::refuse(ErrorKind::ValueValidation, error),
    };
    match run(options, open_files) {
        Ok(code) => code.into(),
        Err(error) => {
            let _ = writeln!(io::stderr(), "dupes: {error}");
            INCOMPLETE.into()
        }
    }
}

/// Searches and reports; gives the exit code.
fn run(options: Options, open_files: usize) -> Result<u8, Box<dyn Error>> {
    // A blocking job has one file or folder open, so the limit on one is the limit on the other.
    let runtime = Runtime::builder().max_blocking_threads(open_files).build()?;
    let as_json = options.json;
    let search = Arc::new(Search::new(&options));
    on_ctrl_c(search.clone(), runtime.handle().clone())?;

    // A task, since the future that is given to `block_on` itself cannot be cancelled.
    let task = runtime.spawn(search.clone().run(options.folders));
    let ended = runtime.block_on(task).and_then(|ended| ended);
    search.progress.clear();
    match ended {
        // By Ctrl-C alone, and then the report says so.
        Err(error) if !error.is_cancelled() => return Err(error.into()),
        _ => {}
    }

    let report = search.report();
    write(&report, as_json)?;
    let left = runtime.shutdown(Grace::For(GRACE));
    if !left.is_clean() {
        let _ = writeln!(io::stderr(), "dupes: {left}");
    }
    Ok(match report {
        Report { interrupted: true, .. } => INTERRUPTED,
        _ if report.lacks_a_root() => INCOMPLETE,
        _ => 0,
    })
}

/// Ctrl-C cancels all tasks and makes begun jobs end early; a second one ends the program.
fn on_ctrl_c(search: Arc<Search>, runtime: Handle) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        if search.stop() {
            process::exit(INTERRUPTED.into());
        }
        // All but the main future, which tells what is known.
        let tasks = runtime.tasks().into_iter().filter(|task| task.parent().is_some());
        tasks.for_each(|task| {
            task.cancel();
        });
    })
}

/// Writes the report to standard output. Whoever closed that, as `head` does, has seen enough.
fn write(report: &Report, as_json: bool) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if as_json { report.write_json(&mut out) } else { text::write(report, &mut out) };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
