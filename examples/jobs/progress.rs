//! What the user sees: the output of each job when it has ended, and meanwhile a bar, where there
//! is a terminal to show it.

use super::job::{Job, Outcome};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::io::{self, Write};

/// How far it is.
#[derive(Debug)]
pub struct Progress {
    /// The bar, which draws itself at most some twenty times a second.
    bar: ProgressBar,
    /// How many jobs did not succeed.
    failed: Cell<usize>,
}

impl Progress {
    pub fn new(jobs: usize) -> Self {
        // It shows nothing where standard error is no terminal.
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(u64::try_from(jobs).ok(), target);
        let style = ProgressStyle::with_template("{bar:20} {pos} of {len}{prefix}  {wide_msg}");
        bar.set_style(style.expect("the template is valid"));
        Self { bar, failed: Cell::new(0) }
    }

    /// A job has begun.
    pub fn begun(&self, command: &str) {
        self.bar.set_message(command.to_owned());
        self.bar.tick();
    }

    /// A job has ended: writes what it said, and what was wrong with it.
    pub fn ended(&self, job: &Job) -> io::Result<()> {
        self.bar
            .suspend(|| {
                let mut out = io::stdout().lock();
                out.write_all(&job.said)?;
                out.flush()?;
                if job.outcome != Outcome::Succeeded {
                    self.failed.set(self.failed.get() + 1);
                    eprintln!("jobs: {}: {}", job.command, job.outcome);
                }
                Ok(())
            })
            .inspect(|()| {
                self.bar.inc(1);
                if self.failed.get() > 0 {
                    self.bar.set_prefix(format!(", {} failed", self.failed.get()));
                }
            })
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
