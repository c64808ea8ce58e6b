//! What a look at the workers comes to: who is stuck, and whether relief is called or sent away.
//!
//! No thread and no lock here: the monitor (`monitor.rs`) brings the clock and the counts, and does
//! what the [`Verdict`] says. `docs/stalls.md` has the reasons.

use super::activity::is_asleep;
use crate::platform::probe::Standing;
use std::time::Duration;

/// A worker that has been in one poll for that long is stuck, in nanoseconds, unless it was put aside by
/// the kernel.
pub(super) const STUCK_NS: u64 = 700_000;
/// A worker that waits for its turn on a CPU, or has it, is stuck only once it has used so much of it.
const PROOF: Duration = Duration::from_micros(200);
/// At so many looks in a row some worker must have been free before relief is sent away. Work in long
/// polls frees a worker for a moment between two of them.
const CALM_LOOKS: u32 = 10;

/// What a seat is, to the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A worker's.
    Worker,
    /// A relief worker's that is on its way.
    Coming,
    /// A relief worker's that is there.
    Relief,
    /// A relief worker's that was sent away and has not gone.
    Going,
}

/// What the monitor remembers of one worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    /// The count that it saw last.
    pub(super) count: u64,
    /// When it saw that first.
    since_ns: u64,
    /// How much time on CPUs its thread had used when it was first suspected.
    used: Option<Duration>,
    /// How much it had used at the last look at which it was stuck, and whether it ran then.
    last: Option<(Duration, bool)>,
    /// Whether the poll was reported as slow.
    reported: bool,
}

/// What a worker was seen to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It sleeps.
    Asleep,
    /// It has begun something since the last look, or not long before it.
    Alive,
    /// It may be stuck, or wait for its turn on a CPU: a look in a moment will tell.
    Suspect,
    /// It has been in one poll for so many nanoseconds.
    Stuck(u64),
}

impl Sighting {
    pub(super) fn new() -> Self {
        Self { count: u64::MAX, since_ns: 0, used: None, last: None, reported: false }
    }

    /// Another look. `is_known`: it was found stuck before, or says so itself. `standing`: asks the
    /// kernel; `None`: the worker has gone on meanwhile.
    pub(super) fn look(
        &mut self,
        count: u64,
        is_known: bool,
        now_ns: u64,
        standing: impl FnOnce() -> Option<Standing>,
    ) -> Seen {
        if self.count != count {
            *self = Self { count, since_ns: now_ns, ..Self::new() };
        }
        let stood_ns = now_ns.saturating_sub(self.since_ns);
        if is_asleep(count) {
            return Seen::Asleep;
        }
        if is_known {
            return Seen::Stuck(stood_ns);
        }
        if stood_ns < STUCK_NS {
            return Seen::Alive;
        }
        match standing() {
            None => Seen::Alive,
            Some(standing) if self.gets_on(standing) => Seen::Stuck(stood_ns),
            Some(_) => Seen::Suspect,
        }
    }

    /// Whether the thread of a worker that is stuck runs, or waits for its turn to; it blocks
    /// otherwise. `used`: how much time on CPUs it has used, if that is known. `standing`: asks the
    /// kernel.
    pub(super) fn runs(
        &mut self,
        used: Option<Duration>,
        standing: impl FnOnce() -> Standing,
    ) -> bool {
        let Some(used) = used else { return false };
        let runs = match self.last {
            Some((before, _)) if used > before => true,
            Some((_, false)) => false,
            Some((_, true)) | None => matches!(standing(), Standing::Runs(_)),
        };
        self.last = Some((used, runs));
        runs
    }

    /// Whether a worker stands still although its thread has what it wants of the kernel.
    fn gets_on(&mut self, standing: Standing) -> bool {
        let Standing::Runs(used) = standing else { return true };
        let before = *self.used.get_or_insert(used);
        used.saturating_sub(before) >= PROOF
    }

    /// Whether this poll, if it is `slow`, has not been reported yet.
    pub(super) fn is_news(&mut self, slow: bool) -> bool {
        let is_news = slow && !self.reported;
        self.reported |= is_news;
        is_news
    }
}

/// What all workers together were seen to do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Workers that are stuck.
    pub(super) stuck: usize,
    /// Workers that are not.
    pub(super) free: usize,
    /// Relief workers that are there and not stuck, or on their way.
    pub(super) serving: usize,
    /// Relief workers, whatever they do.
    pub(super) relief: usize,
    /// Those that may be stuck.
    pub(super) suspect: usize,
    /// Relief workers that run something.
    pub(super) relief_at_work: usize,
    /// Those of all that run, or would if it were their turn.
    pub(super) running: usize,
}

impl Tally {
    /// Counts one more; `runs`: whether it does, should it be stuck.
    pub(super) fn add(&mut self, role: Role, seen: Seen, runs: bool) {
        self.running += usize::from(match seen {
            Seen::Asleep => false,
            Seen::Alive | Seen::Suspect => true,
            Seen::Stuck(_) => runs,
        });
        let is_stuck = matches!(seen, Seen::Stuck(_));
        self.suspect += usize::from(seen == Seen::Suspect);
        if role == Role::Worker {
            self.stuck += usize::from(is_stuck);
            self.free += usize::from(!is_stuck);
            return;
        }
        self.relief += 1;
        self.relief_at_work += usize::from(seen != Seen::Asleep);
        self.serving += match role {
            Role::Coming => 1,
            Role::Relief => usize::from(!is_stuck),
            Role::Going | Role::Worker => 0,
        };
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Call one more relief worker: nobody is left.
    Call,
    /// Send one relief worker away.
    Dismiss,
    /// Nothing.
    Leave,
}

/// The monitor's judgement, look by look.
pub(super) struct Judge {
    /// At how many looks in a row a worker was free.
    calm_looks: u32,
}

impl Judge {
    pub(super) fn new() -> Self {
        Self { calm_looks: 0 }
    }

    pub(super) fn decide(&mut self, tally: &Tally) -> Verdict {
        self.calm_looks = if tally.free > 0 { self.calm_looks.saturating_add(1) } else { 0 };
        match tally.serving {
            0 if tally.free == 0 => Verdict::Call,
            0 => Verdict::Leave,
            1 if self.calm_looks < CALM_LOOKS => Verdict::Leave,
            _ => Verdict::Dismiss,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn tally(seats: &[(Role, Seen)]) -> Tally {
        let mut tally = Tally::default();
        seats.iter().for_each(|(role, seen)| tally.add(*role, *seen, true));
        tally
    }

    #[test]
    fn a_worker_is_stuck_once_its_count_has_stood_still_for_long_enough() {
        let mut sighting = Sighting::new();
        let mut look = |count, is_known, now_ns| {
            sighting.look(count, is_known, now_ns, || Some(Standing::Blocked))
        };
        assert_eq!(look(2, false, 5 * MS), Seen::Alive);
        assert_eq!(look(2, false, 5 * MS + STUCK_NS - 1), Seen::Alive);
        assert_eq!(look(2, false, 5 * MS + STUCK_NS), Seen::Stuck(STUCK_NS));
        assert_eq!(look(4, false, 7 * MS), Seen::Alive, "another poll");
        assert_eq!(look(4, true, 7 * MS), Seen::Stuck(0), "it says so");
        assert_eq!(look(5, false, 8 * MS), Seen::Asleep);
        assert_eq!(look(5, false, 80 * MS), Seen::Asleep, "one that sleeps is never stuck");
    }

    #[test]
    fn a_worker_that_does_not_have_its_turn_is_not_stuck() {
        let mut sighting = Sighting::new();
        let begun = Duration::from_secs(1);
        let mut look =
            |now_ns, used| sighting.look(2, false, now_ns, || Some(Standing::Runs(used)));
        assert_eq!(look(5 * MS, begun), Seen::Alive);
        assert_eq!(look(6 * MS, begun), Seen::Suspect);
        assert_eq!(look(60 * MS, begun), Seen::Suspect);
        assert_eq!(look(61 * MS, begun + PROOF), Seen::Stuck(56 * MS));
    }

    #[test]
    fn a_stuck_worker_runs_while_it_uses_time_on_cpus_or_waits_for_its_turn() {
        let mut sighting = Sighting::new();
        let us = Duration::from_micros;
        let ask_nobody = || panic!("its clock has told");
        assert!(!sighting.runs(None, ask_nobody), "nobody knows");
        assert!(sighting.runs(Some(us(5)), || Standing::Runs(us(5))));
        assert!(sighting.runs(Some(us(6)), ask_nobody));
        assert!(sighting.runs(Some(us(6)), || Standing::Runs(us(6))), "others have their turn");
        assert!(!sighting.runs(Some(us(6)), || Standing::Blocked));
        assert!(!sighting.runs(Some(us(6)), ask_nobody), "it still blocks");
        assert!(sighting.runs(Some(us(7)), ask_nobody), "it has gone on");
    }

    #[test]
    fn a_slow_poll_is_news_once() {
        let mut sighting = Sighting::new();
        sighting.look(2, false, 0, || None);
        assert!(!sighting.is_news(false));
        assert!(sighting.is_news(true));
        assert!(!sighting.is_news(true));
        assert_eq!(sighting.look(4, false, 20, || None), Seen::Alive);
        assert!(sighting.is_news(true));
    }

    #[test]
    fn relief_is_called_when_nobody_is_left_and_one_at_a_time() {
        let stuck = (Role::Worker, Seen::Stuck(MS));
        let mut judge = Judge::new();
        let mut decide = |seats: &[_]| judge.decide(&tally(seats));
        assert_eq!(decide(&[stuck, (Role::Worker, Seen::Alive)]), Verdict::Leave);
        assert_eq!(decide(&[stuck, stuck]), Verdict::Call);
        assert_eq!(decide(&[stuck, stuck, (Role::Coming, Seen::Stuck(MS))]), Verdict::Leave);
        assert_eq!(decide(&[stuck, stuck, (Role::Relief, Seen::Asleep)]), Verdict::Leave);
        assert_eq!(decide(&[stuck, stuck, (Role::Relief, Seen::Stuck(MS))]), Verdict::Call);
        let relief = (Role::Relief, Seen::Alive);
        assert_eq!(decide(&[stuck, stuck, relief, relief]), Verdict::Dismiss);
        let going = (Role::Going, Seen::Alive);
        assert_eq!(decide(&[stuck, stuck, going]), Verdict::Call, "it serves no more");
    }

    #[test]
    fn relief_goes_once_a_worker_has_been_free_for_a_while() {
        let relief = (Role::Relief, Seen::Asleep);
        let (free, stuck) = ((Role::Worker, Seen::Asleep), (Role::Worker, Seen::Stuck(MS)));
        let mut judge = Judge::new();
        for _ in 0..2 {
            for _ in 1..CALM_LOOKS {
                assert_eq!(judge.decide(&tally(&[free, relief])), Verdict::Leave);
            }
            assert_eq!(judge.decide(&tally(&[stuck, relief])), Verdict::Leave);
        }
        for _ in 1..CALM_LOOKS {
            judge.decide(&tally(&[free, relief]));
        }
        assert_eq!(judge.decide(&tally(&[free, relief])), Verdict::Dismiss);
    }
}
