//! Models of requests to end: each runs as a stress test, under loom and under Miri.

use super::region::{Catching, Caught, Inside, Region};
use super::tests::{assert_freed, poll_once, roster};
use super::{Builder, JoinError, JoinHandle};
use crate::platform::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::platform::{Mutex, model, thread};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// Counts the requests that a region catches, and goes on waiting after each.
fn counting(
    count: &Arc<AtomicUsize>,
    ready: &Arc<AtomicBool>,
) -> impl Future<Output = u32> + use<> {
    let (count, ready, mut catching) = (count.clone(), ready.clone(), Catching::default());
    poll_fn(move |cx| {
        let inside = || if ready.load(Ordering::Relaxed) { Poll::Ready(7) } else { Poll::Pending };
        loop {
            match catching.poll(cx, |_| inside()) {
                Caught::Ready(value) => return Poll::Ready(value),
                Caught::Pending => return Poll::Pending,
                Caught::Delivered(_) => count.fetch_add(1, Ordering::Relaxed),
            };
        }
    })
}

fn output<T>(handle: &mut JoinHandle<T>) -> Result<T, JoinError> {
    match poll_once(handle, Waker::noop()) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the task has not ended"),
    }
}

#[test]
fn a_request_is_delivered_once_however_it_falls_together_with_polls() {
    model(|| {
        let (roster, queue) = roster();
        let (caught, ready) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let mut handle = Builder::new().spawn_in(&roster, counting(&caught, &ready));
        queue.run_one(); // it has begun, so that the region is there
        let (task, waker) = (handle.task(), handle.task());
        let thread = thread::spawn(move || assert!(task.cancel()));
        waker.wake_for_test();
        queue.run_one();
        thread.join().unwrap();
        queue.run_all();
        assert_eq!(caught.load(Ordering::Relaxed), 1);
        assert_eq!(waker.cancelling(), 1);
        ready.store(true, Ordering::Relaxed);
        waker.wake_for_test();
        queue.run_all();
        assert_eq!(output(&mut handle).unwrap(), 7, "the region goes on after the request");
        assert_eq!(caught.load(Ordering::Relaxed), 1, "and sees it no second time");
        drop((handle, waker));
        assert_freed(&roster);
    });
}

#[test]
fn a_delivery_meets_completion_and_the_value_is_kept() {
    model(|| {
        let (roster, queue) = roster();
        let (caught, ready) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let mut handle = Builder::new().spawn_in(&roster, counting(&caught, &ready));
        queue.run_one();
        let task = handle.task();
        let thread = thread::spawn(move || task.cancel());
        ready.store(true, Ordering::Relaxed);
        handle.task().wake_for_test();
        queue.run_one();
        let noted = thread.join().unwrap();
        queue.run_all();
        assert_eq!(
            handle.task().cancelling(),
            u32::from(noted),
            "one that is too late is not counted"
        );
        assert_eq!(output(&mut handle).unwrap(), 7);
        let caught: usize = caught.load(Ordering::Relaxed);
        assert!(caught <= usize::from(noted), "{caught} deliveries");
        drop(handle);
        assert_freed(&roster);
    });
}

#[test]
fn a_request_that_is_taken_back_is_delivered_before_that_or_never() {
    model(|| {
        let (roster, queue) = roster();
        let (caught, ready) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let mut handle = Builder::new().spawn_in(&roster, counting(&caught, &ready));
        queue.run_one();
        let task = handle.task();
        let thread = thread::spawn(move || {
            task.cancel();
            assert_eq!(task.uncancel(), 0);
        });
        queue.run_one();
        thread.join().unwrap();
        let before: usize = caught.load(Ordering::Relaxed);
        queue.run_all();
        let all = caught.load(Ordering::Relaxed);
        assert!(all <= 1 && before == all, "{before} before, {all} in all");
        ready.store(true, Ordering::Relaxed);
        handle.task().wake_for_test();
        queue.run_all();
        assert_eq!(output(&mut handle).unwrap(), 7, "nothing is left to be delivered");
        assert_eq!(caught.load(Ordering::Relaxed), all);
        drop(handle);
        assert_freed(&roster);
    });
}

#[test]
fn requests_from_two_threads_are_both_counted() {
    model(|| {
        let (roster, queue) = roster();
        let (caught, ready) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let mut handle = Builder::new().spawn_in(&roster, counting(&caught, &ready));
        queue.run_one();
        let task = handle.task();
        let thread = thread::spawn(move || assert!(task.cancel()));
        assert!(handle.cancel());
        queue.run_one();
        thread.join().unwrap();
        queue.run_all();
        assert_eq!(handle.task().cancelling(), 2);
        let caught = caught.load(Ordering::Relaxed);
        assert!((1..=2).contains(&caught), "{caught} deliveries");
        ready.store(true, Ordering::Relaxed);
        handle.task().wake_for_test();
        queue.run_all();
        assert_eq!(output(&mut handle).unwrap(), 7);
        drop(handle);
        assert_freed(&roster);
    });
}

/// A future inside of two nested regions, each of which ends when its bell was rung.
fn nested(
    bells: &Arc<[AtomicBool; 2]>,
    log: &Arc<Mutex<Vec<&'static str>>>,
) -> impl Future<Output = ()> + use<> {
    let (bells, log) = (bells.clone(), log.clone());
    let (mut outer, mut inner) = (Region::default(), Region::default());
    let mut inner_ended = false;
    poll_fn(move |cx| {
        let mut poll = || {
            outer.poll(None, cx, |cx| {
                if inner_ended {
                    return Poll::Pending;
                }
                if bells[1].load(Ordering::Acquire) {
                    inner.ask();
                }
                match inner.poll(None, cx, |_| Poll::<()>::Pending) {
                    Inside::Ended => {
                        inner_ended = true;
                        log.lock().push("inner");
                        Poll::Pending
                    }
                    _ => Poll::Pending,
                }
            })
        };
        let mut polled = poll();
        if bells[0].load(Ordering::Acquire) && !outer.was_asked() {
            outer.ask();
            polled = outer.poll(None, cx, |_| Poll::<()>::Pending);
        }
        match polled {
            Inside::Ended => {
                log.lock().push("outer");
                Poll::Ready(())
            }
            _ => Poll::Pending,
        }
    })
}

#[test]
fn of_two_regions_that_end_at_once_the_outer_one_ends_last_and_once() {
    model(|| {
        let (roster, queue) = roster();
        let bells = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut handle = Builder::new().spawn_in(&roster, nested(&bells, &log));
        queue.run_one();
        let (task, rung) = (handle.task(), bells.clone());
        let thread = thread::spawn(move || {
            rung[1].store(true, Ordering::Release);
            task.wake_for_test();
        });
        bells[0].store(true, Ordering::Release);
        handle.task().wake_for_test();
        queue.run_one();
        thread.join().unwrap();
        queue.run_all();
        output(&mut handle).unwrap();
        let log = log.lock();
        assert!(*log == ["outer"] || *log == ["inner", "outer"], "{log:?}");
        drop((handle, log));
        assert_freed(&roster);
    });
}
