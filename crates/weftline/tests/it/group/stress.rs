//! Groups in groups, with limits, clean-ups and shields, and requests at any moment: every clean-up
//! runs once, and afterwards nothing is left.
//!
//! WEFTLINE_IT_GROUPS is the number of trees; by default a hundred thousand, and fewer in a debug
//! build.

use crate::rig::{reporting_runtime, within_limit};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use weftline::time::{sleep, timeout};
use weftline::{Group, catch_cancel, finally, group, spawn, uncancellable, yield_now};

type Outcome = Result<(), u32>;
type Branch = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// How many trees run at once.
const BESIDE: usize = 50;

fn trees() -> usize {
    let chosen = std::env::var("WEFTLINE_IT_GROUPS").map(|n| n.parse().expect("a number of trees"));
    chosen.unwrap_or(if cfg!(debug_assertions) { 3_000 } else { 100_000 })
}

/// A small generator, so that a failure comes again with its seed.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn fork(&mut self) -> Self {
        Self(self.roll(u64::MAX - 1) + 1)
    }
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
fn branch(mut dice: Dice, depth: u64, counts: Arc<Counts>) -> Branch {
    Box::pin(async move {
        for _ in 0..dice.roll(3) {
            yield_now().await;
        }
        let kind = if depth == 0 { dice.roll(5) } else { dice.roll(9) };
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
            4 => match catch_cancel(sleep(Duration::from_micros(50 * dice.roll(4)))).await {
                Ok(()) => Ok(()),
                Err(cancelled) if dice.roll(2) == 0 => cancelled.resume().await,
                Err(_) => Err(2),
            },
            5 => {
                counts.begun.fetch_add(1, Ordering::Relaxed);
                let (inner, count) = (branch(dice.fork(), depth - 1, counts.clone()), counts);
                let steps = dice.roll(3);
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
            6 => {
                let limit = Duration::from_micros(100 * dice.roll(5));
                timeout(limit, branch(dice, depth - 1, counts)).await.unwrap_or(Ok(()))
            }
            _ => nested(dice, depth - 1, counts).await,
        }
    })
}

/// A group with some branches.
async fn nested(mut dice: Dice, depth: u64, counts: Arc<Counts>) -> Outcome {
    let result = group(|g: Group<u32>| async move {
        let mut children = Vec::new();
        for _ in 0..dice.roll(4) {
            children.push(g.spawn(branch(dice.fork(), depth, counts.clone())));
        }
        match dice.roll(6) {
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
        let mut dice = Dice(0x5eed);
        let mut done = 0;
        while done < trees() {
            runtime.block_on(async {
                let running: Vec<_> =
                    (0..BESIDE).map(|_| spawn(nested(dice.fork(), 4, counts.clone()))).collect();
                for tree in running {
                    for _ in 0..dice.roll(20) {
                        yield_now().await;
                    }
                    // Each is cancelled in the end, since parts of it wait for ever.
                    for _ in 0..=dice.roll(2) {
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
