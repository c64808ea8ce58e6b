//! The smallest program: say something, let some time pass, say something more.
//!
//! | asyncio | here |
//! |---|---|
//! | `asyncio.run(main())` | `#[weftline::main]`, or [`weftline::run`]`(main())` |
//! | `await asyncio.sleep(0.1)` | [`sleep`]`(Duration::from_millis(100)).await` |
//!
//! ```text
//! cargo run --bin hello
//! ```

use std::time::Duration;
use weftline::time::sleep;

#[weftline::main]
async fn main() {
    println!("Hello,");
    // Only this function waits; the thread is free, and other tasks would run on it meanwhile.
    sleep(Duration::from_millis(100)).await;
    println!("world!");
}
