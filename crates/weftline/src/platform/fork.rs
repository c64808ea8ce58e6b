//! Notices a fork: threads do not survive into the child, so a runtime must not be used there.

use super::global::{AtomicUsize, Ordering};
use std::sync::Once;

/// What is said of a runtime in the child of a fork.
pub(crate) const IN_A_FORK: &str = "a weftline runtime cannot be used in a forked child process: \
     its threads exist only in the parent; build a new runtime in the child, or fork before the \
     first one";

/// How many forks lie between the first process and this one.
static GENERATION: AtomicUsize = AtomicUsize::new(0);

/// The process as a runtime sees it: changes in the child of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(usize);

impl Generation {
    /// The generation of the calling process.
    #[inline]
    pub(crate) fn current() -> Self {
        // Relaxed: the child's only thread wrote it itself, in the handler below.
        Self(GENERATION.load(Ordering::Relaxed))
    }

    /// Checks that no fork lies between `self` and now.
    ///
    /// # Panics
    ///
    /// In the child of a fork.
    #[inline]
    #[track_caller]
    pub(crate) fn assert_same_process(self) {
        assert!(self.is_current(), "{IN_A_FORK}");
    }

    /// Whether no fork lies between `self` and now.
    #[inline]
    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }

    /// Starts counting forks; cheap after the first call.
    pub(crate) fn watch() -> Self {
        static WATCH: Once = Once::new();
        WATCH.call_once(register);
        Self::current()
    }
}

/// Runs in the child of a fork. Only an atomic is touched, as a fork handler must.
#[cfg(all(unix, not(miri)))]
extern "C" fn in_child() {
    // Relaxed: there is one thread in the child.
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

#[cfg(all(unix, not(miri)))]
#[expect(unsafe_code, reason = "a fork handler is registered with the C library")]
fn register() {
    // SAFETY: the handler is a plain function that lives as long as the program and calls
    // nothing that is forbidden between fork and exec.
    // A refusal (no memory) leaves forks unnoticed, which is what every other runtime has.
    let _ = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

#[cfg(not(all(unix, not(miri))))]
fn register() {}
