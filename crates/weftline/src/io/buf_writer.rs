//! `BufWriter`: small pieces are gathered and written in large ones, and who writes faster than the
//! sink takes waits.

use super::AsyncWrite;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How much a writer gathers, where nobody said otherwise. As in std.
const CAPACITY: usize = 8 * 1024;

/// Gathers what is written and passes it on in large pieces.
///
/// Back-pressure is built in: a writer holds no more than its capacity, and who writes more waits until
/// the sink has taken it. In asyncio that is the part one may forget.
///
/// What is still in it when it is dropped is lost: end with [`flush`](Self::flush) or
/// [`close`](Self::close). The sink is anything with the trait [`AsyncWrite`] that is [`Unpin`].
///
/// # Examples
///
/// ```
/// use weftline::io::BufWriter;
///
/// weftline::run(async {
///     let mut writer = BufWriter::new(Vec::new());
///     for number in 0..3 {
///         writer.write_all(format!("{number}\n").as_bytes()).await?;
///     }
///     writer.flush().await?;
///     assert_eq!(writer.get_ref(), b"0\n1\n2\n");
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
pub struct BufWriter<W> {
    /// Where it goes.
    sink: W,
    /// What was gathered; never more than `capacity`.
    bytes: Vec<u8>,
    /// How much of `bytes` the sink has taken.
    taken: usize,
    /// How much is gathered, in bytes.
    capacity: usize,
}

impl<W> BufWriter<W> {
    /// A writer that gathers up to 8 KiB.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn new(sink: W) -> Self {
        Self::with_capacity(CAPACITY, sink)
    }

    /// A writer that gathers up to `capacity` bytes. What is at least so long goes to the sink as it
    /// is.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut writer = weftline::io::BufWriter::with_capacity(4, Vec::new());
    /// writer.write_all(b"one").await?;
    /// assert!(writer.get_ref().is_empty());
    /// writer.write_all(b"two").await?; // there is no room for both
    /// assert_eq!((writer.get_ref().as_slice(), writer.buffer()), (&b"one"[..], &b"two"[..]));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn with_capacity(capacity: usize, sink: W) -> Self {
        Self { sink, bytes: Vec::new(), taken: 0, capacity }
    }

    /// What was written here and not yet to the sink.
    ///
    /// # Examples
    ///
    /// See [`with_capacity`](Self::with_capacity).
    #[must_use]
    pub fn buffer(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// The sink.
    ///
    /// # Examples
    ///
    /// See the type.
    #[must_use]
    pub fn get_ref(&self) -> &W {
        &self.sink
    }

    /// The sink, to change something about it. What is written to it overtakes what is in the
    /// [`buffer`](Self::buffer).
    ///
    /// # Examples
    ///
    /// ```
    /// let mut writer = weftline::io::BufWriter::new(vec![1]);
    /// writer.get_mut().push(2);
    /// assert_eq!(writer.into_inner(), [1, 2]);
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.sink
    }

    /// Gives the sink back. What is in the [`buffer`](Self::buffer) is lost.
    ///
    /// # Examples
    ///
    /// See [`get_mut`](Self::get_mut).
    #[must_use]
    pub fn into_inner(self) -> W {
        self.sink
    }
}

impl<W: AsyncWrite + Unpin> BufWriter<W> {
    /// Writes all of `data`, and waits as long as there is no room for it.
    ///
    /// # Errors
    ///
    /// Whatever the sink says, and [`WriteZero`](io::ErrorKind::WriteZero) when it takes no more. It
    /// may concern bytes of earlier calls.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing of `data` was taken if it is shorter than the capacity: it may be
    /// written again. Of a longer one, nobody knows how much was.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn write_all(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            match poll_fn(|cx| Pin::new(&mut *self).poll_write(cx, data)).await? {
                0 => return Err(takes_no_more(data.len())),
                count => data = &data[count..],
            }
        }
        Ok(())
    }

    /// Passes on what was gathered, and flushes the sink.
    ///
    /// # Errors
    ///
    /// As [`write_all`](Self::write_all).
    ///
    /// # Cancel safety
    ///
    /// Calling it again goes on where it was.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self).poll_flush(cx)).await
    }

    /// Passes on what was gathered, and closes the sink: the other side of a connection reads the end.
    ///
    /// # Errors
    ///
    /// As [`write_all`](Self::write_all).
    ///
    /// # Cancel safety
    ///
    /// Calling it again goes on where it was.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (theirs, _) = listener.accept().await?;
    /// let mut writer = weftline::io::BufWriter::new(stream);
    /// writer.write_all(b"bye").await?;
    /// writer.close().await?;
    /// let mut all = Vec::new();
    /// theirs.read_to_end(&mut all).await?;
    /// assert_eq!(all, b"bye");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn close(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self).poll_close(cx)).await
    }

    /// Passes on what was gathered.
    fn poll_pass_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.taken < self.bytes.len() {
            let rest = &self.bytes[self.taken..];
            match ready!(Pin::new(&mut self.sink).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(takes_no_more(rest.len()))),
                count => self.taken += count,
            }
        }
        self.bytes.clear();
        self.taken = 0;
        Poll::Ready(Ok(()))
    }
}

/// The error of a sink that is full for good.
fn takes_no_more(left: usize) -> io::Error {
    let text = format!("the sink takes no more; {left} bytes are left");
    io::Error::new(io::ErrorKind::WriteZero, text)
}

impl<W: AsyncWrite + Unpin> AsyncWrite for BufWriter<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.bytes.len() + data.len() > self.capacity {
            ready!(self.poll_pass_on(cx))?;
        }
        if data.len() >= self.capacity {
            return Pin::new(&mut self.sink).poll_write(cx, data);
        }
        self.bytes.extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pass_on(cx))?;
        Pin::new(&mut self.sink).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pass_on(cx))?;
        Pin::new(&mut self.sink).poll_close(cx)
    }
}

impl<W: fmt::Debug> fmt::Debug for BufWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufWriter")
            .field("sink", &self.sink)
            .field("buffered", &self.buffer().len())
            .field("capacity", &self.capacity)
            .finish()
    }
}
