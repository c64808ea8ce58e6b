//! [`Errand`]: one call on a thread that may block, as a future sees it.

use crate::runtime::context;
use crate::task::JoinHandle;
use std::fmt::Display;
use std::future::poll_fn;
use std::io;
use std::panic::resume_unwind;
use std::task::{Context, Poll};

/// A call that is made on a thread for blocking jobs. It is made whether or not anybody waits for it, and
/// a request to end does not reach it.
pub(crate) struct Errand<T>(JoinHandle<T>);

impl<T: Send + 'static> Errand<T> {
    /// Sends a call to such a thread.
    #[track_caller]
    pub(crate) fn send(call: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        context::send_errand(call).map(Self)
    }

    /// Whether waiting takes no time.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits for the value. Fails where the call was not made, since the runtime has ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.0.poll_output(cx).map(|output| {
            output.map_err(|error| match error.into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => io::Error::other("the runtime has shut down, and the call was not made"),
            })
        })
    }
}

impl<T: Send + 'static, E: Display + Send + 'static> Errand<Result<T, E>> {
    /// Has an error that nobody waits for reported, as that of any task.
    pub(crate) fn report_error(self) -> Self {
        Self(self.0.report_error())
    }
}

/// Makes a call on a thread that may block, and gives what it gives. Where nobody waits any more, a call that has
/// not begun is not made.
pub(crate) async fn call<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let mut errand = Errand(context::send_errand(call)?.cancel_on_drop());
    poll_fn(|cx| errand.poll(cx)).await?
}
