//! Models of what hands out news: each runs as a stress test, under loom and under Miri. Those of what
//! hands out permits are beside the line.

use super::waiter::Waiter;
use super::{Barrier, Condvar, Event, Mutex, Notify, OnceCell};
use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::platform::{model, thread};
use std::sync::Arc;
use std::task::Poll;

#[test]
fn an_event_that_is_set_while_somebody_begins_to_wait_is_not_missed() {
    model(|| {
        let event = Arc::new(Event::new());
        let sets = thread::spawn({
            let event = event.clone();
            move || event.set()
        });
        let waiter = Waiter::begun(event.wait());
        sets.join().unwrap();
        waiter.outcome();
        assert!(event.is_set());
    });
}

#[test]
fn an_event_that_is_set_and_cleared_reaches_whoever_was_there() {
    model(|| {
        let event = Arc::new(Event::new());
        let mut waiter = Waiter::waiting(event.wait());
        let sets = thread::spawn({
            let event = event.clone();
            move || {
                event.set();
                event.clear();
            }
        });
        let early = waiter.poll();
        sets.join().unwrap();
        if early.is_pending() {
            waiter.must_be_ready();
        }
        assert!(!event.is_set());
    });
}

#[test]
fn a_thread_that_waits_for_an_event_is_woken() {
    model(|| {
        let event = Arc::new(Event::new());
        let sets = thread::spawn({
            let event = event.clone();
            move || event.set()
        });
        event.wait_blocking();
        sets.join().unwrap();
    });
}

#[test]
fn a_notification_of_one_who_leaves_reaches_the_other() {
    model(|| {
        let (mutex, changed) = (Mutex::new(()), Arc::new(Condvar::new()));
        let waits = || Waiter::waiting(changed.wait(mutex.try_lock().expect("nobody holds it")));
        let (mut first, mut second) = (waits(), waits());
        let notifies = thread::spawn({
            let changed = changed.clone();
            move || changed.notify_one()
        });
        first.leave();
        notifies.join().unwrap();
        drop(second.must_be_ready());
    });
}

#[test]
fn a_notification_of_one_who_leaves_before_it_has_the_lock_reaches_the_other() {
    model(|| {
        let shared = Arc::new((Mutex::new(()), Condvar::new()));
        let (mutex, changed) = &*shared;
        let waits = || Waiter::waiting(changed.wait(mutex.try_lock().expect("nobody holds it")));
        let (mut first, mut second) = (waits(), waits());
        let guard = mutex.try_lock().expect("nobody holds it");
        changed.notify_one();
        assert!(first.poll().is_pending(), "the lock is held");
        let held = shared.clone();
        drop(guard);
        let locks = thread::spawn(move || drop(held.0.lock_blocking()));
        first.leave();
        locks.join().unwrap();
        drop(second.must_be_ready());
        assert!(mutex.try_lock().is_some());
    });
}

#[test]
fn no_change_is_missed_by_one_who_looked_under_the_lock() {
    model(|| {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let changes = thread::spawn({
            let shared = shared.clone();
            move || {
                *shared.0.lock_blocking() = true;
                shared.1.notify_one();
            }
        });
        let mut guard = shared.0.lock_blocking();
        while !*guard {
            guard = shared.1.wait_blocking(guard);
        }
        drop(guard);
        changes.join().unwrap();
    });
}

#[test]
fn one_is_notified_whether_it_waits_already_or_comes_later() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let notifies = thread::spawn({
            let notify = notify.clone();
            move || notify.notify_one()
        });
        let waiter = Waiter::begun(notify.notified());
        notifies.join().unwrap();
        waiter.outcome();
        assert!(Waiter::begun(notify.notified()).must_wait(), "it was one notification");
    });
}

#[test]
fn a_notification_of_one_who_leaves_goes_to_the_next_or_is_kept() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let mut first = Waiter::waiting(notify.notified());
        let notifies = thread::spawn({
            let notify = notify.clone();
            move || notify.notify_one()
        });
        first.leave();
        let second = Waiter::begun(notify.notified());
        notifies.join().unwrap();
        second.outcome();
    });
}

#[test]
fn all_are_notified_who_have_asked_before_polled_or_not() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let (first, second) = (Waiter::waiting(notify.notified()), notify.notified());
        let notifies = thread::spawn({
            let notify = notify.clone();
            move || notify.notify_waiters()
        });
        let second = Waiter::begun(second);
        notifies.join().unwrap();
        first.outcome();
        second.outcome();
        assert!(Waiter::begun(notify.notified()).must_wait(), "it came later");
    });
}

#[test]
fn the_last_who_comes_to_a_barrier_lets_the_other_go_on() {
    model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let other = thread::spawn({
            let barrier = barrier.clone();
            move || barrier.wait_blocking().unwrap()
        });
        let here = barrier.wait_blocking().unwrap();
        assert_eq!(here + other.join().unwrap(), 1, "0 and 1");
    });
}

#[test]
fn one_who_leaves_a_barrier_is_counted_or_not_as_the_others_go_on_or_not() {
    model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let mut leaves = Waiter::waiting(barrier.wait());
        let other = thread::spawn({
            let barrier = barrier.clone();
            move || {
                let mut waiter = Waiter::new(barrier.wait());
                matches!(waiter.poll(), Poll::Ready(Ok(1)))
            }
        });
        leaves.leave();
        let went_on = other.join().unwrap();
        assert_eq!(leaves.was_woken(), went_on);
        assert_eq!(barrier.n_waiting(), 0, "the other has left as well");
    });
}

#[test]
fn of_two_who_need_a_value_one_makes_it() {
    model(|| {
        let (cell, made) = (Arc::new(OnceCell::new()), Arc::new(AtomicUsize::new(0)));
        // Relaxed, all of them: only a number.
        let make = |made: &AtomicUsize| made.fetch_add(1, Ordering::Relaxed) + 7;
        let other = thread::spawn({
            let (cell, made) = (cell.clone(), made.clone());
            move || {
                // The checker does not see the cell's own lock. So it is told here that this thread
                // may come at each moment of the making.
                made.load(Ordering::Relaxed);
                *cell.get_or_init_blocking(|| make(&made))
            }
        });
        let waiter = Waiter::begun(cell.get_or_init(|| async { make(&made) }));
        assert_eq!(other.join().unwrap(), 7);
        assert_eq!(*waiter.outcome(), 7);
        assert_eq!(made.load(Ordering::Relaxed), 1);
    });
}
