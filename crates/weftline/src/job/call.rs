//! A closure as a job: one allocation, run once or let go.

use super::{Job, JobHeader, JobVtable};
use std::ptr::NonNull;

/// A closure that waits in a queue.
#[repr(C)]
struct Call<F> {
    /// How a queue runs it. First, so that a pointer to a call is one to a job.
    header: JobHeader,
    /// What is called.
    closure: F,
}

impl<F: FnOnce() + Send + 'static> Call<F> {
    const VTABLE: &'static JobVtable = &JobVtable { run: run::<F>, discard: discard::<F> };
}

impl Job {
    /// A job that calls `closure`, which must not unwind.
    pub(crate) fn of_call<F: FnOnce() + Send + 'static>(closure: F) -> Self {
        let call = Box::new(Call { header: JobHeader { vtable: Call::<F>::VTABLE }, closure });
        // SAFETY: a box's pointer is not null.
        let raw = unsafe { NonNull::new_unchecked(Box::into_raw(call)) };
        // SAFETY: 1. the allocation stays until `run` or `discard` takes it back. 2. they may be called
        // once, on any thread, since the closure is `Send`.
        unsafe { Job::new(raw.cast()) }
    }
}

/// # Safety
///
/// `job` was made by [`Job::of_call`] of this type, and this is its one run.
unsafe fn run<F: FnOnce()>(job: NonNull<JobHeader>) {
    // SAFETY: `Box::into_raw` gave it; taken back once.
    let call = unsafe { Box::from_raw(job.cast::<Call<F>>().as_ptr()) };
    (call.closure)();
}

/// # Safety
///
/// As [`run`], which is not called then.
unsafe fn discard<F>(job: NonNull<JobHeader>) {
    // SAFETY: as in `run`.
    drop(unsafe { Box::from_raw(job.cast::<Call<F>>().as_ptr()) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::Arc;

    #[test]
    fn a_call_is_made_or_dropped_and_leaves_nothing() {
        let held = Arc::new(());
        let call = || {
            let holds = held.clone();
            Job::of_call(move || assert_eq!(Arc::strong_count(&holds), 3))
        };
        let (run, discarded) = (call(), call());
        run.run();
        assert_eq!(Arc::strong_count(&held), 2);
        discarded.discard();
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn a_call_of_any_size_keeps_what_it_holds() {
        thread_local!(static SUM: Cell<u64> = const { Cell::new(0) });
        let numbers = [3_u64; 100];
        Job::of_call(|| SUM.set(1)).run();
        Job::of_call(move || SUM.set(SUM.get() + numbers.iter().sum::<u64>())).run();
        assert_eq!(SUM.get(), 301);
    }
}
