//! The model of two halves that meet: it runs as a stress test, under loom and under Miri.

use super::{AsyncRead, AsyncWrite, split};
use crate::platform::{model, thread};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A stream that is always ready.
struct Ready;

impl AsyncRead for Ready {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }
}

impl AsyncWrite for Ready {
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

/// Whether somebody was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_half_that_finds_the_stream_taken_is_woken_when_it_is_back() {
    model(|| {
        let (mut reader, mut writer) = split(Ready);
        let writes = thread::spawn(move || {
            let mut cx = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut writer).poll_write(&mut cx, b"hello");
        });
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut read =
            || Pin::new(&mut reader).poll_read(&mut Context::from_waker(&waker), &mut [0]);
        let first = read();
        writes.join().unwrap();
        if first.is_pending() {
            assert!(woken.0.load(Ordering::SeqCst), "pending, and not woken");
            assert!(read().is_ready());
        }
    });
}
