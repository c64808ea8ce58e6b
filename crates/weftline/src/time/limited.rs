//! [`Limited`]: what [`Timeout`](super::Timeout) and [`Deadline`](super::Deadline) have in common.
//!
//! The inner future is polled first, always; the limit takes a place among the timers only once
//! the inner future has turned out to be pending and the task is not to be polled again anyway.
//! When the limit is over, the region around the future is asked to end (`task::region`): regions
//! inside have the first say. Next: `sleep`.

use super::sleep::Sleep;
use crate::task::region::{self, Inside, Region};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

pin_project! {
    /// A future with a limit.
    #[derive(Debug)]
    pub(super) struct Limited<F> {
        // What is limited.
        #[pin]
        future: F,
        // What is asked to end when the limit is over.
        region: Region,
        // Over when the limit is.
        sleep: Sleep,
        // The limit was just given, and not over: no need to look.
        ahead: bool,
        // What is around it was over first, and has the word.
        gave_way: bool,
        // It has ended, and was waiting for a request from outside to be delivered first.
        ended: bool,
    }
}

/// The limit is over, and the future did not end otherwise.
pub(super) struct Expired;

impl<F> Limited<F> {
    /// `ahead`: the deadline is known to lie ahead.
    pub(super) fn new(future: F, deadline: Option<Instant>, ahead: bool) -> Self {
        let (region, sleep) = (Region::default(), Sleep::new(deadline));
        Self { future, region, sleep, ahead, gave_way: false, ended: false }
    }

    pub(super) fn get_ref(&self) -> &F {
        &self.future
    }

    pub(super) fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    pub(super) fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Limited<F> {
    /// Gives it another deadline, unless that has come already. False: it has.
    pub(super) fn set_deadline(self: Pin<&mut Self>, deadline: Option<Instant>) -> bool {
        let this = self.project();
        if this.region.was_asked() {
            return false;
        }
        *this.ahead = false;
        *this.gave_way = false;
        this.sleep.set_deadline(deadline);
        true
    }

    /// Whether the limit was over before the future was ready.
    pub(super) fn is_expiring(&self) -> bool {
        self.region.was_asked()
    }

    pub(super) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output, Expired>> {
        let mut this = self.project();
        if *this.ended {
            return Poll::Ready(Err(Expired));
        }
        let deadline = if this.region.was_asked() { None } else { this.sleep.deadline() };
        let alone = match this.region.poll(deadline, cx, |cx| this.future.as_mut().poll(cx)) {
            Inside::Ready(value) => {
                this.sleep.disarm();
                return Poll::Ready(Ok(value));
            }
            Inside::Ended => return expire(this.region, this.ended, cx),
            Inside::Pending { .. } if this.region.was_asked() || *this.gave_way => {
                return Poll::Pending;
            }
            Inside::Pending { alone } => alone,
        };
        // Not the task's time slice: a future that uses all of it each time must not hold off
        // its own limit.
        ready!(this.sleep.poll_beside(cx, std::mem::take(this.ahead)));
        if this.sleep.deadline().is_some_and(region::ends_by) {
            // For good: the clean-up that it brings about is not cut by this one.
            *this.gave_way = true;
            return Poll::Pending;
        }
        this.region.ask();
        if alone {
            return expire(this.region, this.ended, cx);
        }
        // What is inside hears of it in a poll of its own: what this one has said of shields inside
        // must not be mixed with what the next one says.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The limit has ended what is inside. Where that was about to answer a request from outside, the
/// request goes on from here: the limit does not swallow it.
fn expire<T>(region: &Region, ended: &mut bool, cx: &mut Context<'_>) -> Poll<Result<T, Expired>> {
    let Some(mut delivery) = region.unanswered() else { return Poll::Ready(Err(Expired)) };
    // Where it is taken back before it is delivered, the next poll reports.
    *ended = true;
    region::renew(&mut delivery);
    cx.waker().wake_by_ref();
    Poll::Pending
}
