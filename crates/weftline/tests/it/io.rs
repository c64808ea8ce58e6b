//! `Async`: descriptors of any kind.

#![cfg(unix)]

use std::fs::File;
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use weftline::io::{Async, AsyncRead, AsyncWrite};
use weftline::time::timeout;

/// The two ends of a `cat` process: what is written to one is read from the other, through pipes.
fn cat() -> (Child, Async<File>, Async<File>) {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cat starts");
    let stdin = File::from(OwnedFd::from(child.stdin.take().expect("piped")));
    let stdout = File::from(OwnedFd::from(child.stdout.take().expect("piped")));
    let (stdin, stdout) = (Async::new(stdin), Async::new(stdout));
    (child, stdin.expect("a pipe can be polled"), stdout.expect("a pipe can be polled"))
}

#[test]
fn a_pipe_is_read_and_written() {
    weftline::run(async {
        let (mut child, stdin, stdout) = cat();
        let text = "x".repeat(300_000);
        let writer = weftline::spawn({
            let text = text.clone();
            async move { stdin.write_all(text.as_bytes()).await }
        });
        let mut read = Vec::new();
        assert_eq!(stdout.read_to_end(&mut read).await.expect("the end"), text.len());
        assert_eq!(read, text.as_bytes());
        writer.await.expect("not cancelled").expect("written");
        assert!(child.wait().expect("it ends").success());
    });
}

#[test]
fn the_traits_read_and_write_by_value_and_by_reference() {
    weftline::run(async {
        let (mut child, mut stdin, mut stdout) = cat();
        let mut buf = [0; 16];
        let n = poll_fn(|cx| Pin::new(&mut stdin).poll_write(cx, b"one")).await.expect("written");
        assert_eq!(n, 3);
        poll_fn(|cx| Pin::new(&mut stdin).poll_flush(cx)).await.expect("flushed");
        let n = poll_fn(|cx| Pin::new(&mut stdout).poll_read(cx, &mut buf)).await.expect("read");
        assert_eq!(&buf[..n], b"one");
        poll_fn(|cx| Pin::new(&mut &stdin).poll_write(cx, b"two")).await.expect("written");
        let n = poll_fn(|cx| Pin::new(&mut &stdout).poll_read(cx, &mut buf)).await.expect("read");
        assert_eq!(&buf[..n], b"two");
        drop(stdin);
        let n = poll_fn(|cx| Pin::new(&mut stdout).poll_read(cx, &mut buf)).await.expect("read");
        assert_eq!(n, 0);
        assert!(child.wait().expect("it ends").success());
    });
}

#[test]
fn a_cancelled_wait_leaves_the_bytes_where_they_are() {
    weftline::run(async {
        let (mut child, stdin, stdout) = cat();
        let mut buf = [0; 16];
        assert!(timeout(Duration::from_millis(5), stdout.read(&mut buf)).await.is_err());
        assert!(timeout(Duration::from_millis(5), stdout.readable()).await.is_err());
        stdin.write_all(b"hello").await.expect("written");
        assert_eq!(stdout.read(&mut buf).await.expect("read"), 5);
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
    });
}

#[test]
fn any_number_of_tasks_wait_for_one_descriptor() {
    weftline::run(async {
        let (mut child, stdin, stdout) = cat();
        let stdout = Arc::new(stdout);
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let stdout = stdout.clone();
                weftline::spawn(async move { stdout.readable().await })
            })
            .collect();
        stdin.write_all(b"x").await.expect("written");
        for task in waiting {
            task.await.expect("not cancelled").expect("readable");
        }
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
    });
}

#[test]
fn a_hint_that_was_wrong_is_taken_back() {
    weftline::run(async {
        let (mut child, stdin, stdout) = cat();
        stdin.write_all(b"x").await.expect("written");
        stdout.readable().await.expect("readable");
        let read = |mut file: &File| file.read(&mut [0; 16]);
        assert_eq!(stdout.try_read_with(read).expect("read"), 1);
        let error = stdout.try_read_with(read).expect_err("nothing is left");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(timeout(Duration::from_millis(5), stdout.readable()).await.is_err());
        drop(stdin);
        stdout.readable().await.expect("the end is readable");
        assert!(child.wait().expect("it ends").success());
    });
}

#[test]
fn an_object_taken_out_can_be_put_in_again() {
    weftline::run(async {
        let (mut child, stdin, stdout) = cat();
        let stdin = Async::new(stdin.into_inner()).expect("registered again");
        stdin.write_all(b"x").await.expect("written");
        let stdout = Async::new(stdout.into_inner()).expect("registered again");
        assert_eq!(stdout.read(&mut [0; 16]).await.expect("read"), 1);
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
    });
}

#[test]
fn outside_of_a_runtime_it_is_an_error_that_says_so() {
    let (_theirs, ours) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let error = Async::new(ours).expect_err("there is no runtime");
    assert!(error.to_string().contains("runtime"), "{error}");
}

#[test]
fn a_regular_file_is_an_error_on_linux() {
    if !cfg!(target_os = "linux") {
        return;
    }
    weftline::run(async {
        let exe = std::env::current_exe().expect("a test binary");
        assert!(Async::new(File::open(exe).expect("opened")).is_err());
    });
}

#[test]
fn a_descriptor_outlives_its_runtime_and_then_says_why_it_fails() {
    let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let ours = weftline::run(async { Async::new(ours).expect("registered") });
    theirs.write_all(b"x").expect("written");
    weftline::run(async {
        let error = ours.read(&mut [0; 1]).await.expect_err("its runtime is gone");
        assert!(error.to_string().contains("shut down"), "{error}");
    });
}

#[test]
fn everything_can_be_shared() {
    fn check<T: Send + Sync>(_: &T) {}
    weftline::run(async {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let ours = Async::new(ours).expect("registered");
        check(&ours);
        check(&ours.readable());
        check(&ours.read_with(|_| Ok(())));
    });
}
