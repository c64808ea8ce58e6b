//! [`Audience`]: those who wait for the next change of something, all of whom are woken by it.
//!
//! Whoever changes something does so first and calls [`Audience::wake_all`] then; whoever waits enters
//! first and looks then. One of the two came second to the audience's lock: either the waker was in, or
//! the look sees the change. Since everybody is woken, one who never looks again keeps nobody waiting.

use super::line::Calls;
use crate::platform::Mutex;
use crate::task::budget;
use slab::Slab;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

/// The wakers of those who wait. It does not know for what.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    /// Who is in.
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    /// How often all were woken: a place is good until then.
    round: u64,
    /// Whom to wake.
    wakers: Slab<Waker>,
}

/// A place in a [`Audience`], or none yet.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<Taken>);

#[derive(Clone, Copy, Debug)]
struct Taken {
    /// The round that it was taken in.
    round: u64,
    /// Where in the list.
    key: usize,
}

impl Members {
    /// The waker at a place; none if all were woken since.
    fn at(&mut self, place: &Place) -> Option<&mut Waker> {
        let taken = place.0.filter(|taken| taken.round == self.round)?;
        self.wakers.get_mut(taken.key)
    }
}

impl Audience {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Wakes all who have entered.
    pub(crate) fn wake_all(&self) {
        let mut members = self.members.lock();
        if members.wakers.is_empty() {
            return;
        }
        members.round += 1;
        let wakers = mem::take(&mut members.wakers);
        drop(members);
        let mut calls = Calls::default();
        wakers.into_iter().for_each(|(_, waker)| calls.push(waker));
    }

    /// From now on `waker` is woken with the others, and no longer an earlier one of that place.
    pub(crate) fn enter(&self, place: &mut Place, waker: &Waker) {
        if self.members.lock().at(place).is_some_and(|present| present.will_wake(waker)) {
            return;
        }
        // Cloning and dropping are foreign code, and happen outside of the lock.
        let waker = waker.clone();
        let mut members = self.members.lock();
        let before = match members.at(place) {
            Some(present) => Some(mem::replace(present, waker)),
            None => {
                let round = members.round;
                *place = Place(Some(Taken { round, key: members.wakers.insert(waker) }));
                None
            }
        };
        drop(members);
        drop(before);
    }

    /// Gives the place back.
    pub(crate) fn leave(&self, place: &mut Place) {
        let mut members = self.members.lock();
        let taken = place.0.take().filter(|taken| taken.round == members.round);
        let waker = taken.map(|taken| members.wakers.remove(taken.key));
        drop(members);
        drop(waker);
    }

    /// Waits until `look` finds something. It is not called where the task's time slice is over: the
    /// task comes back then.
    pub(crate) fn poll_until<R>(
        &self,
        place: &mut Place,
        cx: &mut Context<'_>,
        mut look: impl FnMut() -> Option<R>,
    ) -> Poll<R> {
        ready!(budget::poll_proceed(cx));
        if let Some(found) = look() {
            return Poll::Ready(found);
        }
        self.enter(place, cx.waker());
        look().map_or(Poll::Pending, Poll::Ready)
    }

    /// As [`Audience::poll_until`], as a future that gives its place back when it is dropped.
    pub(crate) async fn wait_until<R>(&self, mut look: impl FnMut() -> Option<R>) -> R {
        let mut member = Member { audience: self, place: Place::default() };
        std::future::poll_fn(|cx| self.poll_until(&mut member.place, cx, &mut look)).await
    }
}

/// For what can wake only one.
impl Wake for Audience {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}

/// One who waits, until it is dropped.
struct Member<'a> {
    /// Where.
    audience: &'a Audience,
    /// Its place.
    place: Place,
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if self.place.0.is_some() {
            self.audience.leave(&mut self.place);
        }
    }
}
