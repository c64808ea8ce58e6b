//! Unix sockets: streams and datagrams within one machine.
//!
//! A path that begins with a zero byte names a socket of Linux's abstract namespace, which leaves
//! no file behind. Every other one is a file, which stays when the socket is closed: whoever binds
//! removes it.

mod datagram;
mod listener;
mod stream;

pub use datagram::UnixDatagram;
pub use listener::{UnixIncoming, UnixListener};
pub use stream::UnixStream;

use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::path::Path;

/// A non-blocking socket, and the address that `path` stands for.
fn socket_for(path: &Path, kind: Type) -> io::Result<(Socket, SockAddr)> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}
