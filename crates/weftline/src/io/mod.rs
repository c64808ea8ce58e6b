//! Descriptors that are awaited: [`Async<T>`] for anything the system can poll.
//!
//! Sockets have types of their own in [`net`](crate::net), which are built on [`Async`]. The
//! traits [`AsyncRead`] and [`AsyncWrite`] are those of the `futures-io` crate, so every extension
//! trait written for them applies: a `BufReader` and `lines`, for example, come with futures-lite and
//! futures-util. `watch` is where operations meet the driver; `docs/io.md` tells
//! the life of an event.

mod bytes;
mod pollable;
#[cfg(test)]
mod tests;
mod watch;

pub(crate) use bytes::poll_shared;
pub use futures_io::{AsyncRead, AsyncWrite};
pub use pollable::Async;
pub(crate) use watch::{Assume, Direction, Kind, Place};
