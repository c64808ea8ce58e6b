//! Ending a task early, and cleaning up: by hand, or when its time is up.
//!
//! `task.cancel()` is [`JoinHandle::cancel`](weftline::JoinHandle::cancel): a request, as in asyncio.
//! Where asyncio throws a `CancelledError` into the coroutine, here the future that waits is dropped,
//! and the code around it is asked. `try … except CancelledError` is [`catch_cancel`], `try …
//! finally` with awaits in it is [`finally`], `raise` is [`Cancelled::resume`], and `shield` keeps its
//! name. Where nothing of this is around, `Drop` is the `finally`.
//!
//! `asyncio.timeout(1)` and `asyncio.wait_for(f, 1)` are [`timeout`]: a time that is up asks the
//! limited future in the same way.
//!
//! ```text
//! cargo run --bin cancel
//! ```

use std::future::pending;
use std::time::Duration;
use weftline::task::{self, Status};
use weftline::time::{sleep, timeout};
use weftline::{Cancelled, JoinHandle, catch_cancel, finally, shield};

/// Something that must be put back, whatever happens.
struct Lamp {
    /// Whose it is.
    owner: &'static str,
}

impl Drop for Lamp {
    fn drop(&mut self) {
        println!("{}: the lamp is off", self.owner);
    }
}

async fn read_by(lamp: Lamp) -> u32 {
    // Holds the lamp while it waits for something that never comes.
    pending::<()>().await;
    println!("{}: never said", lamp.owner);
    1
}

/// Puts the book back, which takes a moment: clean-up may await.
async fn put_back() {
    sleep(Duration::from_millis(1)).await;
    println!("the book is back");
}

/// Ends when it is asked, but not without a word.
async fn polite() -> u32 {
    match catch_cancel(read_by(Lamp { owner: "polite" })).await {
        Ok(pages) => pages,
        Err(cancelled) => {
            println!("polite: {cancelled}");
            cancelled.resume().await
        }
    }
}

/// Takes the request back and goes on.
async fn stubborn() -> Result<u32, Cancelled> {
    if catch_cancel(pending::<()>()).await.is_err() {
        task::current().expect("this is a task").uncancel();
    }
    sleep(Duration::from_millis(1)).await;
    Ok(7)
}

/// Waits until a task waits, so that it has begun.
async fn begun<T>(task: &JoinHandle<T>) {
    while task.task().status() != Status::Waiting {
        weftline::yield_now().await;
    }
}

fn main() {
    weftline::run(async {
        let reader = weftline::spawn(finally(read_by(Lamp { owner: "by hand" }), put_back()));
        begun(&reader).await;
        reader.cancel();
        // Awaiting waits until the task is really gone, its clean-up included.
        println!("by hand: cancelled is {}", reader.await.unwrap_err().is_cancelled());

        let reader = weftline::spawn(polite());
        begun(&reader).await;
        reader.cancel_with("closing time");
        println!("polite: {:?}", reader.await.unwrap_err().cancel_reason());

        let reader = weftline::spawn(stubborn());
        begun(&reader).await;
        reader.cancel();
        println!("stubborn: {:?}", reader.await.unwrap());

        // A time limit asks what it limits, too, and waits for its clean-up.
        let reading = finally(read_by(Lamp { owner: "time limit" }), put_back());
        let error = timeout(Duration::from_millis(20), reading).await.unwrap_err();
        println!("time limit: {error}");

        // A task that somebody awaits is asked as well, unless it is shielded.
        let mut writer = weftline::spawn(async {
            sleep(Duration::from_millis(60)).await;
            "written to the end"
        });
        let is_late = timeout(Duration::from_millis(20), shield(&mut writer)).await.is_err();
        println!("shield: late is {is_late}, {}", writer.await.unwrap());

        // At the end of `run` whatever is left is cancelled and awaited, as by `asyncio.run`.
        let left = weftline::spawn(read_by(Lamp { owner: "left behind" }));
        begun(&left).await;
        println!("main is done");
    });
    println!("everything is gone");
}
