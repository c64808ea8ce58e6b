//! The order in which callbacks are called, and whether somebody is there to call them.

use crate::platform::Mutex;
use crate::task::{CallSite, Hooks, Surroundings, Unhandled};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

/// What is called.
type Function = Box<dyn FnOnce() + Send>;

/// One callback.
pub(super) struct Call {
    /// Whether it can still be called. Nothing is called or dropped under the lock.
    stage: Mutex<Stage>,
    /// Where it was registered.
    place: CallSite,
}

/// How far a callback has come.
enum Stage {
    /// It waits, with what was around its registration.
    Waiting(Function, Surroundings),
    /// It is being called, or was.
    Called,
    /// It never will be.
    Cancelled,
}

impl Call {
    /// A callback, with what is around the calling code.
    pub(super) fn new(function: Function, place: CallSite) -> Arc<Self> {
        let stage = Mutex::new(Stage::Waiting(function, Surroundings::here()));
        Arc::new(Self { stage, place })
    }

    /// Takes it, unless somebody was first.
    fn take(&self, next: Stage) -> Option<(Function, Surroundings)> {
        let mut stage = self.stage.lock();
        if !matches!(*stage, Stage::Waiting(..)) {
            return None;
        }
        match std::mem::replace(&mut *stage, next) {
            Stage::Waiting(function, surroundings) => Some((function, surroundings)),
            Stage::Called | Stage::Cancelled => None,
        }
    }

    /// Drops the function unless it was called. Whether that has prevented the call.
    pub(super) fn cancel(&self) -> bool {
        self.take(Stage::Cancelled).map(drop).is_some()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Cancelled)
    }

    /// Calls it unless it was cancelled.
    pub(super) fn call(&self, hooks: &Hooks) {
        let Some((function, surroundings)) = self.take(Stage::Called) else { return };
        surroundings.run(|| self.guard(hooks, function));
        // The last values of its context may go here.
        self.guard(hooks, || drop(surroundings));
    }

    /// Drops it, whose runtime ends.
    pub(super) fn discard(&self, hooks: &Hooks) {
        self.guard(hooks, || {
            self.cancel();
        });
    }

    /// Calls foreign code, and reports its panic.
    fn guard(&self, hooks: &Hooks, call: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
            hooks.unhandled(Unhandled::in_callback(self.place, payload));
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match *self.stage.lock() {
            Stage::Waiting(..) => "waiting",
            Stage::Called => "called",
            Stage::Cancelled => "cancelled",
        };
        write!(f, "callback of {}, {stage}", self.place)
    }
}

/// The place of a timer: by time, then by registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Not to be called before.
    pub(super) when: Instant,
    /// How many timers were registered before it.
    number: u64,
}

/// All callbacks of a runtime that wait for their turn.
#[derive(Default)]
pub(in crate::runtime) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    /// Whose turn has come, in order; cancelled ones among them.
    soon: VecDeque<Arc<Call>>,
    /// Who waits for a time.
    later: BTreeMap<Key, Arc<Call>>,
    /// How many timers were ever registered.
    registered: u64,
    /// Who calls.
    runner: Runner,
}

/// Whether there is a runner, and what it does.
#[derive(Default)]
enum Runner {
    /// There is none; then nothing waits.
    #[default]
    None,
    /// It looks at the queue before it waits or ends.
    Looks,
    /// It waits for its waker, or for the earliest time it saw.
    Waits(Waker),
}

/// What the runner of a queue needs after a change.
#[must_use]
#[derive(Debug)]
pub(super) enum Attention {
    /// Nothing.
    None,
    /// There is none: start one.
    Start,
    /// It waits and must look again.
    Wake(Waker),
}

/// What the runner is to do.
#[derive(Debug)]
pub(super) enum Next {
    /// Call this.
    Call(Arc<Call>),
    /// Wait until that time, or until the waker is called.
    Wait(Instant),
    /// End: nothing is left.
    End,
}

impl State {
    /// The runner must look at the queue.
    fn attract(&mut self) -> Attention {
        match std::mem::replace(&mut self.runner, Runner::Looks) {
            Runner::None => Attention::Start,
            Runner::Looks => Attention::None,
            Runner::Waits(waker) => Attention::Wake(waker),
        }
    }
}

impl Queue {
    /// Adds a callback behind all others.
    pub(super) fn push(&self, call: Arc<Call>) -> Attention {
        let mut state = self.0.lock();
        state.soon.push_back(call);
        state.attract()
    }

    /// Adds a callback for a time.
    pub(super) fn push_at(&self, when: Instant, call: Arc<Call>) -> (Key, Attention) {
        let mut state = self.0.lock();
        let key = Key { when, number: state.registered };
        state.registered += 1;
        let is_first = state.later.first_key_value().is_none_or(|(first, _)| key < *first);
        state.later.insert(key, call);
        // A runner that waits for an earlier time sees it then.
        (key, if is_first { state.attract() } else { Attention::None })
    }

    /// Takes a cancelled timer out. The runner must not wait for it any more.
    pub(super) fn forget(&self, key: Key) {
        let mut state = self.0.lock();
        let was_first = state.later.first_key_value().is_some_and(|(first, _)| *first == key);
        let forgotten = state.later.remove(&key);
        let attention = if was_first { state.attract() } else { Attention::None };
        drop(state);
        drop(forgotten);
        if let Attention::Wake(waker) = attention {
            waker.wake();
        }
    }

    /// What the runner is to do at the time `now`; `waker` is its own.
    pub(super) fn next(&self, now: Instant, waker: &Waker) -> Next {
        let mut state = self.0.lock();
        while let Some(first) = state.later.first_entry() {
            if first.key().when > now {
                break;
            }
            let due = first.remove();
            state.soon.push_back(due);
        }
        if let Some(call) = state.soon.pop_front() {
            return Next::Call(call);
        }
        match state.later.first_key_value().map(|(first, _)| first.when) {
            Some(when) => {
                state.runner = Runner::Waits(waker.clone());
                Next::Wait(when)
            }
            None => {
                state.runner = Runner::None;
                Next::End
            }
        }
    }

    /// The runner was dropped. True: it is needed still, and the caller starts another.
    pub(super) fn runner_dropped(&self) -> bool {
        let mut state = self.0.lock();
        let needed = !state.soon.is_empty() || !state.later.is_empty();
        state.runner = if needed { Runner::Looks } else { Runner::None };
        needed
    }

    /// Takes everything out: nobody will call it.
    pub(super) fn clear(&self) -> impl Iterator<Item = Arc<Call>> + use<> {
        let mut state = self.0.lock();
        state.runner = Runner::None;
        let (soon, later) = (std::mem::take(&mut state.soon), std::mem::take(&mut state.later));
        soon.into_iter().chain(later.into_values())
    }
}
