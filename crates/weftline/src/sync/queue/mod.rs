//! A queue of work: any number of tasks and threads put into it and get from it, and it counts what
//! is still to be done.
//!
//! [`Queue`] is a handle that can be cloned, to be held by everybody who uses the queue. Items come
//! out in the order in which they were put ([`Queue::new`]), the newest first ([`Queue::lifo`]) or the
//! least first ([`Queue::priority`]). With a capacity, whoever puts waits for room.
//!
//! ```
//! use weftline::sync::queue::{Queue, Shutdown};
//!
//! weftline::run(async {
//!     let queue = Queue::new(8);
//!     let workers: Vec<_> = (0..3)
//!         .map(|_| {
//!             let queue = queue.clone();
//!             weftline::spawn(async move {
//!                 let mut sum = 0;
//!                 while let Ok(n) = queue.get().await {
//!                     sum += n; // the work
//!                     queue.task_done().expect("it was put");
//!                 }
//!                 sum
//!             })
//!         })
//!         .collect();
//!     for n in 1..=100 {
//!         queue.put(n).await.expect("the queue is open");
//!     }
//!     queue.join().await; // all of it is done
//!     queue.shutdown(Shutdown::Drain);
//!     let mut sum = 0;
//!     for worker in workers {
//!         sum += worker.await.unwrap();
//!     }
//!     assert_eq!(sum, 5050);
//! });
//! ```
//!
//! # Guarantees
//!
//! - An item is got once, or dropped by [`Shutdown::Immediate`] or with the last handle. None is lost
//!   when somebody who waits gives up.
//! - Those who wait, to get or to put, are served in the order in which they came. One that is never
//!   polled again keeps the others waiting for a moment, not for ever.
//! - Getting and putting take part in the [time slice](crate::task::budget).
//!
//! Inside: `store.rs` has the orders, `stock.rs` the rules.

pub mod error;
mod stock;
mod store;
#[cfg(test)]
mod tests;

use super::line::MAX_PERMITS;
use crate::task::drive;
use error::{GetError, PutError, TooManyDone, TryGetError, TryPutError};
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::pin;
use std::sync::Arc;
use stock::{Refusal, Stock};
use store::Store;

/// A queue that any number of tasks and threads put into and get from; see the
/// [module](self). Clones are handles of the same queue.
///
/// # Examples
///
/// ```
/// use weftline::sync::Queue;
///
/// weftline::run(async {
///     let queue = Queue::new(None);
///     queue.put("work").await.unwrap();
///     assert_eq!(queue.get().await, Ok("work"));
/// });
/// ```
pub struct Queue<T> {
    /// The shared part.
    stock: Arc<Stock<T>>,
}

/// What a [`Queue::shutdown`] does with the items that are there.
///
/// # Examples
///
/// ```
/// use weftline::sync::queue::{Queue, Shutdown};
///
/// let queue = Queue::new(None);
/// queue.try_put(1).unwrap();
/// queue.shutdown(Shutdown::Drain);
/// assert_eq!(queue.try_get(), Ok(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// They can still be got.
    Drain,
    /// They are dropped, and count as done.
    Immediate,
}

// As for the channels of `std::sync::mpsc`: a panic meanwhile leaves nothing half done.
impl<T> UnwindSafe for Queue<T> {}
impl<T> RefUnwindSafe for Queue<T> {}

impl<T> Queue<T> {
    /// A queue from which the oldest item comes first, with room for `capacity` items; `None` is room
    /// for any number.
    ///
    /// # Panics
    ///
    /// If the capacity is 0, or more than an eighth of `usize::MAX`.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Queue;
    ///
    /// let queue = Queue::new(2);
    /// queue.try_put(1).unwrap();
    /// queue.try_put(2).unwrap();
    /// assert!(queue.is_full());
    /// assert_eq!(queue.try_get(), Ok(1));
    /// assert_eq!(Queue::<u32>::new(None).capacity(), None);
    /// ```
    #[track_caller]
    #[must_use]
    pub fn new(capacity: impl Into<Option<usize>>) -> Self {
        Self::of(capacity.into(), Store::fifo())
    }

    /// As [`new`](Self::new); the newest item comes first.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = weftline::sync::Queue::lifo(None);
    /// queue.try_put(1).unwrap();
    /// queue.try_put(2).unwrap();
    /// assert_eq!(queue.try_get(), Ok(2));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn lifo(capacity: impl Into<Option<usize>>) -> Self {
        Self::of(capacity.into(), Store::lifo())
    }

    /// As [`new`](Self::new); the least item comes first, and the older one of equals. For the
    /// greatest first put [`Reverse`](std::cmp::Reverse).
    ///
    /// Items are compared under the lock of the queue: comparing must not use it.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new). A comparison that panics does so out of what puts or gets.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = weftline::sync::Queue::priority(None);
    /// queue.try_put((3, "later")).unwrap();
    /// queue.try_put((1, "at once")).unwrap();
    /// assert_eq!(queue.try_get(), Ok((1, "at once")));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn priority(capacity: impl Into<Option<usize>>) -> Self
    where
        T: Ord,
    {
        Self::of(capacity.into(), Store::priority())
    }

    #[track_caller]
    fn of(capacity: Option<usize>, store: Store<T>) -> Self {
        if let Some(capacity) = capacity {
            assert!(
                capacity > 0,
                "the capacity of a queue is 0, but at least 1 is needed; without a limit it is `None`"
            );
            assert!(
                capacity <= MAX_PERMITS,
                "the capacity of a queue is {capacity}, but at most {MAX_PERMITS} is possible"
            );
        }
        Self { stock: Arc::new(Stock::new(capacity, store)) }
    }

    /// Puts an item, as soon as there is room for it. Those who wait for room get it in the order in
    /// which they came.
    ///
    /// # Errors
    ///
    /// The item, if the queue was shut down, now or while this waits.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has put nothing; the item is dropped with it, and
    /// the turn lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Queue;
    ///
    /// weftline::run(async {
    ///     let queue = Queue::new(1);
    ///     queue.put(1).await.unwrap();
    ///     let putting = queue.clone();
    ///     let waits = weftline::spawn(async move { putting.put(2).await });
    ///     assert_eq!(queue.get().await, Ok(1));
    ///     assert_eq!(queue.get().await, Ok(2));
    ///     assert_eq!(waits.await.unwrap(), Ok(()));
    /// });
    /// ```
    pub async fn put(&self, item: T) -> Result<(), PutError<T>> {
        self.stock.put(item).await.map_err(PutError)
    }

    /// Puts an item if there is room for it. It does not wait, and needs no runtime.
    ///
    /// # Errors
    ///
    /// The item: [`TryPutError::Full`] if there is no room, or others wait for it,
    /// [`TryPutError::ShutDown`] if the queue was shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::queue::{Queue, error::TryPutError};
    ///
    /// let queue = Queue::new(1);
    /// assert_eq!(queue.try_put(1), Ok(()));
    /// assert_eq!(queue.try_put(2), Err(TryPutError::Full(2)));
    /// ```
    #[doc(alias = "put_nowait")]
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        self.stock.try_put(item).map_err(|(refusal, item)| match refusal {
            Refusal::NotNow => TryPutError::Full(item),
            Refusal::Shut => TryPutError::ShutDown(item),
        })
    }

    /// As [`put`](Self::put), blocking the calling thread. For plain threads: on a worker it keeps the
    /// worker from running anything else, those who would get perhaps included.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = weftline::sync::Queue::new(1);
    /// let putting = queue.clone();
    /// let thread = std::thread::spawn(move || (0..3).all(|n| putting.put_blocking(n).is_ok()));
    /// assert_eq!([(); 3].map(|()| queue.get_blocking()), [Ok(0), Ok(1), Ok(2)]);
    /// assert!(thread.join().unwrap());
    /// ```
    pub fn put_blocking(&self, item: T) -> Result<(), PutError<T>> {
        drive(pin!(self.put(item)), None).expect("without a deadline the wait ends with the result")
    }

    /// Gets the next item, as soon as there is one. Those who wait get one in the order in which they
    /// came.
    ///
    /// # Errors
    ///
    /// If the queue was shut down, now or while this waits, and there is no item.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has taken nothing; its turn is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Queue;
    ///
    /// weftline::run(async {
    ///     let queue = Queue::new(None);
    ///     let getting = queue.clone();
    ///     let waits = weftline::spawn(async move { getting.get().await });
    ///     queue.put(5).await.unwrap();
    ///     assert_eq!(waits.await.unwrap(), Ok(5));
    /// });
    /// ```
    pub async fn get(&self) -> Result<T, GetError> {
        self.stock.get().await.ok_or(GetError(()))
    }

    /// Gets the next item if there is one. It does not wait, and needs no runtime.
    ///
    /// # Errors
    ///
    /// [`TryGetError::Empty`] if there is none, or others wait for it; [`TryGetError::ShutDown`] if
    /// there is none, and the queue was shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::queue::{Queue, error::TryGetError};
    ///
    /// let queue = Queue::new(None);
    /// assert_eq!(queue.try_get(), Err(TryGetError::Empty));
    /// queue.try_put(5).unwrap();
    /// assert_eq!(queue.try_get(), Ok(5));
    /// ```
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Result<T, TryGetError> {
        self.stock.try_get().map_err(|refusal| match refusal {
            Refusal::NotNow => TryGetError::Empty,
            Refusal::Shut => TryGetError::ShutDown,
        })
    }

    /// As [`get`](Self::get), blocking the calling thread. For plain threads: on a worker it keeps the
    /// worker from running anything else, those who would put perhaps included.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = weftline::sync::Queue::new(None);
    /// let putting = queue.clone();
    /// std::thread::spawn(move || putting.try_put("hello"));
    /// assert_eq!(queue.get_blocking(), Ok("hello"));
    /// ```
    pub fn get_blocking(&self) -> Result<T, GetError> {
        drive(pin!(self.get()), None).expect("without a deadline the wait ends with the result")
    }

    /// Marks an item that was got as done; see [`join`](Self::join).
    ///
    /// # Errors
    ///
    /// If as many were marked as were put.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = weftline::sync::Queue::new(None);
    /// assert!(queue.task_done().is_err());
    /// queue.try_put("work").unwrap();
    /// queue.try_get().unwrap();
    /// assert_eq!(queue.task_done(), Ok(()));
    /// ```
    pub fn task_done(&self) -> Result<(), TooManyDone> {
        if self.stock.mark_done() { Ok(()) } else { Err(TooManyDone(())) }
    }

    /// Waits until every item that was put has been marked as done; at once, if that is so now. What
    /// is put after that does not prolong it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Queue;
    ///
    /// weftline::run(async {
    ///     let queue = Queue::new(None);
    ///     queue.put("work").await.unwrap();
    ///     let worker = queue.clone();
    ///     let works = weftline::spawn(async move {
    ///         let _work = worker.get().await;
    ///         worker.task_done()
    ///     });
    ///     queue.join().await;
    ///     assert!(queue.is_empty());
    ///     assert_eq!(works.await.unwrap(), Ok(()));
    /// });
    /// ```
    pub async fn join(&self) {
        self.stock.join().await;
    }

    /// Ends the queue: from now on nothing can be put, and who waits to put gets the item back. With
    /// [`Shutdown::Drain`] the items that are there can still be got, and then nothing more; with
    /// [`Shutdown::Immediate`] they are dropped, and count as done.
    ///
    /// A [`join`](Self::join) waits on for items that were got and are not marked as done, in either
    /// case. The queue can be shut down again, which matters for `Immediate` after `Drain`.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::queue::{Queue, Shutdown};
    ///
    /// weftline::run(async {
    ///     let queue = Queue::new(None);
    ///     queue.put(1).await.unwrap();
    ///     queue.shutdown(Shutdown::Drain);
    ///     assert!(queue.put(2).await.is_err());
    ///     assert_eq!(queue.get().await, Ok(1));
    ///     assert!(queue.get().await.is_err());
    /// });
    /// ```
    pub fn shutdown(&self, how: Shutdown) {
        self.stock.shut(how);
    }

    /// Whether the queue was shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::queue::{Queue, Shutdown};
    ///
    /// let queue = Queue::<u32>::new(None);
    /// queue.shutdown(Shutdown::Drain);
    /// assert!(queue.is_shut_down());
    /// ```
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.stock.is_shut()
    }

    /// How many items are there, those included for which somebody was woken who has not come yet.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = weftline::sync::Queue::new(None);
    /// queue.try_put(1).unwrap();
    /// assert_eq!(queue.len(), 1);
    /// ```
    #[must_use]
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.stock.len()
    }

    /// Whether there is no item.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(weftline::sync::Queue::<u32>::new(None).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stock.len() == 0
    }

    /// Whether there are as many items as the capacity allows; never without one.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = weftline::sync::Queue::new(1);
    /// assert!(!queue.is_full());
    /// queue.try_put(1).unwrap();
    /// assert!(queue.is_full());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.stock.capacity.is_some_and(|capacity| self.stock.len() >= capacity)
    }

    /// How many items there may be; `None`: any number.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Queue;
    ///
    /// assert_eq!(Queue::<u32>::new(2).capacity(), Some(2));
    /// assert_eq!(Queue::<u32>::new(None).capacity(), None);
    /// ```
    #[must_use]
    #[doc(alias = "maxsize")]
    pub fn capacity(&self) -> Option<usize> {
        self.stock.capacity
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { stock: self.stock.clone() }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("order", &self.stock.order())
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("undone", &self.stock.undone())
            .field("getting", &self.stock.items.waiters())
            .field("putting", &self.stock.room.waiters())
            .field("is_shut_down", &self.is_shut_down())
            .finish()
    }
}
