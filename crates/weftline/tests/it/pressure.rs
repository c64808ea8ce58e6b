//! Who is slow keeps those who wait for it waiting, and nobody else; and what is kept meanwhile stays
//! within the marks that were set.

use crate::counting::bytes_in_use;
use crate::rig::{MS, echo_lines, eventually, in_child, in_virtual_time, runtime};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use weftline::io::{BufReader, BufWriter, DuplexStream, copy, duplex};
use weftline::net::{TcpStream, serve};
use weftline::spawn;
use weftline::time::{now, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// Writes for ever, and counts what was taken.
async fn write_on(into: DuplexStream, mark: usize, taken: Arc<AtomicUsize>) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(mark, into);
    loop {
        writer.write_all(b"ten bytes.").await?;
        taken.fetch_add(10, SeqCst);
    }
}

#[test]
fn a_chain_takes_no_more_than_its_marks_however_slow_its_end_is() {
    const MARKS: [usize; 3] = [500, 1_000, 2_000];
    in_virtual_time(async {
        let taken = Arc::new(AtomicUsize::new(0));
        let (first, mut into) = duplex(MARKS[1]);
        let (mut on, end) = duplex(MARKS[2]);
        drop(spawn(write_on(first, MARKS[0], taken.clone())));
        drop(spawn(async move { copy(&mut into, &mut on).await }));
        sleep(SECOND).await; // over once both wait
        // What the copying task holds is the only thing without a mark of its own.
        let held = taken.load(SeqCst) - MARKS.iter().sum::<usize>();
        assert!(held <= 64 * 1024, "{held} bytes in the middle");
        let mut reader = BufReader::new(end);
        let most = taken.load(SeqCst) + 16 * 1024; // the reader's
        for received in 1..=100_000 {
            reader.read_exact(&mut [0; 1]).await.unwrap();
            if received % 1_000 == 0 {
                sleep(SECOND).await;
                let taken = taken.load(SeqCst);
                assert!(taken - received <= most, "{taken} taken, {received} received");
            }
        }
    });
}

#[test]
fn clients_that_do_not_read_cost_no_more_than_the_mark_of_each() {
    if !in_child("pressure::clients_that_do_not_read_cost_no_more_than_the_mark_of_each") {
        return;
    }
    const MARK: usize = 8 * 1024;
    const CLIENTS: usize = 100;
    let runtime = runtime();
    runtime.block_on(async {
        let written = Arc::new(AtomicUsize::new(0));
        let handler = {
            let written = written.clone();
            move |stream: TcpStream| {
                let written = written.clone();
                async move {
                    let mut writer = BufWriter::with_capacity(MARK, stream);
                    loop {
                        writer.write_all(&[b'x'; 1_000]).await?;
                        written.fetch_add(1_000, SeqCst);
                    }
                    #[expect(unreachable_code, reason = "it tells the type")]
                    io::Result::Ok(())
                }
            }
        };
        let server = serve("127.0.0.1:0", handler).await.unwrap();
        let before = bytes_in_use();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(TcpStream::connect(server.local_addrs()[0]).await.unwrap());
        }
        // The system's buffers are full once nothing more is written for a while.
        let mut last = 0;
        while last == 0 || written.load(SeqCst) > last {
            last = written.load(SeqCst);
            sleep(300 * MS).await;
        }
        let kept = usize::try_from(bytes_in_use() - before).unwrap_or(0) / CLIENTS;
        assert!(kept <= MARK + 4 * 1024, "{kept} bytes for each");
        assert!(last / CLIENTS > MARK, "{last} bytes were written");
        server.stop_accepting();
        drop(clients);
        server.wait_closed().await;
        drop(server);
    });
    eventually("all is over", || runtime.handle().tasks().is_empty());
}

/// Says every line again.
async fn echo(stream: DuplexStream) -> io::Result<()> {
    echo_lines(&stream, &stream).await
}

#[test]
fn one_who_sends_a_byte_a_second_costs_the_others_no_time() {
    in_virtual_time(async {
        let served = || {
            let (client, server) = duplex(64);
            drop(spawn(echo(server)).report_error());
            client
        };
        let began = now();
        let slow = served();
        let slow = spawn(async move {
            let mut writer = BufWriter::new(&slow);
            for byte in [&[b'x'; 59][..], b"\n"].concat() {
                writer.write_all(&[byte]).await.unwrap();
                writer.flush().await.unwrap();
                sleep(SECOND).await;
            }
            BufReader::new(&slow).read_line().await.unwrap().len()
        });
        let quick: Vec<_> = (0..20)
            .map(|_| {
                let client = served();
                spawn(async move {
                    let (mut writer, mut reader) =
                        (BufWriter::new(&client), BufReader::new(&client));
                    for round in 0..100 {
                        let line = format!("{round}\n");
                        writer.write_all(line.as_bytes()).await.unwrap();
                        writer.flush().await.unwrap();
                        assert_eq!(reader.read_line().await.unwrap(), line.as_bytes());
                    }
                })
            })
            .collect();
        for client in quick {
            client.await.unwrap();
        }
        assert_eq!(now(), began, "time passes only where all wait");
        assert_eq!(slow.await.unwrap(), 60);
        assert_eq!(now() - began, 60 * SECOND);
    });
}
