//! [`OwnedRwLockReadGuard`] and [`OwnedRwLockWriteGuard`]: rights to a value that keep its
//! lock alive and borrow nothing.

use super::RwLock;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// The right to read under a shared [`RwLock`]; made by [`RwLock::read_owned`] and its siblings.
/// Dropping it releases the lock.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weftline::sync::RwLock;
///
/// weftline::run(async {
///     let guard = Arc::new(RwLock::new(1)).read_owned().await;
///     weftline::spawn(async move { assert_eq!(*guard, 1) }).await.unwrap();
/// });
/// ```
#[must_use = "dropping a guard releases its lock"]
pub struct OwnedRwLockReadGuard<T: ?Sized> {
    /// One of its permits belongs to this.
    lock: Arc<RwLock<T>>,
}

// SAFETY: through the guard `&T` is reached, on whatever thread it is, and the lock, for which that
// must be `Sync`; its own bound asks for no less.
unsafe impl<T: ?Sized + Send + Sync> Send for OwnedRwLockReadGuard<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedRwLockReadGuard<T> {}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    /// For who has just acquired a permit.
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self { lock }
    }

    /// The lock that it is of.
    #[must_use]
    pub fn rwlock(guard: &Self) -> &Arc<RwLock<T>> {
        &guard.lock
    }
}

impl<T: ?Sized> Deref for OwnedRwLockReadGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: a permit belongs to this guard, so that nobody has all of them, which writing takes;
        // what is lent here borrows the guard, which keeps the lock alive.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for OwnedRwLockReadGuard<T> {
    fn drop(&mut self) {
        self.lock.end_read();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The right to write under a shared [`RwLock`]; made by [`RwLock::write_owned`] and its siblings.
/// Dropping it releases the lock.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weftline::sync::RwLock;
///
/// weftline::run(async {
///     let guard = Arc::new(RwLock::new(1)).write_owned().await;
///     weftline::spawn(async move { assert_eq!(*guard, 1) }).await.unwrap();
/// });
/// ```
#[must_use = "dropping a guard releases its lock"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    /// All of its permits belong to this.
    lock: Arc<RwLock<T>>,
}

// SAFETY: as for the reader's; `&mut T` needs `T: Send` alone.
unsafe impl<T: ?Sized + Send + Sync> Send for OwnedRwLockWriteGuard<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedRwLockWriteGuard<T> {}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// For who has just acquired all permits.
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self { lock }
    }

    /// The lock that it is of.
    #[must_use]
    pub fn rwlock(guard: &Self) -> &Arc<RwLock<T>> {
        &guard.lock
    }

    /// Goes on as a reader, without letting a writer in between. Readers that stand next in the line
    /// may read from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weftline::sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.clone().try_write_owned().expect("nobody holds it");
    /// let guard = OwnedRwLockWriteGuard::downgrade(guard);
    /// assert_eq!((*guard, *lock.try_read().expect("nobody writes")), (1, 1));
    /// ```
    pub fn downgrade(guard: Self) -> OwnedRwLockReadGuard<T> {
        let guard = ManuallyDrop::new(guard);
        // SAFETY: the guard is not dropped, nor used any more.
        let lock = unsafe { std::ptr::read(&raw const guard.lock) };
        lock.begin_to_read();
        OwnedRwLockReadGuard::new(lock)
    }
}

impl<T: ?Sized> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: all permits belong to this guard, so that nobody else reaches the value;
        // what is lent here borrows the guard, which keeps the lock alive.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for OwnedRwLockWriteGuard<T> {
    fn drop(&mut self) {
        self.lock.end_write();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
