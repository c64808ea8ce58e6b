//! Mutexes: whose turn it is, who is never kept waiting for ever, who may use them. What holds for
//! them holds for read-write locks and semaphores, which stand on the same line.

use crate::probe::{Gate, Probe};
use crate::rig::{
    Diary, LONG, MS, alone, in_virtual_time, many_times, panic_on_purpose, panicking_waker,
    runtime, runtime_of, until_waiting, within_limit,
};
use std::future::{Future, pending};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};
use weftline::sync::{Mutex, MutexGuard, OwnedMutexGuard, RwLock, RwLockWriteGuard};
use weftline::time::{now, sleep, timeout};
use weftline::{JoinHandle, Runtime, spawn, yield_now};

/// Polls once, with a waker that does nothing.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A task that notes its name once it has the lock, and gives it back on demand.
fn locker(
    mutex: &Arc<Mutex<()>>,
    diary: &Diary,
    name: &'static str,
) -> JoinHandle<OwnedMutexGuard<()>> {
    let (mutex, diary) = (mutex.clone(), diary.clone());
    spawn(async move {
        let guard = mutex.lock_owned().await;
        diary.note(name);
        guard
    })
}

/// Runs a body in virtual time on so many workers.
pub(crate) fn in_virtual_time_on<F: Future<Output = ()> + Send + 'static>(workers: usize, body: F) {
    within_limit(move || {
        let runtime = Runtime::builder().workers(workers).virtual_time(true).build().unwrap();
        runtime.block_on(body);
    });
}

// AT-LK-01
#[test]
fn a_mutex_is_given_in_the_order_of_the_requests_and_once_for_each_release() {
    for workers in [1, 4] {
        in_virtual_time_on(workers, async {
            let (mutex, diary) = (Arc::new(Mutex::new(())), Diary::default());
            let guard = mutex.lock().await;
            let first = locker(&mutex, &diary, "first");
            until_waiting(&first).await;
            let second = locker(&mutex, &diary, "second");
            until_waiting(&second).await;
            assert!(diary.read().is_empty());
            drop(guard);
            let guard = first.await.unwrap();
            sleep(MS).await;
            assert_eq!(diary.read(), ["first"]);
            let third = locker(&mutex, &diary, "third");
            until_waiting(&third).await;
            drop(guard);
            let guard = second.await.unwrap();
            sleep(MS).await;
            assert_eq!(diary.read(), ["first", "second"]);
            drop(guard);
            drop(third.await.unwrap());
            assert_eq!(diary.read(), ["first", "second", "third"]);
            assert!(!mutex.is_locked());
        });
    }
}

// AT-LK-03
#[test]
fn a_newcomer_does_not_pass_one_who_was_woken_and_has_not_run() {
    alone(async {
        let (mutex, diary) = (Arc::new(Mutex::new(())), Diary::default());
        let guard = mutex.lock().await;
        let waiter = locker(&mutex, &diary, "waiter");
        until_waiting(&waiter).await;
        drop(guard);
        assert!(!mutex.is_locked(), "it is released, and promised");
        assert!(mutex.try_lock().is_none());
        let newcomer = locker(&mutex, &diary, "newcomer");
        {
            let mut here = pin!(mutex.lock());
            assert!(poll_once(here.as_mut()).is_pending());
        }
        drop(waiter.await.unwrap());
        drop(newcomer.await.unwrap());
        assert_eq!(diary.read(), ["waiter", "newcomer"]);
    });
}

#[test]
fn a_cancelled_waiter_leaves_no_trace() {
    many_times(|| async {
        let (mutex, diary) = (Arc::new(Mutex::new(())), Diary::default());
        let guard = mutex.clone().lock_owned().await;
        let waiter = locker(&mutex, &diary, "cancelled");
        until_waiting(&waiter).await;
        waiter.cancel();
        assert!(waiter.await.unwrap_err().is_cancelled());
        drop(guard);
        assert!(mutex.try_lock().is_some());
        assert!(diary.read().is_empty());
    });
}

#[test]
fn a_waiter_that_is_cancelled_as_the_lock_is_released_passes_it_on() {
    many_times(|| async {
        let (mutex, diary) = (Arc::new(Mutex::new(())), Diary::default());
        let guard = mutex.clone().lock_owned().await;
        let cancelled = locker(&mutex, &diary, "cancelled");
        until_waiting(&cancelled).await;
        let next = locker(&mutex, &diary, "next");
        until_waiting(&next).await;
        drop(guard);
        cancelled.cancel();
        // It may have had the lock before the request came.
        drop(cancelled.await);
        drop(next.await.unwrap());
        assert!(mutex.try_lock().is_some());
        assert_eq!(diary.read().last().map(String::as_str), Some("next"));
    });
}

// AT-LK-01, a release for one who was cancelled and has not run
#[test]
fn a_release_that_meets_a_cancelled_waiter_lets_one_go_on_and_no_more() {
    alone(async {
        let (mutex, diary) = (Arc::new(Mutex::new(())), Diary::default());
        let guard = mutex.clone().lock_owned().await;
        let mut tasks = Vec::new();
        for name in ["cancelled", "next", "last"] {
            let task = locker(&mutex, &diary, name);
            until_waiting(&task).await;
            tasks.push(task);
        }
        let [cancelled, next, last] = <[_; 3]>::try_from(tasks).expect("three");
        cancelled.cancel();
        drop(guard);
        drop(cancelled.await);
        let guard = next.await.unwrap();
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(mutex.is_locked() && !last.is_finished());
        assert_eq!(diary.read().last().map(String::as_str), Some("next"));
        drop(guard);
        drop(last.await.unwrap());
        assert!(!mutex.is_locked());
    });
}

#[test]
fn a_request_behind_one_of_the_same_task_that_it_does_not_poll_is_served() {
    in_virtual_time(async {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.clone().lock_owned().await;
        let mut unpolled = pin!(mutex.lock());
        assert!(poll_once(unpolled.as_mut()).is_pending());
        drop(spawn(async move {
            yield_now().await;
            drop(guard);
        }));
        let began = now();
        *mutex.lock().await += 1;
        assert!(now() - began <= 20 * MS, "it took {:?}", now() - began);
        *unpolled.await += 1;
        assert_eq!(*mutex.try_lock().unwrap(), 2);
    });
}

#[test]
fn requests_behind_one_that_is_never_polled_again_are_served_in_their_order() {
    for workers in [1, 2, 4] {
        in_virtual_time_on(workers, async {
            let (mutex, diary) = (Arc::new(Mutex::new(())), Diary::default());
            let guard = mutex.clone().lock_owned().await;
            let stale: Vec<_> = (0..3)
                .map(|_| {
                    let mutex = mutex.clone();
                    spawn(async move {
                        let mut unpolled = pin!(mutex.lock());
                        assert!(poll_once(unpolled.as_mut()).is_pending());
                        pending::<()>().await;
                    })
                })
                .collect();
            for task in &stale {
                until_waiting(task).await;
            }
            let mut others = Vec::new();
            for name in ["first", "second", "third"] {
                let other = locker(&mutex, &diary, name);
                until_waiting(&other).await;
                others.push(other);
            }
            let began = now();
            drop(guard);
            for other in others {
                drop(other.await.unwrap());
            }
            // Those who missed their call are not waited for again.
            assert!(now() - began <= 3 * 20 * MS, "it took {:?}", now() - began);
            assert_eq!(diary.read(), ["first", "second", "third"]);
            let began = now();
            drop(mutex.lock().await);
            assert_eq!(now(), began, "nobody is called who is not polled");
        });
    }
}

#[test]
fn a_request_that_was_left_out_is_served_when_it_is_polled_again() {
    in_virtual_time(async {
        let (mutex, diary) = (Arc::new(Mutex::new(())), Diary::default());
        let guard = mutex.clone().lock_owned().await;
        let mut late = pin!(mutex.lock());
        assert!(poll_once(late.as_mut()).is_pending());
        let other = locker(&mutex, &diary, "other");
        until_waiting(&other).await;
        drop(guard);
        let guard = other.await.unwrap();
        let behind = locker(&mutex, &diary, "behind");
        until_waiting(&behind).await;
        assert!(poll_once(late.as_mut()).is_pending());
        drop(guard);
        diary.note("late");
        drop(late.await);
        drop(behind.await.unwrap());
        assert_eq!(diary.read(), ["other", "late", "behind"], "it came before");
    });
}

#[test]
fn one_who_comes_late_goes_before_one_who_was_called_in_its_place() {
    in_virtual_time(async {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.clone().lock_owned().await;
        let (mut first, mut second) = (pin!(mutex.lock()), pin!(mutex.lock()));
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        let mut third = pin!(mutex.lock());
        assert!(poll_once(third.as_mut()).is_pending());
        drop(guard);
        sleep(25 * MS).await;
        let Poll::Ready(guard) = poll_once(first.as_mut()) else { panic!("it came first") };
        assert!(poll_once(second.as_mut()).is_pending());
        assert!(poll_once(third.as_mut()).is_pending());
        drop(guard);
        drop(second.await);
        drop(third.await);
        assert!(mutex.try_lock().is_some());
    });
}

/// Tells a thread that it was woken.
struct Tells(mpsc::SyncSender<()>);

impl Wake for Tells {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

#[test]
fn nobody_waits_for_ever_behind_an_unpolled_request_outside_of_any_runtime() {
    within_limit(|| {
        let mutex = Mutex::new(());
        let guard = mutex.lock_blocking();
        let mut stale = pin!(mutex.lock());
        assert!(poll_once(stale.as_mut()).is_pending());
        let (tell, told) = mpsc::sync_channel(1);
        let waker = Waker::from(Arc::new(Tells(tell)));
        let mut live = pin!(mutex.lock());
        assert!(live.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(guard);
        told.recv_timeout(LONG).expect("it is woken");
        assert!(live.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    });
}

#[test]
fn a_thread_that_blocks_is_served_behind_an_unpolled_request() {
    within_limit(|| {
        let mutex = Mutex::new(());
        let guard = mutex.lock_blocking();
        let mut stale = pin!(mutex.lock());
        assert!(poll_once(stale.as_mut()).is_pending());
        thread::scope(|scope| {
            let blocked = scope.spawn(|| drop(mutex.lock_blocking()));
            drop(guard);
            blocked.join().unwrap();
        });
        assert!(poll_once(stale.as_mut()).is_ready());
    });
}

#[test]
fn tasks_are_served_behind_an_unpolled_request_when_a_plain_thread_releases() {
    within_limit(|| {
        let runtime = runtime();
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.clone().lock_owned_blocking();
        let mut stale = pin!(mutex.lock());
        assert!(poll_once(stale.as_mut()).is_pending());
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let mutex = mutex.clone();
                runtime.spawn(async move { *mutex.lock().await += 1 })
            })
            .collect();
        thread::spawn(move || drop(guard)).join().unwrap();
        for task in tasks {
            task.wait().unwrap();
        }
        assert_eq!(poll_once(stale.as_mut()).map(|guard| *guard), Poll::Ready(3));
    });
}

#[test]
fn nobody_waits_for_ever_where_the_runtime_ends_that_kept_the_time() {
    within_limit(|| {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.clone().lock_owned_blocking();
        let mut stale = pin!(mutex.lock());
        assert!(poll_once(stale.as_mut()).is_pending());
        let remaining = runtime();
        let waiter = {
            let mutex = mutex.clone();
            remaining.spawn(async move { drop(mutex.lock().await) })
        };
        remaining.block_on(until_waiting(&waiter));
        let ending = runtime_of(1);
        ending.block_on(async move { drop(guard) });
        drop(ending);
        waiter.wait().unwrap();
    });
}

#[test]
fn tasks_of_two_runtimes_and_threads_share_a_mutex() {
    const ROUNDS: usize = 500;
    within_limit(|| {
        let runtimes = [runtime_of(2), runtime_of(1)];
        let mutex = Arc::new(Mutex::new((0, false)));
        let count = |guard: &mut (usize, bool)| {
            assert!(!std::mem::replace(&mut guard.1, true), "two at once");
            guard.0 += 1;
            guard.1 = false;
        };
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let mutex = mutex.clone();
                runtimes[n % 2].spawn(async move {
                    for _ in 0..ROUNDS {
                        count(&mut *mutex.lock().await);
                    }
                })
            })
            .collect();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..ROUNDS).for_each(|_| count(&mut mutex.lock_blocking())));
            }
        });
        for task in tasks {
            task.wait().unwrap();
        }
        assert_eq!(mutex.try_lock().unwrap().0, 10 * ROUNDS);
    });
}

#[test]
fn a_guard_is_held_over_a_wait_and_dropped_on_another_thread() {
    runtime().block_on(async {
        let mutex = Arc::new(Mutex::new(1));
        let mut guard = mutex.clone().lock_owned().await;
        sleep(MS).await;
        *guard += 1;
        let moved = spawn(async move { *guard });
        assert_eq!(moved.await.unwrap(), 2);
        assert!(mutex.try_lock().is_some());
    });
}

#[test]
fn a_panic_under_the_lock_releases_it() {
    runtime().block_on(async {
        let mutex = Arc::new(Mutex::new(1));
        let held = mutex.clone();
        let task = spawn(async move {
            *held.lock().await += 1;
            let _guard = held.lock().await;
            panic_on_purpose("under the lock");
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(*mutex.lock().await, 2);
    });
}

#[test]
fn a_mutex_without_sharing_gives_its_value() {
    let mut mutex = Mutex::from(1);
    *mutex.get_mut() += 1;
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 2, .. }");
    let guard = mutex.try_lock().unwrap();
    assert_eq!(format!("{mutex:?} {guard} {guard:?}"), "Mutex { value: <locked>, .. } 2 2");
    assert!(MutexGuard::mutex(&guard).is_locked());
    drop(guard);
    assert_eq!(mutex.into_inner(), 2);
    assert_eq!(Mutex::<u8>::default().into_inner(), 0);
}

#[test]
fn a_task_that_locks_in_a_loop_gives_way() {
    alone(async {
        let mutex = Arc::new(Mutex::new(()));
        let ran = Arc::new(AtomicUsize::new(0));
        let seen = ran.clone();
        drop(spawn(async move { seen.store(1, Ordering::Relaxed) }));
        let began = Instant::now();
        while ran.load(Ordering::Relaxed) == 0 {
            assert!(began.elapsed() < LONG, "nobody else runs");
            drop(mutex.lock().await);
        }
    });
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_being_woken() {
    within_limit(|| {
        let lock = RwLock::new(());
        let guard = lock.try_write().unwrap();
        let mut first = pin!(lock.read());
        let panics = panicking_waker();
        assert!(first.as_mut().poll(&mut Context::from_waker(&panics)).is_pending());
        let (tell, told) = mpsc::sync_channel(1);
        let mut second = pin!(lock.read());
        let waker = Waker::from(Arc::new(Tells(tell)));
        assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(guard);
        told.try_recv().expect("it was woken");
        assert!(poll_once(first).is_ready() && poll_once(second).is_ready());
    });
}

#[test]
fn racing_limits_lose_no_lock() {
    const ROUNDS: usize = if cfg!(debug_assertions) { 2_000 } else { 100_000 };
    within_limit(|| {
        let runtime = runtime_of(4);
        let mutex = Arc::new(Mutex::new(0));
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let mutex = mutex.clone();
                runtime.spawn(async move {
                    let mut had = 0;
                    for round in 0..ROUNDS {
                        let limit = Duration::from_nanos(((round + n) % 50) as u64 * 100);
                        if let Ok(mut guard) = timeout(limit, mutex.lock()).await {
                            *guard += 1;
                            had += 1;
                            if round % 7 == 0 {
                                yield_now().await;
                            }
                        }
                    }
                    had
                })
            })
            .collect();
        let had: usize = tasks.into_iter().map(|task| task.wait().unwrap()).sum();
        assert_eq!(*mutex.try_lock().expect("nobody holds it"), had);
    });
}

#[test]
fn locks_may_be_shared_and_guards_sent_where_their_values_allow_it() {
    fn is_shared<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    fn is_sent<T: Send>() {}
    is_shared::<Mutex<std::cell::Cell<u8>>>();
    is_shared::<RwLock<u8>>();
    is_sent::<MutexGuard<'_, std::cell::Cell<u8>>>();
    is_sent::<OwnedMutexGuard<u8>>();
    is_sent::<RwLockWriteGuard<'_, u8>>();
    let any: Arc<Mutex<dyn Fn() -> u8 + Send>> = Arc::new(Mutex::new(|| 5));
    assert_eq!((any.lock_blocking())(), 5);
}

#[test]
fn what_a_lock_protects_is_dropped_with_it() {
    let probe = Probe::new();
    let mutex = Mutex::new(probe.token());
    drop(mutex.try_lock());
    assert_eq!(probe.drops(), 0);
    drop(mutex);
    assert_eq!(probe.drops(), 1);
}

#[test]
fn a_lock_can_wait_for_a_gate_under_another() {
    runtime().block_on(async {
        let (outer, gate) = (Arc::new(Mutex::new(Mutex::new(0))), Gate::new());
        let wait = gate.wait();
        let inside = outer.clone();
        let task = spawn(async move {
            let outer = inside.lock().await;
            wait.await;
            *outer.lock().await += 1;
        });
        until_waiting(&task).await;
        gate.open();
        task.await.unwrap();
        assert_eq!(*outer.lock().await.lock().await, 1);
    });
}
