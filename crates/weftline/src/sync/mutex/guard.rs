//! [`MutexGuard`]: the right to the value, for as long as it lives.

use super::Mutex;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// The right to the value of a [`Mutex`]; made by [`Mutex::lock`] and its siblings. Dropping it
/// releases the lock.
///
/// It may be held while its task waits, and be dropped on another thread.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::sync::Mutex;
/// use weftline::time::sleep;
///
/// weftline::run(async {
///     let mutex = Mutex::new(1);
///     let mut guard = mutex.lock().await;
///     sleep(Duration::from_millis(1)).await;
///     *guard += 1;
/// });
/// ```
#[must_use = "dropping a guard releases its lock"]
pub struct MutexGuard<'a, T: ?Sized> {
    /// Its permit belongs to this.
    mutex: &'a Mutex<T>,
}

// SAFETY: through `&MutexGuard` only `&T` and the mutex are reached, and that is `Sync`, since
// `T: Send` is asked for as well.
unsafe impl<T: ?Sized + Send + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// For who has just acquired the permit.
    #[inline]
    pub(super) fn new(mutex: &'a Mutex<T>) -> Self {
        Self { mutex }
    }

    /// The mutex that is locked by this.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.lock_blocking();
    /// assert!(MutexGuard::mutex(&guard).is_locked());
    /// ```
    #[must_use]
    pub fn mutex(guard: &Self) -> &'a Mutex<T> {
        guard.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the one permit belongs to this guard, so that nobody else reaches the value; what
        // is lent here borrows the guard.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed mutably.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.unlock();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
