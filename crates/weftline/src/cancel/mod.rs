//! Answering a request to end: catching it, cleaning up, and keeping it off.
//!
//! [`Task::cancel`](crate::Task::cancel) is a request. It is delivered once, when the task is next
//! suspended, to the innermost *region* around that point: the future inside of the region is
//! dropped, so that destructors run, and the code around the region goes on. It may await clean-up,
//! return another value, take the request back ([`Task::uncancel`](crate::Task::uncancel)), or hand
//! it on to the next region ([`Cancelled::resume`]).
//!
//! | region | what it does with a request from outside |
//! |---|---|
//! | the task itself | ends |
//! | [`catch_cancel`] | gives it to the code around it, as a value |
//! | [`finally`](fn@finally), [`exit_stack`](fn@exit_stack) | runs a clean-up, and hands it on |
//! | [`uncancellable`] | keeps it waiting until its future is ready |
//!
//! A limit in [`time`](crate::time) that is over is such a request too, made of the limited part
//! alone: what is inside may clean up before the limit reports.
//!
//! A future that is ready in the very poll that delivers a request keeps its value: the code after
//! it runs on, and the request is delivered where that suspends. Nothing that was completed is
//! lost.
//!
//! # Guarantees
//!
//! - A request is delivered once, whatever combinators are between it and its region.
//! - A clean-up that was given to [`finally`](fn@finally) or an [`ExitStack`] begins exactly once, unless the
//!   future that holds it is dropped: nothing can await in a destructor. A task that is cancelled before
//!   it begins is dropped so: what it was to clean up must then be undone by destructors.
//! - Regions cost a task that has none of them nothing.

mod catch;
mod exit_stack;
mod finally;
mod shield;

pub use catch::{Cancelled, CatchCancel, Resume, catch_cancel, checkpoint};
pub use exit_stack::{ExitStack, exit_stack};
pub use finally::{Finally, finally};
pub use shield::{Shield, Shieldable, Uncancellable, shield, uncancellable};
