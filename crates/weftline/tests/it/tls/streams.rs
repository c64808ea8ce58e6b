//! What is read and written once the handshake is done, and how it ends.

use super::{CLOSE_LIMIT, acceptor, connector, inside, meet, pair};
use crate::rig::{MS, alone, bounded, in_virtual_time, many_times, until_waiting, within_limit};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use weftline::io::{
    AsyncRead, AsyncWrite, BufReader, BufWriter, copy, copy_bidirectional, duplex, split,
};
use weftline::net::{TcpListener, TcpStream};
use weftline::spawn;
use weftline::time::{now, sleep, timeout};

/// More than all buffers on the way hold together.
const MUCH: usize = 4 * 1024 * 1024;

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n * 7 % 251) as u8).collect()
}

#[test]
fn much_goes_both_ways_at_once() {
    within_limit(|| {
        weftline::run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let client = TcpStream::connect(address).await.unwrap();
            let (server, _) = listener.accept().await.unwrap();
            let (client, server) = meet(connector(), acceptor(), (client, server)).await;
            let (mut reader, mut writer) = split(server.unwrap());
            let echo = spawn(async move {
                let copied = copy(&mut reader, &mut writer).await?;
                BufWriter::new(writer).close().await?;
                std::io::Result::Ok(copied)
            });
            let (reader, writer) = split(client.unwrap());
            let write = spawn(async move {
                let mut writer = BufWriter::new(writer);
                writer.write_all(&bytes(MUCH)).await?;
                writer.close().await
            });
            let mut all = Vec::new();
            BufReader::new(reader).read_to_end(&mut all).await.unwrap();
            assert!(all == bytes(MUCH), "what comes back is what was sent");
            write.await.unwrap().unwrap();
            assert_eq!(echo.await.unwrap().unwrap(), MUCH as u64);
        });
    });
}

#[test]
fn a_stream_that_carries_a_few_bytes_at_a_time_is_enough() {
    alone(async {
        let (mut client, mut server) = pair(8).await;
        let say = spawn(async move {
            client.write_all(&bytes(1000)).await.unwrap();
            client.close().await.unwrap();
            client
        });
        let mut all = Vec::new();
        let mut reader = BufReader::new(&mut server);
        reader.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, bytes(1000));
        say.await.unwrap();
    });
}

#[test]
fn an_end_that_was_not_said_is_an_error_after_what_came_before_it() {
    alone(async {
        let (mut client, mut server) = pair(1024).await;
        client.write_all(b"not all").await.unwrap();
        drop(client);
        let mut buf = [0; 64];
        assert_eq!(server.read(&mut buf).await.unwrap(), 7);
        for _ in 0..2 {
            let error = server.read(&mut buf).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            assert!(error.to_string().contains("has not said so"), "{error}");
        }
    });
}

#[test]
fn an_end_that_was_said_is_one_and_the_other_direction_goes_on() {
    alone(async {
        let (mut client, mut server) = pair(1024).await;
        client.write_all(b"question").await.unwrap();
        client.close().await.unwrap();
        client.close().await.unwrap();
        let error = client.write_all(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(error.to_string(), "the stream is closed for writing");
        let mut all = Vec::new();
        BufReader::new(&mut server).read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"question");
        assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
        server.write_all(b"answer").await.unwrap();
        server.close().await.unwrap();
        all.clear();
        BufReader::new(&mut client).read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"answer");
    });
}

#[test]
fn whoever_has_said_the_end_need_not_hear_ours() {
    alone(async {
        let (mut client, mut server) = pair(1024).await;
        client.close().await.unwrap();
        assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
        drop(client);
        server.close().await.unwrap();

        let (client, mut server) = pair(1024).await;
        drop(client);
        let error = server.close().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn an_empty_read_gives_nothing_and_ends_nothing() {
    alone(async {
        let (mut client, mut server) = pair(1024).await;
        assert_eq!(server.read(&mut []).await.unwrap(), 0);
        client.write_all(b"").await.unwrap();
        client.write_all(b"hello").await.unwrap();
        assert_eq!(server.read(&mut []).await.unwrap(), 0);
        let mut buf = [0; 8];
        assert_eq!(server.read(&mut buf).await.unwrap(), 5);
    });
}

#[test]
fn a_read_that_is_dropped_loses_nothing() {
    many_times(|| async {
        let (mut client, mut server) = pair(100).await;
        let write = spawn(async move {
            for piece in bytes(3000).chunks(70) {
                client.write_all(piece).await?;
            }
            client.close().await
        });
        let (mut all, mut buf) = (Vec::new(), [0; 64]);
        let mut dropped = 0;
        loop {
            // Polled once, and dropped if it waits.
            let read = poll_fn(|cx| Poll::Ready(Pin::new(&mut server).poll_read(cx, &mut buf)));
            match read.await {
                Poll::Ready(Ok(0)) => break,
                Poll::Ready(count) => all.extend_from_slice(&buf[..count.unwrap()]),
                Poll::Pending => {
                    dropped += 1;
                    weftline::yield_now().await;
                }
            }
        }
        assert!(all == bytes(3000) && dropped > 0, "{} bytes, {dropped} dropped", all.len());
        write.await.unwrap().unwrap();
    });
}

#[test]
fn a_write_that_is_dropped_says_how_much_was_taken() {
    alone(async {
        let (mut client, mut server) = pair(100).await;
        let write = spawn(async move {
            let all = bytes(200_000);
            let mut taken = 0;
            while taken < all.len() {
                let rest = &all[taken..];
                let write = poll_fn(|cx| Poll::Ready(Pin::new(&mut client).poll_write(cx, rest)));
                match write.await {
                    Poll::Ready(count) => taken += count?,
                    Poll::Pending => weftline::yield_now().await,
                }
            }
            client.close().await
        });
        let mut all = Vec::new();
        BufReader::new(&mut server).read_to_end(&mut all).await.unwrap();
        assert!(all == bytes(200_000), "{} bytes", all.len());
        write.await.unwrap().unwrap();
    });
}

#[test]
fn a_slow_reader_holds_the_writer() {
    alone(async {
        let (client, mut server) = pair(1024).await;
        let (reader, mut writer) = split(client);
        let write = spawn(async move {
            let mut written = 0;
            let piece = [0; 1000];
            while written < MUCH {
                written +=
                    poll_fn(|cx| Pin::new(&mut writer).poll_write(cx, &piece)).await.unwrap();
            }
            BufWriter::new(writer).close().await.unwrap();
        });
        until_waiting(&write).await;
        sleep(5 * MS).await;
        assert!(!write.is_finished(), "it waits until somebody reads");
        let mut reader_of_server = BufReader::new(&mut server);
        assert!(reader_of_server.read_to_end(&mut Vec::new()).await.unwrap() >= MUCH);
        write.await.unwrap();
        drop(reader);
    });
}

#[test]
fn a_reader_that_waits_and_a_writer_that_waits_do_not_take_each_others_place() {
    alone(async {
        let (client, mut server) = pair(64).await;
        let (mut reader, mut writer) = split(client);
        let mut read = spawn(async move {
            let mut byte = [0];
            poll_fn(|cx| Pin::new(&mut reader).poll_read(cx, &mut byte)).await.unwrap();
            byte[0]
        });
        let mut write = spawn(async move {
            let mut writer = BufWriter::with_capacity(0, &mut writer);
            writer.write_all(&[7; 300_000]).await.unwrap();
            writer.flush().await.unwrap();
        });
        until_waiting(&read).await;
        until_waiting(&write).await;
        server.write_all(&[5]).await.unwrap();
        assert_eq!(bounded(&mut read).await.unwrap().unwrap(), 5);
        BufReader::new(&mut server).read_exact(&mut vec![0; 300_000]).await.unwrap();
        bounded(&mut write).await.unwrap().unwrap();
    });
}

#[test]
fn a_close_that_nobody_reads_ends_in_time() {
    in_virtual_time(async {
        // Room for no goodbye.
        let (mut client, server) = pair(8).await;
        let began = now();
        let error = client.close().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(now() - began, CLOSE_LIMIT);
        assert!(error.to_string().contains("closing has not ended within 30s"), "{error}");

        let limit = Duration::from_secs(2);
        let connector = connector().close_timeout(limit);
        let (client, _theirs) = meet(connector, acceptor(), duplex(8)).await;
        let mut client = client.unwrap();
        let began = now();
        // The same time, however often it is begun anew.
        assert!(timeout(limit / 2, client.close()).await.is_err());
        assert_eq!(client.close().await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(now() - began, limit);
        drop(server);
    });
}

#[test]
fn bytes_that_were_not_sent_are_noticed_and_the_failure_stays() {
    alone(async {
        let (client, mut server) = pair(1024).await;
        let garbage = [23, 3, 3, 0, 32].into_iter().chain([9; 32]).collect::<Vec<u8>>();
        BufWriter::with_capacity(0, client.get_ref()).write_all(&garbage).await.unwrap();
        for _ in 0..2 {
            let error = server.read(&mut [0; 64]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            inside(&error);
        }
        let error = server.write_all(b"after that").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        // The other side is told.
        let mut client = client;
        let error = client.read(&mut [0; 64]).await.unwrap_err();
        assert!(error.to_string().contains("alert"), "{error}");
    });
}

#[test]
fn a_proxy_passes_ends_on() {
    alone(async {
        let (mut client, mut a) = pair(1024).await;
        let (mut b, mut server) = pair(1024).await;
        let proxy = spawn(async move { copy_bidirectional(&mut a, &mut b).await });
        client.write_all(b"question").await.unwrap();
        client.close().await.unwrap();
        let mut all = Vec::new();
        BufReader::new(&mut server).read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"question");
        server.write_all(b"yes").await.unwrap();
        server.close().await.unwrap();
        assert_eq!(proxy.await.unwrap().unwrap(), (8, 3));
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 3);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    });
}
