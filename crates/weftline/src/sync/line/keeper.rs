//! A thread that keeps the time for lines of which nobody is in a runtime: tasks of others'
//! runtimes, and plain threads that go on and leave tasks behind. It is started when it is needed,
//! serves all lines of the process, and ends when it has had nothing to do for a while.

use super::crowd::Crowd;
use super::timing::CALL_LIMIT;
use crate::platform::fork::Generation;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How long the thread stays without anything to do.
const IDLE_TIME: Duration = Duration::from_secs(10);

/// The thread of the process.
static KEEPER: Keeper = Keeper { state: Mutex::new(State::EMPTY), added: Condvar::new() };

/// The thread and what it has to do.
struct Keeper {
    /// What it looks after.
    state: Mutex<State>,
    /// Signalled when something is added.
    added: Condvar,
}

/// What the keeper's lock protects.
struct State {
    /// Whom to look after, and when. All wait for equally long, so the first is the earliest.
    due: VecDeque<(Instant, Weak<Crowd>)>,
    /// Whether the thread is there.
    has_thread: bool,
    /// The process that it is in: it does not survive a fork.
    generation: Option<Generation>,
}

impl State {
    const EMPTY: Self = Self { due: VecDeque::new(), has_thread: false, generation: None };
}

/// Looks after the crowd in [`CALL_LIMIT`]. Where the system gives no thread nobody does: the next
/// who finds somebody called asks again.
pub(super) fn add(crowd: &Arc<Crowd>) {
    let due = Instant::now() + CALL_LIMIT;
    if !KEEPER.add(due, Arc::downgrade(crowd)) {
        crowd.forget_timing();
    }
}

impl Keeper {
    /// A panic under this lock cannot leave anything half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False: there is no thread.
    fn add(&'static self, due: Instant, crowd: Weak<Crowd>) -> bool {
        let mut state = self.lock();
        let generation = Generation::watch();
        if state.generation != Some(generation) {
            *state = State { generation: Some(generation), ..State::EMPTY };
        }
        if !state.has_thread {
            let thread = thread::Builder::new().name("weftline-locks".to_owned());
            if thread.spawn(|| self.keep()).is_err() {
                return false;
            }
            state.has_thread = true;
        }
        state.due.push_back((due, crowd));
        self.added.notify_one();
        true
    }

    /// The life of the thread.
    fn keep(&self) {
        let mut state = self.lock();
        loop {
            let left = match state.due.front() {
                None => IDLE_TIME,
                Some((due, _)) => due.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                let due = state.due.pop_front();
                drop(state); // looking wakes others
                if let Some(crowd) = due.and_then(|(_, crowd)| crowd.upgrade()) {
                    crowd.look();
                }
                state = self.lock();
                continue;
            }
            let (guard, waited) =
                self.added.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if waited.timed_out() && state.due.is_empty() {
                state.has_thread = false;
                return;
            }
        }
    }
}
