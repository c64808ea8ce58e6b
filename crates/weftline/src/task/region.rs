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
use super::current::{Polling, with_current};
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
    /// What is known of it.
    about: Cell<About>,
}

/// What is known of a region.
#[derive(Clone, Copy, Debug, Default)]
struct About {
    /// Its name, once something was asked of it; zero before.
    name: u64,
    /// When it ends by itself.
    deadline: Option<Instant>,
    /// It was asked to end, and nobody has taken the delivery.
    asked: bool,
    /// Requests from outside are not seen inside.
    shields: bool,
}

/// A region that can be asked to end: the body of a timeout, of a group.
#[derive(Debug, Default)]
pub(crate) struct Region {
    /// What is known of it between two polls.
    about: About,
}

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
        Self { about: About { deadline, ..About::default() } }
    }

    /// A later or earlier end.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.about.deadline = deadline;
    }

    /// Asks the region to end: seen by what is inside from its next poll on. No second time.
    pub(crate) fn ask(&mut self) {
        // Relaxed: any number will do, as long as no two are the same.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.about.name == 0 {
            let name = NEXT.fetch_add(1, Ordering::Relaxed);
            self.about = About { name, deadline: None, asked: true, shields: false };
        }
    }

    /// Whether it was asked to end.
    pub(crate) fn was_asked(&self) -> bool {
        self.about.name != 0
    }

    /// Polls what is inside.
    #[inline]
    pub(crate) fn poll<T>(&mut self, inside: impl FnOnce() -> Poll<T>) -> Inside<T> {
        let (polled, left, about) = within(self.about, inside);
        self.about = about;
        match polled {
            Poll::Ready(value) => Inside::Ready(value),
            Poll::Pending if about.asked && !left.held => Inside::Ended,
            Poll::Pending => Inside::Pending { alone: !left.catches && !left.held },
        }
    }
}

/// Polls inside of a region that stands on the stack meanwhile. Gives back what was left inside of it,
/// and what is known of it then.
#[inline]
fn within<T>(about: About, inside: impl FnOnce() -> Poll<T>) -> (Poll<T>, Beside, About) {
    let frame = Frame { outer: innermost(), about: Cell::new(about) };
    let apart = Apart::begin(Some(NonNull::from(&frame)));
    let polled = inside();
    let left = apart.inside();
    drop(apart);
    (polled, left, frame.about.get())
}

/// The innermost region around the code that runs.
#[inline]
fn innermost() -> Option<NonNull<Frame>> {
    Polling::with(|polling| polling.innermost.get())
}

/// What polls say of what they have left suspended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside {
    /// It must not be interrupted.
    pub(super) held: bool,
    /// A region that can take a delivery was polled.
    pub(super) catches: bool,
}

/// Keeps apart what is said of the inside of a region and of what is beside it, until it is dropped.
struct Apart {
    /// The innermost region around.
    outer: Option<NonNull<Frame>>,
    /// What was said of what is beside it.
    beside: Beside,
}

impl Apart {
    #[inline]
    fn begin(innermost: Option<NonNull<Frame>>) -> Self {
        Polling::with(|polling| {
            let mut marks = polling.marks.get();
            let beside = std::mem::take(&mut marks.beside);
            polling.marks.set(marks);
            Self { outer: polling.innermost.replace(innermost), beside }
        })
    }

    /// What is said of the inside.
    #[inline]
    fn inside(&self) -> Beside {
        Polling::with(|polling| polling.marks.get().beside)
    }
}

impl Drop for Apart {
    #[inline]
    fn drop(&mut self) {
        Polling::with(|polling| polling.innermost.set(self.outer));
        Polling::mark(|marks| {
            marks.beside.held |= self.beside.held;
            marks.beside.catches |= self.beside.catches;
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
}

/// What a request was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The task.
    Task(Id),
    /// One region, by its name.
    Region(u64),
}

/// Polls what is inside of a region that catches.
pub(crate) fn catching<T>(inside: impl FnOnce() -> Poll<T>) -> Caught<T> {
    let apart = Apart::begin(innermost());
    let polled = inside();
    let left = apart.inside();
    drop(apart);
    Polling::mark(|marks| marks.beside.catches = true);
    match polled {
        Poll::Ready(value) => Caught::Ready(value),
        Poll::Pending if left.held => Caught::Pending,
        Poll::Pending => take_delivery().map_or(Caught::Pending, Caught::Delivered),
    }
}

/// For a leaf that is pending and catches by itself: the request that is delivered here.
#[inline]
pub(crate) fn deliver_here() -> Option<Delivery> {
    Polling::mark(|marks| marks.beside.catches = true);
    take_delivery()
}

/// Polls what must not be interrupted: requests from outside are not seen inside, and wait.
pub(crate) fn shielding<T>(inside: impl FnOnce() -> Poll<T>) -> Poll<T> {
    let (polled, ..) = within(About { shields: true, ..About::default() }, inside);
    if polled.is_pending() {
        // What was delivered inside and is handed on goes through.
        Polling::mark(|marks| marks.beside.held |= !marks.resumed);
    }
    polled
}

/// Shows the regions around this place, the innermost first, until one gives an answer.
fn find_around<R>(mut look: impl FnMut(&Cell<About>) -> Option<R>) -> Option<R> {
    let mut next = innermost();
    while let Some(frame) = next {
        // SAFETY: a frame is linked only while `within`, on whose stack it stands, has not returned
        // (`Apart` takes it out also where a poll panics), and this runs inside of that call.
        let frame = unsafe { frame.as_ref() };
        if let Some(answer) = look(&frame.about) {
            return Some(answer);
        }
        next = frame.outer;
    }
    None
}

/// Takes what is asked of the regions around this place and of the task: one delivery for all of it.
#[inline]
fn take_delivery() -> Option<Delivery> {
    let nothing = !Polling::mark(|marks| marks.deliver) && innermost().is_none();
    if nothing { None } else { take_asked() }
}

#[cold]
fn take_asked() -> Option<Delivery> {
    let mut outermost = None;
    let shield = find_around(|cell| {
        let about = cell.get();
        if about.asked {
            outermost = Some(about.name);
            cell.set(About { asked: false, ..about });
        }
        about.shields.then_some(())
    });
    let of_task = if shield.is_none() { take_from_task() } else { None };
    let of_region = |name| Delivery { target: Target::Region(name), reason: None };
    of_task.or_else(|| outermost.map(of_region))
}

fn take_from_task() -> Option<Delivery> {
    if !Polling::mark(|marks| std::mem::take(&mut marks.deliver)) {
        return None;
    }
    with_current(|header| {
        let target = Target::Task(header.id);
        header.state.take_cancel().then(|| Delivery { target, reason: header.cancel_reason() })
    })
    .flatten()
}

/// Takes a request of the task that nobody has delivered, for code that is not suspended.
pub(crate) fn take_undelivered() -> Option<Delivery> {
    let before = Polling::mark(|marks| std::mem::replace(&mut marks.deliver, true));
    let taken = take_delivery();
    if taken.is_none() {
        Polling::mark(|marks| marks.deliver = before);
    }
    taken
}

/// Hands a delivery on to the next region, as part of a poll that is pending then.
pub(crate) fn renew(delivery: &Delivery) {
    Polling::mark(|marks| marks.resumed = true);
    if let Target::Region(name) = delivery.target {
        let found = find_around(|cell| {
            let about = cell.get();
            (about.name == name).then(|| cell.set(About { asked: true, ..about }))
        });
        if found.is_some() {
            return;
        }
    }
    // A region that is not around this code any more cannot end: the task does.
    with_current(|header| header.state.renew_cancel());
    Polling::mark(|marks| marks.deliver = true);
}

/// Whether a region around this place ends by itself at `deadline` or before.
pub(crate) fn ends_by(deadline: Instant) -> bool {
    let sooner = find_around(|cell| {
        let about = cell.get();
        if about.shields {
            return Some(false);
        }
        about.deadline.is_some_and(|outer| outer <= deadline).then_some(true)
    });
    sooner == Some(true)
}
