//! Panics: caught, passed on, or the end of the process.

use crate::pool::PanicHandler;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls a function and keeps what it panics with.
pub(crate) fn catch<R>(call: impl FnOnce() -> R) -> std::thread::Result<R> {
    catch_unwind(AssertUnwindSafe(call))
}

/// Calls a function. The handler is told of its panic; without one, or if that panics, the process
/// is aborted: nobody else would know.
pub(crate) fn guard<'a>(call: impl FnOnce(), handler: impl FnOnce() -> Option<&'a PanicHandler>) {
    let Err(panic) = catch(call) else { return };
    let lost = match handler() {
        Some(handler) => catch(|| handler(panic)).err(),
        None => Some(panic),
    };
    if lost.is_some() {
        // What dropping it may throw would end this thread and not the process.
        std::mem::forget(lost);
        eprintln!("a job of a rayon pool panicked, and no handler took that: aborting");
        std::process::abort();
    }
}
