//! Ending a task early: by hand, with its handle, or when its time is up.
//!
//! `task.cancel()` is [`JoinHandle::cancel`](weftline::JoinHandle::cancel). Where asyncio throws a
//! `CancelledError` into the coroutine, here the future is dropped at the `.await` where it waits:
//! what it owns is dropped with it, so that `Drop` is the `finally` of code that need not await.
//! Clean-up that awaits is [`weftline::finally`]; `except CancelledError` is
//! [`weftline::catch_cancel`]. Awaiting the handle afterwards waits until the task is really gone, and
//! gives a `JoinError` that says so.
//!
//! `asyncio.timeout(1)` and `asyncio.wait_for(f, 1)` are [`timeout`].
//!
//! ```text
//! cargo run --bin cancel
//! ```

use std::future::pending;
use std::time::Duration;
use weftline::time::{sleep, timeout};

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

fn main() {
    weftline::run(async {
        let reader = weftline::spawn(read_by(Lamp { owner: "by hand" }));
        reader.cancel();
        let error = reader.await.unwrap_err();
        println!("by hand: cancelled is {}", error.is_cancelled());

        // A task that has ended has ended: cancelling it changes nothing.
        let mut quick = weftline::spawn(async { 42 });
        while !quick.is_finished() {
            weftline::yield_now().await;
        }
        quick.cancel();
        println!("too late: the value is still {}", (&mut quick).await.unwrap());

        // A future that is not a task is asked to end, too, when its time is up; this one has nothing
        // to say to that, and is dropped …
        let lamp = Lamp { owner: "time limit" };
        let error = timeout(Duration::from_millis(20), read_by(lamp)).await.unwrap_err();
        println!("time limit: {error}");

        // … and so is a task that it awaits. Where a handle is just dropped, its task goes on, unless
        // it is told otherwise, as here.
        let lamp = Lamp { owner: "dropped handle" };
        let reader = weftline::spawn(read_by(lamp)).cancel_on_drop();
        let task = reader.task();
        let is_late = timeout(Duration::from_millis(20), reader).await.is_err();
        while !task.is_finished() {
            sleep(Duration::from_millis(1)).await;
        }
        println!("dropped handle: late is {is_late}");

        // At the end of `run` whatever is left is cancelled and awaited, as by `asyncio.run`.
        drop(weftline::spawn(read_by(Lamp { owner: "left behind" })));
        println!("main is done");
    });
    println!("everything is gone");
}
