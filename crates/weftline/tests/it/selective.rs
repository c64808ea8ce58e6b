//! Regions inside of a combinator that polls only what was woken, as unordered sets of futures do:
//! they hear of requests as all others.

use crate::regions::Boxed;
use crate::rig::{Diary, LONG, MS, until_waiting, within_limit};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use weftline::group::gather_results;
use weftline::time::{sleep, timeout};
use weftline::{catch_cancel, finally, group, shield, spawn, task, uncancellable, yield_now};

/// Runs a body as the only one, in virtual time.
pub(crate) fn alone<F: Future<Output = ()> + Send + 'static>(body: F) {
    within_limit(|| {
        let runtime = weftline::Runtime::builder().workers(1).virtual_time(true).build().unwrap();
        runtime.spawn(body).wait().unwrap();
    });
}

/// Polls only those that were woken, and not more than `at_once` of them in one poll.
pub(crate) struct Selective {
    futures: Vec<(Option<Boxed>, Arc<Place>)>,
    at_once: usize,
    ready: Arc<Ready>,
}

/// Those that were woken, in order, and the waker of who polls them.
#[derive(Default)]
struct Ready {
    woken: Mutex<Vec<usize>>,
    waker: Mutex<Option<Waker>>,
}

struct Place {
    number: usize,
    is_woken: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        if self.is_woken.swap(true, SeqCst) {
            return;
        }
        self.ready.woken.lock().unwrap().push(self.number);
        let waker = self.ready.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

pub(crate) fn selective(at_once: usize, futures: Vec<Boxed>) -> Selective {
    let ready = Arc::new(Ready::default());
    let place = |number| {
        let place = Place { number, is_woken: AtomicBool::new(false), ready: ready.clone() };
        let place = Arc::new(place);
        place.clone().wake();
        place
    };
    let futures = futures.into_iter().enumerate();
    let futures = futures.map(|(number, future)| (Some(future), place(number))).collect();
    Selective { futures, at_once, ready }
}

impl Future for Selective {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        *self.ready.waker.lock().unwrap() = Some(cx.waker().clone());
        for _ in 0..self.at_once {
            let number = {
                let mut woken = self.ready.woken.lock().unwrap();
                if woken.is_empty() {
                    break;
                }
                woken.remove(0)
            };
            let (place, woken) = &mut self.futures[number];
            let Some(future) = place else { continue };
            woken.is_woken.store(false, SeqCst);
            let waker = Waker::from(woken.clone());
            if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                *place = None;
            }
        }
        if self.futures.iter().all(|(future, _)| future.is_none()) {
            return Poll::Ready(());
        }
        if !self.ready.woken.lock().unwrap().is_empty() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// Waits for ever, and notes its clean-up, which takes a moment.
pub(crate) fn cleaned(diary: &Diary, name: &'static str) -> Boxed {
    let diary = diary.clone();
    Box::pin(finally(pending(), async move {
        sleep(MS).await;
        diary.note(name);
    }))
}

/// As [`cleaned`], caught.
fn caught(diary: &Diary, name: &'static str) -> Boxed {
    let diary = diary.clone();
    Box::pin(async move {
        let cancelled = catch_cancel(pending::<()>()).await.unwrap_err();
        diary.note(name);
        cancelled.resume().await
    })
}

#[test]
fn a_clean_up_runs_inside_of_a_combinator_that_polls_only_what_was_woken() {
    alone(async {
        let diary = Diary::default();
        let handle = spawn(selective(9, vec![cleaned(&diary, "clean")]));
        until_waiting(&handle).await;
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
        assert_eq!(diary.read(), ["clean"]);
    });
}

#[test]
fn every_region_of_an_unordered_set_has_its_turn_before_who_is_around_it() {
    for at_once in [1, 2, 9] {
        alone(async move {
            let diary = Diary::default();
            let set = selective(
                at_once,
                vec![
                    caught(&diary, "first"),
                    Box::pin(sleep(LONG)),
                    cleaned(&diary, "second"),
                    cleaned(&diary, "third"),
                    caught(&diary, "fourth"),
                ],
            );
            let around = diary.clone();
            let handle = spawn(finally(set, async move { around.note("around") }));
            until_waiting(&handle).await;
            handle.cancel();
            assert!(handle.await.unwrap_err().is_cancelled());
            let mut inside = diary.read();
            assert_eq!(inside.pop().as_deref(), Some("around"));
            inside.sort();
            assert_eq!(inside, ["first", "fourth", "second", "third"]);
        });
    }
}

#[test]
fn sets_in_sets_are_reached() {
    alone(async {
        let diary = Diary::default();
        let innermost = selective(1, vec![cleaned(&diary, "a"), cleaned(&diary, "b")]);
        let limited = timeout(LONG, innermost);
        let limited = async { limited.await.expect("it is not over") };
        let inner = selective(1, vec![Box::pin(limited), cleaned(&diary, "c")]);
        let handle = spawn(selective(1, vec![Box::pin(sleep(LONG)), Box::pin(inner)]));
        until_waiting(&handle).await;
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
        let mut cleaned = diary.read();
        cleaned.sort();
        assert_eq!(cleaned, ["a", "b", "c"]);
    });
}

#[test]
fn what_must_not_be_interrupted_is_not_inside_of_an_unordered_set() {
    for at_once in [1, 9] {
        alone(async move {
            let diary = Diary::default();
            let held = diary.clone();
            let handle = spawn(selective(
                at_once,
                vec![
                    Box::pin(uncancellable(async move {
                        sleep(20 * MS).await;
                        held.note("held");
                    })),
                    Box::pin(async {
                        loop {
                            sleep(3 * MS).await;
                        }
                    }),
                    cleaned(&diary, "clean"),
                ],
            ));
            until_waiting(&handle).await;
            handle.cancel();
            assert!(handle.await.unwrap_err().is_cancelled());
            let mut all = diary.read();
            all.sort();
            assert_eq!(all, ["clean", "held"]);
        });
    }
}

#[test]
fn a_limit_around_an_unordered_set_lets_the_clean_ups_run() {
    alone(async {
        let diary = Diary::default();
        let set = selective(1, vec![cleaned(&diary, "a"), cleaned(&diary, "b")]);
        timeout(5 * MS, set).await.unwrap_err();
        assert_eq!(diary.read(), ["a", "b"]);
    });
}

#[test]
fn a_limit_inside_of_an_unordered_set_asks_its_own_inside_alone() {
    alone(async {
        let diary = Diary::default();
        let (limited, other) = (cleaned(&diary, "limited"), cleaned(&diary, "other"));
        let seen = diary.clone();
        let limited = async move {
            timeout(5 * MS, selective(1, vec![limited])).await.unwrap_err();
            seen.note("over");
        };
        let set = selective(9, vec![Box::pin(limited), other]);
        assert!(timeout(10 * MS, set).await.is_err());
        assert_eq!(diary.read(), ["limited", "over", "other"]);
    });
}

#[test]
fn a_task_that_is_awaited_in_an_unordered_set_is_asked_first() {
    alone(async {
        let diary = Diary::default();
        let awaited = |name| {
            let task = spawn(cleaned(&diary, name));
            Box::pin(async move { drop(task.await) }) as Boxed
        };
        let set = vec![awaited("a"), awaited("b"), Box::pin(sleep(LONG))];
        let handle = spawn(selective(9, set));
        until_waiting(&handle).await;
        sleep(MS).await;
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
        assert_eq!(diary.read(), ["a", "b"]);
    });
}

#[test]
fn groups_and_gathered_tasks_in_an_unordered_set_end_before_the_task_does() {
    alone(async {
        let diary = Diary::default();
        let (child, gathered) = (cleaned(&diary, "child"), cleaned(&diary, "gathered"));
        let grouped = async move {
            let ended = group(|g| async move {
                g.spawn(async {
                    child.await;
                    Ok::<_, ()>(())
                });
                pending::<Result<(), ()>>().await
            });
            drop(ended.await);
        };
        let gathers = async move { drop(gather_results([gathered]).await) };
        let handle = spawn(selective(9, vec![Box::pin(grouped), Box::pin(gathers)]));
        until_waiting(&handle).await;
        sleep(MS).await;
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
        let mut all = diary.read();
        all.sort();
        assert_eq!(all, ["child", "gathered"]);
    });
}

#[test]
fn a_set_that_is_not_polled_any_more_holds_no_request_up() {
    alone(async {
        let diary = Diary::default();
        let set = selective(9, vec![cleaned(&diary, "left")]);
        let mut handle = spawn(async move {
            let mut set = Box::pin(set);
            // As the arm of a selecting macro, while which the other futures are not polled.
            assert!(
                timeout(
                    MS,
                    std::future::poll_fn(|cx| {
                        assert!(set.as_mut().poll(cx).is_pending());
                        Poll::<()>::Pending
                    })
                )
                .await
                .is_err()
            );
            sleep(LONG).await;
        });
        sleep(10 * MS).await;
        assert_eq!(diary.read(), ["left"], "the limit was for it");
        handle.cancel();
        assert!(shield(&mut handle).await.unwrap_err().is_cancelled());
    });
}

#[test]
fn an_unordered_set_that_is_left_alone_holds_no_request_up() {
    alone(async {
        let diary = Diary::default();
        let set = selective(9, vec![cleaned(&diary, "left"), Box::pin(uncancellable(sleep(LONG)))]);
        let handle = spawn(async move {
            let mut set = Box::pin(set);
            std::future::poll_fn(|cx| {
                assert!(set.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            sleep(LONG).await;
            drop(set);
        });
        until_waiting(&handle).await;
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
        assert_eq!(diary.read(), [""; 0]);
    });
}

#[test]
fn a_request_that_is_taken_back_leaves_an_unordered_set_as_it_was() {
    alone(async {
        let diary = Diary::default();
        let set = selective(1, vec![cleaned(&diary, "a"), cleaned(&diary, "b")]);
        let handle = spawn(set);
        until_waiting(&handle).await;
        handle.cancel();
        assert_eq!(handle.task().uncancel(), 0);
        yield_now().await;
        sleep(5 * MS).await;
        assert_eq!(handle.task().status(), task::Status::Waiting);
        assert_eq!(diary.read(), [""; 0]);
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
        let mut all = diary.read();
        all.sort();
        assert_eq!(all, ["a", "b"]);
    });
}

/// Those of some handles that have ended, as a set would give them.
struct Handles {
    set: Selective,
    ended: Arc<Mutex<Vec<bool>>>,
}

fn handles(handles: Vec<weftline::JoinHandle<()>>) -> Handles {
    let ended = Arc::new(Mutex::new(Vec::new()));
    let futures = handles.into_iter().map(|handle| {
        let ended = ended.clone();
        let future: Boxed = Box::pin(async move {
            let output = handle.await;
            ended.lock().unwrap().push(output.is_ok());
        });
        future
    });
    Handles { set: selective(9, futures.collect()), ended: ended.clone() }
}

#[test]
fn handles_in_a_set_give_their_outputs_after_a_limit_around_a_step_of_it() {
    for count in 1..=4 {
        alone(async move {
            let tasks = (0..count).map(|_| spawn(sleep(LONG))).collect();
            let Handles { mut set, ended } = handles(tasks);
            timeout(10 * MS, &mut set).await.unwrap_err();
            timeout(LONG, &mut set).await.expect("all have ended");
            assert_eq!(*ended.lock().unwrap(), vec![false; count]);
        });
    }
}

#[test]
fn handles_in_a_set_give_their_outputs_to_who_has_caught_the_request() {
    alone(async {
        let tasks = (0..3).map(|_| spawn(sleep(LONG))).collect();
        let Handles { mut set, ended } = handles(tasks);
        let diary = Diary::default();
        let seen = diary.clone();
        let handle = spawn(async move {
            let cancelled = catch_cancel(&mut set).await.unwrap_err();
            set.await;
            seen.note(format!("{:?}", ended.lock().unwrap()));
            cancelled.resume::<()>().await;
        });
        sleep(MS).await;
        handle.cancel();
        assert!(handle.await.unwrap_err().is_cancelled());
        assert_eq!(diary.read(), ["[false, false, false]"]);
    });
}
