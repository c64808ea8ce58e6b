//! Which runtime the calling thread is in.

use super::handle::{Handle, NoRuntime};
use crate::driver::Driver;
use crate::driver::timers::Timers;
use crate::scheduler::{index_here, local_timers, serve};
use crate::task::{self, EnteredRoster, JoinHandle, Pace, Roster, is_blocking};
use std::cell::RefCell;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

thread_local! {
    /// The runtime around the code that this thread runs.
    static CURRENT: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// Keeps a runtime around the calling thread; made by [`Handle::enter`].
///
/// Guards are to be dropped in the reverse order of their making; otherwise the thread is left in
/// a runtime that was around it before.
#[must_use = "the runtime is left when the guard is dropped"]
pub struct EnterGuard {
    /// The runtime that was around it before.
    outer: Option<Handle>,
    _roster: EnteredRoster,
    /// It restores a thread-local, so it stays on its thread.
    _stays: PhantomData<*mut ()>,
}

/// Puts a runtime around the calling thread.
pub(super) fn enter(handle: Handle, roster: Arc<Roster>) -> EnterGuard {
    serve(Some(handle.instance.shared.clone()));
    EnterGuard {
        outer: CURRENT.with(|current| current.replace(Some(handle))),
        _roster: EnteredRoster::enter(roster),
        _stays: PhantomData,
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        let outer = self.outer.take();
        serve(outer.as_ref().map(|handle| handle.instance.shared.clone()));
        // A thread that is ending has no runtime to restore. What was entered is dropped outside
        // of the borrow, since it may be the last handle.
        let entered = CURRENT.try_with(|current| current.replace(outer));
        drop(entered);
    }
}

/// A handle to the runtime around the calling thread.
pub(super) fn handle() -> Result<Handle, NoRuntime> {
    with(Handle::clone).ok_or(NoRuntime)
}

#[inline]
fn with<R>(lend: impl FnOnce(&Handle) -> R) -> Option<R> {
    CURRENT.try_with(|current| current.borrow().as_ref().map(lend)).ok().flatten()
}

/// What tells the current runtime from others; zero outside of one.
#[inline]
pub(crate) fn key_here() -> usize {
    with(Handle::key).unwrap_or(0)
}

/// Whether the calling thread is a worker of the current runtime.
pub(crate) fn is_on_worker() -> bool {
    with(|handle| index_here(&handle.instance.shared).is_some()).unwrap_or(false)
}

/// The current runtime's driver.
pub(crate) fn driver() -> io::Result<Arc<Driver>> {
    with(|handle| handle.instance.shared.driver.clone()).ok_or_else(|| io::Error::other(NoRuntime))
}

/// Has a blocking thread of the current runtime make a call that a future of the runtime's own waits for.
/// It is made also while the runtime ends, as long as there is grace.
#[track_caller]
pub(crate) fn send_errand<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let errands = with(|handle| handle.instance.errands.clone());
    let errands = errands.ok_or_else(|| io::Error::other(NoRuntime))?;
    Ok(task::Builder::new().inherit_nothing().spawn_blocking_in(&errands, call))
}

/// The current runtime's time, or the system's outside of a runtime.
#[inline]
pub(crate) fn now() -> Instant {
    with(|handle| handle.instance.shared.clock.now()).unwrap_or_else(Instant::now)
}

/// Keeps virtual time from passing until it is dropped: something is under way that the runtime
/// does not see, and that its tasks wait for.
pub(crate) struct HeldTime(Arc<dyn Pace>);

/// Holds the current runtime's time, if that is virtual. To be called in a poll.
pub(crate) fn hold_time() -> Option<HeldTime> {
    let pace = with(|handle| handle.instance.shared.pace()).flatten()?;
    pace.begin();
    Some(HeldTime(pace))
}

impl Drop for HeldTime {
    fn drop(&mut self) {
        self.0.rest();
    }
}

/// Whose timers a thread uses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TimersOwner {
    /// The worker's that the thread is, which looks after them before it sleeps.
    Worker,
    /// Those of all threads that are no workers: call [`TimersOwner::earliest_added`] where an
    /// insert became the earliest.
    Outside,
}

impl TimersOwner {
    /// A timer was inserted, on the calling thread, that is now the earliest.
    pub(crate) fn earliest_added(self) {
        if let TimersOwner::Outside = self {
            with(|handle| handle.instance.shared.outside_timer_added());
        }
    }
}

/// The timers of the calling thread, and what `deadline` is to them; `None` outside of a runtime,
/// or once it has shut down.
pub(crate) fn timers(deadline: Instant) -> Option<(Arc<Timers>, TimersOwner, u64)> {
    with(|handle| {
        let shared = &handle.instance.shared;
        let deadline_ns = shared.clock.to_ns(deadline);
        // What a worker blocks for is woken by others, who do not see its own timers.
        let own = if is_blocking() { None } else { local_timers(shared) };
        match own {
            Some(timers) => Some((timers, TimersOwner::Worker, deadline_ns)),
            None if shared.is_stopped() => None,
            None => Some((shared.outside_timers.clone(), TimersOwner::Outside, deadline_ns)),
        }
    })
    .flatten()
}
