//! [`Row`]: those who wait to be told something, in the order in which they came. For what hands out
//! news, not permits: an event, a condition, a barrier, a `Notify`. Plain code under a lock of its owner.

use super::line::{Calls, Chain, Nodes};
use crate::platform::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Those who wait to be told a `T`.
#[derive(Debug)]
pub(super) struct Row<T> {
    /// All who have a place.
    waiters: Nodes<Waiter<T>>,
    /// Those who were not told yet, the first comer first.
    waiting: Chain,
}

/// One of them.
#[derive(Debug)]
enum Waiter<T> {
    /// Not told yet; this wakes it.
    Waiting(Waker),
    /// Told, and it has not come for it.
    Told(T),
}

impl<T> Row<T> {
    /// Nobody.
    pub(super) const fn new() -> Self {
        Self { waiters: Nodes::new(), waiting: Chain::new() }
    }

    /// How many were not told yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Somebody takes the last place.
    pub(super) fn join(&mut self, waker: Waker) -> usize {
        let key = self.waiters.insert(Waiter::Waiting(waker));
        self.waiting.push(&mut self.waiters, key);
        key
    }

    /// Tells the first who was not told. False: there is none.
    pub(super) fn tell_first(&mut self, news: T, calls: &mut Calls) -> bool {
        let Some(key) = self.waiting.first() else { return false };
        self.waiting.unlink(&mut self.waiters, key);
        let before = std::mem::replace(self.waiters.get_mut(key), Waiter::Told(news));
        if let Waiter::Waiting(waker) = before {
            calls.push(waker);
        }
        true
    }

    /// Somebody with a place is polled, with this waker. Ready: it has no place any more. What is in
    /// `owned` afterwards is to be dropped without the lock; where it is empty before, and needed,
    /// the answer is `None`, and nothing has changed.
    fn come(&mut self, key: usize, waker: &Waker, owned: &mut Option<Waker>) -> Option<Poll<T>> {
        match self.waiters.get_mut(key) {
            Waiter::Waiting(kept) if kept.will_wake(waker) => Some(Poll::Pending),
            Waiter::Waiting(kept) => {
                std::mem::swap(kept, owned.as_mut()?);
                Some(Poll::Pending)
            }
            Waiter::Told(_) => match self.waiters.remove(key) {
                Waiter::Told(news) => Some(Poll::Ready(news)),
                Waiter::Waiting(_) => unreachable!("it was told"),
            },
        }
    }

    /// Somebody gives up its place; what it was told and has not come for is given back. A waker in
    /// `unused` is to be dropped without the lock.
    pub(super) fn leave(&mut self, key: usize, unused: &mut Option<Waker>) -> Option<T> {
        if let Waiter::Waiting(_) = self.waiters.get(key) {
            self.waiting.unlink(&mut self.waiters, key);
        }
        match self.waiters.remove(key) {
            Waiter::Told(news) => Some(news),
            Waiter::Waiting(waker) => {
                *unused = Some(waker);
                None
            }
        }
    }
}

/// What has a [`Row`] under its lock.
pub(super) trait HasRow {
    /// What those in the row are told.
    type News;

    /// What a newcomer brings along.
    type Ticket: Copy + Unpin;

    /// The row.
    fn row(&mut self) -> &mut Row<Self::News>;

    /// A newcomer may go on at once, and need not wait.
    fn admit(&mut self, ticket: Self::Ticket, calls: &mut Calls) -> Option<Self::News>;

    /// Somebody has left its place before it came for the news, if there were some for it.
    fn left(&mut self, news: Option<Self::News>, calls: &mut Calls);
}

/// Waits in a row until it is told; dropped before, it has left.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub(super) struct Told<'a, S: HasRow> {
    /// What the row belongs to.
    state: &'a Mutex<S>,
    /// What it brings along.
    ticket: S::Ticket,
    /// Its place.
    key: Option<usize>,
}

impl<'a, S: HasRow> Told<'a, S> {
    /// Has no place yet; takes one when it is polled.
    pub(super) fn new(state: &'a Mutex<S>, ticket: S::Ticket) -> Self {
        Self { state, ticket, key: None }
    }
}

impl<S: HasRow> Future for Told<'_, S> {
    type Output = S::News;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<S::News> {
        // Cloned, and dropped, without the lock: a waker is foreign code. So are those that are
        // called, last of all.
        let mut calls = Calls::default();
        let mut owned = self.key.is_none().then(|| cx.waker().clone());
        loop {
            let mut state = self.state.lock();
            let came = match self.key {
                Some(key) => state.row().come(key, cx.waker(), &mut owned),
                None => match state.admit(self.ticket, &mut calls) {
                    Some(news) => Some(Poll::Ready(news)),
                    None => {
                        let waker = owned.take().expect("a newcomer has a waker");
                        self.key = Some(state.row().join(waker));
                        Some(Poll::Pending)
                    }
                },
            };
            drop(state);
            match came {
                None => owned = Some(cx.waker().clone()),
                Some(Poll::Pending) => return Poll::Pending,
                Some(Poll::Ready(news)) => {
                    self.key = None;
                    return Poll::Ready(news);
                }
            }
        }
    }
}

impl<S: HasRow> Drop for Told<'_, S> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let (mut calls, mut unused) = (Calls::default(), None);
        let mut state = self.state.lock();
        let news = state.row().leave(key, &mut unused);
        state.left(news, &mut calls);
    }
}
