//! What a deterministic runtime has done, short enough to be compared.

use super::random::mix;
use super::simulation::plays_here;
use crate::platform::Mutex;
use crate::task::{Hooks, Id, Task, TaskHook};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// What a deterministic runtime has done so far: equal for two runs that took the same course.
///
/// Each step counts in: which worker did it, or the main future; which task was polled, by the
/// order in which tasks were spawned; to which moment virtual time went. Prints as the number of
/// steps and a hash of them.
///
/// # Examples
///
/// ```
/// use weftline::Runtime;
///
/// let trace = |seed| {
///     let runtime = Runtime::builder().workers(4).deterministic(seed).build().unwrap();
///     runtime.block_on(async {
///         let tasks: Vec<_> = (0..10).map(|_| weftline::spawn(weftline::yield_now())).collect();
///         for task in tasks {
///             task.await.unwrap();
///         }
///     });
///     runtime.handle().trace().expect("it is deterministic")
/// };
/// assert_eq!(trace(7), trace(7));
/// assert_ne!(trace(7), trace(8));
/// println!("{}", trace(7));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Trace {
    /// How many steps there were.
    steps: u64,
    /// All of them, mixed.
    hash: u64,
}

impl Trace {
    /// How many steps the runtime has made: polls, of tasks and of the main future, and moves of
    /// virtual time.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn note(&mut self, value: u64) {
        self.hash = mix(self.hash ^ value);
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps, {:016x}", self.steps, self.hash)
    }
}

/// Writes a [`Trace`].
#[derive(Default)]
pub(super) struct Recorder(Mutex<Recording>);

#[derive(Default)]
struct Recording {
    /// So far.
    trace: Trace,
    /// For each living task how many were spawned before it: ids differ from run to run.
    places: HashMap<Id, u64>,
    /// How many tasks were spawned.
    spawned: u64,
}

impl Recorder {
    /// A recorder that is told of tasks by `hooks`, before those that the user has set.
    pub(super) fn listening_in(hooks: &mut Hooks) -> Arc<Self> {
        let recorder = Arc::new(Self::default());
        let (spawned, polled, ended) = (recorder.clone(), recorder.clone(), recorder.clone());
        put_before(&mut hooks.task_spawn, move |task| spawned.spawned(task.id()));
        put_before(&mut hooks.before_poll, move |task| polled.polled(task.id()));
        put_before(&mut hooks.task_end, move |task| ended.ended(task.id()));
        recorder
    }

    /// A step of a worker, or of the main future, which has the number after theirs.
    pub(super) fn step(&self, actor: usize) {
        let mut recording = self.0.lock();
        recording.trace.steps += 1;
        recording.trace.note(actor as u64);
    }

    /// Virtual time has passed.
    pub(super) fn advance(&self, now_ns: u64) {
        let mut recording = self.0.lock();
        recording.trace.steps += 1;
        recording.trace.note(!now_ns);
    }

    pub(super) fn trace(&self) -> Trace {
        self.0.lock().trace
    }

    fn spawned(&self, task: Id) {
        let mut recording = self.0.lock();
        let place = recording.spawned;
        recording.spawned += 1;
        recording.places.insert(task, place);
    }

    fn polled(&self, task: Id) {
        // Blocking jobs have threads of their own, whose order is nobody's.
        if plays_here() {
            let mut recording = self.0.lock();
            let place = recording.places.get(&task).copied().unwrap_or(u64::MAX);
            recording.trace.note(place);
        }
    }

    fn ended(&self, task: Id) {
        self.0.lock().places.remove(&task);
    }
}

/// Makes a hook call `first`, and then what it called before.
fn put_before(hook: &mut Option<TaskHook>, first: impl Fn(&Task) + Send + Sync + 'static) {
    let then = hook.take();
    *hook = Some(Box::new(move |task| {
        first(task);
        if let Some(then) = &then {
            then(task);
        }
    }));
}
