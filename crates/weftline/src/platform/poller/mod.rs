//! The kernel's event queue, with one face for every system.
//!
//! `Poller` keeps a set of descriptors, each under a key, and waits until one of them is ready or
//! `notify` is called. On Linux the queue is the `polling` crate's, the wait on it ours (one system
//! call, hang-ups told apart, nanosecond timeouts); elsewhere both are `polling`'s. A stand-in made
//! of a lock serves loom and Miri. `--cfg weftline_portable` forces the `polling` one, one-shot, so
//! that the path of the other systems can be tested on Linux. Next: `crate::driver`.

#![allow(unexpected_cfgs, reason = "`weftline_portable` is private, set by hand in tests")]

#[cfg(all(test, any(loom, miri)))]
#[path = "standin.rs"]
mod chosen;
#[cfg(all(target_os = "linux", not(weftline_portable), not(all(test, any(loom, miri)))))]
#[expect(unsafe_code, reason = "a descriptor is given to the kernel's event queue")]
#[path = "linux.rs"]
mod chosen;
#[cfg(all(any(not(target_os = "linux"), weftline_portable), not(all(test, any(loom, miri)))))]
#[expect(unsafe_code, reason = "a descriptor is given to the kernel's event queue")]
#[path = "portable.rs"]
mod chosen;

pub(crate) use chosen::Poller;

#[cfg(not(windows))]
pub use std::os::fd::AsFd as AsDescriptor;
#[cfg(not(windows))]
pub(crate) use std::os::fd::BorrowedFd as Descriptor;
#[cfg(windows)]
pub use std::os::windows::io::AsSocket as AsDescriptor;
#[cfg(windows)]
pub(crate) use std::os::windows::io::BorrowedSocket as Descriptor;

/// The descriptor inside of `io`.
#[cfg(not(windows))]
pub(crate) fn descriptor<T: AsDescriptor>(io: &T) -> Descriptor<'_> {
    io.as_fd()
}

/// The socket inside of `io`.
#[cfg(windows)]
pub(crate) fn descriptor<T: AsDescriptor>(io: &T) -> Descriptor<'_> {
    io.as_socket()
}

/// How many events one wait takes from the kernel at most. What is left stays in the kernel's
/// queue, in order, for the next wait; a bound keeps the work after one wait short, so that tasks
/// woken by it run soon. Value picked out of thin air, large enough to make the system call cheap
/// per event.
pub(crate) const EVENTS_PER_WAIT: usize = 256;

/// Which events of a descriptor to report next. Only one-shot pollers look at it: an
/// edge-triggered one reports all of them, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    /// Report that there is something to read.
    pub(crate) readable: bool,
    /// Report that there is room to write.
    pub(crate) writable: bool,
}

/// What happened to one descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// The key the descriptor was added under.
    pub(crate) key: usize,
    /// A read may succeed.
    pub(crate) readable: bool,
    /// A write may succeed.
    pub(crate) writable: bool,
    /// The readiness to read outlasts a read that fills less than its buffer: the end of the
    /// stream, an error or urgent data comes after what was read.
    pub(crate) readable_lasts: bool,
    /// The readiness to write outlasts a short write, for the same reasons.
    pub(crate) writable_lasts: bool,
}
