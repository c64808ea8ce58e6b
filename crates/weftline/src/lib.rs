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
//! | [`join`](join()), [`scope`](scope()), [`compute`] | CPU-parallel work, on the same workers |
//! | [`par`] | the same for each of many items: loops, sums, sorting |
//! | [`cancel`] | catching a request to end, clean-up, shields |
//! | [`context`] | task-local variables, which a task inherits from its spawner |
//! | [`group`](mod@group) | groups of tasks, gathering, sets of tasks, races |
//! | [`runtime`] | building, handles, shutting down |
//! | [`time`] | sleeping, intervals, timeouts, deadlines |
//! | [`sync`] | locks, and passing values between tasks and threads |
//! | [`net`], [`io`] | sockets and servers, any descriptor, buffered reading and writing |
//! | [`fs`] | files and directories, on threads that may block |
//! | [`process`], [`signal`] | child processes; Ctrl-C and the other signals |
//! | `tls` | encrypted streams, with the feature `tls` |
//!
//! Sockets have the traits of `futures-io`, and futures and streams are those of the ecosystem: what is
//! not here, such as joining and racing futures that borrow, comes from futures-lite or futures-util;
//! [`mod@group`] has what spawns tasks. Mind that a race of theirs *drops* its losers, while
//! [`race`] and a limit in [`time`] [ask them to end](cancel), and wait for that.

// What is copied from an example compiles without a warning.
#![doc(test(attr(deny(warnings))))]

mod driver;
mod fork;
#[expect(unsafe_code, reason = "a job is a type-erased pointer, a latent fork one into a stack")]
mod job;
mod platform;
mod scheduler;

pub mod cancel;
#[doc(hidden)]
pub mod foundation;
pub mod fs;
pub mod group;
pub mod io;
pub mod net;
pub mod par;
#[cfg(all(unix, not(target_os = "openbsd")))]
pub mod process;
pub mod runtime;
pub mod signal;
pub mod sync;
pub mod task;
pub mod time;
#[cfg(feature = "tls")]
pub mod tls;

pub use cancel::{
    Cancelled, ExitStack, catch_cancel, checkpoint, exit_stack, finally, shield, uncancellable,
};
pub use fork::{Scope, join, scope};
pub use group::{
    Child, Group, GroupError, TaskSet, as_completed, gather, gather_results, group, race,
    staggered_race,
};
pub use task::context;

pub use runtime::{Handle, Runtime, run};
pub use task::{
    JoinError, JoinHandle, Task, compute, spawn, spawn_blocking, spawn_local, spawn_pinned,
    yield_now,
};

/// Makes an `async fn main` the program's main function: it runs as by [`run`], and the system's request
/// to terminate (`SIGTERM`) cancels it as Ctrl-C does.
///
/// # Options
///
/// - `workers = 4`: the number of workers. By default as many as the process may use CPUs.
/// - `virtual_time`: time is virtual; see [`Builder::virtual_time`](runtime::Builder::virtual_time).
/// - `deterministic`: a seed determines the course; see
///   [`Builder::deterministic`](runtime::Builder::deterministic). It is the value of `WEFTLINE_SEED`
///   in the environment, or else one chosen by chance, and is printed when the function panics.
/// - `seed = 7`: deterministic, with this seed where the environment chooses none.
/// - `crate = "path"`: where the crate is found.
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

/// Makes an `async fn` a test, which runs as by [`run`], with one worker unless it says otherwise.
///
/// # Options
///
/// Those of [`main`](macro@main), and
///
/// - `seeds = 100`: deterministic, and run with so many seeds, one after the other; with just one
///   where `WEFTLINE_SEED` chooses it.
///
/// When a deterministic test fails, a line on standard error tells its seed.
///
/// # Examples
///
/// ```
/// #[weftline::test(workers = 2)]
/// async fn a_task_gives_its_value() {
///     assert_eq!(weftline::spawn(async { 1 }).await.unwrap(), 1);
/// }
///
/// #[weftline::test(virtual_time)]
/// async fn an_hour_is_over_at_once() {
///     use std::time::Duration;
///     use weftline::time::{now, sleep};
///
///     let before = now();
///     sleep(Duration::from_secs(3600)).await;
///     assert_eq!(now() - before, Duration::from_secs(3600));
/// }
///
/// #[weftline::test(seeds = 100)]
/// async fn no_order_of_the_tasks_breaks_it() {
///     let tasks: Vec<_> = (0..3).map(|_| weftline::spawn(weftline::yield_now())).collect();
///     for task in tasks {
///         task.await.unwrap();
///     }
/// }
/// ```
pub use weftline_macros::test;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/asyncio.md")]
struct ComingFromAsyncio;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/tokio.md")]
struct ComingFromTokio;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/stalls.md")]
struct NothingStalls;
