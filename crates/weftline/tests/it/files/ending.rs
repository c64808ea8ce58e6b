//! Files while a runtime ends.

use super::{file_with, leave};
use crate::rig::{holder, until_waiting, within_limit};
use std::future::pending;
use std::time::Duration;
use weftline::fs::{self, File};
use weftline::runtime::Grace;
use weftline::{Runtime, finally, spawn, spawn_blocking, yield_now};

const GRACE: Grace = Grace::For(Duration::from_secs(20));

fn runtime() -> Runtime {
    Runtime::builder().workers(2).max_blocking_threads(1).build().unwrap()
}

#[test]
fn what_cleans_up_may_use_files() {
    within_limit(|| {
        let runtime = runtime();
        let (_dir, path) = runtime.block_on(file_with(b""));
        let to = path.clone();
        runtime.block_on(async move {
            let saving = async move {
                let mut file = File::create(&to).await.unwrap();
                file.write_all(b"saved").await.unwrap();
                file.sync_all().await.unwrap();
                fs::rename(&to, to.with_extension("done")).await.unwrap();
            };
            let task = spawn(finally(pending::<()>(), saving));
            until_waiting(&task).await;
        });
        assert!(runtime.shutdown(GRACE).is_clean());
        assert_eq!(std::fs::read(path.with_extension("done")).unwrap(), b"saved");
    });
}

#[test]
fn a_write_that_is_under_way_is_made_before_the_runtime_has_ended() {
    within_limit(|| {
        let runtime = runtime();
        let (_dir, path) = runtime.block_on(file_with(b""));
        let (hold, held) = holder();
        runtime.block_on(async {
            let mut file = File::create(&path).await.unwrap();
            drop(spawn_blocking(hold));
            held.wait();
            leave(file.write(b"hello")).await;
        });
        let ending = std::thread::spawn(move || runtime.shutdown(GRACE).is_clean());
        held.release();
        assert!(ending.join().unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    });
}

#[test]
fn a_call_that_is_not_made_within_the_grace_fails() {
    within_limit(|| {
        let runtime = runtime();
        let (_dir, path) = runtime.block_on(file_with(b"old"));
        let (hold, held) = holder();
        let to = path.clone();
        runtime.block_on(async {
            drop(spawn_blocking(hold));
            held.wait();
            drop(spawn(async move { fs::write(to, "new").await }));
            yield_now().await;
        });
        let handle = runtime.handle().clone();
        let report = runtime.shutdown(Grace::None);
        assert!(!report.is_clean(), "the thread is held");
        held.release();
        // A runtime that has ended makes no calls.
        let _entered = handle.enter();
        let error = super::polled_once(fs::read(&path)).unwrap().unwrap_err();
        assert!(error.to_string().contains("shut down"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    });
}
