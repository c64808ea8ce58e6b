//! Files and directories that remove themselves, by the `tempfile` crate.

use super::File;
use super::errand::call;
use super::failure::at;
use std::io;
use std::path::{Path, PathBuf};

/// A file without a name, for reading and writing, in the system's directory for such ones. It is gone when it is closed.
///
/// # Errors
///
/// Whatever the system says; see [the module](super#errors).
///
/// # Cancel safety
///
/// When cancelled, it is gone.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// let mut file = weftline::fs::tempfile().await?;
/// file.write_all(b"hello").await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn tempfile() -> io::Result<File> {
    call(tempfile::tempfile).await.map(File::from_std)
}

/// A new directory with a name of its own, which is removed with all that is in it. Only its owner may look into it.
///
/// [`close`](Self::close) removes it, and tells errors. Dropping it does so too, on the thread that drops it and
/// without a word.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::fs::{self, TempDir};
/// let dir = TempDir::new().await?;
/// fs::write(dir.path().join("greeting"), "hello").await?;
/// let path = dir.path().to_owned();
/// dir.close().await?;
/// assert!(!fs::try_exists(path).await?);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct TempDir(tempfile::TempDir);

impl TempDir {
    /// Makes one in the system's directory for such ones.
    ///
    /// # Errors
    ///
    /// Whatever the system says; see [the module](super#errors).
    ///
    /// # Cancel safety
    ///
    /// When cancelled, it is removed.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn new() -> io::Result<Self> {
        Self::new_in(std::env::temp_dir()).await
    }

    /// Makes one in the directory `parent`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Cancel safety
    ///
    /// When cancelled, it is removed.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use weftline::fs::TempDir;
    /// let outer = TempDir::new().await?;
    /// let inner = TempDir::new_in(outer.path()).await?;
    /// assert_eq!(inner.path().parent(), Some(outer.path()));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn new_in(parent: impl AsRef<Path>) -> io::Result<Self> {
        let parent = parent.as_ref().to_owned();
        call(move || for_its_owner().tempdir_in(parent)).await.map(Self)
    }

    /// Where it is.
    ///
    /// # Examples
    ///
    /// See the type.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Does not remove it.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use weftline::fs::{self, TempDir};
    /// let path = TempDir::new().await?.keep();
    /// fs::remove_dir(path).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn keep(self) -> PathBuf {
        self.0.keep()
    }

    /// Removes it, with all that is in it.
    ///
    /// # Errors
    ///
    /// Whatever the system says; something of it may be left then.
    ///
    /// # Cancel safety
    ///
    /// It is removed nevertheless.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn close(self) -> io::Result<()> {
        call(move || self.0.close()).await
    }
}

/// How a directory is made that others may not look into.
#[cfg(unix)]
fn for_its_owner() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder
}

/// How a directory is made: what is temporary is the user's own on this system.
#[cfg(not(unix))]
fn for_its_owner() -> tempfile::Builder<'static, 'static> {
    tempfile::Builder::new()
}

/// A new file with a name of its own, which is removed unless it is given another one.
///
/// So a file is replaced as a whole: whoever reads it meanwhile has the old one or the new one, and never a part.
/// [`close`](Self::close) removes it, and tells errors. Dropping it does so too, on the thread that drops it and
/// without a word.
///
/// On Unix only its owner may read and write it, also once it has another name, whatever the file that it replaces
/// allowed. To change that, have [`File::set_permissions`] on [`as_file_mut`](Self::as_file_mut) before
/// [`persist`](Self::persist).
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::fs::{self, NamedTempFile};
/// let dir = fs::TempDir::new().await?;
/// let path = dir.path().join("settings");
/// fs::write(&path, "old").await?;
///
/// let mut file = NamedTempFile::new_in(dir.path()).await?;
/// file.as_file_mut().write_all(b"new").await?;
/// file.as_file_mut().set_permissions(fs::metadata(&path).await?.permissions()).await?;
/// file.as_file_mut().sync_all().await?; // also after a power failure
/// file.persist(&path).await?;
/// assert_eq!(fs::read(&path).await?, b"new");
/// # dir.close().await }).unwrap();
/// ```
#[derive(Debug)]
pub struct NamedTempFile {
    /// The file.
    file: File,
    /// Where it is; removes it.
    path: tempfile::TempPath,
}

impl NamedTempFile {
    /// Makes one in the system's directory for such ones, and opens it for reading and writing.
    ///
    /// # Errors
    ///
    /// Whatever the system says; see [the module](super#errors).
    ///
    /// # Cancel safety
    ///
    /// When cancelled, it is removed.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let file = weftline::fs::NamedTempFile::new().await?;
    /// let path = file.path().to_owned();
    /// assert!(weftline::fs::try_exists(&path).await?);
    /// file.close().await?;
    /// assert!(!weftline::fs::try_exists(&path).await?);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn new() -> io::Result<Self> {
        Self::new_in(std::env::temp_dir()).await
    }

    /// Makes one in the directory `parent`: where it is to stay, it must be in the same file system.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Cancel safety
    ///
    /// When cancelled, it is removed.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn new_in(parent: impl AsRef<Path>) -> io::Result<Self> {
        let parent = parent.as_ref().to_owned();
        let (file, path) =
            call(move || tempfile::NamedTempFile::new_in(parent)).await?.into_parts();
        Ok(Self { file: File::from_std(file), path })
    }

    /// Where it is.
    ///
    /// # Examples
    ///
    /// See [`new`](Self::new).
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, to read and write.
    ///
    /// # Examples
    ///
    /// See the type.
    #[must_use]
    pub fn as_file_mut(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives it the name `path`, in place of what has it, and does not remove it.
    ///
    /// # Errors
    ///
    /// What a cancelled write has failed with, or whatever the system says; it is removed then.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, it has the name or is removed.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn persist(mut self, path: impl AsRef<Path>) -> io::Result<File> {
        self.file.flush().await?;
        let (own, path) = (self.path, path.as_ref().to_owned());
        let rename = move || {
            own.persist(&path)
                .map_err(|failed| at("rename", &failed.path, Some(&path))(failed.error))
        };
        call(rename).await?;
        Ok(self.file)
    }

    /// Removes it.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Cancel safety
    ///
    /// It is removed nevertheless.
    ///
    /// # Examples
    ///
    /// See [`new`](Self::new).
    pub async fn close(self) -> io::Result<()> {
        let Self { file, path } = self;
        drop(file);
        call(move || path.close()).await
    }
}
