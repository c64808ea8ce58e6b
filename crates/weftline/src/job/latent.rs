//! Latent forks: closures on their callers' stacks that may become jobs.
//!
//! `join(a, b)` notes `b` here, runs `a`, takes the note back and runs `b`. Nobody but the thread
//! itself sees the notes, so that noting costs a few plain stores. Where somebody else would run a
//! fork ([`Wanted`]), the thread gives its oldest one away: that one is promoted.
//!
//! The notes are a list through the stack, the newest first. A thread may stand in several pieces
//! of work at once, one inside of the other, as where a task polls another one eagerly: a
//! [`Segment`] keeps the notes of each apart, so that what is true of the code that runs (which
//! task it is) is true of all notes that it can promote. `docs/fork.md` tells the rest.

use super::wanted::{BY_NOBODY, Wanted};
use super::{Job, JobHeader};
use std::cell::Cell;
use std::ptr::{NonNull, null};

thread_local! {
    static HERE: Here =
        const { Here { newest: Cell::new(null()), wanted: Cell::new(&raw const BY_NOBODY) } };
}

/// What a thread knows of its forks.
struct Here {
    /// The newest note of the innermost segment; null for none.
    newest: Cell<*const Latent>,
    /// Who would run one: a static word, as a pointer, since older compilers allow no reference in a
    /// constant.
    wanted: Cell<*const Wanted>,
}

impl Here {
    #[inline]
    fn wanted(&self) -> &'static Wanted {
        // SAFETY: made of a static reference, here or in `serve`.
        unsafe { &*self.wanted.get() }
    }
}

/// A fork as its thread notes it; the closure stands behind it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Latent {
    /// The next older note; null for none.
    outer: Cell<*const Latent>,
    /// The job that it was promoted to.
    promoted: Cell<Option<NonNull<JobHeader>>>,
    /// Runs the closure, and keeps what it gives in its place.
    run: unsafe fn(NonNull<Latent>),
}

impl Latent {
    /// A fork that is run by calling `run`, with a pointer to this.
    #[inline]
    pub(crate) fn new(run: unsafe fn(NonNull<Latent>)) -> Self {
        Self { outer: Cell::new(null()), promoted: Cell::new(None), run }
    }

    /// Notes it. Tells whether anybody would run a fork.
    ///
    /// # Safety
    ///
    /// 1. It stays in its place, and its closure with it, until [`Latent::forget`], and where that gives
    ///    a job, until the caller has that run or knows that it has run.
    /// 2. That is called by the same thread before any note that was there is forgotten, also where
    ///    the code in between unwinds.
    #[inline]
    pub(crate) unsafe fn note(&self) -> bool {
        HERE.with(|here| {
            self.outer.set(here.newest.replace(self));
            here.wanted().by_anybody()
        })
    }

    /// Takes the note back. `Some`: it was promoted to that job meanwhile.
    #[inline]
    pub(crate) fn forget(&self) -> Option<NonNull<JobHeader>> {
        HERE.with(|here| here.newest.set(self.outer.get()));
        self.promoted.get()
    }

    /// Runs the closure.
    ///
    /// # Safety
    ///
    /// `latent` is noted, or was and is still in its place, and this is the only run of its closure.
    pub(crate) unsafe fn run(latent: NonNull<Self>) {
        // SAFETY: in its place by the caller's promise.
        let run = unsafe { latent.as_ref() }.run;
        // SAFETY: passed on.
        unsafe { run(latent) }
    }
}

/// Promotes the oldest latent fork of the innermost segment to what `promote` makes of it. False:
/// there is none.
pub(crate) fn promote_oldest(promote: impl FnOnce(NonNull<Latent>) -> NonNull<JobHeader>) -> bool {
    let mut oldest = None;
    let mut next = HERE.with(|here| here.newest.get());
    // SAFETY: what is noted is in its place (condition 1 of `Latent::note`); the notes of a segment
    // lie on this thread's stack, and are forgotten in the reverse order (condition 2).
    while let Some(latent) = unsafe { next.as_ref() } {
        if latent.promoted.get().is_some() {
            break;
        }
        oldest = Some(latent);
        next = latent.outer.get();
    }
    let Some(oldest) = oldest else { return false };
    oldest.promoted.set(Some(promote(NonNull::from(oldest))));
    true
}

/// Whether the innermost segment has no note.
pub(crate) fn is_empty() -> bool {
    HERE.with(|here| here.newest.get().is_null())
}

/// Whether the thread's forks are for anybody.
pub(crate) fn is_served() -> bool {
    !std::ptr::eq(wanted_here(), &BY_NOBODY)
}

/// Work inside of other work, with notes of its own, until it is dropped.
#[must_use]
pub(crate) struct Segment {
    /// The newest note of the work around it.
    outer: NonNull<Latent>,
}

impl Segment {
    /// Begins one; `None`: nothing is noted, so that there is nothing to keep apart.
    #[inline]
    pub(crate) fn begin() -> Option<Self> {
        HERE.with(|here| {
            let outer = NonNull::new(here.newest.get().cast_mut())?;
            here.newest.set(null());
            Some(Self { outer })
        })
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        HERE.with(|here| here.newest.set(self.outer.as_ptr()));
    }
}

/// Who would run a fork of this thread.
pub(crate) fn wanted_here() -> &'static Wanted {
    HERE.with(Here::wanted)
}

/// The thread's forks are for whoever asks there, from now on.
pub(crate) fn serve(wanted: &'static Wanted) {
    HERE.with(|here| here.wanted.set(wanted));
}

impl Job {
    /// Gives the right up for a pointer in a note.
    pub(crate) fn into_note(self) -> NonNull<JobHeader> {
        self.0
    }
}
