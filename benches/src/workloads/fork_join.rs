//! 12, `fork_join`: what does one `join` cost?
//!
//! `fib(32)` by double recursion without a cut-off: seven million joins around an addition, so that
//! the figure is the price of `join` and nothing else.
//!
//! Fair, because the recursion is one function, generic over the peer, and each peer's `join` gets
//! the same closures. chili's figure counts the calling thread as one of its workers, as its own
//! thread count does. The async runtimes have no fork-join. The floor is the recursion without
//! `join`, on one thread.

use std::{hint::black_box, time::Instant};

use super::ns_per;
use crate::{
    peers::ForkPeer,
    suite::{Case, ForkWork, Metric, Setup, Workload},
};

/// Which Fibonacci number is computed.
const N: u32 = 32;

/// The work.
#[derive(Clone, Copy)]
struct Fib;

/// The workload with its case.
pub fn workload() -> Workload {
    let case = Case::new("fork_join/fib", Metric::only("ns/join")).fork_peers(Fib).floor(floor);
    Workload::new(12, "fork_join", vec![case])
}

/// The number whose cost is the scale times the cost of `N`.
fn scaled(setup: &Setup) -> u32 {
    let golden_ratio = f64::midpoint(1.0, 5f64.sqrt());
    N.saturating_add_signed(setup.scale.log(golden_ratio).round() as i32).max(2)
}

/// By joins.
fn fib<P: ForkPeer>(worker: &mut P::Worker<'_>, n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) =
        P::join(worker, |worker| fib::<P>(worker, n - 1), |worker| fib::<P>(worker, n - 2));
    a + b
}

/// By calls.
fn serial(n: u32) -> u64 {
    if n < 2 { u64::from(n) } else { serial(n - 1) + serial(n - 2) }
}

/// By counting up.
fn expected(n: u32) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

/// How many joins the recursion makes.
fn joins(n: u32) -> usize {
    expected(n + 1) as usize - 1
}

impl ForkWork for Fib {
    fn measure<P: ForkPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let n = scaled(setup);
        let start = Instant::now();
        let number = peer.enter(|worker| fib::<P>(worker, black_box(n)));
        let elapsed = start.elapsed();
        assert_eq!(number, expected(n));
        vec![ns_per(elapsed, joins(n))]
    }
}

/// The recursion on one thread.
fn floor(setup: &Setup) -> Vec<f64> {
    let n = scaled(setup);
    let start = Instant::now();
    let number = serial(black_box(n));
    let elapsed = start.elapsed();
    assert_eq!(number, expected(n));
    vec![ns_per(elapsed, joins(n))]
}
