//! Driving a runtime by hand: building it, using it from several places, and shutting it down.
//!
//! asyncio has `Runner` and the event loop for this. Here [`Runtime`] owns the threads, and a
//! [`Handle`] is a reference to it that may be cloned and sent to any thread:
//!
//! | asyncio | here |
//! |---|---|
//! | `asyncio.Runner()` | [`Runtime::builder`] |
//! | `runner.run(f())`, `loop.run_until_complete(f())` | [`Runtime::block_on`] |
//! | `asyncio.run_coroutine_threadsafe(f(), loop)` | [`Handle::spawn`] |
//! | `future.result()` on that thread | `JoinHandle::wait` |
//! | `asyncio.to_thread(f)` | [`Handle::spawn_blocking`] |
//! | `asyncio.all_tasks(loop)` | [`Handle::tasks`] |
//! | `runner.close()` | [`Runtime::shutdown`] |
//!
//! ```text
//! cargo run --bin by_hand
//! ```

use std::error::Error;
use std::future::pending;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use weftline::runtime::Grace;
use weftline::{Handle, Runtime, task};

/// Without a runtime around it, a thread can still give one work and wait for the result.
fn from_another_thread(handle: Handle) -> u32 {
    let task = handle.spawn(async { 6 * 7 });
    task.wait().unwrap()
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().workers(2).thread_name("by-hand").build()?;
    println!("workers: {}", runtime.handle().workers());

    // The future runs on this thread, so it may borrow what is here. It may be called again.
    let words = [String::from("in"), String::from("out")];
    let sentence = runtime.block_on(async { words.join(" and ") });
    println!("borrowed: {sentence}");

    let handle = runtime.handle().clone();
    let answer = thread::spawn(move || from_another_thread(handle)).join().unwrap();
    println!("from another thread: {answer}");

    // Code that would keep a worker from anything else goes to a thread of its own.
    let blocking = runtime.handle().spawn_blocking(|| {
        thread::sleep(Duration::from_millis(10));
        thread::current().name().is_some_and(|name| name.starts_with("by-hand"))
    });
    println!("a thread for blocking code has our name: {}", blocking.wait()?);

    // Dropping the handle of a task leaves the task running: the runtime owns it.
    let guard = runtime.handle().enter();
    drop(task::Builder::new().name("waits for ever").spawn(pending::<()>()));
    // This one cannot be cancelled: it is inside of a call that waits.
    let (stop, stopped) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    drop(task::Builder::new().name("stubborn").spawn_blocking(move || {
        began.send(()).unwrap();
        stopped.recv()
    }));
    drop(guard);
    begun.recv()?;
    println!("tasks: {}", runtime.handle().tasks().len());

    // All tasks are cancelled and have this long to end; what does not is told by name.
    let report = runtime.shutdown(Grace::For(Duration::from_millis(100)));
    println!("all ended: {}", report.is_clean());
    for survivor in report.survivors() {
        println!("still there: {}", survivor.name().unwrap_or("a task without a name"));
    }
    drop(stop);
    Ok(())
}
