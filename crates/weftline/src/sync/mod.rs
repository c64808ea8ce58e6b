//! Locks, and passing values between tasks, and between tasks and plain threads.
//!
//! | item | what it is for |
//! |---|---|
//! | [`Mutex`], [`RwLock`] | one at a time; many readers or one writer |
//! | [`Semaphore`] | so many at a time |
//! | [`Event`] | waiting for a flag |
//! | [`Notify`] | waking one who waits, or all |
//! | [`Condvar`] | waiting until what a mutex protects has changed |
//! | [`Barrier`] | so many go on together |
//! | [`OnceCell`] | a value that is made when it is first needed |
//! | [`oneshot`] | one value, once |
//! | [`mpsc`] | messages from many senders to one receiver, with a bound or without |
//! | [`broadcast`] | each message to every receiver |
//! | [`watch`] | the latest value to every receiver |
//! | [`queue`] | items of work from many to many, and a count of what is to be done |
//!
//! # Guarantees
//!
//! - Nothing here is bound to a runtime or to a thread: the two sides may live on different
//!   runtimes, or on none. What waits for a lock, a message or an item has a twin that blocks a plain
//!   thread. Its name ends in `_blocking`: [`lock_blocking`](Mutex::lock_blocking),
//!   [`get_blocking`](Queue::get_blocking). The channels that tokio has keep its names instead,
//!   [`blocking_recv`](mpsc::Receiver::blocking_recv), [`blocking_send`](mpsc::Sender::blocking_send); and a
//!   [`oneshot`] has [`wait`](oneshot::Receiver::wait), as a [`JoinHandle`](crate::JoinHandle).
//! - Nothing is lost when a future is dropped before it is ready.
//! - Who waits for a lock or for permits has its turn as it came, and nobody waits for ever behind a
//!   future that is not polled any more.

mod audience;
mod barrier;
pub mod broadcast;
mod condvar;
mod counted;
mod event;
pub(crate) mod line;
pub mod mpsc;
#[expect(unsafe_code, reason = "a guard reaches what its permit allows it to")]
mod mutex;
mod notify;
mod once_cell;
pub mod oneshot;
pub mod queue;
mod row;
#[expect(unsafe_code, reason = "a guard reaches what its permits allow it to")]
mod rwlock;
mod semaphore;
mod send_error;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waiter;
pub mod watch;

pub(crate) use audience::{Audience, Place};
pub use barrier::{Barrier, BrokenBarrier};
pub use condvar::Condvar;
pub use event::Event;
pub use mutex::{Mutex, MutexGuard, OwnedMutexGuard};
pub use notify::{Notified, Notify};
pub use once_cell::OnceCell;
pub use queue::Queue;
pub use rwlock::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
pub use semaphore::{
    AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TooManyPermits,
};
