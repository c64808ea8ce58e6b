//! Waiting where the system does not tell when to try again: ever longer, up to a limit.

use crate::runtime::context;
use crate::time::{Sleep, sleep};
use std::io;
use std::time::Duration;

/// The pauses of one operation that has to be tried again.
pub(super) struct Pauses {
    /// The length of the next one.
    next: Duration,
    /// Where the doubling ends.
    longest: Duration,
}

impl Pauses {
    /// Pauses that begin with `first` and double up to `longest`.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The next pause. Fails outside of a runtime, where nobody keeps the time.
    pub(super) fn next(&mut self) -> io::Result<Sleep> {
        context::driver()?;
        let pause = sleep(self.next);
        self.next = (self.next * 2).min(self.longest);
        Ok(pause)
    }
}
