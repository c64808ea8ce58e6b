//! Waiting, and what a thread of a pool does for others meanwhile (`Branch::wait_until` asks it to).
//!
//! The number of threads of a pool is promised, so a job that is queued counts on one of them to come. A
//! thread of a pool that waits therefore calls whatever job of its pool there is. A worker of a
//! runtime that others have built has no such duty: there, others come in its place, and what it alone
//! must do is a call of Weftline's.

use crate::pool::Registry;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use weftline::foundation::{Aside, Branch, runtime_here};

/// What a thread owes to its pool.
pub(crate) struct Duty {
    /// The pool.
    registry: Arc<Registry>,
    /// Its index there.
    index: usize,
}

impl Duty {
    pub(crate) fn new(registry: Arc<Registry>, index: usize) -> Rc<Self> {
        Rc::new(Self { registry, index })
    }
}

impl Aside for Duty {
    fn run(&self) -> bool {
        let here = runtime_here();
        if here != 0 && here != self.registry.key() {
            // Inside of another runtime, where these jobs would be elsewhere than they should.
            return false;
        }
        self.registry.find(Some(self.index), false).map(|work| work.run()).is_some()
    }

    fn watch(&self, waiter: &Arc<Branch>) -> bool {
        self.registry.watch(waiter)
    }

    fn unwatch(&self, waiter: &Arc<Branch>) {
        self.registry.unwatch(waiter);
    }
}

/// The end of something that somebody waits for.
pub(crate) struct End {
    /// Whether it has come.
    has_come: AtomicBool,
    /// Who waits.
    waiter: Arc<Branch>,
}

impl End {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { has_come: AtomicBool::new(false), waiter: Branch::alone() })
    }

    /// It has come.
    pub(crate) fn note(&self) {
        // Release: pairs with the Acquire in `wait`: what came before is seen.
        self.has_come.store(true, Ordering::Release);
        self.waiter.wake();
    }

    /// Waits for it.
    pub(crate) fn wait(&self) {
        // Acquire: see `note`.
        self.waiter.wait_until(|| self.has_come.load(Ordering::Acquire));
    }
}
