//! `UdpSocket`: datagrams.

use super::address::{ToSocketAddrs, bind_any, lookup, lookup_one};
use crate::io::{Assume, Async, Direction, Kind};
use std::fmt;
use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

/// A UDP socket. Any number of tasks may send and receive on one at the same time.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::net::UdpSocket;
///
/// let one = UdpSocket::bind("127.0.0.1:0").await?;
/// let other = UdpSocket::bind("127.0.0.1:0").await?;
/// one.send_to(b"hello", other.local_addr()?).await?;
/// let mut buf = [0; 16];
/// let (n, from) = other.recv_from(&mut buf).await?;
/// assert_eq!((&buf[..n], from), (&b"hello"[..], one.local_addr()?));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UdpSocket {
    /// The socket.
    io: Async<net::UdpSocket>,
}

impl UdpSocket {
    /// Binds `address`; port zero lets the system choose. If `address` stands for several, the
    /// first one that can be bound is taken.
    ///
    /// # Errors
    ///
    /// When no address can be bound, what the last one failed with; outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing is bound.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::from_std(bind_any(&address, net::UdpSocket::bind).await?)
    }

    /// Takes over a socket of the standard library, or one made with options by another crate.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and when the system refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let theirs = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// let ours = weftline::net::UdpSocket::from_std(theirs)?;
    /// let _theirs: std::net::UdpSocket = ours.into_std()?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn from_std(socket: net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { io: Async::register(socket, Assume::Ready, Kind::Other)? })
    }

    /// Gives the socket back to the standard library, in blocking mode.
    ///
    /// # Errors
    ///
    /// When the system refuses to change the mode.
    ///
    /// # Examples
    ///
    /// See [`from_std`](UdpSocket::from_std).
    pub fn into_std(self) -> io::Result<net::UdpSocket> {
        let socket = self.io.into_inner();
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    /// The registered socket, for operations and options that have no method here.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let socket = weftline::net::UdpSocket::bind("127.0.0.1:0").await?;
    /// assert!(socket.as_async().get_ref().take_error()?.is_none());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn as_async(&self) -> &Async<net::UdpSocket> {
        &self.io
    }

    /// The address it is bound to.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// The address it is connected to.
    ///
    /// # Errors
    ///
    /// When it is not connected.
    ///
    /// # Examples
    ///
    /// See [`connect`](UdpSocket::connect).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// Makes `address` the one to [`send`](UdpSocket::send) to and the only one to receive from.
    /// If `address` stands for several, the first one the system takes.
    ///
    /// # Errors
    ///
    /// When the system takes none of the addresses, what it said to the last one.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing has changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::UdpSocket;
    /// let one = UdpSocket::bind("127.0.0.1:0").await?;
    /// let other = UdpSocket::bind("127.0.0.1:0").await?;
    /// one.connect(other.local_addr()?).await?;
    /// assert_eq!(one.peer_addr()?, other.local_addr()?);
    /// one.send(b"hello").await?;
    /// assert_eq!(other.peek(&mut [0; 16]).await?, 5);
    /// assert_eq!(other.recv(&mut [0; 16]).await?, 5);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        // All at once: the standard library goes through them in the same way.
        self.io.get_ref().connect(&*lookup(&address).await?)
    }

    /// Sends one datagram to the connected address, waiting for room. Returns its length.
    ///
    /// # Errors
    ///
    /// When it is not connected, or the datagram is longer than the network allows. A refusal of
    /// an earlier datagram may be told here.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing was sent.
    ///
    /// # Examples
    ///
    /// See [`connect`](UdpSocket::connect).
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.write_with(|socket| socket.send(buf)).await
    }

    /// Sends one datagram to `address`, waiting for room. Returns its length. If `address` stands
    /// for several, the first one is meant.
    ///
    /// # Errors
    ///
    /// As [`send`](UdpSocket::send).
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing was sent.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn send_to(&self, buf: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let address = lookup_one(&address).await?;
        self.io.write_with(|socket| socket.send_to(buf, address)).await
    }

    /// Receives one datagram. What does not fit into `buf` is lost. Returns its length.
    ///
    /// # Errors
    ///
    /// A refusal of an earlier datagram may be told here.
    ///
    /// # Cancel safety
    ///
    /// Loses no datagram: one is taken only by the poll that returns it.
    ///
    /// # Examples
    ///
    /// See [`connect`](UdpSocket::connect).
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.read_with(|socket| socket.recv(buf)).await
    }

    /// Receives one datagram, and the address it came from. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.read_with(|socket| socket.recv_from(buf)).await
    }

    /// Looks at the next datagram without taking it.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    ///
    /// Takes nothing, so nothing can be lost.
    ///
    /// # Examples
    ///
    /// See [`connect`](UdpSocket::connect).
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.read_with(|socket| socket.peek(buf)).await
    }

    /// Looks at the next datagram and the address it came from, without taking it.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    ///
    /// Takes nothing, so nothing can be lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::UdpSocket;
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// socket.send_to(b"hello", socket.local_addr()?).await?;
    /// let (n, from) = socket.peek_from(&mut [0; 16]).await?;
    /// assert_eq!((n, from), (5, socket.local_addr()?));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.read_with(|socket| socket.peek_from(buf)).await
    }

    /// Receives one datagram, or has the current task woken when there is one. Of several tasks
    /// that ask, the last one is woken.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use std::future::poll_fn;
    /// # use weftline::net::UdpSocket;
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// let own = socket.local_addr()?;
    /// poll_fn(|cx| socket.poll_send_to(cx, b"hello", own)).await?;
    /// let mut buf = [0; 16];
    /// let (n, from) = poll_fn(|cx| socket.poll_recv_from(cx, &mut buf)).await?;
    /// assert_eq!((n, from), (5, own));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.io.poll_single(Direction::Read, cx, |socket| socket.recv_from(buf))
    }

    /// Sends one datagram, or has the current task woken when there is room. Of several tasks that
    /// ask, the last one is woken.
    ///
    /// # Errors
    ///
    /// As [`send`](UdpSocket::send).
    ///
    /// # Examples
    ///
    /// See [`poll_recv_from`](UdpSocket::poll_recv_from).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        address: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.io.poll_single(Direction::Write, cx, |socket| socket.send_to(buf, address))
    }

    /// Receives one datagram, without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none; else as
    /// [`recv`](UdpSocket::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::UdpSocket;
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// let error = socket.try_recv_from(&mut [0; 16]).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    /// assert_eq!(socket.try_send_to(b"hello", socket.local_addr()?)?, 5);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.try_read_with(|socket| socket.recv_from(buf))
    }

    /// Sends one datagram, without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room; else as
    /// [`send`](UdpSocket::send).
    ///
    /// # Examples
    ///
    /// See [`try_recv_from`](UdpSocket::try_recv_from).
    pub fn try_send_to(&self, buf: &[u8], address: SocketAddr) -> io::Result<usize> {
        self.io.try_write_with(|socket| socket.send_to(buf, address))
    }

    /// Whether it may send to broadcast addresses (`SO_BROADCAST`).
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::UdpSocket;
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// socket.set_broadcast(true)?;
    /// socket.set_ttl(3)?;
    /// assert_eq!((socket.broadcast()?, socket.ttl()?), (true, 3));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn broadcast(&self) -> io::Result<bool> {
        self.io.get_ref().broadcast()
    }

    /// Allows sending to broadcast addresses (`SO_BROADCAST`). A new socket may not.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`broadcast`](UdpSocket::broadcast).
    pub fn set_broadcast(&self, allowed: bool) -> io::Result<()> {
        self.io.get_ref().set_broadcast(allowed)
    }

    /// How many routers a datagram may pass (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`broadcast`](UdpSocket::broadcast).
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    /// Sets how many routers a datagram may pass (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`broadcast`](UdpSocket::broadcast).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(ttl)
    }

    /// Receives what is sent to the group `multicast`, on the interface that has the address
    /// `interface`, or on one the system chooses if that is `0.0.0.0`.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # weftline::run(async {
    /// use std::net::Ipv4Addr;
    ///
    /// let socket = weftline::net::UdpSocket::bind("0.0.0.0:5353").await?;
    /// let group = Ipv4Addr::new(224, 0, 0, 251);
    /// socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?;
    /// socket.leave_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn join_multicast_v4(&self, multicast: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.io.get_ref().join_multicast_v4(multicast, interface)
    }

    /// Undoes [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    pub fn leave_multicast_v4(&self, multicast: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.io.get_ref().leave_multicast_v4(multicast, interface)
    }

    /// Receives what is sent to the group `multicast`, on the interface with the number
    /// `interface`, or on one the system chooses if that is zero.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # weftline::run(async {
    /// let socket = weftline::net::UdpSocket::bind("[::]:5353").await?;
    /// let group = "ff02::fb".parse().unwrap();
    /// socket.join_multicast_v6(&group, 0)?;
    /// socket.leave_multicast_v6(&group, 0)?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn join_multicast_v6(&self, multicast: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.get_ref().join_multicast_v6(multicast, interface)
    }

    /// Undoes [`join_multicast_v6`](UdpSocket::join_multicast_v6).
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`join_multicast_v6`](UdpSocket::join_multicast_v6).
    pub fn leave_multicast_v6(&self, multicast: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.get_ref().leave_multicast_v6(multicast, interface)
    }

    /// Whether this machine receives what it sends to an IPv4 group (`IP_MULTICAST_LOOP`). A new
    /// socket does.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let socket = weftline::net::UdpSocket::bind("0.0.0.0:0").await?;
    /// socket.set_multicast_loop_v4(false)?;
    /// socket.set_multicast_ttl_v4(2)?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn set_multicast_loop_v4(&self, looped: bool) -> io::Result<()> {
        self.io.get_ref().set_multicast_loop_v4(looped)
    }

    /// How many routers a datagram to an IPv4 group may pass (`IP_MULTICAST_TTL`): none by
    /// default.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4).
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_multicast_ttl_v4(ttl)
    }
}

/// As [`UdpSocket::from_std`].
impl TryFrom<net::UdpSocket> for UdpSocket {
    type Error = io::Error;

    fn try_from(socket: net::UdpSocket) -> io::Result<Self> {
        Self::from_std(socket)
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
