//! What other libraries' interfaces to CPU-parallel work are built on, where they run on Weftline's
//! workers. It is hidden from the documentation: it follows what those need, and promises nothing to
//! anybody else.

pub use crate::fork::{Aside, Branch, OfferedFork, is_outermost, set_aside};

use crate::runtime::{self, Handle};

/// What tells the runtime around the calling thread from all others there are now; zero outside of
/// one.
#[must_use]
pub fn runtime_here() -> usize {
    runtime::context::key_here()
}

/// The same for the runtime of a handle.
#[must_use]
pub fn runtime_of(handle: &Handle) -> usize {
    handle.key()
}

/// Has a worker call `call`, which computes and must not unwind, outside of any task.
pub fn post(handle: &Handle, call: impl FnOnce() + Send + 'static) {
    handle.post(call);
}

/// The same, on the worker with that index, which makes the call also while it waits inside of a job, as
/// code of no task. Where the runtime has ended the call is dropped.
pub fn post_to(handle: &Handle, worker: usize, call: impl FnOnce() + Send + 'static) {
    handle.post_to(worker, call);
}
