//! `OpenOptions`: how a file is opened.

use super::File;
use super::errand::call;
use super::failure::at;
use std::io;
use std::path::Path;

/// How a file is opened: std's options, where [`open`](OpenOptions::open) does not block the worker.
///
/// What only some systems have is set on std's, from which this is made.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::fs::{self, OpenOptions};
///
/// let dir = fs::TempDir::new().await?;
/// let path = dir.path().join("log");
/// for line in ["one\n", "two\n"] {
///     let mut log = OpenOptions::new().append(true).create(true).open(&path).await?;
///     log.write_all(line.as_bytes()).await?;
/// }
/// assert_eq!(fs::read(&path).await?, b"one\ntwo\n");
///
/// # #[cfg(unix)] {
/// use std::os::unix::fs::OpenOptionsExt;
/// let mut options = std::fs::OpenOptions::new();
/// options.write(true).create_new(true).mode(0o600);
/// let secret = OpenOptions::from(options).open(dir.path().join("secret")).await?;
/// # drop(secret);
/// # }
/// # dir.close().await }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(std::fs::OpenOptions);

impl OpenOptions {
    /// Options with which nothing is allowed: say at least one of [`read`](Self::read), [`write`](Self::write)
    /// and [`append`](Self::append).
    #[must_use]
    pub fn new() -> Self {
        Self(std::fs::OpenOptions::new())
    }

    /// Whether it may be read.
    pub fn read(&mut self, read: bool) -> &mut Self {
        self.0.read(read);
        self
    }

    /// Whether it may be written.
    pub fn write(&mut self, write: bool) -> &mut Self {
        self.0.write(write);
        self
    }

    /// Whether what is written goes to its end, wherever that is then.
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.0.append(append);
        self
    }

    /// Whether its contents are removed.
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.0.truncate(truncate);
        self
    }

    /// Whether it is made where it is not there.
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.0.create(create);
        self
    }

    /// Whether it has to be made: one that is there is an error.
    pub fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.0.create_new(create_new);
        self
    }

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// As std's; see [the module](super#errors).
    ///
    /// # Cancel safety
    ///
    /// When cancelled, the file may have been made, and is closed.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let (options, path) = (self.0.clone(), path.as_ref().to_owned());
        let open = move || options.open(&path).map_err(at("open", &path, None));
        call(open).await.map(File::from_std)
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl From<std::fs::OpenOptions> for OpenOptions {
    fn from(options: std::fs::OpenOptions) -> Self {
        Self(options)
    }
}
