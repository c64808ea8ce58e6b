//! A job: what a queue carries. It is run exactly once.
//!
//! A woken task and a stolen closure are the same thing to a deque: a pointer to something that
//! begins with a [`JobHeader`]. The scheduler never asks which it has.
//!
//! Next: `latent.rs`, work that is no job yet and may become one; `wanted.rs`, who would like that;
//! `call.rs`, a closure as a job.

mod call;
pub(crate) mod latent;
pub(crate) mod wanted;

use std::ptr::NonNull;

/// What a job can do, for one kind of job.
#[repr(C)]
pub(crate) struct JobVtable {
    /// Runs the job. The pointer is the one the job was made from; called once per [`Job`].
    pub(crate) run: unsafe fn(NonNull<JobHeader>),
    /// Ends the job as far as any thread may; called instead of `run`.
    pub(crate) discard: unsafe fn(NonNull<JobHeader>),
}

/// The first field of everything that can be queued.
#[repr(C)]
pub(crate) struct JobHeader {
    /// How to run what follows this header.
    pub(crate) vtable: &'static JobVtable,
}

/// The right, and the duty, to run something once.
#[must_use = "a job that is dropped never runs"]
#[derive(Debug)]
pub(crate) struct Job(NonNull<JobHeader>);

// SAFETY: `Job::new` demands that the job may be run by any thread.
unsafe impl Send for Job {}

impl Job {
    /// Makes a job of what `header` begins.
    ///
    /// # Safety
    ///
    /// 1. `header` stays valid until the job has run.
    /// 2. The vtable's `run` may be called with it once, on any thread that the job can reach.
    pub(crate) unsafe fn new(header: NonNull<JobHeader>) -> Self {
        Self(header)
    }

    /// Runs it.
    #[inline]
    pub(crate) fn run(self) {
        // SAFETY: condition 1 of `new`: the header is valid.
        let vtable = unsafe { self.0.as_ref() }.vtable;
        // SAFETY: condition 2 of `new`; `self` is consumed, so this is the only call.
        unsafe { (vtable.run)(self.0) }
    }

    /// Ends it as far as the calling thread may, where the one that might have run it is gone.
    #[cold]
    pub(crate) fn discard(self) {
        // SAFETY: condition 1 of `new`: the header is valid.
        let vtable = unsafe { self.0.as_ref() }.vtable;
        // SAFETY: instead of `run`; `self` is consumed, so this is the only call.
        unsafe { (vtable.discard)(self.0) }
    }

    /// What tells what it runs from all else that is to be run now.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }

    /// Gives the right up for a pointer, to be stored in an atomic.
    #[inline]
    pub(crate) fn into_raw(self) -> *mut JobHeader {
        self.0.as_ptr()
    }

    /// Takes the right back. `None` for null.
    ///
    /// # Safety
    ///
    /// A non-null `raw` came from [`Job::into_raw`] and is taken back once.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: *mut JobHeader) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }
}
