//! Models of the task protocol: each runs as a stress test, under loom and under Miri.

use super::raw::Header;
use super::{Admission, Builder, Home, Hooks, JoinHandle, Reason, Roster, Schedule, is_woken};
use crate::job::Job;
use crate::platform::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::platform::{Mutex, TIME_PASSES, model, thread};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// A queue that a test drains by hand.
#[derive(Default)]
pub(crate) struct Queue(Mutex<VecDeque<Job>>);

struct ByHand(Arc<Queue>, Hooks);

impl Schedule for ByHand {
    fn schedule(&self, job: Job, _: Home, _: Reason) {
        self.0.0.lock().push_back(job);
    }
    fn hooks(&self) -> &Hooks {
        &self.1
    }
    fn here(&self) -> Option<Home> {
        None
    }
    fn choose(&self) -> Home {
        Home::ANY
    }
}

/// A queue whose scheduler goes with its roster.
struct Mortal {
    queue: Arc<Queue>,
    hooks: Hooks,
    gone: Arc<AtomicBool>,
}

impl Schedule for Mortal {
    fn schedule(&self, job: Job, _: Home, _: Reason) {
        let (queue, gone) = (self.queue.clone(), self.gone.clone());
        queue.0.lock().push_back(job);
        assert!(!gone.load(Ordering::Acquire), "the scheduler went while it was used");
    }
    fn hooks(&self) -> &Hooks {
        &self.hooks
    }
    fn here(&self) -> Option<Home> {
        None
    }
    fn choose(&self) -> Home {
        Home::ANY
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Release);
    }
}

impl Queue {
    /// Runs one job, if there is one.
    pub(crate) fn run_one(&self) -> bool {
        let job = self.0.lock().pop_front();
        job.map(Job::run).is_some()
    }

    pub(crate) fn run_all(&self) {
        while self.run_one() {}
    }
}

pub(crate) fn roster() -> (Arc<Roster>, Arc<Queue>) {
    let queue = Arc::new(Queue::default());
    let schedule = ByHand(queue.clone(), Hooks::default());
    (Arc::new(Roster::new(Box::new(schedule))), queue)
}

/// Counts its drops.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Notes that it was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

pub(super) fn poll_once<T>(
    handle: &mut JoinHandle<T>,
    waker: &Waker,
) -> Poll<Result<T, super::JoinError>> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

/// The cell is freed exactly when the roster's last owner but the test is gone.
pub(super) fn assert_freed(roster: &Arc<Roster>) {
    assert_eq!(Arc::strong_count(roster), 1, "a task was leaked");
    assert_eq!(roster.len(), 0, "a task is listed for ever");
}

#[test]
fn a_task_is_woken_from_its_wake_up_to_the_end_of_the_poll_and_only_by_its_own_waker() {
    model(|| {
        let (roster, queue) = roster();
        let mut polls = 0;
        let mut handle = Builder::new().spawn_in(
            &roster,
            poll_fn(move |cx| {
                polls += 1;
                assert!(!is_woken(cx.waker()));
                assert!(!is_woken(Waker::noop()));
                if polls == 3 {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                assert!(is_woken(cx.waker()) && is_woken(&cx.waker().clone()));
                assert!(!is_woken(Waker::noop()));
                Poll::Pending
            }),
        );
        queue.run_all();
        // A claim that does not hold is a panic of the task.
        assert!(matches!(poll_once(&mut handle, Waker::noop()), Poll::Ready(Ok(()))));
        assert!(!is_woken(Waker::noop()));
    });
}

#[test]
fn a_header_is_at_most_64_bytes() {
    // A model checker's atomics are larger than real ones.
    if TIME_PASSES {
        assert!(size_of::<Header>() <= 64, "{} bytes", size_of::<Header>());
    }
}

#[test]
fn a_wake_while_polling_polls_again() {
    model(|| {
        let (roster, queue) = roster();
        let ready = Arc::new(AtomicBool::new(false));
        let place = Arc::new(Mutex::new(None::<Waker>));
        let (seen, stored) = (ready.clone(), place.clone());
        let handle = Builder::new().spawn_in(
            &roster,
            poll_fn(move |cx| {
                // Relaxed: the wake-up alone must make the write visible.
                if seen.load(Ordering::Relaxed) {
                    return Poll::Ready(());
                }
                *stored.lock() = Some(cx.waker().clone());
                Poll::Pending
            }),
        );
        queue.run_all();
        let waker = place.lock().take().expect("the first poll left its waker");
        let (spurious, runner) = (waker.clone(), queue.clone());
        let thread = thread::spawn(move || {
            spurious.wake();
            runner.run_one();
        });
        ready.store(true, Ordering::Relaxed);
        waker.wake();
        thread.join().unwrap();
        queue.run_all();
        assert!(handle.is_finished(), "the wake-up was lost");
        drop((handle, place));
        assert_freed(&roster);
    });
}

#[test]
fn a_waker_that_is_used_up_while_the_task_ends_lets_go_of_it() {
    model(|| {
        let (roster, queue) = roster();
        let place = Arc::new(Mutex::new(None::<Waker>));
        let stored = place.clone();
        let handle = Builder::new().spawn_in(
            &roster,
            poll_fn(move |cx| {
                let is_first = stored.lock().replace(cx.waker().clone()).is_none();
                if is_first { Poll::Pending } else { Poll::Ready(()) }
            }),
        );
        queue.run_all();
        let waker = place.lock().clone().expect("the first poll left its waker");
        let last = waker.clone();
        let thread = thread::spawn(move || last.wake());
        waker.wake();
        queue.run_all();
        drop((handle, place));
        thread.join().unwrap();
        queue.run_all();
        assert_freed(&roster);
    });
}

#[test]
fn whoever_wakes_a_task_has_its_scheduler_until_that_is_done() {
    model(|| {
        let (queue, gone) = (Arc::new(Queue::default()), Arc::new(AtomicBool::new(false)));
        let mortal = Mortal { queue: queue.clone(), hooks: Hooks::default(), gone };
        let roster = Arc::new(Roster::new(Box::new(mortal)));
        let (place, mut waits) = (Arc::new(Mutex::new(None::<Waker>)), true);
        let stored = place.clone();
        let handle = Builder::new().spawn_in(
            &roster,
            poll_fn(move |cx| {
                if !std::mem::replace(&mut waits, false) {
                    return Poll::Ready(());
                }
                *stored.lock() = Some(cx.waker().clone());
                Poll::Pending
            }),
        );
        queue.run_all();
        let waker = place.lock().take().expect("the first poll left its waker");
        drop((handle, roster));
        let thread = thread::spawn(move || waker.wake());
        queue.run_one();
        thread.join().expect("its scheduler is there");
        queue.run_all();
    });
}

#[test]
fn a_task_is_never_polled_by_two_at_once() {
    model(|| {
        let (roster, queue) = roster();
        let inside = Arc::new(AtomicUsize::new(0));
        let rounds = Arc::new(AtomicUsize::new(0));
        let (entered, polled) = (inside.clone(), rounds.clone());
        let handle = Builder::new().spawn_in(
            &roster,
            poll_fn(move |cx| {
                assert_eq!(entered.fetch_add(1, Ordering::Relaxed), 0);
                let round = polled.fetch_add(1, Ordering::Relaxed);
                if round < 2 {
                    cx.waker().wake_by_ref();
                }
                entered.fetch_sub(1, Ordering::Relaxed);
                if round < 2 { Poll::Pending } else { Poll::Ready(round) }
            }),
        );
        let task = handle.task();
        let runner = queue.clone();
        let thread = thread::spawn(move || {
            runner.run_one();
            runner.run_one();
        });
        queue.run_one();
        drop(task);
        thread.join().unwrap();
        queue.run_all();
        assert!(handle.is_finished());
        drop(handle);
        assert_freed(&roster);
    });
}

#[test]
fn a_cancel_meets_completion_and_the_task_ends_once() {
    model(|| {
        let (roster, queue) = roster();
        let drops = Arc::new(AtomicUsize::new(0));
        let (in_future, in_output) = (Dropped(drops.clone()), Dropped(drops.clone()));
        let mut first = true;
        let mut output = Some(in_output);
        let mut handle = Builder::new().spawn_in(
            &roster,
            poll_fn(move |cx| {
                let _ = &in_future;
                if std::mem::take(&mut first) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(output.take())
            }),
        );
        let task = handle.task();
        let thread = thread::spawn(move || task.cancel());
        queue.run_one();
        queue.run_one();
        thread.join().unwrap();
        queue.run_all();
        match poll_once(&mut handle, Waker::noop()) {
            Poll::Ready(Ok(value)) => drop(value),
            Poll::Ready(Err(error)) => assert!(error.is_cancelled()),
            Poll::Pending => panic!("the task has not ended"),
        }
        drop(handle);
        assert_eq!(drops.load(Ordering::Relaxed), 2, "future and output, once each");
        assert_freed(&roster);
    });
}

#[test]
fn a_call_is_made_or_dropped_by_the_first_of_its_jobs_and_freed_after_the_last() {
    model(|| {
        let (roster, queue) = roster();
        let (calls, drops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (called, held) = (calls.clone(), Dropped(drops.clone()));
        let mut handle = Builder::new().compute_in(&roster, move || {
            let _ = &held;
            called.fetch_add(1, Ordering::Relaxed);
        });
        let (task, runner) = (handle.task(), queue.clone());
        let thread = thread::spawn(move || {
            task.cancel();
            drop(task);
            runner.run_one();
        });
        queue.run_one();
        thread.join().unwrap();
        queue.run_all();
        let made = match poll_once(&mut handle, Waker::noop()) {
            Poll::Ready(Ok(())) => 1,
            Poll::Ready(Err(error)) if error.is_cancelled() => 0,
            other => panic!("{other:?}"),
        };
        assert_eq!(calls.load(Ordering::Relaxed), made);
        assert_eq!(drops.load(Ordering::Relaxed), 1, "the closure");
        drop(handle);
        assert_freed(&roster);
    });
}

#[test]
fn a_call_that_is_refused_while_it_is_cancelled_ends_once() {
    model(|| {
        let (roster, queue) = roster();
        roster.admit(Admission::Closed);
        let drops = Arc::new(AtomicUsize::new(0));
        let held = Dropped(drops.clone());
        let (lists, runner) = (roster.clone(), queue.clone());
        let thread = thread::spawn(move || {
            for task in lists.tasks() {
                task.cancel();
            }
            runner.run_one();
        });
        let mut handle = Builder::new().compute_in(&roster, move || drop(held));
        thread.join().unwrap();
        queue.run_all();
        let ended = poll_once(&mut handle, Waker::noop());
        assert!(matches!(ended, Poll::Ready(Err(error)) if error.is_cancelled()));
        assert_eq!(drops.load(Ordering::Relaxed), 1, "the closure");
        drop(handle);
        assert_freed(&roster);
    });
}

#[test]
fn a_joiner_that_registers_while_the_task_ends_is_woken() {
    model(|| {
        let (roster, queue) = roster();
        let mut handle = Builder::new().spawn_in(&roster, async { 7 });
        let runner = queue.clone();
        let thread = thread::spawn(move || runner.run_all());
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(flag.clone());
        let first = poll_once(&mut handle, &waker);
        // Another waker takes the first one's place.
        let second = match first {
            Poll::Pending => poll_once(&mut handle, &Waker::from(flag.clone())),
            ready => ready,
        };
        thread.join().unwrap();
        let output = match second {
            Poll::Ready(output) => output,
            Poll::Pending => {
                assert!(flag.0.load(Ordering::Acquire), "the joiner sleeps for ever");
                match poll_once(&mut handle, &waker) {
                    Poll::Ready(output) => output,
                    Poll::Pending => panic!("woken, but not ready"),
                }
            }
        };
        assert_eq!(output.unwrap(), 7);
        drop((handle, waker));
        assert_eq!(Arc::strong_count(&flag), 1, "a waker was leaked");
        assert_freed(&roster);
    });
}

#[test]
fn a_handle_dropped_while_the_task_ends_drops_the_output_once() {
    model(|| {
        let (roster, queue) = roster();
        let drops = Arc::new(AtomicUsize::new(0));
        let output = Dropped(drops.clone());
        let mut handle = Builder::new().spawn_in(&roster, async move { output });
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let _ = poll_once(&mut handle, &Waker::from(flag.clone()));
        let runner = queue.clone();
        let thread = thread::spawn(move || runner.run_all());
        drop(handle);
        thread.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(Arc::strong_count(&flag), 1, "a waker was leaked");
        assert_freed(&roster);
    });
}

#[test]
fn the_last_reference_frees_the_task_once() {
    model(|| {
        let (roster, queue) = roster();
        let drops = Arc::new(AtomicUsize::new(0));
        let in_future = Dropped(drops.clone());
        let handle = Builder::new().spawn_in(&roster, async move {
            let _kept = in_future;
        });
        let (task, copy) = (handle.task(), handle.task());
        let one = thread::spawn(move || drop(task.clone()));
        let two = thread::spawn(move || drop(copy));
        drop(handle);
        queue.run_all();
        one.join().unwrap();
        two.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_freed(&roster);
    });
}

#[test]
fn a_task_spawned_while_the_runtime_shuts_down_ends() {
    model(|| {
        let (roster, queue) = roster();
        let spawner = roster.clone();
        let thread =
            thread::spawn(move || Builder::new().spawn_in(&spawner, std::future::pending::<()>()));
        roster.admit(Admission::Closing);
        for task in roster.tasks() {
            task.cancel();
        }
        let mut handle = thread.join().unwrap();
        queue.run_all();
        match poll_once(&mut handle, Waker::noop()) {
            Poll::Ready(output) => assert!(output.unwrap_err().is_cancelled()),
            Poll::Pending => panic!("a task outlives its runtime"),
        }
        drop(handle);
        assert_freed(&roster);
    });
}

#[test]
fn a_task_spawned_after_the_end_is_refused_with_an_answer() {
    model(|| {
        let (roster, queue) = roster();
        roster.admit(Admission::Closed);
        let mut handle = Builder::new().spawn_in(&roster, async {});
        assert!(!queue.run_one(), "nothing is queued any more");
        assert!(matches!(
            poll_once(&mut handle, Waker::noop()),
            Poll::Ready(Err(error)) if error.is_cancelled()
        ));
        drop(handle);
        assert_freed(&roster);
    });
}
