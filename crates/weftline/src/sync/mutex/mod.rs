//! [`Mutex`]: a lock that tasks and threads wait for in turn. Next: `line/`, which says whose turn it
//! is.

mod guard;
mod owned;

pub use guard::MutexGuard;
pub use owned::OwnedMutexGuard;

use super::line::Line;
use crate::platform::const_unless_model;
use std::cell::UnsafeCell;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// Mutual exclusion for tasks: who waits for it gives its worker to others meanwhile, and the guard
/// may be held while the task waits for something else.
///
/// # Guarantees
///
/// - **First come, first served.** Nobody takes the lock before somebody who waits for it, not
///   between its release and the moment when the one who is woken runs, either.
/// - **No wait for ever behind a future that nobody polls.** A task may keep a pending
///   [`lock`](Self::lock) and never poll it again, as a `select` does that goes on with its other
///   arm. When its turn comes it is left out after some milliseconds; it has its turn again when
///   it is polled.
/// - Bound to no runtime: tasks of several runtimes, and plain threads by
///   [`lock_blocking`](Self::lock_blocking), may share one.
/// - No poison: a panic while the lock is held releases it, and the value is as it was left.
///
/// It is not reentrant: a task that locks it twice waits for itself. Where the lock is held for a
/// moment, and never while the task waits, `std::sync::Mutex` serves as well, and costs less where
/// it is contended.
///
/// # Behaviour today
///
/// Who is woken for its turn has 10 ms to come. Where nobody waits, locking is one atomic exchange.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weftline::sync::Mutex;
///
/// static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());
///
/// weftline::run(async {
///     let count = Arc::new(Mutex::new(0));
///     let tasks: Vec<_> = (0..10)
///         .map(|n| {
///             let count = count.clone();
///             weftline::spawn(async move {
///                 *count.lock().await += n;
///                 LOG.lock().await.push(format!("added {n}"));
///             })
///         })
///         .collect();
///     for task in tasks {
///         task.await.unwrap();
///     }
///     assert_eq!(*count.lock().await, 45);
///     assert_eq!(LOG.lock().await.len(), 10);
/// });
/// ```
pub struct Mutex<T: ?Sized> {
    /// Whose turn it is. Its one permit is the right to the value.
    line: Line,
    /// The value.
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by whoever has the permit, one at a time, on any thread; for that
// `T: Send` is needed. What the mutex itself does is atomic or under a lock.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

// A panic under the lock leaves the value as the panicking code left it, as with any `&mut`; the
// lock itself is released.
impl<T: ?Sized> UnwindSafe for Mutex<T> {}
impl<T: ?Sized> RefUnwindSafe for Mutex<T> {}

impl<T> Mutex<T> {
    const_unless_model! {
        /// A mutex that is not locked. It allocates nothing, and can be a `static`.
        ///
        /// # Examples
        ///
        /// ```
        /// use weftline::sync::Mutex;
        ///
        /// static COUNT: Mutex<u32> = Mutex::new(0);
        /// *COUNT.lock_blocking() += 1;
        /// ```
        pub fn new(value: T) -> Self {
            Self { line: Line::new(1), value: UnsafeCell::new(value) }
        }
    }

    /// The value; nobody can hold the lock any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Mutex;
    ///
    /// let mutex = Mutex::new(String::from("value"));
    /// assert_eq!(mutex.into_inner(), "value");
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, in turn. The lock is released when the guard is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready it has not locked, and has given up its place; whoever waits next
    /// has its turn.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Mutex;
    ///
    /// weftline::run(async {
    ///     let mutex = Mutex::new(1);
    ///     let mut guard = mutex.lock().await;
    ///     *guard += 1;
    ///     assert!(mutex.is_locked());
    ///     drop(guard);
    ///     assert_eq!(*mutex.lock().await, 2);
    /// });
    /// ```
    #[inline]
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        let acquired = self.line.acquire(1).await;
        debug_assert!(acquired.is_ok(), "the line of a mutex is never closed");
        MutexGuard::new(self)
    }

    /// As [`lock`](Self::lock), with a guard that borrows nothing and so may go anywhere, a task of
    /// its own for example.
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::Mutex;
    ///
    /// weftline::run(async {
    ///     let mutex = Arc::new(Mutex::new(1));
    ///     let mut guard = mutex.clone().lock_owned().await;
    ///     weftline::spawn(async move { *guard += 1 }).await.unwrap();
    ///     assert_eq!(*mutex.lock().await, 2);
    /// });
    /// ```
    pub async fn lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        let acquired = self.line.acquire(1).await;
        debug_assert!(acquired.is_ok(), "the line of a mutex is never closed");
        OwnedMutexGuard::new(self)
    }

    /// Locks if that needs no waiting: nobody holds the lock, and nobody waits for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Mutex;
    ///
    /// let mutex = Mutex::new(1);
    /// let _guard = mutex.try_lock().expect("nobody holds it");
    /// assert!(mutex.try_lock().is_none());
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.line.try_acquire(1).then(|| MutexGuard::new(self))
    }

    /// As [`try_lock`](Self::try_lock), with a guard that borrows nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::Mutex;
    ///
    /// let mutex = Arc::new(Mutex::new(1));
    /// let _guard = mutex.clone().try_lock_owned().expect("nobody holds it");
    /// assert!(mutex.try_lock().is_none());
    /// ```
    pub fn try_lock_owned(self: Arc<Self>) -> Option<OwnedMutexGuard<T>> {
        self.line.try_acquire(1).then(|| OwnedMutexGuard::new(self))
    }

    /// Locks, and blocks the calling thread until it has the lock. For plain threads: on a worker it
    /// keeps the worker from running anything else, whoever holds the lock perhaps included.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Mutex;
    ///
    /// let mutex = Mutex::new(1);
    /// *mutex.lock_blocking() += 1;
    /// assert_eq!(mutex.into_inner(), 2);
    /// ```
    #[doc(alias = "blocking_lock")]
    pub fn lock_blocking(&self) -> MutexGuard<'_, T> {
        self.block();
        MutexGuard::new(self)
    }

    /// As [`lock_blocking`](Self::lock_blocking), with a guard that borrows nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::Mutex;
    ///
    /// let mutex = Arc::new(Mutex::new(1));
    /// let guard = mutex.clone().lock_owned_blocking();
    /// std::thread::spawn(move || drop(guard)).join().unwrap();
    /// assert!(!mutex.is_locked());
    /// ```
    #[doc(alias = "blocking_lock_owned")]
    pub fn lock_owned_blocking(self: Arc<Self>) -> OwnedMutexGuard<T> {
        self.block();
        OwnedMutexGuard::new(self)
    }

    fn block(&self) {
        let acquired = self.line.acquire_blocking(1);
        debug_assert!(acquired.is_ok(), "the line of a mutex is never closed");
    }

    /// Whether somebody holds the lock. It may be false while [`try_lock`](Self::try_lock) fails: the
    /// lock is then promised to somebody who waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Mutex;
    ///
    /// let mutex = Mutex::new(());
    /// assert!(!mutex.is_locked());
    /// let _guard = mutex.try_lock();
    /// assert!(mutex.is_locked());
    /// ```
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.line.free() == 0
    }

    /// The value, without locking: nobody else can reach it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Mutex;
    ///
    /// let mut mutex = Mutex::new(1);
    /// *mutex.get_mut() = 2;
    /// assert_eq!(mutex.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Releases the lock; called by the guards, once each.
    #[inline]
    fn unlock(&self) {
        self.line.release(1);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(guard) => debug.field("value", &&*guard),
            None => debug.field("value", &format_args!("<locked>")),
        };
        debug.finish_non_exhaustive()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}
