//! Standard input: read on demand, and what was read is kept until somebody takes it.

use super::lane::Lane;
use crate::platform::fork::Generation;
use crate::sync::{Audience, Place};
use futures_io::AsyncRead;
use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::{fmt, mem};

/// How much is read at once: as much as std reads.
const READ_BYTES: usize = 8 * 1024;

/// The thread that reads.
static LANE: Lane = Lane::new("weftline-stdin");

/// What it has read.
static INPUT: LazyLock<Input> = LazyLock::new(Input::default);

/// Standard input as it is seen by all handles.
#[derive(Default)]
struct Input {
    /// What was read, and whether more is on its way.
    kept: Mutex<Kept>,
    /// Who waits for it.
    audience: Audience,
}

/// What was read and not taken.
#[derive(Default)]
struct Kept {
    /// The bytes, of which those before `taken` were taken.
    bytes: Vec<u8>,
    /// How many were.
    taken: usize,
    /// Instead of bytes came the end, or an error.
    stopped: Option<io::Result<()>>,
    /// The process whose thread is reading.
    reading: Option<Generation>,
}

impl Input {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is there. None: nothing, but it is being read.
    fn take(&self, buf: &mut [u8]) -> Option<io::Result<usize>> {
        let mut kept = self.kept();
        let unread = &kept.bytes[kept.taken..];
        if !unread.is_empty() || buf.is_empty() {
            let count = unread.len().min(buf.len());
            buf[..count].copy_from_slice(&unread[..count]);
            kept.taken += count;
            return Some(Ok(count));
        }
        if let Some(stopped) = kept.stopped.take() {
            return Some(stopped.map(|()| 0));
        }
        if kept.reading.is_none_or(|process| !process.is_current()) {
            let bytes = mem::take(&mut kept.bytes);
            kept.taken = 0;
            if let Err(error) = LANE.send(move || INPUT.read(bytes)) {
                return Some(Err(error));
            }
            kept.reading = Some(Generation::current());
        }
        None
    }

    /// Reads. This is the call that blocks, on a thread that nobody waits for.
    fn read(&self, mut bytes: Vec<u8>) {
        bytes.resize(READ_BYTES, 0);
        let result = loop {
            match io::stdin().lock().read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        bytes.truncate(*result.as_ref().unwrap_or(&0));
        let mut kept = self.kept();
        kept.stopped = bytes.is_empty().then(|| result.map(drop));
        kept.bytes = bytes;
        kept.reading = None;
        drop(kept);
        self.audience.wake_all();
    }
}

/// The standard input of the process.
///
/// It is read by a thread of the process when somebody asks, and not before. That thread is waited for by nobody: a read that
/// waits for a user keeps neither a runtime nor the program from ending.
///
/// All handles share what was read. What std's handle holds in its buffer comes first; while a read waits, whoever uses std's handle
/// waits behind it. For lines put a [`BufReader`](crate::io::BufReader) around it, one for the whole
/// program, since what that holds is lost with it.
///
/// # Virtual time
///
/// Waiting for input takes no [virtual time](crate::runtime::Builder::virtual_time).
///
/// # Examples
///
/// ```no_run
/// use weftline::io::{BufReader, stdin};
///
/// # weftline::run(async {
/// let mut lines = BufReader::new(stdin());
/// loop {
///     let line = lines.read_line().await?;
///     if line.is_empty() {
///         break; // the end
///     }
///     println!("{} bytes", line.len());
/// }
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[must_use]
pub fn stdin() -> Stdin {
    Stdin { place: Place::default() }
}

/// The standard input of the process; made by [`stdin`].
///
/// It has the trait [`AsyncRead`], and one method for those who do not want to import it.
pub struct Stdin {
    /// Its place among those who wait.
    place: Place,
}

impl Stdin {
    /// Reads into `buf` what is there, waiting until there is something. Returns how many bytes;
    /// zero means the end, or that `buf` is empty. A terminal may go on after its end.
    ///
    /// # Errors
    ///
    /// Whatever the system says, and where it gives no thread.
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: what comes is for the next read, of any handle.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use weftline::io::stdin;
    /// use weftline::time::timeout;
    ///
    /// # weftline::run(async {
    /// let mut buf = [0; 64];
    /// match timeout(Duration::from_secs(10), stdin().read(&mut buf)).await {
    ///     Ok(count) => println!("{} bytes", count?),
    ///     Err(_) => println!("nobody there?"),
    /// }
    /// # std::io::Result::Ok(()) }).unwrap(); // which returns at once, in any case
    /// ```
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, buf)).await
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        INPUT.audience.poll_until(&mut self.place, cx, || INPUT.take(buf))
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        INPUT.audience.leave(&mut self.place);
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").finish_non_exhaustive()
    }
}
