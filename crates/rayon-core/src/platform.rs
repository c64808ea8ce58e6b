//! The locks and atomics of the lanes: std's, or loom's in its models. This is the only file that names
//! loom.

#[cfg(all(test, loom))]
use loom as base;
#[cfg(not(all(test, loom)))]
use std as base;

use std::sync::PoisonError;

pub(crate) use base::sync::Mutex;
#[cfg(test)]
pub(crate) use base::{sync::Condvar, thread};

/// Atomics.
pub(crate) mod atomic {
    pub(crate) use super::base::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
}

/// Locks what no foreign code runs under, so that it is never left half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> base::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test body: every interleaving of it under loom, and many times with real threads otherwise.
#[cfg(test)]
pub(crate) fn model(body: impl Fn() + Sync + Send + 'static) {
    #[cfg(loom)]
    loom::model(body);
    #[cfg(not(loom))]
    (0..2_000).for_each(|_| body());
}
