//! Who sleeps, who searches, and who must be woken: the decisions, without any blocking.
//!
//! The fear is a job that is posted while the last worker falls asleep. Two sides, each with a
//! fence between what it says and what it looks at:
//!
//! ```text
//! poster                              sleeper
//!   put the job into a queue            count itself as sleeping     (`announce`)
//!   fence                               fence
//!   look who sleeps (`work_posted`)     look at all queues again     (its caller)
//! ```
//!
//! Of two fences one comes first. If the poster's does, the sleeper's look finds the job; if the
//! sleeper's does, the poster's look finds the sleeper. `docs/sleep.md` has the whole proof; the
//! model is `a_posted_job_is_never_slept_through`.
//!
//! A poster wakes nobody while somebody searches: a searcher looks at every queue before it
//! sleeps, and one that finds work recruits the next ([`Sleep::end_search`]).

use super::actors::Actors;
use crate::platform::Mutex;
use crate::platform::atomic::{AtomicU32, Ordering, fence};
use std::sync::Arc;

/// One searching worker, in [`Counts`].
const SEARCHING: u32 = 1;
/// One sleeping worker, in [`Counts`].
const SLEEPING: u32 = 1 << 16;
/// The most workers that [`Counts`] can count.
pub(crate) const MAX_WORKERS: usize = (1 << 16) - 1;

/// How many workers sleep and how many search, as one word.
///
/// ```text
///  31 .......... 16 | 15 ............ 0
///  sleeping         | searching
/// ```
#[derive(Clone, Copy)]
struct Counts(u32);

impl Counts {
    fn searching(self) -> u32 {
        self.0 & (SLEEPING - 1)
    }

    fn sleeping(self) -> u32 {
        self.0 / SLEEPING
    }
}

/// The sleepers of one scheduler.
pub(crate) struct Sleep {
    /// [`Counts`].
    counts: AtomicU32,
    /// Everybody who sleeps; the one who slept last is woken first, its caches being warm.
    sleepers: Mutex<Vec<Sleeper>>,
    /// The most workers that may search without having been woken for it.
    max_searching: u32,
    /// Where time is virtual: sleepers are counted as at rest, under the lock of `sleepers`.
    actors: Option<Arc<Actors>>,
}

/// One who sleeps.
#[derive(Clone, Copy)]
struct Sleeper {
    worker: usize,
    /// Whether it waits in the driver: then others are woken rather than it.
    in_driver: bool,
}

/// Evidence that the calling worker is counted as searching.
#[must_use = "a searcher that is forgotten keeps others asleep for ever"]
pub(crate) struct Searching(());

impl Sleep {
    pub(super) fn new(workers: usize, actors: Option<Arc<Actors>>) -> Self {
        Self {
            counts: AtomicU32::new(0),
            sleepers: Mutex::new(Vec::with_capacity(workers)),
            max_searching: u32::try_from(workers.div_ceil(2))
                .expect("workers are counted in 16 bits"),
            actors,
        }
    }

    /// A job was put into a queue that others can reach. The worker to wake, if one is needed; it
    /// is counted as searching already.
    #[inline]
    pub(crate) fn work_posted(&self) -> Option<usize> {
        // SeqCst: pairs with the fence in `announce`.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        let counts = Counts(self.counts.load(Ordering::Relaxed));
        if counts.sleeping() == 0 || counts.searching() > 0 {
            return None;
        }
        self.choose_sleeper()
    }

    /// How many workers sleep.
    #[inline]
    pub(crate) fn sleeping(&self) -> usize {
        // Relaxed: ordered by the caller where it matters.
        Counts(self.counts.load(Ordering::Relaxed)).sleeping() as usize
    }

    /// As [`Self::sleeping`], ordered with all who leave or join the list.
    pub(super) fn sleeping_locked(&self) -> usize {
        self.sleepers.lock().len()
    }

    /// The sleeper to wake, unless somebody searches; it is counted as searching already.
    #[cold]
    pub(crate) fn choose_sleeper(&self) -> Option<usize> {
        let mut sleepers = self.sleepers.lock();
        // Relaxed: sleepers change under the lock alone; a searcher that comes or goes meanwhile
        // is one too many or looks again by itself.
        if Counts(self.counts.load(Ordering::Relaxed)).searching() > 0 {
            return None;
        }
        let outside = sleepers.iter().rposition(|sleeper| !sleeper.in_driver);
        let chosen = outside.or_else(|| sleepers.len().checked_sub(1))?;
        let chosen = sleepers.remove(chosen);
        // Relaxed: the woken worker is told through its parker.
        self.counts.fetch_sub(SLEEPING - SEARCHING, Ordering::Relaxed);
        self.begin_actor();
        Some(chosen.worker)
    }

    /// An idle worker asks to search. `None`: enough others do.
    pub(crate) fn start_search(&self) -> Option<Searching> {
        // Relaxed: the limit is a matter of economy.
        let counts = Counts(self.counts.load(Ordering::Relaxed));
        if counts.searching() >= self.max_searching {
            return None;
        }
        // Relaxed: posters may leave new jobs to this worker from here on; the fence where it
        // stops searching (`end_search`, `announce`) makes it see them.
        self.counts.fetch_add(SEARCHING, Ordering::Relaxed);
        Some(Searching(()))
    }

    /// Whether the calling searcher is the only one.
    pub(crate) fn one_searches(&self) -> bool {
        // Relaxed: a matter of economy.
        Counts(self.counts.load(Ordering::Relaxed)).searching() == 1
    }

    /// A searcher found work. True: it was the last one, and must recruit another if it sees more.
    pub(crate) fn end_search(&self, searching: Searching) -> bool {
        let Searching(()) = searching;
        // AcqRel: pairs with itself and with the exchange in `announce`: what a searcher has moved
        // between queues is seen by those that stop searching after it.
        let before = Counts(self.counts.fetch_sub(SEARCHING, Ordering::AcqRel));
        // SeqCst: pairs with the fence in `work_posted`: a poster that still saw this searcher
        // has its job seen by the look that follows.
        fence(Ordering::SeqCst);
        before.searching() == 1
    }

    /// A worker is about to sleep. The caller looks at all queues after this and before it blocks.
    /// True: where time is virtual, now all actors rest.
    pub(crate) fn announce(
        &self,
        worker: usize,
        in_driver: bool,
        searching: Option<Searching>,
    ) -> bool {
        let mut sleepers = self.sleepers.lock();
        sleepers.push(Sleeper { worker, in_driver });
        let change = if searching.is_some() { SLEEPING - SEARCHING } else { SLEEPING };
        // AcqRel: see `end_search`.
        self.counts.fetch_add(change, Ordering::AcqRel);
        let all_rest = self.actors.as_ref().is_some_and(|actors| actors.rest_silently());
        drop(sleepers);
        // SeqCst: pairs with the fence in `work_posted`.
        fence(Ordering::SeqCst);
        all_rest
    }

    /// A worker that announced its sleep is awake. `None`: it woke by itself. Otherwise somebody
    /// chose it, and it is counted as searching. `acts`: it is counted among the actors at work
    /// already.
    pub(crate) fn leave(&self, worker: usize, acts: bool) -> Option<Searching> {
        let mut sleepers = self.sleepers.lock();
        let place = sleepers.iter().position(|sleeper| sleeper.worker == worker);
        let Some(place) = place else {
            // Whoever chose it has counted it.
            if let Some(actors) = self.actors.as_ref().filter(|_| acts) {
                actors.rest();
            }
            return Some(Searching(()));
        };
        sleepers.remove(place);
        // Relaxed: nobody chooses a worker that is not in the list.
        self.counts.fetch_sub(SLEEPING, Ordering::Relaxed);
        if !acts {
            self.begin_actor();
        }
        None
    }

    fn begin_actor(&self) {
        if let Some(actors) = &self.actors {
            actors.begin();
        }
    }

    /// Whether `holds` is true of a sleeping worker.
    pub(super) fn any_sleeper(&self, holds: impl Fn(usize) -> bool) -> bool {
        self.sleepers.lock().iter().any(|sleeper| holds(sleeper.worker))
    }
}
