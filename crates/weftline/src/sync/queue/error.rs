//! Why nothing was put, nothing got, or nothing marked as done.

use std::error::Error;
use std::fmt;

/// Why [`Queue::put`](super::Queue::put) has not put the item: the queue was shut down. The item is in
/// it.
///
/// # Examples
///
/// ```
/// use weftline::sync::queue::{Queue, Shutdown, error::PutError};
///
/// let queue = Queue::new(None);
/// queue.shutdown(Shutdown::Drain);
/// assert_eq!(queue.put_blocking("late"), Err(PutError("late")));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PutError<T>(pub T);

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutError").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        GetError(()).fmt(f)
    }
}

impl<T> Error for PutError<T> {}

/// Why [`Queue::try_put`](super::Queue::try_put) has not put the item, which is in it.
///
/// # Examples
///
/// ```
/// use weftline::sync::queue::{Queue, Shutdown, error::TryPutError};
///
/// let queue = Queue::new(1);
/// queue.try_put(1).unwrap();
/// assert_eq!(queue.try_put(2), Err(TryPutError::Full(2)));
/// queue.shutdown(Shutdown::Drain);
/// assert_eq!(queue.try_put(3), Err(TryPutError::ShutDown(3)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TryPutError<T> {
    /// There is no room now, or others wait for it who came before.
    Full(T),
    /// As [`PutError`].
    ShutDown(T),
}

impl<T> TryPutError<T> {
    /// The item that was not put.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = weftline::sync::Queue::new(1);
    /// queue.try_put("first").unwrap();
    /// assert_eq!(queue.try_put("second").unwrap_err().into_item(), "second");
    /// ```
    pub fn into_item(self) -> T {
        match self {
            TryPutError::Full(item) | TryPutError::ShutDown(item) => item,
        }
    }
}

impl<T> fmt::Debug for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryPutError::Full(_) => "Full(..)",
            TryPutError::ShutDown(_) => "ShutDown(..)",
        })
    }
}

impl<T> fmt::Display for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryPutError::Full(_) => f.write_str("the queue is full"),
            TryPutError::ShutDown(_) => GetError(()).fmt(f),
        }
    }
}

impl<T> Error for TryPutError<T> {}

/// The queue was shut down, and there is nothing more to get.
///
/// # Examples
///
/// ```
/// use weftline::sync::queue::{Queue, Shutdown};
///
/// weftline::run(async {
///     let queue = Queue::<u32>::new(None);
///     queue.shutdown(Shutdown::Drain);
///     let error = queue.get().await.unwrap_err();
///     assert_eq!(error.to_string(), "the queue was shut down");
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetError(pub(super) ());

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue was shut down")
    }
}

impl Error for GetError {}

/// Why [`Queue::try_get`](super::Queue::try_get) has nothing.
///
/// # Examples
///
/// ```
/// use weftline::sync::queue::{Queue, Shutdown, error::TryGetError};
///
/// let queue = Queue::<u32>::new(None);
/// assert_eq!(queue.try_get(), Err(TryGetError::Empty));
/// queue.shutdown(Shutdown::Drain);
/// assert_eq!(queue.try_get(), Err(TryGetError::ShutDown));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryGetError {
    /// Nothing is there now, or others wait for it who came before.
    Empty,
    /// As [`GetError`].
    ShutDown,
}

impl fmt::Display for TryGetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryGetError::Empty => f.write_str("the queue is empty"),
            TryGetError::ShutDown => GetError(()).fmt(f),
        }
    }
}

impl Error for TryGetError {}

/// More items were marked as done than were put.
///
/// # Examples
///
/// ```
/// let queue = weftline::sync::Queue::new(None);
/// queue.try_put(1).unwrap();
/// assert_eq!(queue.task_done(), Ok(()));
/// assert!(queue.task_done().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyDone(pub(super) ());

impl fmt::Display for TooManyDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all items that were put were marked as done before")
    }
}

impl Error for TooManyDone {}
