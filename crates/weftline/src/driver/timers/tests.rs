//! What `Timers` promises: never early, a tick late at most, nothing lost or woken twice.
//!
//! All of it is written as models, to run in every world; those with two threads are at the end.
//! The wheel has tests of its own in `wheel_tests`.

use super::Timers;
use super::wheel::TICK_SHIFT;
use crate::driver::clock::NEVER_NS;
use crate::platform::global::{AtomicUsize, Ordering};
use crate::platform::{model, thread};
use std::sync::Arc;
use std::task::{Wake, Waker};

const TICK_NS: u64 = 1 << TICK_SHIFT;
const YEAR_NS: u64 = 365 * 24 * 3600 * 1_000_000_000;

/// A waker that counts its wakes; the Arc counts its clones.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counter() -> (Arc<Counter>, Waker) {
    let counter = Arc::new(Counter::default());
    (counter.clone(), counter.into())
}

/// Expires until nothing is due; returns how many wakers came out.
fn expire_all(timers: &Timers, now_ns: u64) -> usize {
    let mut wakers = Vec::new();
    while timers.next_deadline_ns() <= now_ns {
        timers.expire(now_ns, 3, &mut wakers);
    }
    wakers.len()
}

#[test]
fn a_lone_timer_expires_at_its_own_nanosecond() {
    model(|| {
        let (_, waker) = counter();
        for deadline_ns in
            [0, 1, TICK_NS - 1, TICK_NS, 1_000_000, YEAR_NS, 500 * YEAR_NS, u64::MAX - 1]
        {
            let timers = Timers::new();
            assert_eq!(timers.next_deadline_ns(), NEVER_NS);
            let (_, earliest) = timers.insert(deadline_ns, waker.clone());
            assert!(earliest);
            assert_eq!(timers.next_deadline_ns(), deadline_ns);
            let mut wakers = Vec::new();
            if deadline_ns > 0 {
                timers.expire(deadline_ns - 1, 10, &mut wakers);
                assert!(wakers.is_empty(), "{deadline_ns} expired early");
            }
            assert_eq!(expire_all(&timers, deadline_ns), 1);
            assert_eq!(timers.next_deadline_ns(), NEVER_NS);
        }
    });
}

#[test]
fn a_past_deadline_is_due_at_once() {
    model(|| {
        let (_, waker) = counter();
        let timers = Timers::new();
        timers.insert(YEAR_NS, waker.clone());
        assert_eq!(expire_all(&timers, YEAR_NS), 1);
        for deadline_ns in [0, 1, YEAR_NS - 1, YEAR_NS] {
            assert!(timers.insert(deadline_ns, waker.clone()).1);
            assert_eq!(expire_all(&timers, YEAR_NS), 1);
        }
    });
}

#[test]
fn a_timer_that_never_comes_can_only_be_removed() {
    model(|| {
        let (counter, waker) = counter();
        let timers = Timers::new();
        let (key, earliest) = timers.insert(NEVER_NS, waker.clone());
        assert!(!earliest);
        assert_eq!(timers.next_deadline_ns(), NEVER_NS);
        let mut wakers = Vec::new();
        timers.expire(u64::MAX, 10, &mut wakers);
        timers.insert(5, waker.clone());
        timers.expire(u64::MAX, 10, &mut wakers);
        assert_eq!(wakers.len(), 1);
        assert!(timers.update(key, &waker));
        assert!(timers.remove(key));
        assert!(!timers.remove(key));
        drop((wakers, waker));
        assert_eq!(Arc::strong_count(&counter), 1);
    });
}

#[test]
fn only_an_earlier_deadline_is_reported_as_the_earliest() {
    model(|| {
        let (_, waker) = counter();
        let timers = Timers::new();
        assert!(timers.insert(1_000 * TICK_NS, waker.clone()).1);
        assert!(!timers.insert(2_000 * TICK_NS, waker.clone()).1);
        let (key, earliest) = timers.insert(10 * TICK_NS, waker.clone());
        assert!(earliest);
        assert!(timers.remove(key));
        assert_eq!(timers.next_deadline_ns(), 1_000 * TICK_NS);
    });
}

#[test]
fn a_limit_leaves_the_rest_due_in_order() {
    model(|| {
        let timers = Timers::new();
        let counters: Vec<_> = (0..10).map(|_| counter()).collect();
        for (_, waker) in &counters {
            timers.insert(7 * TICK_NS, waker.clone());
        }
        for round in 0..5 {
            assert!(timers.next_deadline_ns() < 8 * TICK_NS);
            let mut wakers = Vec::new();
            timers.expire(8 * TICK_NS, 2, &mut wakers);
            assert_eq!(wakers.len(), 2);
            for (waker, (_, own)) in wakers.iter().zip(&counters[2 * round..]) {
                assert!(waker.will_wake(own), "equal deadlines expire in the order of insertion");
            }
        }
        assert_eq!(timers.next_deadline_ns(), NEVER_NS);
    });
}

#[test]
fn an_update_replaces_the_waker_and_drops_the_old_one() {
    model(|| {
        let (old_counter, old) = counter();
        let (new_counter, new) = counter();
        let timers = Timers::new();
        let (key, _) = timers.insert(5, old.clone());
        assert!(timers.update(key, &old));
        assert_eq!(Arc::strong_count(&old_counter), 3);
        assert!(timers.update(key, &new));
        assert_eq!(Arc::strong_count(&old_counter), 2);
        let mut wakers = Vec::new();
        timers.expire(5, 1, &mut wakers);
        wakers.pop().expect("the entry was due").wake();
        assert_eq!(new_counter.0.load(Ordering::Relaxed), 1);
        assert_eq!(old_counter.0.load(Ordering::Relaxed), 0);
        assert!(!timers.update(key, &new));
    });
}

#[test]
fn a_postponed_timer_keeps_its_waker_and_its_key() {
    model(|| {
        let (_, waker) = counter();
        let timers = Timers::new();
        let (key, _) = timers.insert(1_000_000, waker.clone());
        for by_ns in [0, 1, 1_000_000, YEAR_NS] {
            let deadline_ns = timers.next_deadline_ns() + by_ns;
            assert!(timers.postpone(key, by_ns));
            assert_eq!(timers.next_deadline_ns(), deadline_ns);
        }
        assert_eq!(expire_all(&timers, YEAR_NS), 0);
        assert!(timers.take(key).is_some_and(|kept| kept.will_wake(&waker)));
        assert!(!timers.postpone(key, YEAR_NS));
    });
}

#[test]
fn a_key_outlives_its_entry_without_harm() {
    model(|| {
        let (_, waker) = counter();
        let timers = Timers::new();
        let (old, _) = timers.insert(5, waker.clone());
        assert!(timers.remove(old));
        let (new, _) = timers.insert(5, waker.clone());
        assert!(!timers.remove(old));
        assert!(!timers.update(old, &waker));
        assert!(timers.remove(new));
    });
}

#[test]
fn closing_hands_out_every_waker_and_forgets_every_key() {
    model(|| {
        let (_, waker) = counter();
        let timers = Timers::new();
        let keys: Vec<_> =
            [0, 5, YEAR_NS, NEVER_NS].map(|ns| timers.insert(ns, waker.clone()).0).into();
        assert!(timers.remove(keys[1]));
        let mut wakers = Vec::new();
        timers.close(&mut wakers);
        assert_eq!(wakers.len(), 3);
        assert_eq!(timers.next_deadline_ns(), NEVER_NS);
        assert!(keys.iter().all(|&key| !timers.remove(key)));
    });
}

/// A waker whose drop uses the timers it was in.
struct Reentrant(Arc<Timers>);

impl Wake for Reentrant {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        self.0.insert(NEVER_NS, Waker::noop().clone());
    }
}

#[test]
fn a_waker_may_use_the_timers_while_it_is_dropped() {
    model(|| {
        let timers = Arc::new(Timers::new());
        let insert = || timers.insert(9, Arc::new(Reentrant(timers.clone())).into()).0;
        assert!(timers.remove(insert()));
        assert!(timers.update(insert(), Waker::noop()));
        insert();
        let mut wakers = Vec::new();
        timers.expire(TICK_NS, 10, &mut wakers);
        assert_eq!(wakers.len(), 2);
        drop(wakers);
        let mut wakers = Vec::new();
        timers.close(&mut wakers);
        assert_eq!(wakers.len(), 3);
    });
}

#[test]
fn a_removed_timer_wakes_nobody_and_an_expired_one_cannot_be_removed() {
    model(|| {
        let (counter, waker) = counter();
        let timers = Arc::new(Timers::new());
        let (key, _) = timers.insert(5, waker.clone());
        drop(waker);
        let remover = timers.clone();
        let remover = thread::Builder::new().spawn(move || remover.remove(key));
        let mut wakers = Vec::new();
        timers.expire(TICK_NS, 10, &mut wakers);
        let removed = remover.expect("a thread starts").join().expect("no panic");
        // Delivered or removed; never both, never neither.
        assert_eq!(wakers.len(), usize::from(!removed));
        assert_eq!(timers.next_deadline_ns(), NEVER_NS);
        drop(wakers);
        assert_eq!(Arc::strong_count(&counter), 1);
    });
}

#[test]
fn an_insertion_beside_an_expiry_is_neither_lost_nor_hidden() {
    model(|| {
        let (_, waker) = counter();
        let timers = Arc::new(Timers::new());
        timers.insert(5, waker.clone());
        let helper = timers.clone();
        let helper = thread::Builder::new().spawn(move || {
            let mut wakers = Vec::new();
            helper.expire(TICK_NS, 10, &mut wakers);
            wakers.len()
        });
        timers.insert(TICK_NS, waker.clone());
        timers.insert(9 * TICK_NS, waker.clone());
        let expired = helper.expect("a thread starts").join().expect("no panic");
        assert!((1..=2).contains(&expired));
        // What the helper did not see is published.
        let next_ns = timers.next_deadline_ns();
        assert_eq!(next_ns, if expired == 2 { 9 * TICK_NS } else { TICK_NS });
        assert_eq!(expired + expire_all(&timers, 10 * TICK_NS), 3);
    });
}

#[test]
fn an_update_beside_an_expiry_tells_which_waker_was_taken() {
    model(|| {
        let (old_counter, old) = counter();
        let (new_counter, new) = counter();
        let timers = Arc::new(Timers::new());
        let (key, _) = timers.insert(5, old.clone());
        let helper = timers.clone();
        let helper = thread::Builder::new().spawn(move || {
            let mut wakers = Vec::new();
            helper.expire(TICK_NS, 10, &mut wakers);
            wakers.into_iter().for_each(Waker::wake);
        });
        let updated = timers.update(key, &new);
        helper.expect("a thread starts").join().expect("no panic");
        assert_eq!(new_counter.0.load(Ordering::Relaxed), usize::from(updated));
        assert_eq!(old_counter.0.load(Ordering::Relaxed), usize::from(!updated));
    });
}
