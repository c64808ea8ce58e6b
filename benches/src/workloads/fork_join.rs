//! 12, `fork_join`: what does one `join` cost?
//!
//! - `fib`: `fib(32)` by double recursion without a cut-off: seven million joins around an addition, so
//!   that the figure is the price of `join` and nothing else.
//! - `tree`: the sum of a binary tree's values by a join in each node, for trees that fit into the
//!   nearest cache, into none, and into memory only. Its nodes are allocated level by level, as the
//!   recursion does not meet them, so that no peer gains from the order.
//! - `fold`: 16 numbers, mixed and added by joins down to single ones, again and again: work that is far
//!   too small to be split, and costs what it costs beside that.
//!
//! Fair, because the recursion is one function, generic over the peer, and each peer's `join` gets
//! the same closures. chili's figure counts the calling thread as one of its workers, as its own
//! thread count does. The async runtimes have no fork-join. The floor is the recursion without
//! `join`, on one thread.

use std::{
    collections::{BTreeMap, VecDeque},
    hint::black_box,
    sync::Mutex,
    time::Instant,
};

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

/// The workload with its cases.
pub fn workload() -> Workload {
    let mut cases =
        vec![Case::new("fork_join/fib", Metric::only("ns/join")).fork_peers(Fib).floor(floor)];
    for (name, levels) in [("1K", 10), ("1M", 20), ("16M", 24)] {
        let sum = TreeSum { levels };
        let case = Case::new(format!("fork_join/tree_{name}"), Metric::only("ns/node"));
        cases.push(case.fork_peers(sum).floor(move |_| sum.on_one_thread()));
    }
    let case = Case::new("fork_join/fold_16", Metric::only("ns/fold"));
    cases.push(case.fork_peers(Fold).floor(Fold::on_one_thread));
    Workload::new(12, "fork_join", cases)
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
        let number = peer.enter(move |worker| fib::<P>(worker, black_box(n)));
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

/// A node of a binary tree.
struct Node {
    value: u64,
    children: Option<[Box<Node>; 2]>,
}

/// The sum of a full tree.
#[derive(Clone, Copy)]
struct TreeSum {
    /// How deep it is.
    levels: u32,
}

/// Nodes that are visited at least in one sample.
const NODES_PER_SAMPLE: usize = 1 << 22;

impl TreeSum {
    /// The tree, which is built once for all samples.
    fn tree(self) -> &'static Node {
        static TREES: Mutex<BTreeMap<u32, &Node>> = Mutex::new(BTreeMap::new());
        let mut trees = TREES.lock().expect("no sample panics");
        trees.entry(self.levels).or_insert_with(|| Box::leak(Node::full_tree(self.levels)))
    }

    fn nodes(self) -> usize {
        (1 << self.levels) - 1
    }

    fn rounds(self) -> usize {
        NODES_PER_SAMPLE.div_ceil(self.nodes())
    }

    /// Sums it up so often that a sample is long enough.
    fn timed(self, tree: &'static Node, mut sum: impl FnMut(&'static Node) -> u64) -> Vec<f64> {
        let start = Instant::now();
        for _ in 0..self.rounds() {
            let sum = sum(black_box(tree));
            assert_eq!(sum, (self.nodes() * (self.nodes() + 1) / 2) as u64);
        }
        vec![ns_per(start.elapsed(), self.rounds() * self.nodes())]
    }

    fn on_one_thread(self) -> Vec<f64> {
        self.timed(self.tree(), serial_sum)
    }
}

impl Node {
    /// A full tree whose nodes count from one.
    fn full_tree(levels: u32) -> Box<Self> {
        // Allocated from the root down; put together from the leaves up.
        let empty = |value| Box::new(Node { value, children: None });
        let mut nodes: VecDeque<_> = (1..1 << levels).map(empty).collect();
        let mut row: VecDeque<_> = nodes.split_off(nodes.len() / 2);
        while let Some(mut parent) = nodes.pop_back() {
            let [right, left] = [row.pop_back(), row.pop_back()].map(Option::unwrap);
            parent.children = Some([left, right]);
            row.push_front(parent);
        }
        row.pop_front().expect("a tree has a root")
    }
}

fn serial_sum(node: &Node) -> u64 {
    match &node.children {
        None => node.value,
        Some([left, right]) => node.value + serial_sum(left) + serial_sum(right),
    }
}

fn joined_sum<P: ForkPeer>(worker: &mut P::Worker<'_>, node: &Node) -> u64 {
    match &node.children {
        None => node.value,
        Some([left, right]) => {
            let (left, right) = P::join(
                worker,
                |worker| joined_sum::<P>(worker, left),
                |worker| joined_sum::<P>(worker, right),
            );
            node.value + left + right
        }
    }
}

impl ForkWork for TreeSum {
    fn measure<P: ForkPeer>(self, peer: &P, _setup: &Setup) -> Vec<f64> {
        let tree = self.tree();
        peer.enter(move |worker| self.timed(tree, |tree| joined_sum::<P>(worker, tree)))
    }
}

/// A fold of few elements.
#[derive(Clone, Copy)]
struct Fold;

/// How many elements.
const ELEMENTS: u64 = 16;
/// How many folds are in a sample.
const FOLDS: usize = 100_000;

/// Some work for one element.
fn mixed(element: u64) -> u64 {
    let mut x = element.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 32;
    x.wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

impl Fold {
    fn timed(setup: &Setup, mut fold: impl FnMut(&[u64]) -> u64) -> Vec<f64> {
        let elements: Vec<u64> = (0..ELEMENTS).collect();
        let expected = elements.iter().fold(0, |sum: u64, &x| sum.wrapping_add(mixed(x)));
        let folds = setup.count(FOLDS);
        let start = Instant::now();
        for _ in 0..folds {
            assert_eq!(fold(black_box(&elements)), expected);
        }
        vec![ns_per(start.elapsed(), folds)]
    }

    fn on_one_thread(setup: &Setup) -> Vec<f64> {
        Self::timed(setup, serial_fold)
    }
}

fn serial_fold(elements: &[u64]) -> u64 {
    if let [element] = elements {
        return mixed(*element);
    }
    let (left, right) = elements.split_at(elements.len() / 2);
    serial_fold(left).wrapping_add(serial_fold(right))
}

fn joined_fold<P: ForkPeer>(worker: &mut P::Worker<'_>, elements: &[u64]) -> u64 {
    if let [element] = elements {
        return mixed(*element);
    }
    let (left, right) = elements.split_at(elements.len() / 2);
    let (left, right) = P::join(
        worker,
        |worker| joined_fold::<P>(worker, left),
        |worker| joined_fold::<P>(worker, right),
    );
    left.wrapping_add(right)
}

impl ForkWork for Fold {
    fn measure<P: ForkPeer>(self, peer: &P, setup: &Setup) -> Vec<f64> {
        let setup = *setup;
        peer.enter(move |worker| Self::timed(&setup, |elements| joined_fold::<P>(worker, elements)))
    }
}
