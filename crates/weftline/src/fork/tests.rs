//! Models of fork-join: each runs as a stress test, under loom and under Miri.
//!
//! In loom's world all threads share what is thread-local here, so a fork's note is taken back before
//! another thread begins: nobody but its own thread sees it in any world.

use super::branch::{Branch, Offer};
use super::frame::Frame;
use super::promotion::Promotion;
use super::team::Team;
use crate::job::JobHeader;
use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::platform::{UnsafeCell, model, thread};
use std::ptr::NonNull;
use std::sync::Arc;

/// What is written without a lock: two at once are a data race that the checkers see.
struct Unguarded(UnsafeCell<u32>);

// SAFETY: that one writes at a time is what the models check.
unsafe impl Sync for Unguarded {}
// SAFETY: as above.
unsafe impl Send for Unguarded {}

impl Unguarded {
    fn new() -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(0)))
    }

    fn count(&self) -> u32 {
        self.0.with_mut(|count| {
            // SAFETY: as for `Sync`.
            unsafe { *count += 1 };
            // SAFETY: as for `Sync`.
            unsafe { *count }
        })
    }
}

/// Promotes a frame, and takes its note back.
fn promoted<B, RB>(frame: &Frame<B, RB>) -> (Arc<Promotion>, NonNull<JobHeader>)
where
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    // SAFETY: the models let a frame end before they leave it.
    unsafe { frame.latent.note() };
    let promotion = Promotion::of_oldest(None).expect("one is noted");
    (promotion, frame.latent.forget().expect("it is promoted"))
}

#[test]
fn a_fork_is_run_once_by_its_own_thread_or_by_another() {
    model(|| {
        let runs = Unguarded::new();
        let count = runs.clone();
        let frame = Frame::new(move || count.count());
        let (promotion, note) = promoted(&frame);
        let job = promotion.job();
        drop(promotion);
        let thief = thread::spawn(move || job.run());
        // SAFETY: promoted to that, forgotten, and ended once.
        let given = unsafe { frame.end(note) };
        assert_eq!(given.ok(), Some(1));
        assert_eq!(runs.count(), 2, "what the fork wrote is seen");
        thief.join().unwrap();
    });
}

#[test]
fn a_thread_that_falls_asleep_for_its_fork_is_woken_by_the_end() {
    model(|| {
        let runs = Unguarded::new();
        let count = runs.clone();
        let frame = Frame::new(move || count.count());
        let (promotion, note) = promoted(&frame);
        // The thief was first.
        assert!(promotion.claim());
        let thief = thread::spawn(move || promotion.run());
        // SAFETY: promoted to that, forgotten, and ended once.
        let given = unsafe { frame.end(note) };
        assert_eq!(given.ok(), Some(1));
        thief.join().unwrap();
    });
}

#[test]
fn a_thread_that_falls_asleep_takes_what_is_offered_meanwhile() {
    model(|| {
        let branch = Branch::new(None);
        let ended = Arc::new(AtomicUsize::new(0));
        let (inside, ends) = (branch.clone(), ended.clone());
        let thief = thread::spawn(move || {
            let frame = Frame::new(|| 7);
            let (promotion, note) = promoted(&frame);
            inside.offer(Offer::Fork(promotion.clone()));
            // As if it computed for ever: the fork is left to the one who waits.
            promotion.wait();
            // SAFETY: promoted to that, forgotten, and ended once.
            let given = unsafe { frame.end(note) };
            assert_eq!(given.ok(), Some(7));
            ends.store(1, Ordering::Release);
            inside.end();
        });
        branch.wait(|| ended.load(Ordering::Acquire) == 1, || false);
        thief.join().unwrap();
    });
}

#[test]
fn the_last_job_of_a_scope_ends_it() {
    model(|| {
        let runs = Unguarded::new();
        let count = runs.clone();
        let team = Team::new();
        team.add(move |_| {
            count.count();
        });
        let helped = team.clone();
        let helper = thread::spawn(move || helped.accept(|| false));
        team.finish();
        assert_eq!(runs.count(), 2, "what the job wrote is seen");
        helper.join().unwrap();
    });
}

#[test]
fn a_job_that_is_added_while_the_scope_falls_asleep_is_run() {
    model(|| {
        let team = Team::new();
        let ran = Arc::new(AtomicUsize::new(0));
        let (runs, last) = (ran.clone(), ran.clone());
        team.add(move |scope| {
            let runs = runs.clone();
            scope.spawn(move |_| {
                runs.fetch_add(1, Ordering::Relaxed);
            });
        });
        let helped = team.clone();
        // It leaves after one job, whatever that has added.
        let helper = thread::spawn(move || helped.accept(|| true));
        team.finish();
        assert_eq!(last.load(Ordering::Relaxed), 1);
        helper.join().unwrap();
    });
}
