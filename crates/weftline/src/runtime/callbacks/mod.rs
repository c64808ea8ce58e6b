//! Callbacks: functions that a runtime calls soon, after a delay, or at an instant.
//!
//! As asyncio's `call_soon`, `call_later` and `call_at`, on [`Handle`]. All callbacks of a runtime
//! are called one after the other, in one order, on its workers; what takes long, or is to run
//! beside others, is a task.
//!
//! # Guarantees
//!
//! - A callback is called at most once; exactly once, unless it is cancelled or the runtime ends
//!   before its turn.
//! - `call_soon` keeps the order of registration, also between threads, where one registration
//!   happened before the other. No two callbacks run at the same time.
//! - `call_later` and `call_at` call nothing early. What is due together is called in the order of
//!   the times; what is due at the same time, in that of registration.
//! - A callback sees the task-local variables (and the tracing span) of the place where it was registered.
//! - A panic of a callback is [reported](super::Builder::on_unhandled) and touches nothing else.
//!
//! # At the end of the runtime
//!
//! What has not had its turn when the runtime takes no more tasks is dropped, not called, and so is
//! what is registered later.
//!
//! Inside: `queue.rs` is the order, `runner.rs` the task that calls; it exists while there is
//! something to call or to wait for.

mod queue;
mod runner;

pub(super) use queue::Queue;

use super::Handle;
use crate::task::CallSite;
use queue::{Call, Key};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a delay comes to that reaches beyond what `Instant` can say: a hundred years.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl Handle {
    /// Calls a function soon, on one of the workers, after all that were registered with
    /// `call_soon` before. From any thread.
    ///
    /// A callback that takes long, or blocks, keeps all callbacks of this runtime waiting: use
    /// [`spawn`](crate::spawn) and [`spawn_blocking`](crate::spawn_blocking) for such. Once the
    /// runtime has ended the function is dropped.
    ///
    /// # Panics
    ///
    /// In a forked child process.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// let runtime = weftline::Runtime::new()?;
    /// let (first, called) = mpsc::channel();
    /// let second = first.clone();
    /// runtime.handle().call_soon(move || first.send(1).unwrap());
    /// runtime.handle().call_soon(move || second.send(2).unwrap());
    /// assert_eq!(called.iter().collect::<Vec<_>>(), [1, 2]);
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    #[track_caller]
    pub fn call_soon(&self, function: impl FnOnce() + Send + 'static) -> CallHandle {
        self.call_soon_for(Location::caller(), function)
    }

    /// As [`call_soon`](Self::call_soon), on behalf of whoever stands at the given place.
    pub(crate) fn call_soon_for(
        &self,
        at: CallSite,
        function: impl FnOnce() + Send + 'static,
    ) -> CallHandle {
        let call = Call::new(Box::new(function), at);
        self.register(|queue| queue.push(call.clone()));
        CallHandle { call }
    }

    /// Calls a function when `delay` has passed, never earlier; otherwise as
    /// [`call_soon`](Self::call_soon).
    ///
    /// A delay that reaches beyond what `Instant` can say counts as a hundred years.
    ///
    /// # Panics
    ///
    /// In a forked child process.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// let runtime = weftline::Runtime::new()?;
    /// let (sender, called) = mpsc::channel();
    /// let later = sender.clone();
    /// runtime.handle().call_later(Duration::from_millis(5), move || later.send("later").unwrap());
    /// let never = runtime.handle().call_later(Duration::from_secs(60), || panic!("too late"));
    /// runtime.handle().call_soon(move || sender.send("soon").unwrap());
    /// assert!(never.cancel());
    /// assert_eq!(called.iter().collect::<Vec<_>>(), ["soon", "later"]);
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    #[track_caller]
    pub fn call_later(
        &self,
        delay: Duration,
        function: impl FnOnce() + Send + 'static,
    ) -> TimerHandle {
        let now = self.instance.shared.clock.now();
        self.call_at(now.checked_add(delay).unwrap_or_else(|| now + FAR), function)
    }

    /// Calls a function when `when` has come, never earlier; soon, if it has. Otherwise as
    /// [`call_soon`](Self::call_soon).
    ///
    /// # Panics
    ///
    /// In a forked child process.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::time::now;
    ///
    /// weftline::run(async {
    ///     let handle = weftline::Handle::current();
    ///     let noon = now() + Duration::from_millis(5);
    ///     let (tell, told) = weftline::sync::oneshot::channel();
    ///     let timer = handle.call_at(noon, move || tell.send(now()).unwrap());
    ///     assert_eq!(timer.when(), noon);
    ///     assert!(told.await.unwrap() >= noon);
    /// });
    /// ```
    #[track_caller]
    pub fn call_at(&self, when: Instant, function: impl FnOnce() + Send + 'static) -> TimerHandle {
        let call = Call::new(Box::new(function), Location::caller());
        let mut key = None;
        self.register(|queue| {
            let (at, attention) = queue.push_at(when, call.clone());
            key = Some(at);
            attention
        });
        let key = key.expect("it was registered");
        TimerHandle { call, key, queue: self.instance.callbacks.clone() }
    }
}

/// A callback that was registered with [`Handle::call_soon`]. Dropping it changes nothing.
pub struct CallHandle {
    /// The callback.
    call: Arc<Call>,
}

impl CallHandle {
    /// Takes the callback back. True: this has prevented the call, and dropped the function. False:
    /// it is being called, was called, or was cancelled before.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = weftline::Runtime::builder().workers(1).build()?;
    /// let handle = runtime.handle().clone();
    /// let task = runtime.spawn(async move {
    ///     // The only worker runs this.
    ///     let call = handle.call_soon(|| panic!("never called"));
    ///     assert!(call.cancel());
    ///     assert!(!call.cancel(), "that was done before");
    /// });
    /// task.wait().unwrap();
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    pub fn cancel(&self) -> bool {
        self.call.cancel()
    }

    /// Whether it was taken back, or dropped at the end of the runtime, so that it is never called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.call.is_cancelled()
    }
}

/// A callback that was registered with [`Handle::call_later`] or [`Handle::call_at`]. Dropping it
/// changes nothing.
pub struct TimerHandle {
    /// The callback.
    call: Arc<Call>,
    /// Its place in the order.
    key: Key,
    /// Where it waits.
    queue: Arc<Queue>,
}

impl TimerHandle {
    /// Takes the callback back, as [`CallHandle::cancel`]. What was taken back costs nothing more.
    pub fn cancel(&self) -> bool {
        let prevented = self.call.cancel();
        if prevented {
            self.queue.forget(self.key);
        }
        prevented
    }

    /// Whether it was taken back, or dropped at the end of the runtime, so that it is never called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.call.is_cancelled()
    }

    /// The instant before which it is not called.
    #[must_use]
    pub fn when(&self) -> Instant {
        self.key.when
    }
}

impl fmt::Debug for CallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallHandle").field(&self.call).finish()
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerHandle")
            .field("call", &self.call)
            .field("when", &self.when())
            .finish_non_exhaustive()
    }
}
