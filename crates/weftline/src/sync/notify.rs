//! [`Notify`]: wakes one who waits, or all. Next: `row.rs`, those who wait.

use super::line::Calls;
use super::row::{HasRow, Row, Told};
use crate::platform::{Mutex, const_unless_model};
use crate::task::budget;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

/// Wakes one who waits, or all of them; without a value, and without a flag.
///
/// A notification of one ([`notify_one`](Self::notify_one)) that comes while nobody waits is kept for
/// the next who does; several of them are one. For a flag that stays set take an
/// [`Event`](super::Event), for what a mutex protects a [`Condvar`](super::Condvar), and to pass
/// something along a channel.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weftline::sync::Notify;
///
/// weftline::run(async {
///     let notify = Arc::new(Notify::new());
///     let waits = notify.clone();
///     let task = weftline::spawn(async move { waits.notified().await });
///     notify.notify_one();
///     task.await.unwrap();
/// });
/// ```
pub struct Notify {
    /// Those who wait, and what they need not wait for.
    state: Mutex<State>,
}

/// What the lock protects.
struct State {
    /// Those who wait.
    row: Row<News>,
    /// A notification of one is there that nobody has taken.
    is_kept: bool,
    /// How often all were notified.
    rounds: u64,
}

/// What somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// It is the one.
    One,
    /// All are.
    All,
}

impl Notify {
    const_unless_model! {
        /// Without a notification. It allocates nothing, and can be a `static`.
        pub fn new() -> Self {
            Self { state: Mutex::new(State { row: Row::new(), is_kept: false, rounds: 0 }) }
        }
    }

    /// Waits for a notification: of one, in the order in which those who wait were polled first; or of
    /// all, from this call on, polled or not.
    ///
    /// # Cancel safety
    ///
    /// A notification of one that was made for a future which is dropped goes to the next who waits,
    /// or is kept. The turn is lost.
    ///
    /// # Examples
    ///
    /// Nothing is missed between the look and the wait, since the wait has begun before:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use weftline::sync::Notify;
    ///
    /// weftline::run(async {
    ///     let shared = Arc::new((AtomicBool::new(false), Notify::new()));
    ///     let (is_ready, notify) = &*shared.clone();
    ///     std::thread::spawn(move || {
    ///         shared.0.store(true, Ordering::Release);
    ///         shared.1.notify_waiters();
    ///     });
    ///     loop {
    ///         let notified = notify.notified();
    ///         if is_ready.load(Ordering::Acquire) {
    ///             break;
    ///         }
    ///         notified.await;
    ///     }
    /// });
    /// ```
    pub fn notified(&self) -> Notified<'_> {
        let round = self.state.lock().rounds;
        Notified { told: Told::new(&self.state, round), is_over: false }
    }

    /// Notifies the first who waits; if nobody does, the next who comes.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Notify;
    ///
    /// weftline::run(async {
    ///     let notify = Notify::new();
    ///     notify.notify_one();
    ///     notify.notified().await; // not at all
    /// });
    /// ```
    pub fn notify_one(&self) {
        let mut calls = Calls::default(); // foreign code, after the lock
        self.state.lock().notify_one(&mut calls);
    }

    /// Notifies all who wait, those included who have called [`notified`](Self::notified) and were
    /// not polled yet; nobody who comes later.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::Notify;
    ///
    /// weftline::run(async {
    ///     let notify = Notify::new();
    ///     let (first, second) = (notify.notified(), notify.notified());
    ///     notify.notify_waiters();
    ///     first.await;
    ///     second.await;
    /// });
    /// ```
    pub fn notify_waiters(&self) {
        let mut calls = Calls::default();
        let mut state = self.state.lock();
        state.rounds = state.rounds.wrapping_add(1);
        while state.row.tell_first(News::All, &mut calls) {}
        drop(state); // those who are called are foreign code
    }
}

impl State {
    fn notify_one(&mut self, calls: &mut Calls) {
        if !self.row.tell_first(News::One, calls) {
            self.is_kept = true;
        }
    }
}

impl HasRow for State {
    type News = News;
    /// How often all had been notified when the wait began.
    type Ticket = u64;

    fn row(&mut self) -> &mut Row<News> {
        &mut self.row
    }

    fn admit(&mut self, round: u64, _calls: &mut Calls) -> Option<News> {
        if round != self.rounds {
            return Some(News::All);
        }
        std::mem::take(&mut self.is_kept).then_some(News::One)
    }

    fn left(&mut self, news: Option<News>, calls: &mut Calls) {
        if news == Some(News::One) {
            self.notify_one(calls);
        }
    }
}

/// A wait for a notification; made by [`Notify::notified`].
#[must_use = "futures do nothing unless awaited"]
pub struct Notified<'a> {
    /// The place, from the first poll on.
    told: Told<'a, State>,
    /// It was notified.
    is_over: bool,
}

impl Notified<'_> {
    /// Takes the place in the line now, without waiting, as the first poll does. True: the
    /// notification is there already, and awaiting this gives it at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use weftline::sync::Notify;
    ///
    /// weftline::run(async {
    ///     let notify = Notify::new();
    ///     let mut first = pin!(notify.notified());
    ///     assert!(!first.as_mut().enable());
    ///     notify.notify_one(); // for the first, though nobody has awaited it
    ///     assert!(first.as_mut().enable());
    ///     first.await;
    /// });
    /// ```
    pub fn enable(mut self: Pin<&mut Self>) -> bool {
        self.look(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_over {
            let _news = ready!(Pin::new(&mut self.told).poll(cx));
            self.is_over = true;
        }
        Poll::Ready(())
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(budget::poll_proceed(cx));
        self.look(cx)
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        let (waiters, is_kept) = (state.row.waiting(), state.is_kept);
        drop(state); // whoever writes is foreign code
        f.debug_struct("Notify").field("waiters", &waiters).field("is_kept", &is_kept).finish()
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified").field("is_over", &self.is_over).finish_non_exhaustive()
    }
}
