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
    if let Err(panic) = catch(call) {
        let told = handler().map(|handler| catch(|| handler(panic)).is_ok());
        if told != Some(true) {
            eprintln!("a job of a rayon pool panicked, and no handler took that: aborting");
            std::process::abort();
        }
    }
}
