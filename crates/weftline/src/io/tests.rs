//! Promises of [`Async`] that show only in the system calls it makes.

// Descriptors are beyond the model checkers.
#![cfg(all(unix, not(any(loom, miri))))]

use super::{Assume, Async, Kind};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A connection that counts the reads done on it.
struct Counting {
    stream: TcpStream,
    reads: AtomicUsize,
}

impl AsFd for Counting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Read for &Counting {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        (&self.stream).read(buf)
    }
}

fn connected(kind: Kind) -> (Async<Counting>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("an address");
    let theirs = TcpStream::connect(address).expect("connected");
    let (stream, _) = listener.accept().expect("accepted");
    stream.set_nonblocking(true).expect("non-blocking");
    let ours = Counting { stream, reads: AtomicUsize::new(0) };
    (Async::register(ours, Assume::NotReady, kind).expect("registered"), theirs)
}

/// How many reads it takes to receive `messages` messages that come one by one, each after the one
/// before was received and somebody waits for it.
fn reads_for(messages: usize, kind: Kind) -> usize {
    crate::run(async {
        let (ours, mut theirs) = connected(kind);
        let mut buf = [0; 1024];
        for _ in 0..messages {
            let mut read = std::pin::pin!(ours.read(&mut buf));
            let waits = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(read.as_mut().poll(cx).is_pending())
            });
            assert!(waits.await, "nothing was sent yet");
            theirs.write_all(b"hello").expect("sent");
            assert_eq!(read.await.expect("received"), 5);
        }
        ours.get_ref().reads.load(Ordering::SeqCst)
    })
}

#[test]
fn a_short_read_needs_no_second_look() {
    let trusted = crate::run(async {
        crate::runtime::context::driver().expect("a driver").trusts_short_operations()
    });
    if trusted {
        assert_eq!(reads_for(20, Kind::PlainStream), 20);
    }
    assert_eq!(reads_for(20, Kind::Other), 20 + 19);
}
