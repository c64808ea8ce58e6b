//! Models of the scheduler's protocols: each runs as a stress test, under loom and under Miri.

use super::activity::{Activity, BEGUN};
use super::actors::Actors;
use super::monitor::{Monitor, Rest};
use super::park::DriverToken;
use super::queues::{Inbox, Slot};
use super::sleep::Sleep;
use super::watch::Watch;
use super::worker::Local;
use super::{BlockingLimits, BlockingPool, Entrance, Relief, ReliefLimits, Shared, Stalls, Time};
use crate::driver::Driver;
use crate::job::Job;
use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::platform::deque::Worker;
use crate::platform::parker::{Parker, Unpark};
use crate::platform::{UnsafeCell, model, thread};
use crate::task::{Admission, Builder, Hooks, JoinHandle, Pace, Roster};
use std::io;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

/// A scheduler of `workers` workers that a test runs by hand.
fn scheduler(workers: usize) -> (Arc<Roster>, Arc<Shared>, Vec<Local>) {
    scheduler_by(Time::System, workers)
}

fn scheduler_by(time: Time, workers: usize) -> (Arc<Roster>, Arc<Shared>, Vec<Local>) {
    let limits = BlockingLimits { max_threads: 1, keep_alive: Duration::ZERO };
    let no_thread = Box::new(|| Err(io::Error::other("a model starts no thread")));
    let blocking = BlockingPool::new(limits, no_thread);
    shared_by(time, workers, blocking, no_relief())
}

/// No relief worker.
fn no_relief() -> Relief {
    let limits = ReliefLimits { max_workers: 0, keep_alive: Duration::ZERO };
    Relief::new(limits, Box::new(|| Err(io::Error::other("a model starts no thread"))))
}

/// A scheduler that may have one relief worker; how often that was called is counted.
fn scheduler_with_relief(
    workers: usize,
) -> (Arc<Roster>, Arc<Shared>, Vec<Local>, Arc<AtomicUsize>) {
    let limits = BlockingLimits { max_threads: 1, keep_alive: Duration::ZERO };
    let no_thread = Box::new(|| Err(io::Error::other("a model starts no thread")));
    let blocking = BlockingPool::new(limits, no_thread);
    let started = Arc::new(AtomicUsize::new(0));
    let count = started.clone();
    let start = Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let limits = ReliefLimits { max_workers: 1, keep_alive: Duration::ZERO };
    let relief = Relief::new(limits, start);
    let (roster, shared, locals) = shared_by(Time::System, workers, blocking, relief);
    (roster, shared, locals, started)
}

fn shared_by(
    time: Time,
    workers: usize,
    blocking: BlockingPool,
    relief: Relief,
) -> (Arc<Roster>, Arc<Shared>, Vec<Local>) {
    let driver = Driver::new().expect("an event queue");
    let stalls = Stalls { relief, slow: None };
    let (shared, queues) = Shared::new(workers, driver, Hooks::default(), blocking, time, stalls);
    let owners = queues.into_iter().enumerate();
    let locals = owners.map(|(index, queue)| Local::new(index, shared.clone(), queue));
    let roster = Arc::new(Roster::new(Box::new(Entrance(shared.clone()))));
    let locals = locals.collect();
    (roster, shared, locals)
}

impl Local {
    /// Finds and runs one job, as the worker's loop does, and ends: from then on this worker is as
    /// one that never comes back.
    fn run_one_job(&self) {
        let mut searching = None;
        loop {
            if let Some(job) = self.search() {
                self.found(searching);
                job.run();
                return;
            }
            searching = self.park(searching);
        }
    }
}

#[test]
fn a_posted_job_is_never_slept_through() {
    model(|| {
        let (roster, _shared, mut workers) = scheduler(1);
        let worker = workers.remove(0);
        let thread = thread::spawn(move || worker.run_one_job());
        let handle = Builder::new().spawn_in(&roster, async {});
        thread.join().unwrap();
        assert!(handle.is_finished());
    });
}

#[test]
fn one_wake_recruits_the_next() {
    model(|| {
        let (roster, _shared, workers) = scheduler(2);
        let threads = workers.into_iter().map(|worker| thread::spawn(move || worker.run_one_job()));
        let threads: Vec<_> = threads.collect();
        // Each worker runs one job and is gone: whoever wakes for the first must see to it that
        // the second is not left to nobody.
        let first = Builder::new().spawn_in(&roster, async {});
        let second = Builder::new().spawn_in(&roster, async {});
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(first.is_finished() && second.is_finished());
    });
}

#[test]
fn nobody_is_called_for_the_one_job_that_its_worker_takes_next() {
    model(|| {
        let (roster, shared, mut workers) = scheduler(1);
        let worker = workers.remove(0);
        assert!(!worker.leaves_jobs_waiting());
        let handles: Vec<_> = (0..3).map(|_| Builder::new().spawn_in(&roster, async {})).collect();
        let next = || shared.injector.take(0, &worker.queue).expect("a job").job;
        let (first, second) = (next(), worker.queue.pop());
        let third = worker.queue.pop().unwrap_or_else(next);
        worker.queue.push(first);
        assert!(!worker.leaves_jobs_waiting());
        // One in the slot goes first.
        assert!(shared.remotes[0].slot.put(third).is_none());
        assert!(worker.leaves_jobs_waiting());
        let third = shared.remotes[0].slot.take().expect("it was just put in");
        worker.queue.push(third);
        assert!(worker.leaves_jobs_waiting());
        worker.queue.pop().expect("two are there").run();
        worker.queue.pop().expect("one is there").run();
        second.unwrap_or_else(next).run();
        assert!(handles.iter().all(|handle| handle.is_finished()));
    });
}

#[test]
fn of_two_that_sleep_one_has_the_driver() {
    model(|| {
        let token = Arc::new((DriverToken::new(), UnsafeCell::new(0)));
        let go_to_sleep = |token: &(DriverToken, UnsafeCell<u32>)| {
            // Once awake again after a turn of the driver ...
            if token.0.try_take() {
                enter(&token.1);
                token.0.give_back();
            }
            // ... and then for good.
            token.0.try_take()
        };
        let other = token.clone();
        let thread = thread::spawn(move || go_to_sleep(&other));
        let here = go_to_sleep(&token);
        let there = thread.join().unwrap();
        assert!(here != there, "exactly one sleeps in the driver, not {here} and {there}");
    });
}

/// Writes to what the token guards: two at once are a data race that the checkers see.
#[expect(unsafe_code, reason = "the model needs an unguarded write")]
fn enter(guarded: &UnsafeCell<u32>) {
    // SAFETY: whoever has the token is the only one here, which is what the model checks.
    guarded.with_mut(|count| unsafe { *count += 1 });
}

#[expect(unsafe_code, reason = "the cell is shared under the token's guard")]
// SAFETY: as `enter`.
unsafe impl Sync for UnsafeCell<u32> {}

/// Who sleeps and who watches, without workers.
struct Pair {
    sleep: Sleep,
    watch: Watch,
}

impl Pair {
    fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self { sleep: Sleep::new(workers, None), watch: Watch::new() })
    }

    /// Worker 1 of two parks as `Local::park` does, for good. Whether it watches.
    fn go_to_sleep(&self) -> bool {
        self.sleep.announce(1, false, None);
        self.sleep.sleeping() < 2 && self.watch.begin_if_none()
    }
}

#[test]
fn a_watcher_that_goes_off_to_run_leaves_another_one() {
    model(|| {
        let pair = Pair::new(2);
        pair.watch.begin();
        let other = pair.clone();
        let thread = thread::spawn(move || other.go_to_sleep());
        pair.watch.end();
        let called = pair.watch.call(&pair.sleep);
        let watches = thread.join().unwrap();
        assert!(watches || called == Some(1), "one sleeps, one runs, nobody watches");
    });
}

#[test]
fn a_sleeper_that_goes_off_to_run_leaves_a_watcher() {
    model(|| {
        let pair = Pair::new(2);
        pair.sleep.announce(0, true, None);
        let other = pair.clone();
        let thread = thread::spawn(move || other.go_to_sleep());
        assert!(pair.sleep.leave(0, false).is_none());
        let called = pair.watch.call(&pair.sleep);
        let watches = thread.join().unwrap();
        assert!(watches || called == Some(1), "one sleeps, one runs, nobody watches");
    });
}

#[test]
fn a_watcher_that_gives_up_since_all_sleep_sees_who_does_not() {
    model(|| {
        let pair = Pair::new(2);
        pair.sleep.announce(0, true, None);
        pair.watch.begin();
        let other = pair.clone();
        let thread = thread::spawn(move || {
            let all_sleep = other.sleep.sleeping() + 1 >= 2;
            if all_sleep {
                other.watch.give_up();
            }
            other.go_to_sleep() || !all_sleep
        });
        assert!(pair.sleep.leave(0, false).is_none());
        let called = pair.watch.call(&pair.sleep);
        let watches = thread.join().unwrap();
        assert!(watches || called == Some(1), "one sleeps, one runs, nobody watches");
    });
}

#[test]
fn a_searcher_that_others_rely_on_calls_a_watcher_in_their_place() {
    model(|| {
        let pair = Pair::new(3);
        pair.sleep.announce(0, true, None);
        pair.sleep.announce(1, false, None);
        let searching = pair.sleep.start_search().expect("nobody searches yet");
        let other = pair.clone();
        let thread = thread::spawn(move || {
            other.sleep.end_search(searching);
            other.watch.call(&other.sleep)
        });
        assert!(pair.sleep.leave(0, false).is_none());
        let called = [pair.watch.call(&pair.sleep), thread.join().unwrap()];
        assert!(called.contains(&Some(1)), "one sleeps, two run, nobody watches");
    });
}

#[test]
fn the_last_one_to_leave_its_sleep_wakes_the_monitor() {
    model(|| {
        let pair = Arc::new((Sleep::new(2, None), Monitor::new(None)));
        pair.0.announce(0, false, None);
        pair.0.announce(1, true, None);
        let go_off = |pair: &(Sleep, Monitor), worker| {
            assert!(pair.0.leave(worker, false).is_none());
            pair.1.worker_goes_off(&pair.0);
        };
        let other = pair.clone();
        let thread = thread::spawn(move || go_off(&other, 1));
        let monitor = pair.clone();
        let monitor = thread::spawn(move || match monitor.1.begin_rest(&monitor.0, || 2) {
            Rest::None => {}
            // Until it is woken, which is for ever if nobody does so.
            Rest::Light | Rest::Sound => monitor.1.sleep_for(None),
        });
        go_off(&pair, 0);
        thread.join().unwrap();
        monitor.join().unwrap();
    });
}

#[test]
fn a_mark_says_nothing_of_a_worker_that_has_gone_on() {
    model(|| {
        let activity = Arc::new(Activity::new());
        activity.begin(BEGUN, 1);
        let other = activity.clone();
        let monitor = thread::spawn(move || {
            let seen = other.count();
            other.note_stuck(seen);
            seen
        });
        activity.begin(2 * BEGUN, 2);
        let seen = monitor.join().unwrap();
        assert_eq!(activity.is_stuck(), seen == 2 * BEGUN);
    });
}

#[test]
fn of_two_workers_that_get_stuck_at_once_one_calls_relief() {
    model(|| {
        let (_roster, _shared, mut workers, started) = scheduler_with_relief(2);
        let other = workers.remove(1);
        let thread = thread::spawn(move || {
            other.begin_other();
            other.begin_blocking();
        });
        workers[0].begin_other();
        workers[0].begin_blocking();
        thread.join().unwrap();
        assert_eq!(started.load(Ordering::Relaxed), 1, "both are stuck, and nobody comes");
    });
}

#[test]
fn a_relief_worker_that_goes_leaves_the_driver_to_a_sleeper() {
    model(|| {
        let pair = Arc::new((Sleep::new(1, None), DriverToken::new()));
        // The relief worker, number 1, sleeps in the driver.
        assert!(pair.1.try_take());
        pair.0.announce(1, true, None);
        let other = pair.clone();
        let thread = thread::spawn(move || {
            // As `Local::park` does; true: it sleeps in the driver.
            let in_driver = other.1.try_take();
            other.0.announce(0, in_driver, None);
            if other.1.is_in_use(in_driver) {
                return in_driver;
            }
            let woken = other.0.leave(0, false).is_some();
            woken || other.1.try_take()
        });
        pair.1.give_back();
        assert!(pair.0.leave(1, false).is_none());
        let woken = pair.0.choose_sleeper();
        let in_driver = thread.join().unwrap();
        assert!(in_driver || woken == Some(0), "one sleeps, and nobody is in the driver");
    });
}

/// A task's first job, taken out of the queues.
fn new_job(roster: &Arc<Roster>, shared: &Shared) -> (JoinHandle<()>, Job) {
    let handle = Builder::new().spawn_in(roster, async {});
    let taken = shared.injector.take(0, &Worker::new_fifo()).expect("it was just put in");
    (handle, taken.job)
}

#[test]
fn a_job_that_is_put_into_a_slot_while_others_rob_it_is_run_once_and_as_it_was_put_in() {
    model(|| {
        let (roster, shared, _workers) = scheduler(1);
        let (slot, runs) = (Arc::new(Slot::new()), Arc::new(AtomicUsize::new(0)));
        let robbed = slot.clone();
        let robs = thread::spawn(move || {
            for _ in 0..2 {
                robbed.take().into_iter().for_each(Job::run);
            }
        });
        for _ in 0..2 {
            let (count, here) = (runs.clone(), Arc::new(UnsafeCell::new(0)));
            let there = here.clone();
            let counts = async move {
                enter(&there);
                count.fetch_add(1, Ordering::Relaxed);
            };
            let _handle = Builder::new().spawn_in(&roster, counts);
            let taken = shared.injector.take(0, &Worker::new_fifo()).expect("it was just put in");
            enter(&here);
            slot.put(taken.job).into_iter().for_each(Job::run);
        }
        robs.join().unwrap();
        slot.take().into_iter().for_each(Job::run);
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_job_that_computes_is_never_slept_through() {
    model(|| {
        let (roster, shared, mut workers, _) = scheduler_with_relief(1);
        let (handle, job) = new_job(&roster, &shared);
        let worker = workers.remove(0);
        let thread = thread::spawn(move || worker.run_one_job());
        shared.push_computing(job);
        thread.join().unwrap();
        assert!(handle.is_finished());
    });
}

#[test]
fn a_relief_worker_takes_what_computes_once_it_may() {
    model(|| {
        // The worker is stuck, for good.
        let (roster, shared, _workers, _) = scheduler_with_relief(1);
        let (handle, job) = new_job(&roster, &shared);
        let relief = Local::new(1, shared.clone(), Worker::new_fifo());
        let thread = thread::spawn(move || relief.run_one_job());
        shared.push_computing(job);
        assert!(!handle.is_finished(), "it may not");
        shared.let_relief_compute(true);
        thread.join().unwrap();
        assert!(handle.is_finished());
    });
}

#[test]
fn a_call_is_made_by_a_worker_that_falls_asleep_inside_of_a_job() {
    /// What the worker sleeps on there.
    struct Sleeper(Parker);
    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            assert_eq!(self.0.unpark(), Unpark::Done);
        }
    }

    model(|| {
        let (inbox, made) = (Arc::new(Inbox::new()), Arc::new(AtomicUsize::new(0)));
        let (posted, makes) = (inbox.clone(), made.clone());
        let caller = thread::spawn(move || {
            let call = Job::of_call(move || {
                makes.fetch_add(1, Ordering::Relaxed);
            });
            assert!(posted.push_call(call).is_none(), "the worker has not ended");
        });
        let sleeper = Arc::new(Sleeper(Parker::new()));
        loop {
            if let Some(call) = inbox.take_call(|| Waker::from(sleeper.clone())) {
                break call.run();
            }
            sleeper.0.park(None);
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
        caller.join().unwrap();
    });
}

#[test]
fn a_job_posted_while_the_workers_are_stopped_is_not_lost() {
    model(|| {
        let (roster, shared, _workers) = scheduler(1);
        let done = Arc::new(AtomicUsize::new(0));
        let (spawner, count) = (roster.clone(), done.clone());
        let thread = thread::spawn(move || {
            let handle = Builder::new().spawn_in(&spawner, async {});
            count.fetch_add(1, Ordering::Relaxed);
            handle
        });
        roster.admit(Admission::Closing);
        for task in roster.tasks() {
            task.cancel();
        }
        roster.admit(Admission::Closed);
        shared.stop();
        shared.drain();
        let handle = thread.join().unwrap();
        assert!(handle.is_finished(), "its joiner would wait for ever");
        assert_eq!(roster.len(), 0);
    });
}

#[test]
fn time_does_not_pass_over_a_woken_actor() {
    model(|| {
        let driver = Arc::new(Driver::new().expect("an event queue"));
        // A worker, and a thread in `block_on` that it wakes before it rests itself.
        let actors = Arc::new(Actors::new(1, driver));
        let work = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let (counted, shown) = (actors.clone(), work.clone());
        let worker = thread::spawn(move || {
            counted.begin();
            let (woken, worked) = (counted.clone(), shown.clone());
            let woken = thread::spawn(move || {
                worked.1.store(1, Ordering::Relaxed);
                woken.rest();
            });
            shown.0.store(1, Ordering::Relaxed);
            counted.rest();
            woken.join().unwrap();
        });
        let passes = actors.all_rest().is_some_and(|rest| actors.begin_first(rest));
        if passes {
            let done = (work.0.load(Ordering::Relaxed), work.1.load(Ordering::Relaxed));
            assert_eq!(done, (1, 1), "time passes while an actor is at work");
        }
        worker.join().unwrap();
        assert!(passes || actors.all_rest().is_some(), "nobody lets time pass");
    });
}

#[test]
fn virtual_time_stands_still_until_a_posted_job_has_run() {
    model(|| {
        let (roster, shared, mut workers) = scheduler_by(Time::Virtual, 1);
        shared.outside_timers.insert(1, Waker::noop().clone());
        // This thread is at work, as one inside of `block_on`.
        shared.begin_to_act();
        let worker = workers.remove(0);
        let thread = thread::spawn(move || worker.run_one_job());
        let (clock, ran_at) = (shared.clock.clone(), Arc::new(AtomicUsize::new(2)));
        let note = ran_at.clone();
        let handle = Builder::new().spawn_in(&roster, async move {
            note.store(usize::from(clock.now_ns() > 0), Ordering::Relaxed);
        });
        shared.rest();
        thread.join().unwrap();
        assert!(handle.is_finished());
        assert_eq!(ran_at.load(Ordering::Relaxed), 0, "time passed before the job ran");
    });
}

#[test]
fn a_job_from_outside_wakes_the_worker_that_would_let_time_pass() {
    model(|| {
        let (roster, _shared, mut workers) = scheduler_by(Time::Virtual, 1);
        let worker = workers.remove(0);
        let thread = thread::spawn(move || worker.run_one_job());
        // This thread is no actor, as one that spawns and is not inside of `block_on`.
        let handle = Builder::new().spawn_in(&roster, async {});
        thread.join().unwrap();
        assert!(handle.is_finished());
    });
}
