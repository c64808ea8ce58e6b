//! What a thread owes to others while it waits.
//!
//! A thread that waits for a fork runs parts of that fork alone. In a pool of threads whose number is
//! promised, where each queued closure counts on some thread to come, that is not enough: while all
//! of them wait somebody must run what is queued. Such a thread has an [`Aside`].

use super::branch::Branch;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

thread_local! {
    /// What the calling thread owes.
    static ASIDE: RefCell<Option<Rc<dyn Aside>>> = const { RefCell::new(None) };
}

/// What a thread does beside while it waits. Where a function of it unwinds the process is aborted.
pub trait Aside {
    /// Runs something. False: there is nothing.
    fn run(&self) -> bool;

    /// From now on `waiter` is woken, once, when there is something. False: that is so already.
    fn watch(&self, waiter: &Arc<Branch>) -> bool;

    /// Forgets `waiter`.
    fn unwatch(&self, waiter: &Arc<Branch>);
}

impl dyn Aside {
    /// That of the calling thread.
    pub(super) fn here() -> Option<Rc<dyn Aside>> {
        ASIDE.try_with(|aside| aside.borrow().clone()).ok().flatten()
    }
}

/// The calling thread owes that from now on; gives back what it owed before.
pub fn set_aside(aside: Option<Rc<dyn Aside>>) -> Option<Rc<dyn Aside>> {
    ASIDE.try_with(|own| own.replace(aside)).ok().flatten()
}
