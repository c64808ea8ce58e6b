//! The two ends of the HTTP workload: a server on any peer, run in a process of its own, and `wrk`
//! as the client.
//!
//! Next: `serve.rs` for the server, `stream.rs` for how streams reach hyper, `wrk.rs` for the
//! client.

pub mod serve;
#[expect(unsafe_code, reason = "hyper's read cursor is unsafe to use")]
pub mod stream;
pub mod wrk;
