//! Systems where a child is no descriptor: a thread waits for each.

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal};
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What a child would be.
pub(crate) struct EndFd(Infallible);

impl EndFd {
    pub(crate) fn open(_child: Pid) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn send(&self, _signal: Signal) -> io::Result<()> {
        match self.0 {}
    }
}

impl AsFd for EndFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }
}

/// A pipe: where to read, where to write. A process that another thread starts at this very moment
/// inherits it, since not every system can make a pipe that is kept from that.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe()?;
    fcntl_setfd(&reader, FdFlags::CLOEXEC)?;
    fcntl_setfd(&writer, FdFlags::CLOEXEC)?;
    Ok((reader, writer))
}
