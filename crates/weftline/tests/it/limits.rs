//! Limits of time: what they end, what they leave alone, and what comes of values and errors that
//! arrive together with them. Real time; the order is asserted, not how long it took.

use crate::rig::{
    Diary, LONG, MS, alone, many_times, panic_on_purpose, reporting_runtime, settle, until_waiting,
};
use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use weftline::sync::oneshot;
use weftline::time::{Deadline, now, sleep, timeout, timeout_at};
use weftline::{catch_cancel, finally, shield, spawn, task, yield_now};

/// How often the current task was asked to end.
fn requests() -> u32 {
    task::current().expect("a task runs this").cancelling()
}

// AT-TO-01
#[test]
fn a_limit_that_is_over_is_seen_inside_and_reported_outside() {
    many_times(|| async {
        let diary = Diary::default();
        let inside = diary.clone();
        let body = async move {
            let cancelled = catch_cancel(sleep(LONG)).await.unwrap_err();
            inside.note("seen inside");
            cancelled.resume::<()>().await;
        };
        assert!(timeout(MS, body).await.is_err());
        assert_eq!(diary.read(), ["seen inside"]);
        let at = now() + MS;
        let deadline = Deadline::at(at);
        assert!(deadline.limit(sleep(LONG)).await.is_err());
        assert!(deadline.is_expired() && now() >= at);
        assert_eq!(deadline.when(), Some(at));
        assert!(timeout_at(at, sleep(LONG)).await.is_err());
    });
}

#[test]
fn a_limit_that_is_not_reached_leaves_no_trace() {
    many_times(|| async {
        let deadline = Deadline::after(LONG);
        assert_eq!(deadline.limit(yield_now()).await, Ok(()));
        assert!(!deadline.is_expired() && deadline.when() > Some(now()));
        let never = Deadline::never();
        assert_eq!(never.limit(sleep(MS)).await, Ok(()));
        assert_eq!((never.is_expired(), never.when()), (false, None));
        assert_eq!(timeout(Duration::MAX, sleep(MS)).await, Ok(()));
        assert_eq!(requests(), 0);
    });
}

// AT-TO-03
#[test]
fn a_limit_of_nothing_ends_at_the_first_suspension() {
    alone(async {
        let past = now();
        std::thread::sleep(MS);
        for _ in 0..10 {
            assert!(timeout(Duration::ZERO, yield_now()).await.is_err());
            assert!(timeout(Duration::ZERO, sleep(LONG)).await.is_err());
            assert!(timeout_at(past, yield_now()).await.is_err());
            assert!(timeout_at(past, sleep(LONG)).await.is_err());
            assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
            assert_eq!(timeout_at(past, async { 2 }).await, Ok(2));
        }
    });
}

#[test]
fn an_inner_limit_that_is_later_is_silent_when_both_are_over() {
    alone(async {
        let inner = Deadline::after(20 * MS);
        let body = async {
            let inner = inner.limit(async {
                std::thread::sleep(30 * MS);
                pending::<()>().await;
            });
            unreachable!("{:?}", inner.await);
        };
        assert!(timeout(MS, body).await.is_err());
        assert!(!inner.is_expired(), "the outer one reported");
    });
}

// AT-TO-07
#[test]
fn a_deadline_is_moved_only_while_its_future_runs_and_says_why_not() {
    alone(async {
        let refusal = |deadline: &Deadline| deadline.reschedule(None).unwrap_err().to_string();
        let expired = Deadline::after(MS);
        assert!(refusal(&expired).ends_with("it limits nothing yet"));
        let body = async {
            assert!(expired.reschedule(Some(now() + MS)).is_ok());
            let twice = expired.try_limit(ready(())).unwrap_err().to_string();
            assert!(twice.ends_with("it limits a future already"), "{twice}");
            let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
            // A look from outside, since this very poll tells of it only at its end.
            yield_now().await;
            assert!(refusal(&expired).ends_with("it is over, and its future is cleaning up"));
            cancelled.resume::<()>().await;
        };
        assert!(expired.limit(body).await.is_err());
        assert!(refusal(&expired).ends_with("it is over"));
        let finished = Deadline::after(LONG);
        finished.limit(async {}).await.unwrap();
        assert!(refusal(&finished).ends_with("its future has ended"));
        let again = finished.try_limit(ready(())).unwrap_err().to_string();
        assert!(again.ends_with("its future has ended"), "{again}");
    });
}

// AT-TO-07, outside of a task
#[test]
#[should_panic(expected = "outside of a runtime")]
fn a_limit_outside_of_a_runtime_says_so_once_it_is_needed() {
    let deadline = Deadline::after(LONG);
    let mut limited = pin!(deadline.limit(pending::<()>()));
    let _ = limited.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn a_deadline_that_others_move_goes_by_its_last_place() {
    many_times(|| async {
        let deadline = Deadline::after(LONG);
        let moved = deadline.clone();
        let limited = spawn(async move { moved.limit(pending::<()>()).await });
        let later = now() + 2 * LONG;
        while deadline.reschedule(Some(later)).is_err() {
            yield_now().await;
        }
        assert_eq!(deadline.when(), Some(later));
        deadline.reschedule(None).unwrap();
        assert_eq!(deadline.when(), None);
        limited.cancel();
        assert!(limited.await.unwrap_err().is_cancelled());
        assert!(!deadline.is_expired());
    });
}

// AT-TO-09
#[test]
fn a_task_whose_limit_was_over_is_not_cancelled() {
    many_times(|| async {
        let limited = spawn(async {
            assert!(timeout(MS, sleep(LONG)).await.is_err());
            yield_now().await;
            requests()
        });
        let task = limited.task();
        assert_eq!(limited.await.unwrap(), 0);
        assert!(!task.is_cancelled());
    });
}

// AT-TO-11
#[test]
fn a_limit_works_as_ever_behind_a_request_that_was_ignored() {
    many_times(|| async {
        let ignoring = spawn(async {
            task::current().unwrap().cancel();
            drop(catch_cancel(sleep(LONG)).await.unwrap_err());
            assert_eq!(requests(), 1);
            assert!(timeout(Duration::ZERO, sleep(LONG)).await.is_err());
            assert!(timeout(MS, sleep(LONG)).await.is_err());
            let limited = timeout(LONG, async {
                task::current().unwrap().cancel();
                sleep(LONG).await;
            });
            let again = catch_cancel(limited).await;
            assert!(again.is_err(), "a request of the task, not the limit");
            requests()
        });
        assert_eq!(ignoring.await.unwrap(), 2);
    });
}

#[test]
fn an_error_inside_of_a_limit_comes_out_as_it_is() {
    many_times(|| async {
        let deadline = Deadline::after(LONG);
        assert_eq!(deadline.limit(async { Err::<(), _>("broken") }).await, Ok(Err("broken")));
        assert!(!deadline.is_expired());
    });
}

#[test]
fn an_error_of_the_clean_up_wins_over_the_limit() {
    many_times(|| async {
        let by_value = timeout(MS, async {
            match catch_cancel(sleep(LONG)).await {
                Ok(()) => Ok(()),
                Err(_) => Err("broken while cleaning up"),
            }
        });
        assert_eq!(by_value.await, Ok(Err("broken while cleaning up")));
        let by_panic = spawn(timeout(
            MS,
            finally(sleep(LONG), async { panic_on_purpose("while cleaning up") }),
        ));
        let error = by_panic.await.unwrap_err();
        assert_eq!(error.panic_message(), Some("on purpose: while cleaning up"));
    });
}

#[test]
fn a_request_inside_of_a_limit_is_not_its_end() {
    many_times(|| async {
        let deadline = Deadline::after(LONG);
        let limit = deadline.clone();
        let cancelled = spawn(async move {
            let body = async {
                task::current().unwrap().cancel();
                sleep(LONG).await;
            };
            limit.limit(body).await
        });
        assert!(cancelled.await.unwrap_err().is_cancelled());
        assert!(!deadline.is_expired());
    });
}

// AT-WF-01
#[test]
fn a_limit_waits_for_the_task_that_it_ends() {
    many_times(|| async {
        let diary = Diary::default();
        for limit in [Duration::ZERO, MS] {
            let inside = diary.clone();
            let inner = spawn(finally(sleep(LONG), async move {
                sleep(MS).await;
                inside.note("cleaned up");
            }));
            until_waiting(&inner).await;
            let task = inner.task();
            assert!(timeout(limit, inner).await.is_err());
            assert!(task.is_cancelled());
        }
        assert_eq!(diary.read(), ["cleaned up", "cleaned up"]);
        assert_eq!(timeout(Duration::MAX, spawn(async { "done" })).await.unwrap().unwrap(), "done");
    });
}

// AT-WF-03 (a)
#[test]
fn a_limit_of_nothing_takes_what_is_there() {
    many_times(|| async {
        let past = now();
        let (sender, receiver) = oneshot::channel();
        sender.send("done").unwrap();
        assert_eq!(timeout(Duration::ZERO, receiver).await.unwrap(), Ok("done"));
        let mut ended = spawn(async { "ended" });
        while !ended.is_finished() {
            yield_now().await;
        }
        assert_eq!(timeout_at(past, &mut ended).await.unwrap().unwrap(), "ended");
    });
}

// AT-WF-03 (b): as for any limit of nothing, the future is asked once.
#[test]
fn a_limit_of_nothing_begins_its_future_once() {
    many_times(|| async {
        let mut polls = 0;
        let never = poll_fn(|_| {
            polls += 1;
            Poll::<()>::Pending
        });
        assert!(timeout(Duration::ZERO, never).await.is_err());
        assert_eq!(polls, 1);
    });
}

// AT-WF-03 (c)
#[test]
fn a_limit_of_nothing_ends_a_task_that_runs() {
    many_times(|| async {
        for past in [false, true] {
            let running = spawn(async {
                sleep(LONG).await;
                "done"
            });
            until_waiting(&running).await;
            let task = running.task();
            let over = match past {
                false => timeout(Duration::ZERO, running).await.is_err(),
                true => timeout_at(now(), running).await.is_err(),
            };
            assert!(over && task.is_finished() && task.is_cancelled());
        }
    });
}

// AT-WF-05
#[test]
fn cancelling_who_waits_ends_the_task_that_is_waited_for() {
    many_times(|| async {
        for limit in [Duration::MAX, Duration::from_secs(60)] {
            let inner = spawn(pending::<()>());
            let task = inner.task();
            let waiting = spawn(timeout(limit, inner));
            until_waiting(&waiting).await;
            waiting.cancel();
            assert!(waiting.await.unwrap_err().is_cancelled());
            assert!(task.is_cancelled());
        }
    });
}

// AT-WF-07, in the same turn
#[test]
fn a_value_that_comes_in_the_turn_of_the_limit_is_kept() {
    alone(async {
        for _ in 0..20 {
            let (sender, receiver) = oneshot::channel();
            let mut received = Box::pin(timeout(MS, receiver));
            let first = poll_fn(|cx| Poll::Ready(received.as_mut().poll(cx).is_ready())).await;
            assert!(!first);
            std::thread::sleep(2 * MS);
            sender.send("ok").unwrap();
            assert_eq!(received.await.unwrap(), Ok("ok"));
        }
    });
}

// AT-WF-07, by a callback just before; and a body that answers its limit by a value
#[test]
fn a_value_that_comes_despite_the_limit_is_kept() {
    many_times(|| async {
        let (sender, receiver) = oneshot::channel();
        weftline::Handle::current().call_later(MS, move || sender.send("ok").unwrap());
        assert_eq!(timeout(LONG, receiver).await.unwrap(), Ok("ok"));
        let answers = async {
            drop(catch_cancel(sleep(LONG)).await);
            42
        };
        assert_eq!(timeout(MS, answers).await, Ok(42));
        let task_answers = spawn(async {
            drop(catch_cancel(sleep(LONG)).await);
            43
        });
        assert_eq!(timeout(MS, task_answers).await.unwrap().unwrap(), 43);
    });
}

#[test]
fn a_task_that_panics_when_its_limit_ends_it_reports_the_panic() {
    many_times(|| async {
        let breaks = spawn(finally(sleep(LONG), async { panic_on_purpose("cleaning up") }));
        let error = timeout(MS, breaks).await.expect("it did not end by the limit").unwrap_err();
        assert_eq!(error.panic_message(), Some("on purpose: cleaning up"));
    });
}

#[test]
fn a_limit_waits_for_a_task_that_takes_its_time_and_so_does_a_request() {
    many_times(|| async {
        // Goes on until its time is over, whatever is asked of it.
        let stubborn = || {
            spawn(async {
                let end = now() + 5 * MS;
                while catch_cancel(weftline::time::sleep_until(end)).await.is_err() {}
                42
            })
        };
        assert_eq!(timeout(MS, stubborn()).await.unwrap().unwrap(), 42);
        let waiting = spawn(async move {
            let value = timeout(LONG, stubborn()).await.unwrap().unwrap();
            assert_eq!(value, 42, "it is kept, and the request comes next");
            sleep(LONG).await;
        });
        until_waiting(&waiting).await;
        waiting.cancel();
        assert!(waiting.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_request_that_comes_when_the_inner_task_has_ended_is_not_swallowed() {
    many_times(|| async {
        let reached = Arc::new(AtomicUsize::new(0));
        let reach = reached.clone();
        let waiting = spawn(async move {
            let _ended = timeout(LONG, spawn(async {})).await;
            sleep(LONG).await;
            reach.fetch_add(1, SeqCst);
        });
        yield_now().await;
        waiting.cancel();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(reached.load(SeqCst), 0);
    });
}

#[test]
fn a_shielded_task_outlives_the_limit_and_its_error_is_reported() {
    let (runtime, reports) = reporting_runtime(2);
    let id = runtime.block_on(async {
        let (sender, receiver) = oneshot::channel::<()>();
        let fails = spawn(async {
            let _ = receiver.await;
            panic_on_purpose("behind the shield")
        });
        let task = fails.task();
        assert!(timeout(MS, shield::<(), _>(fails)).await.is_err());
        assert!(!task.is_finished());
        drop(sender);
        while !task.is_finished() {
            yield_now().await;
        }
        task.id()
    });
    settle(&runtime);
    assert_eq!(reports.about(id).len(), 1);
}

#[test]
fn limits_around_each_other_end_from_the_inside_out_or_from_the_outside_in() {
    many_times(|| async {
        let began = Instant::now();
        let outer = timeout(3 * MS, async {
            assert!(timeout(MS, sleep(LONG)).await.is_err());
            assert!(timeout(LONG, sleep(LONG)).await.is_err(), "not reached");
        });
        assert!(outer.await.is_err());
        assert!(began.elapsed() >= 3 * MS);
        assert_eq!(timeout(LONG, timeout(MS, ready(1))).await, Ok(Ok(1)));
    });
}

#[test]
fn a_limit_that_ends_a_clean_up_does_not_swallow_the_request_that_it_answers() {
    /// Both ways to clean up, for longer than any limit.
    async fn cleans(by_hand: bool) {
        if by_hand {
            let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
            sleep(LONG).await;
            cancelled.resume::<()>().await;
        } else {
            finally(pending::<()>(), sleep(LONG)).await;
        }
    }
    alone(async {
        for by_hand in [false, true] {
            let limited = spawn(async move {
                let over = timeout(20 * MS, cleans(by_hand)).await;
                panic_on_purpose(&format!("it went on: {over:?}"))
            });
            until_waiting(&limited).await;
            limited.cancel_with("the task's own");
            let error = limited.await.map(|(): ()| ()).unwrap_err();
            assert_eq!(error.cancel_reason(), Some("the task's own"), "{error}");
        }
    });
}

#[test]
fn a_limit_that_ends_the_clean_up_of_an_outer_one_does_not_swallow_that() {
    many_times(|| async {
        let outer = timeout(MS, async {
            let inner = timeout(5 * MS, finally(pending::<()>(), sleep(LONG)));
            let _ = inner.await;
            pending::<()>().await;
        });
        assert!(timeout(Duration::from_secs(5), outer).await.unwrap().is_err());
    });
}

#[test]
fn a_request_that_was_answered_before_is_not_given_again_by_a_limit() {
    alone(async {
        let answers = spawn(async {
            let limited = timeout(20 * MS, async {
                drop(catch_cancel(pending::<()>()).await);
                assert_eq!(task::current().unwrap().uncancel(), 0);
                sleep(LONG).await;
            });
            assert!(limited.await.is_err());
            sleep(MS).await;
            7
        });
        until_waiting(&answers).await;
        answers.cancel();
        assert!(answers.await.is_ok_and(|value| value == 7));
    });
}

#[test]
fn a_limit_brings_up_no_request_that_was_answered_though_older_ones_were_ignored() {
    alone(async {
        let answers = spawn(async {
            task::current().unwrap().cancel();
            drop(catch_cancel(pending::<()>()).await);
            let limited = timeout(20 * MS, async {
                task::current().unwrap().cancel();
                drop(catch_cancel(pending::<()>()).await);
                assert_eq!(task::current().unwrap().uncancel(), 1);
                sleep(LONG).await;
            });
            assert!(limited.await.is_err());
            sleep(MS).await;
            7
        });
        assert!(answers.await.is_ok_and(|value| value == 7));
    });
}
