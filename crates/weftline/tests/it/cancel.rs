//! Requests to end: counted, delivered once, to the innermost region, and nothing that was
//! completed is lost.

use crate::probe::Probe;
use crate::rig::{
    Diary, LONG, eventually, panic_on_purpose, reporting_runtime, runtime, runtime_of, settle,
    until_waiting,
};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};
use weftline::task::Status;
use weftline::time::{Deadline, now, sleep, timeout, timeout_at};
use weftline::{
    Cancelled, catch_cancel, exit_stack, finally, shield, spawn, task, uncancellable, yield_now,
};

async fn caught(future: impl Future<Output = ()>) -> Cancelled {
    catch_cancel(future).await.expect_err("a request comes first")
}

// AT-CAN-01
#[test]
fn a_cancelled_task_is_gone_when_its_joiner_knows() {
    let runtime = runtime();
    let probe = Probe::new();
    let handle = runtime.spawn(probe.future(sleep(LONG)));
    eventually("it waits", || probe.polls() == 1);
    let task = handle.task();
    assert!(handle.cancel());
    assert!(handle.wait().unwrap_err().is_cancelled());
    assert_eq!(probe.drops(), 1);
    assert!(task.is_cancelled() && task.is_finished());
    assert!(!task.cancel(), "too late");
}

// AT-CAN-03
#[test]
fn two_requests_are_counted_and_delivered_once() {
    runtime().block_on(async {
        let diary = Diary::default();
        let inside = diary.clone();
        let handle = spawn(async move {
            let cancelled = caught(pending()).await;
            inside.note("caught");
            cancelled.resume::<()>().await
        });
        until_waiting(&handle).await;
        let task = handle.task();
        task::Builder::new().eager(true).spawn(async {}).await.unwrap();
        // In one step of this task, so that both come before the delivery on one worker, and
        // after it at the latest on several: a second delivery then ends the task.
        assert!(task.cancel_with("first"));
        let second = task.cancel_with("second");
        let error = handle.await.unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!(diary.read(), ["caught"]);
        assert_eq!(task.cancelling(), 1 + u32::from(second));
        assert!(!task.cancel());
        assert_eq!(task.cancelling(), 1 + u32::from(second));
    });
}

// AT-CAN-05, with the settled difference in (b)
#[test]
fn a_task_that_cancels_itself_ends_where_it_next_suspends() {
    runtime().block_on(async {
        let sleeping = spawn(async {
            task::current().unwrap().cancel();
            sleep(LONG).await;
            unreachable!("it ends there");
        });
        assert!(sleeping.await.unwrap_err().is_cancelled());
        let returning = spawn(async {
            task::current().unwrap().cancel();
            12
        });
        assert_eq!(returning.await.unwrap(), 12);
    });
}

// AT-CAN-05 (c)
#[test]
fn a_request_is_passed_on_to_the_awaited_task_first() {
    let diary = Diary::default();
    let (inner_diary, outer_diary) = (diary.clone(), diary.clone());
    runtime().block_on(async {
        let outer = spawn(async move {
            let inner = spawn(finally(pending::<()>(), async move {
                yield_now().await;
                inner_diary.note("inner");
            }));
            finally(async { inner.await.unwrap() }, async move { outer_diary.note("outer") }).await;
        });
        until_waiting(&outer).await;
        outer.cancel_with("both");
        let error = outer.await.unwrap_err();
        assert_eq!(error.cancel_reason(), Some("both"));
    });
    assert_eq!(diary.read(), ["inner", "outer"]);
}

#[test]
fn a_shielded_task_runs_on() {
    runtime().block_on(async {
        let (sender, receiver) = weftline::sync::oneshot::channel::<u32>();
        let mut inner = spawn(async move { receiver.await.unwrap() });
        let over = timeout(Duration::from_millis(1), shield(&mut inner)).await;
        assert!(over.is_err());
        sender.send(5).unwrap();
        assert_eq!(inner.await.unwrap(), 5);
    });
}

// AT-CAN-07
#[test]
fn a_request_that_was_taken_back_is_followed_by_the_next() {
    runtime().block_on(async {
        let (sender, receiver) = std::sync::mpsc::channel();
        let handle = spawn(async move {
            caught(pending()).await;
            assert_eq!(task::current().unwrap().uncancel(), 0);
            sender.send(()).unwrap();
            caught(pending()).await.resume::<()>().await;
        });
        until_waiting(&handle).await;
        handle.cancel();
        while receiver.try_recv().is_err() {
            yield_now().await;
        }
        until_waiting(&handle).await;
        handle.cancel();
        let task = handle.task();
        assert!(handle.await.unwrap_err().is_cancelled());
        assert_eq!((task.cancelling(), task.uncancel(), task.cancelling()), (1, 1, 1));
    });
}

#[test]
fn a_request_that_is_taken_back_before_its_delivery_is_not_delivered() {
    runtime().block_on(async {
        let handle = spawn(async {
            let me = task::current().unwrap();
            assert!(me.cancel());
            assert_eq!(me.uncancel(), 0);
            yield_now().await;
            3
        });
        assert_eq!(handle.await.unwrap(), 3);
    });
}

#[test]
fn a_request_goes_to_the_innermost_region_and_on_from_there() {
    let diary = Diary::default();
    let (one, two, three) = (diary.clone(), diary.clone(), diary.clone());
    runtime().block_on(async {
        let handle = spawn(async move {
            let result = catch_cancel(async {
                finally(
                    async {
                        let cancelled = caught(async { sleep(LONG).await }).await;
                        yield_now().await;
                        one.note("innermost");
                        cancelled.resume::<()>().await;
                    },
                    async { two.note("middle") },
                )
                .await;
            })
            .await;
            three.note(format!("outermost: {}", result.unwrap_err()));
            8
        });
        until_waiting(&handle).await;
        handle.cancel_with("why");
        assert_eq!(handle.await.unwrap(), 8);
    });
    assert_eq!(diary.read(), ["innermost", "middle", "outermost: cancelled: why"]);
}

#[test]
fn a_value_that_comes_together_with_a_request_is_kept_and_the_request_comes_next() {
    runtime().block_on(async {
        let handle = spawn(async {
            let value = catch_cancel(poll_fn(|_| {
                task::current().unwrap().cancel();
                Poll::Ready(4)
            }))
            .await
            .expect("it was ready in the very poll");
            let request = caught(pending()).await;
            drop(request);
            value
        });
        assert_eq!(handle.await.unwrap(), 4);
    });
}

#[test]
fn an_uncancellable_future_is_finished_and_the_request_comes_next() {
    let diary = Diary::default();
    let inside = diary.clone();
    runtime().block_on(async {
        let handle = spawn(async move {
            uncancellable(async {
                for step in 0..3 {
                    sleep(Duration::from_millis(1)).await;
                    inside.note(format!("step {step}"));
                }
            })
            .await;
            caught(pending()).await;
            inside.note("then");
        });
        until_waiting(&handle).await;
        handle.cancel();
        handle.await.unwrap();
    });
    assert_eq!(diary.read(), ["step 0", "step 1", "step 2", "then"]);
}

#[test]
fn a_shield_holds_although_a_request_was_handed_on_beside_it() {
    let diary = Diary::default();
    let inside = diary.clone();
    runtime().block_on(async {
        let handle = spawn(async move {
            let mut resume = pin!(caught(pending()).await.resume::<()>());
            poll_fn(|cx| {
                assert!(resume.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            uncancellable(async {
                yield_now().await;
                inside.note("saved");
            })
            .await;
            pending::<()>().await;
        });
        until_waiting(&handle).await;
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
    });
    assert_eq!(diary.read(), ["saved"]);
}

#[test]
fn what_is_caught_inside_of_an_uncancellable_future_is_its_own() {
    runtime().block_on(async {
        // A limit inside is inside: it ends what it limits.
        let inner = uncancellable(timeout(Duration::from_millis(1), pending::<()>()));
        assert!(inner.await.is_err());
        // One outside waits.
        let began = Instant::now();
        let outer =
            timeout(Duration::from_millis(1), uncancellable(sleep(Duration::from_millis(20))));
        assert!(outer.await.is_ok(), "it was finished in the poll in which it was let go");
        assert!(began.elapsed() >= Duration::from_millis(20));
    });
}

#[test]
fn a_limit_lets_clean_up_go_first() {
    let diary = Diary::default();
    let inside = diary.clone();
    runtime().block_on(async {
        let body = finally(pending::<()>(), async move {
            // AT-TO-11: the clean-up has limits of its own.
            let slow = timeout(Duration::from_millis(1), pending::<()>()).await;
            inside.note(format!("{}", slow.unwrap_err()));
            sleep(Duration::from_millis(1)).await;
            inside.note("cleaned up");
        });
        let error = timeout(Duration::from_millis(2), body).await.unwrap_err();
        diary.note(error.to_string());
        // AT-TO-09
        assert_eq!(task::current().unwrap().cancelling(), 0);
    });
    assert_eq!(diary.read(), ["not finished within 1ms", "cleaned up", "not finished within 2ms"]);
}

#[test]
fn a_limit_that_is_ignored_leaves_the_value() {
    runtime().block_on(async {
        let body = async {
            drop(caught(pending()).await);
            sleep(Duration::from_millis(2)).await;
            9
        };
        assert_eq!(timeout(Duration::from_millis(1), body).await, Ok(9));
    });
}

#[test]
fn of_limits_that_end_together_the_outer_one_reports() {
    runtime_of(1).block_on(async {
        let at = now() + Duration::from_millis(2);
        let outer = timeout_at(at, async {
            let inner = timeout_at(at, pending::<()>()).await;
            unreachable!("{inner:?}");
        });
        assert!(outer.await.is_err());
    });
}

// AT-TO-05
#[test]
fn a_limit_that_was_over_first_reports_first_however_late_that_is_seen() {
    runtime_of(1).block_on(async {
        let outer = timeout(Duration::from_millis(8), async {
            let inner = timeout(Duration::from_millis(1), async {
                std::thread::sleep(Duration::from_millis(15));
                pending::<()>().await;
            });
            assert!(inner.await.is_err());
            pending::<()>().await;
        });
        assert!(outer.await.is_err());
    });
}

// AT-WF-01
#[test]
fn a_limit_around_a_handle_ends_the_task_and_waits_for_that() {
    let diary = Diary::default();
    let inside = diary.clone();
    runtime().block_on(async {
        let inner = spawn(finally(pending::<()>(), async move {
            yield_now().await;
            inside.note("cleaned up");
        }));
        let task = inner.task();
        assert!(timeout(Duration::from_millis(1), inner).await.is_err());
        assert!(task.is_cancelled());
    });
    assert_eq!(diary.read(), ["cleaned up"]);
}

#[test]
fn a_deadline_can_be_moved_while_it_runs() {
    runtime().block_on(async {
        let deadline = Deadline::after(Duration::from_millis(1));
        let body = async {
            deadline.reschedule(Some(now() + LONG)).unwrap();
            sleep(Duration::from_millis(5)).await;
            deadline.reschedule(Some(now())).unwrap();
            pending::<()>().await;
        };
        assert!(deadline.limit(body).await.is_err());
        assert!(deadline.is_expired());
        let error = deadline.reschedule(None).unwrap_err();
        assert_eq!(error.to_string(), "the deadline cannot be moved: it is over");
    });
}

#[test]
fn a_deadline_is_moved_from_another_thread() {
    let deadline = Deadline::never();
    let other = deadline.clone();
    let thread = std::thread::spawn(move || {
        while other.reschedule(Some(Instant::now())).is_err() {
            std::thread::yield_now();
        }
    });
    assert!(runtime().block_on(async { deadline.limit(pending::<()>()).await }).is_err());
    thread.join().unwrap();
}

#[test]
fn a_clean_up_follows_value_panic_and_request() {
    let (runtime, _reports) = reporting_runtime(2);
    let diary = Diary::default();
    let cleanup = |name: &'static str| {
        let diary = diary.clone();
        async move {
            yield_now().await;
            diary.note(name);
        }
    };
    runtime.block_on(async {
        assert_eq!(finally(async { 1 }, cleanup("value")).await, 1);
        let panics = spawn(finally(async { panic_on_purpose("in the body") }, cleanup("panic")));
        assert!(panics.await.unwrap_err().is_panic());
        let waits = spawn(finally(pending::<()>(), cleanup("request")));
        until_waiting(&waits).await;
        waits.cancel();
        assert!(waits.await.unwrap_err().is_cancelled());
    });
    assert_eq!(diary.read(), ["value", "panic", "request"]);
}

#[test]
fn an_exit_stack_runs_all_its_clean_ups_the_last_one_first() {
    let diary = Diary::default();
    let inside = diary.clone();
    runtime().block_on(async {
        let handle = spawn(exit_stack(|stack| async move {
            for name in ["last", "middle", "first"] {
                let diary = inside.clone();
                stack.push(async move {
                    diary.note(name);
                    if name == "middle" {
                        task::current().unwrap().cancel();
                        pending::<()>().await;
                    }
                });
            }
            pending::<()>().await;
        }));
        until_waiting(&handle).await;
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
    });
    assert_eq!(diary.read(), ["first", "middle", "last"]);
}

#[test]
fn the_main_future_can_be_cancelled() {
    let runtime = runtime();
    let cancel_main = || async {
        let main = task::current().unwrap();
        spawn(async move { main.cancel_with("by a child") }).await.unwrap();
        pending::<()>().await;
    };
    let error = runtime.handle().try_block_on(cancel_main()).unwrap_err();
    assert_eq!(error.cancel_reason(), Some("by a child"));
    let panic = catch_unwind(AssertUnwindSafe(|| runtime.block_on(cancel_main()))).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("by a child"));
}

#[test]
fn the_main_future_may_borrow_and_is_dropped_before_block_on_returns() {
    let probe = Probe::new();
    let mut text = String::from("borrowed");
    let borrowed = &mut text;
    let error = runtime().handle().try_block_on(probe.future(async move {
        borrowed.push('!');
        task::current().unwrap().cancel();
        pending::<()>().await;
        borrowed.push('?');
    }));
    assert!(error.unwrap_err().is_cancelled());
    assert_eq!((probe.drops(), text.as_str()), (1, "borrowed!"));
}

#[test]
fn a_blocking_job_sees_a_request_at_its_checkpoints() {
    let runtime = runtime();
    let job = runtime.handle().spawn_blocking(|| {
        while weftline::checkpoint().is_ok() {
            std::thread::yield_now();
        }
        "stopped"
    });
    eventually("it has begun", || job.task().status() == Status::Scheduled);
    std::thread::yield_now();
    let task = job.task();
    task.cancel();
    match job.wait() {
        Ok(value) => assert_eq!(value, "stopped"),
        Err(error) => assert!(error.is_cancelled(), "it had not begun"),
    }
}

#[test]
fn shutting_down_waits_for_clean_up_and_ends_what_goes_on_for_ever() {
    let (runtime, _reports) = reporting_runtime(2);
    let probe = Probe::new();
    let diary = Diary::default();
    let inside = diary.clone();
    let cleans = runtime.spawn(finally(pending::<()>(), async move {
        sleep(Duration::from_millis(5)).await;
        inside.note("cleaned up");
    }));
    let stubborn = runtime.spawn(probe.future(async {
        loop {
            let _ = catch_cancel(pending::<()>()).await;
        }
    }));
    eventually("both wait", || {
        cleans.task().status() == Status::Waiting && stubborn.task().status() == Status::Waiting
    });
    let report = runtime.shutdown(Duration::from_millis(200));
    assert_eq!(diary.read(), ["cleaned up"]);
    assert!(stubborn.wait().unwrap_err().is_cancelled());
    assert_eq!(probe.drops(), 1);
    assert_eq!(report.survivors().len(), 1, "it is named: {report}");
}

#[test]
fn of_two_that_are_asked_at_once_the_awaiting_one_does_not_take_the_other_for_failed() {
    for child_first in [true, false] {
        let diary = Diary::default();
        let inside = diary.clone();
        runtime_of(1).block_on(async {
            let asking = spawn(async move {
                let child = spawn(pending::<()>());
                let task = child.task();
                let parent = spawn(async move {
                    let result = child.await;
                    inside.note(format!("{result:?}"));
                });
                until_waiting(&parent).await;
                // In one step, so that neither runs before both are asked.
                if child_first {
                    task.cancel();
                }
                parent.cancel();
                task.cancel();
                parent.await
            });
            assert!(asking.await.unwrap().unwrap_err().is_cancelled());
        });
        assert!(diary.read().is_empty(), "{:?}", diary.read());
    }
}

// AT-SH-01
#[test]
fn a_shield_gives_what_the_task_gives() {
    let (runtime, _reports) = reporting_runtime(2);
    runtime.block_on(async {
        assert_eq!(shield(spawn(async { 1 })).await.unwrap(), 1);
        let panics = spawn(async { panic_on_purpose("inside of a shield") });
        assert!(shield(panics).await.unwrap_err().is_panic());
        let cancelled = spawn(pending::<()>());
        cancelled.cancel();
        assert!(shield(cancelled).await.unwrap_err().is_cancelled());
        let done = spawn(async { 2 });
        while !done.is_finished() {
            yield_now().await;
        }
        let mut shielded = pin!(shield(done));
        let at_once = poll_fn(|cx| Poll::Ready(shielded.as_mut().poll(cx).is_ready()));
        assert!(at_once.await, "what is done is given directly");
    });
}

// AT-SH-03
#[test]
fn a_shielded_task_that_fails_after_its_awaiter_was_cancelled_is_reported_once() {
    let (runtime, reports) = reporting_runtime(2);
    runtime.block_on(async {
        let (sender, receiver) = weftline::sync::oneshot::channel::<()>();
        let inner = spawn(async move {
            receiver.await.unwrap();
            panic_on_purpose("when nobody waits any more");
        });
        let task = inner.task();
        let outer = spawn(async move { shield(inner).await.unwrap() });
        until_waiting(&outer).await;
        outer.cancel();
        assert!(outer.await.unwrap_err().is_cancelled());
        sender.send(()).unwrap();
        while !task.is_finished() {
            yield_now().await;
        }
    });
    eventually("it is reported", || !reports.all().is_empty());
    settle(&runtime);
    assert_eq!(reports.all().len(), 1);
}
