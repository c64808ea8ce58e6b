//! Requests to end, seen from outside: of whom they are made, when they come too late, what they
//! carry, and what a task makes of them. The regions that answer them are in `cancel`.

use crate::probe::{Gate, Probe};
use crate::rig::{
    Diary, LONG, MS, alone, eventually, many_times, reporting_runtime, runtime_of, until_waiting,
    within_limit,
};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use weftline::group::{TaskSet, When};
use weftline::net::{TcpListener, TcpStream};
use weftline::runtime::Grace;
use weftline::sync::oneshot;
use weftline::time::sleep;
use weftline::{Handle, JoinHandle, catch_cancel, finally, shield, spawn, task, yield_now};

// AT-CAN-01
#[test]
fn a_sleeping_task_ends_at_once_and_its_timer_goes() {
    let runtime = runtime_of(4);
    let probe = Probe::new();
    runtime.block_on(async {
        for _ in 0..200 {
            let handle = spawn(probe.future(sleep(LONG)));
            until_waiting(&handle).await;
            let task = handle.task();
            assert!(handle.cancel());
            assert!(handle.await.unwrap_err().is_cancelled());
            assert!(task.is_finished() && task.is_cancelled());
            assert!(!task.cancel(), "too late");
        }
    });
    assert_eq!(probe.drops(), 200);
    // A timer that was left would have something to wake: its task, which would then be kept.
    eventually("nothing is left", || runtime.handle().tasks().is_empty());
}

#[test]
fn a_task_that_is_cancelled_before_it_begins_never_runs() {
    alone(async {
        let probe = Probe::new();
        let handle = spawn(probe.future(async {}));
        assert!(handle.cancel_with("too early"));
        let error = handle.await.unwrap_err();
        assert_eq!(error.cancel_reason(), Some("too early"));
        assert_eq!((probe.polls(), probe.drops()), (0, 1));
    });
}

// AT-CAN-03
#[test]
fn requests_are_counted_and_the_count_stays() {
    alone(async {
        let diary = Diary::default();
        let inside = diary.clone();
        let handle = spawn(async move {
            let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
            inside.note("caught");
            cancelled.resume::<()>().await;
        });
        until_waiting(&handle).await;
        let task = handle.task();
        // On the only worker the task cannot run between the two.
        assert!(task.cancel() && task.cancel());
        assert_eq!(task.cancelling(), 2);
        assert!(handle.await.unwrap_err().is_cancelled());
        assert_eq!(diary.read(), ["caught"]);
        assert!(!task.cancel());
        assert_eq!(task.cancelling(), 2);
    });
}

// AT-CAN-05 (a), and (b) with its difference: a value that is returned is kept
#[test]
fn a_task_that_cancels_itself_ends_at_its_next_suspension_or_with_its_value() {
    many_times(|| async {
        let sleeps = spawn(async {
            task::current().unwrap().cancel();
            sleep(LONG).await;
            12
        });
        let task = sleeps.task();
        assert!(sleeps.await.unwrap_err().is_cancelled());
        assert!(!task.cancel());
        let returns = spawn(async {
            task::current().unwrap().cancel();
            12
        });
        let task = returns.task();
        assert_eq!(returns.await.unwrap(), 12);
        assert!(!task.is_cancelled());
    });
}

// AT-CAN-05 (c)
#[test]
fn a_task_that_cancels_itself_and_awaits_another_ends_both() {
    many_times(|| async {
        let (sender, receiver) = oneshot::channel::<()>();
        let outer = spawn(async move {
            let inner = spawn(receiver);
            yield_now().await;
            task::current().unwrap().cancel();
            let _ = inner.await;
            unreachable!("it ends with the inner one");
        });
        assert!(outer.await.unwrap_err().is_cancelled());
        assert!(sender.is_closed(), "what the inner one waited for is gone");
    });
}

// AT-CAN-07
#[test]
fn a_request_that_was_taken_back_leaves_room_for_the_next() {
    many_times(|| async {
        let (tell, told) = oneshot::channel();
        let handle = spawn(async move {
            drop(catch_cancel(sleep(LONG)).await.unwrap_err());
            tell.send(task::current().unwrap().uncancel()).unwrap();
            sleep(LONG).await;
        });
        until_waiting(&handle).await;
        let task = handle.task();
        assert!(task.cancel());
        assert_eq!(told.await, Ok(0));
        assert!(!task.is_finished() && task.cancelling() == 0);
        assert!(task.cancel());
        assert!(handle.await.unwrap_err().is_cancelled());
        task.uncancel();
        assert!(task.is_cancelled() && task.is_finished());
    });
}

// AT-CAN-09
#[test]
fn a_limit_made_by_hand_of_request_and_taking_back_ends_its_block_alone() {
    /// Whether the limit was over, and whether the block ended by itself.
    async fn by_hand(block: Duration, limit: Duration) -> (bool, bool) {
        let task = task::current().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (of_timer, flag) = (task.clone(), over.clone());
        let timer = Handle::current().call_later(limit, move || {
            flag.store(true, SeqCst);
            of_timer.cancel();
        });
        let finished = match catch_cancel(sleep(block)).await {
            Ok(()) => true,
            Err(cancelled) => {
                if !(over.load(SeqCst) && task.uncancel() == 0) {
                    cancelled.resume::<()>().await;
                }
                false
            }
        };
        timer.cancel();
        sleep(MS).await;
        (over.load(SeqCst), finished)
    }
    many_times(|| async {
        let over = spawn(by_hand(LONG, MS));
        let task = over.task();
        assert_eq!(over.await.unwrap(), (true, false));
        assert_eq!(task.cancelling(), 0);
        let in_time = spawn(by_hand(Duration::ZERO, LONG));
        assert_eq!(in_time.await.unwrap(), (false, true));
    });
}

// AT-CAN-11
#[test]
fn a_cancelled_read_leaves_nothing_at_its_socket() {
    let runtime = runtime_of(4);
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let server = Arc::new(listener.accept().await.unwrap().0);
        for round in 0..200 {
            let reads = server.clone();
            let reader = spawn(async move { reads.read(&mut [0; 8]).await });
            until_waiting(&reader).await;
            reader.cancel();
            assert!(reader.await.unwrap_err().is_cancelled());
            assert_eq!(Arc::strong_count(&server), 1, "round {round}");
        }
        client.write_all(b"whole").await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(server.read(&mut buf).await.unwrap(), 5);
        drop(server);
        assert_eq!(client.read(&mut buf).await.unwrap(), 0, "the socket is closed");
    });
}

#[test]
fn a_task_that_is_about_to_run_may_have_its_request_taken_back() {
    alone(async {
        let gate = Gate::new();
        let wait = gate.wait();
        let handle = spawn(async move {
            wait.await;
            yield_now().await;
            42
        });
        until_waiting(&handle).await;
        gate.open();
        let task = handle.task();
        assert!(task.cancel());
        assert_eq!((task.cancelling(), task.uncancel()), (1, 0));
        assert_eq!(handle.await.unwrap(), 42);
    });
}

#[test]
fn a_task_that_yields_without_end_sees_its_request() {
    many_times(|| async {
        let handle = spawn(async {
            loop {
                yield_now().await;
            }
        });
        yield_now().await;
        handle.cancel();
        let ended: Result<(), _> = handle.await;
        assert!(ended.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_task_may_answer_by_a_value_or_go_on() {
    many_times(|| async {
        let (sender, receiver) = oneshot::channel();
        let answers = spawn(async { catch_cancel(pending::<u32>()).await.unwrap_or(42) });
        let goes_on = spawn(async {
            drop(catch_cancel(pending::<()>()).await);
            receiver.await.unwrap()
        });
        for handle in [&answers, &goes_on] {
            until_waiting(handle).await;
            handle.cancel();
        }
        sender.send(43).unwrap();
        let tasks = [answers.task(), goes_on.task()];
        assert_eq!((answers.await.unwrap(), goes_on.await.unwrap()), (42, 43));
        assert!(tasks.iter().all(|task| !task.is_cancelled() && task.cancelling() == 1));
    });
}

#[test]
fn the_end_of_an_awaited_task_is_a_value_for_who_awaits() {
    many_times(|| async {
        let outer = spawn(async {
            let inner = spawn(pending::<()>());
            inner.cancel_with("the inner one alone");
            let error = inner.await.unwrap_err();
            yield_now().await;
            (error.cancel_reason() == Some("the inner one alone"), requests())
        });
        assert_eq!(outer.await.unwrap(), (true, 0));
    });
}

#[test]
fn a_request_of_both_tasks_ends_both() {
    many_times(|| async {
        let inner = spawn(pending::<()>());
        let inner_task = inner.task();
        let outer = spawn(async {
            let _ = inner.await;
            pending::<()>().await;
        });
        until_waiting(&outer).await;
        inner_task.cancel();
        outer.cancel();
        assert!(outer.await.unwrap_err().is_cancelled());
        assert!(inner_task.is_cancelled());
    });
}

#[test]
fn the_reason_goes_through_tasks_and_clean_ups() {
    many_times(|| async {
        let handle = spawn(async {
            spawn(finally(pending::<()>(), yield_now())).await.unwrap();
        });
        until_waiting(&handle).await;
        handle.cancel_with(format!("number {}", 5));
        assert_eq!(handle.await.unwrap_err().cancel_reason(), Some("number 5"));
        let silent = spawn(pending::<()>());
        silent.cancel();
        assert_eq!(silent.await.unwrap_err().cancel_reason(), None);
    });
}

#[test]
fn a_second_request_ends_a_clean_up_that_waits() {
    many_times(|| async {
        let diary = Diary::default();
        let inside = diary.clone();
        let handle = spawn(finally(pending::<()>(), async move {
            inside.note("begun");
            sleep(LONG).await;
            inside.note("not reached");
        }));
        until_waiting(&handle).await;
        handle.cancel();
        while diary.read().is_empty() {
            yield_now().await;
        }
        until_waiting(&handle).await;
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
        assert_eq!(diary.read(), ["begun"]);
    });
}

/// How often the current task was asked to end.
fn requests() -> u32 {
    task::current().unwrap().cancelling()
}

/// What tells a task that awaits what `make` makes of its own handle.
fn told<F>(make: impl FnOnce(JoinHandle<()>) -> F) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let (runtime, reports) = reporting_runtime(1);
    let (give, given) = oneshot::channel::<F>();
    let task = runtime.spawn(async move { given.await.unwrap().await });
    let id = task.id();
    assert!(give.send(make(task)).is_ok());
    eventually("it is told", || !reports.about(id).is_empty());
    reports.about(id)[0].message.clone()
}

#[test]
fn a_task_that_awaits_itself_is_told_so_however_it_does() {
    within_limit(|| {
        let message = "a task waits for its own end";
        assert_eq!(told(|own| async { own.await.unwrap() }), message);
        assert_eq!(told(|own| async { own.shared().await.unwrap() }), message);
        assert_eq!(told(|own| async { shield(own).await.unwrap() }), message);
        assert_eq!(told(|own| async { drop(own.wait()) }), message);
        let set_of = |own| {
            let mut set = TaskSet::new();
            set.insert(own);
            set
        };
        assert_eq!(told(|own| async move { drop(set_of(own).next().await) }), message);
        // The set has looked at it before, elsewhere.
        let seen = |own| {
            let mut set = set_of(own);
            assert!(set.try_next().is_none());
            set
        };
        let one_by_one = |own| {
            let mut set = seen(own);
            async move { while set.next().await.is_some() {} }
        };
        assert_eq!(told(one_by_one), message);
        let all = |own| {
            let mut set = seen(own);
            async move { assert_eq!(set.wait(When::All, None).await.pending, 0) }
        };
        assert_eq!(told(all), message);
    });
}

// One of those who wait for a task is asked to end, and passes that on: the task ends, which the
// others read as any other output of it.
#[test]
fn a_request_of_one_who_shares_a_handle_is_not_given_to_another() {
    many_times(|| async {
        let shared = spawn(pending::<()>()).shared();
        let waiting = |goes_on: bool| {
            let shared = shared.clone();
            spawn(async move {
                let ended = shared.await.map_err(|error| error.is_cancelled());
                sleep(if goes_on { MS } else { LONG }).await;
                (ended, requests())
            })
        };
        let others = [waiting(true), waiting(true)];
        let asked = waiting(false);
        let last = waiting(true);
        for task in others.iter().chain([&asked, &last]) {
            until_waiting(task).await;
        }
        asked.cancel();
        for other in others.into_iter().chain([last]) {
            assert_eq!(other.await.expect("nobody asked it"), (Err(true), 0));
        }
        assert!(asked.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_shared_value_that_comes_despite_a_request_is_kept_and_the_request_comes_next() {
    many_times(|| async {
        let answers = spawn(async {
            drop(catch_cancel(pending::<()>()).await);
            5
        });
        until_waiting(&answers).await;
        let shared = answers.shared();
        let diary = Diary::default();
        let (inside, own) = (diary.clone(), shared.clone());
        let asked = spawn(async move {
            inside.note(own.await.unwrap().to_string());
            sleep(LONG).await;
        });
        until_waiting(&asked).await;
        asked.cancel();
        assert_eq!(shared.await.unwrap(), 5);
        assert!(asked.await.unwrap_err().is_cancelled());
        assert_eq!(diary.read(), ["5"]);
    });
}

/// Takes a while to be dropped.
struct DropsSlowly;

impl Drop for DropsSlowly {
    fn drop(&mut self) {
        thread::sleep(20 * MS);
    }
}

#[test]
fn a_task_that_is_being_dropped_when_the_grace_is_over_has_not_ignored_its_end() {
    let runtime = runtime_of(1);
    let task = runtime.spawn(async {
        let _held = DropsSlowly;
        pending::<()>().await;
    });
    eventually("it waits", || task.task().status() == task::Status::Waiting);
    let report = runtime.shutdown(Grace::For(MS));
    assert!(report.is_clean(), "{report}");
}
