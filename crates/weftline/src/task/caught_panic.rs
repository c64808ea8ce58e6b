//! [`CaughtPanic`]: a panic on its way to whoever is to read it.

use super::{Payload, Task, current};
use std::panic::resume_unwind;

/// A panic that was caught, and goes on later. Where it cannot, since what keeps it is dropped, it is
/// reported: nobody else would tell of it.
#[derive(Debug)]
pub(crate) struct CaughtPanic {
    /// The task that it happened in; none outside of all tasks, where nobody takes reports.
    task: Option<Task>,
    /// What it carries, until it goes on.
    payload: Option<Payload>,
}

impl CaughtPanic {
    /// One that was caught in the task that runs this code.
    pub(crate) fn here(payload: Payload) -> Self {
        Self { task: current(), payload: Some(payload) }
    }

    /// One that has ended `task`.
    pub(crate) fn of(task: Task, payload: Payload) -> Self {
        Self { task: Some(task), payload: Some(payload) }
    }

    /// Goes on with it.
    pub(crate) fn resume(mut self) -> ! {
        resume_unwind(self.payload.take().expect("it goes on once"))
    }
}

impl Drop for CaughtPanic {
    fn drop(&mut self) {
        if let (Some(task), Some(payload)) = (&self.task, self.payload.take()) {
            task.report_panic(payload);
        }
    }
}
