//! [`Line`]: permits, and those who wait for them, first come first served. What locks, semaphores
//! and bounded channels stand on.
//!
//! - **First come, first served.** Whoever waits goes before whoever comes later, also after it was
//!   woken and has not run yet. A large request is not passed by smaller ones.
//! - **Nobody waits for ever behind one that never comes.** A permit that becomes free is promised
//!   to the first who waits; if that does not come for it within `CALL_LIMIT`, it is promised to
//!   the next as well.
//! - **Nothing is lost.** Dropped at any moment, an [`Acquiring`] has taken nothing.
//! - Taking and giving are one exchange where nobody waits.
//!
//! Where nobody waits, the permits are in the word of the line. The first who has to wait moves them
//! to the [`Crowd`] and sets `CROWDED`; from then on all happens there, by the rules in [`queue`], until
//! nobody waits. `timing` keeps the time. The story is in `docs/locks.md`.

mod acquiring;
mod calls;
mod chain;
mod crowd;
mod keeper;
mod queue;
#[cfg(test)]
mod tests;
mod timing;

pub(crate) use acquiring::Acquiring;
pub(super) use calls::Calls;
pub(super) use chain::{Chain, Nodes};

use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::platform::{MutexGuard, const_unless_model};
use crate::task::budget;
use crowd::Crowd;
use queue::{Come, Queue};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};

/// In the word: the permits are with the crowd, whose lock is to be taken.
const CROWDED: usize = 1;
/// In the word: one permit.
const ONE: usize = 1 << 1;

/// The most permits that a line can have, those that are held included.
pub(crate) const MAX_PERMITS: usize = usize::MAX >> 3;

/// Permits, and who waits for them.
#[derive(Debug)]
pub(crate) struct Line {
    /// Free permits, in units of [`ONE`]; or [`CROWDED`] and nothing else. Changes between the two
    /// under the crowd's lock.
    word: AtomicUsize,
    /// Who waits; made for the first one who does.
    crowd: OnceLock<Arc<Crowd>>,
}

/// A place in a line, once there is one. Whoever has it gives it back to [`Line::leave`] when it
/// wants no permits any more; [`Acquiring`] does so by itself.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// The number of the waiter.
    key: Option<usize>,
    /// The waiter is a thread that does nothing else.
    blocks: bool,
}

/// The line was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl Line {
    const_unless_model! {
        /// With so many permits, at most [`MAX_PERMITS`].
        pub(crate) fn new(permits: usize) -> Self {
            Self { word: AtomicUsize::new(permits * ONE), crowd: OnceLock::new() }
        }
    }

    /// Takes permits if they are free and nobody waits for them. False: not now, or never again.
    #[inline]
    pub(crate) fn try_acquire(&self, want: usize) -> bool {
        self.take(want).unwrap_or_else(|| self.with_queue(|queue, _| queue.take(want)))
    }

    /// Takes permits in its turn.
    #[inline]
    pub(crate) fn acquire(&self, want: usize) -> Acquiring<'_> {
        Acquiring::new(self, want, Place::default())
    }

    /// As [`Line::acquire`], for a thread that does nothing but wait until it has them.
    pub(crate) fn acquire_blocking(&self, want: usize) -> Result<(), Closed> {
        if self.take(want) == Some(true) {
            return Ok(());
        }
        let acquire = Acquiring::new(self, want, Place { key: None, blocks: true });
        crate::task::drive(std::pin::pin!(acquire), None)
            .expect("without a deadline the wait ends with the result")
    }

    /// As polling an [`Acquiring`], for futures that keep the place themselves. It takes part in the
    /// task's time slice. Ready: there is no place any more.
    #[inline]
    pub(crate) fn poll_acquire(
        &self,
        place: &mut Place,
        want: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        ready!(budget::poll_proceed(cx));
        if place.key.is_none() && self.take(want) == Some(true) {
            return Poll::Ready(Ok(()));
        }
        self.poll_crowd(place, want, cx)
    }

    /// Gives up a place, if there is one, and what was promised to it.
    #[inline]
    pub(crate) fn leave(&self, place: &mut Place) {
        if let Some(key) = place.key.take() {
            self.leave_crowd(key);
        }
    }

    /// Gives permits back, or adds them.
    #[inline]
    pub(crate) fn release(&self, permits: usize) {
        // Relaxed: only what the exchange below compares.
        let mut seen = self.word.load(Ordering::Relaxed);
        while seen & CROWDED == 0 {
            let next = seen + permits * ONE;
            // Release: pairs with the Acquire in `take` and `with_queue`: who has the permit next
            // sees what was done with it. Relaxed: compared again.
            match self.word.compare_exchange_weak(seen, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
        self.release_to_crowd(permits);
    }

    /// Takes all permits that are free and promised to nobody, unless somebody waits: none then. It
    /// calls nobody, so that a lock may be held around it.
    pub(crate) fn take_all(&self) -> usize {
        // Relaxed: only what the exchange below compares.
        let mut seen = self.word.load(Ordering::Relaxed);
        while seen & CROWDED == 0 {
            // Acquire: as in `take`. Relaxed: compared again.
            match self.word.compare_exchange_weak(seen, 0, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return seen / ONE,
                Err(now) => seen = now,
            }
        }
        let mut queue = self.crowd().lock();
        // Relaxed: under the lock, with which it changes to and fro.
        let is_crowded = self.word.load(Ordering::Relaxed) & CROWDED != 0;
        if is_crowded { queue.take_up_to(usize::MAX) } else { 0 }
    }

    /// Whether somebody waits who was not called.
    pub(crate) fn is_awaited(&self) -> bool {
        self.read(|_| false, Queue::is_awaited)
    }

    /// Takes away up to so many permits that are free and promised to nobody; says how many.
    pub(crate) fn take_up_to(&self, most: usize) -> usize {
        self.with_queue(|queue, _| queue.take_up_to(most))
    }

    /// From now on nobody gets permits; all who wait are told.
    pub(crate) fn close(&self) {
        self.with_queue_alone(Queue::close);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.crowd.get().is_some_and(|crowd| crowd.lock().is_closed())
    }

    /// Permits that nobody holds. Some of them may be promised to somebody who waits.
    pub(crate) fn free(&self) -> usize {
        self.read(|permits| permits, Queue::free)
    }

    /// Whether somebody who wants so many, and comes now, would have to wait, or comes in vain.
    pub(crate) fn would_wait(&self, want: usize) -> bool {
        self.read(|permits| permits < want, |queue| queue.would_wait(want))
    }

    /// How many wait. For tests and for reports.
    pub(crate) fn waiters(&self) -> usize {
        self.crowd.get().map_or(0, |crowd| crowd.lock().len())
    }

    /// Takes permits by the word alone. `None`: the crowd must be asked.
    #[inline]
    fn take(&self, want: usize) -> Option<bool> {
        // Relaxed: only what the exchange below compares.
        let mut seen = self.word.load(Ordering::Relaxed);
        while seen & CROWDED == 0 {
            if seen < want * ONE {
                return Some(false);
            }
            let next = seen - want * ONE;
            // Acquire: pairs with the Release in `release` and `with_queue`. Relaxed: compared again.
            match self.word.compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return Some(true),
                Err(now) => seen = now,
            }
        }
        None
    }

    /// Looks at the permits where nobody waits, or else at the queue.
    fn read<R>(&self, word: impl Fn(usize) -> R, queue: impl FnOnce(&Queue) -> R) -> R {
        // Relaxed: what is read may be over in the next moment.
        let seen = self.word.load(Ordering::Relaxed);
        if seen & CROWDED == 0 {
            return word(seen / ONE);
        }
        let queue_now = self.crowd().lock();
        // Relaxed: under the lock, with which it changes to and fro.
        let seen = self.word.load(Ordering::Relaxed);
        if seen & CROWDED == 0 { word(seen / ONE) } else { queue(&queue_now) }
    }

    #[inline]
    fn crowd(&self) -> &Arc<Crowd> {
        self.crowd.get_or_init(|| Arc::new(Crowd::new()))
    }

    /// Does something that breaks no promise by the rules of the queue.
    fn with_queue<R>(&self, act: impl FnOnce(&mut Queue, &mut Calls) -> R) -> R {
        let crowd = self.crowd();
        self.act_on(crowd, crowd.lock(), act)
    }

    /// Does something that may break a promise by the rules of the queue.
    fn with_queue_alone<R>(&self, act: impl FnOnce(&mut Queue, &mut Calls) -> R) -> R {
        let crowd = self.crowd();
        self.act_on(crowd, crowd.lock_alone(), act)
    }

    /// Does something with all permits in the queue, and then what follows: those who were called are
    /// woken, and somebody looks after them.
    #[inline]
    fn act_on<R>(
        &self,
        crowd: &Arc<Crowd>,
        mut queue: MutexGuard<'_, Queue>,
        act: impl FnOnce(&mut Queue, &mut Calls) -> R,
    ) -> R {
        let mut calls = Calls::default();
        // Relaxed: under the lock, with which it changes to and fro.
        if self.word.load(Ordering::Relaxed) & CROWDED == 0 {
            // Acquire: pairs with the Release in `release`; what is read here goes on to others by
            // the lock.
            queue.put(self.word.swap(CROWDED, Ordering::Acquire) / ONE);
        }
        let result = act(&mut queue, &mut calls);
        let must_be_timed = queue.must_be_timed();
        if let Some(permits) = queue.hand_back() {
            // Release: pairs with the Acquire in `take`: what the lock brought here goes on.
            self.word.store(permits * ONE, Ordering::Release);
        }
        crowd.make_offer(&mut queue);
        drop(queue); // wakers are foreign code, and the timers may call the crowd
        if must_be_timed {
            timing::begin(crowd);
        }
        drop(calls);
        result
    }

    #[inline(never)]
    fn release_to_crowd(&self, permits: usize) {
        self.with_queue(|queue, calls| queue.give(permits, calls));
    }

    #[cold]
    fn leave_crowd(&self, key: usize) {
        drop(self.with_queue_alone(|queue, calls| queue.leave(key, calls)));
    }

    #[inline(never)]
    fn poll_crowd(
        &self,
        place: &mut Place,
        want: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        // Cloned, and dropped, without the lock: a waker is foreign code.
        let mut owned = None;
        loop {
            let come = match place.key {
                Some(key) if self.crowd().take_offer(key) => Come::Taken,
                Some(key) => self.with_queue_alone(|queue, calls| {
                    queue.come(key, cx.waker(), &mut owned, calls)
                }),
                None => {
                    let waker = cx.waker().clone();
                    self.with_queue(|queue, _| {
                        Self::come_first(queue, place, want, waker, &mut owned)
                    })
                }
            };
            match come {
                Come::NeedsWaker => owned = Some(cx.waker().clone()),
                Come::Waits => return Poll::Pending,
                Come::Taken => {
                    place.key = None;
                    return Poll::Ready(Ok(()));
                }
                Come::Closed => {
                    place.key = None;
                    return Poll::Ready(Err(Closed));
                }
            }
        }
    }

    /// Somebody comes that has no place. What is in `unused` afterwards is to be dropped without the
    /// lock.
    fn come_first(
        queue: &mut Queue,
        place: &mut Place,
        want: usize,
        waker: Waker,
        unused: &mut Option<Waker>,
    ) -> Come {
        if queue.is_closed() || queue.take(want) {
            *unused = Some(waker);
            return if queue.is_closed() { Come::Closed } else { Come::Taken };
        }
        place.key = Some(queue.join(want, place.blocks, waker));
        Come::Waits
    }
}
