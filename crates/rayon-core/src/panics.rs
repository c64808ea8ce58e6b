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
        eprintln!(
            "rayon: a closure that nobody waits for panicked (of `rayon::spawn`, or a thread's handler), and \
             no panic handler took that, so the process is aborted; `ThreadPoolBuilder::panic_handler` sets \
             one, which inside of a Weftline runtime is that of the global pool"
        );
        std::process::abort();
    }
}
