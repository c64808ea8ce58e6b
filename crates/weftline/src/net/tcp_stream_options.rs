//! The options of a connection that is made: what the system does with a [`TcpStream`].

use super::tcp_stream::TcpStream;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;

/// The keep-alive options for a given time of silence.
pub(super) fn keepalive_after(silence: Duration) -> TcpKeepalive {
    TcpKeepalive::new().with_time(silence)
}

impl TcpStream {
    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`set_nodelay`](TcpStream::set_nodelay).
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.get_ref().nodelay()
    }

    /// Sends small writes at once, or collects them (`TCP_NODELAY`). A new connection collects.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use std::time::Duration;
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// stream.set_nodelay(true)?;
    /// stream.set_ttl(32)?;
    /// stream.set_linger(Some(Duration::from_secs(5)))?;
    /// stream.set_keepalive(Some(Duration::from_secs(60)))?;
    /// assert!(stream.nodelay()? && stream.keepalive()?);
    /// assert_eq!((stream.ttl()?, stream.linger()?), (32, Some(Duration::from_secs(5))));
    /// assert!(stream.take_error()?.is_none());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.get_ref().set_nodelay(nodelay)
    }

    /// Whether the system asks a silent other side if it is alive (`SO_KEEPALIVE`).
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`set_nodelay`](TcpStream::set_nodelay).
    pub fn keepalive(&self) -> io::Result<bool> {
        SockRef::from(self.io.get_ref()).keepalive()
    }

    /// After this much silence, asks from time to time whether the other side is alive, or never
    /// asks (`SO_KEEPALIVE`). Most systems round down to seconds. A new connection never asks.
    ///
    /// # Errors
    ///
    /// Whatever the system says: less than a second is refused by most.
    ///
    /// # Examples
    ///
    /// See [`set_nodelay`](TcpStream::set_nodelay).
    pub fn set_keepalive(&self, silence: Option<Duration>) -> io::Result<()> {
        let socket = SockRef::from(self.io.get_ref());
        match silence {
            Some(silence) => socket.set_tcp_keepalive(&keepalive_after(silence)),
            None => socket.set_keepalive(false),
        }
    }

    /// How long the system goes on sending what is unsent when the connection is closed
    /// (`SO_LINGER`).
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`set_nodelay`](TcpStream::set_nodelay).
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self.io.get_ref()).linger()
    }

    /// How long the system goes on sending what is unsent when the connection is closed
    /// (`SO_LINGER`), in whole seconds. Zero drops it and resets the connection; `None`, as for a
    /// new connection, is the system's own way, in the background.
    ///
    /// With a time above zero, closing blocks the thread that drops the connection.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`set_nodelay`](TcpStream::set_nodelay).
    pub fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        SockRef::from(self.io.get_ref()).set_linger(time)
    }

    /// How many routers a packet may pass (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`set_nodelay`](TcpStream::set_nodelay).
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    /// Sets how many routers a packet may pass (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`set_nodelay`](TcpStream::set_nodelay).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(ttl)
    }

    /// Takes the error that the next operation would fail with, if there is one (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// When the system does not even say that.
    ///
    /// # Examples
    ///
    /// See [`set_nodelay`](TcpStream::set_nodelay).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
    }
}
