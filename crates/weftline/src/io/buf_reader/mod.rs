//! `BufReader`: bytes are taken from a source in large pieces and given out as they are asked for, by
//! lines, by separators, by number.
//!
//! What was read and not given out stays in the buffer, whatever becomes of the future that read it:
//! every method here can be cancelled. How much may pile up in search of a separator is limited.
//! `search` finds separators, `lines` makes a stream.

mod lines;
mod search;

pub use lines::Lines;

use super::{AsyncBufRead, AsyncRead, AsyncWrite, IncompleteRead, LimitOverrun, ReadError};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How far a search for a separator goes, where nobody said otherwise. As in asyncio.
const LIMIT: usize = 64 * 1024;
/// How much room there is for each read from the source, at least.
const READ_BYTES: usize = 8 * 1024;
/// A buffer that has grown beyond this is given back when it is empty.
const KEPT_BYTES: usize = 4 * READ_BYTES;

/// Reads from a source in large pieces and gives the bytes out by lines, separators or numbers.
///
/// It is what the type of that name is in std, with the rules of asyncio's stream reader where they
/// go further. A search for a separator stops at a limit, so that nobody fills the memory by not
/// sending one. What was read before an unexpected end is in the error. The end stays the end, and a
/// failure of the source stays too: each later read that needs the source fails in the same way, and
/// none mistakes the silence behind it for an end.
///
/// The source is anything with the trait [`AsyncRead`], which must be [`Unpin`] (`Box::pin` makes it
/// so): a socket, one half of it, a reference to it. Where the source can be written to, so can the
/// reader, which passes that on as an [`AsyncWrite`]: together with what it has read it is still a stream. The methods to
/// write with are the source's, `reader.get_mut().write_all(..)`.
///
/// # Examples
///
/// ```
/// use weftline::io::BufReader;
///
/// weftline::run(async {
///     let mut reader = BufReader::new(&b"GET /\r\nHost: example.org\r\n\r\nbody"[..]);
///     assert_eq!(reader.read_line().await?, b"GET /\r\n");
///     assert_eq!(reader.read_until(&[b"\r\n\r\n"]).await?, b"Host: example.org\r\n\r\n");
///     let mut body = [0; 4];
///     reader.read_exact(&mut body).await?;
///     assert_eq!(&body, b"body");
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
pub struct BufReader<R> {
    /// What is read from.
    source: R,
    /// What was read and not given out lies in here, from `start` to `end`.
    bytes: Vec<u8>,
    /// Where the bytes begin that were not given out.
    start: usize,
    /// Where they end, and there is room for more.
    end: usize,
    /// How far a search for a separator goes, in bytes.
    limit: usize,
    /// Why nothing comes from the source any more.
    over: Option<Over>,
}

/// How a source ended.
enum Over {
    /// It has no more bytes.
    End,
    /// It failed with an error like this.
    Failed(io::Error),
}

/// What a search came to.
enum Found {
    /// The first separator ends after so many bytes.
    Separator(usize),
    /// The end came, and there is none.
    End,
}

impl<R> BufReader<R> {
    /// A reader with the usual limit, 64 KiB.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn new(source: R) -> Self {
        Self::with_limit(LIMIT, source)
    }

    /// A reader whose searches for a separator go `limit` bytes far. The limit holds for
    /// [`read_line`](Self::read_line), [`lines`](Self::lines) and [`read_until`](Self::read_until).
    ///
    /// # Panics
    ///
    /// When the limit is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::io::{BufReader, ReadError};
    ///
    /// weftline::run(async {
    ///     let mut reader = BufReader::with_limit(4, &b"a long line\nshort\n"[..]);
    ///     let error = reader.read_line().await.unwrap_err();
    ///     assert!(matches!(error, ReadError::LimitOverrun(overrun) if overrun.consumed == 11));
    ///     reader.read_line().await.unwrap_err(); // "short" is too long as well
    ///     assert_eq!(reader.read_line().await.unwrap(), b"");
    /// });
    /// ```
    pub fn with_limit(limit: usize, source: R) -> Self {
        assert!(limit > 0, "a reader's limit is at least 1 byte");
        Self { source, bytes: Vec::new(), start: 0, end: 0, limit, over: None }
    }

    /// What was read from the source and not given out.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut reader = weftline::io::BufReader::new(&b"one\ntwo\n"[..]);
    /// reader.read_line().await.unwrap();
    /// assert_eq!(reader.buffer(), b"two\n");
    /// # });
    /// ```
    #[must_use]
    pub fn buffer(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Whether the end was reached: the source has ended, and all was given out. That a source has
    /// ended shows only when a read finds nothing more.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut reader = weftline::io::BufReader::new(&b"one"[..]);
    /// assert!(!reader.at_eof());
    /// assert_eq!(reader.read_line().await.unwrap(), b"one");
    /// assert!(reader.at_eof());
    /// # });
    /// ```
    #[must_use]
    pub fn at_eof(&self) -> bool {
        matches!(self.over, Some(Over::End)) && self.start == self.end
    }

    /// The source. Who reads from it misses what is in the [`buffer`](Self::buffer).
    ///
    /// # Examples
    ///
    /// ```
    /// let reader = weftline::io::BufReader::new(&b"one"[..]);
    /// assert_eq!(reader.get_ref(), &b"one");
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &R {
        &self.source
    }

    /// The source, to change something about it. Who reads from it misses what is in the
    /// [`buffer`](Self::buffer).
    ///
    /// # Examples
    ///
    /// ```
    /// let mut reader = weftline::io::BufReader::new(&b"one"[..]);
    /// *reader.get_mut() = b"two";
    /// assert_eq!(reader.into_inner(), b"two");
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.source
    }

    /// Gives the source back. What is in the [`buffer`](Self::buffer) is lost.
    ///
    /// # Examples
    ///
    /// See [`get_mut`](Self::get_mut).
    #[must_use]
    pub fn into_inner(self) -> R {
        self.source
    }

    /// Gives out the first `count` bytes of the buffer.
    fn take(&mut self, count: usize) -> &[u8] {
        let (from, left) = (self.start, self.end - self.start);
        assert!(count <= left, "{count} bytes of {left} are used up");
        self.start += count;
        &self.bytes[from..self.start]
    }

    /// Gives out all of the buffer.
    fn take_all(&mut self) -> &[u8] {
        self.take(self.end - self.start)
    }

    /// Makes room behind the bytes.
    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > KEPT_BYTES {
                self.bytes = Vec::new();
            }
        }
        if self.bytes.len() - self.end < READ_BYTES && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() - self.end < READ_BYTES {
            let wanted = (self.end + READ_BYTES).max(self.bytes.len() * 2);
            self.bytes.resize(wanted, 0);
        }
    }

    /// Remembers the end or a failure of the source.
    fn note(&mut self, result: &io::Result<usize>) {
        match result {
            Ok(0) => self.over = Some(Over::End),
            Ok(_) => {}
            Err(error) => self.over = Some(Over::Failed(alike(error))),
        }
    }
}

/// An error that says the same.
fn alike(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl<R: AsyncRead + Unpin> BufReader<R> {
    /// Reads into `buf` what is there, waiting until there is something. Returns how many bytes;
    /// zero means the end, or that `buf` is empty.
    ///
    /// # Errors
    ///
    /// Whatever the source says, also each time after that.
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: bytes are taken only by the poll that returns them.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut reader = weftline::io::BufReader::new(&b"hello"[..]);
    /// let mut buf = [0; 4];
    /// assert_eq!(reader.read(&mut buf).await?, 4);
    /// assert_eq!(reader.read(&mut buf).await?, 1);
    /// assert_eq!(reader.read(&mut buf).await?, 0);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, buf)).await
    }

    /// Reads until the end and appends everything to `buf`. Returns how many bytes were appended.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); what was read before is in `buf`.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, what was read so far is in `buf`: nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut reader = weftline::io::BufReader::new(&b"all of it"[..]);
    /// let mut all = Vec::new();
    /// assert_eq!(reader.read_to_end(&mut all).await?, 9);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let before = buf.len();
        loop {
            buf.extend_from_slice(self.take_all());
            if poll_fn(|cx| self.poll_more(cx)).await? == 0 {
                return Ok(buf.len() - before);
            }
        }
    }

    /// Reads until `buf` is full, however long it is: the limit is for searches.
    ///
    /// # Errors
    ///
    /// [`ReadError::Incomplete`] when the end comes first: what was there is in the error, and `buf` is
    /// as it was. [`ReadError::Io`] as [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: what was read so far stays in the reader, and `buf` is as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::io::{BufReader, ReadError};
    ///
    /// weftline::run(async {
    ///     let mut reader = BufReader::new(&b"hello"[..]);
    ///     let mut buf = [0; 4];
    ///     reader.read_exact(&mut buf).await.unwrap();
    ///     assert_eq!(&buf, b"hell");
    ///     let error = reader.read_exact(&mut buf).await.unwrap_err();
    ///     assert_eq!(error.to_string(), "the end came after 1 of 4 bytes");
    ///     assert!(matches!(error, ReadError::Incomplete(read) if read.partial == b"o"));
    /// });
    /// ```
    pub async fn read_exact(&mut self, buf: &mut [u8]) -> Result<(), ReadError> {
        while self.buffer().len() < buf.len() {
            if poll_fn(|cx| self.poll_more(cx)).await? == 0 {
                let partial = self.take_all().to_vec();
                let expected = Some(buf.len());
                return Err(ReadError::Incomplete(IncompleteRead { partial, expected }));
            }
        }
        buf.copy_from_slice(self.take(buf.len()));
        Ok(())
    }

    /// Reads a line: the bytes up to `\n`, which is the last of them. At the end it gives what is left,
    /// which may be a line without `\n`, or nothing.
    ///
    /// # Errors
    ///
    /// [`ReadError::LimitOverrun`] when there is no `\n` within the limit. The line is then removed if
    /// its `\n` was seen; otherwise all that was read is removed, and what comes next is taken for a
    /// line. [`ReadError::Io`] as [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: what was read of the line stays in the reader.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut reader = weftline::io::BufReader::new(&b"one\ntwo"[..]);
    /// assert_eq!(reader.read_line().await?, b"one\n");
    /// assert_eq!(reader.read_line().await?, b"two");
    /// assert_eq!(reader.read_line().await?, b"");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_line(&mut self) -> Result<&[u8], ReadError> {
        let mut searched = 0;
        let length = poll_fn(|cx| self.poll_line(cx, &mut searched)).await?;
        Ok(self.take(length))
    }

    /// The lines as text, one after the other. The stream borrows the reader, which can be used in
    /// other ways after it.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut reader = weftline::io::BufReader::new(&b"one\r\ntwo\n"[..]);
    /// let mut lines = reader.lines();
    /// while let Some(line) = lines.next().await {
    ///     assert!(["one", "two"].contains(&line?.as_str()));
    /// }
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn lines(&mut self) -> Lines<'_, R> {
        Lines::new(self)
    }

    /// Reads up to the first of `separators`, which is at the end of what is returned. The first is the
    /// one that ends first.
    ///
    /// # Errors
    ///
    /// [`ReadError::LimitOverrun`] when there are more bytes in front of the separator than the limit; they
    /// stay in the reader, to be read in another way. [`ReadError::Incomplete`] when the end
    /// comes first; what was there is in the error. [`ReadError::Io`] as [`read`](Self::read).
    ///
    /// # Panics
    ///
    /// When there is no separator, or one is empty.
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: what was read so far stays in the reader.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut reader = weftline::io::BufReader::new(&b"1, 2; 3"[..]);
    /// assert_eq!(reader.read_until(&[b", ", b"; "]).await?, b"1, ");
    /// assert_eq!(reader.read_until(&[b", ", b"; "]).await?, b"2; ");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_until(&mut self, separators: &[&[u8]]) -> Result<&[u8], ReadError> {
        assert!(!separators.is_empty(), "at least one separator is needed");
        assert!(!separators.contains(&&b""[..]), "a separator is at least 1 byte long");
        let mut searched = 0;
        match poll_fn(|cx| self.poll_found(cx, separators, &mut searched)).await? {
            Found::Separator(end) => Ok(self.take(end)),
            Found::End => {
                let partial = self.take_all().to_vec();
                Err(ReadError::Incomplete(IncompleteRead { partial, expected: None }))
            }
        }
    }

    /// Reads on until there is a whole line: how long it is. What is too long is removed.
    fn poll_line(
        &mut self,
        cx: &mut Context<'_>,
        searched: &mut usize,
    ) -> Poll<Result<usize, ReadError>> {
        Poll::Ready(match ready!(self.poll_found(cx, &[b"\n"], searched)) {
            Ok(Found::Separator(end)) => Ok(end),
            Ok(Found::End) => Ok(self.buffer().len()),
            Err(error) => {
                if let ReadError::LimitOverrun(overrun) = &error {
                    match overrun.is_found {
                        true => self.take(overrun.consumed + 1),
                        false => self.take_all(),
                    };
                }
                Err(error)
            }
        })
    }

    /// Reads on until one of `separators` is in the buffer. `searched` is how many bytes are known to
    /// begin none.
    fn poll_found(
        &mut self,
        cx: &mut Context<'_>,
        separators: &[&[u8]],
        searched: &mut usize,
    ) -> Poll<Result<Found, ReadError>> {
        let longest = separators.iter().map(|separator| separator.len()).max().unwrap_or(0);
        let limit = self.limit;
        let overrun = |consumed, is_found| {
            let overrun = LimitOverrun { limit, consumed, is_found };
            Poll::Ready(Err(ReadError::LimitOverrun(overrun)))
        };
        loop {
            let bytes = self.buffer();
            if let Some(place) = search::first(bytes, separators, *searched) {
                if place.start > limit {
                    return overrun(place.start, true);
                }
                return Poll::Ready(Ok(Found::Separator(place.end)));
            }
            // The last bytes may begin one.
            *searched = (bytes.len() + 1).saturating_sub(longest);
            if *searched > limit {
                return overrun(*searched, false);
            }
            if ready!(self.poll_more(cx))? == 0 {
                return Poll::Ready(Ok(Found::End));
            }
        }
    }

    /// Reads once from the source, to the end of the buffer.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match &self.over {
            Some(Over::End) => return Poll::Ready(Ok(0)),
            Some(Over::Failed(error)) => return Poll::Ready(Err(alike(error))),
            None => self.make_room(),
        }
        let room = &mut self.bytes[self.end..];
        let result = ready!(Pin::new(&mut self.source).poll_read(cx, room));
        self.note(&result);
        if let Ok(count) = result {
            assert!(
                count <= self.bytes.len() - self.end,
                "a source read more than it had room for"
            );
            self.end += count;
        }
        Poll::Ready(result)
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for BufReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.start == this.end {
            // What fills a buffer by itself need not go through another one.
            if buf.len() >= READ_BYTES && this.over.is_none() {
                let result = ready!(Pin::new(&mut this.source).poll_read(cx, buf));
                this.note(&result);
                return Poll::Ready(result);
            }
            ready!(this.poll_more(cx))?;
        }
        let count = buf.len().min(this.buffer().len());
        buf[..count].copy_from_slice(this.take(count));
        Poll::Ready(Ok(count))
    }
}

impl<R: AsyncRead + Unpin> AsyncBufRead for BufReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.start == this.end {
            ready!(this.poll_more(cx))?;
        }
        Poll::Ready(Ok(this.buffer()))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.take(count);
    }
}

impl<R: AsyncWrite + Unpin> AsyncWrite for BufReader<R> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.source).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.source).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.source).poll_close(cx)
    }
}

impl<R: fmt::Debug> fmt::Debug for BufReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufReader")
            .field("source", &self.source)
            .field("buffered", &self.buffer().len())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
