//! Sockets, as a user meets them.

mod connecting;
mod flood;
mod server;
mod shortage;
mod tcp;
mod udp;
#[cfg(unix)]
mod unix;
