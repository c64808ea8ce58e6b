//! What becomes of calls whose caller has gone.
//!
//! The only thread for blocking jobs is held, where a call is to be left before it is made.

use super::{file_with, leave, try_once};
use crate::rig::{Held, Random, Reports, eventually, holder, within_limit};
use std::future::Future;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;
use weftline::fs::{self, File, OpenOptions};
use weftline::task::UnhandledKind;
use weftline::time::timeout;
use weftline::{JoinHandle, Runtime, spawn, spawn_blocking};

/// Holds the only thread that makes calls.
pub(super) fn hold() -> (JoinHandle<()>, Held) {
    let (hold, held) = holder();
    let holding = spawn_blocking(hold);
    held.wait();
    (holding, held)
}

/// Leaves a call after it was sent and before it is made.
pub(super) async fn leave_early<T>(future: impl Future<Output = T>) {
    let (_holding, held) = hold();
    leave(future).await;
    held.release();
}

/// Runs a body where there is one thread for blocking jobs; gives what was reported.
pub(super) fn with_one_thread<F>(body: F) -> Reports
where
    F: Future<Output = ()> + Send + 'static,
{
    within_limit(|| {
        let builder = Runtime::builder().workers(1).max_blocking_threads(1);
        let (builder, reports) = Reports::collect(builder);
        let runtime = builder.build().unwrap();
        runtime.block_on(body);
        drop(runtime);
        reports
    })
}

pub(super) async fn opened(path: &std::path::Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).await.unwrap()
}

#[test]
fn a_cancelled_write_is_made_before_what_comes_later() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"").await;
        let mut file = opened(&path).await;
        let (_holding, held) = hold();
        leave(file.write(b"one ")).await;
        leave(file.write(b"two ")).await;
        leave(file.write(b"two ")).await;
        held.release();
        file.write_all(b"three").await.unwrap();
        // The second was never begun: who is asked for the next write waits for the first.
        assert_eq!(std::fs::read(&path).unwrap(), b"one three");
    });
}

#[test]
fn a_cancelled_write_that_is_tried_again_is_made_once() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"").await;
        let mut file = opened(&path).await;
        leave_early(file.write_all(b"once")).await;
        file.write_all(b"once").await.unwrap();
        file.write_all(b"once").await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"onceonce");
    });
}

#[test]
fn the_same_bytes_at_another_place_are_another_write() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"").await;
        let mut file = opened(&path).await;
        leave_early(file.write(b"ab")).await;
        assert_eq!(file.seek(SeekFrom::Start(4)).await.unwrap(), 4);
        file.write_all(b"ab").await.unwrap();
        leave_early(file.write(b"cd")).await;
        assert_eq!(file.read(&mut [0; 1]).await.unwrap(), 0);
        file.write_all(b"cd").await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"ab\0\0abcdcd");
    });
}

#[test]
fn a_cancelled_write_is_made_although_the_file_is_dropped() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"").await;
        let mut file = opened(&path).await;
        let (_holding, held) = hold();
        leave(file.write(b"hello")).await;
        drop(file);
        held.release();
        // There is one thread, and calls are made in turn.
        fs::metadata(&path).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    });
}

#[test]
fn the_error_of_a_cancelled_write_is_told_by_the_next_call_or_reported() {
    let reports = with_one_thread(async {
        let (_dir, path) = file_with(b"").await;
        let mut file = File::open(&path).await.unwrap();
        leave_early(file.write(b"x")).await;
        assert!(file.flush().await.is_err());
        assert!(file.flush().await.is_ok());
        leave_early(file.write(b"x")).await;
        // A read in between does not lose it.
        assert_eq!(file.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(file.write(b"").await.is_err());
        leave_early(file.write(b"x")).await;
        assert!(file.sync_all().await.is_err());
        leave_early(file.write(b"x")).await;
        drop(file);
        let mut file = File::open(&path).await.unwrap();
        leave_early(file.write(b"x")).await;
        // By then the error is there, for nobody.
        assert_eq!(file.read(&mut [0; 1]).await.unwrap(), 0);
    });
    eventually("the writes whose files were dropped are reported", || reports.all().len() == 2);
    assert!(reports.all().iter().all(|report| report.kind == UnhandledKind::TaskFailed));
}

#[test]
fn a_cancelled_read_loses_no_bytes() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"0123456789").await;
        let mut file = opened(&path).await;
        leave_early(file.read(&mut [0; 6])).await;
        let mut buf = [0; 4];
        assert_eq!(file.read(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf, b"0123");
        // What is written goes where the reader is, not where the file was read to.
        file.write_all(b"xy").await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"0123xy6789");
        leave_early(file.read(&mut [0; 3])).await;
        assert_eq!(file.seek(SeekFrom::Current(1)).await.unwrap(), 7);
        leave_early(file.read(&mut [0; 3])).await;
        let mut rest = Vec::new();
        file.into_std().await.unwrap().read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"789");
    });
}

#[cfg(unix)]
#[test]
fn what_cannot_be_moved_back_remains_to_be_read() {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    with_one_thread(async {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut file = File::from_std(OwnedFd::from(ours).into());
        theirs.write_all(b"hello").unwrap();
        leave_early(file.read(&mut [0; 16])).await;
        file.write_all(b"hi").await.unwrap();
        let mut buf = [0; 16];
        let count = file.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..count], b"hello");
        let count = theirs.read(&mut buf).unwrap();
        assert_eq!(&buf[..count], b"hi");
    });
}

/// A socket as a file, the first read of which fails, and the next one in another way.
#[cfg(unix)]
pub(super) fn fails_once() -> File {
    use std::net::UdpSocket;
    use std::os::fd::OwnedFd;

    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(gone).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    // Nobody is there, which the next call on the socket says, and only that one.
    socket.send(b"x").unwrap();
    File::from_std(OwnedFd::from(socket).into())
}

#[cfg(unix)]
#[test]
fn the_error_of_a_cancelled_read_is_told_by_the_next_read() {
    with_one_thread(async {
        let mut file = fails_once();
        leave_early(file.read(&mut [0; 4])).await;
        let error = file.read(&mut [0; 4]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        let error = file.read(&mut [0; 4]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    });
}

#[test]
fn an_end_that_a_cancelled_read_has_seen_is_looked_for_again() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"").await;
        let mut file = opened(&path).await;
        leave_early(file.read(&mut [0; 4])).await;
        fs::metadata(&path).await.unwrap();
        std::fs::write(&path, "more").unwrap();
        let mut buf = [0; 8];
        assert_eq!(file.read(&mut buf).await.unwrap(), 4);
    });
}

#[test]
fn whoever_waits_for_a_file_can_be_cancelled_at_once() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"hello").await;
        let mut file = opened(&path).await;
        let (_holding, held) = hold();
        let limit = Duration::from_millis(1);
        assert!(timeout(limit, file.read(&mut [0; 4])).await.is_err());
        assert!(timeout(limit, fs::read(&path)).await.is_err());
        let reading = spawn(async move { file.read_to_end(&mut Vec::new()).await });
        crate::rig::until_waiting(&reading).await;
        reading.cancel();
        assert!(reading.await.unwrap_err().is_cancelled());
        held.release();
    });
}

#[test]
fn a_cancelled_function_that_has_not_begun_does_nothing() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"old").await;
        leave_early(fs::write(&path, "new")).await;
        assert_eq!(fs::read(&path).await.unwrap(), b"old");
    });
}

/// Does the same to a file and to one of std's; the former is left in the middle now and then.
async fn same_as_std(seed: u64) {
    let (dir, path) = file_with(&[b'.'; 500]).await;
    let other = dir.path().join("other");
    std::fs::copy(&path, &other).unwrap();
    let mut file = opened(&path).await;
    let mut std = std::fs::OpenOptions::new().read(true).write(true).open(&other).unwrap();
    let mut random = Random::new(seed);
    for round in 0..60_u8 {
        let count = random.below(40) as usize;
        match random.below(6) {
            0 => {
                let to = SeekFrom::Start(random.below(600));
                assert_eq!(file.seek(to).await.unwrap(), std.seek(to).unwrap());
            }
            1 => {
                let to = SeekFrom::Current(random.below(60) as i64 - 30);
                assert_eq!(file.seek(to).await.ok(), std.seek(to).ok());
            }
            2 => {
                // No two writes are alike, so none takes the place of another.
                let data = vec![round + 1; count + 1];
                if random.below(2) == 0 {
                    // It begins only where nothing is under way.
                    file.flush().await.unwrap();
                    try_once(file.write_all(&data)).await;
                } else {
                    file.write_all(&data).await.unwrap();
                }
                std.write_all(&data).unwrap();
            }
            3 => drop(try_once(file.read(&mut [])).await),
            4 => {
                if let Some(read) = try_once(file.read(&mut vec![0; count])).await {
                    std.seek(SeekFrom::Current(read.unwrap() as i64)).unwrap();
                }
            }
            _ => {
                let (mut ours, mut theirs) = (vec![0; count], vec![0; count]);
                let read = file.read(&mut ours).await.unwrap();
                std.read_exact(&mut theirs[..read]).unwrap();
                assert_eq!(ours, theirs, "seed {seed}, round {round}");
            }
        }
    }
    file.flush().await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&other).unwrap(), "seed {seed}");
}

#[test]
fn whatever_is_cancelled_a_file_is_as_one_of_std() {
    within_limit(|| {
        crate::rig::runtime().block_on(async {
            for seed in 0..200 {
                same_as_std(seed).await;
            }
        });
    });
}
