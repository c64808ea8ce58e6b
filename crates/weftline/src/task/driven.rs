//! A task on the thread that asked for it: the future of a `block_on`.
//!
//! It is a task like others, with an id, requests to cancel, and regions; only its queue is
//! another: a flag, and a token that its thread waits for. The future may borrow from the thread's
//! stack, which is why [`block_on`] does not return before the future is gone.

use super::extra::{Extra, ExtraPlace};
use super::raw::{Header, RawTask};
use super::state::State;
use super::wait::{Blocking, Waiter, answer_or};
use super::{Home, Id, JoinError, JoinHandle, Roster, current, harness};
use crate::platform::atomic::{AtomicBool, AtomicU32, Ordering};
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Wake, Waker};

/// A thread that drives a task.
#[derive(Debug)]
pub(crate) struct DrivingThread {
    /// The task is to be run.
    queued: AtomicBool,
    /// How the thread is woken.
    waiter: Waiter,
}

impl Wake for DrivingThread {
    /// There is something else for the thread to do.
    fn wake(self: Arc<Self>) {
        self.waiter.wake();
    }
}

impl DrivingThread {
    /// Queues the task. The caller owns it, and gives it up.
    pub(super) fn run_soon(&self) {
        // Release: pairs with the Acquire in `block_on`: the task is seen as its last owner left it.
        self.queued.store(true, Ordering::Release);
        self.waiter.wake();
    }
}

/// The thread that drives a task.
pub(super) fn thread_of(header: &Header) -> Arc<DrivingThread> {
    let thread = header.extra.get().and_then(|extra| extra.driver.clone());
    thread.expect("a driven task has a thread that drives it")
}

/// Runs a future on the calling thread, as a task that `roster` lists, until it has ended.
///
/// # Panics
///
/// In a child process that was forked meanwhile: whoever would wake it stayed behind.
pub(crate) fn block_on<F: Future>(
    roster: &Arc<Roster>,
    spawned_at: &'static Location<'static>,
    future: F,
) -> Result<F::Output, JoinError> {
    let thread = Arc::new(DrivingThread { queued: AtomicBool::new(true), waiter: Waiter::new() });
    let extra = Extra::driven_by(thread.clone());
    let task = RawTask::new(future, |vtable| Header {
        vtable,
        state: State::new(),
        roster: roster.clone(),
        id: Id::next(),
        parent: current::current_id(),
        spawned_at,
        extra: ExtraPlace::new(Some(Box::new(extra))),
        slot: AtomicU32::new(0),
        home: Home::CALLER,
    });
    // SAFETY: new, of this type, and the only handle.
    let handle = unsafe { JoinHandle::new(task) };
    // SAFETY: the runtime's reference lasts until completion, which takes it off the list.
    let _admission = unsafe { roster.insert(task) };
    roster.task_spawned(task);
    let driving = Driving { task, handle };
    let mut has_polled = false;
    while !driving.handle.is_finished() {
        // Acquire: pairs with the Release in `DrivingThread::run_soon`.
        if thread.queued.swap(false, Ordering::Acquire) {
            if std::mem::replace(&mut has_polled, true) {
                thread.waiter.take_turns();
            }
            let _blocking = Blocking::begin();
            // SAFETY: whoever set the flag owned the task, and gave that up.
            unsafe { harness::run_here(task) };
        } else {
            has_polled = false;
            roster.generation().assert_same_process();
            answer_or(&|| Waker::from(thread.clone()), || thread.waiter.wait(None));
        }
    }
    driving.take_output()
}

/// A driven task, until it has ended.
struct Driving<T> {
    task: RawTask,
    handle: JoinHandle<T>,
}

impl<T> Driving<T> {
    fn take_output(mut self) -> Result<T, JoinError> {
        self.handle.take_finished()
    }
}

impl<T> Drop for Driving<T> {
    fn drop(&mut self) {
        if !self.handle.is_finished() {
            // Only in a forked child is the loop left before the end, by a panic, which is about to
            // destroy what the future may borrow.
            // SAFETY: no other thread runs the task, and this one is not inside of its poll.
            unsafe { self.task.cancel(None) };
        }
    }
}
