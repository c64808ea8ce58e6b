//! Many things at a time, and their results in order: ten clerks count to a million each, and nap.
//!
//! `await asyncio.gather(a(), b(), c())` starts all, waits for all and gives the results in the
//! order of the arguments. So does [`gather!`], for a few of different kinds, and [`gather()`] for
//! many of one kind; [`gather_results`] is `return_exceptions=True`. And where asyncio takes turns on
//! one thread, these are tasks, which use all processors.
//!
//! ```text
//! cargo run --bin gather
//! ```

use std::io;
use std::time::{Duration, Instant};
use weftline::time::sleep;
use weftline::{gather, gather_results};

const CLERKS: u64 = 10;
const NAP: Duration = Duration::from_millis(300);

/// The sum of all numbers that leave `rest` when divided by `CLERKS`, and a nap.
async fn count(rest: u64) -> io::Result<u64> {
    let sum = (0..1_000_000).filter(|number| number % CLERKS == rest).sum();
    sleep(NAP).await;
    Ok(sum)
}

/// Fails for every third door.
async fn open(door: u32) -> io::Result<u32> {
    if door % 3 == 0 { Err(io::Error::other(format!("door {door} is locked"))) } else { Ok(door) }
}

fn main() {
    let began = Instant::now();
    let sums = weftline::run(async { gather((0..CLERKS).map(count)).await });
    let sums = sums.expect("clerks do not fail");
    for (rest, sum) in sums.iter().enumerate() {
        println!("clerk {rest}: {sum}");
    }
    println!("all together: {}", sums.iter().sum::<u64>());
    println!("all napped at the same time: {}", began.elapsed() < NAP * 10);

    weftline::run(async {
        // Different kinds of results, as a tuple.
        let name = async { Ok::<_, io::Error>("Ann") };
        let age = async { Ok::<_, io::Error>(42) };
        println!("both: {:?}", gather!(name, age).await.expect("neither fails"));

        // The first error is the answer; the others run on by themselves.
        println!("the first error: {}", gather((1..=4).map(open)).await.unwrap_err());

        // All answers, errors in their places.
        for opened in gather_results((1..=4).map(open)).await {
            match opened.expect("no door panics") {
                Ok(door) => println!("door {door} is open"),
                Err(error) => println!("{error}"),
            }
        }
    });
}
