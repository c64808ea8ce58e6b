//! From a task to a `Waker` and back. A waker holds one reference to its task.

use super::harness;
use super::raw::{BorrowedWaker, RawTask};
use std::mem::ManuallyDrop;
use std::task::{RawWaker, RawWakerVTable, Waker};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// A waker for the length of a poll, which borrows the runtime's reference.
///
/// # Safety
///
/// `task` has a reference that outlives the result.
pub(crate) unsafe fn borrowed(task: RawTask) -> BorrowedWaker {
    let raw = RawWaker::new(task.into_data(), &VTABLE);
    // SAFETY: the vtable keeps `RawWaker`'s contract: `clone` adds a reference, `wake` and `drop`
    // use one up (the result is never dropped), everything is thread safe.
    ManuallyDrop::new(unsafe { Waker::from_raw(raw) })
}

/// Whether a waker is one of `task`.
#[inline]
pub(crate) fn is_for(waker: &Waker, task: RawTask) -> bool {
    std::ptr::eq(waker.data(), task.into_data()) && std::ptr::eq(waker.vtable(), &VTABLE)
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the data of this vtable's wakers came from `into_data`.
    let task = unsafe { RawTask::from_data(data) };
    // SAFETY: the waker that is cloned holds a reference (or borrows one).
    unsafe { task.retain() };
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: the data of this vtable's wakers came from `into_data`.
    let task = unsafe { RawTask::from_data(data) };
    // SAFETY: the waker has a reference, and is gone after this.
    unsafe { harness::wake_and_release(task) };
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the data of this vtable's wakers came from `into_data`.
    let task = unsafe { RawTask::from_data(data) };
    // SAFETY: the waker holds a reference.
    unsafe { harness::wake(task) };
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the data of this vtable's wakers came from `into_data`.
    let task = unsafe { RawTask::from_data(data) };
    // SAFETY: the waker holds a reference, and is gone after this.
    unsafe { task.release() };
}
