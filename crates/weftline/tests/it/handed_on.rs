//! Requests on their way: one that somebody has is not lost with its holder, and one that is handed on
//! finds everybody who is to answer it.

use crate::probe::Gate;
use crate::regions::{Boxed, flag, join};
use crate::rig::{LONG, MS, bounded, either, in_virtual_time, runtime_of, until_waiting};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;
use weftline::time::{sleep, timeout};
use weftline::{
    JoinError, JoinHandle, catch_cancel, exit_stack, finally, group, spawn, task, uncancellable,
    yield_now,
};

#[test]
fn a_request_is_not_swallowed_where_two_handles_are_tried_together() {
    runtime_of(1).block_on(async {
        let mut first = spawn(pending::<()>());
        let mut second = spawn(async {
            let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
            sleep(50 * MS).await;
            cancelled.resume::<()>().await;
        });
        until_waiting(&first).await;
        until_waiting(&second).await;
        let (went_on, saw) = flag();
        let mut handle = spawn(async move {
            // The first error ends it.
            let tried = poll_fn(|cx| {
                if let Poll::Ready(Err(error)) = Pin::new(&mut first).poll(cx) {
                    return Poll::Ready(Err(error));
                }
                if let Poll::Ready(Err(error)) = Pin::new(&mut second).poll(cx) {
                    return Poll::Ready(Err(error));
                }
                Poll::<Result<(), JoinError>>::Pending
            })
            .await;
            drop((first, second, tried));
            yield_now().await;
            sleep(5 * MS).await;
            went_on.store(true, SeqCst);
        });
        until_waiting(&handle).await;
        handle.cancel();
        let ended = bounded(&mut handle).await.expect("it ends");
        assert!(!saw.load(SeqCst), "the task went on as if nobody had asked it: {ended:?}");
    });
}

/// A task that takes a while to answer a request.
fn slow_to_end() -> JoinHandle<()> {
    spawn(async {
        let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
        sleep(100 * MS).await;
        cancelled.resume::<()>().await;
    })
}

/// A future that is left, as the loser of a race, after it was asked to end: the request is not
/// lost with it.
fn survives_its_holder(holder: impl Future<Output = ()> + Send + 'static) {
    in_virtual_time(async move {
        let (went_on, saw) = flag();
        let mut handle = spawn(async move {
            either(holder, sleep(30 * MS)).await;
            sleep(5 * MS).await;
            went_on.store(true, SeqCst);
        });
        sleep(5 * MS).await;
        handle.cancel();
        let ended = bounded(&mut handle).await.expect("it ends");
        assert!(!saw.load(SeqCst), "the request went with its holder: {ended:?}");
        assert_eq!(handle.task().cancelling(), 1);
    });
}

#[test]
fn a_request_that_a_handle_has_passed_on_survives_the_handle() {
    survives_its_holder(async { drop(slow_to_end().await) });
}

#[test]
fn a_request_that_a_shared_handle_has_passed_on_survives_the_handle() {
    survives_its_holder(async { drop(slow_to_end().shared().await) });
}

#[test]
fn a_request_that_a_clean_up_is_to_hand_on_survives_it() {
    survives_its_holder(finally(pending(), sleep(LONG)));
    survives_its_holder(weftline::exit_stack(|stack| async move {
        stack.push(sleep(LONG));
        pending().await
    }));
}

#[test]
fn a_request_that_a_group_is_to_hand_on_survives_it() {
    survives_its_holder(async {
        drop(weftline::group::gather_results([async { drop(slow_to_end().await) }]).await);
    });
    survives_its_holder(async {
        let grouped = group(|g| async move {
            g.spawn(async { slow_to_end().await.map_err(drop) });
            Ok::<_, ()>(())
        });
        drop(grouped.await);
    });
}

#[test]
fn a_request_that_is_handed_on_is_not_taken_back_any_more() {
    runtime_of(1).block_on(async {
        let mut handle = spawn(async {
            let me = task::current().unwrap();
            let place = Arc::new(std::sync::OnceLock::new());
            let child = place.clone();
            let mut grouped = std::pin::pin!(group(|g| async move {
                let spawned = g.spawn(pending::<Result<(), String>>());
                child.set(spawned.task().unwrap()).unwrap();
                Ok::<_, String>(7)
            }));
            poll_fn(|cx| {
                let polled = grouped.as_mut().poll(cx);
                if polled.is_pending() && place.get().is_some_and(task::Task::is_finished) {
                    me.uncancel();
                }
                polled
            })
            .await
        });
        until_waiting(&handle).await;
        handle.cancel();
        let ended = bounded(&mut handle).await.expect("it waits for ever");
        assert!(ended.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_limit_is_not_lost_where_a_request_that_came_with_it_is_taken_back() {
    runtime_of(1).block_on(async {
        let mut handle = spawn(async {
            let me = task::current().unwrap();
            let began = std::time::Instant::now();
            let mut limited = std::pin::pin!(timeout(10 * MS, async {
                let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
                drop(cancelled);
                task::current().unwrap().uncancel();
                sleep(LONG).await;
            }));
            let mut asked = false;
            poll_fn(|cx| {
                let polled = limited.as_mut().poll(cx);
                // The limit has asked, and its delivery comes with the next poll.
                if !asked && began.elapsed() >= 10 * MS {
                    asked = true;
                    me.cancel();
                }
                polled
            })
            .await
        });
        let ended = bounded(&mut handle).await.expect("the limit is gone for good");
        assert!(ended.unwrap().is_err());
    });
}

#[test]
fn a_clean_up_that_began_to_be_needed_beside_an_answer_runs_too() {
    runtime_of(1).block_on(async {
        let (first_begins, second_ends) = (Gate::new(), Gate::new());
        let (begins, ends) = (first_begins.wait(), second_ends.wait());
        let (cleaned, saw) = flag();
        let mut handle = spawn(join(vec![
            Box::pin(async move {
                begins.await;
                finally(pending::<()>(), async move { cleaned.store(true, SeqCst) }).await;
            }),
            Box::pin(finally(pending::<()>(), ends)),
        ]));
        until_waiting(&handle).await;
        handle.cancel();
        until_waiting(&handle).await;
        first_begins.open();
        until_waiting(&handle).await;
        second_ends.open();
        let ended = bounded(&mut handle).await.expect("it ends");
        assert!(ended.unwrap_err().is_cancelled());
        assert!(saw.load(SeqCst), "the first future was dropped without its clean-up");
    });
}

#[test]
fn a_handle_that_has_handed_a_request_on_gives_its_output_where_its_code_goes_on() {
    for ignores in [false, true] {
        in_virtual_time(async move {
            let child = spawn(pending::<()>());
            let (went_on, saw) = flag();
            let mut handle = spawn(join(vec![
                Box::pin(async move {
                    assert!(child.await.unwrap_err().is_cancelled());
                    went_on.store(true, SeqCst);
                }),
                Box::pin(async move {
                    let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
                    sleep(20 * MS).await;
                    if !ignores {
                        cancelled.resume().await
                    }
                }),
            ]));
            sleep(MS).await;
            handle.cancel();
            let ended = bounded(&mut handle).await.expect("it ends");
            assert_eq!(ended.is_ok(), ignores, "{ended:?}");
            assert!(saw.load(SeqCst), "who took the request beside it does not hold it up");
        });
    }
}

#[test]
fn what_must_not_be_interrupted_beside_an_answer_is_not() {
    for shielded_first in [false, true] {
        for cleanup_too in [false, true] {
            runtime_of(1).block_on(async {
                let (shield_begins, shield_ends, answer_ends) =
                    (Gate::new(), Gate::new(), Gate::new());
                let (begins, holds, ends) =
                    (shield_begins.wait(), shield_ends.wait(), answer_ends.wait());
                let (finished, saw) = flag();
                let shielded: Boxed = Box::pin(async move {
                    begins.await;
                    let held = async move {
                        uncancellable(holds).await;
                        finished.store(true, SeqCst);
                    };
                    if cleanup_too {
                        finally(async {}, held).await;
                    } else {
                        held.await;
                    }
                });
                let answers: Boxed = Box::pin(finally(pending::<()>(), ends));
                let both =
                    if shielded_first { vec![shielded, answers] } else { vec![answers, shielded] };
                let mut handle = spawn(join(both));
                until_waiting(&handle).await;
                handle.cancel();
                until_waiting(&handle).await;
                shield_begins.open();
                until_waiting(&handle).await;
                answer_ends.open();
                for _ in 0..10 {
                    yield_now().await;
                }
                shield_ends.open();
                let ended = bounded(&mut handle).await.expect("it ends");
                assert!(ended.unwrap_err().is_cancelled());
                assert!(saw.load(SeqCst), "{shielded_first} {cleanup_too}: interrupted");
            });
        }
    }
}

/// An uncancellable limit, whose request was handed on by one part inside of it and is being answered
/// by the other one: a request of the task waits until that is done.
#[test]
fn what_is_handed_on_inside_does_not_open_an_uncancellable_future() {
    runtime_of(1).block_on(async {
        let (answering, answer_ends) = (Gate::new(), Gate::new());
        let (begun, ends) = (answering.clone(), answer_ends.wait());
        let ((cleaned, saw), (finished, saw_end)) = (flag(), flag());
        let hands_on: Boxed =
            Box::pin(async { catch_cancel(pending::<()>()).await.unwrap_err().resume().await });
        let answers: Boxed = Box::pin(exit_stack(|stack| async move {
            stack.push(async move { cleaned.store(true, SeqCst) });
            stack.push(async move {
                begun.open();
                ends.await;
            });
            pending().await
        }));
        let limited = timeout(MS, join(vec![hands_on, answers]));
        let mut handle = spawn(async move {
            uncancellable(async move {
                assert!(limited.await.is_err());
                finished.store(true, SeqCst);
            })
            .await;
            yield_now().await;
        });
        answering.wait().await;
        until_waiting(&handle).await;
        handle.cancel();
        until_waiting(&handle).await;
        answer_ends.open();
        let ended = bounded(&mut handle).await.expect("it ends");
        assert!(saw.load(SeqCst), "the last clean-up was dropped");
        assert!(saw_end.load(SeqCst), "interrupted");
        assert!(ended.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_second_request_in_the_poll_that_takes_the_first_does_not_drop_who_took_it() {
    runtime_of(1).block_on(async {
        let (cleaned, saw) = flag();
        let grouped: Boxed = Box::pin(async move {
            let grouped = group(|g| async move {
                g.spawn(finally(pending::<Result<(), ()>>(), async move {
                    sleep(5 * MS).await;
                    cleaned.store(true, SeqCst);
                }));
                Ok::<_, ()>(())
            });
            drop(grouped.await);
        });
        let asks: Boxed = Box::pin(poll_fn(|_| {
            let me = task::current().unwrap();
            if me.cancelling() == 1 {
                me.cancel();
            }
            Poll::Pending
        }));
        let mut handle = spawn(join(vec![grouped, asks]));
        until_waiting(&handle).await;
        handle.cancel();
        let ended = bounded(&mut handle).await.expect("it ends");
        assert!(ended.unwrap_err().is_cancelled());
        assert!(saw.load(SeqCst), "the group was dropped while a child of it was cleaning up");
        assert_eq!(handle.task().cancelling(), 2);
    });
}
