//! Driving a future on a plain thread: poll, and wait to be woken.
//!
//! A runtime whose time is virtual must know which of its threads wait here, and one that runs its
//! workers on the waiting thread needs that thread: both have a [`Pace`], which a thread of theirs
//! keeps in [`Paced`] and asks whenever it waits.

use super::budget;
use crate::platform::atomic::{AtomicU32, Ordering};
use crate::platform::fork::Generation;
use crate::platform::parker::{Parker, Unpark};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// How the threads of a runtime wait, where it is not enough that they sleep.
pub(crate) trait Pace: Send + Sync {
    /// The runtime's time.
    fn now(&self) -> Instant;
    /// Calls `waker` when `deadline` has come; forgets it when what is returned is called.
    fn call_at(&self, deadline: Instant, waker: Waker) -> Box<dyn FnOnce()>;
    /// The calling thread waits from now on.
    fn rest(&self);
    /// A waiting thread has been woken; called by whoever woke it, before it is awake.
    fn begin(&self);
    /// Runs what the thread has to run until `is_woken`. False: it has nothing to run, and sleeps.
    fn run_until(&self, is_woken: &dyn Fn() -> bool) -> bool;
    /// Whether polls must take the same course each time, so that nothing may hang on how long
    /// they take.
    fn repeats(&self) -> bool;
}

thread_local! {
    /// Whether this thread polls a future that it blocks for.
    static BLOCKING: Cell<bool> = const { Cell::new(false) };
    /// The pace of the runtime that this thread works for.
    static PACE: RefCell<Option<Arc<dyn Pace>>> = const { RefCell::new(None) };
    /// What is done around waiting.
    static COVER: Cell<Option<Cover>> = const { Cell::new(None) };
}

/// What a thread of a runtime does about its waiting.
#[derive(Clone, Copy)]
pub(crate) struct Cover {
    /// Calls the function that it is given, which blocks the calling thread, and sees to it that nobody
    /// waits for that thread meanwhile. Not used where the thread keeps a pace.
    pub(crate) around: fn(&mut dyn FnMut()),
    /// Does something that is for this thread alone. False: there is nothing, and the waker that the
    /// function gives is called when there is.
    pub(crate) answer: fn(&dyn Fn() -> Waker) -> bool,
    /// That waker is not to be called any more.
    pub(crate) forget: fn(),
}

/// From now on all waiting on the calling thread is covered.
pub(crate) fn cover_waits(cover: Cover) {
    COVER.set(Some(cover));
}

/// Does what is for the calling thread alone, or else waits once by calling `wait`, which may end early;
/// `waker` ends it.
pub(super) fn answer_or(waker: &dyn Fn() -> Waker, wait: impl FnOnce()) {
    let Some(cover) = COVER.get() else { return wait() };
    if !(cover.answer)(waker) {
        wait();
        (cover.forget)();
    }
}

/// Waits by calling `wait`.
fn covered(mut wait: impl FnMut()) {
    match COVER.get() {
        Some(cover) => (cover.around)(&mut wait),
        None => wait(),
    }
}

/// Keeps the calling thread at a runtime's pace until it is dropped.
pub(crate) struct Paced {
    /// The pace that was kept before.
    outer: Option<Arc<dyn Pace>>,
    /// Whether the thread was counted as at work by this.
    counted: bool,
}

impl Paced {
    /// The thread is one of the runtime's own, which are counted already; without a pace, of one
    /// that has none.
    pub(crate) fn enter(pace: Option<Arc<dyn Pace>>) -> Self {
        Self { outer: PACE.with(|current| current.replace(pace)), counted: false }
    }

    /// The thread may be anybody's: it is at work until the guard is dropped.
    pub(crate) fn enter_at_work(pace: Option<Arc<dyn Pace>>) -> Self {
        let mut paced = Self::enter(pace);
        if let Some(pace) = pace_here() {
            let same =
                |outer: &Arc<dyn Pace>| std::ptr::addr_eq(Arc::as_ptr(outer), Arc::as_ptr(&pace));
            paced.counted = !paced.outer.as_ref().is_some_and(same);
            if paced.counted {
                pace.begin();
            }
        }
        paced
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        let entered = PACE.with(|current| current.replace(self.outer.take()));
        if let Some(pace) = entered.filter(|_| self.counted) {
            pace.rest();
        }
    }
}

fn pace_here() -> Option<Arc<dyn Pace>> {
    PACE.try_with(|pace| pace.borrow().clone()).ok().flatten()
}

/// Whether polls on this thread must take the same course each time.
pub(super) fn repeats() -> bool {
    PACE.try_with(|pace| pace.borrow().as_ref().is_some_and(|pace| pace.repeats())).unwrap_or(false)
}

/// The thread polls, or is about to look whether it must.
const AWAKE: u32 = 0;
/// The thread is counted as at rest.
const WAITING: u32 = 1;
/// The waker was called; if the thread waited, it is counted as at work again.
const WOKEN: u32 = 2;

/// What a thread waits on that drives a future.
pub(super) struct Waiter {
    /// How it is woken.
    parker: Parker,
    /// For a thread with a pace: `AWAKE`, `WAITING` or `WOKEN`.
    state: AtomicU32,
    /// Its pace.
    pace: Option<Arc<dyn Pace>>,
}

impl Waiter {
    /// What the calling thread waits on.
    pub(super) fn new() -> Self {
        Self { parker: Parker::new(), state: AtomicU32::new(AWAKE), pace: pace_here() }
    }

    /// Waits until it is woken. Without a pace it may return before, and does so after `limit`.
    pub(super) fn wait(&self, limit: Option<Duration>) {
        let Some(pace) = &self.pace else {
            return covered(|| {
                self.parker.park_patiently(limit);
            });
        };
        // Relaxed where it fails: the exchange below orders.
        let waits =
            self.state.compare_exchange(AWAKE, WAITING, Ordering::AcqRel, Ordering::Relaxed);
        if waits.is_ok() {
            pace.rest();
            if !pace.run_until(&|| self.is_woken()) {
                while !self.is_woken() {
                    self.parker.park(None);
                }
            }
        } else {
            self.take_turns();
        }
        // Acquire: pairs with the Release in `wake`.
        self.state.swap(AWAKE, Ordering::AcqRel);
    }

    /// To be called where the thread was woken while it polled, as by a yield: what it plays is chosen
    /// before it, or it before that.
    pub(super) fn take_turns(&self) {
        if let Some(pace) = &self.pace {
            pace.run_until(&|| true);
        }
    }

    fn is_woken(&self) -> bool {
        // Relaxed: the exchange that follows orders.
        self.state.load(Ordering::Relaxed) == WOKEN
    }

    /// Wakes the thread.
    pub(super) fn wake(&self) {
        if let Some(pace) = &self.pace {
            // Release: pairs with the exchanges in `wait`, after which the thread polls.
            if self.state.swap(WOKEN, Ordering::AcqRel) == WAITING {
                pace.begin();
            }
        }
        let unpark = self.parker.unpark();
        debug_assert_eq!(unpark, Unpark::Done, "this thread waits nowhere else");
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").field("parker", &self.parker).finish_non_exhaustive()
    }
}

/// Wakes a thread that drives a future.
struct ThreadWaker(Waiter);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake();
    }
}

/// Marks a poll by a thread that blocks until it is dropped.
pub(super) struct Blocking {
    /// Whether one is around it.
    outer: bool,
}

impl Blocking {
    pub(super) fn begin() -> Self {
        Self { outer: BLOCKING.replace(true) }
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        BLOCKING.set(self.outer);
    }
}

/// Whether the thread polls a future that it blocks for: a worker that does so looks after nothing
/// of its own until that is ready.
pub(crate) fn is_blocking() -> bool {
    BLOCKING.get()
}

/// Polls `future` until it is ready, or until `limit` has passed, by the time of the runtime that
/// the thread works for.
///
/// # Panics
///
/// In a child process that was forked meanwhile: whoever would wake it stayed behind.
pub(crate) fn drive<F: Future>(
    mut future: Pin<&mut F>,
    limit: Option<Duration>,
) -> Option<F::Output> {
    let thread = Arc::new(ThreadWaker(Waiter::new()));
    let waker = Waker::from(thread.clone());
    let mut cx = Context::from_waker(&waker);
    let generation = Generation::current();
    let mut alarm = Alarm::new(&thread.0, limit);
    loop {
        let polled = {
            let _slice = budget::Slice::begin();
            let _blocking = Blocking::begin();
            future.as_mut().poll(&mut cx)
        };
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        let left = alarm.time_left(&waker);
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        generation.assert_same_process();
        answer_or(&|| waker.clone(), || thread.0.wait(left));
    }
}

/// When a thread stops waiting.
struct Alarm<'a> {
    /// Whose time.
    pace: Option<&'a dyn Pace>,
    /// When; `None`: never, also where the clock cannot say it.
    deadline: Option<Instant>,
    /// Takes back that the thread is woken then, where it keeps a pace and has waited.
    forget: Option<Box<dyn FnOnce()>>,
}

impl<'a> Alarm<'a> {
    fn new(thread: &'a Waiter, limit: Option<Duration>) -> Self {
        let mut alarm = Self { pace: thread.pace.as_deref(), deadline: None, forget: None };
        alarm.deadline = limit.and_then(|limit| alarm.now().checked_add(limit));
        alarm
    }

    fn now(&self) -> Instant {
        self.pace.map_or_else(Instant::now, Pace::now)
    }

    /// How long the thread may go on waiting; from now on it is woken when that is over.
    fn time_left(&mut self, waker: &Waker) -> Option<Duration> {
        let deadline = self.deadline?;
        if let (Some(pace), None) = (self.pace, &self.forget) {
            self.forget = Some(pace.call_at(deadline, waker.clone()));
        }
        Some(deadline.saturating_duration_since(self.now()))
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if let Some(forget) = self.forget.take() {
            forget();
        }
    }
}
