//! The list of workloads, one per file. The `//!` of each file says which question the workload
//! answers and why it is fair to each peer.
//!
//! The numbers are fixed: the gaps belong to workloads about remote spawns, system calls and
//! memory, which join the list as the parts they measure come to exist.

use crate::suite::Workload;

mod chained_spawn;
mod channel;
mod echo_under_cpu;
mod echo_under_opaque_cpu;
mod fork_join;
mod http;
mod idle;
mod mutex;
mod ping_pong;
mod rayon_on_weftline;
mod request_reply_main;
mod sort;
mod spawn_await_one;
mod spawn_blocking;
mod spawn_join_local;
mod spawn_join_remote;
mod stall;
mod timers_cancel;
mod timers_sleep;
mod wake_latency;
mod yield_now;

/// All workloads in the order of their numbers.
pub fn all() -> Vec<Workload> {
    vec![
        spawn_join_local::workload(),
        spawn_join_remote::workload(),
        spawn_await_one::workload(),
        request_reply_main::workload(),
        yield_now::workload(),
        ping_pong::workload(),
        chained_spawn::workload(),
        timers_sleep::workload(),
        timers_cancel::workload(),
        mutex::workload(),
        channel::workload(),
        fork_join::workload(),
        sort::workload(),
        rayon_on_weftline::workload(),
        echo_under_cpu::workload(),
        echo_under_opaque_cpu::workload(),
        stall::workload(),
        http::workload(),
        idle::workload(),
        spawn_blocking::workload(),
        wake_latency::workload(),
    ]
}

/// Nanoseconds per item.
fn ns_per(elapsed: std::time::Duration, items: usize) -> f64 {
    elapsed.as_nanos() as f64 / items as f64
}
