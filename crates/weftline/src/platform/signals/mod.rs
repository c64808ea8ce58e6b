//! Signals: those that ask a process to end, for a program whose main future is to be asked
//! instead, and any other for whoever listens.

#[cfg(unix)]
#[expect(unsafe_code, reason = "a signal handler is installed by C calls")]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{Caught, Listening, NUMBERS, catch, end_by, listen, why_not_caught};

#[cfg(all(test, unix, not(loom), not(miri)))]
mod tests;

#[cfg(windows)]
#[expect(unsafe_code, reason = "a console handler is installed by a C call")]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    Caught, Listening, NUMBERS, SIGBREAK, SIGINT, catch, end_by, listen, why_not_caught,
};

/// A signal that asks a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndSignal {
    /// The user's, by Ctrl-C.
    Interrupt,
    /// The system's.
    Terminate,
}

/// Whether this is the thread that the program began with, as std names it.
pub(crate) fn is_main_thread() -> bool {
    std::thread::current().name() == Some("main")
}
