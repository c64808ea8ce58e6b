//! `read_dir`: what is in a directory, as a stream; many entries come from one trip to another thread.

use super::errand::{Errand, call};
use super::failure::at;
use futures_core::Stream;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, FileType, Metadata};
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::{fmt, io};

/// How many entries one trip brings. Value picked out of thin air: what the system gives at once, about.
const ENTRIES: usize = 64;

/// What is in a directory, in the system's order, without `.` and `..`.
///
/// # Errors
///
/// Where the directory cannot be opened; see [the module](super#errors).
///
/// # Cancel safety
///
/// See [the module](super#cancel-safety).
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::fs;
/// let dir = fs::TempDir::new().await?;
/// fs::write(dir.path().join("b"), "hello").await?;
/// fs::create_dir(dir.path().join("a")).await?;
///
/// let mut names = Vec::new();
/// let mut entries = fs::read_dir(dir.path()).await?;
/// while let Some(entry) = entries.next_entry().await? {
///     if entry.file_type().await?.is_file() {
///         assert_eq!(entry.metadata().await?.len(), 5);
///     }
///     names.push(entry.file_name());
/// }
/// names.sort();
/// assert_eq!(names, ["a", "b"]);
/// # dir.close().await }).unwrap();
/// ```
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = path.as_ref().to_owned();
    let open = move || {
        let entries = fs::read_dir(&path).map_err(at("read the directory", &path, None))?;
        Ok(Batch::read(entries))
    };
    call(open).await.map(|batch| ReadDir { batch, trip: None })
}

/// What is in a directory: a [`Stream`] of entries; made by [`read_dir`].
///
/// After an error there may be more entries.
///
/// # Examples
///
/// See [`read_dir`].
pub struct ReadDir {
    /// What was brought and not given out, and where there is more.
    batch: Batch,
    /// The trip that brings more.
    trip: Option<Errand<Batch>>,
}

/// What one trip brings.
#[derive(Default)]
struct Batch {
    /// Some entries.
    found: VecDeque<io::Result<DirEntry>>,
    /// Where there may be more.
    rest: Option<fs::ReadDir>,
}

impl Batch {
    /// Reads some entries.
    fn read(mut entries: fs::ReadDir) -> Self {
        let found: VecDeque<_> =
            entries.by_ref().take(ENTRIES).map(|entry| entry.map(DirEntry::new)).collect();
        let rest = (found.len() == ENTRIES).then_some(entries);
        Self { found, rest }
    }
}

impl ReadDir {
    /// The next entry, or none at the end.
    ///
    /// # Errors
    ///
    /// Whatever the system says about the next entry.
    ///
    /// # Cancel safety
    ///
    /// No entry is lost.
    ///
    /// # Examples
    ///
    /// See [`read_dir`].
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await.transpose()
    }
}

impl Stream for ReadDir {
    type Item = io::Result<DirEntry>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        ready!(crate::task::budget::poll_proceed(cx));
        if let Some(entry) = self.batch.found.pop_front() {
            return Poll::Ready(Some(entry));
        }
        if let Some(entries) = self.batch.rest.take() {
            self.trip = Some(Errand::send(move || Batch::read(entries))?);
        }
        let Some(trip) = &mut self.trip else { return Poll::Ready(None) };
        let batch = ready!(trip.poll(cx));
        self.trip = None;
        self.batch = batch?;
        Poll::Ready(self.batch.found.pop_front())
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir").finish_non_exhaustive()
    }
}

/// Something in a directory; see [`read_dir`].
#[derive(Debug)]
pub struct DirEntry {
    /// The entry.
    entry: Arc<fs::DirEntry>,
    /// What it is, where that was known without a look at it.
    file_type: Option<FileType>,
}

impl DirEntry {
    /// To be called where one may block: some systems look at the file.
    fn new(entry: fs::DirEntry) -> Self {
        Self { file_type: entry.file_type().ok(), entry: Arc::new(entry) }
    }

    /// Its name in its directory.
    ///
    /// # Examples
    ///
    /// See [`read_dir`].
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.entry.file_name()
    }

    /// The path that was given to [`read_dir`], and its name.
    ///
    /// # Examples
    ///
    /// See [`read_dir`](read_dir()) for how one comes by an entry.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// What it is. It came with the name, as a rule, and then this takes no time.
    ///
    /// # Errors
    ///
    /// Whatever the system says where it did not.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    ///
    /// # Examples
    ///
    /// See [`read_dir`].
    pub async fn file_type(&self) -> io::Result<FileType> {
        match self.file_type {
            Some(file_type) => Ok(file_type),
            None => self.ask(fs::DirEntry::file_type).await,
        }
    }

    /// What is known of it; of a symbolic link, of itself.
    ///
    /// # Errors
    ///
    /// Whatever the system says, such as that it is gone.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    ///
    /// # Examples
    ///
    /// See [`read_dir`].
    pub async fn metadata(&self) -> io::Result<Metadata> {
        self.ask(fs::DirEntry::metadata).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: fn(&fs::DirEntry) -> io::Result<T>,
    ) -> io::Result<T> {
        let entry = self.entry.clone();
        call(move || question(&entry).map_err(at("look at", &entry.path(), None))).await
    }
}
