//! The jobs of a scope, and the threads that run them.
//!
//! A job is queued here alone. What goes through the workers' queues are invitations: whoever takes one
//! sends out the next if there are more jobs, and runs jobs of the scope until there are none. While
//! jobs wait one invitation is on its way. So the scope's own thread finds all of its jobs in one
//! place, and what is left of an invitation that came too late is a look.
//!
//! The count of jobs begins with one for the scope's body, so that it is zero once and for all when
//! nothing can be added any more.

use super::branch::Branch;
use super::give;
use super::scope::Scope;
use crate::job::{Job, JobHeader, JobVtable};
use crate::platform::Mutex;
use crate::platform::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::scheduler;
use crate::task::budget::is_over_since;
use crate::task::{Origin, Payload};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Instant;

/// A job, which is told what it belongs to.
type Call<'scope> = Box<dyn FnOnce(&Arc<Team>) + Send + 'scope>;

/// The jobs of one scope.
#[repr(C)]
pub(super) struct Team {
    /// How a queue runs an invitation. First, so that a pointer to a team is one to a job.
    header: JobHeader,
    /// Jobs that nobody has begun, the oldest first.
    waiting: Mutex<VecDeque<Call<'static>>>,
    /// Jobs that have not ended, and the body.
    open: AtomicUsize,
    /// Whether an invitation is on its way.
    invited: AtomicBool,
    /// The first panic.
    panic: Mutex<Option<Payload>>,
    /// Where the scope is.
    origin: Origin,
    /// What is forked by jobs on other threads.
    branch: Arc<Branch>,
}

static VTABLE: JobVtable = JobVtable { run: run_invitation, discard: discard_invitation };

impl Team {
    /// A team whose body is running.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            header: JobHeader { vtable: &VTABLE },
            waiting: Mutex::new(VecDeque::new()),
            open: AtomicUsize::new(1),
            invited: AtomicBool::new(false),
            panic: Mutex::new(None),
            origin: Origin::here(),
            branch: Branch::new(Branch::current()),
        })
    }

    /// Adds a job. The caller is the scope's body, or one of its jobs.
    pub(super) fn add<'scope, F>(self: &Arc<Self>, job: F)
    where
        F: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        let call: Call<'scope> = Box::new(move |team| job(&Scope::of(team.clone())));
        // SAFETY: the types differ in a lifetime only. `finish` does not return before all jobs
        // have ended, and what they borrow lives longer than the call of `scope`.
        let call = unsafe { std::mem::transmute::<Call<'scope>, Call<'static>>(call) };
        // Relaxed: whoever adds is counted itself, so that the count is not zero yet.
        self.open.fetch_add(1, Ordering::Relaxed);
        self.waiting.lock().push_back(call);
        self.branch.wake_if_asked();
        self.invite();
    }

    /// Sends out an invitation, unless one is on its way.
    fn invite(self: &Arc<Self>) {
        // Relaxed: it only says who sends one. Whoever takes one looks at the jobs after that, under
        // their lock, which the caller has passed.
        if !self.invited.load(Ordering::Relaxed) && !self.invited.swap(true, Ordering::Relaxed) {
            give::invite(self);
        }
    }

    /// The body has ended: runs jobs until all of them have ended, too.
    pub(super) fn finish(self: &Arc<Self>) {
        self.note_end(1);
        let run_own = || {
            let call = self.waiting.lock().pop_back();
            let Some(call) = call else { return false };
            self.call(call);
            self.note_end(1);
            true
        };
        self.branch.wait(|| self.has_ended(), run_own);
        self.branch.end();
    }

    /// Runs jobs on a thread that is not the scope's: the oldest, if there is one, after `begin`, and
    /// others until `enough`.
    pub(super) fn help(self: &Arc<Self>, begin: impl FnOnce(), enough: impl Fn() -> bool) {
        let pop = || self.waiting.lock().pop_front();
        let Some(first) = pop() else { return };
        begin();
        let mut ended = 0;
        self.branch.enter(|| {
            let run = || {
                let mut next = Some(first);
                while let Some(call) = next {
                    self.call(call);
                    ended += 1;
                    next = if enough() { None } else { pop() };
                }
            };
            // SAFETY: the poll that has the scope waits until the first job is counted as ended.
            unsafe { self.origin.run(run) }
        });
        self.note_end(ended);
    }

    /// Takes an invitation, helps until `enough`, and sends out others while there are jobs.
    pub(super) fn accept(self: &Arc<Self>, enough: impl Fn() -> bool) {
        // Relaxed: see `invite`.
        self.invited.swap(false, Ordering::Relaxed);
        let invite_next = || {
            if self.has_jobs() {
                self.invite();
            }
        };
        self.help(invite_next, enough);
        invite_next();
    }

    fn call(self: &Arc<Self>, call: Call<'static>) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(self))) {
            self.note_panic(panic);
        }
    }

    /// So many have ended.
    fn note_end(&self, ended: usize) {
        // Release: pairs with the Acquire in `has_ended`: what the jobs did is seen. Acquire: so
        // that the last one passes on what the others did.
        if self.open.fetch_sub(ended, Ordering::AcqRel) == ended {
            self.branch.wake();
        }
    }

    /// Whether all has ended.
    pub(super) fn has_ended(&self) -> bool {
        // Acquire: pairs with the Release in `note_end`.
        self.open.load(Ordering::Acquire) == 0
    }

    /// Whether a job waits.
    pub(super) fn has_jobs(&self) -> bool {
        !self.waiting.lock().is_empty()
    }

    /// What is forked by jobs on other threads.
    pub(super) fn branch(&self) -> &Arc<Branch> {
        &self.branch
    }

    /// Keeps the first panic; others are lost.
    pub(super) fn note_panic(&self, panic: Payload) {
        let mut first = self.panic.lock();
        if first.is_none() {
            *first = Some(panic);
            return;
        }
        drop(first);
        // What dropping it may throw is lost with it.
        std::mem::forget(catch_unwind(AssertUnwindSafe(|| drop(panic))));
    }

    pub(super) fn take_panic(&self) -> Option<Payload> {
        self.panic.lock().take()
    }

    /// A job that runs jobs of this team, with a reference.
    pub(super) fn invitation(self: &Arc<Self>) -> Job {
        let raw = Arc::into_raw(self.clone()).cast_mut();
        // SAFETY: an `Arc`'s pointer is not null.
        let raw = unsafe { NonNull::new_unchecked(raw) };
        // SAFETY: 1. the reference keeps it valid until the vtable's functions give it back.
        // 2. they may be called once, on any thread.
        unsafe { Job::new(raw.cast()) }
    }
}

/// Takes part in a scope, for the length of a time slice; then others have their turn first.
///
/// # Safety
///
/// `job` was made by [`Team::invitation`], and this is its one run.
unsafe fn run_invitation(job: NonNull<JobHeader>) {
    // SAFETY: `Arc::into_raw` gave it; taken back once.
    let team = unsafe { Arc::from_raw(job.cast::<Team>().as_ptr()) };
    scheduler::note_given();
    let began = Instant::now();
    team.accept(|| is_over_since(began));
}

/// # Safety
///
/// As [`run_invitation`], which is not called then.
unsafe fn discard_invitation(job: NonNull<JobHeader>) {
    // SAFETY: as in `run_invitation`.
    drop(unsafe { Arc::from_raw(job.cast::<Team>().as_ptr()) });
}
