//! The list of living tasks, and a task's way to its queues.
//!
//! A runtime has several rosters, so that workers do not meet at one lock; a task stands in the
//! roster of whoever spawned it. The roster owns nothing: the runtime's reference, which lasts
//! until completion, keeps what is listed alive.

use super::hooks::{Hooks, Unhandled};
use super::raw::RawTask;
use super::{Home, Task};
use crate::job::Job;
use crate::platform::atomic::Ordering;
use crate::platform::fork::Generation;
use crate::platform::{Condvar, Mutex, TIME_PASSES};
use crossbeam_utils::CachePadded;
use slab::Slab;
use std::time::{Duration, Instant};

/// Why a job is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is new.
    Spawned,
    /// Somebody woke it.
    Woken,
    /// It was woken while it ran: it goes behind what waits already, and its worker takes the next
    /// job now.
    Again,
    /// As `Again`, but it ran inside of something else, which goes on.
    AgainLater,
    /// It is new, and computes: others shall begin with it while its spawner goes on.
    Computes,
}

/// How a task asks to be run: the one call from here up to the scheduler.
pub(crate) trait Schedule: Send + Sync {
    /// Queues `job` where `home` allows.
    fn schedule(&self, job: Job, home: Home, reason: Reason);
    /// What is called around tasks.
    fn hooks(&self) -> &Hooks;
    /// The calling thread as a home, where it is a worker of this scheduler.
    fn here(&self) -> Option<Home>;
    /// A worker for a task that must stay on one.
    fn choose(&self) -> Home;
}

/// Whether new tasks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Yes.
    Open,
    /// The runtime shuts down: they are taken and cancelled at once.
    Closing,
    /// The runtime shuts down, and these are the calls of what cleans up: they are taken, and waited for.
    Ending,
    /// The workers are gone: nothing will run any more.
    Closed,
}

/// Lists in a roster: a task that was stolen is taken off by another worker than the one that lists
/// new ones meanwhile, and the two seldom meet at the same list. A power of two. A model has one:
/// ids, which choose the list, are others in each of its runs.
const LISTS: usize = if TIME_PASSES { 8 } else { 1 };

/// One of a runtime's lists of living tasks.
pub(crate) struct Roster {
    /// The tasks; those that follow each other stand in different lists.
    lists: [CachePadded<List>; LISTS],
    /// The scheduler.
    schedule: Box<dyn Schedule>,
    /// Whether there are hooks around polls, which are many.
    polls_hooked: bool,
    /// The process whose threads run the tasks.
    generation: Generation,
}

/// One list.
struct List {
    entries: Mutex<Entries>,
    /// Told when the last task leaves a list that takes no more.
    emptied: Condvar,
}

struct Entries {
    tasks: Slab<RawTask>,
    admission: Admission,
}

impl List {
    fn new() -> Self {
        let entries = Entries { tasks: Slab::new(), admission: Admission::Open };
        Self { entries: Mutex::new(entries), emptied: Condvar::new() }
    }

    fn wait_empty(&self, deadline: Option<Instant>) -> bool {
        let mut entries = self.entries.lock();
        while !entries.tasks.is_empty() {
            // Without a deadline, wait in long steps: one code path for both.
            let left = deadline.map_or(Duration::from_secs(3600), |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return false;
            }
            self.emptied.wait_for(&mut entries, left);
        }
        true
    }
}

impl Roster {
    pub(crate) fn new(schedule: Box<dyn Schedule>) -> Self {
        Self {
            polls_hooked: schedule.hooks().are_around_polls(),
            lists: std::array::from_fn(|_| CachePadded::new(List::new())),
            schedule,
            generation: Generation::watch(),
        }
    }

    /// The process that the runtime's threads live in.
    #[inline]
    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    /// Lists a new task and says whether it may run.
    ///
    /// # Safety
    ///
    /// The task stays alive until [`Roster::remove`].
    #[inline]
    pub(crate) unsafe fn insert(&self, task: RawTask) -> Admission {
        // SAFETY: alive by the caller's promise.
        let header = unsafe { task.header() };
        let list = header.id.get() as usize % LISTS;
        let mut entries = self.lists[list].entries.lock();
        let place = entries.tasks.insert(task) * LISTS + list;
        let place = u32::try_from(place).expect("a roster lists at most 2^32 tasks");
        // Relaxed: whoever reads it runs a job of the task, which is queued after this.
        header.slot.store(place, Ordering::Relaxed);
        entries.admission
    }

    /// Takes a task off the list.
    pub(crate) fn remove(&self, place: u32) {
        let place = place as usize;
        let list = &self.lists[place % LISTS];
        let mut entries = list.entries.lock();
        entries.tasks.remove(place / LISTS);
        if entries.admission != Admission::Open && entries.tasks.is_empty() {
            list.emptied.notify_all();
        }
    }

    /// Waits until no task is listed, at most until `deadline`. To be called once new tasks are
    /// cancelled at birth. False: some are left.
    pub(crate) fn wait_empty(&self, deadline: Option<Instant>) -> bool {
        self.lists.iter().all(|list| list.wait_empty(deadline))
    }

    /// Changes whether new tasks are taken.
    pub(crate) fn admit(&self, admission: Admission) {
        for list in &self.lists {
            list.entries.lock().admission = admission;
        }
    }

    /// Whether new tasks are taken.
    pub(crate) fn takes_tasks(&self) -> bool {
        self.lists[0].entries.lock().admission == Admission::Open
    }

    /// How many tasks are listed.
    pub(crate) fn len(&self) -> usize {
        self.lists.iter().map(|list| list.entries.lock().tasks.len()).sum()
    }

    /// References to all listed tasks.
    pub(crate) fn tasks(&self) -> Vec<Task> {
        self.select(|_| true)
    }

    /// The task that is listed here whose job has that address.
    pub(crate) fn find(&self, job: usize) -> Option<Task> {
        self.select(|task| task.address() == job).pop()
    }

    fn select(&self, is_wanted: impl Fn(RawTask) -> bool) -> Vec<Task> {
        let mut found = Vec::new();
        for list in &self.lists {
            let entries = list.entries.lock();
            let wanted = entries.tasks.iter().filter(|(_, task)| is_wanted(**task));
            // SAFETY: a listed task is alive: completion needs the lock first, to take it off.
            found.extend(wanted.map(|(_, task)| unsafe { Task::retained(*task) }));
        }
        found
    }

    /// Queues a job of a task that is listed here.
    #[inline]
    pub(crate) fn schedule(&self, job: Job, home: Home, reason: Reason) {
        self.schedule.schedule(job, home, reason);
    }

    /// The calling thread as a home, where it is a worker.
    pub(crate) fn here(&self) -> Option<Home> {
        self.schedule.here()
    }

    /// A worker for a task that must stay on one.
    pub(crate) fn choose(&self) -> Home {
        self.schedule.choose()
    }

    /// Tells the hooks that a task is about to be polled.
    #[inline]
    pub(crate) fn before_poll(&self, task: RawTask) {
        if self.polls_hooked {
            self.schedule.hooks().before_poll(task);
        }
    }

    /// Tells the hooks that a task was polled.
    #[inline]
    pub(crate) fn after_poll(&self, task: RawTask) {
        if self.polls_hooked {
            self.schedule.hooks().after_poll(task);
        }
    }

    /// Tells the hooks that a task is new.
    #[inline]
    pub(crate) fn task_spawned(&self, task: RawTask) {
        self.schedule.hooks().task_spawned(task);
    }

    /// Tells the hooks that a task has ended.
    #[inline]
    pub(crate) fn task_ended(&self, task: RawTask) {
        self.schedule.hooks().task_ended(task);
    }

    /// Reports what no joiner can be told.
    pub(crate) fn unhandled(&self, unhandled: Unhandled) {
        self.schedule.hooks().unhandled(unhandled);
    }
}
