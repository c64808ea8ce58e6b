//! Sockets, as a user meets them.

mod connecting;
mod flood;
#[cfg(unix)]
mod http;
#[cfg(unix)]
mod peers;
mod server;
mod shortage;
mod tcp;
mod udp;
#[cfg(unix)]
mod unix;
