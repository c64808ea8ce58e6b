//! Linux: a descriptor for each child.

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A child as a descriptor, which is readable once the child has ended. It names this child for
/// good, also when the number is another process's.
pub(crate) struct EndFd(OwnedFd);

impl EndFd {
    /// The descriptor of a child whose exit status nobody takes meanwhile.
    pub(crate) fn open(child: Pid) -> io::Result<Self> {
        Ok(Self(pidfd_open(child, PidfdFlags::empty())?))
    }

    pub(super) fn send(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.0, signal)?)
    }
}

impl AsFd for EndFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A pipe that processes which are started meanwhile do not inherit: where to read, where to write.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}
