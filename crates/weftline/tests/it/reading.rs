//! Buffered reading: what is found, what is left, and what a failure leaves.

use crate::rig::{in_virtual_time, until_waiting};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use weftline::io::{AsyncBufRead, AsyncRead, BufReader, IncompleteRead, LimitOverrun, ReadError};
use weftline::time::timeout;

/// A source that gives what the test feeds it, one piece for each read.
#[derive(Clone, Default)]
struct Fed(Arc<Mutex<Feed>>);

#[derive(Default)]
struct Feed {
    pieces: VecDeque<io::Result<Vec<u8>>>,
    has_ended: bool,
    reader: Option<Waker>,
}

impl Fed {
    fn change(&self, change: impl FnOnce(&mut Feed)) {
        let mut feed = self.0.lock().unwrap();
        change(&mut feed);
        let reader = feed.reader.take();
        drop(feed);
        reader.into_iter().for_each(Waker::wake);
    }

    fn feed(&self, piece: &[u8]) {
        self.change(|feed| feed.pieces.push_back(Ok(piece.to_vec())));
    }

    fn end(&self) {
        self.change(|feed| feed.has_ended = true);
    }

    fn fail(&self) {
        let error = io::Error::new(ErrorKind::ConnectionReset, "reset");
        self.change(|feed| feed.pieces.push_back(Err(error)));
    }
}

impl AsyncRead for Fed {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut feed = self.0.lock().unwrap();
        match feed.pieces.pop_front() {
            Some(Ok(mut piece)) => {
                let count = piece.len().min(buf.len());
                buf[..count].copy_from_slice(&piece[..count]);
                let rest = piece.split_off(count);
                if !rest.is_empty() {
                    feed.pieces.push_front(Ok(rest));
                }
                Poll::Ready(Ok(count))
            }
            Some(Err(error)) => Poll::Ready(Err(error)),
            None if feed.has_ended => Poll::Ready(Ok(0)),
            None => {
                feed.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A reader and what feeds it.
fn fed(limit: usize, pieces: &[&[u8]]) -> (BufReader<Fed>, Fed) {
    let fed = Fed::default();
    pieces.iter().for_each(|piece| fed.feed(piece));
    (BufReader::with_limit(limit, fed.clone()), fed)
}

/// No search in these tests goes so far.
const FAR: usize = 1000;

fn overrun(error: ReadError) -> LimitOverrun {
    match error {
        ReadError::LimitOverrun(overrun) => overrun,
        other => panic!("not too long: {other}"),
    }
}

fn incomplete(error: ReadError) -> IncompleteRead {
    match error {
        ReadError::Incomplete(incomplete) => incomplete,
        other => panic!("not an early end: {other}"),
    }
}

// AT-ST-01
#[test]
fn a_read_gives_what_is_there_and_at_the_end_nothing() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(FAR, &[]);
        let mut buf = [0; 30];
        assert_eq!(reader.read(&mut []).await.unwrap(), 0, "at once");
        let reading = weftline::spawn(async move {
            let count = reader.read(&mut buf).await.unwrap();
            (reader, buf[..count].to_vec())
        });
        until_waiting(&reading).await;
        fed.feed(b"line1\n");
        fed.feed(b"line2\nline3\n");
        let (mut reader, first) = reading.await.unwrap();
        assert_eq!(first, b"line1\n");

        fed.end();
        let mut all = b"before ".to_vec();
        assert_eq!(reader.read_to_end(&mut all).await.unwrap(), 12);
        assert_eq!(all, b"before line2\nline3\n");
        assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
        assert_eq!(reader.read_to_end(&mut all).await.unwrap(), 0);
    });
}

// AT-ST-03
#[test]
fn a_line_that_is_too_long_is_removed_and_one_at_the_limit_is_not() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(7, &[b"1234567\n12345678\nrest"]);
        assert_eq!(reader.read_line().await.unwrap(), b"1234567\n");
        let error = overrun(reader.read_line().await.unwrap_err());
        assert_eq!((error.limit, error.consumed, error.is_found), (7, 8, true));
        assert_eq!(reader.buffer(), b"rest", "that line alone");

        fed.feed(b" of it");
        let error = overrun(reader.read_line().await.unwrap_err());
        assert_eq!((error.consumed, error.is_found), (10, false));
        assert_eq!(reader.buffer(), b"", "its end was not seen");

        fed.feed(b"li");
        fed.feed(b"ne1\nline2\n");
        assert_eq!(reader.read_line().await.unwrap(), b"line1\n");
        assert_eq!(reader.read_line().await.unwrap(), b"line2\n");
    });
}

// AT-ST-05
#[test]
fn the_limit_is_for_searches_alone() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(3, &[b"chunk", b"other", b" and ", b"more"]);
        let mut buf = [0; 5];
        assert_eq!(reader.read(&mut buf).await.unwrap(), 5);
        assert_eq!(&buf, b"chunk");
        let mut buf = [0; 10];
        reader.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"other and ");
        fed.end();
        assert_eq!(reader.read_to_end(&mut Vec::new()).await.unwrap(), 4);

        let large = vec![7; 1_000_000];
        let mut reader = BufReader::with_limit(3, &large[..]);
        let mut buf = vec![0; 999_999];
        reader.read_exact(&mut buf).await.unwrap();
        assert!(buf == large[1..]);
        assert_eq!(reader.read(&mut buf).await.unwrap(), 1);
    });
}

// AT-ST-07
#[test]
fn what_lies_beyond_the_limit_stays_readable() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(3, &[b"some dataAA"]);
        let error = overrun(reader.read_until(&[b"AAA"]).await.unwrap_err());
        assert_eq!((error.consumed, error.is_found), (9, false));
        assert_eq!(reader.buffer(), b"some dataAA");

        fed.feed(b"A");
        let mut buf = [0; 1];
        assert_eq!(reader.read(&mut buf).await.unwrap(), 1, "another way to read goes on");
        reader.read_exact(&mut [0; 11]).await.unwrap();

        fed.feed(b"some dataAAA");
        let error = overrun(reader.read_until(&[b"AAA"]).await.unwrap_err());
        assert_eq!((error.consumed, error.is_found), (9, true));
        assert_eq!(reader.buffer(), b"some dataAAA");

        let (mut reader, _fed) = self::fed(3, &[b"some dataA"]);
        let error = overrun(reader.read_until(&[b"A", b"ome dataA"]).await.unwrap_err());
        assert!(error.is_found);
        assert_eq!(reader.buffer(), b"some dataA");
    });
}

#[test]
fn the_separator_that_ends_first_is_the_one() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(FAR, &[b"line 1\nline 2\rABCDEFG"]);
        assert_eq!(reader.read_until(&[b"\r", b"\n"]).await.unwrap(), b"line 1\n");
        assert_eq!(reader.read_until(&[b"\r", b"\n"]).await.unwrap(), b"line 2\r");
        // The longer one here.
        assert_eq!(reader.read_until(&[b"DEF", b"BCDE"]).await.unwrap(), b"ABCDE");
        assert_eq!(reader.buffer(), b"FG");

        fed.feed(b"Z");
        fed.feed(b"Aaaa");
        assert_eq!(reader.read_until(&[b"A", b"long separator"]).await.unwrap(), b"FGZA");
        assert_eq!(reader.buffer(), b"aaa");
    });
}

#[test]
fn a_separator_may_come_in_pieces() {
    in_virtual_time(async {
        let pieces: [&[&[u8]]; 4] = [
            &[b"QWEaa", b"XYaa", b"a"],
            &[b"QWEaa", b"XYa", b"aa"],
            &[b"QWEaaXYaaa"],
            &[b"QWEaaX", b"Y", b"a", b"a", b"a"],
        ];
        for pieces in pieces {
            let (mut reader, fed) = fed(FAR, pieces);
            fed.feed(b"xxx");
            assert_eq!(reader.read_until(&[b"aaa"]).await.unwrap(), b"QWEaaXYaaa");
            reader.read_exact(&mut [0; 3]).await.unwrap();
            assert!(reader.buffer().is_empty());
        }
    });
}

#[test]
fn the_error_of_an_early_end_has_what_was_there() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(FAR, &[b"some data", b"AA"]);
        fed.end();
        let error = incomplete(reader.read_until(&[b"AAA"]).await.unwrap_err());
        assert_eq!((error.partial.as_slice(), error.expected), (&b"some dataAA"[..], None));
        assert!(reader.at_eof(), "what is in the error is not in the reader");

        let (mut reader, fed) = self::fed(FAR, &[b"line1\nline2\nline3\n"]);
        fed.end();
        let mut buf = [b'x'; 36];
        let error = reader.read_exact(&mut buf).await.unwrap_err();
        assert_eq!(error.to_string(), "the end came after 18 of 36 bytes");
        let error = incomplete(error);
        assert_eq!(error.partial, b"line1\nline2\nline3\n");
        assert_eq!(error.expected, Some(36));
        assert_eq!(buf, [b'x'; 36]);
        reader.read_exact(&mut []).await.unwrap();
    });
}

#[test]
fn a_last_line_may_lack_its_end() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(FAR, &[b"chunk1 "]);
        let reading = weftline::spawn(async move {
            assert_eq!(reader.read_line().await.unwrap(), b"chunk1 chunk2 chunk3 \n");
            reader
        });
        until_waiting(&reading).await;
        fed.feed(b"chunk2 ");
        fed.feed(b"chunk3 ");
        fed.feed(b"\n chunk4");
        fed.end();
        let mut reader = reading.await.unwrap();
        assert_eq!(reader.buffer(), b" chunk4");
        assert_eq!(reader.read_line().await.unwrap(), b" chunk4");
        assert_eq!(reader.read_line().await.unwrap(), b"");
    });
}

// AT-ST-09
#[test]
fn a_failure_stays_and_what_was_read_before_it_is_there() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(FAR, &[b"line\n", b"rest"]);
        assert!(!reader.at_eof());
        let reading = weftline::spawn(async move {
            assert_eq!(reader.read_line().await.unwrap(), b"line\n");
            let error = reader.read_line().await.map(<[u8]>::to_vec).unwrap_err();
            (reader, error)
        });
        until_waiting(&reading).await;
        fed.fail();
        fed.end();
        let (mut reader, error) = reading.await.unwrap();
        assert!(
            matches!(error, ReadError::Io(error) if error.kind() == ErrorKind::ConnectionReset)
        );
        assert_eq!(reader.buffer(), b"rest");
        for _ in 0..2 {
            let error = reader.read_until(&[b";"]).await.unwrap_err();
            assert_eq!(io::Error::from(error).kind(), ErrorKind::ConnectionReset);
        }
        let mut buf = [0; 10_000];
        assert_eq!(reader.read(&mut buf).await.unwrap(), 4);
        assert_eq!(reader.read(&mut buf).await.unwrap_err().to_string(), "reset");
        assert_eq!(reader.read(&mut buf[..9]).await.unwrap_err().to_string(), "reset");
        assert!(!reader.at_eof(), "what failed has not ended");
    });
}

// AT-ST-09
#[test]
fn a_cancelled_read_leaves_what_it_read_in_the_reader() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(FAR, &[]);
        let mut expected = Vec::new();
        let mut buf = [0; 4];
        for piece in [b"a", b"b", b"c"] {
            fed.feed(piece);
            expected.extend(piece);
            let limit = Duration::from_secs(1);
            assert!(timeout(limit, reader.read_line()).await.is_err());
            assert!(timeout(limit, reader.read_until(&[b"\r\n", b";"])).await.is_err());
            assert!(timeout(limit, reader.read_exact(&mut buf)).await.is_err());
            assert!(timeout(limit, reader.lines().next()).await.is_err());
            assert_eq!(reader.buffer(), expected);
        }
        fed.feed(b"\nx");
        assert_eq!(reader.read_line().await.unwrap(), b"abc\n");
        assert_eq!(buf, [0; 4]);

        let mut all = Vec::new();
        assert!(timeout(Duration::from_secs(1), reader.read_to_end(&mut all)).await.is_err());
        assert_eq!(all, b"x");
    });
}

// AT-ST-09
#[test]
fn a_failure_behind_a_cancelled_read_is_for_the_next_one() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(FAR, &[b"some"]);
        assert!(timeout(Duration::from_secs(1), reader.read_line()).await.is_err());
        fed.fail();
        assert!(matches!(reader.read_line().await, Err(ReadError::Io(_))));
        assert_eq!(reader.buffer(), b"some");
    });
}

// AT-ST-09
#[test]
fn the_end_is_reached_when_the_source_has_ended_and_all_was_given_out() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(FAR, &[b"some data\n"]);
        assert!(!reader.at_eof());
        reader.read_line().await.unwrap();
        assert!(!reader.at_eof());
        fed.feed(b"some data\nx");
        fed.end();
        reader.read_line().await.unwrap();
        assert!(!reader.at_eof());
        reader.read_line().await.unwrap();
        assert!(reader.at_eof());
        fed.feed(b"too late");
        assert_eq!(reader.read(&mut [0; 9]).await.unwrap(), 0, "the end stays the end");
    });
}

#[test]
fn lines_are_text_without_their_ends() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(8, &[b"one\r\ntw", b"o\n\n\xff\nfar too long\nlast\r"]);
        fed.end();
        let mut lines = reader.lines();
        assert_eq!(lines.next().await.unwrap().unwrap(), "one");
        assert_eq!(lines.next().await.unwrap().unwrap(), "two");
        assert_eq!(lines.next().await.unwrap().unwrap(), "");
        let error = io::Error::from(lines.next().await.unwrap().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(overrun(lines.next().await.unwrap().unwrap_err()).is_found);
        assert_eq!(lines.next().await.unwrap().unwrap(), "last\r", "that is no end of a line");
        assert!(lines.next().await.is_none());
        assert!(lines.next().await.is_none());

        let (mut reader, fed) = self::fed(8, &[b"one\ntw"]);
        fed.fail();
        let mut lines = reader.lines();
        assert_eq!(lines.next().await.unwrap().unwrap(), "one");
        assert!(matches!(lines.next().await, Some(Err(ReadError::Io(_)))));
        assert!(lines.next().await.is_none(), "nothing comes after a failure");
    });
}

#[test]
fn the_buffer_is_lent_and_used_up_by_the_trait() {
    in_virtual_time(async {
        let (mut reader, fed) = fed(FAR, &[b"hello"]);
        let lent = poll_fn(|cx| Pin::new(&mut reader).poll_fill_buf(cx).map_ok(<[u8]>::to_vec));
        assert_eq!(lent.await.unwrap(), b"hello");
        Pin::new(&mut reader).consume(4);
        assert_eq!(reader.buffer(), b"o");
        Pin::new(&mut reader).consume(1);
        fed.end();
        let lent = poll_fn(|cx| Pin::new(&mut reader).poll_fill_buf(cx).map_ok(<[u8]>::to_vec));
        assert_eq!(lent.await.unwrap(), b"");
    });
}

#[test]
fn misuse_is_a_panic_that_names_it() {
    let said = |misuse: &(dyn Fn() + std::panic::RefUnwindSafe)| {
        let payload = catch_unwind(misuse).unwrap_err();
        (*payload.downcast::<&str>().unwrap()).to_owned()
    };
    assert!(said(&|| drop(BufReader::with_limit(0, &b""[..]))).contains("limit"));
    let separators: [&[&[u8]]; 3] = [&[], &[b""], &[b"x", b""]];
    for separators in separators {
        let search = || {
            let mut reader = BufReader::new(&b""[..]);
            let mut reading = pin!(reader.read_until(separators));
            let _ = reading.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        };
        assert!(said(&search).contains("separator"));
    }
    in_virtual_time(async {
        let (mut reader, _fed) = fed(FAR, &[b"hello"]);
        reader.read_exact(&mut [0; 2]).await.unwrap();
        for count in [4, usize::MAX] {
            let too_many = AssertUnwindSafe(|| Pin::new(&mut reader).consume(count));
            let said = catch_unwind(too_many).unwrap_err().downcast::<String>().unwrap();
            assert_eq!(*said, format!("{count} bytes of 3 are used up"));
        }
        assert_eq!(reader.buffer(), b"llo", "it is as it was");
    });
}
