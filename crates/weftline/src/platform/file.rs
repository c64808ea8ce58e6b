//! Pieces of a file, by their place in it and without moving its cursor.

use super::poller::Descriptor;
use std::fs::File;
use std::io;

/// Passes up to `count` bytes of `file`, from `offset` on, to a socket inside of the kernel; zero at the
/// end. `Unsupported` where the system, the file or the socket cannot do so.
#[cfg(target_os = "linux")]
pub(crate) fn send(
    socket: Descriptor<'_>,
    file: &File,
    mut offset: u64,
    count: usize,
) -> io::Result<usize> {
    use rustix::io::Errno;
    match rustix::fs::sendfile(socket, file, Some(&mut offset), count) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::SPIPE) => {
            Err(io::ErrorKind::Unsupported.into())
        }
        result => Ok(result?),
    }
}

/// Says that it cannot.
#[cfg(not(target_os = "linux"))]
pub(crate) fn send(
    _socket: Descriptor<'_>,
    _file: &File,
    _offset: u64,
    _count: usize,
) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads from `offset` on; zero at the end.
#[cfg(not(windows))]
pub(crate) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

/// Reads from `offset` on; zero at the end. Moves the cursor, which the system offers no way around.
#[cfg(windows)]
pub(crate) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, offset)
}
