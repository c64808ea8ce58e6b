//! [`SlowPoll`]: what is told of a poll that takes long.

use super::Task;
use std::fmt;
use std::io::Write;
use std::time::Duration;

/// A poll that has lasted for longer than it should, and goes on: the task holds its worker, since it
/// computes, or blocks.
///
/// Given to the function set by
/// [`Builder::on_slow_poll`](crate::runtime::Builder::on_slow_poll), which has an example.
#[derive(Debug)]
pub struct SlowPoll {
    /// The task that is polled.
    task: Task,
    /// How long already.
    duration: Duration,
}

impl SlowPoll {
    pub(crate) fn new(task: Task, duration: Duration) -> Self {
        Self { task, duration }
    }

    /// A line on standard error.
    pub(crate) fn print(&self) {
        let _ = writeln!(std::io::stderr(), "weftline: {self}");
    }

    /// The task that is polled: its id, its name, and where it was spawned.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// For how long the poll has been seen to last, to a millisecond or two; it goes on.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

impl fmt::Display for SlowPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.duration.as_millis();
        write!(f, "a poll has taken {milliseconds} ms and goes on (task {}", self.task.id())?;
        if let Some(name) = self.task.name() {
            write!(f, " {name:?}")?;
        }
        write!(f, ", spawned at {})", self.task.spawned_at())
    }
}
