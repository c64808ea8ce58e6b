//! A latent fork in its caller's stack: the note, the closure, and a place for what it gives.
//!
//! The closure is called once: by the thread whose stack it is in, or by whoever has claimed the
//! promotion. The place for what it gives is written by the latter alone, and read after its end.

use super::promotion::Promotion;
use crate::job::JobHeader;
use crate::job::latent::Latent;
use crate::platform::UnsafeCell;
use crate::task::Payload;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// What a closure gave that another thread has called.
type Given<RB> = Result<RB, Payload>;

/// A latent fork.
#[repr(C)]
pub(super) struct Frame<B, RB> {
    /// The note. First, so that a pointer to it is one to the frame.
    pub(super) latent: Latent,
    /// The closure, until it is called.
    closure: UnsafeCell<ManuallyDrop<B>>,
    /// What it gave on another thread.
    given: UnsafeCell<MaybeUninit<Given<RB>>>,
}

impl<B: FnOnce() -> RB + Send, RB: Send> Frame<B, RB> {
    #[inline]
    pub(super) fn new(closure: B) -> Self {
        Self {
            latent: Latent::new(call_elsewhere::<B, RB>),
            closure: UnsafeCell::new(ManuallyDrop::new(closure)),
            given: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Calls the closure.
    ///
    /// # Safety
    ///
    /// The caller alone has the right to call it, and does so once.
    #[inline]
    pub(super) unsafe fn call(&self) -> RB {
        let closure = self.closure.with_mut(|closure| {
            // SAFETY: exclusive by the caller's promise; not used again.
            unsafe { closure.cast::<B>().read() }
        });
        closure()
    }

    /// Calls the closure here after all, or waits until it has ended elsewhere.
    ///
    /// # Safety
    ///
    /// The note was promoted to `job`, and forgotten; called once.
    #[cold]
    pub(super) unsafe fn end(&self, job: NonNull<JobHeader>) -> Given<RB> {
        // SAFETY: what a note is promoted to is a `Promotion`, whose reference is the note's.
        let promotion = unsafe { Promotion::of_note(job) };
        if promotion.claim() {
            // SAFETY: claimed: nobody else calls it.
            return catch_unwind(AssertUnwindSafe(|| unsafe { self.call() }));
        }
        promotion.wait();
        self.given.with(|given| {
            // SAFETY: the promotion has ended, after writing it; this is the one that reads it.
            unsafe { given.cast::<Given<RB>>().read() }
        })
    }
}

/// Calls the closure of a frame on another thread than its own.
///
/// # Safety
///
/// `latent` begins a `Frame<B, RB>` in its place, and the caller alone has the right to call the
/// closure, and does so once.
unsafe fn call_elsewhere<B, RB>(latent: NonNull<Latent>)
where
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    // SAFETY: of this type, and in its place, by the caller's promise.
    let frame = unsafe { latent.cast::<Frame<B, RB>>().as_ref() };
    // SAFETY: passed on.
    let given = catch_unwind(AssertUnwindSafe(|| unsafe { frame.call() }));
    frame.given.with_mut(|place| {
        // SAFETY: its owner reads it after the end alone, and nobody else does.
        unsafe { place.cast::<Given<RB>>().write(given) };
    });
}
