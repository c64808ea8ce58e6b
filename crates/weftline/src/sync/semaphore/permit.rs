//! The permits of a semaphore, as guards: [`SemaphorePermit`], which borrows it, and
//! [`OwnedSemaphorePermit`], which keeps it alive.

use super::Semaphore;
use std::sync::Arc;

/// Permits of a [`Semaphore`]; made by [`Semaphore::acquire`] and its siblings. Dropping them gives
/// them back.
///
/// # Examples
///
/// ```
/// use weftline::sync::Semaphore;
///
/// weftline::run(async {
///     let semaphore = Semaphore::new(3);
///     let mut permits = semaphore.acquire_many(3).await.unwrap();
///     let one = permits.split(1).expect("there are three");
///     drop(permits);
///     assert_eq!((one.count(), semaphore.available_permits()), (1, 2));
/// });
/// ```
#[derive(Debug)]
#[must_use = "dropping permits gives them back"]
pub struct SemaphorePermit<'a> {
    /// Whose they are.
    semaphore: &'a Semaphore,
    /// How many.
    count: usize,
}

impl<'a> SemaphorePermit<'a> {
    /// For who has just acquired so many.
    pub(super) fn new(semaphore: &'a Semaphore, count: usize) -> Self {
        Self { semaphore, count }
    }

    /// How many they are.
    #[must_use]
    #[doc(alias = "num_permits")]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The semaphore whose permits they are.
    #[must_use]
    pub fn semaphore(&self) -> &'a Semaphore {
        self.semaphore
    }

    /// Keeps them from being given back: the semaphore has so many less from now on.
    pub fn forget(mut self) {
        self.semaphore.retire(std::mem::take(&mut self.count));
    }

    /// Takes some of them for a guard of its own. `None`, if there are not so many.
    #[must_use = "dropping permits gives them back"]
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self::new(self.semaphore, count))
    }

    /// Takes those of another guard too.
    ///
    /// # Panics
    ///
    /// If those are of another semaphore.
    pub fn merge(&mut self, mut other: Self) {
        assert_same(self.semaphore, other.semaphore);
        self.count += std::mem::take(&mut other.count);
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        self.semaphore.give_back(self.count);
    }
}

/// Permits of a shared [`Semaphore`]; made by [`Semaphore::acquire_owned`] and its siblings. Dropping
/// them gives them back. They borrow nothing, and so may go anywhere.
///
/// # Examples
///
/// At most two at a time:
///
/// ```
/// use std::sync::Arc;
/// use weftline::sync::Semaphore;
///
/// weftline::run(async {
///     let semaphore = Arc::new(Semaphore::new(2));
///     let mut tasks = Vec::new();
///     for n in 0..10 {
///         let permit = semaphore.clone().acquire_owned().await.unwrap();
///         tasks.push(weftline::spawn(async move {
///             let _permit = permit;
///             n * n
///         }));
///     }
///     for task in tasks {
///         task.await.unwrap();
///     }
/// });
/// ```
#[derive(Debug)]
#[must_use = "dropping permits gives them back"]
pub struct OwnedSemaphorePermit {
    /// Whose they are.
    semaphore: Arc<Semaphore>,
    /// How many.
    count: usize,
}

impl OwnedSemaphorePermit {
    /// For who has just acquired so many.
    pub(super) fn new(semaphore: Arc<Semaphore>, count: usize) -> Self {
        Self { semaphore, count }
    }

    /// How many they are.
    #[must_use]
    #[doc(alias = "num_permits")]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The semaphore whose permits they are.
    #[must_use]
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Keeps them from being given back: the semaphore has so many less from now on.
    pub fn forget(mut self) {
        self.semaphore.retire(std::mem::take(&mut self.count));
    }

    /// Takes some of them for a guard of its own. `None`, if there are not so many.
    #[must_use = "dropping permits gives them back"]
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self::new(self.semaphore.clone(), count))
    }

    /// Takes those of another guard too.
    ///
    /// # Panics
    ///
    /// If those are of another semaphore.
    pub fn merge(&mut self, mut other: Self) {
        assert_same(&self.semaphore, &other.semaphore);
        self.count += std::mem::take(&mut other.count);
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        self.semaphore.give_back(self.count);
    }
}

#[track_caller]
fn assert_same(one: &Semaphore, other: &Semaphore) {
    assert!(std::ptr::eq(one, other), "permits of two semaphores cannot be merged");
}
