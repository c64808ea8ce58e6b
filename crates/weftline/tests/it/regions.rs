//! Regions side by side, one in another, and in the way of each other: none takes what is another's.

use crate::rig::{
    LONG, MS, bounded, panic_on_purpose, reporting_runtime, runtime_of, until_waiting,
};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;
use weftline::time::{sleep, timeout};
use weftline::{
    GroupError, JoinError, JoinHandle, Runtime, catch_cancel, exit_stack, finally, group, spawn,
    task, yield_now,
};

pub(crate) type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls all in each poll, as the joining macros of the ecosystem do.
pub(crate) async fn join(mut futures: Vec<Boxed>) {
    poll_fn(move |cx| {
        futures.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if futures.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

pub(crate) fn flag() -> (Arc<AtomicBool>, Arc<AtomicBool>) {
    let flag = Arc::new(AtomicBool::new(false));
    (flag.clone(), flag)
}

/// Asks a task to end once it waits, and tells how it has ended.
async fn asked_to_end<T>(mut handle: JoinHandle<T>) -> Result<T, JoinError> {
    until_waiting(&handle).await;
    handle.cancel();
    bounded(&mut handle).await.expect("it ends")
}

#[test]
fn two_clean_ups_of_one_task_both_run_to_their_end() {
    runtime_of(1).block_on(async {
        let (quick, quick_ran) = flag();
        let (slow, slow_ran) = flag();
        let handle = spawn(join(vec![
            Box::pin(finally(pending::<()>(), async move { quick.store(true, SeqCst) })),
            Box::pin(finally(pending::<()>(), async move {
                sleep(5 * MS).await;
                sleep(5 * MS).await;
                slow.store(true, SeqCst);
            })),
        ]));
        let ended = asked_to_end(handle).await;
        assert!(ended.unwrap_err().is_cancelled());
        assert!(quick_ran.load(SeqCst), "quick");
        assert!(slow_ran.load(SeqCst), "slow was cut in half by a request handed on twice");
    });
}

#[test]
fn an_awaited_task_is_asked_once_for_one_request() {
    runtime_of(1).block_on(async {
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        let child = spawn(async move {
            let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
            sleep(50 * MS).await;
            count.store(task::current().unwrap().cancelling(), SeqCst);
            cancelled.resume::<()>().await;
        });
        until_waiting(&child).await;
        let seen = child.task();
        let handle = spawn(join(vec![
            Box::pin(finally(pending::<()>(), async {})),
            Box::pin(async move { drop(child.await) }),
            Box::pin(async {
                loop {
                    sleep(MS).await;
                }
            }),
        ]));
        asked_to_end(handle).await.unwrap_err();
        assert_eq!(seen.cancelling(), 1, "requests made of the child for one of its parent");
        assert_eq!(asked.load(SeqCst), 1, "the child's clean-up was let finish");
    });
}

/// A task is asked to end while it awaits `limited` with a limit, which is over before that has
/// answered: the request is not lost, and ends the task.
fn survives_a_limit<F>(make: impl FnOnce() -> F)
where
    F: Future<Output: Send> + Send + 'static,
{
    runtime_of(1).block_on(async {
        let (went_on, saw) = flag();
        let limited = make();
        let handle = spawn(async move {
            assert!(timeout(30 * MS, limited).await.is_err());
            sleep(5 * MS).await;
            went_on.store(true, SeqCst);
        });
        let ended = asked_to_end(handle).await;
        assert!(!saw.load(SeqCst), "the request was lost: {ended:?}");
    });
}

#[test]
fn a_request_survives_a_limit_that_ends_its_clean_up() {
    survives_a_limit(|| finally(pending::<()>(), sleep(LONG)));
}

#[test]
fn a_request_survives_a_limit_that_ends_an_exit_stack() {
    survives_a_limit(|| {
        exit_stack(|stack| async move {
            stack.push(sleep(LONG));
            pending::<()>().await;
        })
    });
}

/// A task that answers the second request that is made of it.
fn answers_the_second() -> JoinHandle<()> {
    spawn(async {
        let first = catch_cancel(pending::<()>()).await.unwrap_err();
        let second = catch_cancel(sleep(LONG)).await.unwrap_err();
        drop(first);
        second.resume::<()>().await;
    })
}

#[test]
fn a_request_survives_a_limit_that_asks_an_awaited_task_too() {
    survives_a_limit(answers_the_second);
}

#[test]
fn a_request_survives_a_limit_that_asks_a_shared_task_too() {
    survives_a_limit(|| answers_the_second().shared());
}

/// The body of a group awaits a child that is asked to end since another one has failed: that is
/// the only failure.
async fn awaits_a_child_while_another_one_fails() {
    let error: GroupError<String> = spawn(group(|g| async move {
        let waits = g.spawn(pending::<Result<(), String>>());
        g.spawn(async { Err::<(), _>("boom".to_owned()) });
        waits.await.map_err(|error| format!("joined: {error}"))?;
        Ok(())
    }))
    .await
    .unwrap()
    .unwrap_err();
    assert_eq!(error.to_string(), "1 error in a group: boom");
}

#[test]
fn a_child_asked_to_end_with_the_body_is_no_failure_of_the_body() {
    for (workers, rounds) in [(1, 50), (4, 5000)] {
        runtime_of(workers).block_on(async {
            for _ in 0..rounds {
                awaits_a_child_while_another_one_fails().await;
            }
        });
    }
}

#[test]
fn a_child_asked_to_end_with_the_body_is_no_failure_in_whatever_course() {
    for seed in 0..64 {
        let runtime = Runtime::builder().deterministic(seed).build().unwrap();
        runtime.block_on(awaits_a_child_while_another_one_fails());
    }
}

#[test]
fn a_panic_is_not_lost_where_the_clean_up_is_asked_to_end() {
    let (runtime, reports) = reporting_runtime(1);
    let ended = runtime.block_on(async {
        let handle = spawn(exit_stack(|stack| async move {
            stack.push(sleep(LONG));
            panic_on_purpose("in the body");
        }));
        asked_to_end(handle).await
    });
    let is_panic = ended.as_ref().is_err_and(JoinError::is_panic);
    assert!(is_panic || !reports.all().is_empty(), "nobody hears of the panic: {ended:?}");
}

struct Asks(weftline::time::Deadline);
impl std::future::IntoFuture for Asks {
    type Output = ();
    type IntoFuture = std::future::Ready<()>;
    fn into_future(self) -> Self::IntoFuture {
        // Takes the lock, if only for a moment.
        let _when = self.0.when();
        std::future::ready(())
    }
}
#[test]
fn no_foreign_code_runs_under_the_lock_of_a_deadline() {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let deadline = weftline::time::Deadline::never();
        drop(deadline.limit(Asks(deadline.clone())));
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(3)).expect("a deadlock");
}

#[test]
fn callbacks_take_the_same_course_in_a_deterministic_runtime() {
    let course = |spin: Duration| {
        let runtime = Runtime::builder().deterministic(7).build().unwrap();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        runtime.block_on(async {
            for number in 0..20 {
                let order = order.clone();
                weftline::Handle::current().call_soon(move || {
                    let began = std::time::Instant::now();
                    while began.elapsed() < spin {}
                    order.lock().unwrap().push(number);
                });
            }
            let noted = order.clone();
            let others = spawn(async move {
                for number in 100..120 {
                    noted.lock().unwrap().push(number);
                    yield_now().await;
                }
            });
            others.await.unwrap();
            sleep(MS).await;
        });
        order.lock().unwrap().clone()
    };
    assert_eq!(course(Duration::ZERO), course(3 * MS));
}

// A request handed on by a group comes back each poll: `join!` of a group and a clean-up.
#[test]
fn a_handed_on_request_of_a_group_does_not_cut_a_clean_up_beside_it() {
    runtime_of(1).block_on(async {
        let (slow, slow_ran) = flag();
        let handle = spawn(join(vec![
            Box::pin(async {
                drop(
                    group(|g| async move {
                        g.spawn(pending::<Result<(), ()>>());
                        Ok::<_, ()>(())
                    })
                    .await,
                );
            }),
            Box::pin(finally(pending::<()>(), async move {
                for _ in 0..20 {
                    sleep(2 * MS).await;
                }
                slow.store(true, SeqCst);
            })),
        ]));
        asked_to_end(handle).await.unwrap_err();
        assert!(slow_ran.load(SeqCst), "the clean-up was cut");
    });
}
