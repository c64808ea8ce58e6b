//! [`Queue`]: the rules of a line that somebody waits in: who is called, who may take, who has
//! missed its call. Plain code under the crowd's lock; no atomics, no time, no foreign code.
//!
//! A waiter is *waiting* (it has a waker here), *called* (its permits are promised to it, and its
//! waker is on the way), or has *missed* its call (it did not come in time, so its promise went to
//! another). What always holds between two calls of the methods:
//!
//! 1. What is promised is free: `promised <= free`, and it is the sum over the called ones.
//! 2. Nobody waits who could be called: the first of the waiting wants more than is free and not
//!    promised.
//! 3. The waiting stand in the order in which they came first, whatever happened to them since.
//!
//! The second is why nobody sleeps beside a free permit, and is kept by [`Queue::call`] after each
//! change. See `docs/locks.md`.

use super::calls::Calls;
use super::chain::{Chain, Nodes};
use std::task::Waker;

/// Who waits, and what for.
#[derive(Debug)]
pub(super) struct Queue {
    /// All who have a place here.
    waiters: Nodes<Waiter>,
    /// Those that wait to be called, the first comer first.
    waiting: Chain,
    /// Those that were called and are expected to come.
    called: Chain,
    /// The one of them that may take without the lock, and perhaps has done so.
    offered: Option<usize>,
    /// Permits that nobody holds; those that are promised among them.
    free: usize,
    /// The sum of what the called ones want.
    promised: usize,
    /// How many of the called might never come.
    doubtful: usize,
    /// Nobody gets anything any more.
    closed: bool,
    /// What the next comer is given.
    next_ticket: u64,
    /// How often somebody has looked after the called ones.
    looks: u32,
    /// Somebody will look again: see `timing`.
    timed: bool,
}

/// Somebody with a place in the line.
#[derive(Debug)]
struct Waiter {
    /// How many permits it takes to go on.
    want: usize,
    /// When it came: smaller is earlier.
    ticket: u64,
    /// It is a thread that does nothing but wait for this: once called, it comes.
    blocks: bool,
    /// Where it stands.
    stage: Stage,
}

/// Where a waiter stands.
#[derive(Debug)]
enum Stage {
    /// It waits, and this wakes it.
    Waiting(Waker),
    /// It was called after so many looks.
    Called(u32),
    /// It was called, or the line was closed, and it has not come since.
    Missed,
}

/// What becomes of somebody who comes.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Come {
    /// It has its permits, and no place any more.
    Taken,
    /// It waits on.
    Waits,
    /// The line is closed; it has no place any more.
    Closed,
    /// It must come again with a waker of its own; nothing has changed.
    NeedsWaker,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            waiters: Nodes::new(),
            waiting: Chain::new(),
            called: Chain::new(),
            offered: None,
            free: 0,
            promised: 0,
            doubtful: 0,
            closed: false,
            next_ticket: 0,
            looks: 0,
            timed: false,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Permits that nobody holds.
    pub(super) fn free(&self) -> usize {
        self.free
    }

    /// Permits that nobody holds and nobody was promised.
    fn spare(&self) -> usize {
        self.free - self.promised
    }

    /// Whether a newcomer who wants so many would have to wait.
    pub(super) fn would_wait(&self, want: usize) -> bool {
        self.closed || !self.waiting.is_empty() || self.spare() < want
    }

    /// Whether somebody waits who was not called.
    pub(super) fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many have a place here.
    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Whether one of the called may take without the lock.
    pub(super) fn is_offering(&self) -> bool {
        self.offered.is_some()
    }

    /// It did.
    pub(super) fn settle(&mut self) {
        let Some(key) = self.offered.take() else { return };
        self.free -= self.end_call(key);
        self.waiters.remove(key);
    }

    /// It did not, and may no longer.
    pub(super) fn withdraw(&mut self) {
        self.offered = None;
    }

    /// Chooses one who may from now on, where nobody may.
    pub(super) fn offer(&mut self) -> Option<usize> {
        if self.offered.is_some() {
            return None;
        }
        self.offered = self.called.first();
        self.offered
    }

    /// Adds permits, as they are moved here from the line's word.
    pub(super) fn put(&mut self, permits: usize) {
        self.free += permits;
    }

    /// Where nobody waits and nobody is expected, gives up all permits, for the line's word.
    pub(super) fn hand_back(&mut self) -> Option<usize> {
        let deserted = self.waiting.is_empty() && self.called.is_empty() && !self.closed;
        deserted.then(|| std::mem::take(&mut self.free))
    }

    /// A newcomer takes permits if nobody is before it.
    pub(super) fn take(&mut self, want: usize) -> bool {
        let taken = !self.would_wait(want);
        if taken {
            self.free -= want;
        }
        taken
    }

    /// Takes up to so many permits that nobody was promised.
    pub(super) fn take_up_to(&mut self, most: usize) -> usize {
        let taken = if self.waiting.is_empty() { most.min(self.spare()) } else { 0 };
        self.free -= taken;
        taken
    }

    /// A newcomer that cannot take takes a place at the end.
    pub(super) fn join(&mut self, want: usize, blocks: bool, waker: Waker) -> usize {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let stage = Stage::Waiting(waker);
        let key = self.waiters.insert(Waiter { want, ticket, blocks, stage });
        self.waiting.push(&mut self.waiters, key);
        key
    }

    /// Somebody with a place is polled, with this waker, and has no offer. What is in `owned`
    /// afterwards is to be dropped without the lock.
    pub(super) fn come(
        &mut self,
        key: usize,
        waker: &Waker,
        owned: &mut Option<Waker>,
        calls: &mut Calls,
    ) -> Come {
        if self.closed {
            // Closing has left it in no chain.
            self.waiters.remove(key);
            return Come::Closed;
        }
        match &mut self.waiters.get_mut(key).stage {
            Stage::Waiting(kept) if kept.will_wake(waker) => Come::Waits,
            Stage::Waiting(kept) => match owned {
                None => Come::NeedsWaker,
                Some(fresh) => {
                    std::mem::swap(kept, fresh);
                    Come::Waits
                }
            },
            Stage::Called(_) => {
                let want = self.end_call(key);
                self.free -= want;
                self.waiters.remove(key);
                Come::Taken
            }
            Stage::Missed => match owned.take() {
                None => Come::NeedsWaker,
                Some(waker) => self.come_late(key, waker, owned, calls),
            },
        }
    }

    /// Somebody comes that has missed its call. It goes before all who came after it, the called
    /// ones included: where every task is polled late, the first one gets on.
    #[cold]
    fn come_late(
        &mut self,
        key: usize,
        waker: Waker,
        unused: &mut Option<Waker>,
        calls: &mut Calls,
    ) -> Come {
        let &Waiter { want, ticket, .. } = self.waiters.get(key);
        while self.spare() < want {
            match self.called.last() {
                Some(last) if self.waiters.get(last).ticket > ticket => self.miss(last),
                _ => break,
            }
        }
        let next = self.first_after(ticket);
        let is_first = next == self.waiting.first();
        let come = if is_first && self.spare() >= want {
            self.free -= want;
            self.waiters.remove(key);
            *unused = Some(waker);
            Come::Taken
        } else {
            self.waiters.get_mut(key).stage = Stage::Waiting(waker);
            self.waiting.insert_before(&mut self.waiters, key, next);
            Come::Waits
        };
        self.call(calls);
        come
    }

    /// The first of the waiting that came later than `ticket`.
    fn first_after(&self, ticket: u64) -> Option<usize> {
        let mut next = self.waiting.first();
        while let Some(key) = next {
            if self.waiters.get(key).ticket > ticket {
                break;
            }
            next = self.waiting.after(&self.waiters, key);
        }
        next
    }

    /// Somebody gives up its place. The waker is to be dropped without the lock.
    pub(super) fn leave(&mut self, key: usize, calls: &mut Calls) -> Option<Waker> {
        match self.waiters.get(key).stage {
            Stage::Waiting(_) => self.waiting.unlink(&mut self.waiters, key),
            Stage::Called(_) => _ = self.end_call(key),
            Stage::Missed => {}
        }
        let waiter = self.waiters.remove(key);
        self.call(calls);
        if let Stage::Waiting(waker) = waiter.stage { Some(waker) } else { None }
    }

    /// Permits come back, or are added.
    pub(super) fn give(&mut self, permits: usize, calls: &mut Calls) {
        self.free += permits;
        self.call(calls);
    }

    /// From now on nobody gets anything; all who wait are told.
    pub(super) fn close(&mut self, calls: &mut Calls) {
        self.closed = true;
        while let Some(key) = self.called.first() {
            self.miss(key);
        }
        while let Some(key) = self.waiting.first() {
            self.waiting.unlink(&mut self.waiters, key);
            let stage = std::mem::replace(&mut self.waiters.get_mut(key).stage, Stage::Missed);
            if let Stage::Waiting(waker) = stage {
                calls.push(waker);
            }
        }
    }

    /// Calls the first ones for whom there is enough.
    fn call(&mut self, calls: &mut Calls) {
        while let Some(key) = self.waiting.first() {
            let spare = self.spare();
            // Where nobody was going to look, whoever begins to leaves it all the time there is.
            let looks = if self.timed { self.looks } else { self.looks.wrapping_sub(1) };
            let waiter = self.waiters.get_mut(key);
            if waiter.want > spare {
                break;
            }
            self.promised += waiter.want;
            self.doubtful += usize::from(!waiter.blocks);
            if let Stage::Waiting(waker) =
                std::mem::replace(&mut waiter.stage, Stage::Called(looks))
            {
                calls.push(waker);
            }
            self.waiting.unlink(&mut self.waiters, key);
            self.called.push(&mut self.waiters, key);
        }
    }

    /// Takes back what a called one was promised; says how much that was.
    fn end_call(&mut self, key: usize) -> usize {
        self.called.unlink(&mut self.waiters, key);
        let waiter = self.waiters.get(key);
        self.promised -= waiter.want;
        self.doubtful -= usize::from(!waiter.blocks);
        waiter.want
    }

    /// A called one has missed its call.
    fn miss(&mut self, key: usize) {
        self.end_call(key);
        self.waiters.get_mut(key).stage = Stage::Missed;
    }

    /// Whether somebody must begin to look after the called ones: one of them might never come, and
    /// somebody waits behind it. Who is told so does it.
    pub(super) fn must_be_timed(&mut self) -> bool {
        let begins = !self.timed && self.doubtful > 0 && !self.waiting.is_empty();
        self.timed |= begins;
        begins
    }

    /// Nobody looks after the called ones after all.
    pub(super) fn forget_timing(&mut self) {
        self.timed = false;
    }

    /// Some time has passed since the last look, or since somebody began to look: those that were
    /// called before that have missed their call.
    pub(super) fn look(&mut self, calls: &mut Calls) {
        self.timed = false;
        self.looks = self.looks.wrapping_add(1);
        let mut next = self.called.first();
        while let Some(key) = next {
            next = self.called.after(&self.waiters, key);
            let waiter = self.waiters.get(key);
            let Stage::Called(before) = waiter.stage else { continue };
            if !waiter.blocks && self.looks.wrapping_sub(before) >= 2 {
                self.miss(key);
            }
        }
        self.call(calls);
    }
}
