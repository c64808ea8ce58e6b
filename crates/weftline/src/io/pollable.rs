//! `Async<T>`: a descriptor in non-blocking mode, registered with the runtime's driver.
//!
//! Promises that the descriptor is deregistered before it is closed, and that no readiness is lost
//! between looking and waiting. Reading and writing bytes is in `bytes`.

use super::watch::{Assume, Direction, Kind, Place, Waiting, Watch};
use crate::platform::poller::{AsDescriptor, descriptor};
use socket2::SockRef;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

/// An I/O object of the system that is awaited instead of blocked on.
///
/// `T` is anything with a descriptor that the system can poll: a socket, a pipe, a terminal, an
/// inotify or timer descriptor, a device. On Windows it is a socket. Regular files cannot be
/// polled.
///
/// [`read_with`](Async::read_with) and [`write_with`](Async::write_with) run a closure that does
/// the non-blocking operation, and wait and run it again whenever it fails with
/// [`WouldBlock`](io::ErrorKind::WouldBlock). If `T` implements [`io::Read`] or [`io::Write`], then
/// `Async<T>` has the awaiting methods [`read`](Async::read), [`write_all`](Async::write_all) and
/// so on, and implements [`AsyncRead`](futures_io::AsyncRead) and
/// [`AsyncWrite`](futures_io::AsyncWrite).
///
/// # Who waits
///
/// Any number of tasks may await the `async` methods of one `Async` at the same time. The
/// poll-style functions ([`poll_readable`](Async::poll_readable),
/// [`poll_writable`](Async::poll_writable) and the two traits) remember one task for reading and
/// one for writing: the last to have polled.
///
/// # Readiness is remembered
///
/// The runtime learns from the system when a descriptor becomes ready, and remembers it until an
/// operation through this type finds that it is not. An operation on [`get_ref`](Async::get_ref)
/// teaches it nothing, so do operations that may fail with `WouldBlock` through `read_with`,
/// `write_with`, [`try_read_with`](Async::try_read_with) or
/// [`try_write_with`](Async::try_write_with).
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use std::net::UdpSocket;
/// use weftline::io::Async;
///
/// let socket = Async::new(UdpSocket::bind("127.0.0.1:0")?)?;
/// let own = socket.get_ref().local_addr()?;
/// socket.write_with(|socket| socket.send_to(b"hello", own)).await?;
/// let mut buf = [0; 16];
/// let (n, from) = socket.read_with(|socket| socket.recv_from(&mut buf)).await?;
/// assert_eq!((&buf[..n], from), (&b"hello"[..], own));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct Async<T: AsDescriptor> {
    /// The object; none only once [`Async::into_inner`] has taken it out.
    io: Option<T>,
    /// Its registration.
    watch: Watch,
}

/// Nothing in it is ever pinned: the object is only lent by reference.
impl<T: AsDescriptor> Unpin for Async<T> {}

impl<T: AsDescriptor> Async<T> {
    /// Puts `io` into non-blocking mode and registers it with the current runtime.
    ///
    /// `io` must go on to have the same descriptor for as long as it is in here, which is true of
    /// everything that opens it once. The mode belongs to the open file, so it also changes for
    /// duplicates of the descriptor.
    ///
    /// # Errors
    ///
    /// Fails outside of a runtime, with an error that says so, when the runtime has shut down, and
    /// when the system cannot poll the descriptor (a regular file on Linux) or watches no more of
    /// them.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use weftline::io::Async;
    ///
    /// let listener = Async::new(std::net::TcpListener::bind("127.0.0.1:0")?)?;
    /// assert!(listener.get_ref().local_addr()?.port() != 0);
    /// # std::io::Result::Ok(()) }).unwrap();
    ///
    /// let outside = weftline::io::Async::new(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    /// assert!(outside.is_err());
    /// ```
    pub fn new(io: T) -> io::Result<Self> {
        SockRef::from(&io).set_nonblocking(true)?;
        Self::register(io, Assume::NotReady, Kind::Other)
    }

    /// Registers an object that is in non-blocking mode already.
    pub(crate) fn register(io: T, assume: Assume, kind: Kind) -> io::Result<Self> {
        let watch = Watch::new(descriptor(&io), assume, kind)?;
        Ok(Self { io: Some(io), watch })
    }

    /// The object itself.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let socket = weftline::io::Async::new(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    /// socket.get_ref().set_ttl(3)?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[inline]
    pub fn get_ref(&self) -> &T {
        match &self.io {
            Some(io) => io,
            None => unreachable!("`into_inner` consumes the `Async`"),
        }
    }

    /// The object and its registration, for those that need it exclusively.
    #[inline]
    pub(super) fn parts(&mut self) -> (&mut T, &Watch) {
        match &mut self.io {
            Some(io) => (io, &self.watch),
            None => unreachable!("`into_inner` consumes the `Async`"),
        }
    }

    /// Deregisters the object and gives it back. It stays in non-blocking mode.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let socket = weftline::io::Async::new(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    /// let socket: std::net::UdpSocket = socket.into_inner();
    /// socket.set_nonblocking(false)?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn into_inner(mut self) -> T {
        match self.io.take() {
            Some(io) => {
                self.watch.end(descriptor(&io));
                io
            }
            None => unreachable!("`into_inner` consumes the `Async`"),
        }
    }

    /// Waits until a read may succeed: there is something to read or to accept, the end was
    /// reached, or there is an error to fetch.
    ///
    /// It is a hint: another task may be faster, and the remembered readiness may be out of date.
    /// Read through [`try_read_with`](Async::try_read_with), which corrects it.
    ///
    /// # Errors
    ///
    /// Fails when the runtime that the object was registered with has shut down.
    ///
    /// # Cancel safety
    ///
    /// Nothing is read, so nothing can be lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use std::io::ErrorKind::WouldBlock;
    /// # let socket = weftline::io::Async::new(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    /// # socket.get_ref().send_to(b"x", socket.get_ref().local_addr()?)?;
    /// let mut buf = [0; 16];
    /// let n = loop {
    ///     socket.readable().await?;
    ///     match socket.try_read_with(|socket| socket.recv(&mut buf)) {
    ///         Err(error) if error.kind() == WouldBlock => continue,
    ///         result => break result?,
    ///     }
    /// };
    /// assert_eq!(n, 1);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Direction::Read).await
    }

    /// Waits until a write may succeed: there is room, a connection was made or refused, or there
    /// is an error to fetch.
    ///
    /// It is a hint, as [`readable`](Async::readable) is.
    ///
    /// # Errors
    ///
    /// Fails when the runtime that the object was registered with has shut down.
    ///
    /// # Cancel safety
    ///
    /// Nothing is written, so nothing can be lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let socket = weftline::io::Async::new(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    /// socket.writable().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Direction::Write).await
    }

    async fn ready(&self, direction: Direction) -> io::Result<()> {
        let mut place = self.place();
        poll_fn(|cx| {
            ready!(Watch::begin(cx));
            let mut waiting = Waiting::Listed(&mut place);
            let io = descriptor(self.get_ref());
            self.watch.poll_ready(io, direction, &mut waiting, cx).map_ok(|_| ())
        })
        .await
    }

    /// Runs `read` until it does anything but fail with `WouldBlock`, waiting in between until
    /// there may be something to read.
    ///
    /// # Errors
    ///
    /// Whatever `read` fails with, apart from `WouldBlock` and `Interrupted`; and as
    /// [`readable`](Async::readable).
    ///
    /// # Cancel safety
    ///
    /// Safe if `read` is one operation: what it did is always handed out.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let listener = weftline::io::Async::new(std::net::TcpListener::bind("127.0.0.1:0")?)?;
    /// let _client = std::net::TcpStream::connect(listener.get_ref().local_addr()?)?;
    /// let (_connection, _peer) = listener.read_with(|listener| listener.accept()).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_with<R>(&self, read: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.operate(Direction::Read, read, |_| false).await
    }

    /// Runs `write` until it does anything but fail with `WouldBlock`, waiting in between until
    /// there may be room to write.
    ///
    /// # Errors
    ///
    /// Whatever `write` fails with, apart from `WouldBlock` and `Interrupted`; and as
    /// [`writable`](Async::writable).
    ///
    /// # Cancel safety
    ///
    /// Safe if `write` is one operation: what it did is always handed out.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let socket = weftline::io::Async::new(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    /// let to = socket.get_ref().local_addr()?;
    /// assert_eq!(socket.write_with(|socket| socket.send_to(b"hello", to)).await?, 5);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn write_with<R>(&self, write: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.operate(Direction::Write, write, |_| false).await
    }

    /// Runs `read` once, without waiting. This is how to read after
    /// [`readable`](Async::readable): if it fails with `WouldBlock`, the remembered readiness is
    /// taken back.
    ///
    /// # Errors
    ///
    /// Whatever `read` fails with, `WouldBlock` included, and when the runtime has shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let socket = weftline::io::Async::new(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    /// let nothing = socket.try_read_with(|socket| socket.recv(&mut [0; 16]));
    /// assert_eq!(nothing.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn try_read_with<R>(&self, read: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        self.watch.try_operation(Direction::Read, || read(self.get_ref()))
    }

    /// Runs `write` once, without waiting, as [`try_read_with`](Async::try_read_with) does for
    /// reading.
    ///
    /// # Errors
    ///
    /// Whatever `write` fails with, `WouldBlock` included, and when the runtime has shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let socket = weftline::io::Async::new(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    /// let to = socket.get_ref().local_addr()?;
    /// assert_eq!(socket.try_write_with(|socket| socket.send_to(b"x", to))?, 1);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn try_write_with<R>(&self, write: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        self.watch.try_operation(Direction::Write, || write(self.get_ref()))
    }

    /// Says whether a read may succeed, or has the current task woken when it may. Of several
    /// tasks that ask, the last one is woken.
    ///
    /// # Errors
    ///
    /// Fails when the runtime that the object was registered with has shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let socket = weftline::io::Async::new(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    /// socket.get_ref().send_to(b"x", socket.get_ref().local_addr()?)?;
    /// std::future::poll_fn(|cx| socket.poll_readable(cx)).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_direction(Direction::Read, cx)
    }

    /// Says whether a write may succeed, or has the current task woken when it may. Of several
    /// tasks that ask, the last one is woken.
    ///
    /// # Errors
    ///
    /// Fails when the runtime that the object was registered with has shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let socket = weftline::io::Async::new(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    /// std::future::poll_fn(|cx| socket.poll_writable(cx)).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_direction(Direction::Write, cx)
    }

    fn poll_direction(&self, direction: Direction, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Watch::begin(cx));
        let io = descriptor(self.get_ref());
        self.watch.poll_ready(io, direction, &mut Waiting::Slot, cx).map_ok(|_| ())
    }

    /// A place in the list of waiting futures.
    pub(crate) fn place(&self) -> Place<'_> {
        self.watch.place()
    }

    /// Runs `operation` until it is ready, as a future in the list. `short` tells a success that
    /// moved less than it could have.
    pub(super) async fn operate<R>(
        &self,
        direction: Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        short: impl Fn(&R) -> bool,
    ) -> io::Result<R> {
        let mut place = self.place();
        poll_fn(|cx| {
            let waiting = Waiting::Listed(&mut place);
            self.poll_operation(direction, waiting, cx, &mut operation, &short)
        })
        .await
    }

    /// Runs `operation` until it is ready, as a future that keeps its place itself.
    pub(crate) fn poll_listed<R>(
        &self,
        direction: Direction,
        place: &mut Place<'_>,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_operation(direction, Waiting::Listed(place), cx, operation, |_| false)
    }

    /// Runs `operation` until it is ready, as the one poll-style reader or writer.
    pub(crate) fn poll_single<R>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_operation(direction, Waiting::Slot, cx, operation, |_| false)
    }

    #[inline]
    pub(super) fn poll_operation<R>(
        &self,
        direction: Direction,
        waiting: Waiting<'_, '_>,
        cx: &mut Context<'_>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        short: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let io = self.get_ref();
        self.watch.poll_operation(descriptor(io), direction, waiting, cx, || operation(io), short)
    }
}

impl<T: AsDescriptor> Drop for Async<T> {
    fn drop(&mut self) {
        if let Some(io) = &self.io {
            self.watch.end(descriptor(io));
        }
    }
}

impl<T: AsDescriptor + fmt::Debug> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Async").field(self.get_ref()).finish()
    }
}
