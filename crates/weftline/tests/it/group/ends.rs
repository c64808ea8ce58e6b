//! When a group ends, and with what.

use super::*;
use crate::probe::{Gate, Probe};
use crate::rig::{
    Diary, PanicsWhenDropped, panic_on_purpose, panic_with, reporting_runtime, runtime, runtime_of,
    until_waiting, within_limit,
};
use std::error::Error;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use weftline::group::Failure;
use weftline::sync::oneshot;
use weftline::time::{sleep, timeout};
use weftline::{
    Child, Group, GroupError, JoinError, catch_cancel, exit_stack, finally, group, spawn,
    uncancellable, yield_now,
};

// AT-TG-01
#[test]
fn a_group_ends_when_all_its_children_have() {
    runtime().block_on(async {
        let values = group(|g| async move {
            let first = g.spawn(async {
                sleep(SHORT).await;
                Ok::<_, u32>(42)
            });
            yield_now().await;
            let second = g.spawn(async {
                sleep(2 * SHORT).await;
                Ok(11)
            });
            Ok((first, second))
        });
        let (first, second) = values.await.unwrap();
        assert!(first.is_finished() && second.is_finished());
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (42, 11));
    });
}

#[test]
fn a_child_that_is_cancelled_alone_is_no_error() {
    runtime().block_on(async {
        let done = group(|g| async move {
            let cancelled = g.spawn(pending::<Outcome>());
            cancelled.cancel_with("enough");
            let other = g.spawn(async { Ok(11) });
            assert_eq!(cancelled.await.unwrap_err().cancel_reason(), Some("enough"));
            Ok::<_, u32>(other.await.unwrap())
        });
        assert_eq!(done.await.unwrap(), 11);
    });
}

// AT-TG-03
#[test]
fn the_first_error_ends_the_others_and_waits_for_them() {
    let diary = Diary::default();
    let inside = diary.clone();
    runtime().block_on(async {
        let result = group(|g| async move {
            let sibling = g.spawn(waits(inside.clone(), "sibling"));
            g.spawn(async move {
                until_task_waits(&sibling.task().unwrap()).await;
                Err::<(), _>(1)
            });
            waits(inside, "body").await
        });
        assert_eq!(numbers(result.await), [1]);
        assert_eq!(requests(), 0);
        let mut seen = diary.read();
        seen.sort();
        assert_eq!(seen, ["body", "sibling"]);
        // Nothing of the group's own reaches what follows.
        yield_now().await;
    });
}

// AT-TG-07
#[test]
fn an_error_of_the_body_ends_the_children() {
    runtime().block_on(async {
        let alone = group(|_| async { Err::<(), _>(1) });
        assert_eq!(numbers(alone.await), [1]);
        for steps in 0..2 {
            let probe = Probe::new();
            let inside = probe.clone();
            let result = group(|g| async move {
                g.spawn(inside.future(pending::<Outcome>()));
                g.spawn(inside.future(pending::<Outcome>()));
                for _ in 0..steps {
                    yield_now().await;
                }
                Err::<(), _>(2)
            });
            assert_eq!(numbers(result.await), [2]);
            assert_eq!(probe.drops(), 2);
        }
    });
}

// AT-TG-09
#[test]
fn an_error_outside_ends_an_inner_group_silently() {
    let diary = Diary::default();
    let inside = diary.clone();
    runtime().block_on(async {
        let outer = group(|outer| async move {
            let inner = group(|inner| async move {
                let child = inner.spawn(waits(inside, "inner child"));
                until_task_waits(&child.task().unwrap()).await;
                outer.spawn(fails(1));
                Ok::<_, u32>(())
            });
            let result = inner.await;
            unreachable!("{result:?}");
            #[expect(unreachable_code, reason = "says the type")]
            Ok::<(), u32>(())
        });
        let error = outer.await.unwrap_err();
        assert_eq!(error.errors(), [Failure::Error(1)]);
    });
    assert_eq!(diary.read(), ["inner child"]);
}

#[test]
fn an_inner_groups_errors_stay_together() {
    runtime().block_on(async {
        let outer = group(|outer| async move {
            outer.spawn(pending::<Outcome>());
            let inner = outer.spawn_group(|inner| async move {
                for number in 0..3 {
                    inner.spawn(finally(pending::<Outcome>(), async {}));
                    inner.spawn(fails(number));
                }
                pending::<Outcome>().await
            });
            assert!(inner.await.unwrap_err().is_failed());
            Ok::<_, u32>(())
        });
        let error = outer.await.unwrap_err();
        let [Failure::Group(inner)] = error.errors() else { panic!("{error:?}") };
        assert!((1..=3).contains(&inner.errors().len()));
    });
}

#[test]
fn an_inner_group_that_is_cancelled_by_itself_is_no_error() {
    runtime().block_on(async {
        let outer = group(|outer| async move {
            let inner = outer.spawn_group(|inner| async move {
                inner.cancel();
                pending::<Outcome>().await
            });
            assert!(inner.await.unwrap_err().is_cancelled());
            Ok::<_, u32>(5)
        });
        assert_eq!(outer.await.unwrap(), 5);
    });
}

// AT-TG-13
#[test]
fn a_panic_goes_on_bare_when_the_siblings_have_ended() {
    let (runtime, reports) = reporting_runtime(2);
    for in_body in [true, false] {
        let diary = Diary::default();
        let inside = diary.clone();
        let run = AssertUnwindSafe(|| {
            runtime.block_on(group(|g| async move {
                let sibling = g.spawn(waits(inside, "sibling"));
                let sibling = sibling.task().unwrap();
                if in_body {
                    until_task_waits(&sibling).await;
                    panic_with(5_u8);
                }
                g.spawn(async move {
                    until_task_waits(&sibling).await;
                    let raise = || -> Outcome { panic_with(5_u8) };
                    raise()
                });
                pending::<Outcome>().await
            }))
        });
        let payload = catch_unwind(run).unwrap_err();
        assert_eq!(payload.downcast_ref::<u8>(), Some(&5));
        assert_eq!(diary.read(), ["sibling"]);
    }
    assert!(reports.all().is_empty());
}

// AT-TG-13: the body reacts to an error by a panic.
#[test]
fn a_panic_wins_over_errors_and_a_second_panic_is_reported() {
    let (runtime, reports) = reporting_runtime(1);
    let run = AssertUnwindSafe(|| {
        runtime.block_on(group(|g| async move {
            let second = g.spawn(finally(pending::<Outcome>(), async {
                sleep(SHORT).await;
                panic_on_purpose("the second")
            }));
            until_task_waits(&second.task().unwrap()).await;
            g.spawn(fails(1));
            finally(pending::<Outcome>(), async { panic_with(5_u8) }).await
        }))
    });
    let payload = catch_unwind(run).unwrap_err();
    let messages: Vec<_> = reports.all().into_iter().map(|report| report.message).collect();
    // Whichever comes first goes on.
    let is_body = payload.downcast_ref::<u8>() == Some(&5);
    let other = if is_body { "on purpose: the second" } else { "a value that is not a text" };
    assert_eq!(messages, [other]);
}

#[test]
fn the_handle_of_a_child_that_panicked_has_its_text() {
    let run = AssertUnwindSafe(|| {
        runtime().block_on(group(|g| async move {
            let child: Child<()> = g.spawn(async { panic_on_purpose("in a child") });
            let error: JoinError = uncancellable(child).await.unwrap_err();
            assert_eq!(error.panic_message(), Some("on purpose: in a child"));
            Ok::<_, u32>(())
        }))
    });
    let payload = catch_unwind(run).unwrap_err();
    assert_eq!(payload.downcast_ref::<String>().unwrap(), "on purpose: in a child");
}

#[test]
fn a_value_that_nobody_takes_is_dropped_before_the_group_ends() {
    let probe = Probe::new();
    let inside = probe.clone();
    runtime().block_on(async {
        for _ in 0..100 {
            let before = probe.drops();
            let inside = inside.clone();
            group(|g| async move {
                g.spawn(async move { Ok::<_, u32>(inside.token()) });
                Ok::<_, u32>(())
            })
            .await
            .unwrap();
            assert_eq!(probe.drops(), before + 1);
        }
    });
    let run = AssertUnwindSafe(|| {
        runtime().block_on(group(|g| async move {
            g.spawn(async { Ok::<_, u32>(PanicsWhenDropped("unread")) });
            Ok(())
        }))
    });
    let payload = catch_unwind(run).unwrap_err();
    assert_eq!(payload.downcast_ref::<String>().unwrap(), "on purpose: unread");
}

// AT-TG-15
#[test]
fn a_child_may_add_children_after_the_body_has_ended() {
    let diary = Diary::default();
    let inside = diary.clone();
    runtime()
        .block_on(group(|g| async move {
            let group = g.clone();
            g.spawn(async move {
                sleep(SHORT).await;
                for name in ["first", "second"] {
                    let diary = inside.clone();
                    group.spawn(async move {
                        sleep(SHORT).await;
                        diary.note(name);
                        Ok(())
                    });
                }
                Ok(())
            });
            Ok::<_, u32>(())
        }))
        .unwrap();
    assert_eq!(diary.read().len(), 2);
}

/// A child that a growing group is made of.
type Head = dyn Future<Output = Outcome> + Send;

#[test]
fn a_group_that_grows_all_the_time_still_ends() {
    fn hydra(group: Group<u32>, heads: Arc<AtomicUsize>) -> Pin<Box<Head>> {
        Box::pin(async move {
            heads.fetch_add(1, Ordering::Relaxed);
            sleep(SHORT / 20).await;
            for _ in 0..2 {
                group.spawn(hydra(group.clone(), heads.clone()));
            }
            Ok(())
        })
    }
    let heads = Arc::new(AtomicUsize::new(0));
    let seen = heads.clone();
    let result = runtime().block_on(group(|g| async move {
        g.spawn(hydra(g.clone(), heads.clone()));
        g.spawn(async move {
            while heads.load(Ordering::Relaxed) < 10 {
                yield_now().await;
            }
            Err::<(), _>(1)
        });
        Ok::<_, u32>(())
    }));
    assert_eq!(numbers(result), [1]);
    assert!(seen.load(Ordering::Relaxed) >= 10);
}

// AT-TG-17
#[test]
fn a_closed_group_takes_no_children_and_leaves_the_others_alone() {
    runtime().block_on(async {
        let probe = Probe::new();
        let inside = probe.clone();
        let refuses = move |g: &Group<u32>, probe: &Probe| {
            let before = probe.drops();
            let mut child: Child<()> = g.spawn(probe.future(async { Ok(()) }));
            assert_eq!(probe.drops(), before + 1, "it is dropped at once");
            assert!(child.is_finished() && child.task().is_none() && !child.cancel());
            let mut cx = Context::from_waker(Waker::noop());
            let Poll::Ready(result) = Pin::new(&mut child).poll(&mut cx) else {
                panic!("it is ready at once")
            };
            let error = result.unwrap_err();
            assert_eq!(error.cancel_reason(), Some("its group takes no more children"));
        };
        let (diary, left) = (Diary::default(), Arc::new(std::sync::Mutex::new(None)));
        let (notes, kept) = (diary.clone(), left.clone());
        let result = group(|g| async move {
            *kept.lock().unwrap() = Some(g.clone());
            let group = g.clone();
            g.spawn(finally(pending::<Outcome>(), async move {
                refuses(&group, &inside);
                yield_now().await;
                notes.note("undisturbed");
            }));
            until_task_waits(&g.spawn(pending::<Outcome>()).task().unwrap()).await;
            assert!(!g.is_closed());
            sleep(SHORT).await;
            Err::<(), _>(1)
        });
        assert_eq!(numbers(result.await), [1]);
        assert_eq!(diary.read(), ["undisturbed"]);
        let over = left.lock().unwrap().take().unwrap();
        assert!(over.is_closed());
        refuses(&over, &probe);
        over.cancel();
        assert_eq!((probe.polls(), probe.drops()), (0, 2));
    });
}

// AT-TG-19
#[test]
fn nested_groups_that_fail_at_once_each_give_their_own_error() {
    runtime_of(1).block_on(async {
        let outer = group(|outer| async move {
            let inner = group(|inner| async move {
                inner.spawn(async { Err::<(), _>(1) });
                outer.spawn(async { Err::<(), _>(2) });
                Ok::<_, u32>(())
            });
            assert_eq!(numbers(inner.await), [1]);
            assert_eq!(requests(), 0);
            Ok::<_, u32>(())
        });
        assert_eq!(numbers(outer.await), [2]);
        assert_eq!(requests(), 0);
    });
}

// AT-TG-21
#[test]
fn an_error_of_a_resource_around_the_body_is_added() {
    runtime().block_on(async {
        let result = group(|g| async move {
            let closing = exit_stack(|_| async move {
                g.spawn(fails(1));
                catch_cancel(pending::<()>()).await
            });
            drop(closing.await);
            Err::<(), _>(2)
        });
        assert_eq!(numbers(result.await), [1, 2]);
        assert_eq!(requests(), 0);
    });
}

#[test]
fn a_limit_on_children_holds_the_spawner_back() {
    runtime().block_on(async {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (running, peak) = (now.clone(), most.clone());
        let done = group(|g| async move {
            let three = g.limit(3);
            for _ in 0..200 {
                let (running, peak) = (running.clone(), peak.clone());
                let spawned = three.spawn(async move {
                    let count = running.fetch_add(1, Ordering::SeqCst) + 1;
                    peak.fetch_max(count, Ordering::SeqCst);
                    yield_now().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                });
                drop(spawned.await);
            }
            Ok::<_, u32>(())
        });
        done.await.unwrap();
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
        assert_eq!(now.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn one_who_waits_for_room_can_leave_and_the_next_one_gets_it() {
    runtime().block_on(async {
        let done = group(|g| async move {
            let one = g.limit(1);
            let gate = Gate::new();
            let open = gate.wait();
            let first = one
                .spawn(async move {
                    open.await;
                    Ok(())
                })
                .await;
            assert!(timeout(SHORT, one.spawn(async { Ok(()) })).await.is_err());
            let other = one.clone();
            let second = spawn(async move { other.spawn(async { Ok(2) }).await.await.unwrap() });
            until_waiting(&second).await;
            gate.open();
            first.await.unwrap();
            Ok::<_, u32>(second.await.unwrap())
        });
        assert_eq!(done.await.unwrap(), 2);
    });
}

#[test]
fn a_blocking_child_is_waited_for_and_its_error_counts() {
    let runtime = runtime();
    let (begun, gate) = (Gate::new(), Gate::new());
    let (has_begun, may_end) = (begun.clone(), gate.clone());
    let result = runtime.block_on(group(|g| async move {
        g.spawn_blocking(move || {
            has_begun.open();
            may_end.block();
            Err::<(), _>(1)
        });
        begun.wait().await;
        std::thread::spawn(move || {
            while !g.is_closed() {
                std::thread::yield_now();
            }
            gate.open();
        });
        Err::<(), _>(2)
    }));
    assert_eq!(numbers(result), [2, 1]);
}

#[test]
fn a_child_knows_where_it_was_spawned() {
    runtime().block_on(async {
        group(|g| async move {
            let (child, line) = (g.spawn(async { Ok::<_, u32>(()) }), line!());
            let task = child.task().unwrap();
            assert_eq!((task.spawned_at().line(), task.id()), (line, child.id()));
            Ok(())
        })
        .await
        .unwrap();
    });
}

#[test]
fn a_group_leaves_no_task_behind() {
    let runtime = runtime();
    for _ in 0..200 {
        runtime.block_on(async {
            let result = group(|g| async move {
                for number in 0..4 {
                    g.spawn(fails(number));
                }
                Ok::<_, u32>(())
            });
            assert!(!numbers(result.await).is_empty());
            assert_eq!(runtime_tasks(), 1, "the main future alone");
        });
    }
}

#[test]
fn an_error_is_written_on_a_line_or_as_a_tree() {
    let error: GroupError<String> = runtime_of(1)
        .block_on(group(|g| async move {
            g.spawn_group(|inner| async move {
                let second = inner.spawn(async {
                    drop(catch_cancel(pending::<()>()).await);
                    Err::<(), _>("two".to_owned())
                });
                until_task_waits(&second.task().unwrap()).await;
                Err::<(), _>("one".to_owned())
            });
            // When the inner group has failed, and ends this body.
            finally(pending::<()>(), async {}).await;
            Ok(())
        }))
        .unwrap_err();
    assert_eq!(error.to_string(), "1 error in a group: (2 errors in a group: one; two)");
    let tree = "1 error in a group:\n└─ 2 errors in a group:\n   ├─ one\n   └─ two";
    assert_eq!(format!("{error:#}"), tree);
    let (ones, others) = error.split(|text| text == "one");
    assert_eq!(ones.unwrap().to_string(), "1 error in a group: (1 error in a group: one)");
    assert!(others.unwrap().leaves().eq(["two"]));
}

#[test]
fn an_error_names_its_first_as_the_source() {
    let failed = |text: &'static str| async move { text.parse::<u8>().map(drop) };
    let error = runtime().block_on(group(|_| failed("x"))).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "invalid digit found in string");
    let error = runtime()
        .block_on(group(|_| async {
            "x".parse::<u8>()?;
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        }))
        .map_err(GroupError::boxed)
        .unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "invalid digit found in string");
}

#[test]
fn a_child_that_awaits_itself_is_told_so() {
    within_limit(|| {
        let run = AssertUnwindSafe(|| {
            runtime_of(1).block_on(group(|g| async move {
                let (give, given) = oneshot::channel::<Child<()>>();
                let own = g.spawn(async move { given.await.unwrap().await.map_err(|_| 1_u32) });
                assert!(give.send(own).is_ok());
                Ok(())
            }))
        });
        let payload = catch_unwind(run).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"a task waits for its own end"));
    });
}
