//! The lines of a reader, as a stream.

use super::BufReader;
use crate::io::{AsyncRead, ReadError};
use futures_core::Stream;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The lines that come from a [`BufReader`]; made by [`BufReader::lines`].
///
/// An item is a line without its `\n` or `\r\n`, or what kept it from being one. A line that is too
/// long or is not UTF-8 is gone, and the next item is what comes after it; of one that is too long
/// and whose end has not come yet, that is the rest. The end and a failure of the source end the
/// stream.
///
/// # Examples
///
/// See [`BufReader::lines`].
#[derive(Debug)]
#[must_use = "a stream does nothing until it is polled"]
pub struct Lines<'a, R> {
    /// Where they come from.
    reader: &'a mut BufReader<R>,
    /// How much of the reader's buffer is known to hold no end of a line.
    searched: usize,
    /// No line comes any more.
    is_over: bool,
}

impl<'a, R: AsyncRead + Unpin> Lines<'a, R> {
    pub(super) fn new(reader: &'a mut BufReader<R>) -> Self {
        Self { reader, searched: 0, is_over: false }
    }

    /// Waits for the next line; `None` at the end.
    ///
    /// # Errors
    ///
    /// As [`BufReader::read_line`], and [`InvalidData`](io::ErrorKind::InvalidData) for a line that is
    /// not UTF-8.
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: what was read of the line stays in the reader.
    ///
    /// # Examples
    ///
    /// See [`BufReader::lines`].
    pub async fn next(&mut self) -> Option<Result<String, ReadError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<R: AsyncRead + Unpin> Stream for Lines<'_, R> {
    type Item = Result<String, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        let found = ready!(this.reader.poll_line(cx, &mut this.searched));
        this.searched = 0;
        this.is_over = matches!(found, Ok(0) | Err(ReadError::Io(_)));
        Poll::Ready(match found {
            Ok(0) => None,
            Ok(length) => Some(text(this.reader.take(length)).map_err(ReadError::Io)),
            Err(error) => Some(Err(error)),
        })
    }
}

/// A line as text, without its end.
fn text(line: &[u8]) -> io::Result<String> {
    let line = match line.strip_suffix(b"\n") {
        Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
        None => line,
    };
    match std::str::from_utf8(line) {
        Ok(line) => Ok(line.to_owned()),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}
