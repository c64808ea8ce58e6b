//! The descriptors of the sockets, for the functions of other crates that take one.

use super::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Lends the descriptor of the socket inside.
macro_rules! lend_descriptor {
    ($($type:ty),*) => {
        $(
            impl AsFd for $type {
                fn as_fd(&self) -> BorrowedFd<'_> {
                    self.as_async().get_ref().as_fd()
                }
            }

            impl AsRawFd for $type {
                fn as_raw_fd(&self) -> RawFd {
                    self.as_async().get_ref().as_raw_fd()
                }
            }
        )*
    };
}

lend_descriptor!(TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream);
