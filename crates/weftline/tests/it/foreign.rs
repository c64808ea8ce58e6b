//! Foreign code is called without a lock: wakers, also where they are cloned, and values of variables
//! may use what they are called from.

use crate::probe::Gate;
use crate::rig::{LONG, runtime_of, within_limit};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::mem::ManuallyDrop;
use std::pin::pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use weftline::task::SharedHandle;
use weftline::time::{Deadline, sleep};
use weftline::{Group, GroupError, group, spawn, yield_now};

/// What a waker does whenever it is cloned, called or dropped.
struct Nosy(Box<dyn Fn() + Send + Sync>);

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, look, drop_waker);

thread_local! {
    /// It looks at what is called from there: what that calls does not look again.
    static LOOKS: Cell<bool> = const { Cell::new(false) };
}

impl Nosy {
    fn look(&self) {
        if !LOOKS.replace(true) {
            (self.0)();
            LOOKS.set(false);
        }
    }

    fn waker(self) -> Waker {
        let data = Arc::into_raw(Arc::new(self)).cast();
        // SAFETY: the functions of the table treat `data` as a counted reference, and what it points
        // to may be used by any thread.
        unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) }
    }
}

/// # Safety
///
/// `data` is that of a waker that lives.
unsafe fn look(data: *const ()) {
    // SAFETY: passed on; not dropped here.
    let nosy = ManuallyDrop::new(unsafe { Arc::from_raw(data.cast::<Nosy>()) });
    nosy.look();
}

/// # Safety
///
/// As for `look`.
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: passed on.
    unsafe { look(data) };
    // SAFETY: passed on.
    unsafe { Arc::increment_strong_count(data.cast::<Nosy>()) };
    RawWaker::new(data, &VTABLE)
}

/// # Safety
///
/// As for `look`, and the waker is given up.
unsafe fn wake(data: *const ()) {
    // SAFETY: passed on.
    unsafe { drop_waker(data) };
}

/// # Safety
///
/// As for `wake`.
unsafe fn drop_waker(data: *const ()) {
    // SAFETY: passed on.
    unsafe { look(data) };
    // SAFETY: passed on.
    drop(unsafe { Arc::from_raw(data.cast::<Nosy>()) });
}

fn poll_with<F: Future>(future: std::pin::Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Polls `future` to its end with one waker after the other, each of which does `look`; calls
/// `proceed` after a few polls.
async fn drive<F: Future>(
    future: F,
    look: impl Fn() + Send + Sync + 'static,
    proceed: impl FnOnce(),
) -> F::Output {
    let looks = Arc::new(AtomicU32::new(0));
    let look = Arc::new(look);
    let nosy = || {
        let (look, looks) = (look.clone(), looks.clone());
        let look = move || {
            looks.fetch_add(1, SeqCst);
            look();
        };
        Nosy(Box::new(look)).waker()
    };
    let mut future = pin!(future);
    for _ in 0..3 {
        let (first, second) = (nosy(), nosy());
        for waker in [&first, &first, &second] {
            assert!(poll_fn(|_| Poll::Ready(poll_with(future.as_mut(), waker))).await.is_pending());
        }
        yield_now().await;
    }
    proceed();
    let output = loop {
        let polled = poll_fn(|_| Poll::Ready(poll_with(future.as_mut(), &nosy()))).await;
        match polled {
            Poll::Ready(output) => break output,
            Poll::Pending => yield_now().await,
        }
    };
    assert!(looks.load(SeqCst) > 6, "it was not looked");
    output
}

/// Polls once.
fn glance<F: Future>(future: F) {
    let _ = poll_with(pin!(future), Waker::noop());
}

/// A child that ends when a gate is opened.
async fn opened(gate: Gate) -> Result<(), ()> {
    gate.wait().await;
    Ok(())
}

#[test]
fn wakers_may_look_at_the_limit_that_they_wait_for() {
    within_limit(|| {
        let done: Result<(), GroupError<()>> = runtime_of(1).block_on(group(|g| async move {
            let one = g.limit(1);
            let busy = Gate::new();
            one.spawn(opened(busy.clone())).await;
            let seen = one.clone();
            let look = move || assert!(format!("{seen:?}").starts_with("Limit"));
            drive(one.spawn(async { Ok(()) }), look, || busy.open()).await;
            Ok(())
        }));
        assert!(done.is_ok());
    });
}

#[test]
fn wakers_may_look_at_the_group_that_they_wait_for() {
    within_limit(|| {
        runtime_of(1).block_on(async {
            let (known, ends) = (Arc::new(OnceLock::<Group<()>>::new()), Gate::new());
            let (tells, child) = (known.clone(), opened(ends.clone()));
            let future = group(|g| async move {
                assert!(tells.set(g.clone()).is_ok());
                g.spawn(child);
                Ok(())
            });
            let look = move || assert!(!format!("{:?}", known.get()).is_empty());
            assert!(drive(future, look, || ends.open()).await.is_ok());
        });
    });
}

#[test]
fn wakers_may_look_at_the_task_that_many_wait_for() {
    within_limit(|| {
        runtime_of(1).block_on(async {
            let ends = Gate::new();
            let shared = spawn(ends.wait()).shared();
            let other = shared.clone();
            let look = move || glance(other.clone());
            assert!(drive(shared, look, || ends.open()).await.is_ok());
        });
    });
}

weftline::task_local! {
    static LOOKS_WHEN_DROPPED: LooksWhenDropped;
}

#[derive(Clone)]
struct LooksWhenDropped(Arc<OnceLock<SharedHandle<()>>>);

impl Drop for LooksWhenDropped {
    fn drop(&mut self) {
        if let Some(shared) = self.0.get() {
            glance(shared.clone());
        }
    }
}

#[test]
fn a_variable_may_look_at_the_task_that_many_wait_for() {
    within_limit(|| {
        runtime_of(1).block_on(async {
            let known = Arc::new(OnceLock::new());
            let value = LooksWhenDropped(known.clone());
            let ends = Gate::new();
            let task = LOOKS_WHEN_DROPPED.sync_scope(value, || spawn(ends.wait()));
            let shared = task.shared();
            assert!(known.set(shared.clone()).is_ok());
            yield_now().await;
            ends.open();
            assert!(shared.await.is_ok());
        });
    });
}

#[test]
fn wakers_may_look_at_the_deadline_that_they_wait_for() {
    within_limit(|| {
        runtime_of(1).block_on(async {
            let deadline = Deadline::after(LONG);
            let seen = deadline.clone();
            let limited = deadline.limit(pending::<()>());
            let over = || deadline.reschedule(Some(weftline::time::now())).unwrap();
            assert!(drive(limited, move || assert!(seen.when().is_some()), over).await.is_err());
        });
    });
}

#[test]
fn wakers_may_use_the_timers_that_they_wait_for() {
    within_limit(|| {
        runtime_of(1).block_on(async {
            let began = weftline::time::now();
            let mut nap = Box::pin(sleep(LONG));
            let ends = std::sync::Mutex::new(false);
            let napping = poll_fn(|cx| {
                if *ends.lock().unwrap() {
                    nap.as_mut().reset(began);
                }
                nap.as_mut().poll(cx)
            });
            drive(napping, || glance(sleep(LONG)), || *ends.lock().unwrap() = true).await;
        });
    });
}
