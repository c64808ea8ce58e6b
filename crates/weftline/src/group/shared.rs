//! [`Shared`]: what the two sides of a group have in common, and who wakes whom.
//!
//! One side is the body's task, which waits; the other are the children, each of which enters and
//! leaves once. Everything is under one lock, which is never held while wakers are called or
//! cloned, tasks are cancelled, or users' values are dropped. `docs/groups.md` draws the states.

use super::error::Failure;
use crate::platform::Mutex;
use crate::task::{CaughtPanic, Task};
use slab::Slab;
use std::sync::Arc;
use std::task::Waker;

/// What the two sides of a group share.
pub(super) struct Shared<E> {
    state: Mutex<State<E>>,
}

struct State<E> {
    /// How far the group has come.
    phase: Phase,
    /// Whether the body has ended, so that the last child wakes the body's task.
    body_ended: bool,
    /// The children that have not ended; each as a task until somebody has asked it to end, so
    /// that the group asks once.
    children: Slab<Option<Task>>,
    /// What failed, in this order.
    failures: Vec<Failure<E>>,
    /// The first panic.
    panic: Option<CaughtPanic>,
    /// Wakes the body's task. Taken when it is used.
    waker: Option<Waker>,
}

/// How far a group has come; it only moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Children may enter.
    Open,
    /// Everybody was asked to end.
    Aborting,
    /// All have ended, or the future of the group was dropped: nobody will read what fails.
    Over,
}

/// How a child or the body ended.
pub(super) enum End<E> {
    /// With a value, or cancelled: no reason to end the others.
    Quiet,
    /// With an error.
    Failed(Failure<E>),
    /// By a panic.
    Panicked(CaughtPanic),
}

/// How a group ended.
pub(super) struct Outcome<E> {
    /// What failed, in this order.
    pub(super) failures: Vec<Failure<E>>,
    /// The first panic.
    pub(super) panic: Option<CaughtPanic>,
}

/// What is to be done without the lock.
#[must_use]
struct Errands {
    /// Children to be asked to end.
    asked: Vec<Task>,
    /// The body's task.
    waker: Option<Waker>,
    /// A panic that the group has no place for: reported by its drop.
    unread: Option<CaughtPanic>,
}

impl Errands {
    fn run(self) {
        for task in self.asked {
            task.cancel();
        }
        drop(self.unread);
        if let Some(waker) = self.waker {
            waker.wake();
        }
    }
}

impl<E> State<E> {
    /// Closes the group and gives out the children that are to be asked to end.
    fn abort(&mut self) -> Vec<Task> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        self.phase = Phase::Aborting;
        self.children.iter_mut().filter_map(|(_, task)| task.take()).collect()
    }

    /// Notes how a child or the body ended.
    fn note(&mut self, end: End<E>) -> Errands {
        let mut errands = Errands { asked: Vec::new(), waker: None, unread: None };
        match end {
            End::Quiet => return errands,
            End::Failed(failure) => self.failures.push(failure),
            End::Panicked(panic) if self.panic.is_some() || self.phase == Phase::Over => {
                errands.unread = Some(panic);
            }
            End::Panicked(panic) => self.panic = Some(panic),
        }
        if self.phase == Phase::Open {
            errands.asked = self.abort();
            errands.waker = self.waker.take();
        }
        errands
    }
}

impl<E> Shared<E> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::Open,
                body_ended: false,
                children: Slab::new(),
                failures: Vec::new(),
                panic: None,
                waker: None,
            }),
        }
    }

    /// Whether no child may enter any more.
    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().phase != Phase::Open
    }

    /// Asks everybody to end, without an error.
    pub(super) fn abort(&self) {
        let mut state = self.state.lock();
        let asked = state.abort();
        let waker = state.waker.take();
        drop(state);
        Errands { asked, waker, unread: None }.run();
    }
}

/// The children's side.
impl<E> Shared<E> {
    /// A place for a child; none once the group is closed.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place<E>> {
        let mut state = self.state.lock();
        if state.phase != Phase::Open {
            return None;
        }
        let key = state.children.insert(None);
        drop(state);
        Some(Place { shared: self.clone(), key, has_left: false })
    }
}

/// A child's place in its group. Dropping it is leaving quietly.
pub(super) struct Place<E> {
    shared: Arc<Shared<E>>,
    /// Which of the group's children it is.
    key: usize,
    /// The place was given back.
    has_left: bool,
}

impl<E> Place<E> {
    /// Tells the group which task the child is: asked to end at once, if the group is closed by
    /// now.
    pub(super) fn fill(&self, task: Task) {
        let mut state = self.shared.state.lock();
        if state.phase == Phase::Open {
            state.children[self.key] = Some(task);
            return;
        }
        drop(state);
        task.cancel();
    }

    /// Takes the task out, for one who asks it to end instead of the group. None: it was asked.
    pub(super) fn take_task(&self) -> Option<Task> {
        self.shared.state.lock().children[self.key].take()
    }

    /// The child has ended, and is in no list of its runtime any more.
    pub(super) fn leave(mut self, end: End<E>) {
        self.has_left = true;
        self.shared.leave(self.key, end);
    }
}

impl<E> Drop for Place<E> {
    fn drop(&mut self) {
        if !self.has_left {
            self.shared.leave(self.key, End::Quiet);
        }
    }
}

impl<E> Shared<E> {
    fn leave(&self, key: usize, end: End<E>) {
        let mut state = self.state.lock();
        let task = state.children.remove(key);
        let mut errands = state.note(end);
        if state.body_ended && state.children.is_empty() && errands.waker.is_none() {
            errands.waker = state.waker.take();
        }
        drop(state);
        errands.run();
        // A reference is given back outside of the lock as well.
        drop(task);
    }
}

/// The body's side.
impl<E> Shared<E> {
    /// Makes sure that the body's task is woken when the group is aborted, and when the last child
    /// leaves after the body.
    pub(super) fn register(&self, waker: &Waker) {
        let is_known = |known: &Waker| known.will_wake(waker);
        if self.state.lock().waker.as_ref().is_some_and(is_known) {
            return;
        }
        // Only this side writes it, so nothing else comes in between.
        let fresh = waker.clone();
        let old = self.state.lock().waker.replace(fresh);
        drop(old);
    }

    /// Something in the body failed.
    pub(super) fn body_failed(&self, end: End<E>) {
        let errands = self.state.lock().note(end);
        errands.run();
    }

    /// The body has ended. None: children have not; who has [registered](Self::register) before
    /// is woken when they have.
    pub(super) fn try_end(&self) -> Option<Outcome<E>> {
        let mut state = self.state.lock();
        state.body_ended = true;
        if !state.children.is_empty() {
            return None;
        }
        state.phase = Phase::Over;
        let failures = std::mem::take(&mut state.failures);
        let panic = state.panic.take();
        drop(state);
        Some(Outcome { failures, panic })
    }

    /// The future of the group is dropped: nobody can wait for the children, which are asked to
    /// end.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Over {
            return;
        }
        let asked = state.abort();
        state.phase = Phase::Over;
        let (waker, unread) = (state.waker.take(), state.panic.take());
        drop(state);
        drop(waker);
        Errands { asked, waker: None, unread }.run();
    }
}
