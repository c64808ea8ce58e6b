//! `join`: the algorithm.

use super::frame::Frame;
use super::give;
use crate::task::Payload;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Calls both closures, possibly at the same time, and returns what they give.
///
/// The calling thread calls `a`, and then `b`, unless a worker that has nothing to do took `b`
/// meanwhile. Where none does, a `join` costs little more than the two calls, so that work can be
/// split as finely as it is natural: there is no size below which it must not be.
///
/// It may be called anywhere: in a task, in [`compute`](crate::compute), in the future given to
/// [`run`](crate::run), in a blocking job, and on any thread that has
/// [entered](crate::Handle::enter) a runtime. Outside of a runtime both closures are simply called.
///
/// # What the closures see
///
/// A fork of a task belongs to it: [`task::current`](crate::task::current) is that task, wherever
/// it runs, and [`checkpoint`](crate::checkpoint) tells of requests to end it, to whichever fork
/// asks first. Task-local variables have the values that they have around the `join`; what a closure
/// sets need not be seen outside of it.
///
/// # Waiting
///
/// If `b` was taken, the thread waits for it, and runs nothing meanwhile but parts of `b` itself. So
/// a lock may be held across a `join` whose closures do not take it, and the stack is as deep
/// as the calls are nested. A task that joins holds its worker; other workers go on.
///
/// # Panics
///
/// If one of the closures does, once both have ended; with the panic of `a`, if both do.
///
/// # Examples
///
/// ```
/// fn sum(numbers: &[u64]) -> u64 {
///     if let [number] = numbers {
///         return *number;
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let (left, right) = weftline::join(|| sum(left), || sum(right));
///     left + right
/// }
///
/// let numbers: Vec<u64> = (1..=1000).collect();
/// assert_eq!(weftline::run(async { sum(&numbers) }), 500_500);
/// ```
#[inline(always)]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    let frame = Frame::new(b);
    // SAFETY: 1. the frame stays here until `forget`, or `end_after_panic`, and, if it was promoted,
    // until that has ended: the wait for it does not unwind (`AbortOnUnwind`). 2. panics of `a` are
    // caught, and nothing else in between unwinds.
    if unsafe { frame.latent.note() } {
        give::answer();
    }
    let a = match catch_unwind(AssertUnwindSafe(a)) {
        Ok(a) => a,
        Err(panic) => end_after_panic(&frame, panic),
    };
    let b = match frame.latent.forget() {
        // SAFETY: never promoted, so this is the only call, and the place is not used again.
        None => unsafe { frame.call() },
        // SAFETY: promoted to that job, and ended once.
        Some(job) => match unsafe { frame.end(job) } {
            Ok(b) => b,
            Err(panic) => resume_unwind(panic),
        },
    };
    (a, b)
}

/// `a` has panicked: `b` is called, too, or waited for.
#[cold]
fn end_after_panic<B, RB>(frame: &Frame<B, RB>, panic: Payload) -> !
where
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let ended = match frame.latent.forget() {
        None => catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: never promoted, so this is the only call.
            drop(unsafe { frame.call() });
        })),
        // What dropping it may throw is lost, as the panic of `b` is.
        // SAFETY: promoted to that job, and ended once.
        Some(job) => catch_unwind(AssertUnwindSafe(|| drop(unsafe { frame.end(job) }))),
    };
    std::mem::forget(ended);
    resume_unwind(panic)
}
