//! `File`: std's file, whose calls are made on other threads.

mod traits;
mod trip;

use super::OpenOptions;
use super::errand::call;
use futures_io::AsyncRead;
use std::fs::{Metadata, Permissions};
use std::future::poll_fn;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::{fmt, fs};
use trip::{Ahead, Outcomes, Side, Trip, Waiting, move_back};

/// An open file: std's [`File`](fs::File), whose calls do not block the worker.
///
/// It has the traits of futures-io, and methods for those who do not want to import one.
///
/// # Buffers
///
/// There is none: a read or write is one trip to a thread that may block, with as many bytes as its caller gives room for,
/// up to 256 KiB. It takes some ten microseconds whatever it moves; for small pieces put a
/// [`BufReader`](crate::io::BufReader) or a [`BufWriter`](crate::io::BufWriter) around the file. A write that has returned was
/// made, so there is no need to flush, and no error comes late.
///
/// # One at a time
///
/// There is one place, and one trip at a time. The halves of a file that is [split](crate::io::split) share both: a write waits for
/// a read that is under way, and goes where that has moved the place. Two tasks that are not to wait for each other have
/// two files, by [`try_clone`](Self::try_clone), which share the place.
///
/// # Cancel safety
///
/// A trip that has begun cannot be stopped. The file keeps it, and the next call waits for it.
///
/// - **A cancelled read** loses nothing: what it brings is for the next read, also an error, unless a seek comes first. Before a
///   write, a seek or [`into_std`](Self::into_std) the place of the file is moved back to where its reader is.
/// - **A cancelled write** is made as a whole, in part or not at all, before all that is done with the file later, and also if the file is
///   dropped. Its error is that of the next write or [`flush`](Self::flush); if the file was dropped, it is
///   [reported](crate::runtime::Builder::on_unhandled). A write of the same bytes that comes next takes the place
///   of the cancelled one, so that trying again does not write twice.
///
/// # Dropping
///
/// It is closed on the thread that drops it, or at the end of the trip that is under way. As with std's, an error of closing is
/// told to nobody: call [`sync_all`](Self::sync_all) where that matters.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::fs::{self, File};
///
/// let dir = fs::TempDir::new().await?;
/// let path = dir.path().join("greeting");
/// let mut file = File::create(&path).await?;
/// file.write_all(b"hello").await?;
/// drop(file);
/// let mut file = File::open(&path).await?;
/// let mut buf = [0; 16];
/// let n = file.read(&mut buf).await?;
/// assert_eq!(&buf[..n], b"hello");
/// # dir.close().await }).unwrap();
/// ```
pub struct File {
    /// The file; a trip has a reference of its own.
    file: Arc<fs::File>,
    /// What was read and not taken.
    ahead: Ahead,
    /// What the last write was to write.
    wrote: Vec<u8>,
    /// What is being done on another thread.
    trip: Option<Trip>,
    /// What has come of the trips before it, and was not taken.
    outcomes: Outcomes,
    /// Who waits for it.
    waiting: Waiting,
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// As std's; see [the module](super#errors).
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing was done.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).open(path).await
    }

    /// Makes a file, or empties the one that is there, and opens it for writing.
    ///
    /// # Errors
    ///
    /// As std's; see [the module](super#errors).
    ///
    /// # Cancel safety
    ///
    /// When cancelled, that may have been done.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path).await
    }

    /// Makes a file that is not there yet, and opens it for reading and writing.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if it is there; else as std's, see [the module](super#errors).
    ///
    /// # Cancel safety
    ///
    /// When cancelled, that may have been done.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use weftline::fs::{self, File};
    /// let dir = fs::TempDir::new().await?;
    /// let lock = File::create_new(dir.path().join("lock")).await?;
    /// assert!(File::create_new(dir.path().join("lock")).await.is_err());
    /// # drop(lock);
    /// # dir.close().await }).unwrap();
    /// ```
    pub async fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path).await
    }

    /// [`OpenOptions::new`].
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes over an open file.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut file = weftline::fs::File::from_std(std::fs::File::open("Cargo.toml")?);
    /// let mut begin = [0; 9];
    /// file.read_exact(&mut begin).await?;
    /// assert_eq!(&begin, b"[package]");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn from_std(file: fs::File) -> Self {
        Self {
            file: Arc::new(file),
            ahead: Ahead::default(),
            wrote: Vec::new(),
            trip: None,
            outcomes: Outcomes::default(),
            waiting: Waiting::default(),
        }
    }

    /// Gives the file back, with its place where the reader of this one is. If it has none, as a terminal, what a
    /// cancelled read has brought is gone.
    ///
    /// # Errors
    ///
    /// What a cancelled write has failed with; or where a call on another thread still has the file, and the system gives
    /// no other descriptor.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, the file is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use std::io::Read;
    /// let mut file = weftline::fs::File::open("Cargo.toml").await?;
    /// file.read_exact(&mut [0; 1]).await?;
    /// let mut rest = [0; 7];
    /// file.into_std().await?.read_exact(&mut rest)?;
    /// assert_eq!(&rest, b"package");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn into_std(mut self) -> io::Result<fs::File> {
        self.flush().await?;
        let ahead = self.ahead.len();
        if ahead > 0 {
            let file = self.file.clone();
            call(move || move_back(&file, ahead)).await?;
        }
        Arc::try_unwrap(self.file).or_else(|file| file.try_clone())
    }

    /// The file itself, for what this type has no method for. Calls on it block the thread, and do not know what a
    /// cancelled read or write has left.
    ///
    /// # Examples
    ///
    /// See [`send_file`](crate::io::send_file).
    #[must_use]
    pub fn as_std(&self) -> &fs::File {
        &self.file
    }

    /// Reads into `buf`; gives the number of bytes. Zero means the end, or that `buf` is empty.
    ///
    /// # Errors
    ///
    /// Whatever the system says, and when the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: what is brought is for the next read, also an error.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // An end that another one has seen may be the end no more.
        poll_fn(|cx| self.poll_settled(cx, Side::Reads)).await;
        poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, buf)).await
    }

    /// Reads until `buf` is full.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the end
    /// comes first.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, the bytes read so far are in `buf`, but nobody knows how many.
    ///
    /// # Examples
    ///
    /// See [`from_std`](Self::from_std).
    pub async fn read_exact(&mut self, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.read(buf).await? {
                0 => {
                    let text = format!("the file ends, and {} bytes are missing", buf.len());
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                }
                count => buf = &mut buf[count..],
            }
        }
        Ok(())
    }

    /// Reads until the end, and appends everything to `buf`; gives the number of bytes. For a whole file there is
    /// [`read`](super::read).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); what was read before stays in `buf`.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, what was read so far is in `buf`, or is for the next read: nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut file = weftline::fs::File::open("Cargo.toml").await?;
    /// let mut all = Vec::new();
    /// let count = file.read_to_end(&mut all).await?;
    /// assert_eq!(file.metadata().await?.len(), count as u64);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        poll_fn(|cx| self.poll_settled(cx, Side::Reads)).await;
        let before = buf.len();
        loop {
            let count = poll_fn(|cx| {
                let unread = ready!(self.poll_ahead(cx, usize::MAX))?;
                buf.extend_from_slice(unread);
                Poll::Ready(io::Result::Ok(unread.len()))
            });
            match count.await? {
                0 => return Ok(buf.len() - before),
                count => self.consume_ahead(count),
            }
        }
    }

    /// Reads until the end, and appends everything to `text`; gives the number of bytes.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`InvalidData`](io::ErrorKind::InvalidData) where it is not UTF-8; then nothing is
    /// appended, and what was read is gone.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, what was read so far is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut file = weftline::fs::File::open("Cargo.toml").await?;
    /// let mut text = String::new();
    /// file.read_to_string(&mut text).await?;
    /// assert!(text.starts_with("[package]"));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_to_string(&mut self, text: &mut String) -> io::Result<usize> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).await?;
        let read = String::from_utf8(bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        text.push_str(&read);
        Ok(read.len())
    }

    /// Writes some of `data`; gives the number of bytes that were written.
    ///
    /// # Errors
    ///
    /// Whatever the system says, and when the runtime has shut down. Also what a cancelled write has failed with; then nothing
    /// of `data` was written.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, some of it may be written, before anything else that is done with the file; see
    /// [the type](File#cancel-safety).
    ///
    /// # Examples
    ///
    /// See [`write_all`](Self::write_all), which goes on until all is written.
    pub async fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_write_some(cx, data)).await
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
    /// See the type.
    pub async fn write_all(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            match self.write(data).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => data = &data[count..],
            }
        }
        Ok(())
    }

    /// Waits for a write that was cancelled, and tells its error. A write that has returned needs none.
    ///
    /// # Errors
    ///
    /// What the cancelled write has failed with.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost; the error is told by the next one.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use std::time::Duration;
    /// use weftline::time::timeout;
    ///
    /// let mut file = weftline::fs::tempfile().await?;
    /// let in_time = timeout(Duration::ZERO, file.write_all(b"hello")).await;
    /// file.flush().await?; // what has become of it is settled
    /// let length = file.metadata().await?.len();
    /// assert!(length == 5 || in_time.is_err());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_settled(cx, Side::Writes)).await;
        poll_fn(|cx| self.poll_written(cx)).await
    }

    /// Moves the place where reads and writes happen; gives it, from the beginning.
    ///
    /// # Errors
    ///
    /// Whatever the system says, such as that there is no place before the beginning.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, the place may have been moved.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use std::io::SeekFrom;
    /// let mut file = weftline::fs::tempfile().await?;
    /// file.write_all(b"hello").await?;
    /// assert_eq!(file.seek(SeekFrom::End(-2)).await?, 3);
    /// let mut rest = Vec::new();
    /// file.read_to_end(&mut rest).await?;
    /// assert_eq!(rest, b"lo");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        poll_fn(|cx| self.poll_seek_to(cx, to)).await
    }

    /// Has the system bring contents and metadata to the device.
    ///
    /// # Errors
    ///
    /// Whatever the system says, and what a cancelled write has failed with.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nobody knows whether it was done.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut file = weftline::fs::tempfile().await?;
    /// file.write_all(b"hello").await?;
    /// file.sync_all().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn sync_all(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.ask(fs::File::sync_all).await
    }

    /// As [`sync_all`](Self::sync_all), without the metadata that are not needed to read the contents.
    ///
    /// # Errors
    ///
    /// As [`sync_all`](Self::sync_all).
    ///
    /// # Cancel safety
    ///
    /// As [`sync_all`](Self::sync_all).
    ///
    /// # Examples
    ///
    /// See [`sync_all`](Self::sync_all).
    pub async fn sync_data(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.ask(fs::File::sync_data).await
    }

    /// Makes the file that long: cuts it, or adds zeroes.
    ///
    /// # Errors
    ///
    /// Whatever the system says, and what a cancelled write has failed with.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nobody knows whether it was done.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut file = weftline::fs::tempfile().await?;
    /// file.set_len(100).await?;
    /// assert_eq!(file.metadata().await?.len(), 100);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn set_len(&mut self, length: u64) -> io::Result<()> {
        self.flush().await?;
        self.ask(move |file| file.set_len(length)).await
    }

    /// What is known of the file.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    ///
    /// # Examples
    ///
    /// See [`set_len`](Self::set_len).
    pub async fn metadata(&self) -> io::Result<Metadata> {
        self.ask(fs::File::metadata).await
    }

    /// Changes the permissions of the file.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nobody knows whether it was done.
    ///
    /// # Examples
    ///
    /// See [`fs::set_permissions`](super::set_permissions).
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.ask(move |file| file.set_permissions(permissions)).await
    }

    /// One more handle to the same open file, with one place for both. What a cancelled read has left stays with
    /// this one.
    ///
    /// # Errors
    ///
    /// Whatever the system says, such as that there are too many descriptors.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let mut file = weftline::fs::tempfile().await?;
    /// let mut other = file.try_clone().await?;
    /// file.write_all(b"one").await?;
    /// other.write_all(b"two").await?;
    /// assert_eq!(file.metadata().await?.len(), 6);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn try_clone(&self) -> io::Result<Self> {
        self.ask(fs::File::try_clone).await.map(Self::from_std)
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let file = self.file.clone();
        call(move || question(&file)).await
    }
}

impl From<fs::File> for File {
    fn from(file: fs::File) -> Self {
        Self::from_std(file)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("File").field(&self.file).finish()
    }
}
