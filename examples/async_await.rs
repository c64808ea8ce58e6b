//! What `async` and `await` do, and what they do not do: one order, prepared in three ways.
//!
//! As in asyncio, calling an `async fn` runs nothing; `.await` does, and waits until it is done.
//! `asyncio.create_task(f())` is [`weftline::spawn`]`(f())`: the task runs from then on, whether or
//! not somebody waits. Unlike in asyncio, tasks run on all processors at once, and so a task must
//! own what it uses, or share it by an `Arc`.
//!
//! ```text
//! cargo run --bin async_await
//! ```

use std::time::{Duration, Instant};
use weftline::time::sleep;

const BAKING: Duration = Duration::from_millis(300);

/// Takes some time and then has a value, as a question to a database would.
async fn bake(what: &str) -> String {
    sleep(BAKING).await;
    format!("a warm {what}")
}

/// Awaits two futures: first the one, then the other.
async fn one_after_the_other() -> String {
    let bread = bake("bread").await;
    let cake = bake("cake").await;
    format!("{bread} and {cake}")
}

/// Makes a task of each future: both go on while this function waits.
async fn side_by_side() -> String {
    let bread = weftline::spawn(bake("bread"));
    let cake = weftline::spawn(bake("cake"));
    // A task may end without a value, if it panics or is cancelled; see `errors.rs`.
    format!("{} and {}", bread.await.unwrap(), cake.await.unwrap())
}

fn main() {
    weftline::run(async {
        // Nothing is baked here: a future that is never awaited never begins.
        drop(bake("pie"));

        let began = Instant::now();
        println!("{}", one_after_the_other().await);
        assert!(began.elapsed() >= 2 * BAKING, "one waited for the other");

        println!("{}", side_by_side().await);
    });
}
