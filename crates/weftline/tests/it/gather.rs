//! Gathering: values in the order of the futures, the first error at once, requests for all.

use crate::probe::{Gate, Probe};
use crate::rig::{
    Diary, LONG, eventually, panic_with, reporting_runtime, runtime, runtime_of, until_waiting,
};
use std::future::pending;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use weftline::sync::oneshot;
use weftline::time::{sleep, timeout};
use weftline::{catch_cancel, finally, gather, gather_results, spawn, task, yield_now};

// AT-GA-01
#[test]
fn values_come_in_the_order_of_the_futures() {
    runtime().block_on(async {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..3).map(|_| oneshot::channel::<char>()).unzip();
        let futures = receivers
            .into_iter()
            .map(|receiver| async { receiver.await.map_err(io::Error::other) });
        let gathered = spawn(gather(futures));
        let [a, b, c] = <[_; 3]>::try_from(senders).ok().unwrap();
        b.send('b').unwrap();
        a.send('a').unwrap();
        yield_now().await;
        assert!(!gathered.is_finished());
        c.send('c').unwrap();
        assert_eq!(gathered.await.unwrap().unwrap(), ['a', 'b', 'c']);
        let none: Vec<std::future::Ready<io::Result<()>>> = Vec::new();
        assert!(gather(none).await.unwrap().is_empty());
    });
}

#[test]
fn the_first_error_comes_at_once_and_the_others_run_on() {
    let runtime = runtime();
    let (gate, probe) = (Gate::new(), Probe::new());
    runtime.block_on(async {
        let slow = {
            let (open, inside) = (gate.wait(), probe.clone());
            async move {
                let _token = inside.token();
                open.await;
                io::Result::Ok(1)
            }
        };
        let failing = async { Err::<u32, _>(io::Error::other("no luck")) };
        let error = weftline::gather!(slow, failing).await.unwrap_err();
        assert_eq!(error.to_string(), "no luck");
        assert_eq!(probe.drops(), 0, "it runs on");
        gate.open();
    });
    eventually("it has run on to its end", || probe.drops() == 1);
}

#[test]
fn a_child_that_somebody_else_cancels_is_an_error() {
    runtime().block_on(async {
        let cancels_itself = async {
            task::current().unwrap().cancel_with("my own wish");
            pending::<io::Result<()>>().await
        };
        let error = gather([cancels_itself]).await.unwrap_err();
        assert!(error.to_string().ends_with("was cancelled: my own wish"), "{error}");
        assert_eq!(task::current().unwrap().cancelling(), 0);
    });
}

#[test]
fn a_panic_goes_on_in_who_gathers() {
    let run = AssertUnwindSafe(|| {
        runtime().block_on(async {
            let raise = || -> io::Result<()> { panic_with(5_u8) };
            weftline::gather!(async move { raise() }, pending::<io::Result<()>>()).await
        })
    });
    let payload = catch_unwind(run).unwrap_err();
    assert_eq!(payload.downcast_ref::<u8>(), Some(&5));
}

// AT-GA-03
#[test]
fn results_are_complete_and_in_their_slots() {
    let (runtime, reports) = reporting_runtime(2);
    runtime.block_on(async {
        let results = gather_results((0..4).map(|n| async move {
            match n {
                0 => Ok(0),
                1 => Err("failed"),
                2 => {
                    task::current().unwrap().cancel();
                    pending().await
                }
                _ => panic_with(n),
            }
        }))
        .await;
        assert_eq!(*results[0].as_ref().unwrap(), Ok(0));
        assert_eq!(*results[1].as_ref().unwrap(), Err("failed"));
        assert!(results[2].as_ref().unwrap_err().is_cancelled());
        assert!(results[3].as_ref().unwrap_err().is_panic());
    });
    assert!(reports.all().is_empty());
}

// AT-GA-05
#[test]
fn a_request_reaches_all_children_and_comes_back_when_they_have_ended() {
    for with_results in [true, false] {
        let diary = Diary::default();
        let inside = diary.clone();
        runtime_of(1).block_on(async {
            let began = Arc::new(AtomicUsize::new(0));
            let futures: Vec<_> = (0..3)
                .map(|_| {
                    let (diary, began) = (inside.clone(), began.clone());
                    let body = async move {
                        began.fetch_add(1, Ordering::SeqCst);
                        pending::<io::Result<()>>().await
                    };
                    finally(body, async move {
                        yield_now().await;
                        diary.note("cleaned up");
                    })
                })
                .collect();
            let parent = spawn(async move {
                if with_results {
                    drop(gather_results(futures).await);
                } else {
                    drop(gather(futures).await);
                }
            });
            while began.load(Ordering::SeqCst) < 3 {
                yield_now().await;
            }
            until_waiting(&parent).await;
            parent.cancel_with("m");
            assert_eq!(parent.await.unwrap_err().cancel_reason(), Some("m"));
        });
        assert_eq!(diary.read(), ["cleaned up"; 3]);
    }
}

// AT-GA-05
#[test]
fn a_limit_around_gathering_reports_when_all_have_ended() {
    runtime().block_on(async {
        let probe = Probe::new();
        let futures: Vec<_> = (0..3).map(|_| probe.future(pending::<io::Result<()>>())).collect();
        assert!(timeout(Duration::from_millis(2), gather(futures)).await.is_err());
        assert_eq!(probe.drops(), 3);
    });
}

#[test]
fn an_error_that_a_request_brings_is_given_and_the_request_comes_next() {
    runtime_of(1).block_on(async {
        let begun = Gate::new();
        let has_begun = begun.wait();
        let parent = spawn(async move {
            let fails = async move {
                begun.open();
                drop(catch_cancel(pending::<()>()).await);
                Err::<(), _>(io::Error::other("in clean-up"))
            };
            let error = weftline::gather!(fails, pending::<io::Result<()>>()).await.unwrap_err();
            assert_eq!(error.to_string(), "in clean-up");
            catch_cancel(sleep(LONG)).await.unwrap_err();
            "seen"
        });
        has_begun.await;
        until_waiting(&parent).await;
        parent.cancel();
        assert_eq!(parent.await.unwrap(), "seen");
    });
}

#[test]
fn values_of_different_types_make_a_tuple() {
    runtime().block_on(async {
        let values =
            weftline::gather!(async { io::Result::Ok(1_u8) }, async { Ok("two") }, async {
                Ok(vec![3])
            },);
        assert_eq!(values.await.unwrap(), (1, "two", vec![3]));
    });
}
