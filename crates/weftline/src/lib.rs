//! Weftline: an async runtime in which tasks and CPU-parallel work share one set of work-stealing
//! workers.
//!
//! ```
//! weftline::run(async {
//!     let tasks: Vec<_> = (0..10).map(|n| weftline::spawn(async move { n * n })).collect();
//!     let mut sum = 0;
//!     for task in tasks {
//!         sum += task.await.unwrap();
//!     }
//!     assert_eq!(sum, 285);
//! });
//! ```
//!
//! | module | what is there |
//! |---|---|
//! | [`task`] | spawning, join handles, ids, the time slice |
//! | [`runtime`] | building, handles, shutting down |
//! | [`time`] | sleeping, intervals, timeouts |
//! | [`net`], [`io`] | sockets, and any descriptor |

mod driver;
#[expect(unsafe_code, reason = "a job is a type-erased pointer")]
mod job;
mod platform;
mod scheduler;

pub mod io;
pub mod net;
pub mod runtime;
pub mod task;
pub mod time;

pub use runtime::{Handle, Runtime, run};
pub use task::{
    JoinError, JoinHandle, Task, spawn, spawn_blocking, spawn_local, spawn_pinned, yield_now,
};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
