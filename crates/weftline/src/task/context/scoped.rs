//! [`Scoped`]: a future with a context of its own.

use super::Context;
use super::place::Entered;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

pin_project! {
    /// A future that runs in a context of its own; made by [`Context::scope`] and
    /// [`LocalKey::scope`](super::LocalKey::scope).
    #[must_use = "futures do nothing unless awaited"]
    pub struct Scoped<F> {
        // The context, while the future is not polled.
        context: Context,
        // Dropped inside of the context too; none once it is ready.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                let _entered = Entered::enter(this.context);
                this.future.set(None);
            }
        }
    }
}

impl<F> Scoped<F> {
    pub(super) fn new(context: Context, future: F) -> Self {
        Self { context, future: Some(future) }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _entered = Entered::enter(this.context);
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("a `Scoped` future was polled after it was ready");
        };
        let polled = future.poll(cx);
        if polled.is_ready() {
            this.future.set(None);
        }
        polled
    }
}

impl<F: fmt::Debug> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped")
            .field("context", &self.context)
            .field("future", &self.future)
            .finish()
    }
}
