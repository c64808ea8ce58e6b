//! Accepting a connection that is in non-blocking mode from the beginning, where the system can do
//! so in one call.

use socket2::{SockAddr, SockRef, Socket};
use std::io;

/// Takes a connection that waits at `listener`, and the address of its other side. The connection
/// is in non-blocking mode and not passed on to child processes.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn accept(listener: &SockRef<'_>) -> io::Result<(Socket, SockAddr)> {
    listener.accept4(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
}

/// Takes a connection that waits at `listener`, and the address of its other side. The connection
/// is in non-blocking mode and not passed on to child processes.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn accept(listener: &SockRef<'_>) -> io::Result<(Socket, SockAddr)> {
    let (connection, peer) = listener.accept()?;
    connection.set_nonblocking(true)?;
    Ok((connection, peer))
}
