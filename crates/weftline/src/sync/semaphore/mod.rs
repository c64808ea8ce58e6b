//! [`Semaphore`]: so many at a time, and who waits goes in turn. Next: `line/`, which says whose turn
//! it is.

mod error;
mod permit;

pub use error::{AcquireError, TooManyPermits};
pub use permit::{OwnedSemaphorePermit, SemaphorePermit};

use super::line::{Line, MAX_PERMITS};
use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::platform::const_unless_model;
use std::fmt;
use std::sync::Arc;

/// A number of permits, which tasks and threads acquire and give back.
///
/// # Guarantees
///
/// - **First come, first served.** Nobody takes permits before somebody who waits for some, however
///   few it wants: who wants many is not passed by those who want one.
/// - **No wait for ever behind a future that nobody polls**: see [`Mutex`](super::Mutex).
/// - Permits come back when their guard is dropped, whoever drops it and wherever. None gets lost in a
///   future that is dropped while it waits.
/// - Bound to no runtime.
///
/// # Examples
///
/// ```
/// use weftline::sync::Semaphore;
///
/// static UPLOADS: Semaphore = Semaphore::new(3);
///
/// async fn upload(file: &str) {
///     let _permit = UPLOADS.acquire().await.expect("it is never closed");
///     println!("one of at most three at a time: {file}");
/// }
///
/// weftline::run(async {
///     upload("a picture").await;
///     assert_eq!(UPLOADS.available_permits(), 3);
/// });
/// ```
pub struct Semaphore {
    /// The permits, and who waits for them.
    line: Line,
    /// How many permits there are, those that are held included.
    total: AtomicUsize,
    /// How many there can be.
    limit: usize,
}

impl Semaphore {
    /// The most permits that a semaphore can have.
    pub const MAX_PERMITS: usize = MAX_PERMITS;

    const_unless_model! {
        /// A semaphore with so many permits, to which more may be [added](Self::add_permits). It
        /// allocates nothing, and can be a `static`.
        ///
        /// # Panics
        ///
        /// If there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        pub fn new(permits: usize) -> Self {
            Self::with_limit(permits, MAX_PERMITS)
        }
    }

    const_unless_model! {
        /// A semaphore that never has more permits than these: [adding](Self::add_permits) some is an
        /// error, unless as many were forgotten.
        ///
        /// # Panics
        ///
        /// If there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        ///
        /// # Examples
        ///
        /// ```
        /// use weftline::sync::Semaphore;
        ///
        /// let semaphore = Semaphore::bounded(2);
        /// assert!(semaphore.add_permits(1).is_err());
        /// semaphore.try_acquire().unwrap().forget();
        /// assert!(semaphore.add_permits(1).is_ok());
        /// ```
        pub fn bounded(permits: usize) -> Self {
            Self::with_limit(permits, permits)
        }
    }

    const_unless_model! {
        fn with_limit(permits: usize, limit: usize) -> Self {
            assert!(permits <= MAX_PERMITS, "more permits than `Semaphore::MAX_PERMITS`");
            Self { line: Line::new(permits), total: AtomicUsize::new(permits), limit }
        }
    }

    /// Acquires one permit, in turn.
    ///
    /// # Errors
    ///
    /// If the semaphore is [closed](Self::close), also while this waits.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready it has acquired nothing, and has given up its place.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Semaphore;
    ///
    /// weftline::run(async {
    ///     let semaphore = Semaphore::new(1);
    ///     let permit = semaphore.acquire().await.unwrap();
    ///     assert!(semaphore.is_locked());
    ///     drop(permit);
    ///     assert!(!semaphore.is_locked());
    /// });
    /// ```
    pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.acquire_many(1).await
    }

    /// Acquires that many permits at once, in turn: whoever comes later waits until there are so many.
    ///
    /// # Errors
    ///
    /// If the semaphore is [closed](Self::close), also while this waits; if it can never have so
    /// many.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready it has acquired nothing, and has given up its place.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Semaphore;
    ///
    /// weftline::run(async {
    ///     let megabytes = Semaphore::new(512);
    ///     let permit = megabytes.acquire_many(100).await.unwrap();
    ///     assert_eq!((permit.count(), megabytes.available_permits()), (100, 412));
    ///     assert!(megabytes.acquire_many(Semaphore::MAX_PERMITS + 1).await.is_err());
    /// });
    /// ```
    pub async fn acquire_many(&self, count: usize) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.wait_for(count).await?;
        Ok(SemaphorePermit::new(self, count))
    }

    /// As [`acquire`](Self::acquire), with a guard that borrows nothing.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::Semaphore;
    ///
    /// weftline::run(async {
    ///     let semaphore = Arc::new(Semaphore::new(1));
    ///     let permit = semaphore.clone().acquire_owned().await.unwrap();
    ///     weftline::spawn(async move { drop(permit) }).await.unwrap();
    ///     assert!(!semaphore.is_locked());
    /// });
    /// ```
    pub async fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire_many_owned(1).await
    }

    /// As [`acquire_many`](Self::acquire_many), with a guard that borrows nothing.
    ///
    /// # Errors
    ///
    /// As [`acquire_many`](Self::acquire_many).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire_many`](Self::acquire_many).
    pub async fn acquire_many_owned(
        self: Arc<Self>,
        count: usize,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.wait_for(count).await?;
        Ok(OwnedSemaphorePermit::new(self, count))
    }

    async fn wait_for(&self, count: usize) -> Result<(), AcquireError> {
        self.check(count)?;
        self.line.acquire(count).await.map_err(|_| AcquireError::CLOSED)
    }

    /// Acquires one permit if that needs no waiting.
    ///
    /// # Errors
    ///
    /// If it does, or the semaphore is closed; the error says which.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let _permit = semaphore.try_acquire().unwrap();
    /// assert!(semaphore.try_acquire().unwrap_err().would_wait());
    /// ```
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.try_acquire_many(1)
    }

    /// As [`try_acquire`](Self::try_acquire), for that many.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire), and if the semaphore can never have so many.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(2);
    /// assert!(semaphore.try_acquire_many(3).is_err());
    /// assert_eq!(semaphore.try_acquire_many(2).unwrap().count(), 2);
    /// ```
    pub fn try_acquire_many(&self, count: usize) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.try_take(count)?;
        Ok(SemaphorePermit::new(self, count))
    }

    /// As [`try_acquire`](Self::try_acquire), with a guard that borrows nothing.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`try_acquire_many`](Self::try_acquire_many), with a guard that borrows nothing.
    ///
    /// # Errors
    ///
    /// As [`try_acquire_many`](Self::try_acquire_many).
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        count: usize,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.try_take(count)?;
        Ok(OwnedSemaphorePermit::new(self, count))
    }

    fn try_take(&self, count: usize) -> Result<(), AcquireError> {
        self.check(count)?;
        match self.line.try_acquire(count) {
            true => Ok(()),
            false if self.is_closed() => Err(AcquireError::CLOSED),
            false => Err(AcquireError::WOULD_WAIT),
        }
    }

    /// Acquires one permit, and blocks the calling thread until it has it. For plain threads: on a
    /// worker it keeps the worker from running anything else, whoever has the permits perhaps
    /// included.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let _permit = semaphore.acquire_blocking().unwrap();
    /// assert_eq!(semaphore.available_permits(), 0);
    /// ```
    #[doc(alias = "blocking_acquire")]
    pub fn acquire_blocking(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.acquire_many_blocking(1)
    }

    /// As [`acquire_blocking`](Self::acquire_blocking), for that many.
    ///
    /// # Errors
    ///
    /// As [`acquire_many`](Self::acquire_many).
    #[doc(alias = "blocking_acquire_many")]
    pub fn acquire_many_blocking(&self, count: usize) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.wait_blocking(count)?;
        Ok(SemaphorePermit::new(self, count))
    }

    fn wait_blocking(&self, count: usize) -> Result<(), AcquireError> {
        self.check(count)?;
        self.line.acquire_blocking(count).map_err(|_| AcquireError::CLOSED)
    }

    /// As [`acquire_blocking`](Self::acquire_blocking), with a guard that borrows nothing.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::Semaphore;
    ///
    /// let semaphore = Arc::new(Semaphore::new(1));
    /// let permit = semaphore.clone().acquire_owned_blocking().unwrap();
    /// std::thread::spawn(move || drop(permit)).join().unwrap();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    #[doc(alias = "blocking_acquire_owned")]
    pub fn acquire_owned_blocking(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire_many_owned_blocking(1)
    }

    /// As [`acquire_many_blocking`](Self::acquire_many_blocking), with a guard that borrows nothing.
    ///
    /// # Errors
    ///
    /// As [`acquire_many`](Self::acquire_many).
    #[doc(alias = "blocking_acquire_many_owned")]
    pub fn acquire_many_owned_blocking(
        self: Arc<Self>,
        count: usize,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.wait_blocking(count)?;
        Ok(OwnedSemaphorePermit::new(self, count))
    }

    /// An error, if there can never be so many.
    fn check(&self, count: usize) -> Result<(), AcquireError> {
        if count <= self.limit { Ok(()) } else { Err(AcquireError::too_many(count, self.limit)) }
    }

    /// Adds permits.
    ///
    /// # Errors
    ///
    /// If there would be more than [`MAX_PERMITS`](Self::MAX_PERMITS), those that are held included,
    /// or more than the semaphore is [bounded](Self::bounded) to. None is added then.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(0);
    /// semaphore.add_permits(2).unwrap();
    /// assert_eq!(semaphore.available_permits(), 2);
    /// ```
    pub fn add_permits(&self, count: usize) -> Result<(), TooManyPermits> {
        let more = |total: usize| total.checked_add(count).filter(|sum| *sum <= self.limit);
        // Relaxed: the number is nobody's right to anything.
        match self.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => {
                self.give_back(count);
                Ok(())
            }
            Err(total) => Err(TooManyPermits { added: count, total, limit: self.limit }),
        }
    }

    /// Takes away up to that many permits that are free and that nobody waits for, for good; says
    /// how many. To take away one that is acquired, [forget](SemaphorePermit::forget) it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(3);
    /// assert_eq!(semaphore.forget(2), 2);
    /// assert_eq!(semaphore.forget(2), 1);
    /// assert!(semaphore.is_locked());
    /// ```
    #[doc(alias = "forget_permits")]
    pub fn forget(&self, count: usize) -> usize {
        let taken = self.line.take_up_to(count);
        self.retire(taken);
        taken
    }

    /// From now on nobody acquires permits; all who wait for some get an error. Guards stay what they
    /// are.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Semaphore;
    ///
    /// weftline::run(async {
    ///     let semaphore = Semaphore::new(1);
    ///     semaphore.close();
    ///     assert!(semaphore.acquire().await.unwrap_err().is_closed());
    /// });
    /// ```
    pub fn close(&self) {
        self.line.close();
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.line.is_closed()
    }

    /// How many permits nobody holds. Some of them may be promised to those who wait.
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.line.free()
    }

    /// Whether somebody who came now and wanted one permit would have to wait: none is free, or
    /// those that are free are promised to others, or others wait for more than are free. So it is,
    /// too, once the semaphore is closed.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.line.would_wait(1)
    }

    /// Permits are not held any more.
    fn give_back(&self, count: usize) {
        if count > 0 {
            self.line.release(count);
        }
    }

    /// Permits are not there any more.
    fn retire(&self, count: usize) {
        // Relaxed: the number is nobody's right to anything.
        self.total.fetch_sub(count, Ordering::Relaxed);
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available_permits", &self.available_permits())
            .field("waiters", &self.line.waiters())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
