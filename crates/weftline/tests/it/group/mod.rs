//! Groups: they end when body and children have, they give all that failed, and they lose neither
//! a request nor a clean-up.

mod ends;
mod requests;
mod stress;

use crate::rig::Diary;
use std::future::pending;
use std::time::Duration;
use weftline::{Group, GroupError, Task, finally, task, yield_now};

/// A child of groups whose errors are numbers.
pub(crate) type Outcome = Result<(), u32>;

pub(crate) const SHORT: Duration = Duration::from_millis(2);

/// Never ends by itself, and says that it was asked to.
pub(crate) async fn waits(diary: Diary, name: &'static str) -> Outcome {
    finally(pending(), async move {
        yield_now().await;
        diary.note(name);
    })
    .await
}

/// Fails after a step.
pub(crate) async fn fails(with: u32) -> Outcome {
    yield_now().await;
    Err(with)
}

/// The errors of a group, those inside included.
pub(crate) fn numbers<T>(result: Result<T, GroupError<u32>>) -> Vec<u32> {
    result.err().expect("something failed").into_iter().collect()
}

/// How many requests the task that runs this has had.
pub(crate) fn requests() -> u32 {
    task::current().unwrap().cancelling()
}

/// Waits until a group is closed.
pub(crate) async fn until_closed<E>(group: &Group<E>) {
    while !group.is_closed() {
        yield_now().await;
    }
}

pub(crate) async fn until_task_waits(task: &Task) {
    while task.status() != task::Status::Waiting {
        yield_now().await;
    }
}

pub(crate) fn runtime_tasks() -> usize {
    weftline::Handle::current().tasks().len()
}
