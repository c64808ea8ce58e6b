//! `TcpStreamBuilder`: what a connection gets before it is made.

use super::address::{ToSocketAddrs, lookup};
use super::connect::connect_any;
use super::tcp_stream::TcpStream;
use super::tcp_stream_options::keepalive_after;
use socket2::Socket;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Options for a connection, set before it is made. Made by [`TcpStream::builder`].
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use std::time::Duration;
/// use weftline::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
///
/// let stream = TcpStream::builder()
///     .nodelay(true)
///     .keepalive(Duration::from_secs(60))
///     .connect(address)
///     .await?;
/// assert!(stream.nodelay()?);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it connects"]
pub struct TcpStreamBuilder {
    /// The address to connect from.
    pub(super) local: Option<SocketAddr>,
    /// Whether small writes are sent at once.
    nodelay: bool,
    /// After how much silence to ask whether the other side is alive.
    keepalive: Option<Duration>,
    /// How much the system buffers of what was written.
    send_buffer_bytes: Option<usize>,
    /// How much the system buffers of what was received.
    receive_buffer_bytes: Option<usize>,
}

impl TcpStreamBuilder {
    /// Connects from `local`: from that address and, unless it is zero, that port. Only addresses
    /// of the same family are tried.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let address = listener.local_addr()?;
    /// let local = "127.0.0.1:0".parse().unwrap();
    /// let stream = TcpStream::builder().bind(local).connect(address).await?;
    /// assert!(stream.local_addr()?.ip().is_loopback());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn bind(mut self, local: SocketAddr) -> Self {
        self.local = Some(local);
        self
    }

    /// Sends small writes at once, instead of collecting them (`TCP_NODELAY`). Off by default.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// After this much silence, asks from time to time whether the other side is alive
    /// (`SO_KEEPALIVE`). Rounded down to seconds by most systems; off by default.
    ///
    /// # Examples
    ///
    /// See the type.
    pub fn keepalive(mut self, silence: Duration) -> Self {
        self.keepalive = Some(silence);
        self
    }

    /// How many bytes the system buffers of what was written (`SO_SNDBUF`); a wish, which Linux
    /// doubles. By default the system finds out by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::net::TcpStream;
    ///
    /// let _options = TcpStream::builder().send_buffer(1 << 20).receive_buffer(1 << 20);
    /// ```
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer_bytes = Some(bytes);
        self
    }

    /// How many bytes the system buffers of what was received (`SO_RCVBUF`); a wish, which Linux
    /// doubles. By default the system finds out by itself.
    ///
    /// # Examples
    ///
    /// See [`send_buffer`](TcpStreamBuilder::send_buffer).
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer_bytes = Some(bytes);
        self
    }

    /// Connects, as [`TcpStream::connect`] does.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::connect`]; also when an option is refused, and when no address of the other
    /// side is of the family of the one to connect from.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, every attempt is closed.
    ///
    /// # Examples
    ///
    /// See the type.
    pub async fn connect(&self, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        connect_any(lookup(&address).await?, self).await
    }

    /// Gives `socket` the options.
    pub(super) fn apply(&self, socket: &Socket) -> io::Result<()> {
        if self.nodelay {
            socket.set_tcp_nodelay(true)?;
        }
        if let Some(silence) = self.keepalive {
            socket.set_tcp_keepalive(&keepalive_after(silence))?;
        }
        if let Some(bytes) = self.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(local) = self.local {
            // As listeners do it, so that a port in its waiting time can be taken again.
            socket.set_reuse_address(cfg!(not(windows)))?;
            socket.bind(&local.into())?;
        }
        Ok(())
    }
}
