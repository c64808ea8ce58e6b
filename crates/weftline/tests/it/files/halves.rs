//! Files of which one task reads and another one writes.
//!
//! As in `leaving`, the only thread for blocking jobs is held where a call is to be met before it is made.

use super::leaving::{hold, leave_early, opened, with_one_thread};
use super::{file_with, leave, try_once};
use crate::probe::Probe;
use crate::rig::many_times;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Context;
use weftline::fs::{self, File};
use weftline::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split};
use weftline::spawn;

async fn read(half: &mut ReadHalf<File>, buf: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut *half).poll_read(cx, buf)).await
}

async fn write(half: &mut WriteHalf<File>, data: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut *half).poll_write(cx, data)).await
}

async fn flush(half: &mut WriteHalf<File>) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut *half).poll_flush(cx)).await
}

#[test]
fn of_two_tasks_with_a_half_each_both_go_on_and_each_write_is_made_once() {
    many_times(|| async {
        let (_dir, path) = file_with(b"").await;
        let (mut reader, mut writer) = split(opened(&path).await);
        // The place is the end of the file, whoever came last.
        let reading = spawn(async move {
            for _ in 0..20 {
                assert_eq!(read(&mut reader, &mut [0; 8]).await.unwrap(), 0);
                try_once(read(&mut reader, &mut [0; 8])).await;
            }
        });
        for _ in 0..20 {
            // All alike, so that none is told from the one before; given up once, and tried again.
            if try_once(write(&mut writer, b"once")).await.is_none() {
                assert_eq!(write(&mut writer, b"once").await.unwrap(), 4);
            }
        }
        reading.await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"once".repeat(20));
    });
}

#[test]
fn both_halves_are_woken_when_a_call_of_one_of_them_was_made() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"").await;
        let (mut reader, mut writer) = split(opened(&path).await);
        let (reads, writes) = (Probe::new(), Probe::new());
        for round in 1..4 {
            let (_holding, held) = hold();
            let (waker, mut buf) = (reads.waker(), [0; 8]);
            let reading =
                Pin::new(&mut reader).poll_read(&mut Context::from_waker(&waker), &mut buf);
            assert!(reading.is_pending());
            let waker = writes.waker();
            let writing = Pin::new(&mut writer).poll_write(&mut Context::from_waker(&waker), b"x");
            assert!(writing.is_pending());
            held.release();
            // There is one thread, and calls are made in turn.
            fs::metadata(&path).await.unwrap();
            assert_eq!((reads.wakes(), writes.wakes()), (round, round));
            assert_eq!(read(&mut reader, &mut buf).await.unwrap(), 0);
            assert_eq!(write(&mut writer, b"x").await.unwrap(), 1);
        }
    });
}

#[test]
fn a_half_that_is_dropped_while_it_waits_takes_nothing_from_the_other() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"").await;
        let (mut reader, mut writer) = split(opened(&path).await);
        let (_holding, held) = hold();
        leave(write(&mut writer, b"hello")).await;
        leave(read(&mut reader, &mut [0; 8])).await;
        drop(reader);
        held.release();
        assert_eq!(write(&mut writer, b"hello").await.unwrap(), 5);
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    });
}

#[test]
fn what_a_write_has_come_to_is_told_to_the_half_that_writes() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"").await;
        let (mut reader, mut writer) = split(opened(&path).await);
        leave_early(write(&mut writer, b"once")).await;
        // The write was made by then, and nobody has asked for it.
        assert_eq!(read(&mut reader, &mut [0; 8]).await.unwrap(), 0);
        assert_eq!(write(&mut writer, b"once").await.unwrap(), 4);
        assert_eq!(std::fs::read(&path).unwrap(), b"once");

        let (mut reader, mut writer) = split(File::open(&path).await.unwrap());
        leave_early(write(&mut writer, b"x")).await;
        assert_eq!(read(&mut reader, &mut [0; 8]).await.unwrap(), 4);
        assert!(write(&mut writer, b"x").await.is_err());
    });
}

#[cfg(unix)]
#[test]
fn what_a_read_has_failed_with_is_told_to_the_half_that_reads() {
    with_one_thread(async {
        let (mut reader, mut writer) = split(super::leaving::fails_once());
        leave_early(read(&mut reader, &mut [0; 8])).await;
        flush(&mut writer).await.unwrap();
        let error = read(&mut reader, &mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn halves_that_are_put_together_are_a_file_that_has_lost_nothing() {
    with_one_thread(async {
        let (_dir, path) = file_with(b"hello").await;
        let (mut reader, mut writer) = split(opened(&path).await);
        assert_eq!(read(&mut reader, &mut [0; 2]).await.unwrap(), 2);
        leave_early(write(&mut writer, b"y")).await;
        let mut file = reader.unsplit(writer);
        assert_eq!(file.write(b"y").await.unwrap(), 1);
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"lo");
        assert_eq!(std::fs::read(&path).unwrap(), b"heylo");
    });
}
