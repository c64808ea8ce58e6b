//! [`RwLockReadGuard`] and [`RwLockWriteGuard`]: rights to the value, for as long as they live.

use super::RwLock;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

/// The right to read under a [`RwLock`]; made by [`RwLock::read`] and its siblings. Dropping it
/// releases the lock.
///
/// It may be held while its task waits, and be dropped on another thread.
#[must_use = "dropping a guard releases its lock"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    /// One of its permits belongs to this.
    lock: &'a RwLock<T>,
}

// SAFETY: through the guard `&T` is reached, on whatever thread it is, and the lock, for which that
// must be `Sync`; its own bound asks for no less.
unsafe impl<T: ?Sized + Send + Sync> Send for RwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLockReadGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// For who has just acquired a permit.
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self { lock }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: a permit belongs to this guard, so that nobody has all of them, which writing takes;
        // what is lent here borrows the guard.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.end_read();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The right to write under a [`RwLock`]; made by [`RwLock::write`] and its siblings. Dropping it
/// releases the lock.
///
/// It may be held while its task waits, and be dropped on another thread.
#[must_use = "dropping a guard releases its lock"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    /// All of its permits belong to this.
    lock: &'a RwLock<T>,
}

// SAFETY: as for the reader's; `&mut T` needs `T: Send` alone.
unsafe impl<T: ?Sized + Send + Sync> Send for RwLockWriteGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// For who has just acquired all permits.
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self { lock }
    }

    /// Goes on as a reader, without letting a writer in between. Readers that stand next in the line
    /// may read from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let guard = lock.try_write().expect("nobody holds it");
    /// let guard = RwLockWriteGuard::downgrade(guard);
    /// assert_eq!((*guard, *lock.try_read().expect("nobody writes")), (1, 1));
    /// ```
    pub fn downgrade(guard: Self) -> RwLockReadGuard<'a, T> {
        let guard = ManuallyDrop::new(guard);
        guard.lock.begin_to_read();
        RwLockReadGuard::new(guard.lock)
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: all permits belong to this guard, so that nobody else reaches the value;
        // what is lent here borrows the guard.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.end_write();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
