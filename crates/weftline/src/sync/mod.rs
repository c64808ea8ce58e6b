//! Passing values between tasks, and between tasks and plain threads.
//!
//! | module | what it passes |
//! |---|---|
//! | [`oneshot`] | one value, once |
//!
//! # Guarantees
//!
//! - Nothing here is bound to a runtime or to a thread: the two sides may live on different
//!   runtimes, or on none.
//! - Nothing is lost when a future is dropped before it is ready.

pub(crate) mod line;
#[expect(unsafe_code, reason = "a guard reaches what its permit allows it to")]
mod mutex;
pub mod oneshot;
mod semaphore;

pub use mutex::{Mutex, MutexGuard, OwnedMutexGuard};
pub use semaphore::{
    AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TooManyPermits,
};
