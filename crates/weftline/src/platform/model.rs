//! Stand-ins that loom and Miri can see into: loom's types (or std's, under Miri), and a deque
//! and an injector made of a locked queue with crossbeam's contract.

#[cfg(loom)]
use loom as base;
#[cfg(not(loom))]
use std as base;

use std::time::Duration;

/// Atomics and fences.
pub(crate) mod atomic {
    pub(crate) use super::base::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

/// Threads. Real ones for what no model starts; the model's own for what it does.
pub(crate) mod thread {
    pub(crate) use super::base::thread::{
        Builder, JoinHandle, Thread, current, park, spawn, yield_now,
    };

    /// A model knows no time: waiting with a limit is a wait that may end at once.
    #[cfg(loom)]
    pub(crate) fn park_timeout(_limit: super::Duration) {
        yield_now();
    }
    #[cfg(not(loom))]
    pub(crate) use std::thread::park_timeout;
}

/// A mutex of parking_lot's shape: no poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(base::sync::Mutex<T>);

/// The guard of a [`Mutex`].
pub(crate) type MutexGuard<'a, T> = base::sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(base::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A lock for one who writes or several who read, of parking_lot's shape: no poison.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(base::sync::RwLock<T>);

/// The guard of a [`RwLock`] that reads.
pub(crate) type RwLockReadGuard<'a, T> = base::sync::RwLockReadGuard<'a, T>;

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(base::sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> base::sync::RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A condition variable of parking_lot's shape.
#[derive(Debug, Default)]
pub(crate) struct Condvar(base::sync::Condvar);

/// What a timed wait says.
pub(crate) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(crate) fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(base::sync::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        replace_guard(guard, |owned| {
            self.0.wait(owned).unwrap_or_else(std::sync::PoisonError::into_inner)
        });
    }

    pub(crate) fn wait_for<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        limit: Duration,
    ) -> WaitTimeoutResult {
        let mut timed_out = false;
        replace_guard(guard, |owned| {
            let (owned, result) = self
                .0
                .wait_timeout(owned, limit)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            timed_out = result.timed_out();
            owned
        });
        WaitTimeoutResult(timed_out)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Lets a function that takes a guard by value work on a guard held by reference.
#[expect(unsafe_code, reason = "the guard is moved out and back; an unwind in between aborts")]
fn replace_guard<'a, T>(
    guard: &mut MutexGuard<'a, T>,
    change: impl FnOnce(MutexGuard<'a, T>) -> MutexGuard<'a, T>,
) {
    struct AbortOnUnwind;
    impl Drop for AbortOnUnwind {
        fn drop(&mut self) {
            std::process::abort();
        }
    }
    let bomb = AbortOnUnwind;
    // SAFETY: `guard` is valid for reads; the copy is used once, and the place is overwritten
    // below before anybody can look at it again (an unwind aborts).
    let owned = unsafe { std::ptr::read(guard) };
    let owned = change(owned);
    // SAFETY: `guard` is valid for writes; its old content was moved out above.
    unsafe { std::ptr::write(guard, owned) };
    std::mem::forget(bomb);
}

/// A cell whose content is reached through raw pointers, so that a model checker can see each
/// access.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(Cell<T>);

#[cfg(loom)]
type Cell<T> = loom::cell::UnsafeCell<T>;
#[cfg(not(loom))]
type Cell<T> = std::cell::UnsafeCell<T>;

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Cell::new(value))
    }

    /// Lends a pointer for reading.
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        #[cfg(loom)]
        return self.0.with(read);
        #[cfg(not(loom))]
        read(self.0.get())
    }

    /// Lends a pointer for reading and writing.
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        #[cfg(loom)]
        return self.0.with_mut(write);
        #[cfg(not(loom))]
        write(self.0.get())
    }
}

/// The deque and the injector, as locked queues with crossbeam's contract.
pub(crate) mod deque {
    use super::Mutex;
    use std::collections::VecDeque;
    use std::sync::Arc;

    /// What a steal came to.
    pub(crate) enum Steal<T> {
        Empty,
        Success(T),
        /// Never made here; crossbeam's may be.
        #[expect(dead_code, reason = "the real deque makes it, and callers must match it")]
        Retry,
    }

    impl<T> From<Option<T>> for Steal<T> {
        fn from(found: Option<T>) -> Self {
            found.map_or(Steal::Empty, Steal::Success)
        }
    }

    type Queue<T> = Arc<Mutex<VecDeque<T>>>;

    pub(crate) struct Worker<T>(Queue<T>);
    pub(crate) struct Stealer<T>(Queue<T>);
    pub(crate) struct Injector<T>(Queue<T>);

    impl<T> Clone for Stealer<T> {
        fn clone(&self) -> Self {
            Self(self.0.clone())
        }
    }

    impl<T> Worker<T> {
        pub(crate) fn new_fifo() -> Self {
            Self(Queue::default())
        }
        pub(crate) fn stealer(&self) -> Stealer<T> {
            Stealer(self.0.clone())
        }
        pub(crate) fn push(&self, item: T) {
            self.0.lock().push_back(item);
        }
        pub(crate) fn pop(&self) -> Option<T> {
            self.0.lock().pop_front()
        }
        pub(crate) fn is_empty(&self) -> bool {
            self.0.lock().is_empty()
        }
        pub(crate) fn len(&self) -> usize {
            self.0.lock().len()
        }
    }

    impl<T> Stealer<T> {
        pub(crate) fn is_empty(&self) -> bool {
            self.0.lock().is_empty()
        }
        pub(crate) fn steal(&self) -> Steal<T> {
            self.0.lock().pop_front().into()
        }
        pub(crate) fn steal_batch_and_pop(&self, _into: &Worker<T>) -> Steal<T> {
            self.steal()
        }
    }

    impl<T> Injector<T> {
        pub(crate) fn new() -> Self {
            Self(Queue::default())
        }
        pub(crate) fn push(&self, item: T) {
            self.0.lock().push_back(item);
        }
        pub(crate) fn is_empty(&self) -> bool {
            self.0.lock().is_empty()
        }
        pub(crate) fn steal(&self) -> Steal<T> {
            self.0.lock().pop_front().into()
        }
        pub(crate) fn steal_batch_and_pop(&self, _into: &Worker<T>) -> Steal<T> {
            self.steal()
        }
    }
}
