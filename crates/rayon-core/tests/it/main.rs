//! What rayon promises on Weftline beside what its own tests ask: `cargo run -p rayon-suites` runs those.

mod broadcasts;
mod environment;
mod inside;
mod pools;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Far longer than anything here takes, also on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// Runs a body that might not end, and fails instead.
#[track_caller]
fn ends(body: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel();
    let running = thread::spawn(move || {
        body();
        // Nobody waits for it any more, if it took too long.
        let _ = done.send(());
    });
    if end.recv_timeout(LONG) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("it did not end in {LONG:?}");
    }
    running.join().expect("the body passes");
}
