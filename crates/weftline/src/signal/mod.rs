//! Signals of the system: waiting for Ctrl-C, streams of signals, callbacks.
//!
//! | asked for | what |
//! |---|---|
//! | [`ctrl_c`] | a future: the next Ctrl-C |
//! | [`signal()`] | a [`Signal`]: each that comes from now on |
//! | [`on_signal`] | a callback of the runtime for each that comes |
//!
//! # Guarantees
//!
//! - Any number may listen for one signal; all are told of each that comes.
//! - **Listening takes over.** While somebody listens for a signal, nothing else is done about it:
//!   not what the system does by default, nor what [`run`](crate::run) does about Ctrl-C, nor what
//!   a handler did that was there before. When the last one stops listening, all of that is back:
//!   then Ctrl-C cancels the main future of [`run`](crate::run), or ends the process where nobody
//!   catches it. So does a signal that was sent before and arrives after.
//! - Signals of one kind that come before the first of them was received count as one, as they do
//!   in the kernel. None that comes later is lost.
//! - Nothing here depends on a runtime, except for [`on_signal`]: each of several runtimes may
//!   listen, and so may a plain thread with a `block_on` of its own. Signals arrive also while all
//!   workers compute.
//! - A forked process that never becomes another program has nobody who listens. There a signal
//!   does what it does by default, and the parent is not told.
//!
//! What was taken over is given back as it was found. Where somebody else changes what is done
//! about a signal while it is listened for, theirs counts.
//!
//! # Examples
//!
//! A server that ends in good order, and at once when it is asked twice:
//!
//! ```no_run
//! use weftline::signal::{Kind, ctrl_c, signal};
//! # async fn serve() {}
//! # async fn say_good_bye() {}
//!
//! #[weftline::main]
//! async fn main() -> std::io::Result<()> {
//!     let mut terminate = signal(Kind::TERMINATE)?;
//!     let server = weftline::spawn(serve());
//!     weftline::race([
//!         weftline::spawn(async move { terminate.recv().await }),
//!         weftline::spawn(async { drop(ctrl_c().await) }),
//!     ])
//!     .await
//!     .expect("neither panics");
//!     // From here on nobody listens, so that one more Ctrl-C cancels all this.
//!     server.cancel();
//!     say_good_bye().await;
//!     Ok(())
//! }
//! ```
//!
//! # Windows
//!
//! There are two signals, Ctrl-C and Ctrl-Break ([`Kind`]), each of which counts. A request to
//! terminate does not exist. All of this is compiled and was never run there.
//!
//! Inside: one handler and one thread for the process (on Windows the console's), in `platform/signals/`.

mod callback;
mod kind;
mod stream;

pub use callback::{Registration, on_signal};
pub use kind::{InvalidKind, Kind};
pub use stream::{Signal, ctrl_c, signal};
