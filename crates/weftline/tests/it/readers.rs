//! Read-write locks: readers side by side, writers alone, all in their turn.

use crate::locks::in_virtual_time_on;
use crate::rig::{
    Diary, MS, alone, either, many_times, runtime, runtime_of, until_waiting, within_limit,
};
use std::future::pending;
use std::sync::Arc;
use weftline::sync::{RwLock, RwLockWriteGuard};
use weftline::time::sleep;
use weftline::{spawn, yield_now};

#[test]
fn readers_read_side_by_side_and_a_writer_writes_alone() {
    runtime().block_on(async {
        let lock = Arc::new(RwLock::new(1));
        let (one, other) = (lock.read().await, lock.read().await);
        assert_eq!((*one, *other), (1, 1));
        assert!(lock.try_write().is_none() && lock.is_locked());
        drop((one, other));
        let mut writer = lock.write().await;
        *writer += 1;
        assert!(lock.try_read().is_none() && lock.try_write().is_none());
        drop(writer);
        assert_eq!(*lock.clone().read_owned().await, 2);
        *lock.clone().write_owned().await += 1;
        assert_eq!(*lock.try_read_owned().unwrap(), 3);
    });
}

#[test]
fn a_reader_does_not_pass_a_writer_who_waits() {
    for workers in [1, 4] {
        in_virtual_time_on(workers, async {
            let (lock, diary) = (Arc::new(RwLock::new(())), Diary::default());
            let reader = lock.clone().read_owned().await;
            let writes = {
                let (lock, diary) = (lock.clone(), diary.clone());
                spawn(async move {
                    let _guard = lock.write().await;
                    diary.note("writes");
                    sleep(MS).await;
                    diary.note("has written");
                })
            };
            until_waiting(&writes).await;
            assert!(lock.try_read().is_none());
            let reads: Vec<_> = (0..3)
                .map(|_| {
                    let (lock, diary) = (lock.clone(), diary.clone());
                    spawn(async move {
                        let _guard = lock.read().await;
                        diary.note("reads");
                        sleep(MS).await;
                        diary.note("has read");
                    })
                })
                .collect();
            sleep(MS).await;
            assert!(diary.read().is_empty());
            drop(reader);
            writes.await.unwrap();
            for task in reads {
                task.await.unwrap();
            }
            let order = diary.read();
            assert_eq!(order[..2], ["writes", "has written"]);
            assert_eq!(order[2..5], ["reads", "reads", "reads"], "side by side");
        });
    }
}

#[test]
fn a_writer_that_becomes_a_reader_lets_readers_in_and_no_writer() {
    alone(async {
        let lock = Arc::new(RwLock::new(0));
        let mut writer = lock.write().await;
        let reads = {
            let lock = lock.clone();
            spawn(async move { *lock.read().await })
        };
        until_waiting(&reads).await;
        let writes = {
            let lock = lock.clone();
            spawn(async move { *lock.write().await = 2 })
        };
        until_waiting(&writes).await;
        *writer = 1;
        let reader = RwLockWriteGuard::downgrade(writer);
        assert_eq!(reads.await.unwrap(), 1);
        for _ in 0..10 {
            yield_now().await;
        }
        assert_eq!(*reader, 1);
        drop(reader);
        writes.await.unwrap();
        assert_eq!(*lock.read().await, 2);
    });
}

#[test]
fn a_writer_who_leaves_lets_the_readers_behind_it_in() {
    many_times(|| async {
        let lock = Arc::new(RwLock::new(()));
        let reader = lock.clone().read_owned().await;
        let writes = spawn(either_write_or_end(lock.clone()));
        until_waiting(&writes).await;
        let reads = {
            let lock = lock.clone();
            spawn(async move { drop(lock.read().await) })
        };
        until_waiting(&reads).await;
        writes.cancel();
        drop(writes.await);
        reads.await.unwrap();
        drop(reader);
        assert!(lock.try_write().is_some());
    });
}

/// Writes, or ends when it is cancelled.
async fn either_write_or_end(lock: Arc<RwLock<()>>) {
    either(async { drop(lock.write().await) }, pending::<()>()).await;
}

#[test]
fn threads_and_tasks_share_a_read_write_lock() {
    const ROUNDS: usize = 300;
    within_limit(|| {
        let runtime = runtime_of(2);
        let lock = Arc::new(RwLock::new((0, 0)));
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let lock = lock.clone();
                runtime.spawn(async move {
                    for round in 0..ROUNDS {
                        if round % 3 == 0 {
                            let mut guard = lock.write().await;
                            guard.0 += 1;
                            guard.1 += 1;
                        } else {
                            let guard = lock.read().await;
                            assert_eq!(guard.0, guard.1);
                        }
                    }
                })
            })
            .collect();
        for _ in 0..ROUNDS {
            let guard = lock.read_blocking();
            assert_eq!(guard.0, guard.1);
            drop(guard);
            let mut guard = lock.write_blocking();
            guard.0 += 1;
            guard.1 += 1;
        }
        for task in tasks {
            task.wait().unwrap();
        }
        let writes = ROUNDS + 4 * (ROUNDS / 3);
        assert_eq!(*lock.try_read().unwrap(), (writes, writes));
    });
}
