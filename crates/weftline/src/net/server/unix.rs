//! Serving at a Unix socket, whose file comes and goes with the server.

use super::builder::{Options, Starting};
use super::doors::Listen;
use crate::net::{UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt::{self, Display};
use std::fs;
use std::future::{Future, IntoFuture};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

/// Serves connections at the Unix socket `path`, as [`serve`](super::serve) does at an address.
///
/// A file that was left there by a socket which is no more is removed first; one whose owner has not begun to listen stays.
/// When the server is closed, it removes its own, unless another one has taken its place. Of two that find what was left
/// at the same moment, the first may lose its file to the second: where that can be, hold a lock while one begins.
///
/// # Errors
///
/// Awaiting it fails when the path is in use, and names it, or is longer than a socket's may be (about
/// 100 bytes); outside of a runtime.
///
/// # Cancel safety
///
/// Awaiting it does not wait.
///
/// # Examples
///
/// ```
/// use weftline::net::{UnixStream, serve_unix};
///
/// # weftline::run(async {
/// let path = std::env::temp_dir().join(format!("weftline-serve-{}", std::process::id()));
/// let greet = |stream: UnixStream| async move { stream.write_all(b"hello").await };
/// let server = serve_unix(&path, greet).await?;
///
/// let client = UnixStream::connect(&path).await?;
/// let mut all = Vec::new();
/// client.read_to_end(&mut all).await?;
/// assert_eq!(all, b"hello");
///
/// server.stop_accepting();
/// assert!(!path.exists());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn serve_unix<H, F, E>(path: impl AsRef<Path>, handler: H) -> ServeUnix<H>
where
    H: Fn(UnixStream) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let place = Place::At(path.as_ref().to_owned());
    ServeUnix { place, is_kept: false, options: Options::new(handler) }
}

/// Serves connections that come in at `listener`, as [`serve_unix`] does at a path: for one that was
/// inherited, or has rights of its own. Its file stays where it is.
///
/// # Cancel safety
///
/// Awaiting it does not wait.
///
/// # Examples
///
/// ```
/// use weftline::net::{UnixListener, UnixStream, serve_unix_on};
///
/// # weftline::run(async {
/// let path = std::env::temp_dir().join(format!("weftline-serve-on-{}", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// let greet = |stream: UnixStream| async move { stream.write_all(b"hello").await };
/// let server = serve_unix_on(listener, greet).await?;
///
/// let client = UnixStream::connect(&path).await?;
/// let mut all = Vec::new();
/// client.read_to_end(&mut all).await?;
/// assert_eq!(all, b"hello");
///
/// drop(server);
/// std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn serve_unix_on<H, F, E>(listener: UnixListener, handler: H) -> ServeUnix<H>
where
    H: Fn(UnixStream) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    ServeUnix { place: Place::On(listener), is_kept: true, options: Options::new(handler) }
}

/// Where a server listens.
#[derive(Debug)]
enum Place {
    /// At this path.
    At(PathBuf),
    /// Where this one does already.
    On(UnixListener),
}

/// A server at a Unix socket that was described and not begun; made by [`serve_unix`] and
/// [`serve_unix_on`].
///
/// # Examples
///
/// ```
/// use weftline::net::{UnixStream, serve_unix};
///
/// # weftline::run(async {
/// # let path = std::env::temp_dir().join(format!("weftline-kept-{}", std::process::id()));
/// let server = serve_unix(&path, |_: UnixStream| async { std::io::Result::Ok(()) })
///     .on_accept_error(|error| eprintln!("no connection now: {error}"))
///     .keep_file()
///     .paused()
///     .await?;
/// server.stop_accepting();
/// std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[must_use = "a server is begun by awaiting it"]
pub struct ServeUnix<H> {
    /// Where to listen.
    place: Place,
    /// The file stays.
    is_kept: bool,
    /// What to do then.
    options: Options<H>,
}

impl<H> ServeUnix<H> {
    /// As [`Serve::on_accept_error`](super::Serve::on_accept_error).
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn on_accept_error(mut self, hook: impl Fn(&io::Error) + Send + Sync + 'static) -> Self {
        self.options.on_accept_error = Some(Arc::new(hook));
        self
    }

    /// As [`Serve::paused`](super::Serve::paused).
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn paused(mut self) -> Self {
        self.options.is_paused = true;
        self
    }

    /// Leaves the file where it is when the server is closed.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn keep_file(mut self) -> Self {
        self.is_kept = true;
        self
    }
}

impl<H, F, E> IntoFuture for ServeUnix<H>
where
    H: Fn(UnixStream) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    type Output = io::Result<super::Server>;
    type IntoFuture = Starting;

    fn into_future(self) -> Starting {
        Box::pin(async move {
            let (listener, file) = match self.place {
                Place::On(listener) => (listener, None),
                Place::At(path) => {
                    let listener = listen(&path).map_err(|error| naming(&path, &error))?;
                    (listener, if self.is_kept { None } else { SocketFile::at(&path) })
                }
            };
            Ok(self.options.begin(vec![UnixDoor { _file: file, listener }], Vec::new()))
        })
    }
}

/// An error that says where.
fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen at {}: {error}", path.display()))
}

/// Listens at `path`, also where a file was left.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left(path) => {
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        result => result,
    }
}

/// Whether there is a socket's file at `path`, and the socket is there no more.
fn is_left(path: &Path) -> bool {
    let is_socket = fs::metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket
        && try_sending(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Connects for datagrams, which a socket for connections refuses in other words than one that is there no more. So it
/// need not listen yet to be seen, and no client comes to it.
fn try_sending(path: &Path) -> io::Result<()> {
    Socket::new(Domain::UNIX, Type::DGRAM, None)?.connect(&SockAddr::unix(path)?)
}

/// A listener, and the file that goes with it.
struct UnixDoor {
    /// Removed before the listener is closed: it is the first field.
    _file: Option<SocketFile>,
    /// Where connections come in.
    listener: UnixListener,
}

impl Listen for UnixDoor {
    type Stream = UnixStream;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, String)>> {
        self.listener.poll_accept(cx).map_ok(|stream| (stream, "client".to_owned()))
    }
}

/// The file of a socket, removed when dropped if it is still the same.
struct SocketFile {
    /// Where it is.
    path: PathBuf,
    /// What tells it from one that takes its place.
    identity: (u64, u64),
}

impl SocketFile {
    /// The file at `path`; none for a name that is no file.
    fn at(path: &Path) -> Option<Self> {
        Some(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path) == Some(self.identity) {
            // Where it cannot be removed it is left behind, as after a crash.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The device and the number of the file at `path`.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

impl<H> fmt::Debug for ServeUnix<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeUnix")
            .field("place", &self.place)
            .field("is_kept", &self.is_kept)
            .finish_non_exhaustive()
    }
}
