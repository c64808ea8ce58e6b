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
//! | [`cancel`] | catching a request to end, clean-up, shields |
//! | [`context`] | task-local variables, which a task inherits from its spawner |
//! | [`runtime`] | building, handles, shutting down |
//! | [`time`] | sleeping, intervals, timeouts |
//! | [`sync`] | passing values between tasks and threads |
//! | [`net`], [`io`] | sockets, and any descriptor |

mod driver;
#[expect(unsafe_code, reason = "a job is a type-erased pointer")]
mod job;
mod platform;
mod scheduler;

pub mod cancel;
pub mod io;
pub mod net;
pub mod runtime;
pub mod sync;
pub mod task;
pub mod time;

pub use cancel::{
    Cancelled, ExitStack, catch_cancel, checkpoint, exit_stack, finally, shield, uncancellable,
};
pub use task::context;

pub use runtime::{Handle, Runtime, run};
pub use task::{
    JoinError, JoinHandle, Task, spawn, spawn_blocking, spawn_local, spawn_pinned, yield_now,
};

/// Makes an `async fn main` the program's main function: it runs as by [`run`].
///
/// `workers = 4` chooses the number of workers, `crate = "path"` where the crate is found.
///
/// # Examples
///
/// ```
/// #[weftline::main(workers = 2)]
/// async fn main() {
///     let task = weftline::spawn(async { 6 * 7 });
///     assert_eq!(task.await.unwrap(), 42);
/// }
/// ```
pub use weftline_macros::main;

/// Makes an `async fn` a test, which runs as by [`run`]. It takes the options of
/// [`main`](macro@main).
///
/// # Examples
///
/// ```
/// #[weftline::test(workers = 2)]
/// async fn a_task_gives_its_value() {
///     assert_eq!(weftline::spawn(async { 1 }).await.unwrap(), 1);
/// }
/// ```
pub use weftline_macros::test;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
