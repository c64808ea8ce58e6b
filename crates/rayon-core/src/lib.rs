//! rayon-core's interface on the workers of a Weftline runtime, so that unmodified rayon runs there:
//!
//! ```toml
//! [patch.crates-io]
//! rayon-core = { path = "…/crates/rayon-core" }
//! ```
//!
//! Inside of a runtime rayon then has no threads of its own: `par_iter` in a task forks on the workers
//! that run tasks. Outside of one, and with [`ThreadPoolBuilder`], there are pools, each of them a runtime
//! of its own with just the threads it was told to have.
//!
//! Next: `place.rs` says which pool a call is for, `pool.rs` is what the threads of a pool share,
//! `lanes/` where their jobs wait, `duty.rs` how they wait. `docs/rayon.md` tells what is the same as in rayon's own crate, and what is
//! not.

// What is copied from an example compiles without a warning.
#![doc(test(attr(deny(warnings))))]

#[expect(unsafe_code, reason = "jobs borrow from a caller that waits for them")]
mod broadcast;
mod builder;
mod configuration;
mod duty;
mod error;
#[expect(unsafe_code, reason = "a job borrows from a caller that waits for it")]
mod install;
#[expect(unsafe_code, reason = "jobs that borrow are kept as if they did not")]
mod job;
mod join;
mod lanes;
mod panics;
mod place;
mod platform;
mod pool;
#[expect(unsafe_code, reason = "jobs borrow from a scope that waits for them")]
mod scope;
mod spawn;
mod thread;
mod thread_pool;

pub use broadcast::{BroadcastContext, broadcast, spawn_broadcast};
pub use builder::ThreadPoolBuilder;
#[allow(deprecated)]
pub use configuration::{Configuration, initialize};
pub use error::ThreadPoolBuildError;
pub use join::{FnContext, join, join_context};
pub use scope::{Scope, ScopeFifo, in_place_scope, in_place_scope_fifo, scope, scope_fifo};
pub use spawn::{spawn, spawn_fifo};
pub use thread::ThreadBuilder;
pub use thread_pool::{
    ThreadPool, Yield, current_num_threads, current_thread_has_pending_tasks, current_thread_index,
    yield_local, yield_now,
};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most threads that a pool may have: as many as a runtime may have workers.
pub fn max_num_threads() -> usize {
    65_535
}

/// Locks what no foreign code runs under, so that it is never left half-changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
