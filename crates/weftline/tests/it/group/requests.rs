//! Requests to end that meet a group: from outside, from inside, during clean-up.

use super::*;
use crate::probe::{Gate, Probe};
use crate::rig::{
    Diary, LONG, alone, eventually, in_virtual_time, many_times, runtime, runtime_of, until_waiting,
};
use std::future::pending;
use std::sync::Arc;
use std::task::Poll;
use weftline::task::Builder;
use weftline::time::{now, sleep, timeout};
use weftline::{catch_cancel, finally, group, spawn, uncancellable, yield_now};

// AT-TG-05
#[test]
fn a_request_from_outside_reaches_body_and_children_and_goes_on() {
    for body_waits in [true, false] {
        let diary = Diary::default();
        let inside = diary.clone();
        runtime().block_on(async {
            let ready = Gate::new();
            let is_ready = ready.wait();
            let parent = spawn(group(move |g| async move {
                let children: Vec<_> =
                    (0..5).map(|_| g.spawn(waits(inside.clone(), "child"))).collect();
                for child in &children {
                    until_task_waits(&child.task().unwrap()).await;
                }
                ready.open();
                if body_waits { waits(inside, "body").await } else { Ok(()) }
            }));
            is_ready.await;
            until_waiting(&parent).await;
            parent.cancel_with("why");
            assert_eq!(parent.await.unwrap_err().cancel_reason(), Some("why"));
        });
        let count = |name| diary.read().iter().filter(|note| *note == name).count();
        assert_eq!((count("child"), count("body")), (5, usize::from(body_waits)));
    }
}

// AT-TG-11
#[test]
fn an_error_during_clean_up_is_returned_and_the_request_comes_next() {
    let diary = Diary::default();
    let inside = diary.clone();
    runtime().block_on(async {
        let failing = Gate::new();
        let may_fail = failing.wait();
        let parent = spawn(async move {
            let result = group(|g| async move {
                g.spawn(async move {
                    // Not before the body cleans up, whatever is asked of this one.
                    uncancellable(may_fail).await;
                    Err::<(), _>(1)
                });
                finally(pending::<Outcome>(), async move {
                    failing.open();
                    pending::<()>().await;
                })
                .await
            });
            inside.note(format!("{:?}, {}", numbers(result.await), requests()));
            let next = catch_cancel(pending::<()>()).await.unwrap_err();
            inside.note(next.to_string());
            next.resume::<()>().await;
        });
        until_waiting(&parent).await;
        parent.cancel_with("why");
        assert!(parent.await.unwrap_err().is_cancelled());
    });
    assert_eq!(diary.read(), ["[1], 1", "cancelled: why"]);
}

// AT-TG-11, one awaited task deeper
#[test]
fn an_error_during_clean_up_reaches_who_awaits_the_groups_task() {
    many_times(|| async {
        let begun = Gate::new();
        let has_begun = begun.wait();
        let outer = spawn(async {
            let inner = spawn(group(|g| async move {
                g.spawn(async move {
                    begun.open();
                    drop(catch_cancel(pending::<()>()).await);
                    Err::<(), _>(1)
                });
                pending::<Outcome>().await
            }));
            inner.await
        });
        has_begun.await;
        outer.cancel();
        let inner = outer.await.expect("it has the error to give");
        assert_eq!(numbers(inner.expect("so has the group's task")), [1]);
    });
}

// AT-TG-23
#[test]
fn a_child_that_ignores_the_end_keeps_its_value() {
    runtime().block_on(async {
        let kept = Arc::new(std::sync::Mutex::new(None));
        let keep = kept.clone();
        let result = group(|g| async move {
            let stubborn = g.spawn(async {
                drop(catch_cancel(pending::<()>()).await);
                yield_now().await;
                Ok(7)
            });
            until_task_waits(&stubborn.task().unwrap()).await;
            *keep.lock().unwrap() = Some(stubborn);
            Err::<(), _>(1)
        });
        assert_eq!(numbers(result.await), [1]);
        let child = kept.lock().unwrap().take().unwrap();
        assert_eq!(child.await.unwrap(), 7);
    });
}

// AT-TG-23
#[test]
fn several_requests_end_clean_up_no_earlier_and_are_all_counted() {
    let diary = Diary::default();
    let inside = diary.clone();
    runtime().block_on(async {
        let (begun, done) = (Gate::new(), Gate::new());
        let (has_begun, may_end) = (begun.wait(), done.wait());
        let parent = spawn(group(move |g| async move {
            let child = g.spawn(finally(pending::<Outcome>(), async move {
                begun.open();
                may_end.await;
                inside.note("cleaned up");
            }));
            until_task_waits(&child.task().unwrap()).await;
            child.await.map_err(|_| 0)
        }));
        until_waiting(&parent).await;
        let task = parent.task();
        task.cancel();
        has_begun.await;
        for _ in 0..3 {
            until_waiting(&parent).await;
            assert!(task.cancel());
        }
        until_waiting(&parent).await;
        assert!(diary.read().is_empty());
        done.open();
        assert!(parent.await.unwrap_err().is_cancelled());
        assert_eq!(task.cancelling(), 4);
    });
    assert_eq!(diary.read(), ["cleaned up"]);
}

// AT-TG-25
#[test]
fn a_limit_around_a_cancelled_group_still_reports_after_the_clean_up() {
    let diary = Diary::default();
    let inside = diary.clone();
    in_virtual_time(async move {
        let began = now();
        let limited = timeout(SHORT, async move {
            group(|g| async move {
                let child = g.spawn(finally(pending::<Outcome>(), async move {
                    sleep(2 * SHORT).await;
                    inside.note("cleaned up");
                }));
                until_task_waits(&child.task().unwrap()).await;
                g.cancel();
                Ok::<_, u32>(())
            })
            .await
        });
        assert!(limited.await.is_err());
        assert_eq!(now() - began, 2 * SHORT);
        assert_eq!(diary.read(), ["cleaned up"]);
    });
}

// AT-TG-25
#[test]
fn a_child_that_cancels_the_group_in_its_eager_step_is_cancelled() {
    runtime_of(1).block_on(async {
        let done = group(|g| async move {
            let group = g.clone();
            let child = g.spawn_with(Builder::new().eager(true), async move {
                group.cancel();
                pending::<Outcome>().await
            });
            assert!(uncancellable(child).await.unwrap_err().is_cancelled());
            Ok::<_, u32>(3)
        });
        assert_eq!(done.await.unwrap(), 3);
    });
}

#[test]
fn a_group_that_is_cancelled_gives_a_value_only_if_the_body_has_one() {
    runtime().block_on(async {
        let none = group(|g| async move {
            let group = g.clone();
            g.spawn(async move {
                group.cancel();
                group.cancel();
                pending::<Outcome>().await
            });
            pending::<Outcome>().await
        });
        let error = none.await.unwrap_err();
        assert!(error.is_cancelled() && error.errors().is_empty());
        assert_eq!(error.to_string(), "the group was cancelled");
        let kept = group(|g| async move {
            let group = g.clone();
            g.spawn(async move {
                sleep(SHORT).await;
                group.cancel();
                pending::<Outcome>().await
            });
            Ok::<_, u32>(1)
        });
        assert_eq!(kept.await.unwrap(), 1);
        let failed = group(|g| async move {
            let stubborn = g.spawn(async {
                drop(catch_cancel(pending::<()>()).await);
                Err::<(), _>(9)
            });
            until_task_waits(&stubborn.task().unwrap()).await;
            g.cancel();
            Ok::<_, u32>(())
        });
        assert_eq!(numbers(failed.await), [9]);
    });
}

// AT-TO-13
#[test]
fn a_limit_around_a_group_gives_way_to_an_error_during_clean_up() {
    in_virtual_time(async {
        let began = now();
        let limited = timeout(
            SHORT,
            group(|g| async move {
                g.spawn(async {
                    drop(catch_cancel(pending::<()>()).await);
                    sleep(SHORT).await;
                    Err::<(), _>(1)
                });
                pending::<Outcome>().await
            }),
        );
        assert_eq!(numbers(limited.await.expect("the error, and not the limit")), [1]);
        assert_eq!((now() - began, requests()), (2 * SHORT, 0));
        // The limit has given way, and is not heard of later.
        sleep(SHORT).await;
    });
}

#[test]
fn an_error_and_a_request_at_once_come_one_after_the_other() {
    for request_first in [true, false] {
        alone(async move {
            let (diary, fails) = (Diary::default(), Gate::new());
            let (inside, may_fail) = (diary.clone(), fails.wait());
            let parent = spawn(async move {
                let result = group(|g| async move {
                    g.spawn(async move {
                        may_fail.await;
                        Err::<(), _>(1)
                    });
                    pending::<Outcome>().await
                });
                inside.note(format!("{:?}, {}", numbers(result.await), requests()));
                let next = catch_cancel(pending::<()>()).await.unwrap_err();
                inside.note(next.to_string());
                next.resume::<()>().await;
            });
            until_waiting(&parent).await;
            // Neither is seen before both are there: the only worker runs this.
            if request_first {
                parent.cancel_with("why");
                fails.open();
            } else {
                fails.open();
                parent.cancel_with("why");
            }
            assert!(parent.await.unwrap_err().is_cancelled());
            assert_eq!(diary.read(), ["[1], 1", "cancelled: why"], "{request_first}");
        });
    }
}

#[test]
fn a_request_waits_behind_an_uncancellable_clean_up_after_the_error() {
    runtime().block_on(async {
        let diary = Diary::default();
        let inside = diary.clone();
        let parent = spawn(async move {
            let result = group(|g| async move {
                let child = g.spawn(async {
                    drop(catch_cancel(pending::<()>()).await);
                    Err::<(), _>(1)
                });
                until_task_waits(&child.task().unwrap()).await;
                pending::<Outcome>().await
            });
            assert_eq!(numbers(result.await), [1]);
            uncancellable(async {
                sleep(SHORT).await;
                inside.note("saved");
            })
            .await;
            pending::<()>().await;
        });
        until_waiting(&parent).await;
        parent.cancel();
        assert!(parent.await.unwrap_err().is_cancelled());
        assert_eq!(diary.read(), ["saved"]);
    });
}

#[test]
fn dropping_the_future_asks_the_children_to_end() {
    let runtime = runtime();
    let probe = Probe::new();
    runtime.block_on(async {
        let inside = probe.clone();
        let mut group = Box::pin(group(|g| async move {
            g.spawn(inside.future(pending::<Outcome>()));
            pending::<Outcome>().await
        }));
        std::future::poll_fn(|cx| {
            assert!(group.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(group);
    });
    eventually("the child is dropped", || probe.drops() == 1);
}

#[test]
fn a_body_that_ignores_the_end_is_waited_for_and_the_errors_win() {
    runtime().block_on(async {
        let result = group(|g| async move {
            g.spawn(fails(1));
            until_closed(&g).await;
            uncancellable(sleep(SHORT)).await;
            Ok::<_, u32>(1)
        });
        assert_eq!(numbers(result.await), [1]);
    });
}

#[test]
fn a_body_that_awaits_a_child_passes_a_request_on_and_asks_once() {
    runtime().block_on(async {
        let diary = Diary::default();
        let inside = diary.clone();
        let result = group(|g| async move {
            let child = g.spawn(finally(pending::<Outcome>(), async move {
                sleep(SHORT).await;
                inside.note("cleaned up");
            }));
            until_task_waits(&child.task().unwrap()).await;
            g.spawn(fails(1));
            // Asked by the group and, through this, by the body: once all the same.
            let _ = child.await;
            Ok(())
        });
        assert_eq!(numbers(result.await), [1]);
        assert_eq!(diary.read(), ["cleaned up"]);
    });
}

#[test]
fn a_limit_inside_of_the_body_ends_the_child_that_it_awaits() {
    runtime().block_on(async {
        let done = group(|g| async move {
            let child = g.spawn(pending::<Outcome>());
            assert!(timeout(SHORT, child).await.is_err());
            g.spawn(async { Ok(1) }).await.map_err(|_| 0)
        });
        assert_eq!(done.await.unwrap(), 1);
    });
}

#[test]
fn a_request_while_the_first_error_is_cleaned_up_is_not_lost() {
    runtime().block_on(async {
        let diary = Diary::default();
        let inside = diary.clone();
        let begun = Gate::new();
        let has_begun = begun.wait();
        let parent = spawn(async move {
            let result = group(|g| async move {
                let child = g.spawn(finally(pending::<Outcome>(), async move {
                    begun.open();
                    sleep(2 * SHORT).await;
                }));
                until_task_waits(&child.task().unwrap()).await;
                Err::<(), _>(1)
            });
            inside.note(format!("{:?}", numbers(result.await)));
            sleep(LONG).await;
            inside.note("never");
        });
        has_begun.await;
        parent.cancel();
        assert!(parent.await.unwrap_err().is_cancelled());
        assert_eq!(diary.read(), ["[1]"]);
    });
}
