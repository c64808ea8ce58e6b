//! Where the current context is kept: with the task that runs here, or with the thread where none
//! does, or a fork of one from another thread.
//!
//! A task's context stays in its `Extra` also while it is polled, so that polling a task need not
//! look whether it has one, whatever is polled inside of whatever. No foreign code runs
//! while a lock or a borrow of this file is held.

use super::Context;
use super::map::{KeyId, Value};
use crate::job::latent::Segment;
use crate::task::current::with_context_owner;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The context of a thread, for code that runs in no task.
struct ThreadContext(RefCell<Context>);

/// A value whose drop panics must not end the process only because its thread ends.
impl Drop for ThreadContext {
    fn drop(&mut self) {
        let context = std::mem::take(self.0.get_mut());
        std::mem::forget(catch_unwind(AssertUnwindSafe(|| drop(context))));
    }
}

thread_local! {
    static OF_THREAD: ThreadContext = const { ThreadContext(RefCell::new(Context::EMPTY)) };
}

/// Looks into the current context. A thread that is ending has an empty one.
#[inline]
fn look<R>(read: impl Fn(&Context) -> R) -> R {
    let in_task = with_context_owner(|header| match header.extra.get() {
        Some(extra) => read(&extra.context.lock()),
        None => read(&Context::EMPTY),
    });
    in_task.unwrap_or_else(|| {
        let in_thread = OF_THREAD.try_with(|thread| read(&thread.0.borrow()));
        in_thread.unwrap_or_else(|_| read(&Context::EMPTY))
    })
}

/// Changes the current context. On a thread that is ending nothing can be changed any more.
fn change<R: Default>(write: impl FnOnce(&mut Context) -> R) -> R {
    let in_task = with_context_owner(|_| ()).is_some();
    let changed = if in_task {
        with_context_owner(|header| write(&mut header.extra.get_or_make().context.lock()))
    } else {
        OF_THREAD.try_with(|thread| write(&mut thread.0.borrow_mut())).ok()
    };
    changed.unwrap_or_default()
}

/// A copy of the current context.
#[inline]
pub(super) fn snapshot() -> Context {
    look(Clone::clone)
}

/// The value that a variable has here.
#[inline]
pub(super) fn get(key: KeyId) -> Option<Value> {
    look(|context| context.value(key).cloned())
}

/// Gives a variable a value, or none; hands out the one it had.
pub(super) fn set(key: KeyId, value: Option<Value>) -> Option<Value> {
    change(|context| context.put(key, value))
}

/// Makes a context the current one until it is dropped; then that context is what has become of
/// it.
pub(crate) struct Entered<'a> {
    /// Meanwhile, the context before.
    other: &'a mut Context,
    /// Forks that are noted around it have the context before.
    _segment: Option<Segment>,
}

impl<'a> Entered<'a> {
    #[inline]
    pub(crate) fn enter(context: &'a mut Context) -> Self {
        let swapped = swap(context);
        Self { other: context, _segment: if swapped { Segment::begin() } else { None } }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        swap(self.other);
    }
}

/// False: there is no difference.
#[inline]
fn swap(other: &mut Context) -> bool {
    // Most futures run where nobody ever set a variable: nothing is installed for those.
    if other.is_empty() && look(Context::is_empty) {
        return false;
    }
    change(|context| std::mem::swap(context, other));
    true
}
