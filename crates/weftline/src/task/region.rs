//! Regions: the parts of a task that a request to end may be meant for, and that may answer it.
//!
//! A request is made of a whole task (`Task::cancel`) or of one region of it (a `timeout` that
//! expires, a group whose child failed). It is delivered when the task is suspended, to the
//! innermost region that *catches*: that one drops the future inside of it and goes on. What such
//! a region does not keep for itself it hands on (`renew`) to the next one, up to the one that the
//! request was made of.
//!
//! All of this happens inside of polls, which nest as regions do. So there is no tree of regions
//! anywhere: while a region is polled it stands on the stack of that poll (`Frame`), and what is
//! asked of it is written there. `docs/cancellation.md` draws it.

use super::Id;
use super::current::{Marks, Polling, with_current};
use super::extra::CancelReason;
use crate::platform::global::{AtomicU64, Ordering};
use std::cell::Cell;
use std::ptr::NonNull;
use std::task::Poll;
use std::time::Instant;

/// A region while it is polled: it lives on the stack of that poll, and is linked to the one around
/// it.
#[derive(Debug)]
pub(super) struct Frame {
    /// The region around it; `None` where that is the task, or no region at all.
    outer: Option<NonNull<Frame>>,
    /// Its name, once something was asked of it; zero before.
    name: u64,
    /// When it ends by itself.
    deadline: Option<Instant>,
    /// Requests from outside are not seen inside.
    shields: bool,
    /// It was asked to end, and nobody has taken the delivery.
    asked: Cell<bool>,
    /// Of whom a request was made that was delivered inside and not handed on: `NOBODY`, `TASK`, or
    /// the name of a region around this one.
    took: Cell<u64>,
}

/// A region that can be asked to end: the body of a timeout, of a group.
#[derive(Debug, Default)]
pub(crate) struct Region {
    /// Its name, once something was asked of it; zero before.
    name: u64,
    /// When it ends by itself.
    deadline: Option<Instant>,
    /// It was asked to end, and nobody has taken the delivery.
    asked: bool,
    /// Of whom a request was made that was delivered inside and not handed on; see [`Frame`].
    took: u64,
}

/// No region is called so.
const NOBODY: u64 = 0;
/// Nor so.
const TASK: u64 = u64::MAX;

/// What a poll of a region's inside came to.
pub(crate) enum Inside<T> {
    /// It is ready.
    Ready(T),
    /// It is suspended. `alone`: no region inside would have a say if this one were asked to end.
    Pending { alone: bool },
    /// It is suspended, the region was asked to end, and nobody inside has taken that: the future
    /// inside is to be dropped.
    Ended,
}

impl Region {
    /// A region that ends by itself at `deadline`, if there is one.
    pub(crate) fn ending_at(deadline: Option<Instant>) -> Self {
        Self { deadline, ..Self::default() }
    }

    /// A later or earlier end.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Asks the region to end: seen by what is inside from its next poll on. No second time.
    pub(crate) fn ask(&mut self) {
        // Relaxed: any number will do, as long as no two are the same.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.name == 0 {
            self.name = NEXT.fetch_add(1, Ordering::Relaxed);
            self.deadline = None;
            self.asked = true;
        }
    }

    /// Whether it was asked to end.
    pub(crate) fn was_asked(&self) -> bool {
        self.name != 0
    }

    /// For a region that has ended: the request from outside that code inside was about to answer
    /// when it was dropped, if there is one. Taking the task's requests back is an answer.
    pub(crate) fn unanswered(&self) -> Option<Delivery> {
        match self.took {
            NOBODY => None,
            TASK => with_current(|header| {
                let open = header.extra.get().is_some_and(|extra| extra.cancelling() > 0);
                let target = Target::Task(header.id);
                open.then(|| Delivery { target, reason: header.cancel_reason(), handed_on: false })
            })
            .flatten(),
            name => {
                let delivery =
                    Delivery { target: Target::Region(name), reason: None, handed_on: false };
                find_around(|frame| (frame.name == name).then_some(delivery.clone()))
            }
        }
    }

    /// Polls what is inside.
    #[inline]
    pub(crate) fn poll<T>(&mut self, inside: impl FnOnce() -> Poll<T>) -> Inside<T> {
        let frame = Frame {
            outer: innermost(),
            name: self.name,
            deadline: self.deadline,
            shields: false,
            asked: Cell::new(self.asked),
            took: Cell::new(self.took),
        };
        let (polled, left) = frame.poll(inside);
        self.asked = frame.asked.get();
        self.took = frame.took.get();
        match polled {
            Poll::Ready(value) => Inside::Ready(value),
            Poll::Pending if self.asked && !left.is_held() => {
                arrived();
                Inside::Ended
            }
            Poll::Pending => Inside::Pending { alone: left.is_nothing_beside() },
        }
    }
}

impl Frame {
    /// Polls inside of this region. Also gives what is said of the inside then.
    #[inline]
    fn poll<T>(&self, inside: impl FnOnce() -> Poll<T>) -> (Poll<T>, Marks) {
        let apart = Apart::begin(Some(NonNull::from(self)));
        let polled = inside();
        let left = Polling::marks();
        drop(apart);
        (polled, left)
    }
}

/// The innermost region around the code that runs.
#[inline]
fn innermost() -> Option<NonNull<Frame>> {
    Polling::with(|polling| polling.innermost.get())
}

/// Keeps apart what is said of the inside of a region and of what is beside it, until it is dropped.
struct Apart {
    /// The innermost region around.
    outer: Option<NonNull<Frame>>,
    /// What was said of what is beside it.
    beside: Marks,
}

impl Apart {
    #[inline]
    fn begin(innermost: Option<NonNull<Frame>>) -> Self {
        Polling::with(|polling| Self {
            outer: polling.innermost.replace(innermost),
            beside: polling.mark_apart(),
        })
    }
}

impl Drop for Apart {
    #[inline]
    fn drop(&mut self) {
        Polling::with(|polling| {
            polling.innermost.set(self.outer);
            polling.mark(self.beside);
        });
    }
}

/// What a poll inside of a catching region came to.
pub(crate) enum Caught<T> {
    /// It is ready.
    Ready(T),
    /// It is suspended.
    Pending,
    /// It is suspended, and a request to end was delivered here: the future inside is to be
    /// dropped.
    Delivered(Delivery),
}

/// A request that was delivered, to be kept or handed on.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    target: Target,
    /// What was said by whoever made it.
    pub(crate) reason: Option<CancelReason>,
    /// It was handed on: it waits elsewhere, or somebody else has it.
    handed_on: bool,
}

/// What a request was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The task.
    Task(Id),
    /// One region, by its name.
    Region(u64),
}

impl Target {
    /// As it is noted in regions.
    fn whose(self) -> u64 {
        match self {
            Target::Task(_) => TASK,
            Target::Region(name) => name,
        }
    }
}

/// Polls what is inside of a region that catches.
pub(crate) fn catching<T>(inside: impl FnOnce() -> Poll<T>) -> Caught<T> {
    let apart = Apart::begin(innermost());
    let polled = inside();
    let left = Polling::marks();
    drop(apart);
    Polling::with(|polling| polling.mark(Marks::CATCHES));
    match polled {
        Poll::Ready(value) => Caught::Ready(value),
        Poll::Pending if left.is_held() => Caught::Pending,
        Poll::Pending => take_delivery().map_or(Caught::Pending, Caught::Delivered),
    }
}

/// For a leaf that is pending and catches by itself: the request that is delivered here.
#[inline]
pub(crate) fn deliver_here() -> Option<Delivery> {
    Polling::with(|polling| polling.mark(Marks::CATCHES));
    take_delivery()
}

/// Polls what must not be interrupted: requests from outside are not seen inside, and wait.
pub(crate) fn shielding<T>(inside: impl FnOnce() -> Poll<T>) -> Poll<T> {
    let (asked, took) = (Cell::new(false), Cell::new(NOBODY));
    let frame = Frame { outer: innermost(), name: 0, deadline: None, shields: true, asked, took };
    // What was handed on elsewhere in this poll says nothing of the inside.
    let elsewhere = Polling::with(|polling| polling.unmark(Marks::RESUMED));
    let (polled, left) = frame.poll(inside);
    if elsewhere {
        Polling::with(|polling| polling.mark(Marks::RESUMED));
    }
    // What was delivered inside and is handed on goes through.
    if polled.is_pending() && !left.is_resumed() {
        Polling::with(|polling| polling.mark(Marks::HELD));
    }
    polled
}

/// Shows the regions around this place, the innermost first, until one gives an answer.
fn find_around<R>(mut look: impl FnMut(&Frame) -> Option<R>) -> Option<R> {
    let mut next = innermost();
    while let Some(frame) = next {
        // SAFETY: a frame is linked only while `Frame::poll` borrows it (`Apart` takes it out also
        // where a poll panics), and this runs inside of that call.
        let frame = unsafe { frame.as_ref() };
        if let Some(answer) = look(frame) {
            return Some(answer);
        }
        next = frame.outer;
    }
    None
}

/// Takes what is asked of the regions around this place and of the task: one delivery for all of it.
#[inline]
fn take_delivery() -> Option<Delivery> {
    let nothing = !Polling::marks().delivers() && innermost().is_none();
    if nothing { None } else { take_asked() }
}

#[cold]
fn take_asked() -> Option<Delivery> {
    let mut outermost = None;
    let shield = find_around(|frame| {
        if frame.asked.replace(false) {
            outermost = Some(frame.name);
        }
        frame.shields.then_some(())
    });
    let of_task = if shield.is_none() { take_from_task() } else { None };
    let of_region =
        |name| Delivery { target: Target::Region(name), reason: None, handed_on: false };
    let taken = of_task.or_else(|| outermost.map(of_region));
    if let Some(delivery) = &taken {
        arrived();
        note_taken(delivery.target);
    }
    taken
}

/// What was handed on has reached a region: a shield around what follows in this poll is to hold
/// again.
fn arrived() {
    Polling::with(|polling| polling.unmark(Marks::RESUMED));
}

fn take_from_task() -> Option<Delivery> {
    if !Polling::with(|polling| polling.unmark(Marks::DELIVERS)) {
        return None;
    }
    with_current(|header| {
        let target = Target::Task(header.id);
        header.state.take_cancel().then(|| Delivery {
            target,
            reason: header.cancel_reason(),
            handed_on: false,
        })
    })
    .flatten()
}

/// Notes in the regions around this place, up to the one that a request was made of, that code
/// inside has it.
fn note_taken(target: Target) {
    let whose = target.whose();
    find_around(|frame| {
        if frame.name == whose {
            return Some(());
        }
        if frame.took.get() != TASK {
            frame.took.set(whose);
        }
        None
    });
}

/// Notes in the same regions that code inside has given it back.
fn note_given_back(target: Target) {
    let whose = target.whose();
    find_around(|frame| {
        if frame.took.get() == whose {
            frame.took.set(NOBODY);
        }
        None::<()>
    });
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
/// polls, while what it was handed to is busy with it, change nothing.
pub(crate) fn renew(delivery: &mut Delivery) {
    Polling::with(|polling| polling.mark(Marks::RESUMED));
    if !std::mem::replace(&mut delivery.handed_on, true) {
        put_back(delivery);
    }
}

/// Makes a delivery wait again, where the code goes on with a value: it comes at the next
/// suspension.
pub(crate) fn put_back(delivery: &Delivery) {
    note_given_back(delivery.target);
    if let Target::Region(name) = delivery.target {
        let found = find_around(|frame| (frame.name == name).then(|| frame.asked.set(true)));
        if found.is_some() {
            return;
        }
    }
    // A region that is not around this code any more cannot end: the task does.
    with_current(|header| header.state.renew_cancel());
    Polling::with(|polling| polling.mark(Marks::DELIVERS));
}

/// What was delivered to one place, until that hands it on: once for each thing that was asked to
/// end.
#[derive(Debug, Default)]
pub(crate) struct Deliveries(Vec<Delivery>);

impl From<Delivery> for Deliveries {
    fn from(delivery: Delivery) -> Self {
        Self(vec![delivery])
    }
}

impl Deliveries {
    /// Keeps all of `more`.
    pub(crate) fn keep_all(&mut self, more: Deliveries) {
        more.0.into_iter().for_each(|delivery| self.keep(delivery));
    }

    /// Keeps a delivery, unless one like it is here.
    pub(crate) fn keep(&mut self, delivery: Delivery) {
        if !self.0.iter().any(|kept| kept.target == delivery.target) {
            self.0.push(delivery);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`renew`].
    pub(crate) fn renew(&mut self) {
        self.0.iter_mut().for_each(renew);
    }

    /// As [`put_back`].
    pub(crate) fn put_back(&self) {
        self.0.iter().filter(|delivery| !delivery.handed_on).for_each(put_back);
    }
}

/// Whether requests from outside are not seen at this place.
pub(super) fn is_shielded() -> bool {
    find_around(|frame| frame.shields.then_some(())).is_some()
}

/// Calls a function outside of all regions. `shielded`: requests to end the task are not seen.
pub(super) fn outside<R>(shielded: bool, call: impl FnOnce() -> R) -> R {
    let (asked, took) = (Cell::new(false), Cell::new(NOBODY));
    let frame = Frame { outer: None, name: 0, deadline: None, shields: true, asked, took };
    let _apart = Apart::begin(shielded.then(|| NonNull::from(&frame)));
    call()
}

/// Whether a region around this place ends by itself at `deadline` or before.
pub(crate) fn ends_by(deadline: Instant) -> bool {
    let sooner = find_around(|frame| {
        if frame.shields {
            return Some(false);
        }
        frame.deadline.is_some_and(|outer| outer <= deadline).then_some(true)
    });
    sooner == Some(true)
}
