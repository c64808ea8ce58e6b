//! A request to end between its delivery and its answer: who has it, and how it goes on.
//!
//! A request *waits* with what it was made of: in the state word of the task, or in the frame of a
//! region (`region.rs`). Whoever *takes* it has it as a [`Delivery`], and answers it: keeps it,
//! hands it on ([`renew`]), or makes it wait again ([`put_back`]). What is asked of the same task or
//! region meanwhile goes with a new delivery, which stands for the older one as well: of several
//! only the one with the latest number is put back where its holder is dropped.

use super::Id;
use super::current::{Marks, Polling, with_current};
use super::extra::{CancelReason, Extra};
use super::notes::Said;
use super::region::{Frame, find_around, innermost, is_shielded, requests_of_task};
use super::waking::wake_all;
use crate::platform::MutexGuard;
use std::task::Waker;

/// A request that was delivered, to be kept or handed on.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// What the request was made of.
    target: Target,
    /// Which delivery to the target this is.
    number: u32,
    /// What was said by whoever made it.
    pub(crate) reason: Option<CancelReason>,
    /// It was handed on: it waits elsewhere, or somebody else has it.
    handed_on: bool,
    /// It was taken in a poll in the midst of which a request began to wait.
    late: bool,
}

/// What a request was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The task.
    Task(Id),
    /// One region, by its name.
    Region(u64),
}

/// No region is called so.
pub(super) const NOBODY: u64 = 0;
/// Nor so.
pub(super) const TASK: u64 = u64::MAX;

impl Target {
    /// As it is noted in regions.
    fn whose(self) -> u64 {
        match self {
            Target::Task(_) => TASK,
            Target::Region(name) => name,
        }
    }
}

impl Delivery {
    fn new(target: Target, number: u32, reason: Option<CancelReason>) -> Self {
        Self { target, number, reason, handed_on: false, late: false }
    }
}

/// Whether something is asked of the regions around this place, or of the task.
pub(super) fn is_asked() -> bool {
    let seen = find_around(|frame| match (frame.is_asked(), frame.shields) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    });
    seen.unwrap_or_else(|| Polling::marks().delivers())
}

/// Takes what is asked of the regions around this place and of the task: one delivery for all of it.
#[inline]
pub(crate) fn take_delivery() -> Option<Delivery> {
    let nothing = !Polling::marks().delivers() && innermost().is_none();
    if nothing { None } else { take_asked() }
}

#[cold]
fn take_asked() -> Option<Delivery> {
    let of_task = if is_shielded() { None } else { take_from_task() };
    let together = if of_task.is_some() { requests_of_task() } else { 0 };
    let mut of_region = None;
    find_around(|frame| {
        if let Some(mut said) = frame.said().filter(|said| said.asked) {
            (said.asked, said.goes_with) = (false, together);
            let target = Target::Region(frame.name());
            of_region = Some(Delivery::new(target, said.next_number(), None));
        }
        frame.shields.then_some(())
    });
    let mut taken = of_task.or(of_region)?;
    close_shields();
    taken.late = Polling::marks().is_late();
    wake_those_before();
    note_taken(taken.target.whose());
    Some(taken)
}

/// What is handed on goes through the shields on its way to what it was made of; where that is not
/// around this code, to the task.
fn open_shields(whose: u64) {
    find_around(|frame| {
        frame.open.set(true);
        (frame.name() == whose).then_some(())
    });
}

/// What was handed on has reached a region: the shields around what follows in this poll are to hold
/// again.
pub(super) fn close_shields() {
    find_around(|frame| {
        frame.open.set(false);
        None::<()>
    });
}

/// Somebody has taken a request: those who had handed it on, and are still there, go on.
#[cold]
pub(super) fn wake_those_before() {
    let wakers = with_current(|header| Some(header.extra.get()?.take_awaiting())).flatten();
    wake_all(wakers.into_iter().flatten());
}

fn take_from_task() -> Option<Delivery> {
    if !Polling::with(|polling| polling.unmark(Marks::DELIVERS)) {
        return None;
    }
    with_current(|header| {
        let (number, reason) = header.extra.get()?.take(&header.state)?;
        Some(Delivery::new(Target::Task(header.id), number, reason))
    })
    .flatten()
}

/// The request that somebody has who is about to be dropped, as a delivery of its own. `whose` is as
/// it is noted in regions. None, where it was taken back meanwhile.
pub(super) fn take_over(whose: u64) -> Option<Delivery> {
    if whose == TASK {
        let of_task = |header: &super::raw::Header| {
            let (number, reason) = header.extra.get()?.take_over()?;
            Some(Delivery::new(Target::Task(header.id), number, reason))
        };
        return with_current(of_task).flatten();
    }
    find_around(|frame| {
        let mut said = named(frame, whose)?;
        Some(Delivery::new(Target::Region(whose), said.next_number(), None))
    })
}

/// What was said of a region, if it is the one of that name.
fn named<'a>(frame: &'a Frame<'_>, name: u64) -> Option<MutexGuard<'a, Said>> {
    if frame.name() == name { frame.said() } else { None }
}

/// Notes in the regions around this place, up to the one that a request was made of, that code
/// inside has it.
fn note_taken(whose: u64) {
    find_around(|frame| {
        if frame.name() == whose {
            return Some(());
        }
        let took = &mut frame.notes().said.lock().took;
        if *took != TASK {
            *took = whose;
        }
        None
    });
}

/// Notes in the same regions that nobody inside has it any more.
fn note_given_back(whose: u64) {
    find_around(|frame| {
        if let Some(mut said) = frame.said().filter(|said| said.took == whose) {
            said.took = NOBODY;
        }
        None::<()>
    });
}

/// The code that runs takes a request of its task back, which is an answer to it.
pub(super) fn answered() {
    note_given_back(TASK);
}

/// Takes a request of the task that nobody has delivered, for code that is not suspended.
pub(crate) fn take_undelivered() -> Option<Delivery> {
    let before = Polling::marks();
    Polling::with(|polling| polling.mark(Marks::DELIVERS));
    let taken = take_delivery();
    if taken.is_none() && !before.delivers() {
        Polling::with(|polling| polling.unmark(Marks::DELIVERS));
    }
    taken
}

/// Hands a delivery on to the next region, as part of a poll that is pending then. Once: later
/// polls, while what it was handed to is busy with it, change nothing. It is on its way from then
/// on, and cannot be taken back.
pub(crate) fn renew(delivery: &mut Delivery) {
    open_shields(delivery.target.whose());
    if !std::mem::replace(&mut delivery.handed_on, true) && !ask_region(delivery) {
        // A region that is not around this code any more cannot end: the task does.
        ask_task(true);
    }
}

/// As [`renew`], in the very poll in which it was taken, and by who was polled then: those who
/// were polled before know of it.
pub(crate) fn decline(mut delivery: Delivery) {
    renew(&mut delivery);
    if !delivery.late {
        Polling::with(|polling| polling.unmark(Marks::LATE));
    }
}

/// Makes a delivery wait again, where the code goes on with a value: it comes at the next
/// suspension.
pub(crate) fn put_back(delivery: &mut Delivery) {
    if !std::mem::replace(&mut delivery.handed_on, true) && !ask_region(delivery) {
        ask_task(false);
    }
}

/// Has it wait with the region that it was made of. False: that is not around this code.
fn ask_region(delivery: &Delivery) -> bool {
    note_given_back(delivery.target.whose());
    Polling::with(|polling| polling.mark(Marks::LATE));
    let Target::Region(name) = delivery.target else { return false };
    let ask = |frame: &Frame<'_>| named(frame, name).map(|mut said| said.asked = true);
    find_around(ask).is_some()
}

/// Has it wait with the task that runs this code.
fn ask_task(handed_on: bool) {
    with_current(|header| header.extra.get_or_make().renew(&header.state, handed_on));
    Polling::with(|polling| polling.mark(Marks::DELIVERS));
}

impl Delivery {
    /// Whether no later one stands for it, and what it was made of is around this code.
    fn is_latest(&self) -> bool {
        let is_latest = match self.target {
            Target::Task(id) => with_current(|header| {
                let latest = header.extra.get().map(Extra::latest_delivery);
                header.id == id && latest == Some(self.number)
            }),
            Target::Region(name) => {
                find_around(|frame| Some(named(frame, name)?.deliveries == self.number))
            }
        };
        is_latest == Some(true)
    }

    /// Whether what it was made of is around this code.
    fn is_here(&self) -> bool {
        match self.target {
            Target::Task(id) => super::current::current_id() == Some(id),
            Target::Region(name) => find_around(|frame| named(frame, name).map(drop)).is_some(),
        }
    }

    /// Whether it was handed on, and nobody has taken it: it may end this code yet.
    fn is_waiting(&self) -> bool {
        let is_waiting = match self.target {
            Target::Task(id) => {
                with_current(|header| header.id == id && header.state.load().is_cancel_pending())
            }
            Target::Region(name) => find_around(|frame| Some(named(frame, name)?.asked)),
        };
        is_waiting == Some(true)
    }
}

/// Makes a delivery wait again whose holder is dropped, unless a later one stands for it, or what
/// it was made of is not around this code.
fn put_back_unless_overtaken(delivery: &mut Delivery) {
    if delivery.is_latest() {
        put_back(delivery);
    }
}

/// What was delivered to one place, until that hands it on: once for each thing that was asked to
/// end. Dropped before that, as the loser of a race for example, it puts them back.
#[derive(Debug, Default)]
pub(crate) struct Deliveries(Vec<Delivery>);

impl From<Delivery> for Deliveries {
    fn from(delivery: Delivery) -> Self {
        Self(vec![delivery])
    }
}

impl Deliveries {
    /// Keeps all of `more`.
    pub(crate) fn keep_all(&mut self, mut more: Deliveries) {
        more.0.drain(..).for_each(|delivery| self.keep(delivery));
    }

    /// Keeps a delivery, which stands for an older one of the same target.
    pub(crate) fn keep(&mut self, delivery: Delivery) {
        match self.0.iter_mut().find(|kept| kept.target == delivery.target) {
            Some(kept) => *kept = delivery,
            None => self.0.push(delivery),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`renew`].
    pub(crate) fn renew(&mut self) {
        self.0.iter_mut().for_each(renew);
    }

    /// Whether one of them was handed on and not taken yet. Then `waker` is woken when it is.
    fn are_waiting(&self, waker: &Waker) -> bool {
        let is_waiting = self.0.iter().any(Delivery::is_waiting);
        if is_waiting {
            let waker = waker.clone(); // foreign code: not under the lock
            let known = with_current(|header| header.extra.get_or_make().await_taker(waker));
            drop(known);
        }
        is_waiting
    }

    /// Hands them on for code that has something to give where it goes on all the same: true, as
    /// long as they wait to be taken. What they were made of may not be around this code any more.
    pub(crate) fn hand_on(&mut self, waker: &Waker) -> bool {
        let here = self.0.iter_mut().filter(|delivery| delivery.is_here());
        here.for_each(renew);
        self.are_waiting(waker)
    }

    /// As [`put_back`], for those whose target is around this code.
    pub(crate) fn put_back(&mut self) {
        let here = self.0.iter_mut().filter(|delivery| delivery.is_here());
        here.for_each(put_back);
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        let open = self.0.iter_mut().filter(|delivery| !delivery.handed_on);
        open.for_each(put_back_unless_overtaken);
    }
}
