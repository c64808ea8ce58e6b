//! Corners of cancellation: requests, limits and sets that meet in one poll, or move on between two.

use crate::regions::{Boxed, join};
use crate::rig::{Diary, LONG, MS, bounded, either, runtime_of, within_limit};
use crate::selective::{alone, cleaned, selective};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use weftline::group::gather_results;
use weftline::task::{self, Status};
use weftline::time::{sleep, timeout};
use weftline::{JoinHandle, catch_cancel, finally, spawn, uncancellable, yield_now};

/// As a joining macro: polls both, keeps the value of each until both are there.
async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (Box::pin(a), Box::pin(b));
    let (mut left, mut right) = (None, None);
    poll_fn(move |cx| {
        if left.is_none() {
            if let Poll::Ready(value) = a.as_mut().poll(cx) {
                left = Some(value);
            }
        }
        if right.is_none() {
            if let Poll::Ready(value) = b.as_mut().poll(cx) {
                right = Some(value);
            }
        }
        match (left.take(), right.take()) {
            (Some(l), Some(r)) => Poll::Ready((l, r)),
            (l, r) => {
                left = l;
                right = r;
                Poll::Pending
            }
        }
    })
    .await
}

fn slow() -> JoinHandle<()> {
    spawn(finally(pending(), sleep(50 * MS)))
}

/// A waker of one's own that wakes another, and can be counted.
#[derive(Default)]
struct Relay(Mutex<Option<Waker>>, AtomicUsize);

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, SeqCst);
        let waker = self.0.lock().unwrap().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

async fn relayed<F: Future + Unpin>(relay: Arc<Relay>, mut future: F) -> F::Output {
    poll_fn(move |cx| {
        *relay.0.lock().unwrap() = Some(cx.waker().clone());
        let waker = Waker::from(relay.clone());
        Pin::new(&mut future).poll(&mut Context::from_waker(&waker))
    })
    .await
}

#[test]
fn a_handle_joined_with_who_catches_its_request_ends() {
    alone(async {
        let child = spawn(pending::<()>());
        let mut handle =
            spawn(async move { drop(both(child, catch_cancel(pending::<()>())).await) });
        sleep(MS).await;
        handle.cancel();
        assert!(bounded(&mut handle).await.is_some(), "it hangs");
    });
}

#[test]
fn a_request_dropped_in_another_task_is_answered() {
    alone(async {
        let child = spawn(pending::<()>());
        let mut handle = spawn(join(vec![
            Box::pin(async move { drop(child.await) }),
            Box::pin(async {
                let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
                spawn(async move { drop(cancelled) }).await.unwrap();
            }),
        ]));
        sleep(MS).await;
        handle.cancel();
        assert!(bounded(&mut handle).await.is_some(), "it hangs");
    });
}

#[test]
fn a_handle_that_has_handed_a_request_on_leaves_one_waker_while_that_is_held() {
    alone(async {
        let relay = Arc::new(Relay::default());
        let counted = relay.clone();
        let child = spawn(pending::<()>());
        let handle = spawn(join(vec![
            Box::pin(async move { drop(relayed(relay, child).await) }),
            Box::pin(async move {
                uncancellable(async {
                    for _ in 0..200 {
                        sleep(MS).await;
                    }
                })
                .await;
                let count = Arc::strong_count(&counted);
                assert!(count < 20, "{count} wakers are kept");
            }),
        ]));
        sleep(MS).await;
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_handle_that_waits_for_an_answer_leaves_one_waker() {
    alone(async {
        let relay = Arc::new(Relay::default());
        let counted = relay.clone();
        let child = spawn(pending::<()>());
        let handle = spawn(join(vec![
            Box::pin(async move { drop(relayed(relay, child).await) }),
            Box::pin(async move {
                let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
                for _ in 0..200 {
                    sleep(MS).await;
                }
                let count = Arc::strong_count(&counted);
                drop(cancelled);
                assert!(count < 20, "{count} wakers are kept");
            }),
        ]));
        sleep(MS).await;
        handle.cancel();
        handle.await.unwrap();
    });
}

#[test]
fn a_request_taken_back_beside_a_poll_does_not_silence_the_next() {
    within_limit(|| {
        let runtime = runtime_of(2);
        for round in 0..40_000_u32 {
            let diary = Diary::default();
            let noted = diary.clone();
            let cleaned = finally(pending(), async move { noted.note("clean") });
            let handle = runtime.spawn(selective(9, vec![Box::pin(cleaned)]));
            let task = handle.task();
            while task.status() != Status::Waiting {
                std::hint::spin_loop();
            }
            task.cancel();
            for _ in 0..(round * 7) % 3000 {
                std::hint::spin_loop();
            }
            task.uncancel();
            while !matches!(task.status(), Status::Waiting) && !task.is_finished() {
                std::hint::spin_loop();
            }
            task.cancel();
            drop(handle.wait());
            assert_eq!(diary.read(), ["clean"], "round {round}");
        }
    });
}

#[test]
fn a_set_busy_with_others_first_still_reaches_its_clean_ups() {
    alone(async {
        let diary = Diary::default();
        let noted = diary.clone();
        let yields = || -> Boxed {
            Box::pin(async {
                for _ in 0..1000 {
                    yield_now().await;
                }
                pending().await
            })
        };
        let clean = finally(pending(), async move { noted.note("clean") });
        let handle = spawn(selective(2, vec![yields(), yields(), Box::pin(clean)]));
        for _ in 0..20 {
            yield_now().await;
        }
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
        assert_eq!(diary.read(), ["clean"]);
    });
}

#[test]
fn a_limit_that_is_gone_asks_nothing_of_the_task() {
    for ends_by_value in [false, true] {
        alone(async move {
            let mut handle = spawn(async move {
                let mut child = if ends_by_value {
                    spawn(async {
                        drop(catch_cancel(pending::<()>()).await);
                        sleep(50 * MS).await;
                    })
                } else {
                    slow()
                };
                timeout(5 * MS, either(&mut child, sleep(6 * MS))).await.expect("a value comes");
                assert_eq!(child.await.is_ok(), ends_by_value);
                sleep(MS).await;
                7
            });
            let ended = bounded(&mut handle).await.expect("it ends");
            assert!(ended.is_ok(), "by value: {ends_by_value}: {ended:?}");
        });
    }
}

#[test]
fn a_limit_is_asked_again_though_an_older_request_was_ignored() {
    alone(async {
        let mut handle = spawn(async {
            let me = task::current().unwrap();
            me.cancel();
            drop(catch_cancel(pending::<()>()).await);
            let asks = me.clone();
            let limited = timeout(
                10 * MS,
                join(vec![
                    Box::pin(async move {
                        sleep(10 * MS).await;
                        asks.cancel();
                    }),
                    Box::pin(async move {
                        let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
                        assert_eq!(me.uncancel(), 1);
                        drop(cancelled);
                        sleep(LONG / 2).await;
                    }),
                ]),
            );
            limited.await.is_err()
        });
        assert!(bounded(&mut handle).await.expect("it ends").unwrap(), "the limit is lost");
    });
}

#[test]
fn a_limit_that_ends_beside_a_request_put_back_does_not_hide_it() {
    alone(async {
        let diary = Diary::default();
        let clean = cleaned(&diary, "clean");
        let handle = spawn(join(vec![
            Box::pin(async move {
                sleep(5 * MS).await;
                clean.await;
            }),
            Box::pin(async {
                let mut child = slow();
                either(&mut child, sleep(10 * MS)).await;
                drop(child);
                pending().await
            }),
            Box::pin(async {
                let held = async {
                    uncancellable(sleep(10 * MS)).await;
                    pending::<()>().await;
                };
                let _ = timeout(3 * MS, held).await;
                pending().await
            }),
        ]));
        sleep(MS).await;
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
        assert_eq!(diary.read(), ["clean"]);
    });
}

#[test]
fn gathered_results_beside_who_ignores_the_request_are_given() {
    alone(async {
        let mut handle = spawn(join(vec![
            Box::pin(async { drop(gather_results([pending::<()>()]).await) }),
            Box::pin(async { drop(catch_cancel(pending::<()>()).await) }),
        ]));
        sleep(MS).await;
        handle.cancel();
        assert!(bounded(&mut handle).await.is_some(), "it hangs");
    });
}

/// Polls outside of all tasks.
fn drive<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        std::thread::sleep(MS);
    }
}

#[test]
fn an_eager_task_outside_of_tasks_leaves_the_regions_around_it() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let _entered = runtime.handle().enter();
        let diary = Diary::default();
        let spawns = poll_fn(|_| {
            drop(task::Builder::new().eager(true).spawn(async {}));
            Poll::<()>::Pending
        });
        let limited = timeout(20 * MS, join(vec![Box::pin(spawns), cleaned(&diary, "clean")]));
        assert!(drive(limited).is_err());
        assert_eq!(diary.read(), ["clean"]);
    });
}

#[test]
fn a_handle_that_gave_its_output_keeps_no_waker() {
    alone(async {
        let relay = Arc::new(Relay::default());
        let mut child = spawn(sleep(MS));
        relayed(relay.clone(), &mut child).await.unwrap();
        assert_eq!(Arc::strong_count(&relay), 1);
        drop(child);
    });
}

#[test]
fn the_clean_up_inside_of_two_limits_that_are_over_at_once_runs() {
    alone(async {
        let diary = Diary::default();
        let limited = timeout(10 * MS, timeout(10 * MS, cleaned(&diary, "clean")));
        assert!(limited.await.is_err());
        assert_eq!(diary.read(), ["clean"]);
    });
}
