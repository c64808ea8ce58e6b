//! What `rayon_on_weftline` measures: loops of unmodified rayon. It is built twice, with rayon's own
//! scheduler and with Weftline's, from the manifests beside this folder.
//!
//! `rayon-program WORK SCALE` does the work once to warm up, does it again, and prints how many
//! nanoseconds that took. `RAYON_NUM_THREADS` says on how many threads.

use rayon::prelude::*;
use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Bodies of one step.
const BODIES: f64 = 4_000.0;
/// Rows and columns of the matrices.
const SIDE: f64 = 768.0;
/// Numbers to sort.
const NUMBERS: f64 = 10_000_000.0;
/// Numbers to map and reduce.
const ITEMS: f64 = 10_000_000.0;
/// Which Fibonacci number is computed.
const FIB: f64 = 30.0;

fn main() {
    let mut arguments = env::args().skip(1);
    let work = arguments.next().expect("the first argument is the work");
    let scale = arguments.next().expect("the second is the scale").parse().expect("a number");
    let measure: fn(f64) -> Duration = match work.as_str() {
        "n_body" => n_body,
        "matrix" => matrix,
        "sort" => sort,
        "map_reduce" => map_reduce,
        "fib" => fib,
        other => panic!("no work {other:?}; there are n_body, matrix, sort, map_reduce and fib"),
    };
    measure(scale);
    println!("{}", measure(scale).as_nanos());
}

/// Numbers in no order, the same each time.
fn numbers(count: usize) -> Vec<u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count).map(|_| next()).collect()
}

/// One step of bodies that attract each other, each with each.
fn n_body(scale: f64) -> Duration {
    let count = (BODIES * scale.sqrt()).max(2.0) as usize;
    let unit = |n: u64| (n >> 11) as f64 / (1_u64 << 53) as f64;
    let places: Vec<[f64; 3]> =
        numbers(3 * count).chunks_exact(3).map(|n| [unit(n[0]), unit(n[1]), unit(n[2])]).collect();
    let began = Instant::now();
    let moved: Vec<[f64; 3]> = places
        .par_iter()
        .map(|own| {
            let mut force = [0.0; 3];
            for other in &places {
                let way = [other[0] - own[0], other[1] - own[1], other[2] - own[2]];
                let square = way.iter().map(|x| x * x).sum::<f64>() + 1e-9;
                let pull = 1.0 / (square * square.sqrt());
                (0..3).for_each(|axis| force[axis] += pull * way[axis]);
            }
            [own[0] + 1e-9 * force[0], own[1] + 1e-9 * force[1], own[2] + 1e-9 * force[2]]
        })
        .collect();
    let elapsed = began.elapsed();
    assert!(moved.len() == count && moved.iter().flatten().all(|x| x.is_finite()));
    elapsed
}

/// The product of two square matrices, row by row.
fn matrix(scale: f64) -> Duration {
    let side = (SIDE * scale.cbrt()).max(2.0) as usize;
    let left: Vec<f64> = (0..side * side).map(|n| (n % 7) as f64).collect();
    // Twice the unit matrix.
    let right: Vec<f64> =
        (0..side * side).map(|n| if n / side == n % side { 2.0 } else { 0.0 }).collect();
    let mut product = vec![0.0; side * side];
    let began = Instant::now();
    product.par_chunks_mut(side).zip(left.par_chunks(side)).for_each(|(row, left)| {
        for (factor, right) in left.iter().zip(right.chunks(side)) {
            row.iter_mut().zip(right).for_each(|(sum, x)| *sum += factor * x);
        }
    });
    let elapsed = began.elapsed();
    assert!(product.iter().zip(&left).all(|(twice, once)| *twice == 2.0 * once));
    elapsed
}

/// Numbers in no order, sorted.
fn sort(scale: f64) -> Duration {
    let mut numbers = numbers((NUMBERS * scale).max(2.0) as usize);
    let began = Instant::now();
    numbers.par_sort_unstable();
    let elapsed = began.elapsed();
    assert!(numbers.is_sorted());
    elapsed
}

/// A cheap function of each number, added.
fn map_reduce(scale: f64) -> Duration {
    let numbers = numbers((ITEMS * scale).max(2.0) as usize);
    let mix = |n: u64| (n ^ (n >> 31)).wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(17) % 1009;
    let began = Instant::now();
    let sum = numbers.par_iter().map(|n| mix(*n)).reduce(|| 0, u64::wrapping_add);
    let elapsed = began.elapsed();
    assert_eq!(black_box(sum), numbers.iter().map(|n| mix(*n)).fold(0, u64::wrapping_add));
    elapsed
}

/// A Fibonacci number by double recursion: a `join` for each addition.
fn fib(scale: f64) -> Duration {
    fn by_joins(n: u32) -> u64 {
        if n < 2 {
            return u64::from(n);
        }
        let (one, other) = rayon::join(|| by_joins(n - 1), || by_joins(n - 2));
        one + other
    }
    // The next one costs by the golden ratio more.
    let n = (FIB + scale.ln() / 1.618_f64.ln()).max(2.0) as u32;
    let began = Instant::now();
    let found = by_joins(n);
    let elapsed = began.elapsed();
    let (mut last, mut next) = (0, 1);
    (0..n).for_each(|_| (last, next) = (next, last + next));
    assert_eq!(found, last);
    elapsed
}
