//! Who may run what while it waits.
//!
//! What is given away during something that somebody waits for is offered in the *branch* of that
//! something, too. So branches are a tree, which lies within the tree of all forks. A thread that
//! waits for a branch to end runs what is offered in it, or in a branch below, and nothing else: all
//! that is a part of what it waits for. Where nothing is offered it asks for some (`Wanted`), which
//! whoever runs in the branch sees, and sleeps until there is an offer or the end has come.
//! On threads that owe something to others beside, it does that, too (`aside.rs`); and a worker what it
//! alone can do (`scheduler/calls.rs`).

use super::aside::Aside;
use super::promotion::Promotion;
use super::team::Team;
use crate::job::latent::{Segment, wanted_here};
use crate::job::wanted::{BY_NOBODY, Wanted};
use crate::platform::Mutex;
use crate::platform::atomic::{AtomicBool, Ordering};
use crate::platform::parker::{Parker, Unpark};
use crate::scheduler::{answer, blocking_section, forget};
use crate::task::outside_of_tasks;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::task::{Wake, Waker};

thread_local! {
    /// The branch that the code on this thread runs in.
    static CURRENT: RefCell<Option<Arc<Branch>>> = const { RefCell::new(None) };
}

/// What is given away while something runs.
pub struct Branch {
    /// The branch around it.
    parent: Option<Arc<Branch>>,
    /// What was given away; some of it is taken or has ended already.
    offers: Mutex<Vec<Offer>>,
    /// How the one who waits for the end is woken.
    parker: Parker,
    /// Whether that one asks for something to do, and is counted in `wanted`.
    asks: AtomicBool,
    /// Where it asks.
    wanted: &'static Wanted,
}

/// What may be run by whoever waits for a branch.
#[derive(Clone)]
pub(super) enum Offer {
    /// A fork.
    Fork(Arc<Promotion>),
    /// The jobs of a scope.
    Jobs(Arc<Team>),
}

/// Something to run.
enum Claim {
    /// A fork that was claimed.
    Fork(Arc<Promotion>),
    /// A scope that has jobs, most likely.
    Jobs(Arc<Team>),
}

impl Branch {
    pub(super) fn new(parent: Option<Arc<Branch>>) -> Arc<Self> {
        Self::of(parent, wanted_here())
    }

    fn of(parent: Option<Arc<Branch>>, wanted: &'static Wanted) -> Arc<Self> {
        Arc::new(Self {
            parent,
            offers: Mutex::new(Vec::new()),
            parker: Parker::new(),
            asks: AtomicBool::new(false),
            wanted,
        })
    }

    /// The branch that the calling code runs in.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// Runs something in this branch; it must not unwind.
    pub fn enter(self: &Arc<Self>, run: impl FnOnce()) {
        enter(Some(self.clone()), run);
    }

    /// Runs something that is no part of what is around it; it must not unwind.
    pub fn enter_none(run: impl FnOnce()) {
        enter(None, run);
    }

    /// A branch that nothing is run in: a way to wait for something else.
    #[must_use]
    pub fn alone() -> Arc<Self> {
        Self::of(None, &BY_NOBODY)
    }

    /// A branch of no other: whoever waits for something around it is not told of what is forked in
    /// it, and could not reach that.
    #[must_use]
    pub fn apart() -> Arc<Self> {
        Self::new(None)
    }

    /// Waits until `has_ended`, after which [`Branch::wake`] is called. Meanwhile the calling thread,
    /// which is the same each time, runs what is forked in this branch, and what it owes to others
    /// ([`Aside`]).
    pub fn wait_until(self: &Arc<Self>, has_ended: impl Fn() -> bool) {
        self.wait(has_ended, || false);
    }

    /// The branch around it.
    pub(super) fn parent(&self) -> Option<&Arc<Self>> {
        self.parent.as_ref()
    }

    /// Offers something to whoever waits for this branch or for one around it.
    pub(super) fn offer(&self, offer: Offer) {
        let mut offers = self.offers.lock();
        let ended = take_ended(&mut offers);
        if !offers.iter().any(|other| other.is_same(&offer)) {
            offers.push(offer);
        }
        drop(offers);
        drop(ended);
        for branch in self.and_around() {
            branch.stop_asking();
            branch.wake();
        }
    }

    /// What this branch stands for has ended: nothing is offered any more.
    pub(super) fn end(&self) {
        // All of it has ended, since whoever forks waits.
        let offers = std::mem::take(&mut *self.offers.lock());
        drop(offers);
        self.wake();
    }

    /// Waits until `has_ended`, after which this branch is woken. Meanwhile it runs what the caller has
    /// by `run_own`, which says whether there was anything, and what is offered.
    pub(super) fn wait(self: &Arc<Self>, has_ended: impl Fn() -> bool, run_own: impl Fn() -> bool) {
        if has_ended() {
            return;
        }
        let guard = AbortOnUnwind;
        let aside = <dyn Aside>::here();
        while !has_ended() {
            if run_own() {
                continue;
            }
            if let Some(claim) = self.claim() {
                claim.run();
                continue;
            }
            if aside.as_ref().is_some_and(|aside| outside_of_tasks(|| aside.run())) {
                continue;
            }
            // What comes after that is told; what came before it is found by another look.
            let newly = self.ask() | aside.as_ref().is_some_and(|aside| aside.watch(self));
            if newly || answer(&|| Waker::from(self.clone())) {
                continue;
            }
            blocking_section(|| {
                self.parker.park_patiently(None);
            });
            forget();
        }
        self.stop_asking();
        if let Some(aside) = aside {
            aside.unwatch(self);
        }
        std::mem::forget(guard);
    }

    /// There is something new to run for whoever waits for this branch.
    pub(super) fn wake_if_asked(&self) {
        if self.stop_asking() {
            self.wake();
        }
    }

    /// Whether somebody who waits for this branch, or for one around it, asks for something to do.
    pub(super) fn is_asked(&self) -> bool {
        // Relaxed: a hint.
        self.and_around().any(|branch| branch.asks.load(Ordering::Relaxed))
    }

    fn and_around(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |branch| branch.parent.as_deref())
    }

    /// Something that is offered here or below.
    fn claim(&self) -> Option<Claim> {
        let mut offers = self.offers.lock();
        let ended = take_ended(&mut offers);
        let claim = offers.iter().find_map(Offer::claim);
        drop(offers);
        drop(ended);
        claim
    }

    /// Wakes whoever waits for this branch.
    pub fn wake(&self) {
        let unpark = self.parker.unpark();
        debug_assert_eq!(unpark, Unpark::Done, "nobody waits for a branch elsewhere");
    }

    /// False: it does so already.
    fn ask(&self) -> bool {
        // Relaxed: it says who takes the count back; the locks that both sides pass next order it.
        let newly = !self.asks.swap(true, Ordering::Relaxed);
        if newly {
            self.wanted.begin_wait();
        }
        newly
    }

    /// True: it did so.
    fn stop_asking(&self) -> bool {
        // Relaxed: as in `ask`.
        let asked = self.asks.load(Ordering::Relaxed) && self.asks.swap(false, Ordering::Relaxed);
        if asked {
            self.wanted.end_wait();
        }
        asked
    }
}

impl Wake for Branch {
    fn wake(self: Arc<Self>) {
        Branch::wake(&self);
    }
}

/// Ends the process if a wait unwinds, as where an [`Aside`] does: the caller's frame would go while
/// another thread is in it.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}

fn enter(branch: Option<Arc<Branch>>, run: impl FnOnce()) {
    let _segment = Segment::begin();
    let outer = CURRENT.with(|current| current.replace(branch));
    run();
    let entered = CURRENT.with(|current| current.replace(outer));
    drop(entered);
}

/// What has ended, to be dropped without a lock.
fn take_ended(offers: &mut Vec<Offer>) -> Vec<Offer> {
    let (open, ended) = std::mem::take(offers).into_iter().partition(Offer::is_open);
    *offers = open;
    ended
}

impl Offer {
    /// Whether it, or what is below, may have something to run.
    fn is_open(&self) -> bool {
        match self {
            Offer::Fork(fork) => !fork.has_ended(),
            Offer::Jobs(team) => !team.has_ended(),
        }
    }

    /// Whether both are the jobs of one scope: a fork is offered once, these whenever there are more.
    fn is_same(&self, other: &Self) -> bool {
        matches!((self, other), (Offer::Jobs(one), Offer::Jobs(other)) if Arc::ptr_eq(one, other))
    }

    fn claim(&self) -> Option<Claim> {
        match self {
            Offer::Fork(fork) if fork.claim() => Some(Claim::Fork(fork.clone())),
            Offer::Fork(fork) => fork.branch().claim(),
            Offer::Jobs(team) if team.has_jobs() => Some(Claim::Jobs(team.clone())),
            Offer::Jobs(team) => team.branch().claim(),
        }
    }
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Branch").finish_non_exhaustive()
    }
}

impl Claim {
    fn run(self) {
        match self {
            Claim::Fork(fork) => fork.run(),
            Claim::Jobs(team) => team.help(|| {}, || true),
        }
    }
}
