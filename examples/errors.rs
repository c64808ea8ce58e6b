//! What can go wrong in a task, and where one hears of it.
//!
//! In asyncio `await task` raises what the task raised. Here a task that ends without a value gives
//! its joiner a [`JoinError`]: it was cancelled, or it panicked. An error that the task returns is
//! part of its value, and so there are two layers of `Result`, and often two `?`.
//!
//! Of several tasks several may fail: a [`group`](weftline::group()) ends all of them when one does,
//! and gives all errors together, as asyncio's `TaskGroup` its `ExceptionGroup`.
//!
//! An exception that nobody retrieves ends up in asyncio's exception handler. Here a panic that
//! nobody can read any more goes to [`on_unhandled`](weftline::runtime::Builder::on_unhandled); by
//! default that is a line on standard error.
//!
//! ```text
//! cargo run --bin errors
//! ```

use std::error::Error;
use std::num::ParseIntError;
use std::panic;
use std::time::Duration;
use weftline::time::timeout;
use weftline::{JoinError, Runtime, catch_cancel, group, task};

/// Fails in the ordinary way.
async fn parse(text: &str) -> Result<u32, ParseIntError> {
    text.parse()
}

/// Fails in the way that is a mistake in the program.
async fn element(index: usize) -> u32 {
    [10, 20, 30][index]
}

/// Both layers of errors leave through `?`: of the task, and of what it returned.
async fn twice(text: &'static str) -> Result<u32, Box<dyn Error + Send + Sync>> {
    let number = weftline::spawn(parse(text)).await??;
    Ok(2 * number)
}

/// What became of a task.
fn tell(joined: Result<u32, JoinError>) {
    match joined {
        Ok(value) => println!("value: {value}"),
        Err(error) if error.is_cancelled() => println!("cancelled"),
        Err(error) => println!("panicked: {}", error.panic_message().unwrap_or("without a text")),
    }
}

async fn run() {
    match twice("21").await {
        Ok(number) => println!("twice: {number}"),
        Err(error) => println!("twice: {error}"),
    }
    match twice("many").await {
        Ok(number) => println!("twice: {number}"),
        Err(error) => println!("twice: {error}"),
    }

    // A panic ends its task alone: not the worker, not the program.
    tell(weftline::spawn(element(1)).await);
    tell(weftline::spawn(element(3)).await);
    let waiting = weftline::spawn(std::future::pending());
    waiting.cancel();
    tell(waiting.await);

    // Too late is an error of its own, beside the future's.
    match timeout(Duration::from_millis(10), std::future::pending::<u32>()).await {
        Ok(number) => println!("in time: {number}"),
        Err(error) => println!("too late: {error}"),
    }

    // The first failure asks the others to end, and they may fail as well.
    let failed = group(|g| async move {
        // Eager: it waits already when the other one fails. One that has not begun would never.
        g.spawn_with(task::Builder::new().eager(true), async {
            match catch_cancel(std::future::pending::<()>()).await {
                Ok(()) => Ok(()),
                Err(_) => Err("no time to finish".to_owned()),
            }
        });
        g.spawn(async { twice("too many").await.map(drop).map_err(|error| error.to_string()) });
        Ok(())
    });
    println!("group: {}", failed.await.unwrap_err());

    // Whoever would rather fail as well raises the panic again.
    let error = weftline::spawn(element(4)).await.unwrap_err();
    let outer = weftline::spawn(async move {
        if let Ok(payload) = error.into_panic() {
            panic::resume_unwind(payload);
        }
        0
    });
    tell(outer.await);

    // Nobody is left to read this one: the hook below is told.
    let unread = weftline::spawn(element(5));
    while !unread.is_finished() {
        weftline::yield_now().await;
    }
    drop(unread);
}

fn main() -> Result<(), Box<dyn Error>> {
    // Without this each panic is also told on standard error, as everywhere in Rust.
    panic::set_hook(Box::new(|_| {}));
    let runtime = Runtime::builder()
        .on_unhandled(|unhandled| println!("nobody read: {}", unhandled.message()))
        .build()?;
    runtime.block_on(run());
    Ok(())
}
