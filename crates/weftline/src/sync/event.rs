//! [`Event`]: a flag that can be waited for. Next: `row.rs`, those who wait.

use super::line::Calls;
use super::row::{HasRow, Row, Told};
use crate::platform::atomic::{AtomicBool, Ordering};
use crate::platform::{Mutex, const_unless_model};
use crate::task::{budget, drive};
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;

/// A flag, unset at first, that tasks and threads wait for: until it is set.
///
/// # Guarantees
///
/// - [`set`](Self::set) wakes all who wait at that moment, even if the flag is cleared at once.
/// - Whatever happened before `set` is seen by those whose wait it ends.
/// - Bound to no runtime.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weftline::sync::Event;
///
/// weftline::run(async {
///     let ready = Arc::new(Event::new());
///     let waits = ready.clone();
///     let task = weftline::spawn(async move { waits.wait().await });
///     ready.set();
///     task.await.unwrap();
/// });
/// ```
pub struct Event {
    /// The flag, for those who need not wait. Written under the lock.
    is_set: AtomicBool,
    /// Those who wait, and the flag once more.
    state: Mutex<State>,
}

/// What the lock protects.
struct State {
    /// Those who wait.
    row: Row<()>,
    /// The flag.
    is_set: bool,
}

impl Event {
    const_unless_model! {
        /// An event that is not set. It allocates nothing, and can be a `static`.
        pub fn new() -> Self {
            let state = State { row: Row::new(), is_set: false };
            Self { is_set: AtomicBool::new(false), state: Mutex::new(state) }
        }
    }

    /// Sets the flag, and wakes all who wait. No effect where it is set.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Event;
    ///
    /// let event = Event::new();
    /// event.set();
    /// assert!(event.is_set());
    /// event.clear();
    /// assert!(!event.is_set());
    /// ```
    pub fn set(&self) {
        let mut calls = Calls::default();
        let mut state = self.state.lock();
        // Release: pairs with the Acquire in `is_set`.
        self.is_set.store(true, Ordering::Release);
        state.is_set = true;
        while state.row.tell_first((), &mut calls) {}
        drop(state); // those who are called are foreign code
    }

    /// Takes the flag back: who comes from now on waits until it is set again.
    pub fn clear(&self) {
        let mut state = self.state.lock();
        // Relaxed: nothing is to be seen by who finds it unset.
        self.is_set.store(false, Ordering::Relaxed);
        state.is_set = false;
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        // Acquire: pairs with the Release in `set`.
        self.is_set.load(Ordering::Acquire)
    }

    /// Waits until the flag is set; not at all where it is. The flag may have been cleared again
    /// when this is ready.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Event;
    ///
    /// static STARTED: Event = Event::new();
    ///
    /// weftline::run(async {
    ///     std::thread::spawn(|| STARTED.set());
    ///     STARTED.wait().await;
    ///     assert!(STARTED.is_set());
    /// });
    /// ```
    pub async fn wait(&self) {
        poll_fn(budget::poll_proceed).await;
        if !self.is_set() {
            Told::new(&self.state, ()).await;
        }
    }

    /// As [`wait`](Self::wait), and blocks the calling thread meanwhile. For plain threads: on a
    /// worker it keeps the worker from running anything else.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Event;
    ///
    /// static STARTED: Event = Event::new();
    ///
    /// std::thread::spawn(|| STARTED.set());
    /// STARTED.wait_blocking();
    /// ```
    pub fn wait_blocking(&self) {
        drive(pin!(self.wait()), None).expect("without a deadline the wait ends with the result");
    }
}

impl HasRow for State {
    type News = ();
    type Ticket = ();

    fn row(&mut self) -> &mut Row<()> {
        &mut self.row
    }

    fn admit(&mut self, _ticket: (), _calls: &mut Calls) -> Option<()> {
        self.is_set.then_some(())
    }

    fn left(&mut self, _news: Option<()>, _calls: &mut Calls) {}
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        let (is_set, waiters) = (state.is_set, state.row.waiting());
        drop(state); // whoever writes is foreign code
        f.debug_struct("Event").field("is_set", &is_set).field("waiters", &waiters).finish()
    }
}
