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
//! asked of it is written there. `docs/cancellation.md` draws it. Next: `notes.rs`, `delivery.rs`,
//! `bells.rs`.

use super::bells::{self, AfterPoll, Bells, OwnBell};
use super::current::{Marks, Polling, with_current};
pub(crate) use super::delivery::{
    Deliveries, Delivery, decline, renew, take_delivery, take_undelivered,
};
use super::delivery::{NOBODY, close_shields, is_asked, take_over, wake_those_before};
use super::extra::Extra;
use super::notes::{Notes, Said};
use super::waking::wake_all;
use crate::platform::global::{AtomicU64, Ordering};
use crate::platform::{Mutex, MutexGuard};
use std::cell::{Cell, OnceCell};
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// A region while it is polled: it lives on the stack of that poll, and is linked to the one around
/// it.
#[derive(Debug)]
pub(super) struct Frame<'w> {
    /// The region around it; `None` where that is the task, or no region at all.
    outer: Option<Linked>,
    /// The waker that it is polled with.
    waker: &'w Waker,
    /// When it ends by itself.
    deadline: Option<Instant>,
    /// Requests from outside are not seen inside.
    pub(super) shields: bool,
    /// What is handed on inside of it in this poll goes through, where it shields.
    pub(super) open: Cell<bool>,
    /// What else there is to know of it, once there is anything.
    notes: OnceCell<Box<Notes>>,
}

/// A frame that is linked. For how long its waker is lent, only `find_around` knows.
pub(super) type Linked = NonNull<Frame<'static>>;

/// A region that can be asked to end: the body of a timeout, of a group.
#[derive(Debug, Default)]
pub(crate) struct Region {
    /// What there is to know of it, once there is anything.
    notes: Option<Box<Notes>>,
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
    /// Asks the region to end: seen by what is inside from its next poll on. No second time.
    pub(crate) fn ask(&mut self) {
        static NEXT: AtomicU64 = AtomicU64::new(NOBODY + 1);
        let notes = self.notes.get_or_insert_default();
        if notes.name == NOBODY {
            // Relaxed: any number will do, as long as no two are the same.
            notes.name = NEXT.fetch_add(1, Ordering::Relaxed);
            notes.said.get_mut().asked = true;
        }
    }

    /// Whether it was asked to end.
    #[inline]
    pub(crate) fn was_asked(&self) -> bool {
        self.notes.as_ref().is_some_and(|notes| notes.name != NOBODY)
    }

    /// For a region that has ended: the request from outside that code inside was about to answer
    /// when it was dropped, if there is one.
    pub(crate) fn unanswered(&self) -> Option<Delivery> {
        let took = self.notes.as_ref()?.said.lock().took;
        if took == NOBODY { None } else { take_over(took) }
    }

    /// Polls what is inside. `deadline`: when the region ends by itself, if it has not been asked to
    /// end.
    #[inline]
    pub(crate) fn poll<T>(
        &mut self,
        deadline: Option<Instant>,
        cx: &mut Context<'_>,
        inside: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Inside<T> {
        let frame = Frame { deadline, ..Frame::new(cx.waker(), self.notes.take()) };
        let (polled, left) = frame.poll(cx, inside);
        self.notes = frame.notes.into_inner();
        if let Poll::Ready(value) = polled {
            take_down_bell(&mut self.notes);
            return Inside::Ready(value);
        }
        if let Some(notes) = &mut self.notes {
            if ends(notes, left, cx.waker()) {
                return Inside::Ended;
            }
        }
        let alone = left.is_nothing_beside();
        if alone {
            take_down_bell(&mut self.notes);
        } else {
            hang_bell(&mut self.notes, cx.waker(), left.is_held());
        }
        Inside::Pending { alone }
    }
}

/// A region of which something was said is suspended: whether it ends there.
#[cold]
fn ends(notes: &mut Notes, left: Marks, waker: &Waker) -> bool {
    let said = notes.said.get_mut();
    if said.asked && !left.is_held() {
        notes.bell.take_down();
        close_shields();
        wake_those_before();
        return true;
    }
    if said.goes_with > 0 && said.goes_with > requests_of_task() {
        // What went with it was taken back, which is no answer to what was asked of this one.
        said.goes_with = 0;
        said.asked = true;
        waker.wake_by_ref();
    }
    false
}

/// How many requests of the task were made and not taken back.
pub(super) fn requests_of_task() -> u32 {
    with_current(|header| header.extra.get().map_or(0, Extra::cancelling)).unwrap_or(0)
}

impl<'w> Frame<'w> {
    #[inline]
    fn new(waker: &'w Waker, notes: Option<Box<Notes>>) -> Self {
        Self {
            outer: innermost(),
            waker,
            deadline: None,
            shields: false,
            open: Cell::new(false),
            notes: notes.map_or_else(OnceCell::new, OnceCell::from),
        }
    }

    /// Polls inside of this region. Also gives what is said of the inside then.
    #[inline]
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        inside: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> (Poll<T>, Marks) {
        let apart = Apart::begin(Some(self.link()));
        if let Some(notes) = self.notes.get() {
            ring_if_asked(&notes.bells);
        }
        let polled = inside(cx);
        let marks = Polling::marks();
        if polled.is_pending() && marks.is_unasked() && !marks.is_held() && is_asked() {
            wait_for_the_next_poll(cx.waker());
        }
        if let Some(notes) = self.notes.get().filter(|_| polled.is_pending()) {
            wait_for_the_rung(&notes.bells, cx.waker());
        }
        let left = Polling::marks();
        drop(apart);
        (polled, left)
    }

    /// Its name; `NOBODY`, if nothing was ever asked of it.
    pub(super) fn name(&self) -> u64 {
        self.notes.get().map_or(NOBODY, |notes| notes.name)
    }

    /// What was said of it, if anything was.
    pub(super) fn said(&self) -> Option<MutexGuard<'_, Said>> {
        self.notes.get().map(|notes| notes.said.lock())
    }

    /// As [`said`](Self::said), to say the first.
    pub(super) fn notes(&self) -> &Notes {
        self.notes.get_or_init(Box::default)
    }

    /// Whether it was asked to end, and nobody has taken the delivery.
    pub(super) fn is_asked(&self) -> bool {
        self.said().is_some_and(|said| said.asked)
    }

    #[inline]
    fn is_polled_with(&self, waker: &Waker) -> bool {
        self.waker.will_wake(waker)
    }

    #[inline]
    fn link(&self) -> Linked {
        NonNull::from(self).cast()
    }
}

/// Those inside who are polled only when they were woken are woken, if there is a request for them.
#[cold]
fn ring_if_asked(bells: &Mutex<Bells>) {
    if is_asked() && !bells::is_none(bells) {
        wake_all(bells::ring(bells, 0));
    } else {
        bells::settle(bells);
    }
}

/// What is there was not there when some region inside was polled: it waits for the next poll.
#[cold]
fn wait_for_the_next_poll(waker: &Waker) {
    Polling::with(|polling| polling.mark(Marks::HELD));
    waker.wake_by_ref();
}

/// What is inside was polled. A request that is still there waits for the next poll, where somebody
/// is to be polled with it before.
#[cold]
fn wait_for_the_rung(bells: &Mutex<Bells>, waker: &Waker) {
    if bells::is_none(bells) {
        return;
    }
    Polling::with(|polling| polling.mark(Marks::CATCHES));
    if !is_asked() {
        bells::settle(bells);
    } else if !Polling::marks().is_held() {
        let is_woken = with_current(|header| header.state.is_notified()) == Some(true);
        let after = bells::after_poll(bells, is_woken);
        match after {
            AfterPoll::Take => {}
            AfterPoll::Again => wait_for_the_next_poll(waker),
            AfterPoll::Held => Polling::with(|polling| polling.mark(Marks::HELD)),
        }
    }
}

/// Whether the code that runs is polled with another waker than whoever is around it, and could be
/// asked from there. (Nothing from outside is delivered inside of a shield.)
#[inline]
fn has_own_waker(waker: &Waker) -> bool {
    let in_region = find_around(|outer| Some(!outer.shields && !outer.is_polled_with(waker)));
    in_region.unwrap_or_else(|| Polling::with(|polling| polling.has_other_waker_than(waker)))
}

/// A region is suspended: where it has a waker of its own, it leaves that with whoever is around it.
/// `holds`: what is inside must not be interrupted.
#[inline]
fn hang_bell(notes: &mut Option<Box<Notes>>, waker: &Waker, holds: bool) {
    if has_own_waker(waker) {
        hang_own(&mut notes.get_or_insert_default().bell, waker, holds);
    }
}

/// The region is suspended no more.
#[inline]
fn take_down_bell(notes: &mut Option<Box<Notes>>) {
    if let Some(notes) = notes {
        notes.bell.take_down();
    }
}

#[cold]
fn hang_own(bell: &mut OwnBell, waker: &Waker, holds: bool) {
    let in_region = find_around(|outer| {
        bell.hang(&outer.notes().bells, waker, holds);
        Some(())
    });
    if in_region.is_none() {
        with_current(|header| bell.hang(&header.extra.get_or_make().bells, waker, holds));
    }
}

/// The innermost region around the code that runs.
#[inline]
pub(super) fn innermost() -> Option<Linked> {
    Polling::with(|polling| polling.innermost.get())
}

/// Keeps apart what is said of the inside of a region and of what is beside it, until it is dropped.
struct Apart {
    /// The innermost region around.
    outer: Option<Linked>,
    /// What was said of what is beside it.
    beside: Marks,
}

impl Apart {
    #[inline]
    fn begin(innermost: Option<Linked>) -> Self {
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

/// A region that catches, from poll to poll.
#[derive(Debug, Default)]
pub(crate) struct Catching {
    /// What there is to know of it, once there is anything.
    notes: Option<Box<Notes>>,
}

impl Catching {
    /// Polls what is inside.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        inside: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Caught<T> {
        let frame = Frame::new(cx.waker(), self.notes.take());
        let (polled, left) = frame.poll(cx, inside);
        self.notes = frame.notes.into_inner();
        if let Poll::Ready(value) = polled {
            take_down_bell(&mut self.notes);
            return Caught::Ready(value);
        }
        let delivery = if left.is_held() { None } else { take_delivery() };
        if let Some(delivery) = delivery {
            take_down_bell(&mut self.notes);
            return Caught::Delivered(delivery);
        }
        Polling::with(|polling| polling.mark(Marks::CATCHES));
        hang_bell(&mut self.notes, cx.waker(), left.is_held());
        Caught::Pending
    }
}

/// A leaf that is pending and catches by itself, from poll to poll.
#[derive(Debug, Default)]
pub(crate) struct Leaf(OwnBell);

impl Leaf {
    /// Whether nothing can be delivered to a leaf here in this poll, nor would it hang a bell; what
    /// nearly always is so. Says that the leaf catches.
    #[inline]
    pub(crate) fn is_quiet_here(cx: &Context<'_>) -> bool {
        Polling::with(|polling| {
            let is_alone = polling.innermost.get().is_none() && !polling.marks.get().delivers();
            let is_quiet = is_alone && polling.is_polled_with(cx.waker());
            if is_quiet {
                polling.mark(Marks::CATCHES);
            }
            is_quiet
        })
    }

    /// The leaf is pending: the request that is delivered to it.
    pub(crate) fn deliver_here(&mut self, cx: &Context<'_>) -> Option<Delivery> {
        Polling::with(|polling| polling.mark(Marks::CATCHES));
        if has_own_waker(cx.waker()) {
            hang_own(&mut self.0, cx.waker(), false);
        }
        take_delivery()
    }

    /// Whether it is polled only when it was woken, and so must be kept from poll to poll.
    pub(crate) fn has_bell(&self) -> bool {
        self.0.is_hung()
    }

    /// The leaf catches nothing any more.
    pub(crate) fn close(&mut self) {
        self.0.take_down();
    }
}

/// What must not be interrupted, from poll to poll.
#[derive(Debug, Default)]
pub(crate) struct Shielding(OwnBell);

impl Shielding {
    /// Polls what is inside: requests from outside are not seen there, and wait.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        inside: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let frame = Frame { shields: true, ..Frame::new(cx.waker(), None) };
        let (polled, _) = frame.poll(cx, inside);
        if polled.is_pending() && !frame.open.get() {
            Polling::with(|polling| polling.mark(Marks::HELD));
            if has_own_waker(cx.waker()) {
                hang_own(&mut self.0, cx.waker(), true);
            }
        } else {
            self.0.take_down();
        }
        polled
    }
}

/// Shows the regions around this place, the innermost first, until one gives an answer.
pub(super) fn find_around<R>(mut look: impl FnMut(&Frame<'_>) -> Option<R>) -> Option<R> {
    let mut next = innermost();
    while let Some(frame) = next {
        // SAFETY: a frame is linked only while `Frame::poll` borrows it (`Apart` takes it out also
        // where a poll panics), and this runs inside of that call. `look` has it for the length of
        // this call, whatever the lifetime in its type says.
        let frame = unsafe { frame.as_ref() };
        if let Some(answer) = look(frame) {
            return Some(answer);
        }
        next = frame.outer;
    }
    None
}

/// Whether requests from outside are not seen at this place.
pub(super) fn is_shielded() -> bool {
    find_around(|frame| frame.shields.then_some(())).is_some()
}

/// Calls a function outside of all regions. `shielded`: requests to end the task are not seen.
pub(super) fn outside<R>(shielded: bool, call: impl FnOnce() -> R) -> R {
    let frame = Frame { outer: None, shields: true, ..Frame::new(Waker::noop(), None) };
    let _apart = Apart::begin(shielded.then(|| frame.link()));
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
