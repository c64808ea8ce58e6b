//! TLS on any stream, client and server, by the [`rustls`] library. With the feature `tls`.
//!
//! A [`TlsConnector`] or a [`TlsAcceptor`] makes a [`TlsStream`] of a stream: of a socket that was
//! just connected, or of one on which both sides have talked before and agreed to go on encrypted
//! (*STARTTLS*). Whoever has read from that by a [`BufReader`](crate::io::BufReader), and written to it by
//! `reader.get_mut().write_all(..)`, hands over the reader, and no byte is lost that came early; a reader and a
//! writer are handed over by [`join`](crate::io::join).
//!
//! [`client_config`] and [`server_config`] read certificates from files. For all else, a configuration is
//! made as rustls has it: certificates of clients, protocols (ALPN), one server of many names,
//! versions, session tickets. By default rustls allows TLS 1.2 and 1.3, and nothing that is known to be broken.
//!
//! Reading and writing are those of [`AsyncRead`](crate::io::AsyncRead) and
//! [`AsyncWrite`](crate::io::AsyncWrite), so that everything in [`io`](crate::io) applies. For two tasks, or a reader and a
//! writer with buffers, [`io::split`](crate::io::split()) makes halves.
//!
//! # The end
//!
//! Whoever has written all ends with [`close`](TlsStream::close), which says so to the other side. A connection that ends
//! without that may have been cut by somebody between: reading fails with
//! [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) where a plain one would just end. So a stream that is
//! dropped, as by a handler that was cancelled or has failed, does not end as if all had been said.
//!
//! # Which authorities to trust
//!
//! That is the program's to say, since the right list changes with time and place, and neither with releases of
//! this crate: a file of the system such as `/etc/ssl/certs/ca-certificates.crt`, one of your own
//! ([`client_config`] takes both), or one of the crates rustls-platform-verifier, rustls-native-certs and
//! webpki-roots, whose documentation tells how they fill a [`rustls::ClientConfig`].
//!
//! # Another library
//!
//! Nothing here is known to the rest of the crate: any library of TLS that works on the traits of
//! futures-io works on our streams just so, without the feature: async-native-tls and futures-rustls take a
//! [`TcpStream`](crate::net::TcpStream), or one with a `BufReader` around it, as they take any other. What
//! wants the traits of tokio, as tokio-openssl does, gets them by the compat module of tokio-util.
//!
//! # Examples
//!
//! A server and its client:
//!
//! ```
//! use std::io;
//! use std::time::Duration;
//! use weftline::io::{BufReader, BufWriter, split};
//! use weftline::net::{TcpStream, serve};
//! use weftline::tls::{TlsAcceptor, TlsConnector, TlsStream, client_config, server_config};
//!
//! /// Says every line again.
//! async fn echo(stream: TlsStream<TcpStream>) -> io::Result<()> {
//!     let (reader, writer) = split(stream);
//!     let (mut reader, mut writer) = (BufReader::new(reader), BufWriter::new(writer));
//!     loop {
//!         let line = reader.read_line().await?;
//!         if line.is_empty() {
//!             return writer.close().await;
//!         }
//!         writer.write_all(line).await?;
//!         writer.flush().await?;
//!     }
//! }
//!
//! # let (chain, key, roots) = ("tests/localhost.pem", "tests/localhost.pem", "tests/localhost.pem");
//! # weftline::run(async {
//! let acceptor = TlsAcceptor::from(server_config(chain, key)?);
//! let server = serve("127.0.0.1:0", acceptor.handler(echo)).await?;
//!
//! let connector = TlsConnector::from(client_config(roots)?);
//! let stream = TcpStream::connect(server.local_addrs()[0]).await?;
//! let mut stream = connector.connect("localhost", stream).await?;
//! stream.write_all(b"hello\n").await?;
//! stream.close().await?;
//! let mut all = Vec::new();
//! BufReader::new(stream).read_to_end(&mut all).await?;
//! assert_eq!(all, b"hello\n");
//!
//! server.graceful_shutdown(Duration::from_secs(1)).await;
//! # io::Result::Ok(()) }).unwrap();
//! ```
//!
//! Both sides go over to TLS on a connection that they have begun in plain text:
//!
//! ```
//! use weftline::io::{BufReader, BufWriter};
//! # use weftline::io::duplex;
//! # use weftline::tls::{TlsAcceptor, TlsConnector, client_config, server_config};
//!
//! # let acceptor = TlsAcceptor::from(server_config("tests/localhost.pem", "tests/localhost.pem").unwrap());
//! # let connector = TlsConnector::from(client_config("tests/localhost.pem").unwrap());
//! # weftline::run(async {
//! # let (stream, accepted) = duplex(1024);
//! let server = weftline::spawn(async move {
//!     let mut reader = BufReader::new(accepted);
//!     assert_eq!(reader.read_line().await?, b"STARTTLS\n");
//!     // The reader may have the first bytes of TLS in its buffer already.
//!     let mut stream = acceptor.accept(reader).await?;
//!     stream.write_all(b"hello\n").await?;
//!     stream.close().await
//! });
//!
//! BufWriter::with_capacity(0, &stream).write_all(b"STARTTLS\n").await?;
//! let mut reader = BufReader::new(connector.connect("localhost", stream).await?);
//! assert_eq!(reader.read_line().await?, b"hello\n");
//! server.await.unwrap()?;
//! # std::io::Result::Ok(()) }).unwrap();
//! ```

mod acceptor;
mod config;
mod connector;
mod session;
mod stream;

pub use acceptor::{Handling, TlsAcceptor};
pub use config::{client_config, server_config};
pub use connector::TlsConnector;
pub use rustls;
pub use stream::TlsStream;
