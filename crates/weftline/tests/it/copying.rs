//! Copying, pipes in memory, and files that go to sockets.

use crate::rig::{bounded, either, in_virtual_time, until_waiting, within_limit};
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Seek, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use weftline::io::{
    AsyncRead, AsyncWrite, BufReader, BufWriter, DuplexStream, copy, copy_bidirectional, duplex,
    send_file,
};
use weftline::net::{TcpListener, TcpStream};
use weftline::time::timeout;

async fn write(mut end: &DuplexStream, data: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut end).poll_write(cx, data)).await
}

async fn read(mut end: &DuplexStream, count: usize) -> io::Result<Vec<u8>> {
    let mut buf = vec![0; count];
    let count = poll_fn(|cx| Pin::new(&mut end).poll_read(cx, &mut buf)).await?;
    buf.truncate(count);
    Ok(buf)
}

async fn close(mut end: &DuplexStream) {
    poll_fn(|cx| Pin::new(&mut end).poll_close(cx)).await.unwrap();
}

#[test]
fn a_pipe_holds_its_capacity_and_who_writes_more_waits() {
    in_virtual_time(async {
        let (ours, theirs) = duplex(4);
        assert_eq!(write(&ours, b"hello").await.unwrap(), 4);
        assert!(timeout(Duration::from_secs(1), write(&ours, b"o")).await.is_err());
        let writing = weftline::spawn(async move { (write(&ours, b"o!").await, ours) });
        until_waiting(&writing).await;
        assert_eq!(read(&theirs, 1).await.unwrap(), b"h");
        let (written, ours) = writing.await.unwrap();
        assert_eq!(written.unwrap(), 1);
        close(&ours).await;
        let mut all = Vec::new();
        BufReader::new(&theirs).read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"ello");
        // The other direction is open.
        assert_eq!(write(&theirs, b"hey").await.unwrap(), 3);
        assert_eq!(read(&ours, 9).await.unwrap(), b"hey");
        assert_eq!(write(&ours, b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn an_end_that_is_dropped_wakes_the_other_in_both_directions() {
    in_virtual_time(async {
        let (ours, theirs) = duplex(4);
        let reading = weftline::spawn(async move { (read(&ours, 1).await, ours) });
        until_waiting(&reading).await;
        write(&theirs, b"last").await.unwrap();
        let (_, ours) = reading.await.unwrap();
        write(&ours, b"full").await.unwrap();
        let writing = weftline::spawn(async move { (write(&ours, b"x").await, ours) });
        until_waiting(&writing).await;
        drop(theirs);
        let (written, ours) = writing.await.unwrap();
        assert_eq!(written.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(read(&ours, 9).await.unwrap(), b"ast", "what was written before is there");
        assert_eq!(read(&ours, 9).await.unwrap(), b"");

        let (ours, theirs) = duplex(4);
        let reading = weftline::spawn(async move { read(&ours, 1).await });
        until_waiting(&reading).await;
        drop(theirs);
        assert_eq!(reading.await.unwrap().unwrap(), b"");
    });
}

#[test]
fn closing_ends_a_write_that_waits_for_room() {
    in_virtual_time(async {
        let (ours, _theirs) = duplex(4);
        write(&ours, b"full").await.unwrap();
        let ours = Arc::new(ours);
        let mut writing = weftline::spawn({
            let ours = ours.clone();
            async move { write(&ours, b"x").await }
        });
        until_waiting(&writing).await;
        close(&ours).await;
        let written = bounded(&mut writing).await.expect("it was woken");
        assert_eq!(written.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_pipe_passes_everything_between_two_workers() {
    within_limit(|| {
        weftline::run(async {
            let (ours, theirs) = duplex(7);
            let writing = weftline::spawn(async move {
                let mut writer = BufWriter::with_capacity(5, &ours);
                for number in 0..20_000_u32 {
                    writer.write_all(&number.to_le_bytes()).await.unwrap();
                }
                writer.close().await.unwrap();
            });
            let reading = weftline::spawn(async move {
                let mut reader = BufReader::new(theirs);
                let mut bytes = [0; 4];
                for number in 0..20_000_u32 {
                    reader.read_exact(&mut bytes).await.unwrap();
                    assert_eq!(u32::from_le_bytes(bytes), number);
                }
                assert_eq!(reader.read(&mut bytes).await.unwrap(), 0);
            });
            writing.await.unwrap();
            reading.await.unwrap();
        });
    });
}

#[test]
fn copying_flushes_while_it_waits_and_gives_the_count() {
    in_virtual_time(async {
        let (source, mut reader) = duplex(64);
        let (writer, sink) = duplex(64);
        let copying = weftline::spawn(async move {
            // A writer that holds back what is not flushed.
            let mut writer = BufWriter::new(writer);
            let copied = copy(&mut reader, &mut writer).await;
            (copied, writer)
        });
        write(&source, b"hello").await.unwrap();
        assert_eq!(read(&sink, 9).await.unwrap(), b"hello");
        write(&source, b"world").await.unwrap();
        close(&source).await;
        let (copied, _writer) = copying.await.unwrap();
        assert_eq!(copied.unwrap(), 10);
        assert_eq!(read(&sink, 9).await.unwrap(), b"world");
        let more = timeout(Duration::from_secs(1), read(&sink, 9)).await;
        assert!(more.is_err(), "the writer was not closed");
    });
}

#[test]
fn copying_ends_with_the_first_failure() {
    in_virtual_time(async {
        let (mut writer, sink) = duplex(4);
        drop(sink);
        let error = copy(&mut &b"hello"[..], &mut writer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_proxy_passes_the_end_of_one_direction_on_while_the_other_goes_on() {
    in_virtual_time(async {
        let (client, mut a) = duplex(4);
        let (mut b, server) = duplex(4);
        let proxy = weftline::spawn(async move { copy_bidirectional(&mut a, &mut b).await });
        write(&client, b"ask").await.unwrap();
        close(&client).await;
        let mut asked = Vec::new();
        BufReader::new(&server).read_to_end(&mut asked).await.unwrap();
        assert_eq!(asked, b"ask");
        assert!(!proxy.is_finished());

        let answering = weftline::spawn(async move {
            let mut writer = BufWriter::new(&server);
            writer.write_all(b"a long answer").await.unwrap();
            writer.close().await.unwrap();
        });
        let mut answer = Vec::new();
        BufReader::new(&client).read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"a long answer");
        answering.await.unwrap();
        assert_eq!(proxy.await.unwrap().unwrap(), (3, 13));
    });
}

/// One side of a proxy that never waits: it has something to read for a long time, and takes whatever
/// is written.
struct Tireless {
    left: usize,
    taken: Arc<AtomicUsize>,
}

impl AsyncRead for Tireless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let count = buf.len().min(self.left);
        self.left -= count;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Tireless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.taken.fetch_add(data.len(), Ordering::Relaxed);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_direction_that_never_waits_does_not_hold_up_the_other() {
    for few_come_from_a in [false, true] {
        in_virtual_time(async move {
            let side = |has_few| {
                let taken = Arc::new(AtomicUsize::new(0));
                let left = if has_few { 5 } else { usize::MAX };
                (Tireless { left, taken: taken.clone() }, taken)
            };
            let ((mut a, a_taken), (mut b, b_taken)) =
                (side(few_come_from_a), side(!few_come_from_a));
            let proxy = weftline::spawn(async move { copy_bidirectional(&mut a, &mut b).await });
            let few = if few_come_from_a { b_taken } else { a_taken };
            for _ in 0..10 {
                weftline::yield_now().await;
            }
            assert_eq!(few.load(Ordering::Relaxed), 5);
            assert!(proxy.cancel(), "it goes on");
        });
    }
}

/// A file with that many bytes, and they.
fn file_of(count: u32) -> (File, Vec<u8>) {
    let bytes: Vec<u8> = (0..count / 4).flat_map(u32::to_le_bytes).collect();
    let name = format!("weftline-send-{}-{:p}", std::process::id(), &bytes);
    let path = std::env::temp_dir().join(name);
    let mut file = File::options().create(true).truncate(true).read(true).write(true).open(&path);
    let file = file.as_mut().unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(&bytes).unwrap();
    file.seek(io::SeekFrom::Start(3)).unwrap();
    (file.try_clone().unwrap(), bytes)
}

async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// Sends ranges of a file in the way that `prepare` makes necessary.
async fn send_ranges(prepare: impl Fn(&TcpStream)) {
    let (mut file, bytes) = file_of(4_000_000);
    let (client, server) = connected().await;
    prepare(&client);
    let reading = weftline::spawn(async move {
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        all
    });
    let socket = client.as_async();
    assert_eq!(send_file(socket, &file, ..).await.unwrap(), 4_000_000);
    assert_eq!(send_file(socket, &file, 5..=9).await.unwrap(), 5);
    assert_eq!(send_file(socket, &file, 3_999_990..5_000_000).await.unwrap(), 10);
    assert_eq!(send_file(socket, &file, 7..7).await.unwrap(), 0);
    assert_eq!(send_file(socket, &file, 5_000_000..).await.unwrap(), 0);
    assert_eq!(file.stream_position().unwrap(), 3);
    drop(client);
    let expected = [&bytes[..], &bytes[5..=9], &bytes[3_999_990..]].concat();
    assert!(reading.await.unwrap() == expected);
}

#[test]
fn a_file_goes_to_a_socket_by_ranges() {
    within_limit(|| weftline::run(send_ranges(|_| {})));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_the_kernel_does_not_send_is_sent_by_hand() {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    within_limit(|| {
        weftline::run(async {
            // What appends is refused by sendfile.
            send_ranges(|client| {
                let flags = fcntl_getfl(client).unwrap();
                fcntl_setfl(client, flags | OFlags::APPEND).unwrap();
            })
            .await;
        });
    });
}

#[test]
fn a_socket_goes_on_after_the_sending_of_a_file_was_cancelled() {
    within_limit(|| {
        weftline::run(async {
            let (mut file, bytes) = file_of(40_000_000);
            let (client, server) = connected().await;
            // Dropped where it waits for room, which nobody makes.
            either(send_file(client.as_async(), &file, ..), server.peek(&mut [0; 1])).await;
            assert_eq!(file.stream_position().unwrap(), 3);
            let reading = weftline::spawn(async move {
                let mut all = Vec::new();
                server.read_to_end(&mut all).await.unwrap();
                all
            });
            client.write_all(b"and so on").await.unwrap();
            drop(client);
            let all = reading.await.unwrap();
            let sent = all.strip_suffix(b"and so on").expect("what was written after it");
            assert!(!sent.is_empty() && sent.len() < bytes.len() && *sent == bytes[..sent.len()]);
        });
    });
}

#[test]
fn a_file_that_is_not_sent_to_its_end_says_how_far_it_came() {
    within_limit(|| {
        weftline::run(async {
            let (file, _) = file_of(40_000_000);
            let (client, server) = connected().await;
            let sending =
                weftline::spawn(async move { send_file(client.as_async(), &file, 1000..).await });
            server.read_exact(&mut vec![0; 100_000]).await.unwrap();
            // With data unread, which is a reset.
            drop(server);
            let error = sending.await.unwrap().unwrap_err();
            assert!((100_000..39_999_000).contains(&error.sent), "{error}");
            assert!(error.to_string().starts_with(&format!("{} bytes", error.sent)));
            let kind = io::Error::from(error).kind();
            assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind}");
        });
    });
}
