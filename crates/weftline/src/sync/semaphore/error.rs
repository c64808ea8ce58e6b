//! Why a semaphore gives no permits, or takes none.

use std::error::Error;
use std::fmt;

/// Why permits of a [`Semaphore`](super::Semaphore) were not acquired.
///
/// # Examples
///
/// ```
/// use weftline::sync::Semaphore;
///
/// let semaphore = Semaphore::new(1);
/// let _permit = semaphore.try_acquire().unwrap();
/// let error = semaphore.try_acquire().unwrap_err();
/// assert!(error.would_wait() && !error.is_closed());
/// assert_eq!(error.to_string(), "no permits are free, or others wait for them");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquireError(Reason);

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The semaphore was closed.
    Closed,
    /// Who does not want to wait gets nothing.
    WouldWait,
    /// There can never be so many.
    TooMany {
        /// How many were wanted.
        wanted: usize,
        /// How many there can be.
        limit: usize,
    },
}

impl AcquireError {
    pub(super) const CLOSED: Self = Self(Reason::Closed);
    pub(super) const WOULD_WAIT: Self = Self(Reason::WouldWait);

    pub(super) fn too_many(wanted: usize, limit: usize) -> Self {
        Self(Reason::TooMany { wanted, limit })
    }

    /// Whether the semaphore was closed: nobody gets permits any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0 == Reason::Closed
    }

    /// Whether the permits may be had by waiting for them.
    #[must_use]
    pub fn would_wait(&self) -> bool {
        self.0 == Reason::WouldWait
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Reason::Closed => f.write_str("the semaphore was closed"),
            Reason::WouldWait => f.write_str("no permits are free, or others wait for them"),
            Reason::TooMany { wanted, limit } => {
                write!(f, "{wanted} permits are wanted, but there can be no more than {limit}")
            }
        }
    }
}

impl Error for AcquireError {}

/// Permits cannot be added to a [`Semaphore`](super::Semaphore): there would be more than it may
/// have.
///
/// # Examples
///
/// ```
/// use weftline::sync::Semaphore;
///
/// let error = Semaphore::bounded(3).add_permits(1).unwrap_err();
/// assert_eq!(error.to_string(), "1 permits cannot be added to 3: there can be no more than 3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyPermits {
    /// How many were to be added.
    pub(super) added: usize,
    /// How many there are, those that are held included.
    pub(super) total: usize,
    /// How many there can be.
    pub(super) limit: usize,
}

impl fmt::Display for TooManyPermits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, total, limit } = self;
        write!(f, "{added} permits cannot be added to {total}: there can be no more than {limit}")
    }
}

impl Error for TooManyPermits {}
