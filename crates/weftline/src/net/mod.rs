//! Networking: TCP, UDP and Unix sockets, and looking up names.
//!
//! Names follow `std::net`; what blocks there is awaited here. The sockets belong to the runtime
//! they are made in and can be used from any task of any runtime; made outside of one, they fail
//! with an error that says so.
//!
//! Reading and writing are methods of the sockets themselves and take `&self`, so that two tasks
//! can share one; the streams also implement the traits of [`io`](crate::io), and can be split into
//! halves. Everything is built on [`Async`](crate::io::Async), which each socket lends with
//! `as_async`, for whatever has no method here. [`serve`] runs a handler for each connection.
//!
//! # Examples
//!
//! An echo server and its client:
//!
//! ```
//! use weftline::net::{TcpListener, TcpStream};
//!
//! # weftline::run(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let server = weftline::spawn(async move {
//!     let (stream, _) = listener.accept().await?;
//!     let mut buf = [0; 1024];
//!     loop {
//!         match stream.read(&mut buf).await? {
//!             0 => return std::io::Result::Ok(()),
//!             n => stream.write_all(&buf[..n]).await?,
//!         }
//!     }
//! });
//!
//! let stream = TcpStream::connect(address).await?;
//! stream.write_all(b"hello").await?;
//! let mut buf = [0; 5];
//! stream.read_exact(&mut buf).await?;
//! assert_eq!(&buf, b"hello");
//!
//! drop(stream); // the server reads the end, and ends
//! server.await.unwrap()?;
//! # std::io::Result::Ok(()) }).unwrap();
//! ```

mod accept;
mod address;
mod connect;
#[cfg(unix)]
mod descriptors;
mod pause;
mod resolver;
mod server;
mod split;
mod tcp_listener;
mod tcp_listener_builder;
mod tcp_stream;
mod tcp_stream_builder;
mod tcp_stream_options;
mod udp;
#[cfg(unix)]
mod unix;

pub use address::ToSocketAddrs;
pub use resolver::resolve;
pub use server::{Serve, Server, Starting, serve, serve_on};
#[cfg(unix)]
pub use server::{ServeUnix, serve_unix, serve_unix_on};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use tcp_listener::{Incoming, TcpListener};
pub use tcp_listener_builder::TcpListenerBuilder;
pub use tcp_stream::TcpStream;
pub use tcp_stream_builder::TcpStreamBuilder;
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixIncoming, UnixListener, UnixStream};
