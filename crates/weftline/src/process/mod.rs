//! Child processes: starting them, feeding them, reading them, waiting for them, and signals to
//! them. Unix only, without OpenBSD.
//!
//! [`Command`] and [`Child`] are std's, with what waits as futures.
//!
//! ```
//! use weftline::process::Command;
//!
//! # weftline::run(async {
//! let output = Command::new("echo").arg("hello").output().await?;
//! assert!(output.status.success());
//! assert_eq!(output.stdout, b"hello\n");
//!
//! let status = Command::shell("exit 7").status().await?;
//! assert_eq!(status.code(), Some(7));
//! # std::io::Result::Ok(()) }).unwrap();
//! ```
//!
//! # Guarantees
//!
//! - **No zombies.** A child that has ended is taken off the system's hands whether or not anybody
//!   waits for it, also when its runtime is shut down or there is none any more, by a thread of the
//!   process that needs no runtime. An exception is below.
//! - **No signal to a stranger.** A child that has ended gets none: the answer is *no such
//!   process*. The number of another process is never used, however soon the system gives it away
//!   again.
//! - **Any number may wait**, from any runtime; all get the same status. To stop waiting changes
//!   nothing.
//! - Dropping a [`Child`] lets the process go on, unless [`kill_on_drop`](Command::kill_on_drop)
//!   was asked for; then it is sent `SIGKILL` before the drop returns.
//! - What is piped never blocks a worker.
//!
//! The exception: a child that leads a group of processes
//! ([`process_group(0)`](Command::process_group)) keeps its number until its [`Child`] is dropped,
//! so that its group can be sent signals for as long. The system lists it as a zombie between its
//! end and that drop.
//!
//! # Behaviour today
//!
//! - Starting a process blocks the worker until the new program begins, about a millisecond, or as
//!   long as the disk takes; others go on meanwhile.
//! - The end of a process takes no virtual time: a time limit on it is over at once where
//!   [time is virtual](crate::runtime::Builder::virtual_time).
//!
//! Inside: `ward.rs` is a child as seen from within, `reaper.rs` the thread; `docs/processes.md`
//! tells who reaps, and why no number is ever mistaken.

mod child;
mod command;
mod communicate;
mod reaper;
mod ward;

pub use crate::io::{PipeReader, PipeWriter};
pub use child::Child;
pub use command::Command;
pub use std::process::{ExitStatus, Output, Stdio};
