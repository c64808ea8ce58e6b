//! What becomes of a request to end that reaches whoever awaits a task: it is passed on to that
//! task, and comes back when the task has ended.

use super::JoinError;
use super::region::{Deliveries, Delivery};
use std::task::{Context, Poll};

/// The requests that were passed on to the awaited task, if there are any.
pub(crate) struct Passing<T>(Option<Box<PassedOn<T>>>);

/// Requests to end that were passed on.
struct PassedOn<T> {
    /// The requests.
    deliveries: Deliveries,
    /// What the task then ended by.
    output: Option<Result<T, JoinError>>,
}

impl<T> Default for Passing<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Passing<T> {
    /// Keeps a request until the task has answered it.
    pub(crate) fn hold(&mut self, delivery: Delivery) {
        let new = || Box::new(PassedOn { deliveries: Deliveries::default(), output: None });
        self.0.get_or_insert_with(new).deliveries.keep(delivery);
    }

    /// The output of a task that was cancelled by a request which was then taken back, before it
    /// could be delivered again.
    #[inline]
    pub(crate) fn take_output(&mut self) -> Option<Result<T, JoinError>> {
        let output = self.0.as_mut()?.output.take()?;
        self.0 = None;
        Some(output)
    }

    /// Gives the output of a task that has ended, and then the request, if one was passed on.
    #[inline]
    pub(crate) fn give(
        &mut self,
        output: Result<T, JoinError>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, JoinError>> {
        if self.0.is_none() { Poll::Ready(output) } else { self.return_request(output, cx) }
    }

    /// The task has answered a request that was passed on to it: with a value, which is kept while
    /// the request comes next; or by ending, and then the request goes on from here.
    #[cold]
    fn return_request(
        &mut self,
        output: Result<T, JoinError>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, JoinError>> {
        let passed = self.0.as_mut().expect("a request was passed on");
        if output.as_ref().is_err_and(JoinError::is_cancelled) {
            passed.deliveries.renew();
            passed.output = Some(output);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        passed.deliveries.put_back();
        self.0 = None;
        Poll::Ready(output)
    }
}
