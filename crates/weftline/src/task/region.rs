//! Regions: the parts of a task that a request to end may be meant for, and that may answer it.
//!
//! A request is made of a whole task (`Task::cancel`) or of one region of it (a `timeout` that
//! expires, a group whose child failed). It is delivered when the task is suspended, to the
//! innermost region that *catches*: that one drops the future inside of it and goes on. What such
//! a region does not keep for itself it hands on (`renew`) to the next one, up to the one that the
//! request was made of.
//!
//! All of this happens inside of polls, which nest as regions do. So there is no tree of regions
//! anywhere: while a region is polled it stands on this thread's stack of [`Frame`]s, and what is
//! asked of it is written there. `docs/cancellation.md` draws it.

use super::Id;
use super::current::{with_current, with_polling};
use super::extra::CancelReason;
use crate::platform::global::{AtomicU64, Ordering};
use std::cell::RefCell;
use std::task::Poll;
use std::time::Instant;

thread_local! {
    /// The regions that are being polled on this thread, the innermost one last.
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// A region while it is polled.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
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
    /// As in [`Frame`], between two polls.
    frame: Frame,
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
        Self { frame: Frame { deadline, ..Frame::default() } }
    }

    /// A later or earlier end.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.frame.deadline = deadline;
    }

    /// Asks the region to end: seen by what is inside from its next poll on. No second time.
    pub(crate) fn ask(&mut self) {
        // Relaxed: any number will do, as long as no two are the same.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.frame.name == 0 {
            let name = NEXT.fetch_add(1, Ordering::Relaxed);
            self.frame = Frame { name, deadline: None, asked: true, shields: false };
        }
    }

    /// Whether it was asked to end.
    pub(crate) fn was_asked(&self) -> bool {
        self.frame.name != 0
    }

    /// Polls what is inside.
    #[inline]
    pub(crate) fn poll<T>(&mut self, inside: impl FnOnce() -> Poll<T>) -> Inside<T> {
        let entered = Entered::enter(self.frame);
        let polled = inside();
        let left = entered.leave();
        self.frame = left.frame;
        match polled {
            Poll::Ready(value) => Inside::Ready(value),
            Poll::Pending if left.frame.asked && !left.held => Inside::Ended,
            Poll::Pending => Inside::Pending { alone: !left.catches && !left.held },
        }
    }
}

/// A frame on the stack. Left by dropping it where what is inside panics.
struct Entered {
    /// What [`super::current::Polling`] said of what is beside the region.
    outer_held: bool,
    outer_catches: bool,
}

/// What a frame looked like at the end.
struct Left {
    frame: Frame,
    /// What is suspended inside must not be interrupted.
    held: bool,
    /// A region inside can take a delivery.
    catches: bool,
}

impl Entered {
    #[inline]
    fn enter(frame: Frame) -> Self {
        FRAMES.with_borrow_mut(|frames| frames.push(frame));
        with_polling(|polling| {
            polling.depth += 1;
            Self {
                outer_held: std::mem::take(&mut polling.held),
                outer_catches: std::mem::take(&mut polling.catches),
            }
        })
    }

    #[inline]
    fn leave(self) -> Left {
        let frame = FRAMES.with_borrow(|frames| frames.last().copied()).unwrap_or_default();
        let (held, catches) = with_polling(|polling| (polling.held, polling.catches));
        Left { frame, held, catches }
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        FRAMES.with_borrow_mut(Vec::pop);
        with_polling(|polling| {
            polling.depth -= 1;
            polling.held |= self.outer_held;
            polling.catches |= self.outer_catches;
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
    let holding = Holding::begin(true);
    let polled = inside();
    let held = with_polling(|polling| polling.held);
    drop(holding);
    match polled {
        Poll::Ready(value) => Caught::Ready(value),
        Poll::Pending if held => Caught::Pending,
        Poll::Pending => take_delivery().map_or(Caught::Pending, Caught::Delivered),
    }
}

/// For a leaf that is pending and catches by itself: the request that is delivered here.
#[inline]
pub(crate) fn deliver_here() -> Option<Delivery> {
    with_polling(|polling| polling.catches = true);
    take_delivery()
}

/// Polls what must not be interrupted: requests from outside are not seen inside, and wait.
pub(crate) fn shielding<T>(inside: impl FnOnce() -> Poll<T>) -> Poll<T> {
    let entered = Entered::enter(Frame { shields: true, ..Frame::default() });
    let polled = inside();
    drop(entered);
    if polled.is_pending() {
        // What was delivered inside and is handed on goes through.
        with_polling(|polling| polling.held |= !polling.resumed);
    }
    polled
}

/// Keeps apart what is held inside of a region and beside it.
struct Holding {
    outer: bool,
}

impl Holding {
    fn begin(catches: bool) -> Self {
        with_polling(|polling| {
            polling.catches |= catches;
            Self { outer: std::mem::take(&mut polling.held) }
        })
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        with_polling(|polling| polling.held |= self.outer);
    }
}

/// Lends the frames of this poll that are seen from here, the outermost first, and whether the
/// task itself is.
fn with_visible<R>(look: impl FnOnce(&mut [Frame], bool) -> R) -> R {
    let base = with_polling(|polling| polling.base) as usize;
    FRAMES.with_borrow_mut(|frames| {
        let own = frames.get_mut(base..).unwrap_or_default();
        let first = own.iter().rposition(|frame| frame.shields).map_or(0, |shield| shield + 1);
        look(&mut own[first..], first == 0)
    })
}

/// Takes what is asked of the regions around this place and of the task: one delivery for all of it.
#[inline]
fn take_delivery() -> Option<Delivery> {
    let idle = with_polling(|polling| !polling.deliver && polling.depth == polling.base);
    if idle { None } else { take_asked() }
}

#[cold]
fn take_asked() -> Option<Delivery> {
    let region = with_visible(|frames, _| {
        let mut asked = frames.iter_mut().filter(|frame| frame.asked);
        let outermost = asked.next()?;
        outermost.asked = false;
        let name = outermost.name;
        asked.for_each(|frame| frame.asked = false);
        Some(Target::Region(name))
    });
    let of_region = region.map(|target| Delivery { target, reason: None });
    take_from_task().or(of_region)
}

fn take_from_task() -> Option<Delivery> {
    let visible = with_visible(|_, task| task);
    if !visible || !with_polling(|polling| std::mem::take(&mut polling.deliver)) {
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
    let before = with_polling(|polling| std::mem::replace(&mut polling.deliver, true));
    let taken = take_delivery();
    if taken.is_none() {
        with_polling(|polling| polling.deliver = before);
    }
    taken
}

/// Hands a delivery on to the next region, as part of a poll that is pending then.
pub(crate) fn renew(delivery: &Delivery) {
    with_polling(|polling| polling.resumed = true);
    if let Target::Region(name) = delivery.target {
        let base = with_polling(|polling| polling.base) as usize;
        let found = FRAMES.with_borrow_mut(|frames| {
            let mut own = frames.iter_mut().skip(base);
            own.find(|frame| frame.name == name).map(|frame| frame.asked = true)
        });
        if found.is_some() {
            return;
        }
    }
    // A region that is not around this code any more cannot end: the task does.
    with_current(|header| header.state.renew_cancel());
    with_polling(|polling| polling.deliver = true);
}

/// Whether a region around this place ends by itself at `deadline` or before.
pub(crate) fn ends_by(deadline: Instant) -> bool {
    with_visible(|frames, _| {
        let mut deadlines = frames.iter().filter_map(|frame| frame.deadline);
        deadlines.any(|outer| outer <= deadline)
    })
}
