//! Many things at a time, and their results in order: ten clerks count to a million each, and nap.
//!
//! `await asyncio.gather(a(), b(), c())` starts all, waits for all and gives the results in the
//! order of the arguments. Here that is a task for each, and then awaiting their handles in order:
//! they all run meanwhile, so the order of waiting does not matter. And where asyncio takes turns
//! on one thread, these tasks use all processors.
//!
//! ```text
//! cargo run --bin gather
//! ```

use std::time::{Duration, Instant};
use weftline::JoinHandle;
use weftline::time::sleep;

const CLERKS: u64 = 10;
const NAP: Duration = Duration::from_millis(300);

/// The sum of all numbers that leave `rest` when divided by `CLERKS`, and a nap.
async fn count(rest: u64) -> u64 {
    let sum = (0..1_000_000).filter(|number| number % CLERKS == rest).sum();
    sleep(NAP).await;
    sum
}

fn main() {
    let began = Instant::now();
    let sums = weftline::run(async {
        let clerks: Vec<JoinHandle<u64>> =
            (0..CLERKS).map(|rest| weftline::spawn(count(rest))).collect();
        let mut sums = Vec::new();
        for clerk in clerks {
            // The task's result, or the news that it panicked; see `errors.rs`.
            sums.push(clerk.await.unwrap());
        }
        sums
    });

    for (rest, sum) in sums.iter().enumerate() {
        println!("clerk {rest}: {sum}");
    }
    println!("all together: {}", sums.iter().sum::<u64>());
    println!("all napped at the same time: {}", began.elapsed() < NAP * 10);
}
