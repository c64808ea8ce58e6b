//! The two halves of a stream: one reads, one writes, so that neither needs the other.

use super::tcp_stream::TcpStream;
use crate::io::Async;
use crate::io::delegate::{delegate_read, delegate_write};
use crate::platform::poller::AsDescriptor;
use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;

/// A stream that has halves; [`TcpStream`] and, on Unix, `UnixStream`.
pub trait Splittable {
    /// The socket of the standard library.
    type Io: AsDescriptor;

    /// The registered socket.
    fn io(&self) -> &Async<Self::Io>;

    /// Ends the writing direction.
    fn close_write(&self) -> io::Result<()>;
}

/// The reading half of a stream, borrowed by `split`.
///
/// # Examples
///
/// See [`TcpStream::split`].
pub struct ReadHalf<'a, S: Splittable = TcpStream> {
    /// The whole.
    stream: &'a S,
}

/// The writing half of a stream, borrowed by `split`. Dropping it does not end the writing.
///
/// # Examples
///
/// See [`TcpStream::split`].
pub struct WriteHalf<'a, S: Splittable = TcpStream> {
    /// The whole.
    stream: &'a S,
}

/// The reading half of a stream, made by `into_split`.
///
/// # Examples
///
/// See [`TcpStream::into_split`].
pub struct OwnedReadHalf<S: Splittable = TcpStream> {
    /// The whole.
    stream: Arc<S>,
}

/// The writing half of a stream, made by `into_split`. Dropping it ends the writing: the other
/// side reads the end.
///
/// # Examples
///
/// See [`TcpStream::into_split`].
pub struct OwnedWriteHalf<S: Splittable = TcpStream> {
    /// The whole; none only once it is reunited.
    stream: Option<Arc<S>>,
}

/// Two halves are not of one stream. Holds both.
///
/// # Examples
///
/// See [`OwnedReadHalf::reunite`].
pub struct ReuniteError<S: Splittable = TcpStream>(
    /// The reading half that was given.
    pub OwnedReadHalf<S>,
    /// The writing half that was given.
    pub OwnedWriteHalf<S>,
);

impl<'a, S: Splittable> ReadHalf<'a, S> {
    pub(super) fn new(stream: &'a S) -> Self {
        Self { stream }
    }
}

impl<'a, S: Splittable> WriteHalf<'a, S> {
    pub(super) fn new(stream: &'a S) -> Self {
        Self { stream }
    }
}

impl<S: Splittable> OwnedReadHalf<S> {
    pub(super) fn pair(stream: S) -> (Self, OwnedWriteHalf<S>) {
        let stream = Arc::new(stream);
        (Self { stream: stream.clone() }, OwnedWriteHalf { stream: Some(stream) })
    }

    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    ///
    /// When they are of different streams; the error gives both back.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let one = TcpStream::connect(listener.local_addr()?).await?;
    /// let other = TcpStream::connect(listener.local_addr()?).await?;
    /// let (reader, writer) = one.into_split();
    /// let (other_reader, other_writer) = other.into_split();
    /// let error = reader.reunite(other_writer).unwrap_err();
    /// assert!(error.0.reunite(writer).is_ok());
    /// assert!(other_reader.reunite(error.1).is_ok());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn reunite(self, mut writer: OwnedWriteHalf<S>) -> Result<S, ReuniteError<S>> {
        let same = writer.stream.as_ref().is_some_and(|other| Arc::ptr_eq(&self.stream, other));
        if !same {
            return Err(ReuniteError(self, writer));
        }
        // First, so that dropping the half does not end the writing.
        drop(writer.stream.take());
        match Arc::try_unwrap(self.stream) {
            Ok(stream) => Ok(stream),
            Err(_) => unreachable!("a stream has two halves, and both are here"),
        }
    }
}

impl<S: Splittable> OwnedWriteHalf<S> {
    /// Drops the half without ending the writing, which then ends with the reading half.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// # use weftline::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = listener.accept().await?;
    /// let (_reader, writer) = client.into_split();
    /// writer.forget();
    /// let error = server.try_read(&mut [0; 1]).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn forget(mut self) {
        drop(self.stream.take());
    }
}

impl<S: Splittable> AsRef<S> for ReadHalf<'_, S> {
    fn as_ref(&self) -> &S {
        self.stream
    }
}

impl<S: Splittable> AsRef<S> for WriteHalf<'_, S> {
    fn as_ref(&self) -> &S {
        self.stream
    }
}

impl<S: Splittable> AsRef<S> for OwnedReadHalf<S> {
    fn as_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: Splittable> AsRef<S> for OwnedWriteHalf<S> {
    fn as_ref(&self) -> &S {
        match &self.stream {
            Some(stream) => stream,
            None => unreachable!("`reunite` and `forget` consume the half"),
        }
    }
}

impl<S: Splittable> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            // A connection that is closed already needs no end.
            let _ = stream.close_write();
        }
    }
}

/// The awaiting methods of a reading half.
macro_rules! reading_methods {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> $type
        where
            for<'s> &'s S::Io: io::Read,
        {
            /// Reads what is there, as [`TcpStream::read`].
            ///
            /// # Errors
            ///
            /// As [`TcpStream::read`].
            ///
            /// # Cancel safety
            ///
            /// As [`TcpStream::read`].
            ///
            /// # Examples
            ///
            /// See [`TcpStream::split`].
            pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().io().read(buf).await
            }

            /// Reads into several buffers. See [`Async::read_vectored`].
            pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().io().read_vectored(bufs).await
            }

            /// Reads until `buf` is full. See [`Async::read_exact`].
            pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
                self.as_ref().io().read_exact(buf).await
            }

            /// Reads until the end. See [`Async::read_to_end`].
            pub async fn read_to_end(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
                self.as_ref().io().read_to_end(buf).await
            }
        }
    };
}

/// The awaiting methods of a writing half.
macro_rules! writing_methods {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> $type
        where
            for<'s> &'s S::Io: io::Write,
        {
            /// Writes what there is room for. See [`Async::write`].
            pub async fn write(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().io().write(buf).await
            }

            /// Writes from several buffers. See [`Async::write_vectored`].
            pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().io().write_vectored(bufs).await
            }

            /// Writes all of `buf`. See [`Async::write_all`].
            pub async fn write_all(&self, buf: &[u8]) -> io::Result<()> {
                self.as_ref().io().write_all(buf).await
            }

            /// Ends the writing: the other side reads the end.
            ///
            /// # Errors
            ///
            /// Whatever the system says.
            ///
            /// # Examples
            ///
            /// See [`TcpStream::shutdown`].
            pub async fn shutdown(&self) -> io::Result<()> {
                self.close_write()
            }

            fn close_write(&self) -> io::Result<()> {
                self.as_ref().close_write()
            }
        }
    };
}

reading_methods!([S: Splittable] ReadHalf<'_, S>);
reading_methods!([S: Splittable] OwnedReadHalf<S>);
writing_methods!([S: Splittable] WriteHalf<'_, S>);
writing_methods!([S: Splittable] OwnedWriteHalf<S>);

delegate_read!([S: Splittable] ReadHalf<'_, S> where [for<'s> &'s S::Io: io::Read],
    half => half.as_ref().io());
delegate_read!([S: Splittable] OwnedReadHalf<S> where [for<'s> &'s S::Io: io::Read],
    half => half.as_ref().io());
delegate_write!([S: Splittable] WriteHalf<'_, S> where [for<'s> &'s S::Io: io::Write],
    half => half.as_ref().io());
delegate_write!([S: Splittable] OwnedWriteHalf<S> where [for<'s> &'s S::Io: io::Write],
    half => half.as_ref().io());

impl<S: Splittable + fmt::Debug> fmt::Debug for ReadHalf<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadHalf").field(self.stream).finish()
    }
}

impl<S: Splittable + fmt::Debug> fmt::Debug for WriteHalf<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WriteHalf").field(self.stream).finish()
    }
}

impl<S: Splittable + fmt::Debug> fmt::Debug for OwnedReadHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedReadHalf").field(&self.stream).finish()
    }
}

impl<S: Splittable + fmt::Debug> fmt::Debug for OwnedWriteHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedWriteHalf").field(self.as_ref()).finish()
    }
}

impl<S: Splittable> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReuniteError")
    }
}

impl<S: Splittable> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves are of different streams")
    }
}

impl<S: Splittable> Error for ReuniteError<S> {}
