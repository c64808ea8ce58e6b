//! What the runtime does not own: atomics, locks, threads, the deque, the kernel's event queue.
//!
//! This folder is the only place that names loom. Everything above it is written once and runs
//! unchanged in three worlds: the real one, loom's (every interleaving of a small model) and
//! Miri's (aliasing and leaks). `model` runs a test body in whichever of them is compiled.

#[cfg(all(test, any(loom, miri)))]
mod model;
#[cfg(all(test, any(loom, miri)))]
use model as chosen;

#[cfg(not(all(test, any(loom, miri))))]
mod real;
#[cfg(not(all(test, any(loom, miri))))]
use real as chosen;

pub(crate) mod accept;
pub(crate) mod file;
pub(crate) mod fork;
pub(crate) mod parker;
pub(crate) mod patience;
pub(crate) mod poller;
pub(crate) mod probe;
#[cfg(all(unix, not(target_os = "openbsd")))]
pub(crate) mod processes;
pub(crate) mod signals;
pub(crate) mod slice;
pub(crate) mod timer_slack;

#[cfg(test)]
pub(crate) use chosen::thread;
pub(crate) use chosen::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, UnsafeCell, atomic, deque,
};

/// Whether time passes: not in a model.
pub(crate) const TIME_PASSES: bool = !cfg!(any(loom, miri));

/// Process-wide atomics: ids, counters and guesses that no protocol rests on. Always the real ones, since
/// a static needs a `const` constructor.
pub(crate) mod global {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
}

/// Declares a function as `const`, which in a model it cannot be: locks and atomics have no `const`
/// constructors there.
macro_rules! const_unless_model {
    ($(#[$attribute:meta])* $visibility:vis fn $($function:tt)*) => {
        #[cfg(all(test, any(loom, miri)))]
        $(#[$attribute])*
        $visibility fn $($function)*
        #[cfg(not(all(test, any(loom, miri))))]
        $(#[$attribute])*
        $visibility const fn $($function)*
    };
}
pub(crate) use const_unless_model;

/// Runs a test body: every interleaving of it under loom, a few times under Miri, and many times
/// with real threads otherwise.
#[cfg(test)]
pub(crate) fn model(body: impl Fn() + Sync + Send + 'static) {
    #[cfg(loom)]
    loom::model(body);
    #[cfg(not(loom))]
    for _ in 0..if cfg!(miri) { 4 } else { 2_000 } {
        body();
    }
}

/// Runs a test body of one thread once, in whatever world.
#[cfg(test)]
pub(crate) fn model_of_one(body: impl Fn() + Sync + Send + 'static) {
    #[cfg(loom)]
    loom::model(body);
    #[cfg(not(loom))]
    body();
}
