//! `serve`: a server is described, and then begun by awaiting it.

use super::Server;
use super::clients::Clients;
use super::doors::{Doors, Listen};
use crate::net::address::{self, Addresses};
use crate::net::{TcpListener, TcpListenerBuilder, TcpStream, ToSocketAddrs};
use crate::task::{self, CallSite};
use std::collections::HashSet;
use std::fmt::{self, Display};
use std::future::{Future, IntoFuture, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

/// A server that is being begun.
pub type Starting = Pin<Box<dyn Future<Output = io::Result<Server>> + Send>>;

/// What is told of failures to accept.
type AcceptErrorHook = Arc<dyn Fn(&io::Error) + Send + Sync>;

/// Serves TCP connections at `address`: for each one `handler` is called, and what it returns runs as
/// a task of its own. To be awaited, for the [`Server`]; before that it can be told more.
///
/// It listens at every address that `address` stands for. Port zero lets the system choose, for each of
/// them by itself. Where there are addresses of both families, those of IPv6 leave IPv4 alone, unless
/// [`only_v6`](TcpListenerBuilder::only_v6) says otherwise.
///
/// A handler that fails or panics ends its connection and nothing else: what it failed with is
/// [reported](crate::runtime::Builder::on_unhandled). Where a handler should know the other side, it asks
/// [`TcpStream::peer_addr`]. One that cannot fail ends with `std::io::Result::Ok(())`, which says what it does not
/// fail with.
///
/// Tasks that a handler [spawns](crate::spawn) do not end with it, nor with the server, and a connection that they
/// have stays open: have them in a [`group`](crate::group()), which ends with the handler.
///
/// # Errors
///
/// Awaiting it fails when one of the addresses cannot be listened at, and names it; when a name is
/// unknown; outside of a runtime.
///
/// # Cancel safety
///
/// When cancelled, nothing listens.
///
/// # Examples
///
/// ```
/// use std::io;
/// use std::time::Duration;
/// use weftline::io::{BufReader, BufWriter};
/// use weftline::net::{TcpStream, serve};
///
/// /// Says every line again.
/// async fn echo(stream: TcpStream) -> io::Result<()> {
///     let (mut reader, mut writer) = (BufReader::new(&stream), BufWriter::new(&stream));
///     loop {
///         let line = reader.read_line().await?;
///         if line.is_empty() {
///             return Ok(());
///         }
///         writer.write_all(line).await?;
///         writer.flush().await?;
///     }
/// }
///
/// # weftline::run(async {
/// let server = serve("127.0.0.1:0", echo).await?;
///
/// let client = TcpStream::connect(server.local_addrs()[0]).await?;
/// client.write_all(b"hello\n").await?;
/// assert_eq!(BufReader::new(&client).read_line().await?, b"hello\n");
///
/// server.graceful_shutdown(Duration::from_secs(1)).await;
/// # io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn serve<H, F, E>(address: impl ToSocketAddrs, handler: H) -> Serve<H>
where
    H: Fn(TcpStream) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let place = Place::At(address.addresses());
    Serve { place, listening: TcpListener::builder(), options: Options::new(handler) }
}

/// Serves connections that come in at `listener`, as [`serve`] does at an address: for one that was
/// inherited, or bound while the program still had the right to.
///
/// # Errors
///
/// Awaiting it fails when the listener cannot say its address.
///
/// # Cancel safety
///
/// Awaiting it does not wait.
///
/// # Examples
///
/// ```
/// use weftline::net::{TcpListener, TcpStream, serve_on};
///
/// # weftline::run(async {
/// let theirs = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let address = theirs.local_addr()?;
/// let greet = |stream: TcpStream| async move { stream.write_all(b"hello").await };
/// let server = serve_on(TcpListener::from_std(theirs)?, greet).await?;
/// assert_eq!(server.local_addrs(), [address]);
///
/// let client = TcpStream::connect(address).await?;
/// let mut all = Vec::new();
/// client.read_to_end(&mut all).await?;
/// assert_eq!(all, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn serve_on<H, F, E>(listener: TcpListener, handler: H) -> Serve<H>
where
    H: Fn(TcpStream) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let place = Place::On(listener);
    Serve { place, listening: TcpListener::builder(), options: Options::new(handler) }
}

/// A server that was described and not begun; made by [`serve`] and [`serve_on`].
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::net::{TcpListener, TcpStream, serve};
///
/// let server = serve("127.0.0.1:0", |stream: TcpStream| async move { stream.write_all(b"hi").await })
///     .listen_with(TcpListener::builder().backlog(4096))
///     .on_accept_error(|error| eprintln!("no connection now: {error}"))
///     .paused()
///     .await?;
/// assert!(!server.is_serving());
/// server.start_serving();
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[must_use = "a server is begun by awaiting it"]
pub struct Serve<H> {
    /// Where to listen.
    place: Place,
    /// How to listen.
    listening: TcpListenerBuilder,
    /// What to do then.
    options: Options<H>,
}

/// Where a server listens.
enum Place {
    /// At each of these addresses.
    At(io::Result<Addresses>),
    /// Where this one does already.
    On(TcpListener),
}

/// What to do with connections.
pub(super) struct Options<H> {
    /// Called for each one.
    handler: H,
    /// Where the server was asked for.
    at: CallSite,
    /// Told of failures to accept.
    pub(super) on_accept_error: Option<AcceptErrorHook>,
    /// Accepting waits to be begun.
    pub(super) is_paused: bool,
}

impl<H> Serve<H> {
    /// Listens with these options: the length of the backlog, reuse of addresses. Not for
    /// [`serve_on`], whose listener has its own.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn listen_with(mut self, options: TcpListenerBuilder) -> Self {
        self.listening = options;
        self
    }

    /// Calls `hook` when a connection cannot be accepted, above all because descriptors or memory ran out.
    ///
    /// The server then pauses, 5 ms at first, twice as long each time, up to half a second, and goes
    /// on; the connection waits in the backlog meanwhile. Without a hook each such failure is
    /// [reported](crate::runtime::Builder::on_unhandled). A panic of the hook is reported as well.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn on_accept_error(mut self, hook: impl Fn(&io::Error) + Send + Sync + 'static) -> Self {
        self.options.on_accept_error = Some(Arc::new(hook));
        self
    }

    /// Has the server listen and accept nothing yet: not before [`Server::start_serving`] or
    /// [`Server::serve_forever`]. Until then connections wait in the backlog.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn paused(mut self) -> Self {
        self.options.is_paused = true;
        self
    }
}

impl<H, F, E> IntoFuture for Serve<H>
where
    H: Fn(TcpStream) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    type Output = io::Result<Server>;
    type IntoFuture = Starting;

    fn into_future(self) -> Starting {
        let Self { place, listening, options } = self;
        Box::pin(async move {
            let listeners = match place {
                Place::At(addresses) => listen_at(addresses?, listening).await?,
                Place::On(listener) => vec![listener],
            };
            let bound: Vec<_> =
                listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
            Ok(options.begin(listeners, bound))
        })
    }
}

/// Listens at each of the addresses.
async fn listen_at(
    addresses: Addresses,
    options: TcpListenerBuilder,
) -> io::Result<Vec<TcpListener>> {
    let mut addresses = address::all_of(addresses).await?;
    // A name may stand for an address twice, and only one can listen there; but many at port zero.
    let mut seen = HashSet::new();
    addresses.retain(|address| address.port() == 0 || seen.insert(*address));
    // One at all IPv6 addresses would take those of IPv4 along, which have one of their own here.
    let is_v4_apart = addresses.iter().any(SocketAddr::is_ipv4);
    let options = if is_v4_apart { options.only_v6_by_default() } else { options };
    let listen = |address| options.listen(address).map_err(|error| naming(address, &error));
    addresses.into_iter().map(listen).collect()
}

/// An error that says where.
fn naming(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen at {address}: {error}"))
}

impl<H> Options<H> {
    #[track_caller]
    pub(super) fn new(handler: H) -> Self {
        Self { handler, at: Location::caller(), on_accept_error: None, is_paused: false }
    }

    /// A server with these listeners.
    pub(super) fn begin<L, F, E>(self, listeners: Vec<L>, bound: Vec<SocketAddr>) -> Server
    where
        L: Listen,
        H: Fn(L::Stream) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let clients = Clients::new();
        let doors = Doors::new(listeners, !self.is_paused, clients.clone());
        let server = Server::new(doors.clone(), clients, bound);
        let accepting = accept_all(
            server.closer(),
            doors,
            self.at,
            Arc::new(self.handler),
            self.on_accept_error,
        );
        drop(task::Builder::new().name("server").spawn_for(self.at, accepting));
        server
    }
}

/// Takes connections in until the doors are closed. When it is dropped it closes them.
async fn accept_all<L, H, F, E>(
    closer: super::Closer,
    doors: Arc<Doors<L>>,
    at: CallSite,
    handler: Arc<H>,
    on_error: Option<AcceptErrorHook>,
) where
    L: Listen,
    H: Fn(L::Stream) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    while let Some(next) = poll_fn(|cx| doors.poll_next(cx)).await {
        match next {
            Ok((stream, seat)) => {
                let handler = handler.clone();
                // Called by its task, which is where it may panic.
                seat.run(at, async move { handler(stream).await });
            }
            Err(error) => tell(error, on_error.clone()),
        }
    }
    drop(closer);
}

/// Tells of a failure to accept, by a task, so that nothing comes of a hook that panics.
fn tell(error: io::Error, hook: Option<AcceptErrorHook>) {
    let telling = task::spawn(async move {
        let Some(hook) = hook else {
            return Err(format!("a connection was not accepted: {error}"));
        };
        hook(&error);
        Ok(())
    });
    drop(telling.report_error());
}

impl<H> fmt::Debug for Serve<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").field("is_paused", &self.options.is_paused).finish_non_exhaustive()
    }
}
