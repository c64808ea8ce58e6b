//! `send_file`: from a file to a socket, inside of the kernel where it can.

use super::Async;
use crate::platform::file;
use crate::platform::poller::{AsDescriptor, descriptor};
use crate::task::spawn_blocking;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// How much is asked of the kernel at once. A socket takes less.
const MOST_BYTES: u64 = 1 << 30;
/// How much is read at once where the kernel does not do it. Value picked out of thin air.
const PIECE_BYTES: u64 = 64 * 1024;

/// Sends the bytes of `file` that are in `range` to a socket; says how many. They end where the file
/// does. The cursor of the file is neither used nor moved (but on Windows).
///
/// On Linux the kernel passes them on (`sendfile`), and the program never sees them. Elsewhere, and where the kernel
/// cannot, they are read by a thread for blocking jobs, and written. A socket lends
/// itself with `as_async`, a [`fs::File`](crate::fs::File) with `as_std`.
///
/// # Errors
///
/// What reading or writing fails with; [`SendFileError::sent`] says how many bytes were sent before.
///
/// # Panics
///
/// Outside of a runtime, where a thread has to read.
///
/// # Cancel safety
///
/// When cancelled, some bytes may have been sent, and nobody knows how many.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// # use weftline::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let stream = TcpStream::connect(listener.local_addr()?).await?;
/// # let (theirs, _) = listener.accept().await?;
/// let file = weftline::fs::File::open("Cargo.toml").await?;
/// let sent = weftline::io::send_file(stream.as_async(), file.as_std(), 1..8).await?;
/// assert_eq!(sent, 7);
/// # drop(stream);
/// # let mut all = Vec::new();
/// theirs.read_to_end(&mut all).await?;
/// assert_eq!(all, b"package");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn send_file<T>(
    socket: &Async<T>,
    file: &File,
    range: impl RangeBounds<u64>,
) -> Result<u64, SendFileError>
where
    T: AsDescriptor,
    for<'a> &'a T: Write,
{
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    let mut sending = Sending { next: start, end };
    let mut result = sending.inside_of_the_kernel(socket, file).await;
    if matches!(&result, Err(error) if error.kind() == io::ErrorKind::Unsupported) {
        result = sending.piece_by_piece(socket, file).await;
    }
    let sent = sending.next - start;
    match result {
        Ok(()) => Ok(sent),
        Err(error) => Err(SendFileError { sent, error }),
    }
}

/// What [`send_file`] failed with, and how far it came.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// # use weftline::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let stream = TcpStream::connect(listener.local_addr()?).await?;
/// let file = std::fs::File::open("Cargo.toml")?;
/// stream.shutdown(std::net::Shutdown::Write).await?;
/// let error = weftline::io::send_file(stream.as_async(), &file, ..).await.unwrap_err();
/// assert_eq!(error.sent, 0);
/// assert_eq!(error.error.kind(), std::io::ErrorKind::BrokenPipe);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct SendFileError {
    /// How many bytes were sent before.
    pub sent: u64,
    /// What it failed with.
    pub error: io::Error,
}

/// A file that is being sent.
struct Sending {
    /// The place in the file of the next byte.
    next: u64,
    /// The place behind the last one.
    end: u64,
}

impl Sending {
    /// How many bytes to ask for, of those that are left: up to `most`.
    fn left(&self, most: u64) -> usize {
        let left = self.end.saturating_sub(self.next).min(most);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    async fn inside_of_the_kernel<T>(&mut self, socket: &Async<T>, file: &File) -> io::Result<()>
    where
        T: AsDescriptor,
    {
        loop {
            let (from, count) = (self.next, self.left(MOST_BYTES));
            if count == 0 {
                return Ok(());
            }
            let send = |socket: &T| file::send(descriptor(socket), file, from, count);
            match socket.write_with(send).await? {
                0 => return Ok(()),
                sent => self.next += sent as u64,
            }
        }
    }

    async fn piece_by_piece<T>(&mut self, socket: &Async<T>, file: &File) -> io::Result<()>
    where
        T: AsDescriptor,
        for<'a> &'a T: Write,
    {
        let file = Arc::new(file.try_clone()?);
        loop {
            let (file, from, count) = (file.clone(), self.next, self.left(PIECE_BYTES));
            let reading = spawn_blocking(move || {
                let mut piece = vec![0; count];
                let count = file::read_at(&file, &mut piece, from)?;
                piece.truncate(count);
                io::Result::Ok(piece)
            });
            let piece = reading.await.map_err(io::Error::other)??;
            if piece.is_empty() {
                return Ok(());
            }
            let mut rest = &piece[..];
            while !rest.is_empty() {
                let sent = socket.write(rest).await?;
                if sent == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                self.next += sent as u64;
                rest = &rest[sent..];
            }
        }
    }
}

impl fmt::Display for SendFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes were sent, and then: {}", self.sent, self.error)
    }
}

impl Error for SendFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl From<SendFileError> for io::Error {
    fn from(error: SendFileError) -> Self {
        error.error
    }
}
