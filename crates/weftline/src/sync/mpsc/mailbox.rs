//! What senders and receiver share: one lock around a queue, its ends, and the waiting receiver.
//!
//! The receiver takes all that is there at once, by exchanging the queue for its own empty one, and
//! then gives it away piece by piece without the lock. Next: `receiver.rs`, and `room.rs` for channels
//! that have a bound.

use super::room::Room;
use crate::platform::{Mutex, MutexGuard};
use crate::sync::audience::Audience;
use crate::sync::counted::CountsSenders;
use crate::task::{budget, wake_all};
use crossbeam_utils::CachePadded;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::task::{Poll, Waker};

/// The shared part of a channel.
pub(super) struct Mailbox<T> {
    /// What the lock guards.
    post: CachePadded<Mutex<Post<T>>>,
    /// Senders that wait until the channel is closed.
    until_closed: Audience,
    /// The bound; `None`: any number of messages may be on their way.
    room: Option<Room>,
}

/// What is on its way, and who is there.
struct Post<T> {
    /// Sent, and not fetched.
    items: VecDeque<T>,
    /// Permits of the room that whoever sends next may take.
    allowance: usize,
    /// Permits that are held for messages to come.
    reserved: usize,
    /// Whom to wake when there is something to fetch, or never will be.
    receiver: Option<Waker>,
    /// Whether what is sent may come to be received.
    reception: Reception,
    /// The senders that keep the channel open.
    senders: usize,
}

/// What the receiver does with what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reception {
    /// It takes everything.
    Open,
    /// It takes what was sent before, or has its permit.
    Closed,
    /// It is gone.
    Gone,
}

/// What the receiver finds when it comes for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Something.
    Items,
    /// Nothing yet.
    Nothing,
    /// Nothing, and nothing will come.
    End,
}

/// Why something was not done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no room, or others wait for it.
    Full,
    /// The receiver takes nothing new.
    Closed,
}

impl<T> Post<T> {
    /// Takes permits of the allowance, which is refilled where there are too few.
    #[inline]
    fn admit(&mut self, room: Option<&Room>, want: usize) -> Result<(), Refusal> {
        if self.reception != Reception::Open {
            return Err(Refusal::Closed);
        }
        let Some(room) = room else { return Ok(()) };
        if self.allowance < want {
            self.allowance += room.refill(want - self.allowance);
        }
        self.allowance = self.allowance.checked_sub(want).ok_or(Refusal::Full)?;
        Ok(())
    }

    fn fetch(&mut self, fetched: &mut VecDeque<T>) -> Found {
        debug_assert!(fetched.is_empty(), "what was fetched first is received first");
        mem::swap(&mut self.items, fetched);
        if !fetched.is_empty() {
            return Found::Items;
        }
        let is_open = self.reception == Reception::Open && self.senders > 0;
        if is_open || self.reserved > 0 { Found::Nothing } else { Found::End }
    }
}

impl<T> Mailbox<T> {
    /// A mailbox with one sender, and a bound if it has a capacity.
    pub(super) fn new(capacity: Option<usize>) -> Self {
        let post = Post {
            items: VecDeque::new(),
            allowance: 0,
            reserved: 0,
            receiver: None,
            reception: Reception::Open,
            senders: 1,
        };
        Self {
            post: CachePadded::new(Mutex::new(post)),
            until_closed: Audience::new(),
            room: capacity.map(Room::new),
        }
    }

    /// Sends if that is possible at once. Otherwise the message comes back.
    #[inline]
    pub(super) fn send(&self, message: T) -> Result<(), (Refusal, T)> {
        let mut post = self.post.lock();
        if let Err(refusal) = post.admit(self.room.as_ref(), 1) {
            return Err((refusal, message));
        }
        post.items.push_back(message);
        wake(post);
        Ok(())
    }

    /// Sends by a permit that was waited for; the message comes back if the channel was closed
    /// meanwhile.
    pub(super) fn send_admitted(&self, message: T) -> Result<(), T> {
        let mut post = self.post.lock();
        if post.reception != Reception::Open {
            drop(post);
            self.give_back(1);
            return Err(message);
        }
        post.items.push_back(message);
        wake(post);
        Ok(())
    }

    /// Sends by a permit that was reserved. The message comes back if the receiver is gone.
    pub(super) fn send_reserved(&self, message: T) -> Result<(), T> {
        let mut post = self.post.lock();
        post.reserved -= 1;
        if post.reception == Reception::Gone {
            return Err(message);
        }
        post.items.push_back(message);
        wake(post);
        Ok(())
    }

    /// Takes permits for messages to come, if there are so many.
    pub(super) fn try_reserve(&self, count: usize) -> Result<(), Refusal> {
        let mut post = self.post.lock();
        post.admit(self.room.as_ref(), count)?;
        post.reserved += count;
        Ok(())
    }

    /// Takes permits for messages to come, in its turn. False: the channel is closed.
    pub(super) async fn reserve(&self, count: usize) -> bool {
        poll_fn(budget::poll_proceed).await;
        match self.try_reserve(count) {
            Ok(()) => true,
            Err(Refusal::Closed) => false,
            Err(Refusal::Full) => self.admission(count).await && self.reserve_admitted(count),
        }
    }

    /// Permits that were waited for are for messages to come. False: the channel was closed.
    fn reserve_admitted(&self, count: usize) -> bool {
        let mut post = self.post.lock();
        let open = post.reception == Reception::Open;
        post.reserved += if open { count } else { 0 };
        drop(post);
        if !open {
            self.give_back(count);
        }
        open
    }

    /// Permits that were reserved are not used.
    pub(super) fn give_up_reserved(&self, count: usize) {
        let mut post = self.post.lock();
        post.reserved -= count;
        if post.reception != Reception::Open && post.reserved == 0 {
            wake(post); // the receiver may wait for the end, which this is
        } else {
            drop(post);
        }
        self.give_back(count);
    }

    /// Waits for permits, in its turn. False: the channel is closed.
    #[cold]
    pub(super) async fn admission(&self, want: usize) -> bool {
        let Some(room) = &self.room else { return true };
        let mut acquire = pin!(room.line.acquire(want));
        poll_fn(|cx| {
            let mut acquired = acquire.as_mut().poll(cx);
            // Now that it stands in the line, what is free goes there; perhaps to itself.
            if acquired.is_pending() && self.serve_line(room) {
                acquired = acquire.as_mut().poll(cx);
            }
            acquired.map(|acquired| acquired.is_ok())
        })
        .await
    }

    /// Permits come back.
    #[inline]
    pub(super) fn give_back(&self, permits: usize) {
        if let Some(room) = &self.room {
            if room.give_back(permits) {
                self.serve_line(room);
            }
        }
    }

    /// Moves whatever is free to the line, and keeps others from taking it as long as somebody waits
    /// there. Says whether anything was free.
    #[cold]
    fn serve_line(&self, room: &Room) -> bool {
        let mut moved = false;
        loop {
            let free = mem::take(&mut self.post.lock().allowance) + room.take_freed();
            if free > 0 {
                room.line.release(free);
                moved = true;
            }
            if !room.line.is_awaited() {
                return moved;
            }
            // Somebody may have made an allowance while the mark was not set.
            if room.watch() == 0 && self.post.lock().allowance == 0 {
                return moved;
            }
        }
    }

    /// How many permits there are; `None` without a bound.
    pub(super) fn max_capacity(&self) -> Option<usize> {
        self.room.as_ref().map(Room::capacity)
    }

    /// How many permits nobody holds; `None` without a bound.
    pub(super) fn capacity(&self) -> Option<usize> {
        let room = self.room.as_ref()?;
        Some(self.post.lock().allowance + room.free())
    }

    /// Exchanges what was sent for `fetched`, which is empty.
    pub(super) fn fetch(&self, fetched: &mut VecDeque<T>) -> Found {
        self.post.lock().fetch(fetched)
    }

    /// As [`Mailbox::fetch`]; where nothing is there yet, `waker` will be woken.
    pub(super) fn poll_fetch(&self, fetched: &mut VecDeque<T>, waker: &Waker) -> Poll<Found> {
        let mut post = self.post.lock();
        let found = post.fetch(fetched);
        if found != Found::Nothing {
            return Poll::Ready(found);
        }
        if post.receiver.as_ref().is_some_and(|present| present.will_wake(waker)) {
            return Poll::Pending;
        }
        drop(post);
        // Cloning is foreign code, so the lock is let go, and one has to look again.
        let waker = waker.clone();
        let mut post = self.post.lock();
        let found = post.fetch(fetched);
        if found != Found::Nothing {
            return Poll::Ready(found);
        }
        let before = post.receiver.replace(waker);
        drop(post);
        drop(before);
        Poll::Pending
    }

    /// How many messages were sent and not fetched.
    pub(super) fn len(&self) -> usize {
        self.post.lock().items.len()
    }

    /// Whether the receiver takes nothing new.
    pub(super) fn is_closed(&self) -> bool {
        self.post.lock().reception != Reception::Open
    }

    /// Whether nothing more will be sent, except by permits that are reserved.
    pub(super) fn is_left(&self) -> bool {
        let post = self.post.lock();
        post.reception != Reception::Open || post.senders == 0
    }

    /// The receiver takes nothing new.
    pub(super) fn close(&self) {
        self.post.lock().reception = Reception::Closed;
        self.tell_senders();
    }

    /// The receiver is gone; what nobody receives comes back.
    pub(super) fn leave(&self) -> VecDeque<T> {
        let mut post = self.post.lock();
        post.reception = Reception::Gone;
        let left = mem::take(&mut post.items);
        let receiver = post.receiver.take();
        drop(post);
        drop(receiver);
        self.tell_senders();
        left
    }

    /// Nothing more can be sent.
    fn tell_senders(&self) {
        if let Some(room) = &self.room {
            room.line.close();
        }
        self.until_closed.wake_all();
    }

    /// Waits until nothing more can be sent.
    pub(super) async fn closed(&self) {
        self.until_closed.wait_until(|| self.is_closed().then_some(())).await;
    }
}

impl<T> CountsSenders for Mailbox<T> {
    fn with_senders<R>(&self, act: impl FnOnce(&mut usize) -> R) -> R {
        act(&mut self.post.lock().senders)
    }

    fn end(&self) {
        wake(self.post.lock());
    }
}

/// Wakes the receiver, outside of the lock.
#[inline]
fn wake<T>(mut post: MutexGuard<'_, Post<T>>) {
    let receiver = post.receiver.take();
    drop(post);
    wake_all(receiver);
}
