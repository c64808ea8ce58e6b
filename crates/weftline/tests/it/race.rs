//! Races: one wins, the others are gone before the winner is known.

use crate::probe::Probe;
use crate::rig::{Diary, panic_with, runtime, runtime_of, until_waiting};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use weftline::group::{Race, RaceError};
use weftline::time::{now, sleep, timeout};
use weftline::{catch_cancel, finally, race, spawn, staggered_race};

const SHORT: Duration = Duration::from_millis(5);

/// One that fails, hangs, or wins, as its number says.
async fn runner(kind: u8) -> Result<u8, u8> {
    match kind {
        0 => Err(0),
        1 => pending().await,
        _ => Ok(kind),
    }
}

async fn staggered(kinds: &[u8], delay: Option<Duration>) -> Race<u8, u8> {
    let starts: Vec<_> = kinds
        .iter()
        .map(|kind| {
            let kind = *kind;
            move || runner(kind)
        })
        .collect();
    staggered_race(starts, delay).await
}

// AT-SR-01
#[test]
fn the_next_one_starts_when_the_one_before_has_failed() {
    runtime().block_on(async {
        let nobody = staggered(&[], None).await;
        assert!(nobody.winner.is_none() && nobody.errors.is_empty());
        let first = staggered(&[2, 3], None).await;
        assert_eq!((first.winner, first.errors.len()), (Some((0, 2)), 1));
        let all_fail = staggered(&[0, 0], None).await;
        assert!(all_fail.winner.is_none());
        assert!(matches!(
            all_fail.errors[..],
            [Some(RaceError::Failed(0)), Some(RaceError::Failed(0))]
        ));
        let second = staggered(&[0, 2], None).await;
        assert_eq!(second.winner, Some((1, 2)));
        assert!(matches!(second.errors[..], [Some(RaceError::Failed(0)), None]));
    });
}

// AT-SR-03
#[test]
fn the_next_one_starts_after_the_delay_and_the_loser_is_cancelled() {
    runtime_of(1).block_on(async {
        let began = now();
        let race = staggered(&[1, 1, 4], Some(SHORT)).await;
        assert!(now() - began >= 2 * SHORT);
        assert_eq!(race.winner, Some((2, 4)));
        let [Some(RaceError::Cancelled(first)), Some(RaceError::Cancelled(_)), None] =
            &race.errors[..]
        else {
            panic!("{race:?}")
        };
        assert!(first.is_cancelled());
    });
}

#[test]
fn losers_have_cleaned_up_when_the_winner_is_known() {
    let diary = Diary::default();
    let inside = diary.clone();
    runtime_of(1).block_on(async {
        let runners = [false, false, true].map(|wins| {
            let diary = inside.clone();
            finally(
                async move {
                    if !wins {
                        pending::<()>().await;
                    }
                    sleep(SHORT).await;
                    Ok::<_, ()>(wins)
                },
                async move {
                    sleep(SHORT).await;
                    diary.note("cleaned up");
                },
            )
        });
        assert!(race(runners).await.unwrap());
        assert_eq!(diary.read(), ["cleaned up"; 3]);
    });
}

#[test]
fn a_race_that_all_lose_gives_all_errors() {
    runtime().block_on(async {
        let error = race([0, 0].map(runner)).await.unwrap_err();
        assert!(error.leaves().eq([&0, &0]));
        assert!(race([0; 0].map(runner)).await.unwrap_err().is_cancelled());
        assert_eq!(race([0, 1, 2].map(runner)).await.unwrap(), 2);
    });
}

#[test]
fn of_several_that_could_win_the_first_one_does() {
    runtime_of(1).block_on(async {
        let ignores = || async {
            drop(catch_cancel(pending::<()>()).await);
            Ok::<_, ()>(1)
        };
        let wins = || async {
            sleep(SHORT).await;
            Ok(2)
        };
        type Start =
            Box<dyn FnOnce() -> std::pin::Pin<Box<dyn Future<Output = Result<u8, ()>> + Send>>>;
        let starts: [Start; 2] =
            [Box::new(move || Box::pin(ignores())), Box::new(move || Box::pin(wins()))];
        let race = staggered_race(starts, Some(Duration::ZERO)).await;
        assert_eq!(race.winner, Some((1, 2)));
    });
}

#[test]
fn a_request_ends_the_race_when_all_have_ended() {
    runtime().block_on(async {
        let probe = Probe::new();
        let runners = [probe.future(runner(1)), probe.future(runner(1))];
        assert!(timeout(SHORT, race(runners)).await.is_err());
        assert_eq!(probe.drops(), 2);
        let parent = spawn(async { staggered(&[1, 1], None).await });
        until_waiting(&parent).await;
        parent.cancel_with("why");
        assert_eq!(parent.await.unwrap_err().cancel_reason(), Some("why"));
    });
}

#[test]
fn a_panic_ends_the_race_and_goes_on() {
    let probe = Probe::new();
    let inside = probe.clone();
    let raise = |kind| async move { if kind == 9 { panic_with(9_u8) } else { runner(kind).await } };
    let run = AssertUnwindSafe(|| {
        runtime().block_on(race([1, 9].map(|kind| inside.future(raise(kind)))))
    });
    assert_eq!(catch_unwind(run).unwrap_err().downcast_ref::<u8>(), Some(&9));
    assert_eq!(probe.drops(), 2);
}
