//! The functions of `std::fs`, each as one call on another thread.

use super::errand::call;
use super::failure::at;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

/// Has `work` done with a path; `doing` is what it does, for the text of an error.
async fn with<T: Send + 'static>(
    doing: &'static str,
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let path = path.to_owned();
    call(move || work(&path).map_err(at(doing, &path, None))).await
}

/// Has `work` done with two paths.
async fn with_both<T: Send + 'static>(
    doing: &'static str,
    (path, to): (&Path, &Path),
    work: impl FnOnce(&Path, &Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (path, to) = (path.to_owned(), to.to_owned());
    call(move || work(&path, &to).map_err(at(doing, &path, Some(&to)))).await
}

/// Reads a whole file.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let path = dir.path().join("greeting");
/// fs::write(&path, "hello").await?;
/// assert_eq!(fs::read(&path).await?, b"hello");
/// # dir.close().await }).unwrap();
/// ```
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    with("read", path.as_ref(), |path| fs::read(path)).await
}

/// Reads a whole file as a text. One that is not UTF-8 is [`InvalidData`](io::ErrorKind::InvalidData).
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let path = dir.path().join("greeting");
/// fs::write(&path, "hello").await?;
/// assert_eq!(fs::read_to_string(&path).await?, "hello");
/// # dir.close().await }).unwrap();
/// ```
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    with("read", path.as_ref(), |path| fs::read_to_string(path)).await
}

/// Makes these bytes the whole of a file, which is made if it is not there.
///
/// They are copied. For a file that others read meanwhile there is
/// [`NamedTempFile::persist`](super::NamedTempFile::persist), which puts it into its place as a whole.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let path = dir.path().join("greeting");
/// fs::write(&path, "hello").await?;
/// assert_eq!(fs::read(&path).await?, b"hello");
/// # dir.close().await }).unwrap();
/// ```
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let contents = contents.as_ref().to_owned();
    with("write", path.as_ref(), move |path| fs::write(path, contents)).await
}

/// Copies the contents and the permissions of a file to another; says how many bytes. What is there is overwritten.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let (one, other) = (dir.path().join("one"), dir.path().join("other"));
/// fs::write(&one, "hello").await?;
/// assert_eq!(fs::copy(&one, &other).await?, 5);
/// # dir.close().await }).unwrap();
/// ```
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    with_both("copy", (from.as_ref(), to.as_ref()), |from, to| fs::copy(from, to)).await
}

/// Gives a file or a directory another name, in the same file system. What has that name is replaced.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let (one, other) = (dir.path().join("one"), dir.path().join("other"));
/// fs::write(&one, "hello").await?;
/// fs::rename(&one, &other).await?;
/// assert!(!fs::try_exists(&one).await?);
/// # dir.close().await }).unwrap();
/// ```
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    with_both("rename", (from.as_ref(), to.as_ref()), |from, to| fs::rename(from, to)).await
}

/// Gives a file one more name: `link`.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let (one, other) = (dir.path().join("one"), dir.path().join("other"));
/// fs::write(&one, "hello").await?;
/// fs::hard_link(&one, &other).await?;
/// assert_eq!(fs::read(&other).await?, b"hello");
/// # dir.close().await }).unwrap();
/// ```
pub async fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let paths = (original.as_ref(), link.as_ref());
    with_both("link", paths, |original, link| fs::hard_link(original, link)).await
}

/// Makes `link` a symbolic link that says `original`. Unix only.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let link = dir.path().join("link");
/// fs::symlink("somewhere", &link).await?;
/// assert_eq!(fs::read_link(&link).await?, std::path::Path::new("somewhere"));
/// # dir.close().await }).unwrap();
/// ```
#[cfg(unix)]
pub async fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let paths = (original.as_ref(), link.as_ref());
    with_both("link", paths, |original, link| std::os::unix::fs::symlink(original, link)).await
}

/// What a symbolic link says.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let path = dir.path().join("no link");
/// fs::write(&path, "hello").await?;
/// assert!(fs::read_link(&path).await.is_err());
/// # dir.close().await }).unwrap();
/// ```
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    with("read the link", path.as_ref(), |path| fs::read_link(path)).await
}

/// The path from the root, without symbolic links and dots.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// fs::write(dir.path().join("here"), "hello").await?;
/// let path = fs::canonicalize(dir.path().join(".").join("here")).await?;
/// assert!(path.is_absolute() && path.ends_with("here"));
/// # dir.close().await }).unwrap();
/// ```
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    with("find", path.as_ref(), |path| fs::canonicalize(path)).await
}

/// Makes a directory, in one that is there.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// fs::create_dir(dir.path().join("photos")).await?;
/// let again = fs::create_dir(dir.path().join("photos")).await.unwrap_err();
/// assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
/// # dir.close().await }).unwrap();
/// ```
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    with("make", path.as_ref(), |path| fs::create_dir(path)).await
}

/// Makes a directory, and those around it that are not there.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let path = dir.path().join("photos/2026/may");
/// fs::create_dir_all(&path).await?;
/// assert!(fs::metadata(&path).await?.is_dir());
/// # dir.close().await }).unwrap();
/// ```
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    with("make", path.as_ref(), |path| fs::create_dir_all(path)).await
}

/// Removes an empty directory.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let path = dir.path().join("photos");
/// fs::create_dir(&path).await?;
/// fs::remove_dir(&path).await?;
/// assert!(!fs::try_exists(&path).await?);
/// # dir.close().await }).unwrap();
/// ```
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    with("remove", path.as_ref(), |path| fs::remove_dir(path)).await
}

/// Removes a directory and all that is in it. Symbolic links are removed, not followed.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let path = dir.path().join("photos");
/// fs::create_dir_all(path.join("2026")).await?;
/// fs::remove_dir_all(&path).await?;
/// assert!(!fs::try_exists(&path).await?);
/// # dir.close().await }).unwrap();
/// ```
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    with("remove", path.as_ref(), |path| fs::remove_dir_all(path)).await
}

/// Removes a file.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let path = dir.path().join("greeting");
/// fs::write(&path, "hello").await?;
/// fs::remove_file(&path).await?;
/// assert!(!fs::try_exists(&path).await?);
/// # dir.close().await }).unwrap();
/// ```
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    with("remove", path.as_ref(), |path| fs::remove_file(path)).await
}

/// What is known of a file or a directory; of a symbolic link, of what it leads to.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let path = dir.path().join("greeting");
/// fs::write(&path, "hello").await?;
/// assert_eq!(fs::metadata(&path).await?.len(), 5);
/// # dir.close().await }).unwrap();
/// ```
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    with("look at", path.as_ref(), |path| fs::metadata(path)).await
}

/// What is known of a file or a directory; of a symbolic link, of itself.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let path = dir.path().join("greeting");
/// fs::write(&path, "hello").await?;
/// assert!(!fs::symlink_metadata(&path).await?.is_symlink());
/// # dir.close().await }).unwrap();
/// ```
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    with("look at", path.as_ref(), |path| fs::symlink_metadata(path)).await
}

/// Changes the permissions of a file or a directory.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// let path = dir.path().join("greeting");
/// fs::write(&path, "hello").await?;
/// let mut permissions = fs::metadata(&path).await?.permissions();
/// permissions.set_readonly(true);
/// fs::set_permissions(&path, permissions).await?;
/// assert!(fs::metadata(&path).await?.permissions().readonly());
/// # #[cfg(windows)] {
/// # let mut permissions = fs::metadata(&path).await?.permissions();
/// # permissions.set_readonly(false);
/// # fs::set_permissions(&path, permissions).await?;
/// # }
/// # dir.close().await }).unwrap();
/// ```
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    let set = move |path: &Path| fs::set_permissions(path, permissions);
    with("set the permissions of", path.as_ref(), set).await
}

/// Whether there is something at a path. An error: nobody knows, such as where one may not look.
///
/// # Errors
///
/// As std's function; see [the module](super#errors).
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
/// assert!(fs::try_exists(dir.path()).await?);
/// assert!(!fs::try_exists(dir.path().join("none")).await?);
/// # dir.close().await }).unwrap();
/// ```
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    with("look for", path.as_ref(), Path::try_exists).await
}
