//! Buffered writing, and both on sockets: who waits, and for how long.

use crate::rig::{Diary, in_virtual_time, until_waiting, within_limit};
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use weftline::io::{AsyncWrite, BufReader, BufWriter};
use weftline::net::{TcpListener, TcpStream};
use weftline::time::timeout;
use weftline::yield_now;

async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// A sink that takes as much as the test lets it.
#[derive(Clone, Default)]
struct Drain(Arc<Mutex<Drained>>);

#[derive(Default)]
struct Drained {
    bytes: Vec<u8>,
    may_take: usize,
    is_closed: bool,
    writer: Option<Waker>,
}

impl Drain {
    fn let_through(&self, count: usize) {
        let mut drained = self.0.lock().unwrap();
        drained.may_take += count;
        let writer = drained.writer.take();
        drop(drained);
        writer.into_iter().for_each(Waker::wake);
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }
}

impl AsyncWrite for Drain {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut drained = self.0.lock().unwrap();
        if drained.may_take == 0 {
            drained.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = data.len().min(drained.may_take);
        drained.may_take -= count;
        drained.bytes.extend_from_slice(&data[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().unwrap().is_closed = true;
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_writer_that_is_full_waits_and_a_cancelled_write_took_nothing() {
    in_virtual_time(async {
        let drain = Drain::default();
        let mut writer = BufWriter::with_capacity(8, drain.clone());
        writer.write_all(b"one ").await.unwrap();
        writer.write_all(b"two ").await.unwrap();
        assert_eq!(drain.bytes(), b"");
        let second = Duration::from_secs(1);
        assert!(timeout(second, writer.write_all(b"three ")).await.is_err());
        drain.let_through(3);
        assert!(timeout(second, writer.write_all(b"three ")).await.is_err());
        assert_eq!(writer.buffer(), b" two ");
        drain.let_through(5);
        writer.write_all(b"three ").await.unwrap();
        assert!(timeout(second, writer.flush()).await.is_err());
        assert_eq!(drain.bytes(), b"one two ");
        drain.let_through(100);
        writer.write_all(b"and what is longer than it may hold").await.unwrap();
        assert_eq!(writer.buffer(), b"");
        writer.write_all(b".").await.unwrap();
        writer.close().await.unwrap();
        assert_eq!(drain.bytes(), b"one two three and what is longer than it may hold.");
        assert!(drain.0.lock().unwrap().is_closed);
    });
}

// AT-ST-11
#[test]
fn all_who_wait_for_room_go_on_when_there_is_some() {
    within_limit(|| {
        weftline::run(async {
            let (client, server) = connected().await;
            let client = Arc::new(client);
            while client.try_write(&[0; 4096]).is_ok() {}
            let waiting: Vec<_> = (0..10)
                .map(|_| {
                    let client = client.clone();
                    weftline::spawn(async move { client.write_all(b"x").await })
                })
                .collect();
            for task in &waiting {
                until_waiting(task).await;
            }
            let reading = weftline::spawn(async move {
                let mut all = Vec::new();
                server.read_to_end(&mut all).await.unwrap();
                all
            });
            for task in waiting {
                task.await.unwrap().unwrap();
            }
            drop(client);
            assert!(reading.await.unwrap().ends_with(b"xxxxxxxxxx"));
        });
    });
}

// AT-ST-13
#[test]
fn a_connection_with_unread_data_is_closed_at_once() {
    within_limit(|| {
        weftline::run(async {
            let (client, server) = connected().await;
            server.write_all(b"first\nand more").await.unwrap();
            let mut reader = BufReader::new(&client);
            assert_eq!(reader.read_line().await.unwrap(), b"first\n");
            let mut writer = BufWriter::new(&client);
            writer.write_all(b"bye").await.unwrap();
            writer.close().await.unwrap();
            let mut all = Vec::new();
            server.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"bye");

            // Who reads while its own side is closed reads the end.
            let diary = Diary::default();
            let client = Arc::new(client);
            let reading = weftline::spawn({
                let (client, diary) = (client.clone(), diary.clone());
                async move {
                    client.read_exact(&mut [0; 8]).await.unwrap();
                    diary.note("has read what was there");
                    client.read(&mut [0; 8]).await.unwrap()
                }
            });
            while diary.read().is_empty() && !reading.is_finished() {
                server.write_all(b"x").await.unwrap();
                yield_now().await;
            }
            client.shutdown(Shutdown::Both).await.unwrap();
            reading.await.unwrap();
        });
    });
}

// AT-ST-13, the other direction
#[test]
fn who_has_closed_its_writer_reads_on_and_writes_no_more() {
    within_limit(|| {
        weftline::run(async {
            let (client, server) = connected().await;
            let mut writer = BufWriter::new(&client);
            writer.write_all(b"bye").await.unwrap();
            writer.close().await.unwrap();
            let mut all = Vec::new();
            server.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"bye");
            server.write_all(b"take care\n").await.unwrap();
            drop(server);
            let mut reader = BufReader::new(&client);
            assert_eq!(reader.read_line().await.unwrap(), b"take care\n");
            assert_eq!(reader.read_line().await.unwrap(), b"");
            assert!(reader.at_eof());

            writer.write_all(b"more").await.unwrap();
            let error = writer.flush().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{error}");
        });
    });
}

// AT-ST-17
#[test]
fn who_writes_on_to_a_peer_that_has_gone_learns_of_it() {
    within_limit(|| {
        weftline::run(async {
            let (client, server) = connected().await;
            drop(server);
            let mut writer = BufWriter::new(&client);
            let error = loop {
                writer.write_all(b"foo\n").await.unwrap();
                if let Err(error) = writer.flush().await {
                    break error;
                }
            };
            let kinds = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
            assert!(kinds.contains(&error.kind()), "{error}");
        });
    });
}

// AT-ST-15
#[test]
fn a_slow_reader_holds_a_writer_at_its_mark() {
    const MARK: usize = 16 * 1024;
    within_limit(|| {
        weftline::run(async {
            let (client, server) = connected().await;
            let writing = weftline::spawn(async move {
                let mut writer = BufWriter::with_capacity(MARK, &client);
                let mut most = 0;
                for round in 0..64 * 1024_u32 {
                    writer.write_all(&round.to_le_bytes().repeat(64)).await.unwrap();
                    most = most.max(writer.buffer().len());
                }
                writer.close().await.unwrap();
                most
            });
            until_waiting(&writing).await;
            let mut reader = BufReader::with_limit(4096, &server);
            let mut piece = [0; 256];
            for round in 0..64 * 1024_u32 {
                reader.read_exact(&mut piece).await.unwrap();
                assert_eq!(piece[..], round.to_le_bytes().repeat(64));
                assert!(
                    reader.buffer().len() <= 16 * 1024,
                    "it reads no more than it has room for"
                );
            }
            assert_eq!(reader.read(&mut piece).await.unwrap(), 0);
            assert!(writing.await.unwrap() <= MARK);
        });
    });
}
