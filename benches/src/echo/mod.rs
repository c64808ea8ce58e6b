//! The two ends of the echo workloads: a server on any peer, within this program, and a client in
//! a process of its own.
//!
//! Next: `server.rs` for how a sample goes, `client.rs` for how requests are sent and timed,
//! `toil.rs` for what keeps the processors busy meanwhile.

pub mod client;
pub mod server;
pub mod toil;
