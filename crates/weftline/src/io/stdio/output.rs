//! Standard output and standard error: written in the order of the calls.

use super::lane::Lane;
use crate::sync::Place;
use crate::sync::oneshot::{self, Receiver};
use futures_io::AsyncWrite;
use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{fmt, mem};

/// How much is written at once. Value picked out of thin air.
const MOST_BYTES: usize = 64 * 1024;

/// The threads that write.
static STDOUT: Lane = Lane::new("weftline-stdout");
static STDERR: Lane = Lane::new("weftline-stderr");

/// One handle to a stream that a lane writes.
struct Output {
    /// The lane.
    lane: &'static Lane,
    /// Std's handle.
    std: fn() -> Box<dyn Write>,
    /// What the last write was to write.
    wrote: Vec<u8>,
    /// What is being done.
    trip: Option<Trip>,
    /// What a call has failed with whose caller had gone.
    failure: Option<io::Error>,
    /// Its place among those who wait for the lane.
    place: Place,
}

/// A call that is under way.
enum Trip {
    Writing(Receiver<(Vec<u8>, io::Result<()>)>),
    Flushing(Receiver<io::Result<()>>),
}

/// What has come of it.
enum Outcome {
    /// Of writing the bytes that are in `Output::wrote`.
    Wrote(io::Result<()>),
    Flushed(io::Result<()>),
}

/// A call always gives an answer, unless it panics.
fn no_answer() -> io::Error {
    io::Error::other("the thread that writes gave no answer")
}

impl Output {
    fn new(lane: &'static Lane, std: fn() -> Box<dyn Write>) -> Self {
        Self { lane, std, wrote: Vec::new(), trip: None, failure: None, place: Place::default() }
    }

    /// Has the lane make a call; gives where the answer comes.
    fn poll_send<T: Send + 'static>(
        &mut self,
        cx: &mut Context<'_>,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Poll<io::Result<Receiver<T>>> {
        let (sender, receiver) = oneshot::channel();
        // Whoever asked may have gone.
        let call = move || drop(sender.send(call()));
        self.lane.poll_send(&mut self.place, cx, call).map_ok(|()| receiver)
    }

    /// Waits for the call that is under way. None: there is none.
    fn poll_trip(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        let outcome = match &mut self.trip {
            None => return Poll::Ready(None),
            Some(Trip::Writing(answer)) => {
                let answer = ready!(Pin::new(answer).poll(cx));
                let (bytes, result) = answer.unwrap_or_else(|_| (Vec::new(), Err(no_answer())));
                self.wrote = bytes;
                Outcome::Wrote(result)
            }
            Some(Trip::Flushing(answer)) => {
                let answer = ready!(Pin::new(answer).poll(cx));
                Outcome::Flushed(answer.unwrap_or_else(|_| Err(no_answer())))
            }
        };
        self.trip = None;
        Poll::Ready(Some(outcome))
    }

    /// Writes some of `data`. As with a file, a call that writes the same is taken for this one's.
    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match ready!(self.poll_trip(cx)) {
                Some(Outcome::Wrote(result)) => {
                    let is_own = data.starts_with(&self.wrote);
                    match result {
                        Ok(()) if !is_own => {}
                        result => return Poll::Ready(result.map(|()| self.wrote.len())),
                    }
                }
                Some(Outcome::Flushed(result)) => self.failure = result.err(),
                None => {
                    if let Some(error) = self.failure.take() {
                        return Poll::Ready(Err(error));
                    }
                    if data.is_empty() {
                        return Poll::Ready(Ok(0));
                    }
                    let mut bytes = mem::take(&mut self.wrote);
                    bytes.clear();
                    bytes.extend_from_slice(&data[..data.len().min(MOST_BYTES)]);
                    let std = self.std;
                    let write = move || {
                        let result = std().write_all(&bytes);
                        (bytes, result)
                    };
                    self.trip = Some(Trip::Writing(ready!(self.poll_send(cx, write))?));
                }
            }
        }
    }

    /// Passes on what std holds back.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match ready!(self.poll_trip(cx)) {
                Some(Outcome::Flushed(result)) => return Poll::Ready(result),
                Some(Outcome::Wrote(result)) => self.failure = result.err(),
                None => {
                    if let Some(error) = self.failure.take() {
                        return Poll::Ready(Err(error));
                    }
                    let std = self.std;
                    let flush = move || std().flush();
                    self.trip = Some(Trip::Flushing(ready!(self.poll_send(cx, flush))?));
                }
            }
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.lane.leave(&mut self.place);
    }
}

/// The type and the function of one stream.
macro_rules! stream {
    ($(#[$function_doc:meta])* $function:ident, $(#[$type_doc:meta])* $type:ident, $lane:ident) => {
        $(#[$function_doc])*
        #[must_use]
        pub fn $function() -> $type {
            $type(Output::new(&$lane, || Box::new(io::$function())))
        }

        $(#[$type_doc])*
        pub struct $type(Output);

        impl $type {
            /// Writes some of `data`; gives the number of bytes that were written.
            ///
            /// # Errors
            ///
            /// Whatever the system says, such as [`BrokenPipe`](io::ErrorKind::BrokenPipe) where nobody reads any more. Also what a
            /// cancelled write or flush has failed with; then nothing of `data` was written.
            ///
            /// # Cancel safety
            ///
            /// When cancelled, some of it may be written, before what is written later; a write of the same bytes that comes next
            /// takes its place.
            ///
            /// # Examples
            ///
            /// See the function.
            pub async fn write(&mut self, data: &[u8]) -> io::Result<usize> {
                poll_fn(|cx| self.0.poll_write(cx, data)).await
            }

            /// Writes all of `data`.
            ///
            /// # Errors
            ///
            /// As [`write`](Self::write); some bytes may have been written before.
            ///
            /// # Cancel safety
            ///
            /// When cancelled, some bytes may have been written, and nobody knows how many.
            ///
            /// # Examples
            ///
            /// See the function.
            pub async fn write_all(&mut self, mut data: &[u8]) -> io::Result<()> {
                while !data.is_empty() {
                    data = &data[self.write(data).await?..];
                }
                Ok(())
            }

            /// Passes on what std holds back: with standard output the begin of a line.
            ///
            /// # Errors
            ///
            /// As [`write`](Self::write).
            ///
            /// # Cancel safety
            ///
            /// It may be done nevertheless; then its error is that of the next call.
            ///
            /// # Examples
            ///
            /// See the function.
            pub async fn flush(&mut self) -> io::Result<()> {
                poll_fn(|cx| self.0.poll_flush(cx)).await
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.0.poll_write(cx, data)
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.poll_flush(cx)
            }

            /// As flushing: the stream stays open.
            fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.poll_flush(cx)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type)).finish_non_exhaustive()
            }
        }
    };
}

stream! {
    /// The standard output of the process.
    ///
    /// A thread of the process writes it, by std's handle and in the order in which writes begin, those of all handles and of
    /// `println!`. When a write returns, std has the bytes, which passes on whole lines, and the rest when it is flushed or the program ends.
    /// The thread is waited for by nobody: where nobody reads the output, a write waits, and keeps neither a runtime nor the program from
    /// ending. Cancelled writes do not pile up there: what is kept for the thread has a limit, and whoever comes then waits before it begins.
    ///
    /// Each write is one trip to that thread: for small pieces put a [`BufWriter`](crate::io::BufWriter) around it.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut stdout = weftline::io::stdout();
    /// stdout.write_all(b"all of a line\n").await?;
    /// stdout.write_all(b"> ").await?;
    /// stdout.flush().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    stdout,
    /// The standard output of the process; made by [`stdout`].
    Stdout,
    STDOUT
}

stream! {
    /// The standard error of the process: as [`stdout`], and nothing is held back.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// weftline::io::stderr().write_all(b"something is wrong\n").await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    stderr,
    /// The standard error of the process; made by [`stderr`].
    Stderr,
    STDERR
}
