//! What senders and receivers share: the latest messages, who is there, and who waits.

use super::error::RecvError;
use crate::platform::Mutex;
use crate::sync::audience::Audience;
use crate::sync::counted::CountsSenders;
use std::collections::VecDeque;
use std::sync::Arc;

/// The shared part of a channel.
pub(super) struct Ring<T> {
    /// The messages, and who is there.
    kept: Mutex<Kept<T>>,
    /// Receivers that wait for a message.
    pub(super) listeners: Audience,
    /// Senders that wait until nobody receives.
    pub(super) until_left: Audience,
}

/// What the lock guards.
struct Kept<T> {
    /// The messages that some receiver has not got, the oldest first. Whoever has not got one has
    /// not got those after it either, so they go from the front.
    messages: VecDeque<Message<T>>,
    /// How many are kept at most.
    capacity: usize,
    /// The position of the first of them: how many were sent before it.
    first: u64,
    /// The senders that keep the channel open.
    senders: usize,
    /// The receivers.
    receivers: usize,
}

/// A message, and who has not got it.
struct Message<T> {
    /// Counted, so that it is cloned for a receiver, and dropped, without the lock.
    body: Arc<T>,
    /// How many receivers are to get it.
    awaited_by: usize,
}

impl<T> Kept<T> {
    /// The position of the next message that will be sent.
    fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    /// The message at a position that is not before the first; none if it was not sent yet.
    fn at(&mut self, position: u64) -> Option<&mut Message<T>> {
        self.messages.get_mut(usize::try_from(position - self.first).ok()?)
    }

    fn drop_first(&mut self) -> Option<Arc<T>> {
        let message = self.messages.pop_front()?;
        self.first += 1;
        Some(message.body)
    }
}

impl<T> Ring<T> {
    /// With one sender, whose handle the caller makes, and without receivers.
    pub(super) fn new(capacity: usize) -> Self {
        let kept = Kept { messages: VecDeque::new(), capacity, first: 0, senders: 1, receivers: 0 };
        Self { kept: Mutex::new(kept), listeners: Audience::new(), until_left: Audience::new() }
    }

    /// Keeps a message for all receivers, and says how many; without any it comes back.
    pub(super) fn send(&self, message: T) -> Result<usize, T> {
        // Made before the lock, which is shorter; without receivers it is taken out again.
        let body = Arc::new(message);
        let mut kept = self.kept.lock();
        let receivers = kept.receivers;
        if receivers == 0 {
            drop(kept);
            return Err(Arc::into_inner(body).expect("nobody else has seen it"));
        }
        let evicted = if kept.messages.len() == kept.capacity { kept.drop_first() } else { None };
        kept.messages.push_back(Message { body, awaited_by: receivers });
        drop(kept);
        drop(evicted);
        self.listeners.wake_all();
        Ok(receivers)
    }

    /// The message at `next`, which goes one further; where that is gone, how many are, and it goes
    /// to the oldest that is there. `None` where none was sent yet.
    pub(super) fn receive(&self, next: &mut u64) -> Option<Result<Arc<T>, RecvError>> {
        let mut kept = self.kept.lock();
        if *next < kept.first {
            let missed = kept.first - *next;
            *next = kept.first;
            return Some(Err(RecvError::Lagged(missed)));
        }
        let closed = kept.senders == 0;
        let Some(message) = kept.at(*next) else {
            return closed.then_some(Err(RecvError::Closed));
        };
        *next += 1;
        message.awaited_by -= 1;
        let last = message.awaited_by == 0;
        let body = if last { kept.drop_first() } else { Some(message.body.clone()) };
        body.map(Ok)
    }

    /// One more receiver, which begins with what is sent from now on; gives its position.
    pub(super) fn add_receiver(&self) -> u64 {
        let mut kept = self.kept.lock();
        kept.receivers += 1;
        kept.end()
    }

    /// A receiver goes that would have got what is sent from `next` on.
    pub(super) fn remove_receiver(&self, next: u64) {
        let mut unwanted = Vec::new();
        let mut kept = self.kept.lock();
        kept.receivers -= 1;
        let seen = usize::try_from(next.saturating_sub(kept.first)).unwrap_or(usize::MAX);
        for message in kept.messages.iter_mut().skip(seen) {
            message.awaited_by -= 1;
        }
        while kept.messages.front().is_some_and(|message| message.awaited_by == 0) {
            unwanted.extend(kept.drop_first());
        }
        let last = kept.receivers == 0;
        drop(kept);
        drop(unwanted);
        if last {
            self.until_left.wake_all();
        }
    }

    /// How many receivers there are.
    pub(super) fn receivers(&self) -> usize {
        self.kept.lock().receivers
    }

    /// How many messages some receiver has not got.
    pub(super) fn len(&self) -> usize {
        self.kept.lock().messages.len()
    }

    /// How many messages were sent since `next`, whether or not they are kept.
    pub(super) fn sent_since(&self, next: u64) -> u64 {
        self.kept.lock().end() - next
    }
}

impl<T> CountsSenders for Ring<T> {
    fn with_senders<R>(&self, act: impl FnOnce(&mut usize) -> R) -> R {
        act(&mut self.kept.lock().senders)
    }

    fn end(&self) {
        self.listeners.wake_all();
    }
}
