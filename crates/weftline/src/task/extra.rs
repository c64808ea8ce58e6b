//! What few tasks have, beside their header: a name, task-local variables, requests to cancel, the
//! thread that drives it. Made when the first of these is needed, at the spawn or at any time after.

use super::bells::{self, Bells};
use super::context::Context;
use super::driven::DrivingThread;
use super::span;
use super::state::{Cancel, State};
use super::surroundings::Surroundings;
use super::waking::wake_all;
use crate::platform::Mutex;
use once_cell::race::OnceBox;
use std::borrow::Cow;
use std::mem;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

/// Why somebody asks a task to end.
pub(crate) type CancelReason = Cow<'static, str>;

/// What few tasks have.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// The name given by its spawner.
    pub(crate) name: Option<Box<str>>,
    /// The thread that drives it, for the future of a `block_on`.
    pub(crate) driver: Option<Arc<DrivingThread>>,
    /// The values of task-local variables. Emptied together with the output (rule 2), by whoever
    /// has that. No foreign code runs under the lock, not even the drop of a value.
    pub(crate) context: Mutex<Context>,
    /// The tracing span that was current where it was spawned; goes together with the context.
    pub(crate) span: span::SpanPlace,
    /// Finds an error in an output that nobody read, where its spawner asked for that.
    pub(crate) error_finder: OnceLock<ErrorFinder>,
    /// Who asked it to end.
    requests: Mutex<Requests>,
    /// The bells of the regions directly inside of it.
    pub(super) bells: Mutex<Bells>,
}

/// Finds an error in a task's output, and says it. The caller passes a valid pointer to an output
/// of the type that the finder was made for.
pub(crate) type ErrorFinder = unsafe fn(NonNull<()>) -> Option<String>;

/// The requests to cancel that were made and not taken back.
#[derive(Debug, Default)]
struct Requests {
    /// How many.
    count: u32,
    /// What the latest said.
    reason: Option<CancelReason>,
    /// How often one began to wait.
    waited: u32,
    /// How often they were delivered; those that were taken back count as delivered.
    deliveries: u32,
    /// The one that waits was delivered before, and is on its way from one region to the next.
    handed_on: bool,
    /// Wakes those who have handed one on, when somebody takes it.
    awaiting: Vec<Waker>,
}

/// A task's [`Extra`], once there is one.
#[derive(Default)]
pub(crate) struct ExtraPlace(OnceBox<Extra>);

impl ExtraPlace {
    pub(crate) fn new(extra: Option<Box<Extra>>) -> Self {
        match extra {
            Some(extra) => Self(OnceBox::with_value(extra)),
            None => Self(OnceBox::new()),
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&Extra> {
        self.0.get()
    }

    pub(crate) fn get_or_make(&self) -> &Extra {
        self.0.get_or_init(Box::default)
    }
}

impl Extra {
    /// That of a task which a thread drives, on which it is in the thread's span anyway.
    pub(crate) fn driven_by(thread: Arc<DrivingThread>) -> Self {
        let context = Mutex::new(Context::current());
        Self { driver: Some(thread), context, ..Self::default() }
    }

    /// Puts what a new task takes over from its spawner into `extra`, if that is anything. A
    /// `context` stands for the spawner's.
    pub(crate) fn inherit(extra: Option<Box<Self>>, context: Option<Context>) -> Option<Box<Self>> {
        let context = context.unwrap_or_else(Context::current);
        let surroundings = Surroundings { context, span: span::Captured::here() };
        if surroundings.is_empty() {
            return extra;
        }
        let mut extra = extra.unwrap_or_default();
        extra.context = Mutex::new(surroundings.context);
        extra.span.set(surroundings.span);
        Some(extra)
    }

    /// Makes a request to cancel, and counts it where it was not too late. Under one lock, so that
    /// whoever it is delivered to finds count and reason.
    pub(crate) fn cancel(&self, state: &State, reason: Option<CancelReason>) -> Cancel {
        let mut requests = self.requests.lock();
        let cancel = state.cancel();
        if cancel != Cancel::TooLate {
            requests.count = requests.count.saturating_add(1);
            requests.waited = requests.waited.wrapping_add(1);
            requests.reason = reason;
        }
        cancel
    }

    /// Takes one request back; with the last one also what was not delivered yet.
    pub(crate) fn uncancel(&self, state: &State) -> u32 {
        let mut requests = self.requests.lock();
        if state.load().is_complete() {
            return requests.count;
        }
        requests.count = requests.count.saturating_sub(1);
        let count = requests.count;
        let mut wakers = Vec::new();
        if count == 0 {
            requests.reason = None;
            requests.next_delivery();
            if !requests.handed_on && state.take_cancel() {
                bells::settle(&self.bells);
            }
            wakers = mem::take(&mut requests.awaiting);
        }
        drop(requests); // a waker is foreign code
        wake_all(wakers);
        count
    }

    /// Takes the request that waits, to deliver it: its number, and what it said.
    pub(super) fn take(&self, state: &State) -> Option<(u32, Option<CancelReason>)> {
        let mut requests = self.requests.lock();
        if !state.take_cancel() {
            return None;
        }
        requests.handed_on = false;
        bells::settle(&self.bells);
        Some((requests.next_delivery(), requests.reason.clone()))
    }

    /// As [`take`](Self::take), for a request that somebody has who is about to be dropped. None,
    /// where all were taken back.
    pub(super) fn take_over(&self) -> Option<(u32, Option<CancelReason>)> {
        let mut requests = self.requests.lock();
        (requests.count > 0).then(|| (requests.next_delivery(), requests.reason.clone()))
    }

    /// Has a request that was delivered wait again. One that is `handed_on` cannot be taken back.
    pub(super) fn renew(&self, state: &State, handed_on: bool) {
        let mut requests = self.requests.lock();
        requests.handed_on = handed_on;
        requests.waited = requests.waited.wrapping_add(1);
        state.renew_cancel();
    }

    /// The wakers of those who have handed a request on and are to go on.
    pub(super) fn take_awaiting(&self) -> Vec<Waker> {
        mem::take(&mut self.requests.lock().awaiting)
    }

    /// Has `waker` woken when somebody takes the request that waits. Gives it back where it is known:
    /// it is foreign code, to be dropped outside of the lock.
    pub(super) fn await_taker(&self, waker: Waker) -> Option<Waker> {
        let awaiting = &mut self.requests.lock().awaiting;
        if awaiting.iter().any(|known| known.will_wake(&waker)) {
            return Some(waker);
        }
        awaiting.push(waker);
        None
    }

    /// The number of the request that waits.
    pub(super) fn request(&self) -> u32 {
        self.requests.lock().waited
    }

    /// The number of the latest delivery.
    pub(super) fn latest_delivery(&self) -> u32 {
        self.requests.lock().deliveries
    }

    /// How many requests were made and not taken back.
    pub(crate) fn cancelling(&self) -> u32 {
        self.requests.lock().count
    }

    /// What the latest request said.
    pub(crate) fn reason(&self) -> Option<CancelReason> {
        self.requests.lock().reason.clone()
    }
}

impl Requests {
    fn next_delivery(&mut self) -> u32 {
        self.deliveries = self.deliveries.wrapping_add(1);
        self.deliveries
    }
}
