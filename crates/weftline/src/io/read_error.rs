//! What a buffered read may fail with: the end came too early, the separator too late, or the source
//! failed.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a [`BufReader`](super::BufReader) did not find what was asked for.
///
/// By `?` it becomes an [`io::Error`], for functions that give that: of the kind
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) or [`InvalidData`](io::ErrorKind::InvalidData), with
/// the value inside as its cause.
///
/// # Examples
///
/// ```
/// use weftline::io::{BufReader, IncompleteRead, ReadError};
///
/// weftline::run(async {
///     let mut reader = BufReader::new(&b"key: val"[..]);
///     let error = reader.read_until(&[b";"]).await.unwrap_err();
///     assert!(matches!(&error, ReadError::Incomplete(read) if read.partial == b"key: val"));
///
///     let error = std::io::Error::from(error);
///     assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
///     assert!(error.get_ref().unwrap().is::<IncompleteRead>());
/// });
/// ```
#[derive(Debug)]
pub enum ReadError {
    /// The end came first.
    Incomplete(IncompleteRead),
    /// What was asked for is longer than the reader's limit.
    LimitOverrun(LimitOverrun),
    /// The source failed; or, for text, the bytes are none.
    Io(io::Error),
}

/// The end came before all that was asked for.
///
/// # Examples
///
/// See [`ReadError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncompleteRead {
    /// What was there; it is not in the reader any more.
    pub partial: Vec<u8>,
    /// How many bytes were asked for, where it was a number of bytes.
    pub expected: Option<usize>,
}

/// What was asked for is longer than the reader's limit.
///
/// # Examples
///
/// See [`BufReader::with_limit`](super::BufReader::with_limit).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitOverrun {
    /// The limit, in bytes.
    pub limit: usize,
    /// How many bytes there are that belong to no separator: those in front of it where one was
    /// found, otherwise those that were searched.
    pub consumed: usize,
    /// Whether a separator was found.
    pub is_found: bool,
}

impl fmt::Display for IncompleteRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.partial.len();
        match self.expected {
            Some(expected) => write!(f, "the end came after {count} of {expected} bytes"),
            None => write!(f, "the end came after {count} bytes, without a separator"),
        }
    }
}

impl fmt::Display for LimitOverrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, consumed, is_found } = self;
        match is_found {
            true => write!(f, "the separator came after {consumed} bytes; the limit is {limit}"),
            false => write!(f, "no separator in {consumed} bytes; the limit is {limit}"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(error) => error.fmt(f),
            Self::LimitOverrun(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl Error for IncompleteRead {}

impl Error for LimitOverrun {}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            Self::Incomplete(_) | Self::LimitOverrun(_) => None,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Incomplete(error) => Self::new(io::ErrorKind::UnexpectedEof, error),
            ReadError::LimitOverrun(error) => Self::new(io::ErrorKind::InvalidData, error),
            ReadError::Io(error) => error,
        }
    }
}
