//! `TcpListenerBuilder`: what a listener gets before it listens.

use super::address::{ToSocketAddrs, bind_any};
use super::connect::new_socket;
use super::tcp_listener::TcpListener;
use std::io;
use std::net::SocketAddr;

/// How many connections the system keeps ready by default; it may have a lower limit of its own.
const DEFAULT_BACKLOG: u32 = 1024;

/// Options for a listener, set before it listens. Made by [`TcpListener::builder`].
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::net::TcpListener;
///
/// let listener = TcpListener::builder().backlog(4096).bind("127.0.0.1:0").await?;
/// assert_ne!(listener.local_addr()?.port(), 0);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it binds"]
pub struct TcpListenerBuilder {
    /// How many connections the system keeps ready.
    backlog: u32,
    /// Whether an address in its waiting time may be bound.
    reuse_address: bool,
    /// Whether several sockets may listen at one address.
    #[cfg(unix)]
    reuse_port: bool,
    /// Whether an IPv6 listener leaves IPv4 alone; none for the system's default.
    only_v6: Option<bool>,
}

impl Default for TcpListenerBuilder {
    fn default() -> Self {
        Self {
            backlog: DEFAULT_BACKLOG,
            // On Windows the option lets two processes have one address, which nobody wants.
            reuse_address: cfg!(not(windows)),
            #[cfg(unix)]
            reuse_port: false,
            only_v6: None,
        }
    }
}

impl TcpListenerBuilder {
    /// How many connections that nobody has accepted the system keeps: 1024 by default. The system
    /// may have a lower limit.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Whether to bind an address that a closed connection still occupies (`SO_REUSEADDR`): yes by
    /// default, but not on Windows.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::net::TcpListener;
    ///
    /// let _options = TcpListener::builder().reuse_address(false).only_v6(true);
    /// ```
    pub fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse_address = reuse;
        self
    }

    /// Whether several sockets may listen at one address, the system spreading the connections
    /// over them (`SO_REUSEPORT`): no by default. All of them have to ask for it.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// use weftline::net::TcpListener;
    ///
    /// let options = TcpListener::builder().reuse_port(true);
    /// let one = options.bind("127.0.0.1:0").await?;
    /// let other = options.bind(one.local_addr()?).await?;
    /// assert_eq!(one.local_addr()?, other.local_addr()?);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[cfg(unix)]
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Whether an IPv6 listener leaves IPv4 connections to others (`IPV6_V6ONLY`). The system
    /// decides by default.
    ///
    /// # Examples
    ///
    /// See [`reuse_address`](TcpListenerBuilder::reuse_address).
    pub fn only_v6(mut self, only: bool) -> Self {
        self.only_v6 = Some(only);
        self
    }

    /// As [`only_v6`](Self::only_v6), where nobody has said anything about it.
    pub(super) fn only_v6_by_default(mut self) -> Self {
        self.only_v6.get_or_insert(true);
        self
    }

    /// Listens at `address`, as [`TcpListener::bind`].
    ///
    /// # Errors
    ///
    /// As [`TcpListener::bind`], and when an option is refused.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, nothing listens.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn bind(&self, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        bind_any(&address, |address| self.listen(address)).await
    }

    /// Listens at one address.
    pub(super) fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = new_socket(address)?;
        socket.set_reuse_address(self.reuse_address)?;
        #[cfg(unix)]
        if self.reuse_port {
            socket.set_reuse_port(true)?;
        }
        if let (Some(only), true) = (self.only_v6, address.is_ipv6()) {
            socket.set_only_v6(only)?;
        }
        socket.bind(&address.into())?;
        socket.listen(self.backlog.try_into().unwrap_or(i32::MAX))?;
        TcpListener::from_std(socket.into())
    }
}
