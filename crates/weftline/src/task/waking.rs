//! Calling wakers, which may be foreign code and panic. One rule for all who call several, or hold
//! something meanwhile: the panic of a waker is no business of whoever calls it.
//!
//! It is reported, by the runtime of the task in which it happens; outside of all tasks the panic hook
//! alone has told of it. Whoever calls goes on, and so loses nothing.

use super::{Payload, Task, UnhandledKind, current};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakes all of them.
#[inline]
pub(crate) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        guard_waker(|| waker.wake());
    }
}

/// Wakes all who wait for the end of `task`, which runs no more, and is the one that reports.
pub(super) fn wake_all_for(task: &Task, wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        if let Some(payload) = panic_of(|| waker.wake()) {
            task.report(UnhandledKind::WakerPanicked, payload);
        }
    }
}

/// Does something that calls a waker.
#[inline]
pub(crate) fn guard_waker(wake: impl FnOnce()) {
    if let Some(payload) = panic_of(wake) {
        match current() {
            Some(task) => task.report(UnhandledKind::WakerPanicked, payload),
            // What a payload does when it is dropped is foreign code as well.
            None => mem::forget(payload),
        }
    }
}

#[inline]
fn panic_of(wake: impl FnOnce()) -> Option<Payload> {
    catch_unwind(AssertUnwindSafe(wake)).err()
}
