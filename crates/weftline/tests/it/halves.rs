//! Streams that are split, and halves that are joined.

use crate::rig::{alone, many_times, panic_on_purpose, panicking_waker, within_limit};
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use weftline::io::{
    AsyncRead, AsyncWrite, BufReader, BufWriter, DuplexStream, duplex, join, split,
};
use weftline::{spawn, yield_now};

/// As much as no pipe here holds.
const MUCH: usize = 20_000;

#[test]
fn both_halves_are_used_at_once() {
    many_times(|| async {
        let (ours, theirs) = duplex(512);
        let (reader, writer) = split(theirs);
        let (mut reader, mut writer) = (BufReader::new(reader), BufWriter::new(writer));
        let write = spawn(async move {
            writer.write_all(&[1; MUCH]).await?;
            writer.close().await
        });
        let read = spawn(async move { reader.read_to_end(&mut Vec::new()).await });
        let (reader, writer) = split(ours);
        let (mut reader, mut writer) = (BufReader::new(reader), BufWriter::new(writer));
        let echo = spawn(async move {
            weftline::io::copy(&mut reader, &mut writer).await?;
            writer.close().await
        });
        write.await.unwrap().unwrap();
        echo.await.unwrap().unwrap();
        assert_eq!(read.await.unwrap().unwrap(), MUCH);
    });
}

/// A stream that lets others run while it is polled, so that both halves meet in it.
struct Slow(DuplexStream);

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        std::thread::yield_now();
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::thread::yield_now();
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

#[test]
fn a_half_that_finds_the_stream_taken_goes_on_once_it_is_back() {
    many_times(|| async {
        let (mut ours, theirs) = duplex(1);
        let (reader, writer) = split(Slow(theirs));
        let (mut reader, mut writer) =
            (BufReader::new(reader), BufWriter::with_capacity(0, writer));
        let write = spawn(async move { writer.write_all(&[1; 200]).await });
        let read = spawn(async move { reader.read_exact(&mut [0; 200]).await });
        let echo = spawn(async move {
            let mut byte = [0];
            for _ in 0..200 {
                poll_fn(|cx| Pin::new(&mut ours).poll_read(cx, &mut byte)).await?;
                poll_fn(|cx| Pin::new(&mut ours).poll_write(cx, &byte)).await?;
            }
            yield_now().await;
            io::Result::Ok(ours)
        });
        write.await.unwrap().unwrap();
        read.await.unwrap().unwrap();
        echo.await.unwrap().unwrap();
    });
}

/// A stream that calls something while it is read, gives sevens, and takes whatever is written.
struct Reads(Box<dyn FnMut() + Send>);

impl AsyncRead for Reads {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        (self.0)();
        buf[0] = 7;
        Poll::Ready(Ok(1))
    }
}

impl AsyncWrite for Reads {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_panic_in_one_half_leaves_the_other_in_use() {
    alone(async {
        let (mut reader, writer) = split(Reads(Box::new(|| panic_on_purpose("a read"))));
        let panicked = poll_fn(|cx| {
            let read = || Pin::new(&mut reader).poll_read(cx, &mut [0]).is_ready();
            Poll::Ready(catch_unwind(AssertUnwindSafe(read)))
        });
        panicked.await.unwrap_err();
        let mut writer = BufWriter::with_capacity(0, writer);
        writer.write_all(b"hello").await.unwrap();
        let _stream = reader.unsplit(writer.into_inner());
    });
}

#[test]
fn the_stream_goes_with_its_last_half() {
    alone(async {
        let (ours, theirs) = duplex(64);
        let (reader, writer) = split(theirs);
        drop(writer);
        let mut ours = BufWriter::with_capacity(0, ours);
        ours.write_all(b"still there").await.unwrap();
        drop(reader);
        let error = ours.write_all(b"gone").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn halves_of_different_streams_are_told_apart() {
    within_limit(|| {
        let ((one, _), (other, _)) = (duplex(1), duplex(1));
        let ((reader, _writer), (_reader, writer)) = (split(one), split(other));
        let unsplit = AssertUnwindSafe(|| drop(reader.unsplit(writer)));
        let payload = catch_unwind(unsplit).unwrap_err();
        let text = payload.downcast_ref::<&str>().unwrap();
        assert!(text.contains("different streams"), "{text}");
    });
}

#[test]
fn a_reader_with_a_buffer_is_still_a_stream() {
    alone(async {
        let (ours, theirs) = duplex(64);
        BufWriter::with_capacity(0, &ours).write_all(b"one\ntwo").await.unwrap();
        let mut reader = BufReader::new(theirs);
        assert_eq!(reader.read_line().await.unwrap(), b"one\n");
        let mut writer = BufWriter::new(reader);
        writer.write_all(b"three").await.unwrap();
        writer.close().await.unwrap();
        let mut buf = [0; 3];
        writer.get_mut().read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"two");
        let mut all = Vec::new();
        BufReader::new(&ours).read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"three");
    });
}

#[test]
fn a_reader_and_a_writer_make_a_stream() {
    alone(async {
        let ((ours, mut theirs), mut sink) = (duplex(64), Vec::new());
        drop(spawn(async move { weftline::io::copy(&mut &b"in"[..], &mut theirs).await }));
        let mut stream = join(&ours, &mut sink);
        BufWriter::with_capacity(0, &mut stream).write_all(b"out").await.unwrap();
        let mut all = Vec::new();
        BufReader::new(&mut stream).read_to_end(&mut all).await.unwrap();
        assert_eq!((all, sink), (b"in".to_vec(), b"out".to_vec()));
    });
}

#[test]
fn a_reader_whose_waker_panics_takes_nothing_from_whoever_writes_or_reads() {
    let (mut ours, mut theirs) = duplex(4);
    let waker = panicking_waker();
    let mut cx = Context::from_waker(&waker);
    let mut buf = [0; 4];
    assert!(Pin::new(&mut theirs).poll_read(&mut cx, &mut buf).is_pending());
    let write = Pin::new(&mut ours).poll_write(&mut cx, b"1234");
    assert!(matches!(write, Poll::Ready(Ok(4))), "{write:?}");
    assert!(Pin::new(&mut ours).poll_write(&mut cx, b"5").is_pending());
    let read = Pin::new(&mut theirs).poll_read(&mut cx, &mut buf);
    assert!(matches!(read, Poll::Ready(Ok(4))), "{read:?}");
    assert_eq!(&buf, b"1234");
}

#[test]
fn a_half_whose_waker_panics_takes_nothing_from_the_other() {
    let (send, visitor) = std::sync::mpsc::channel();
    // While it is read, the half that writes comes, with a waker that panics.
    let visit = move || {
        let mut writer: weftline::io::WriteHalf<Reads> = visitor.recv().unwrap();
        let waker = panicking_waker();
        assert!(Pin::new(&mut writer).poll_flush(&mut Context::from_waker(&waker)).is_pending());
    };
    let (mut reader, writer) = split(Reads(Box::new(visit)));
    send.send(writer).unwrap();
    let mut buf = [0];
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let read = Pin::new(&mut reader).poll_read(&mut cx, &mut buf);
    assert!(matches!(read, Poll::Ready(Ok(1))), "{read:?}");
    assert_eq!(buf, [7]);
}
