//! Models of a group's two sides: each runs as a stress test, under loom and under Miri.

use super::child;
use super::error::Failure;
use super::shared::{End, Shared};
use crate::platform::atomic::{AtomicBool, Ordering};
use crate::platform::{model, thread};
use crate::task::Builder;
use crate::task::tests::roster;
use std::future::pending;
use std::sync::Arc;
use std::task::{Wake, Waker};

/// Notes that it was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        // Release: pairs with the Acquire of whoever looks.
        self.0.store(true, Ordering::Release);
    }
}

fn flag() -> (Arc<Flag>, Waker) {
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    (flag.clone(), flag.into())
}

#[test]
fn the_last_child_wakes_the_bodys_task_or_is_seen_by_it() {
    model(|| {
        let shared = Arc::new(Shared::<u8>::new());
        let place = shared.enter().expect("the group is open");
        let child = thread::spawn(move || place.leave(End::Quiet));
        let (woken, waker) = flag();
        shared.register(&waker);
        let seen = shared.try_end().is_some();
        child.join().unwrap();
        // Acquire: pairs with the Release in `wake`.
        assert!(seen || woken.0.load(Ordering::Acquire), "the end was missed");
        assert!(seen || shared.try_end().is_some());
    });
}

#[test]
fn a_failure_wakes_the_bodys_task_or_is_seen_by_it() {
    model(|| {
        let shared = Arc::new(Shared::new());
        let place = shared.enter().expect("the group is open");
        let child = thread::spawn(move || place.leave(End::Failed(Failure::Error(5_u8))));
        let (woken, waker) = flag();
        shared.register(&waker);
        let seen = shared.is_closed();
        child.join().unwrap();
        // Acquire: pairs with the Release in `wake`.
        assert!(seen || woken.0.load(Ordering::Acquire), "the failure was missed");
        let outcome = shared.try_end().expect("the child has left");
        assert_eq!(outcome.failures, [Failure::Error(5)]);
    });
}

#[test]
fn a_child_that_enters_beside_an_abort_is_refused_or_cancelled() {
    model(|| {
        let (roster, queue) = roster();
        let shared = Arc::new(Shared::<u8>::new());
        let aborted = shared.clone();
        let thread = thread::spawn(move || aborted.abort());
        if let Some(place) = shared.enter() {
            let handle = Builder::new().spawn_in(&roster, pending::<Result<(), u8>>());
            drop(child::watch(place, handle, |error| Some(Failure::Error(error)), true));
        }
        thread.join().unwrap();
        queue.run_all();
        assert!(shared.try_end().is_some(), "a child was left running");
        assert_eq!(roster.len(), 0, "a task is listed for ever");
    });
}
