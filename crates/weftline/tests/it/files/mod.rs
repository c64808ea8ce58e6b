//! Files: what is in them after which call, what a cancelled call leaves, and files while a runtime ends.

mod directories;
mod ending;
mod halves;
mod leaving;
mod moving;

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use weftline::fs::TempDir;
use weftline::yield_now;

/// A directory, and the path of a file in it that has these contents.
async fn file_with(contents: &[u8]) -> (TempDir, PathBuf) {
    let dir = TempDir::new().await.unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, contents).unwrap();
    (dir, path)
}

/// Polls a future once and drops it, as whoever cancels it at its first wait does. It must wait.
async fn leave<T>(future: impl Future<Output = T>) {
    assert!(try_once(future).await.is_none(), "it is ready at once");
}

/// Polls a future once and drops it, if it waits.
async fn try_once<T>(future: impl Future<Output = T>) -> Option<T> {
    // It begins with a whole time slice, and so is not sent to the back of the queue instead.
    yield_now().await;
    polled_once(future)
}

/// As [`try_once`], wherever it is called.
fn polled_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
