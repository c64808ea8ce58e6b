//! What becomes of a request to end that reaches whoever awaits a task: it is passed on to that
//! task, and comes back when the task has ended.

use super::region::{self, Deliveries, Delivery, Leaf};
use std::task::{Context, Poll};

/// The place where requests reach whoever awaits a task; `O` is what that task ends by. Empty as
/// long as none comes, and nobody who is polled only when it was woken awaits the task.
#[derive(Debug)]
pub(crate) struct Passing<O>(Option<Box<PassedOn<O>>>);

/// Requests to end that were passed on.
#[derive(Debug)]
struct PassedOn<O> {
    /// Where they are delivered.
    leaf: Leaf,
    /// The requests.
    deliveries: Deliveries,
    /// What the task then ended by.
    output: Option<O>,
}

impl<O> Default for Passing<O> {
    fn default() -> Self {
        Self(None)
    }
}

impl<O> Passing<O> {
    fn made(&mut self) -> &mut PassedOn<O> {
        self.0.get_or_insert_with(|| {
            let (leaf, deliveries) = (Leaf::default(), Deliveries::default());
            Box::new(PassedOn { leaf, deliveries, output: None })
        })
    }

    /// Whether there is anything in it.
    #[inline]
    pub(crate) fn is_in_use(&self) -> bool {
        self.0.is_some()
    }

    /// Whoever awaits is suspended: the request that is delivered there.
    pub(crate) fn deliver_here(&mut self, cx: &Context<'_>) -> Option<Delivery> {
        if let Some(passed) = &mut self.0 {
            return passed.leaf.deliver_here(cx);
        }
        let mut leaf = Leaf::default();
        let delivery = leaf.deliver_here(cx);
        if leaf.has_bell() {
            self.made().leaf = leaf;
        }
        delivery
    }

    /// Keeps a request until the task has answered it.
    pub(crate) fn hold(&mut self, delivery: Delivery) {
        self.made().deliveries.keep(delivery);
    }

    /// The output of a task that was cancelled by a request which was handed on from here, and taken
    /// by somebody who did not drop this code. Pending, as long as nobody has taken it.
    pub(crate) fn poll_returned(&mut self, cx: &Context<'_>) -> Option<Poll<O>> {
        let passed = self.0.as_mut().filter(|passed| passed.output.is_some())?;
        if passed.deliveries.is_empty() {
            region::take_delivery()
                .into_iter()
                .for_each(|delivery| passed.deliveries.keep(delivery));
        }
        if passed.deliveries.hand_on(cx.waker()) {
            return Some(Poll::Pending);
        }
        let output = passed.output.take().map(Poll::Ready);
        self.0 = None;
        output
    }

    /// Gives the output of a task that has ended, and then the request, if one was passed on.
    /// `is_cancelled`: the task has ended by a request.
    pub(crate) fn give(&mut self, output: O, is_cancelled: bool, cx: &Context<'_>) -> Poll<O> {
        if is_cancelled {
            // Asked to end together with the task: that is no failure of the task.
            if let Some(delivery) = region::take_delivery() {
                self.hold(delivery);
            }
        }
        if self.0.is_none() {
            return Poll::Ready(output);
        }
        self.return_request(output, is_cancelled, cx)
    }

    /// As [`give`](Self::give) for a task that has ended by a request, where whoever awaits may be about
    /// to be asked as well: in the next poll.
    pub(crate) fn give_later(&mut self, output: O, cx: &Context<'_>) -> Poll<O> {
        match self.give(output, true, cx) {
            Poll::Ready(output) => {
                self.made().output = Some(output);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// The task has answered a request that was passed on to it: with a value, which is kept while
    /// the request comes next; or by ending, and then the request goes on from here.
    fn return_request(&mut self, output: O, is_cancelled: bool, cx: &Context<'_>) -> Poll<O> {
        let passed = self.made();
        if is_cancelled {
            passed.leaf.close();
            if passed.deliveries.hand_on(cx.waker()) {
                passed.output = Some(output);
                return Poll::Pending;
            }
        } else {
            passed.deliveries.put_back();
        }
        self.0 = None;
        Poll::Ready(output)
    }
}
