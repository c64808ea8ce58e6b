//! Streams of bytes, and descriptors that are awaited: [`BufReader`] and [`BufWriter`] for anything
//! that is read and written, [`copy()`] between them, [`split()`] and [`join`], [`Async<T>`] for anything the
//! system can poll, the standard streams.
//!
//! Sockets have types of their own in [`net`](crate::net), which are built on [`Async`]. The
//! traits [`AsyncRead`], [`AsyncWrite`] and [`AsyncBufRead`] are those of the `futures-io` crate, so
//! every extension trait written for them, in futures-lite or futures-util, applies. `watch` is where
//! operations meet the driver; `docs/io.md` tells the life of an event.

mod buf_reader;
mod buf_writer;
mod bytes;
mod copy;
pub(crate) mod delegate;
mod duplex;
#[cfg(unix)]
mod pipe;
mod pollable;
mod read_error;
mod send_file;
mod split;
mod stdio;
#[cfg(test)]
mod tests;
mod watch;

pub use buf_reader::{BufReader, Lines};
pub use buf_writer::BufWriter;
pub(crate) use bytes::poll_shared;
pub use copy::{copy, copy_bidirectional};
pub use duplex::{DuplexStream, duplex};
pub use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
#[cfg(unix)]
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use pollable::Async;
pub use read_error::{IncompleteRead, LimitOverrun, ReadError};
pub use send_file::{SendFileError, send_file};
pub use split::{Join, ReadHalf, WriteHalf, join, split};
pub use stdio::{Stderr, Stdin, Stdout, stderr, stdin, stdout};
pub(crate) use watch::{Assume, Direction, Kind, Place};
