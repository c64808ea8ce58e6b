//! The task that calls: one for each runtime, while there is something to call or to wait for.

use super::queue::{Attention, Next, Queue};
use crate::driver::timers::{TimerKey, Timers};
use crate::runtime::{Handle, context};
use crate::task::{self, budget};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

impl Handle {
    /// Changes the queue, and sees to it that somebody looks at it.
    #[track_caller]
    pub(super) fn register(&self, change: impl FnOnce(&Queue) -> Attention) {
        self.roster().generation().assert_same_process();
        match change(&self.instance.callbacks) {
            Attention::None => {}
            Attention::Wake(waker) => waker.wake(),
            Attention::Start => self.start_runner(),
        }
    }

    fn start_runner(&self) {
        let runner = Run { handle: self.clone(), alarm: None, ended: false };
        let builder = task::Builder::new().name("callbacks").inherit_nothing();
        drop(builder.spawn_in(self.roster(), runner));
    }
}

/// Calls what is due, and waits for what is not.
struct Run {
    /// The runtime.
    handle: Handle,
    /// What wakes it at the earliest time.
    alarm: Option<Alarm>,
    /// Nothing was left.
    ended: bool,
}

impl Future for Run {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.alarm = None;
        let shared = self.handle.instance.shared.clone();
        let began = Instant::now();
        loop {
            if !self.handle.roster().takes_tasks() {
                // The runtime ends: nothing is called any more, and a request to end comes.
                return Poll::Pending;
            }
            match self.handle.instance.callbacks.next(shared.clock.now(), cx.waker()) {
                Next::Call(call) => call.call(&shared.hooks),
                Next::Wait(when) => {
                    self.alarm = Alarm::new(when, cx.waker());
                    return Poll::Pending;
                }
                Next::End => {
                    self.ended = true;
                    return Poll::Ready(());
                }
            }
            // Others have their turn between callbacks, which may be many and each add another.
            if budget::is_over_since(began) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

/// It was cancelled, by a user who cancels all tasks, or since the runtime ends.
impl Drop for Run {
    fn drop(&mut self) {
        let instance = &self.handle.instance;
        if self.ended || !instance.callbacks.runner_dropped() {
            return;
        }
        if self.handle.roster().takes_tasks() {
            return self.handle.start_runner();
        }
        for call in instance.callbacks.clear() {
            call.discard(&instance.shared.hooks);
        }
    }
}

/// A place among the timers, given back when it is dropped.
struct Alarm {
    /// Whose timers.
    timers: Arc<Timers>,
    /// Which entry.
    key: TimerKey,
}

impl Alarm {
    /// Wakes at that time; `None` in a runtime that ends.
    fn new(when: Instant, waker: &Waker) -> Option<Self> {
        let (timers, owner, when_ns) = context::timers(when)?;
        let (key, earliest) = timers.insert(when_ns, waker.clone());
        if earliest {
            owner.earliest_added();
        }
        Some(Self { timers, key })
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.timers.remove(self.key);
    }
}
