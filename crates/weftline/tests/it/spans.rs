//! With the feature `tracing`: tasks run inside of the span that was current at spawn.
//!
//! The subscriber of these tests is the least that knows which span is current: it numbers spans,
//! and keeps a stack for each thread.

use crate::rig::runtime;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, Once};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Span, Subscriber};
use tracing_core::span::Current;
use weftline::task::Builder;
use weftline::{spawn, spawn_blocking, spawn_local, spawn_pinned, yield_now};

/// Numbers spans and counts references to them.
struct Numbers;

/// Each span there was, and how many references to it there are. The first is number one.
static SPANS: Mutex<Vec<(&'static Metadata<'static>, usize)>> = Mutex::new(Vec::new());

thread_local! {
    /// The spans that this thread is in.
    static STACK: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Changes the entry of a span.
fn with_span<R>(
    span: u64,
    change: impl FnOnce(&mut (&'static Metadata<'static>, usize)) -> R,
) -> R {
    change(&mut SPANS.lock().unwrap()[usize::try_from(span).unwrap() - 1])
}

impl Subscriber for Numbers {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = SPANS.lock().unwrap();
        spans.push((span.metadata(), 1));
        Id::from_u64(spans.len() as u64)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, span: &Id) {
        STACK.with_borrow_mut(|stack| stack.push(span.into_u64()));
    }
    fn exit(&self, span: &Id) {
        let left = STACK.with_borrow_mut(Vec::pop);
        assert_eq!(left, Some(span.into_u64()), "spans are left in order");
    }
    fn clone_span(&self, span: &Id) -> Id {
        with_span(span.into_u64(), |(_, references)| *references += 1);
        span.clone()
    }
    fn try_close(&self, span: Id) -> bool {
        with_span(span.into_u64(), |(_, references)| {
            *references -= 1;
            *references == 0
        })
    }
    fn current_span(&self) -> Current {
        match STACK.with_borrow(|stack| stack.last().copied()) {
            Some(span) => Current::new(Id::from_u64(span), with_span(span, |(kind, _)| *kind)),
            None => Current::none(),
        }
    }
}

/// Makes the subscriber everybody's: that of a thread would not reach the workers.
fn subscribe() {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| {
        tracing::subscriber::set_global_default(Numbers).unwrap();
    });
}

/// The name of the span that is current here.
fn here() -> Option<&'static str> {
    Span::current().metadata().map(Metadata::name)
}

#[test]
fn every_poll_of_a_task_is_inside_of_the_span_around_its_spawn() {
    subscribe();
    let runtime = runtime();
    let request = tracing::info_span!("request");
    let task = request.in_scope(|| {
        runtime.spawn(async {
            let mut seen = vec![here()];
            for _ in 0..10 {
                yield_now().await;
                seen.push(here());
            }
            let inner = tracing::info_span!("inner");
            let inner = inner.in_scope(|| spawn(async { here() }));
            seen.extend([
                spawn(async { here() }).await.unwrap(),
                spawn_local(async { here() }).await.unwrap(),
                spawn_pinned(|| async { here() }).await.unwrap(),
                spawn_blocking(here).await.unwrap(),
                Builder::new().eager(true).spawn(async { here() }).await.unwrap(),
            ]);
            (seen, inner.await.unwrap())
        })
    });
    assert_eq!(here(), None);
    let (seen, inner) = task.wait().unwrap();
    assert_eq!(seen, [Some("request"); 16]);
    assert_eq!(inner, Some("inner"));
    let outside = runtime.spawn(async { here() });
    assert_eq!(outside.wait().unwrap(), None, "no worker stays in a span");
}

#[test]
fn a_future_is_dropped_inside_of_its_span() {
    subscribe();
    struct Notes(Arc<Mutex<Option<&'static str>>>);
    impl Drop for Notes {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = here();
        }
    }
    let runtime = runtime();
    let seen = Arc::new(Mutex::new(None));
    let notes = Notes(seen.clone());
    let dropped = tracing::info_span!("dropped");
    let task = dropped.in_scope(|| {
        runtime.spawn(async move {
            let _notes = notes;
            std::future::pending::<()>().await;
        })
    });
    task.cancel();
    assert!(task.wait().unwrap_err().is_cancelled());
    assert_eq!(*seen.lock().unwrap(), Some("dropped"));
}

#[test]
fn a_callback_is_called_inside_of_the_span_around_its_registration() {
    subscribe();
    let runtime = runtime();
    let (tell, told) = std::sync::mpsc::channel();
    for name in [Some("one"), None, Some("other")] {
        let tell = tell.clone();
        let register = || drop(runtime.handle().call_soon(move || tell.send(here()).unwrap()));
        match name {
            Some("one") => tracing::info_span!("one").in_scope(register),
            Some(_) => tracing::info_span!("other").in_scope(register),
            None => register(),
        }
    }
    drop(tell);
    assert_eq!(told.iter().collect::<Vec<_>>(), [Some("one"), None, Some("other")]);
}

#[test]
fn a_span_is_given_back_when_its_task_has_ended() {
    subscribe();
    let runtime = runtime();
    let span = tracing::info_span!("given back");
    let task = span.in_scope(|| runtime.spawn(yield_now()));
    let kept = task.task();
    task.wait().unwrap();
    let number = span.id().unwrap().into_u64();
    drop(span);
    assert_eq!(with_span(number, |(_, references)| *references), 0);
    drop(kept);
}
