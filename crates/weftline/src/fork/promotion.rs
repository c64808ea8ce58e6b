//! What becomes of a latent fork that is given away: a job that may be claimed once, by whoever takes
//! it from a queue, by a thread that waits for a part of what it belongs to, or by its own thread
//! after all.
//!
//! ```text
//!            claim                       end
//!   OFFERED ───────▶ CLAIMED ─────────────────────▶ ENDED
//!                    by another: the frame stays
//!                    in its place until the end
//! ```
//!
//! The frame belongs to whoever claims. Its thread leaves it only once it has claimed itself or
//! has seen the end, so whoever else has claimed finds it in its place. A promotion that was
//! claimed stays in its queue: what takes it out finds it claimed, and lets go.

use super::branch::Branch;
use crate::job::latent::{Latent, promote_oldest};
use crate::job::{Job, JobHeader, JobVtable};
use crate::platform::atomic::{AtomicU32, Ordering};
use crate::scheduler;
use crate::task::Origin;
use std::ptr::NonNull;
use std::sync::Arc;

/// Nobody has it.
const OFFERED: u32 = 0;
/// Somebody runs it.
const CLAIMED: u32 = 1;
/// It was run by another thread than its own.
const ENDED: u32 = 2;

/// A fork that was given away.
#[repr(C)]
pub(super) struct Promotion {
    /// How a queue runs it. First, so that a pointer to a promotion is one to a job.
    header: JobHeader,
    /// `OFFERED`, `CLAIMED` or `ENDED`.
    state: AtomicU32,
    /// The frame, on the stack of its thread.
    latent: NonNull<Latent>,
    /// Where it was forked.
    origin: Origin,
    /// The forks that are made while it runs.
    branch: Arc<Branch>,
}

// SAFETY: the frame is touched by whoever has claimed alone (see above), and closure and result are
// `Send`. `Origin::run` is called while the poll that forked waits.
unsafe impl Send for Promotion {}
// SAFETY: as above; all else is `Sync` by itself.
unsafe impl Sync for Promotion {}

static VTABLE: JobVtable = JobVtable { run: run_job, discard: discard_job };

impl Promotion {
    /// Promotes the oldest latent fork of the code that runs here, which is in the branch `parent`.
    /// `None`: there is none.
    pub(super) fn of_oldest(parent: Option<&Arc<Branch>>) -> Option<Arc<Self>> {
        let mut promotion = None;
        promote_oldest(|latent| {
            let new = Arc::new(Self {
                header: JobHeader { vtable: &VTABLE },
                state: AtomicU32::new(OFFERED),
                latent,
                origin: Origin::here(),
                branch: Branch::new(parent.cloned()),
            });
            promotion.insert(new).job().into_note()
        });
        promotion
    }

    /// Takes back the reference of a note, or of a job.
    ///
    /// # Safety
    ///
    /// What `note` points to came from [`Promotion::job`], and is taken back once.
    pub(super) unsafe fn of_note(note: NonNull<JobHeader>) -> Arc<Self> {
        // SAFETY: `Arc::into_raw` gave it in `job`.
        unsafe { Arc::from_raw(note.cast::<Self>().as_ptr()) }
    }

    /// A job with a reference.
    pub(super) fn job(self: &Arc<Self>) -> Job {
        let raw = Arc::into_raw(self.clone()).cast_mut();
        // SAFETY: an `Arc`'s pointer is not null.
        let raw = unsafe { NonNull::new_unchecked(raw) };
        // SAFETY: 1. the reference keeps it valid until `run_job` or `discard_job` gives that back.
        // 2. they may be called once, on any thread.
        unsafe { Job::new(raw.cast()) }
    }

    /// Claims it. False: somebody else has.
    pub(super) fn claim(&self) -> bool {
        // Acquire: pairs with nothing; what is claimed was seen through the queue or a lock.
        // Relaxed where it fails: whoever needs the end looks for it.
        self.state.compare_exchange(OFFERED, CLAIMED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Whether somebody may claim it yet.
    pub(super) fn is_offered(&self) -> bool {
        // Relaxed: whoever claims finds out.
        self.state.load(Ordering::Relaxed) == OFFERED
    }

    /// Whether another thread has run it.
    pub(super) fn has_ended(&self) -> bool {
        // Acquire: pairs with the Release in `run`: what the closure gave is seen.
        self.state.load(Ordering::Acquire) == ENDED
    }

    /// What is forked while it runs.
    pub(super) fn branch(&self) -> &Arc<Branch> {
        &self.branch
    }

    /// Its thread, which could not claim it, waits for its end.
    pub(super) fn wait(&self) {
        self.branch.wait(|| self.has_ended(), || false);
    }

    /// Runs it. To be called by whoever has claimed it, unless that is its own thread.
    pub(super) fn run(&self) {
        self.branch.enter(|| {
            // SAFETY: claimed, so this is the only call; the frame is in its place (see above).
            let run = || unsafe { Latent::run(self.latent) };
            // SAFETY: the fork was noted in that poll, which does not go on before the end is seen.
            unsafe { self.origin.run(run) };
        });
        // Release: pairs with the Acquire in `has_ended`.
        self.state.swap(ENDED, Ordering::AcqRel);
        self.branch.end();
    }
}

/// Runs a promotion that was taken from a queue, unless somebody has claimed it.
///
/// # Safety
///
/// `job` was made by [`Promotion::job`], and this is its one run.
unsafe fn run_job(job: NonNull<JobHeader>) {
    // SAFETY: the reference of the job, taken back once.
    let promotion = unsafe { Promotion::of_note(job) };
    scheduler::note_given();
    if promotion.claim() {
        promotion.run();
    }
}

/// # Safety
///
/// As [`run_job`], which is not called then.
unsafe fn discard_job(job: NonNull<JobHeader>) {
    // SAFETY: as in `run_job`. Its own thread claims it.
    drop(unsafe { Promotion::of_note(job) });
}
