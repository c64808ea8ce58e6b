//! [`OwnedMutexGuard`]: a guard that keeps its mutex alive and borrows nothing.

use super::Mutex;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// The right to the value of a shared [`Mutex`]; made by [`Mutex::lock_owned`] and its siblings.
/// Dropping it releases the lock.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weftline::sync::Mutex;
///
/// weftline::run(async {
///     let mutex = Arc::new(Mutex::new(String::new()));
///     let mut guard = mutex.clone().lock_owned().await;
///     let writes = weftline::spawn(async move { guard.push_str("written elsewhere") });
///     writes.await.unwrap();
///     assert_eq!(*mutex.lock().await, "written elsewhere");
/// });
/// ```
#[must_use = "dropping a guard releases its lock"]
pub struct OwnedMutexGuard<T: ?Sized> {
    /// Its permit belongs to this.
    mutex: Arc<Mutex<T>>,
}

// SAFETY: through `&OwnedMutexGuard` only `&T` and the mutex are reached, and that is `Sync`, since
// `T: Send` is asked for as well.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedMutexGuard<T> {}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// For who has just acquired the permit.
    pub(super) fn new(mutex: Arc<Mutex<T>>) -> Self {
        Self { mutex }
    }

    /// The mutex that is locked by this.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::{Mutex, OwnedMutexGuard};
    ///
    /// let guard = Arc::new(Mutex::new(1)).lock_owned_blocking();
    /// assert!(OwnedMutexGuard::mutex(&guard).is_locked());
    /// ```
    #[must_use]
    pub fn mutex(guard: &Self) -> &Arc<Mutex<T>> {
        &guard.mutex
    }
}

impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the one permit belongs to this guard, so that nobody else reaches the value; what
        // is lent here borrows the guard, which keeps the mutex alive.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed mutably.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        self.mutex.unlock();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
