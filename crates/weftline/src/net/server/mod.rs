//! Servers: a handler for each connection, and one call that ends them all in bounded time.
//!
//! `doors` is where connections come in, `clients` who runs then; `builder` begins it all. A server
//! has a task that accepts; each handler is a task too. Dropping the server asks them to end, and
//! `graceful_shutdown` waits for that.

mod builder;
mod clients;
mod doors;
#[cfg(unix)]
mod unix;

pub use builder::{Serve, Starting, serve, serve_on};
#[cfg(unix)]
pub use unix::{ServeUnix, serve_unix, serve_unix_on};

use crate::time::timeout;
use clients::Clients;
use doors::Entrance;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a server waits for handlers that it has aborted. They end where they wait, at once; who
/// computes or blocks meanwhile is not waited for any longer.
const ABORT_PATIENCE: Duration = Duration::from_millis(100);

/// Serves connections until it is stopped; made by [`serve`].
///
/// Dropping it closes its listeners and asks its handlers to end. To wait for that, end it by
/// [`graceful_shutdown`](Self::graceful_shutdown).
///
/// # Examples
///
/// Until somebody stops the program, and then in good order. Who has asked gets the answer first; who is silent is
/// not waited for:
///
/// ```
/// use std::io;
/// use std::time::Duration;
/// use weftline::io::BufReader;
/// use weftline::net::{TcpStream, serve};
/// use weftline::{catch_cancel, uncancellable};
///
/// async fn answer(stream: TcpStream) -> io::Result<()> {
///     let mut reader = BufReader::new(&stream);
///     loop {
///         // A request to end ends the handler here, between two lines.
///         let line = reader.read_line().await?;
///         if line.is_empty() {
///             return Ok(());
///         }
///         uncancellable(async { stream.write_all(line).await }).await?;
///     }
/// }
///
/// # weftline::run(async {
/// let main = weftline::spawn(async {
///     let server = serve("127.0.0.1:0", answer).await?;
///     // Ctrl-C is a request to end, and under `#[weftline::main]` SIGTERM is one, too.
///     let _ = catch_cancel(server.wait_closed()).await;
///     let aborted = server.graceful_shutdown(Duration::from_secs(10)).await;
///     assert_eq!(aborted, 0);
///     io::Result::Ok(())
/// });
/// # while main.task().status() != weftline::task::Status::Waiting { weftline::yield_now().await }
/// main.cancel();
/// # main.await.unwrap()
/// # }).unwrap();
/// ```
#[must_use = "dropping a server ends it"]
pub struct Server {
    /// Where connections come in.
    doors: Arc<dyn Entrance>,
    /// The handlers.
    clients: Arc<Clients>,
    /// The addresses of the listeners.
    bound: Vec<SocketAddr>,
}

/// Closes the doors of a server when it is dropped.
struct Closer(Arc<dyn Entrance>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Server {
    fn new(doors: Arc<dyn Entrance>, clients: Arc<Clients>, bound: Vec<SocketAddr>) -> Self {
        Self { doors, clients, bound }
    }

    fn closer(&self) -> Closer {
        Closer(self.doors.clone())
    }

    /// The addresses at which it listens: none once it is closed, and none of a Unix socket.
    ///
    /// # Examples
    ///
    /// See [`serve`].
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        if self.doors.is_closed() { &[] } else { &self.bound }
    }

    /// Whether connections are accepted: not before a [paused](Serve::paused) server is begun, and not
    /// once it is closed.
    ///
    /// # Examples
    ///
    /// See [`Serve`].
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.doors.is_serving()
    }

    /// How many handlers run.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpStream, serve};
    /// let wait = |stream: TcpStream| async move { stream.read(&mut [0; 1]).await.map(drop) };
    /// let server = serve("127.0.0.1:0", wait).await?;
    /// let _client = TcpStream::connect(server.local_addrs()[0]).await?;
    /// while server.clients() == 0 {
    ///     weftline::yield_now().await;
    /// }
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.count()
    }

    /// Begins to accept, where the server was made [paused](Serve::paused).
    ///
    /// # Examples
    ///
    /// See [`Serve`].
    pub fn start_serving(&self) {
        self.doors.begin();
    }

    /// Closes the listeners, at once and for good; who is connected stays so. Connections that wait to
    /// be accepted are refused.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpStream, serve};
    /// let server = serve("127.0.0.1:0", |_: TcpStream| async { std::io::Result::Ok(()) }).await?;
    /// let address = server.local_addrs()[0];
    /// server.stop_accepting();
    /// assert!(!server.is_serving() && server.local_addrs().is_empty());
    /// assert!(TcpStream::connect(address).await.is_err());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn stop_accepting(&self) {
        self.doors.close();
    }

    /// Asks every handler that runs to end: it is [cancelled](crate::cancel), may clean up, and closes its
    /// connection with it. What must not be interrupted, such as a reply that was begun, is
    /// [`uncancellable`](crate::uncancellable).
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpStream, serve};
    /// use weftline::finally;
    ///
    /// async fn wait(stream: TcpStream) -> std::io::Result<()> {
    ///     let bye = async { stream.write_all(b"bye").await.unwrap_or_default() };
    ///     finally(std::future::pending(), bye).await
    /// }
    /// let server = serve("127.0.0.1:0", wait).await?;
    /// let client = TcpStream::connect(server.local_addrs()[0]).await?;
    /// # while server.clients() == 0 { weftline::yield_now().await }
    /// # weftline::time::sleep(std::time::Duration::from_millis(20)).await;
    /// server.stop_accepting();
    /// server.close_clients();
    /// server.wait_closed().await;
    /// let mut all = Vec::new();
    /// client.read_to_end(&mut all).await?;
    /// assert_eq!(all, b"bye");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn close_clients(&self) {
        self.clients.ask();
    }

    /// Ends every handler that runs, where it waits: it is dropped, with its connection, and cleans
    /// up nothing that awaits. Also what is [`uncancellable`](crate::uncancellable). A handler that
    /// computes or blocks ends when it waits next.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpStream, serve};
    /// use weftline::uncancellable;
    ///
    /// let stubborn = |_stream: TcpStream| uncancellable(std::future::pending::<Result<(), String>>());
    /// let server = serve("127.0.0.1:0", stubborn).await?;
    /// let client = TcpStream::connect(server.local_addrs()[0]).await?;
    /// # while server.clients() == 0 { weftline::yield_now().await }
    /// server.stop_accepting();
    /// server.abort_clients();
    /// server.wait_closed().await;
    /// # drop(client);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn abort_clients(&self) {
        self.clients.abort();
    }

    /// Waits until the listeners are closed and all handlers have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    ///
    /// # Examples
    ///
    /// See [`close_clients`](Self::close_clients).
    pub async fn wait_closed(&self) {
        self.clients.gone().await;
    }

    /// Serves until the server is closed, and waits for its handlers then. Begins to accept, where the
    /// server was made [paused](Serve::paused).
    ///
    /// # Errors
    ///
    /// When the server is closed already.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, or dropped, the listeners are closed and the handlers asked to end.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use std::time::Duration;
    /// # use weftline::net::{TcpStream, serve};
    /// use weftline::time::timeout;
    ///
    /// let server = serve("127.0.0.1:0", |_: TcpStream| async { std::io::Result::Ok(()) }).await?;
    /// assert!(timeout(Duration::from_millis(5), server.serve_forever()).await.is_err());
    /// assert!(!server.is_serving());
    /// assert!(server.serve_forever().await.is_err());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn serve_forever(&self) -> io::Result<()> {
        if self.doors.is_closed() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the server is closed"));
        }
        self.start_serving();
        let _ends = Ends(self);
        self.wait_closed().await;
        Ok(())
    }

    /// Closes the listeners, asks the handlers to end, waits until they have, and aborts those that have
    /// not after `grace`. Says how many those were.
    ///
    /// A handler that is asked ends where it waits next, also between what it was sent and its answer, and counts as
    /// ended, not as aborted. To have each answer finished within the grace, put the work for it into
    /// [`uncancellable`](crate::uncancellable), as the example of the type does.
    ///
    /// It is over within `grace`, and a tenth of a second more where a handler computes or blocks
    /// and so cannot be aborted at once.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, the listeners are closed and the handlers have been asked to end.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn graceful_shutdown(&self, grace: Duration) -> usize {
        self.end();
        if timeout(grace, self.wait_closed()).await.is_ok() {
            return 0;
        }
        let aborted = self.clients.abort();
        let _ = timeout(ABORT_PATIENCE, self.wait_closed()).await;
        aborted
    }

    /// Closes the listeners and asks the handlers to end.
    fn end(&self) {
        self.stop_accepting();
        self.close_clients();
    }
}

/// Ends a server when it is dropped, where that has not been done.
struct Ends<'a>(&'a Server);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addrs", &self.local_addrs())
            .field("is_serving", &self.is_serving())
            .field("clients", &self.clients())
            .finish_non_exhaustive()
    }
}
