//! 13, `sort`: how long does it take to sort ten million numbers?
//!
//! The numbers are from a xorshift generator, 64 bits each, so that they are in no order and differ. Ours
//! are sorted by `weftline::par`, on the workers alone, inside of `compute`; rayon's by its own sorts,
//! inside of a pool.
//!
//! Fair, because every sample sorts a fresh copy of the same numbers, which is made, and touched, before
//! the clock starts; both stable sorts may use as much memory again. The async runtimes and chili have no
//! sorts. The floor is `slice::sort` or `slice::sort_unstable` of std on one thread.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use rayon::slice::ParallelSliceMut;
use weftline::{Runtime, par};

use crate::{
    peers::{Drivers, Peer, rayon::Rayon},
    record::SUBJECT,
    suite::{Case, Metric, Setup, Workload},
};

/// How many numbers.
const NUMBERS: usize = 10_000_000;

/// What sorts a slice.
type Sort = fn(&mut [u64]);

/// The workload with its cases.
pub fn workload() -> Workload {
    let stable = case("sort/stable", par::sort, ParallelSliceMut::par_sort, |slice| slice.sort());
    let unstable =
        case("sort/unstable", par::sort_unstable, ParallelSliceMut::par_sort_unstable, |slice| {
            slice.sort_unstable()
        });
    Workload::new(13, "sort", vec![stable, unstable])
}

/// The case with these ways to sort.
fn case(name: &str, ours: Sort, rayons: Sort, stds: Sort) -> Case {
    Case::new(name, Metric::only("ms"))
        .entry(SUBJECT, move |setup| {
            let runtime = Runtime::builder().workers(setup.workers).build();
            let runtime = runtime.expect("weftline starts");
            twice(setup, |numbers| {
                let sorted = runtime.handle().compute(move || timed(numbers, ours));
                sorted.wait().expect("nothing panics")
            })
        })
        .entry(Rayon::NAME, move |setup| {
            let rayon = Rayon::start(setup.workers, Drivers::Off);
            twice(setup, |numbers| rayon.install(|| timed(numbers, rayons)))
        })
        .floor(move |setup| vec![ms(timed(fresh(setup), stds))])
}

/// The second of two runs, each with numbers of its own.
fn twice(setup: &Setup, sort: impl Fn(Vec<u64>) -> Duration) -> Vec<f64> {
    sort(fresh(setup));
    vec![ms(sort(fresh(setup)))]
}

/// How long it takes, without the check.
fn timed(mut numbers: Vec<u64>, sort: Sort) -> Duration {
    let start = Instant::now();
    sort(&mut numbers);
    let elapsed = start.elapsed();
    assert!(numbers.is_sorted());
    elapsed
}

/// The numbers, as they are before.
fn fresh(setup: &Setup) -> Vec<u64> {
    static NUMBERS_MADE: OnceLock<Vec<u64>> = OnceLock::new();
    let count = setup.count(NUMBERS);
    NUMBERS_MADE.get_or_init(|| numbers().take(count).collect()).clone()
}

/// Marsaglia's xorshift64, from a fixed seed.
fn numbers() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(0x9E37_79B9_7F4A_7C15), |&x: &u64| {
        let x = x ^ x << 13;
        let x = x ^ x >> 7;
        Some(x ^ x << 17)
    })
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
