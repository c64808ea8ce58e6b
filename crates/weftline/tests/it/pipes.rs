//! Pipes within the process, FIFOs, and terminals from both sides.

use crate::rig::{alone, bounded, until_waiting};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use weftline::fs::{self, TempDir};
use weftline::io::{BufReader, PipeReader, PipeWriter, copy, pipe};
use weftline::process::Command;
use weftline::{gather, spawn};

/// More than any pipe holds.
const LARGE: usize = 4 << 20;

/// Both ends of a pipe, of which the system's is written by the test.
fn read_by_us() -> (PipeReader, File) {
    let (reader, writer) = pipe().unwrap();
    (reader, writer.into_owned_fd().unwrap().into())
}

/// Both ends of a pipe, of which the system's is read by the test.
fn written_by_us() -> (File, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    (reader.into_owned_fd().unwrap().into(), writer)
}

/// A terminal: our side of it, and that of a program that is in it. Nothing is translated or echoed.
fn terminal() -> (OwnedFd, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = File::options().read(true).write(true).open(name).unwrap();
    let mut modes = tcgetattr(&theirs).unwrap();
    modes.make_raw();
    tcsetattr(&theirs, OptionalActions::Now, &modes).unwrap();
    (ours, theirs)
}

async fn read_some(reader: &PipeReader, count: usize) -> Vec<u8> {
    let mut buf = vec![0; count];
    reader.read_exact(&mut buf).await.unwrap();
    buf
}

#[test]
fn what_comes_through_a_pipe_is_read_and_then_the_end() {
    alone(async {
        let (reader, mut writer) = read_by_us();
        let mut buf = [0; 1024];
        writer.write_all(b"1").unwrap();
        assert_eq!(reader.read(&mut buf).await.unwrap(), 1);
        writer.write_all(b"2345").unwrap();
        assert_eq!(reader.read(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..4], b"2345");
        drop(writer);
        assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
        assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
    });
}

#[test]
fn what_is_written_to_a_pipe_is_there_at_once_and_the_end_with_the_drop() {
    alone(async {
        let (mut reader, writer) = written_by_us();
        let mut buf = [0; 1024];
        writer.write_all(b"1").await.unwrap();
        assert_eq!(reader.read(&mut buf).unwrap(), 1);
        writer.write_all(b"2345").await.unwrap();
        assert_eq!(reader.read(&mut buf).unwrap(), 4);
        drop(writer);
        assert_eq!(reader.read(&mut buf).unwrap(), 0);
    });
}

#[test]
fn writing_to_a_pipe_that_nobody_reads_is_a_broken_pipe() {
    alone(async {
        let (reader, writer) = pipe().unwrap();
        // Also for one who waits for room when the reader goes.
        let mut writing = spawn(async move {
            let error = writer.write_all(&vec![b'x'; LARGE]).await.unwrap_err();
            (writer, error)
        });
        until_waiting(&writing).await;
        drop(reader);
        let (writer, error) = bounded(&mut writing).await.expect("it is woken").unwrap();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(writer.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn more_than_a_pipe_holds_goes_through_it() {
    alone(async {
        let (mut reader, writer) = pipe().unwrap();
        let writing = spawn(async move { writer.write_all(&vec![b'x'; LARGE]).await });
        let mut all = Vec::new();
        copy(&mut reader, &mut all).await.unwrap();
        assert_eq!(all.len(), LARGE);
        writing.await.unwrap().unwrap();
    });
}

#[test]
fn a_reader_that_goes_while_it_waits_lets_the_writer_know() {
    alone(async {
        let (reader, mut writer) = read_by_us();
        let reading = spawn(async move { reader.read(&mut [0; 1]).await });
        until_waiting(&reading).await;
        reading.cancel();
        assert!(reading.await.unwrap_err().is_cancelled());
        assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_cancelled_read_of_a_pipe_loses_nothing() {
    alone(async {
        let (reader, mut writer) = read_by_us();
        let mut lines = BufReader::new(&reader);
        for number in 0..100 {
            let line = format!("line {number}\n");
            let (begin, end) = line.split_at(4);
            writer.write_all(begin.as_bytes()).unwrap();
            let limit = std::time::Duration::ZERO;
            assert!(weftline::time::timeout(limit, lines.read_line()).await.is_err());
            writer.write_all(end.as_bytes()).unwrap();
            assert_eq!(lines.read_line().await.unwrap(), line.as_bytes());
        }
    });
}

#[test]
fn a_pipe_connects_two_children() {
    alone(async {
        let (reader, writer) = pipe().unwrap();
        let mut first = Command::new("echo");
        first.arg("hello").stdout(Stdio::try_from(writer).unwrap());
        let mut second = Command::new("cat");
        second.stdin(Stdio::try_from(reader).unwrap());
        // The commands hold the ends of the pipe, too.
        let status = async move { first.status().await };
        let output = async move { second.output().await };
        let (status, output) = gather!(status, output).await.unwrap();
        assert!(status.success());
        assert_eq!(output.stdout, b"hello\n");
    });
}

#[test]
fn a_fifo_is_opened_by_both_sides_and_passes_bytes() {
    alone(async {
        let dir = TempDir::new().await.unwrap();
        let path = dir.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&path).status().await.unwrap().success());
        let mut options = fs::OpenOptions::new();
        options.write(true);
        let there = path.clone();
        let opening = async move { options.open(there).await };
        let (writer, reader) = gather!(opening, fs::File::open(path)).await.unwrap();
        let writer = PipeWriter::from_fd(writer.into_std().await.unwrap()).unwrap();
        let reader = PipeReader::from_fd(reader.into_std().await.unwrap()).unwrap();
        writer.write_all(b"hello").await.unwrap();
        assert_eq!(read_some(&reader, 5).await, b"hello");
        drop(writer);
        assert_eq!(reader.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_regular_file_is_no_pipe() {
    alone(async {
        let file = fs::tempfile().await.unwrap().into_std().await.unwrap();
        assert!(PipeReader::from_fd(file.try_clone().unwrap()).is_err());
        assert!(PipeWriter::from_fd(file).is_err());
    });
}

#[test]
fn what_a_program_says_in_a_terminal_is_read_until_it_hangs_up() {
    alone(async {
        let (ours, mut theirs) = terminal();
        let reader = PipeReader::from_fd(ours).unwrap();
        theirs.write_all(b"1").unwrap();
        assert_eq!(read_some(&reader, 1).await, b"1");
        theirs.write_all(b"2345").unwrap();
        assert_eq!(read_some(&reader, 4).await, b"2345");
        let mut reading = spawn(async move { reader.read(&mut [0; 1]).await });
        until_waiting(&reading).await;
        drop(theirs);
        let end = bounded(&mut reading).await.expect("it is woken").unwrap();
        if cfg!(target_os = "linux") {
            let error = end.unwrap_err().raw_os_error();
            assert_eq!(error, Some(rustix::io::Errno::IO.raw_os_error()));
        } else {
            assert_eq!(end.unwrap(), 0);
        }
    });
}

#[test]
fn what_is_typed_reaches_the_program_in_a_terminal() {
    alone(async {
        let (ours, mut theirs) = terminal();
        let writer = PipeWriter::from_fd(ours).unwrap();
        let mut buf = [0; 16];
        writer.write_all(b"1").await.unwrap();
        assert_eq!(theirs.read(&mut buf).unwrap(), 1);
        writer.write_all(b"2345").await.unwrap();
        assert_eq!(theirs.read(&mut buf).unwrap(), 4);
        assert_eq!(&buf[..4], b"2345");
    });
}

#[test]
fn a_terminal_goes_in_both_directions_from_both_sides() {
    alone(async {
        let (ours, theirs) = terminal();
        let ends = |fd: OwnedFd| {
            let other = fd.try_clone().unwrap();
            (PipeReader::from_fd(fd).unwrap(), PipeWriter::from_fd(other).unwrap())
        };
        let (screen, keyboard) = ends(ours);
        let (input, output) = ends(theirs.into());
        for round in 0..20_u8 {
            keyboard.write_all(&[round; 10]).await.unwrap();
            assert_eq!(read_some(&input, 10).await, [round; 10]);
            output.write_all(&[round + 1; 20]).await.unwrap();
            assert_eq!(read_some(&screen, 20).await, [round + 1; 20]);
        }
        // One direction may be let go, and the other goes on.
        drop(screen);
        keyboard.write_all(b"still").await.unwrap();
        assert_eq!(read_some(&input, 5).await, b"still");
    });
}

#[test]
fn a_program_runs_in_a_terminal() {
    alone(async {
        let (ours, theirs) = terminal();
        let descriptor = || Stdio::from(theirs.as_fd().try_clone_to_owned().unwrap());
        let mut command = Command::shell("test -t 0 && read line && echo \"<$line>\"");
        command.stdin(descriptor()).stdout(descriptor());
        let child = command.spawn().unwrap();
        let keyboard = PipeWriter::from_fd(ours.try_clone().unwrap()).unwrap();
        let mut screen = BufReader::new(PipeReader::from_fd(ours).unwrap());
        keyboard.write_all(b"hello\n").await.unwrap();
        assert_eq!(screen.read_line().await.unwrap(), b"<hello>\n");
        assert!(child.wait().await.unwrap().success());
    });
}
