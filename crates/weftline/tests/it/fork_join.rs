//! Fork-join: both closures run, what they borrow stays, a wait runs nothing of others.

use crate::probe::Gate;
use crate::rig::{LONG, child, holder, is_child, panic_with, runtime, runtime_of};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};
use weftline::foundation::{Aside, Branch, set_aside};
use weftline::{checkpoint, compute, join, scope, task};

weftline::task_local! { static WHO: &'static str = "nobody"; }

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// Computes until a condition holds.
#[track_caller]
pub(crate) fn spin_until(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LONG, "nobody came");
        std::hint::spin_loop();
    }
}

/// A join whose closures run at the same time: `b` on another thread, and `a` once that has begun.
/// There are idle workers, which need not have asked yet: then it is tried again.
fn both<RA: Send, RB: Send>(
    a: impl FnOnce() -> RA + Send,
    b: impl FnOnce() -> RB + Send,
) -> (RA, RB) {
    let here = thread::current().id();
    let (mut a, mut b) = (Some(a), Some(b));
    loop {
        // Either of them decides, once, whether they meet this time.
        let met = OnceLock::new();
        let joined = join(
            || {
                let began = Instant::now();
                while met.get().is_none() && began.elapsed() < Duration::from_millis(20) {
                    std::hint::spin_loop();
                }
                met.get_or_init(|| false).then(|| a.take().map(|a| a())).flatten()
            },
            || {
                let elsewhere = thread::current().id() != here;
                met.get_or_init(|| elsewhere).then(|| b.take().map(|b| b())).flatten()
            },
        );
        if let (Some(a), Some(b)) = joined {
            return (a, b);
        }
    }
}

/// What a fork on another thread gives.
fn meeting<R: Send>(b: impl FnOnce() -> R + Send) -> R {
    both(|| {}, b).1
}

/// Runs a test on a worker of a runtime with others.
fn on_a_worker<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let runtime = runtime_of(3);
    runtime.block_on(async { compute(test).await.unwrap() })
}

#[test]
fn join_gives_what_both_closures_give_wherever_it_is_called() {
    assert_eq!(fib(15), 610);
    let runtime = runtime();
    assert_eq!(runtime.block_on(async { fib(20) }), 6765);
    assert_eq!(runtime.block_on(runtime.spawn(async { fib(20) })).unwrap(), 6765);
    assert_eq!(runtime.handle().spawn_blocking(|| fib(20)).wait().unwrap(), 6765);
    let _entered = runtime.handle().enter();
    assert_eq!(fib(20), 6765);
    assert_eq!(compute(|| fib(20)).wait().unwrap(), 6765);
}

#[test]
fn an_idle_worker_takes_a_part() {
    let here_and_there =
        on_a_worker(|| (thread::current().id(), meeting(|| thread::current().id())));
    assert_ne!(here_and_there.0, here_and_there.1);
}

#[test]
fn an_idle_worker_takes_a_part_of_what_block_on_computes() {
    let runtime = runtime();
    let there = runtime.block_on(async { meeting(|| thread::current().id()) });
    assert_ne!(there, thread::current().id());
}

#[test]
fn both_closures_run_and_the_first_panic_wins() {
    let ran = AtomicUsize::new(0);
    let count = || {
        ran.fetch_add(1, Ordering::Relaxed);
    };
    let message = |panic: Box<dyn std::any::Any + Send>| *panic.downcast::<&str>().unwrap();
    let joined = catch_unwind(AssertUnwindSafe(|| join(|| panic_with("on purpose: a"), count)));
    assert_eq!(message(joined.unwrap_err()), "on purpose: a");
    let joined = catch_unwind(AssertUnwindSafe(|| join(count, || panic_with("on purpose: b"))));
    assert_eq!(message(joined.unwrap_err()), "on purpose: b");
    let both = || join(|| panic_with("on purpose: a"), || panic_with("on purpose: b"));
    assert_eq!(message(catch_unwind(AssertUnwindSafe(both)).unwrap_err()), "on purpose: a");
    assert_eq!(ran.into_inner(), 2);
}

#[test]
fn a_panic_of_a_fork_on_another_thread_comes_back() {
    let payload = on_a_worker(|| {
        let stolen = || meeting(|| -> () { panic_with("on purpose: far away") });
        catch_unwind(AssertUnwindSafe(stolen)).unwrap_err()
    });
    assert_eq!(*payload.downcast::<&str>().unwrap(), "on purpose: far away");
}

#[test]
fn a_panic_waits_for_a_fork_on_another_thread() {
    on_a_worker(|| {
        let ended = AtomicBool::new(false);
        let joined = catch_unwind(AssertUnwindSafe(|| {
            both(
                || panic_with("on purpose: a"),
                || {
                    thread::sleep(Duration::from_millis(5));
                    ended.store(true, Ordering::Release);
                },
            )
        }));
        assert!(joined.is_err() && ended.into_inner());
    });
}

#[test]
fn a_lock_may_be_held_across_a_join() {
    // What rayon#592 and rayon#1142 are about. A worker joins with a lock in its hands, and a job that
    // wants the lock is queued there while it waits for its fork. If it ran that job
    // meanwhile, it would wait for itself.
    let runtime = runtime_of(2);
    let _entered = runtime.handle().enter();
    let lock = Arc::new(Mutex::new(0));
    let wanted = lock.clone();
    let mut job = compute(move || {
        let mut guard = wanted.lock().unwrap();
        let queued = AtomicBool::new(false);
        let (stranger, ()) = both(
            || {
                let wanted = wanted.clone();
                let stranger = compute(move || *wanted.lock().unwrap() += 1);
                queued.store(true, Ordering::Release);
                stranger
            },
            || {
                spin_until(|| queued.load(Ordering::Acquire));
                thread::sleep(Duration::from_millis(20));
            },
        );
        *guard += 1;
        stranger
    });
    let stranger = job.wait_timeout(LONG).expect("no deadlock").unwrap();
    stranger.wait().unwrap();
    assert_eq!(*lock.lock().unwrap(), 2);
}

#[test]
fn a_wait_runs_no_other_work_on_its_stack() {
    // What rayon#1311 is about. How deep a thread stands in jobs of this test: waiting for a part of
    // one never begins another.
    thread_local! { static DEPTH: std::cell::Cell<usize> = const { std::cell::Cell::new(0) }; }
    let runtime = runtime_of(4);
    let _entered = runtime.handle().enter();
    let jobs: Vec<_> = (0..500)
        .map(|_| {
            compute(|| {
                let depth = DEPTH.replace(DEPTH.get() + 1);
                let sum = fib(14);
                DEPTH.set(depth);
                (depth, sum)
            })
        })
        .collect();
    for job in jobs {
        assert_eq!(job.wait().unwrap(), (0, 377));
    }
}

#[test]
fn the_stack_is_as_deep_as_calls_are_nested() {
    // What rayon#854 is about: there a waiting thread stacks up whatever it steals.
    const LEVELS: usize = 14;
    thread_local! {
        // How many calls of `tree` this thread is in, and where the first one's frame is.
        static NESTED: std::cell::Cell<(usize, usize)> = const { std::cell::Cell::new((0, 0)) };
    }
    /// The most calls on top of each other on one thread, and the most bytes they take.
    fn tree(levels: usize) -> (usize, usize) {
        let frame = 0_u8;
        let here = &raw const frame as usize;
        let (nested, first) = NESTED.get();
        let first = if nested == 0 { here } else { first };
        NESTED.set((nested + 1, first));
        let deepest = if levels == 0 {
            // Leaves that wait for others make their threads look for something to run meanwhile.
            thread::yield_now();
            (nested + 1, first - here)
        } else {
            let (a, b) = join(|| tree(levels - 1), || tree(levels - 1));
            (a.0.max(b.0), a.1.max(b.1))
        };
        NESTED.set((nested, first));
        deepest
    }
    // Several at once are strangers to each other.
    let runtime = runtime_of(4);
    let trees: Vec<_> = (0..8).map(|_| runtime.handle().compute(|| tree(LEVELS))).collect();
    for tree in trees {
        let (nested, bytes) = tree.wait().unwrap();
        assert!(nested <= LEVELS + 1, "{nested} calls on top of each other");
        assert!(bytes < (LEVELS + 1) * 4096, "{bytes} bytes");
    }
}

#[test]
fn a_fork_belongs_to_the_task_that_forked() {
    let runtime = runtime_of(3);
    runtime.block_on(async {
        WHO.set("ada");
        let (id, forks_id, who) = compute(|| {
            let id = task::current().unwrap().id();
            let (forks_id, who) = meeting(|| (task::current().unwrap().id(), WHO.get()));
            (id, forks_id, who)
        })
        .await
        .unwrap();
        assert_eq!((id, "ada"), (forks_id, who));
    });
}

#[test]
fn what_a_fork_on_another_thread_sets_is_its_own() {
    on_a_worker(|| {
        WHO.set("ada");
        meeting(|| drop(WHO.set("grace")));
        assert_eq!(WHO.get(), "ada");
    });
}

#[test]
fn a_fork_has_the_context_of_the_place_where_it_was_forked() {
    on_a_worker(|| {
        let other = weftline::context::Context::new().with(&WHO, "grace");
        let seen = Mutex::new(HashSet::new());
        join(
            || other.run(|| meeting(|| seen.lock().unwrap().insert(WHO.get()))),
            || seen.lock().unwrap().insert(WHO.get()),
        );
        assert_eq!(seen.into_inner().unwrap(), HashSet::from(["nobody", "grace"]));
    });
}

#[test]
fn a_fork_on_another_thread_sees_the_request_to_end_its_task() {
    let runtime = runtime_of(3);
    let (begun, seen) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
    let (begins, sees) = (begun.clone(), seen.clone());
    runtime.block_on(async {
        let job = compute(move || {
            meeting(|| {
                begins.open();
                spin_until(|| checkpoint().is_err());
                sees.fetch_add(1, Ordering::Relaxed);
            });
        });
        begun.block();
        job.cancel();
        job.await.unwrap();
    });
    assert_eq!(seen.load(Ordering::Relaxed), 1);
}

#[test]
fn a_failure_in_a_group_reaches_forks_of_a_child_that_computes() {
    let runtime = runtime_of(3);
    let begun = Gate::new();
    let begins = begun.clone();
    let work = weftline::group(|g| async move {
        let computing = g.compute(move || {
            meeting(|| {
                begins.open();
                spin_until(|| checkpoint().is_err());
            });
            Ok(())
        });
        g.spawn_blocking(move || {
            begun.block();
            Err::<(), _>("on purpose")
        });
        computing.await.map_err(|_| "cancelled")
    });
    let error = runtime.block_on(work).unwrap_err();
    assert!(error.to_string().contains("on purpose"), "{error}");
}

#[test]
fn a_fork_in_what_is_uncancellable_sees_no_request() {
    let runtime = runtime_of(3);
    let begun = Gate::new();
    let begins = begun.clone();
    runtime.block_on(async {
        let job = weftline::spawn(weftline::uncancellable(async move {
            begins.open();
            spin_until(|| task::current().unwrap().cancelling() > 0);
            meeting(|| checkpoint().is_ok())
        }));
        begun.block();
        job.cancel();
        assert!(job.await.unwrap(), "the request was delivered inside");
    });
}

#[test]
fn a_task_polled_inside_of_a_join_keeps_its_forks_apart() {
    // `b` of the outer join must not be taken for a fork of the task that is polled eagerly in `a`.
    on_a_worker(|| {
        let outer = task::current().unwrap().id();
        let (inner, forks) = join(
            || {
                let eager = task::Builder::new().eager(true).spawn(async {
                    let id = task::current().unwrap().id();
                    (id, meeting(|| task::current().unwrap().id()))
                });
                eager.wait().unwrap()
            },
            || task::current().unwrap().id(),
        );
        assert_eq!(forks, outer);
        assert_eq!(inner.0, inner.1);
    });
}

#[test]
fn a_scope_ends_when_its_jobs_and_theirs_have_ended() {
    for runtime in [1, 2, 4].map(runtime_of) {
        let count = AtomicUsize::new(0);
        runtime.block_on(async {
            scope(|s| {
                for _ in 0..20 {
                    s.spawn(|s| {
                        for _ in 0..20 {
                            s.spawn(|_| {
                                count.fetch_add(fib(8) as usize, Ordering::Relaxed);
                            });
                        }
                    });
                }
            });
        });
        assert_eq!(count.into_inner(), 400 * 21);
    }
}

#[test]
fn a_scope_works_without_a_runtime() {
    let mut values = vec![0; 10];
    scope(|s| values.iter_mut().enumerate().for_each(|(n, v)| s.spawn(move |_| *v = n)));
    assert_eq!(values, (0..10).collect::<Vec<_>>());
}

#[test]
fn jobs_of_a_scope_run_at_the_same_time() {
    on_a_worker(|| {
        let present = AtomicUsize::new(0);
        scope(|s| {
            for _ in 0..2 {
                s.spawn(|_| {
                    present.fetch_add(1, Ordering::AcqRel);
                    spin_until(|| present.load(Ordering::Acquire) == 2);
                });
            }
        });
    });
}

#[test]
fn the_first_panic_in_a_scope_comes_after_all_jobs() {
    let ran = AtomicUsize::new(0);
    let run = || {
        scope(|s| {
            s.spawn(|_| panic_with("on purpose: a job"));
            for _ in 0..10 {
                s.spawn(|_| {
                    ran.fetch_add(1, Ordering::Relaxed);
                });
            }
            panic_with("on purpose: the body")
        })
    };
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "on purpose: the body");
    assert_eq!(ran.into_inner(), 10);
}

#[test]
fn a_wait_for_a_scope_runs_forks_of_its_jobs() {
    // The scope's thread waits for a job elsewhere, which waits for that thread to take its fork.
    let runtime = runtime_of(2);
    let _entered = runtime.handle().enter();
    let mut job = compute(|| {
        let here = thread::current().id();
        let came_back = AtomicBool::new(false);
        scope(|s| {
            let begun = Arc::new(AtomicBool::new(false));
            let begins = begun.clone();
            let came_back = &came_back;
            s.spawn(move |_| {
                begins.store(true, Ordering::Release);
                if thread::current().id() == here {
                    return came_back.store(true, Ordering::Release);
                }
                while !came_back.load(Ordering::Acquire) {
                    join(
                        || thread::sleep(Duration::from_millis(1)),
                        || {
                            if thread::current().id() == here {
                                came_back.store(true, Ordering::Release);
                            }
                        },
                    );
                }
            });
            spin_until(|| begun.load(Ordering::Acquire));
        });
        came_back.into_inner()
    });
    assert!(job.wait_timeout(LONG).expect("the scope's thread takes a part").unwrap());
}

#[test]
fn a_wait_for_a_scope_runs_what_its_jobs_add() {
    // The only other worker is busy with the job that adds, and stays so for a while after.
    let runtime = runtime_of(2);
    let _entered = runtime.handle().enter();
    let mut job = compute(|| {
        let (begun, added) = (OnceLock::new(), OnceLock::new());
        scope(|s| {
            s.spawn(|s| {
                begun.set(thread::current().id()).unwrap();
                s.spawn(|_| added.set(thread::current().id()).unwrap());
                spin_until(|| added.get().is_some());
                thread::sleep(Duration::from_millis(20));
            });
            spin_until(|| begun.get().is_some());
        });
        (thread::current().id(), begun.into_inner(), added.into_inner())
    });
    let (here, begun, added) = job.wait_timeout(LONG).expect("no deadlock").unwrap();
    assert_ne!(begun, Some(here));
    assert_eq!(added, Some(here));
}

#[test]
fn compute_runs_on_a_worker_and_does_not_begin_once_cancelled() {
    let runtime = runtime_of(1);
    runtime.block_on(async {
        let (hold, held) = holder();
        let holding = compute(hold);
        held.wait();
        let ran = Arc::new(AtomicBool::new(false));
        let runs = ran.clone();
        let late = compute(move || runs.store(true, Ordering::Relaxed));
        late.cancel();
        held.release();
        holding.await.unwrap();
        assert!(late.await.unwrap_err().is_cancelled());
        assert!(!ran.load(Ordering::Relaxed));
    });
}

#[test]
fn what_is_computed_is_taken_by_an_idle_worker_while_its_spawner_goes_on() {
    on_a_worker(|| {
        let begun = Arc::new(AtomicBool::new(false));
        let begins = begun.clone();
        let job = compute(move || begins.store(true, Ordering::Release));
        spin_until(|| begun.load(Ordering::Acquire));
        drop(job);
    });
}

#[test]
fn forks_of_many_tasks_at_once_all_come_back() {
    let runtime = runtime_of(4);
    let _entered = runtime.handle().enter();
    let jobs: Vec<_> = (0..50)
        .map(|n| {
            weftline::spawn(async move {
                let mut sum = fib(16);
                weftline::yield_now().await;
                scope(|s| s.spawn(|_| sum += fib(10 + n % 4)));
                sum
            })
        })
        .collect();
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(job.wait().unwrap(), 987 + [55, 89, 144, 233][n % 4]);
    }
}

/// What a thread owes that panics as soon as it is asked for it.
struct Thorny;

impl Aside for Thorny {
    fn run(&self) -> bool {
        panic!("on purpose");
    }

    fn watch(&self, _: &Arc<Branch>) -> bool {
        false
    }

    fn unwatch(&self, _: &Arc<Branch>) {}
}

#[test]
fn a_wait_for_a_fork_that_would_unwind_aborts_the_process() {
    if !is_child() {
        let name = "fork_join::a_wait_for_a_fork_that_would_unwind_aborts_the_process";
        let output = child(name).output().expect("the test binary runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("on purpose"), "{error}");
        assert!(!matches!(output.status.code(), Some(0 | 101)), "{}", output.status);
        return;
    }
    on_a_worker(|| {
        set_aside(Some(Rc::new(Thorny)));
        let (taken, left) = (AtomicBool::new(false), AtomicBool::new(false));
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let take = || {
                taken.store(true, Ordering::Release);
                spin_until(|| left.load(Ordering::Acquire));
            };
            let until_taken = || {
                spin_until(|| {
                    join(|| (), || ());
                    taken.load(Ordering::Acquire)
                });
            };
            join(until_taken, take)
        }));
        left.store(true, Ordering::Release);
        set_aside(None);
    });
}
