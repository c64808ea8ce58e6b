//! Forks on the workers: who asks for some, and how they are given.
//!
//! A worker that goes to sleep after it had something to do asks for forks (`Wanted`), and so does a
//! watcher at each of its steps: for all that sleep. Whoever computes sees that at its next `join`.
//! So it is the idle who look at the clock, and nobody asks where all are busy.
//!
//! A worker that was woken for a fork which was not worth it, since it was gone or soon done, leaves
//! asking to the watchers: work that is too small for two costs its thread a wake-up now and then.
//! Relief workers ask for none: they are there to serve others.

use super::Shared;
use super::worker::{Local, push_here, with_own};
use crate::job::Job;
use crate::job::latent;
use crate::job::wanted::BY_NOBODY;
use crate::platform::TIME_PASSES;
use crate::task::Reason;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// A worker that is awake for less than that, and for forks, has not been worth the wake-up, in
/// nanoseconds: about what that costs both sides.
const WORTH_WAKING_NS: u64 = 20_000;

thread_local! {
    /// The scheduler that the forks of this thread go to.
    static HERE: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
}

/// What a worker was last awake for.
pub(super) struct Asking {
    /// How many polls it had begun when it went to sleep last.
    polls: Cell<u32>,
    /// When it woke last.
    woke_ns: Cell<u64>,
    /// Whether it was given forks since.
    given: Cell<bool>,
}

impl Asking {
    pub(super) fn new() -> Self {
        Self { polls: Cell::new(u32::MAX), woke_ns: Cell::new(0), given: Cell::new(false) }
    }

    /// It wakes.
    pub(super) fn wake(&self, now_ns: u64) {
        self.woke_ns.set(now_ns);
    }
}

/// The forks of the calling thread go to that scheduler from now on; `None`: to nobody.
pub(crate) fn serve(shared: Option<Arc<Shared>>) {
    latent::serve(shared.as_ref().map_or(&BY_NOBODY, |shared| shared.wanted));
    // What was there is dropped outside of the borrow.
    let before = HERE.try_with(|here| here.replace(shared));
    drop(before);
}

/// The scheduler that the forks of the calling thread go to.
pub(crate) fn served() -> Option<Arc<Shared>> {
    HERE.try_with(|here| here.borrow().clone()).ok().flatten()
}

impl Shared {
    /// Whether a fork is to be given to an idle worker; the caller does so then.
    pub(crate) fn answer_idle(&self) -> bool {
        self.wanted.answer(self.sleep.sleeping().saturating_sub(self.relief.active()))
    }

    /// Queues what others shall run while the calling thread goes on with something else.
    pub(crate) fn give(self: &Arc<Self>, job: Job) {
        match push_here(self, job) {
            None => self.work_posted(),
            Some(job) => self.inject(job, Reason::Spawned),
        }
    }
}

impl Local {
    /// On the way to sleep: asks for forks, unless the last ones were not worth it.
    pub(super) fn ask_for_forks(&self, now_ns: u64) {
        let (asking, polls) = (&self.asking, self.polls());
        let was_idle = asking.polls.replace(polls) == polls;
        let awake_ns = now_ns.saturating_sub(asking.woke_ns.get());
        let too_short = asking.given.take() && awake_ns < WORTH_WAKING_NS;
        if TIME_PASSES && !was_idle && !too_short && !self.is_relief() {
            self.shared.wanted.ask(self.shared.sleep.sleeping());
        }
    }

    /// Asks for all that sleep, and for this worker.
    pub(super) fn ask_for_all(&self) {
        if !self.is_relief() {
            self.shared.wanted.ask(self.shared.sleep.sleeping() + 1);
        }
    }
}

/// The calling worker runs what was given away, or finds that it is gone.
pub(crate) fn note_given() {
    with_own(|local| local.asking.given.set(true));
}
