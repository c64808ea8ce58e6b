//! Models of the line: each runs as a stress test, under loom and under Miri. Time does not pass for
//! loom and Miri: where a call is missed, the test says so. In a stress test it may pass anywhere.

use super::{Acquiring, Closed, Line};
use crate::platform::{UnsafeCell, model, thread};
use crate::sync::waiter::Waiter;
use std::sync::Arc;
use std::task::Poll;

/// Lets two looks pass: whoever was called before has missed its call.
fn let_time_pass(line: &Line) {
    if let Some(crowd) = line.crowd.get() {
        crowd.look();
        crowd.look();
    }
}

fn line(permits: usize) -> Arc<Line> {
    Arc::new(Line::new(permits))
}

/// Runs something on another thread.
fn beside(line: &Arc<Line>, act: impl FnOnce(&Line) + Send + 'static) -> thread::JoinHandle<()> {
    let line = line.clone();
    thread::spawn(move || act(&line))
}

/// One that was woken takes its permits, and gives them back.
#[track_caller]
fn come_and_go(line: &Line, waiter: &mut Waiter<Acquiring<'_>>, permits: usize) {
    assert_eq!(waiter.must_be_ready(), Ok(()));
    line.release(permits);
}

/// Fails if a permit was lost or made, or somebody has a place.
#[track_caller]
fn assert_left_alone(line: &Line, permits: usize) {
    assert_eq!(line.free(), permits, "permits");
    assert_eq!(line.waiters(), 0, "waiters");
    assert!(line.try_acquire(permits), "they can be taken");
}

#[test]
fn a_permit_given_while_somebody_begins_to_wait_is_not_lost() {
    model(|| {
        let line = line(0);
        let gives = beside(&line, |line| line.release(1));
        let waiter = Waiter::begun(line.acquire(1));
        gives.join().unwrap();
        assert_eq!(waiter.outcome(), Ok(()));
        line.release(1);
        assert_left_alone(&line, 1);
    });
}

/// What the permit stands for.
struct Guarded(UnsafeCell<u32>);
#[expect(unsafe_code, reason = "a model shares a cell, which the checker watches")]
// SAFETY: nobody makes a reference of the pointers that the cell lends.
unsafe impl Sync for Guarded {}
#[expect(unsafe_code, reason = "the model needs an unguarded write")]
fn enter(guarded: &Guarded) {
    // SAFETY: the pointer is valid; that nobody else uses it meanwhile is what the model checks.
    guarded.0.with_mut(|count| unsafe { *count += 1 });
}

#[test]
fn one_permit_is_held_by_one_at_a_time() {
    model(|| {
        let (line, guarded) = (line(1), Arc::new(Guarded(UnsafeCell::new(0))));
        let cell = guarded.clone();
        let other = beside(&line, move |line| {
            line.acquire_blocking(1).unwrap();
            enter(&cell);
            line.release(1);
        });
        line.acquire_blocking(1).unwrap();
        enter(&guarded);
        line.release(1);
        other.join().unwrap();
        assert_left_alone(&line, 1);
    });
}

#[test]
fn one_who_takes_before_it_is_woken_sees_what_the_last_one_wrote() {
    model(|| {
        let (line, guarded) = (line(0), Arc::new(Guarded(UnsafeCell::new(0))));
        let mut waiter = Waiter::waiting(line.acquire(1));
        let cell = guarded.clone();
        let gives = beside(&line, move |line| {
            enter(&cell);
            line.release(1);
        });
        if waiter.poll().is_ready() {
            enter(&guarded);
            line.release(1);
        }
        gives.join().unwrap();
    });
}

#[test]
fn a_newcomer_does_not_pass_one_who_waits() {
    model(|| {
        let line = line(0);
        let mut first = Waiter::waiting(line.acquire(1));
        let gives = beside(&line, |line| line.release(1));
        assert!(!line.try_acquire(1), "it was given to nobody, or is promised");
        let mut second = Waiter::waiting(line.acquire(1));
        gives.join().unwrap();
        come_and_go(&line, &mut first, 1);
        come_and_go(&line, &mut second, 1);
        assert_left_alone(&line, 1);
    });
}

#[test]
fn one_who_leaves_while_it_is_called_passes_the_permit_on() {
    model(|| {
        let line = line(0);
        let (mut first, mut second) =
            (Waiter::waiting(line.acquire(1)), Waiter::waiting(line.acquire(1)));
        let gives = beside(&line, |line| line.release(1));
        first.leave();
        gives.join().unwrap();
        come_and_go(&line, &mut second, 1);
        assert_left_alone(&line, 1);
    });
}

#[test]
fn one_who_leaves_while_another_comes_leaves_nothing_behind() {
    model(|| {
        let line = line(1);
        let other = beside(&line, |line| {
            let mut waiter = Waiter::new(line.acquire(1));
            if waiter.poll().is_ready() {
                line.release(1);
            }
            waiter.leave();
        });
        let waiter = Waiter::begun(line.acquire(1));
        other.join().unwrap();
        assert_eq!(waiter.outcome(), Ok(()));
        line.release(1);
        assert_left_alone(&line, 1);
    });
}

#[test]
fn a_large_request_is_not_passed_by_a_small_one() {
    model(|| {
        let line = line(1);
        let mut large = Waiter::waiting(line.acquire(2));
        let gives = beside(&line, |line| line.release(1));
        assert!(!line.try_acquire(1), "there is one permit, for which somebody waits");
        gives.join().unwrap();
        come_and_go(&line, &mut large, 2);
        assert_left_alone(&line, 2);
    });
}

#[test]
fn a_missed_call_goes_to_the_next_one() {
    model(|| {
        let line = line(0);
        let (mut stale, mut next) =
            (Waiter::waiting(line.acquire(1)), Waiter::waiting(line.acquire(1)));
        let gives = beside(&line, |line| line.release(1));
        let_time_pass(&line);
        gives.join().unwrap();
        let_time_pass(&line);
        assert!(stale.was_woken());
        come_and_go(&line, &mut next, 1);
        assert!(line.try_acquire(1), "only one is there, and has missed its call");
        assert!(stale.poll().is_pending(), "it waits again");
        line.release(1);
        assert_eq!(stale.poll(), Poll::Ready(Ok(())));
        line.release(1);
        assert_left_alone(&line, 1);
    });
}

#[test]
fn one_who_comes_just_as_it_misses_its_call_and_the_next_one_both_get_on() {
    model(|| {
        let line = line(0);
        let mut first = Waiter::waiting(line.acquire(1));
        let mut next = Waiter::waiting(line.acquire(1));
        line.release(1);
        let passes = beside(&line, let_time_pass);
        // It came first: whether it is late or not, the permit is its own.
        assert_eq!(first.must_be_ready(), Ok(()));
        passes.join().unwrap();
        assert!(next.poll().is_pending(), "the permit is held");
        line.release(1);
        assert_eq!(next.poll(), Poll::Ready(Ok(())));
        line.release(1);
        assert_left_alone(&line, 1);
    });
}

#[test]
fn one_who_comes_late_leaves_what_was_promised_to_an_earlier_one() {
    model(|| {
        let line = line(0);
        let mut first = Waiter::waiting(line.acquire(1));
        let mut second = Waiter::waiting(line.acquire(1));
        line.release(1);
        let_time_pass(&line);
        let_time_pass(&line);
        assert!(line.try_acquire(1), "both have missed their call");
        assert!(first.poll().is_pending(), "the permit is held");
        let gives = beside(&line, |line| line.release(1));
        assert!(second.poll().is_pending(), "it is held, or promised");
        gives.join().unwrap();
        come_and_go(&line, &mut first, 1);
        come_and_go(&line, &mut second, 1);
        assert_left_alone(&line, 1);
    });
}

#[test]
fn closing_tells_whoever_begins_to_wait() {
    model(|| {
        let line = line(0);
        let closes = beside(&line, Line::close);
        let waiter = Waiter::begun(line.acquire(1));
        closes.join().unwrap();
        assert_eq!(waiter.outcome(), Err(Closed));
        assert!(line.is_closed() && !line.try_acquire(0));
        assert_eq!(line.waiters(), 0);
    });
}

#[test]
fn a_thread_that_waits_gets_the_permit() {
    model(|| {
        let line = line(0);
        let gives = beside(&line, |line| line.release(1));
        assert_eq!(line.acquire_blocking(1), Ok(()));
        gives.join().unwrap();
        line.release(1);
        assert_left_alone(&line, 1);
    });
}
