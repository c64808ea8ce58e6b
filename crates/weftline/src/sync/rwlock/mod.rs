//! [`RwLock`]: many readers or one writer, in turn. Next: `line/`, which says whose turn it is.

mod guard;
mod owned;

pub use guard::{RwLockReadGuard, RwLockWriteGuard};
pub use owned::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use super::line::{Line, MAX_PERMITS};
use crate::platform::const_unless_model;
use std::cell::UnsafeCell;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// What a reader takes.
const READ: usize = 1;
/// What a writer takes: all there is.
const WRITE: usize = MAX_PERMITS;

/// A lock that many may read under at once, or one may write under.
///
/// # Guarantees
///
/// - **First come, first served.** Readers that stand side by side in the line read side by side. One
///   that comes after a writer who waits goes after it, so that writers are not kept waiting by
///   readers that come and go.
/// - **No wait for ever behind a future that nobody polls**: see [`Mutex`](super::Mutex).
/// - Bound to no runtime. No poison.
///
/// A task that reads, and asks to read once more while a writer waits, waits for itself.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
/// use weftline::sync::RwLock;
///
/// weftline::run(async {
///     let lock = RwLock::new(HashMap::new());
///     lock.write().await.insert("answer", 42);
///     let (one, other) = (lock.read().await, lock.read().await);
///     assert_eq!((one["answer"], other["answer"]), (42, 42));
/// });
/// ```
pub struct RwLock<T: ?Sized> {
    /// Whose turn it is. One permit is a right to read, all of them are the right to write.
    line: Line,
    /// The value.
    value: UnsafeCell<T>,
}

// SAFETY: the value goes from thread to thread with the lock, for which `T: Send` is needed.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: who has all permits reaches the value alone, on any thread (`T: Send`); those who have
// one each read it at the same time (`T: Sync`). What the lock itself does is atomic or under a
// lock.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

// A panic under the lock leaves the value as the panicking code left it, as with any `&mut`; the
// lock itself is released.
impl<T: ?Sized> UnwindSafe for RwLock<T> {}
impl<T: ?Sized> RefUnwindSafe for RwLock<T> {}

impl<T> RwLock<T> {
    const_unless_model! {
        /// A lock that nobody holds. It allocates nothing, and can be a `static`.
        ///
        /// # Examples
        ///
        /// ```
        /// use weftline::sync::RwLock;
        ///
        /// static NAMES: RwLock<Vec<String>> = RwLock::new(Vec::new());
        /// NAMES.write_blocking().push("Ann".into());
        /// assert_eq!(NAMES.read_blocking().len(), 1);
        /// ```
        pub fn new(value: T) -> Self {
            Self { line: Line::new(WRITE), value: UnsafeCell::new(value) }
        }
    }

    /// The value; nobody can hold the lock any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::RwLock;
    ///
    /// let mut lock = RwLock::new(1);
    /// *lock.get_mut() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks to read, in turn. The lock is released when the guard is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready it has not locked, and has given up its place.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::RwLock;
    ///
    /// weftline::run(async {
    ///     let lock = RwLock::new(1);
    ///     let guard = lock.read().await;
    ///     assert_eq!(*guard, 1);
    ///     assert!(lock.try_write().is_none());
    /// });
    /// ```
    pub async fn read(&self) -> RwLockReadGuard<'_, T> {
        let acquired = self.line.acquire(READ).await;
        debug_assert!(acquired.is_ok(), "the line of a lock is never closed");
        RwLockReadGuard::new(self)
    }

    /// As [`read`](Self::read), with a guard that borrows nothing and so may go anywhere.
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::RwLock;
    ///
    /// weftline::run(async {
    ///     let lock = Arc::new(RwLock::new(1));
    ///     let guard = lock.clone().read_owned().await;
    ///     weftline::spawn(async move { drop(guard) }).await.unwrap();
    ///     assert!(!lock.is_locked());
    /// });
    /// ```
    pub async fn read_owned(self: Arc<Self>) -> OwnedRwLockReadGuard<T> {
        let acquired = self.line.acquire(READ).await;
        debug_assert!(acquired.is_ok(), "the line of a lock is never closed");
        OwnedRwLockReadGuard::new(self)
    }

    /// Locks to read if that needs no waiting: nobody writes, and nobody waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// let _guard = lock.try_read().expect("nobody holds it");
    /// assert!(lock.try_write().is_none());
    /// ```
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.line.try_acquire(READ).then(|| RwLockReadGuard::new(self))
    }

    /// As [`try_read`](Self::try_read), with a guard that borrows nothing.
    pub fn try_read_owned(self: Arc<Self>) -> Option<OwnedRwLockReadGuard<T>> {
        self.line.try_acquire(READ).then(|| OwnedRwLockReadGuard::new(self))
    }

    /// Locks to read, and blocks the calling thread until it has the lock. For plain threads: on a
    /// worker it keeps the worker from running anything else, whoever holds the lock perhaps
    /// included.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// assert_eq!(*lock.read_blocking(), 1);
    /// ```
    #[doc(alias = "blocking_read")]
    pub fn read_blocking(&self) -> RwLockReadGuard<'_, T> {
        let acquired = self.line.acquire_blocking(READ);
        debug_assert!(acquired.is_ok(), "the line of a lock is never closed");
        RwLockReadGuard::new(self)
    }

    /// Locks to write, in turn. The lock is released when the guard is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready it has not locked, and has given up its place.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::RwLock;
    ///
    /// weftline::run(async {
    ///     let lock = RwLock::new(1);
    ///     let guard = lock.write().await;
    ///     assert_eq!(*guard, 1);
    ///     assert!(lock.try_write().is_none());
    /// });
    /// ```
    pub async fn write(&self) -> RwLockWriteGuard<'_, T> {
        let acquired = self.line.acquire(WRITE).await;
        debug_assert!(acquired.is_ok(), "the line of a lock is never closed");
        RwLockWriteGuard::new(self)
    }

    /// As [`write`](Self::write), with a guard that borrows nothing and so may go anywhere.
    ///
    /// # Cancel safety
    ///
    /// As [`write`](Self::write).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::RwLock;
    ///
    /// weftline::run(async {
    ///     let lock = Arc::new(RwLock::new(1));
    ///     let guard = lock.clone().write_owned().await;
    ///     weftline::spawn(async move { drop(guard) }).await.unwrap();
    ///     assert!(!lock.is_locked());
    /// });
    /// ```
    pub async fn write_owned(self: Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        let acquired = self.line.acquire(WRITE).await;
        debug_assert!(acquired.is_ok(), "the line of a lock is never closed");
        OwnedRwLockWriteGuard::new(self)
    }

    /// Locks to write if that needs no waiting: nobody reads or writes, and nobody waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// let _guard = lock.try_write().expect("nobody holds it");
    /// assert!(lock.try_write().is_none());
    /// ```
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.line.try_acquire(WRITE).then(|| RwLockWriteGuard::new(self))
    }

    /// As [`try_write`](Self::try_write), with a guard that borrows nothing.
    pub fn try_write_owned(self: Arc<Self>) -> Option<OwnedRwLockWriteGuard<T>> {
        self.line.try_acquire(WRITE).then(|| OwnedRwLockWriteGuard::new(self))
    }

    /// Locks to write, and blocks the calling thread until it has the lock. For plain threads: on a
    /// worker it keeps the worker from running anything else, whoever holds the lock perhaps
    /// included.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// assert_eq!(*lock.write_blocking(), 1);
    /// ```
    #[doc(alias = "blocking_write")]
    pub fn write_blocking(&self) -> RwLockWriteGuard<'_, T> {
        let acquired = self.line.acquire_blocking(WRITE);
        debug_assert!(acquired.is_ok(), "the line of a lock is never closed");
        RwLockWriteGuard::new(self)
    }

    /// Whether somebody reads or writes.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.line.free() < WRITE
    }

    /// The value, without locking: nobody else can reach it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// A reader has ended; called by its guard, once.
    fn end_read(&self) {
        self.line.release(READ);
    }

    /// A writer has ended; called by its guard, once.
    fn end_write(&self) {
        self.line.release(WRITE);
    }

    /// A writer reads from now on; called by its guard, which becomes a reader's.
    fn begin_to_read(&self) {
        self.line.release(WRITE - READ);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RwLock");
        match self.try_read() {
            Some(guard) => debug.field("value", &&*guard),
            None => debug.field("value", &format_args!("<locked>")),
        };
        debug.finish_non_exhaustive()
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}
