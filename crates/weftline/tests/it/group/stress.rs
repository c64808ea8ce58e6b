//! Groups in groups, with limits, clean-ups and shields, and requests at any moment: every clean-up
//! runs once, also where two stand side by side in one task, and afterwards nothing is left.
//!
//! WEFTLINE_IT_GROUPS is the number of trees; by default a hundred thousand, and fewer in a debug
//! build.

use crate::rig::{Random, amount, reporting_runtime, within_limit};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use weftline::time::{sleep, timeout};
use weftline::{Group, catch_cancel, finally, group, spawn, uncancellable, yield_now};

type Outcome = Result<(), u32>;
type Branch = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// How many trees run at once.
const BESIDE: usize = 50;

fn trees() -> usize {
    amount("WEFTLINE_IT_GROUPS", 3_000, 100_000)
}

/// A short while, or none.
fn micros(dice: &mut Random) -> Duration {
    Duration::from_micros(100 * dice.below(5))
}

/// What begins and what ends, in all trees.
#[derive(Default)]
struct Counts {
    begun: AtomicUsize,
    cleaned: AtomicUsize,
    shielded: AtomicUsize,
    unshielded: AtomicUsize,
}

/// A part of a tree, of at most `depth` levels.
fn branch(mut dice: Random, depth: u64, counts: Arc<Counts>) -> Branch {
    Box::pin(async move {
        for _ in 0..dice.below(3) {
            yield_now().await;
        }
        let kind = if depth == 0 { dice.below(6) } else { dice.below(10) };
        match kind {
            0 => Ok(()),
            1 => Err(1),
            2 => pending().await,
            3 => {
                counts.shielded.fetch_add(1, Ordering::Relaxed);
                let count = counts.clone();
                uncancellable(async move {
                    yield_now().await;
                    count.unshielded.fetch_add(1, Ordering::Relaxed);
                })
                .await;
                Ok(())
            }
            4 => match catch_cancel(sleep(Duration::from_micros(50 * dice.below(4)))).await {
                Ok(()) => Ok(()),
                Err(cancelled) if dice.below(2) == 0 => cancelled.resume().await,
                Err(_) => Err(2),
            },
            5 => {
                let both = [0, 1].map(|_| waits_and_cleans(dice.fork(), counts.clone()));
                let (outer, inner) = (micros(&mut dice), micros(&mut dice));
                let _ = timeout(outer, timeout(inner, join(both))).await;
                Ok(())
            }
            6 => {
                counts.begun.fetch_add(1, Ordering::Relaxed);
                let (inner, count) = (branch(dice.fork(), depth - 1, counts.clone()), counts);
                let steps = dice.below(3);
                finally(
                    inner,
                    uncancellable(async move {
                        for _ in 0..steps {
                            yield_now().await;
                        }
                        count.cleaned.fetch_add(1, Ordering::Relaxed);
                    }),
                )
                .await
            }
            7 => {
                timeout(micros(&mut dice), branch(dice, depth - 1, counts)).await.unwrap_or(Ok(()))
            }
            _ => nested(dice, depth - 1, counts).await,
        }
    })
}

/// A future that waits, for a limit of its own perhaps, with a clean-up.
async fn waits_and_cleans(mut dice: Random, counts: Arc<Counts>) {
    let (begins, steps) = (counts.clone(), dice.below(3));
    let waits = async move {
        begins.begun.fetch_add(1, Ordering::Relaxed);
        match dice.below(3) {
            0 => pending().await,
            1 => sleep(micros(&mut dice)).await,
            _ => drop(timeout(micros(&mut dice), pending::<()>()).await),
        }
    };
    let cleans = async move {
        for _ in 0..steps {
            yield_now().await;
        }
        counts.cleaned.fetch_add(1, Ordering::Relaxed);
    };
    finally(waits, uncancellable(cleans)).await;
}

/// Polls both in each poll, as the joining macros of the ecosystem do.
async fn join<F: Future<Output = ()>>(futures: [F; 2]) {
    let mut futures = futures.map(|future| Some(Box::pin(future)));
    poll_fn(|cx| {
        for place in &mut futures {
            if place.as_mut().is_some_and(|future| future.as_mut().poll(cx).is_ready()) {
                *place = None;
            }
        }
        if futures.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// A group with some branches.
async fn nested(mut dice: Random, depth: u64, counts: Arc<Counts>) -> Outcome {
    let result = group(|g: Group<u32>| async move {
        let mut children = Vec::new();
        for _ in 0..dice.below(4) {
            children.push(g.spawn(branch(dice.fork(), depth, counts.clone())));
        }
        match dice.below(6) {
            0 => g.cancel(),
            1 => drop(children.iter().map(weftline::Child::cancel).count()),
            2 => {
                for child in children {
                    let _ = child.await;
                }
            }
            _ => {}
        }
        branch(dice, depth, counts).await
    });
    result.await.map_err(|error| u32::try_from(error.leaves().count()).unwrap())
}

#[test]
fn every_clean_up_runs_once_and_no_task_is_left() {
    let (begun, cleaned) = within_limit(|| {
        let (runtime, reports) = reporting_runtime(2);
        let counts = Arc::new(Counts::default());
        let mut dice = Random::new(0x5eed);
        let mut done = 0;
        while done < trees() {
            runtime.block_on(async {
                let running: Vec<_> =
                    (0..BESIDE).map(|_| spawn(nested(dice.fork(), 4, counts.clone()))).collect();
                for tree in running {
                    for _ in 0..dice.below(20) {
                        yield_now().await;
                    }
                    // Each is cancelled in the end, since parts of it wait for ever.
                    for _ in 0..=dice.below(2) {
                        tree.cancel();
                    }
                    let _ = tree.await;
                }
                assert_eq!(runtime.handle().tasks().len(), 1, "the main future alone");
            });
            done += BESIDE;
        }
        assert!(reports.all().is_empty());
        let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        assert_eq!(read(&counts.shielded), read(&counts.unshielded));
        (read(&counts.begun), read(&counts.cleaned))
    });
    assert!(begun > 0);
    assert_eq!(begun, cleaned);
}
