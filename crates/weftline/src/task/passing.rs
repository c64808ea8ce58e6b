//! What becomes of a request to end that reaches whoever awaits a task: it is passed on to that
//! task, and comes back when the task has ended.

use super::region::{Deliveries, Delivery, Leaf};
use std::task::{Context, Poll};

/// The place where requests reach whoever awaits a task; `O` is what that task ends by.
#[derive(Debug)]
pub(crate) struct Passing<O> {
    /// Where they are delivered.
    leaf: Leaf,
    /// Those that were passed on, if there are any.
    passed: Option<Box<PassedOn<O>>>,
}

/// Requests to end that were passed on.
#[derive(Debug)]
struct PassedOn<O> {
    /// The requests.
    deliveries: Deliveries,
    /// What the task then ended by.
    output: Option<O>,
}

impl<O> Default for Passing<O> {
    fn default() -> Self {
        Self { leaf: Leaf::default(), passed: None }
    }
}

impl<O> Passing<O> {
    /// Whoever awaits is suspended: the request that is delivered there.
    #[inline]
    pub(crate) fn deliver_here(&mut self, cx: &Context<'_>) -> Option<Delivery> {
        self.leaf.deliver_here(cx)
    }

    /// Keeps a request until the task has answered it.
    pub(crate) fn hold(&mut self, delivery: Delivery) {
        let new = || Box::new(PassedOn { deliveries: Deliveries::default(), output: None });
        self.passed.get_or_insert_with(new).deliveries.keep(delivery);
    }

    /// The output of a task that was cancelled by a request which then found somebody else beside
    /// this one, and was not handed on there.
    #[inline]
    pub(crate) fn take_output(&mut self) -> Option<O> {
        let output = self.passed.as_mut()?.output.take()?;
        self.passed = None;
        Some(output)
    }

    /// Gives the output of a task that has ended, and then the request, if one was passed on.
    /// `is_cancelled`: the task has ended by a request.
    #[inline]
    pub(crate) fn give(&mut self, output: O, is_cancelled: bool, cx: &Context<'_>) -> Poll<O> {
        if is_cancelled {
            // Asked to end together with the task: that is no failure of the task.
            if let Some(delivery) = self.deliver_here(cx) {
                self.hold(delivery);
            }
        }
        if self.passed.is_none() {
            return Poll::Ready(output);
        }
        self.return_request(output, is_cancelled, cx)
    }

    /// The task has answered a request that was passed on to it: with a value, which is kept while
    /// the request comes next; or by ending, and then the request goes on from here.
    #[cold]
    fn return_request(&mut self, output: O, is_cancelled: bool, cx: &Context<'_>) -> Poll<O> {
        let passed = self.passed.as_mut().expect("a request was passed on");
        if is_cancelled {
            self.leaf.close();
            passed.deliveries.renew();
            passed.output = Some(output);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        passed.deliveries.put_back();
        self.passed = None;
        Poll::Ready(output)
    }
}
