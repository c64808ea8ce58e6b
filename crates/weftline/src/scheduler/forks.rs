//! Forks on the workers: who asks for some, and how they are given.
//!
//! A worker that goes to sleep after it had something to do asks for forks (`Wanted`), and so does a
//! watcher at each of its steps: for itself and for all that sleep. Whoever computes sees that at its
//! next `join`. So it is the idle who look at the clock, and nobody asks where all are busy.

use super::Shared;
use super::worker::{Local, push_here, with_own};
use crate::job::Job;
use crate::job::latent;
use crate::job::wanted::BY_NOBODY;
use crate::platform::TIME_PASSES;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// The least time between two times that one worker asks on its way to sleep, in nanoseconds.
const ASK_EVERY_NS: u64 = 50_000;

thread_local! {
    /// The scheduler that the forks of this thread go to.
    static HERE: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
}

/// When a worker asked for forks.
pub(super) struct Asking {
    /// How many polls it had begun when it asked last.
    polls: Cell<u64>,
    /// When it asked last.
    at_ns: Cell<u64>,
}

impl Asking {
    pub(super) fn new() -> Self {
        Self { polls: Cell::new(u64::MAX), at_ns: Cell::new(0) }
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
        self.wanted.answer(self.sleep.sleeping())
    }

    /// Queues what others shall run while the calling thread goes on with something else.
    pub(crate) fn give(self: &Arc<Self>, job: Job) {
        match push_here(self, job) {
            None => self.work_posted(),
            Some(job) => self.inject(job),
        }
    }
}

impl Local {
    /// On the way to sleep: asks for forks, unless nothing has come of it the last time.
    pub(super) fn ask_for_forks(&self, now_ns: u64) {
        let (asking, polls) = (&self.asking, self.polls.get());
        let too_soon = now_ns.saturating_sub(asking.at_ns.get()) < ASK_EVERY_NS;
        if TIME_PASSES && asking.polls.get() != polls && !too_soon {
            asking.at_ns.set(now_ns);
            asking.polls.set(polls);
            self.shared.wanted.ask(self.shared.sleep.sleeping());
        }
    }

    /// Asks for all that sleep, and for this worker.
    pub(super) fn ask_for_all(&self) {
        self.shared.wanted.ask(self.shared.sleep.sleeping() + 1);
    }
}

/// The job that the calling worker was given came to nothing.
pub(crate) fn ran_in_vain() {
    with_own(|local| local.asking.polls.set(local.polls.get()));
}

/// Blocks the calling thread, whose work waits for work of other threads, by calling `block`.
///
/// A worker that comes here serves nobody meanwhile: this is the place where another thread is to
/// take over for it.
pub(crate) fn block_for_work(block: impl FnOnce()) {
    block();
}
