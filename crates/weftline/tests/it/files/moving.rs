//! Bytes to and from a file.

use super::file_with;
use crate::rig::{alone, in_virtual_time, within_limit};
use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};
use std::future::poll_fn;
use std::io::{ErrorKind, SeekFrom};
use std::pin::Pin;
use std::time::Duration;
use weftline::fs::{self, File, OpenOptions};
use weftline::io::{BufReader, BufWriter, copy};
use weftline::time::timeout;
use weftline::{Runtime, gather, spawn};

/// More than one trip to another thread moves.
const LARGE: usize = 3 << 20;

/// Bytes of which no two neighbours are alike.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

#[test]
fn what_a_write_has_taken_is_in_the_file_without_a_flush() {
    alone(async {
        let (_dir, path) = file_with(b"").await;
        let mut file = File::create(&path).await.unwrap();
        let mut length = 0;
        for piece in pattern(1000).chunks(37) {
            length += file.write(piece).await.unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().len(), length as u64);
        }
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), pattern(1000));
    });
}

#[test]
fn large_contents_come_back_as_they_were() {
    alone(async {
        let (dir, path) = file_with(b"").await;
        let mut file = File::create(&path).await.unwrap();
        file.write_all(&pattern(LARGE)).await.unwrap();
        let mut file = File::open(&path).await.unwrap();
        let mut all = Vec::new();
        assert_eq!(file.read_to_end(&mut all).await.unwrap(), LARGE);
        assert!(all == pattern(LARGE) && fs::read(&path).await.unwrap() == all);

        let other = dir.path().join("other");
        assert_eq!(fs::copy(&path, &other).await.unwrap(), LARGE as u64);
        file.seek(SeekFrom::Start(0)).await.unwrap();
        let mut third = File::create(dir.path().join("third")).await.unwrap();
        assert_eq!(copy(&mut file, &mut third).await.unwrap(), LARGE as u64);
        assert!(std::fs::read(&other).unwrap() == all);
        assert!(std::fs::read(dir.path().join("third")).unwrap() == all);
    });
}

#[test]
fn a_read_takes_what_there_is_room_for_and_the_end_is_zero() {
    alone(async {
        let (_dir, path) = file_with(b"hello world").await;
        let mut file = File::open(&path).await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(file.read(&mut []).await.unwrap(), 0);
        assert_eq!(file.read(&mut buf[..5]).await.unwrap(), 5);
        assert_eq!(&buf[..5], b"hello");
        assert_eq!(file.read(&mut buf).await.unwrap(), 6);
        assert_eq!(file.read(&mut buf).await.unwrap(), 0);
        let error = file.read_exact(&mut buf).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn a_place_is_sought_as_in_std() {
    alone(async {
        let (_dir, path) = file_with(b"0123456789").await;
        let mut file = OpenOptions::new().read(true).write(true).open(&path).await.unwrap();
        let mut two = [0; 2];
        assert_eq!(file.seek(SeekFrom::End(-4)).await.unwrap(), 6);
        file.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"67");
        assert_eq!(file.seek(SeekFrom::Current(-4)).await.unwrap(), 4);
        file.write_all(b"xy").await.unwrap();
        assert_eq!(file.seek(SeekFrom::Current(0)).await.unwrap(), 6);
        assert!(file.seek(SeekFrom::Current(-7)).await.is_err());
        file.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"67");
        file.set_len(7).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"0123xy6");
    });
}

#[test]
fn the_traits_do_as_the_methods() {
    alone(async {
        let (_dir, path) = file_with(b"hello").await;
        let mut file = OpenOptions::new().read(true).write(true).open(&path).await.unwrap();
        let mut buf = [0; 16];
        let read = poll_fn(|cx| Pin::new(&mut file).poll_read(cx, &mut buf)).await.unwrap();
        assert_eq!(&buf[..read], b"hello");
        let written = poll_fn(|cx| Pin::new(&mut file).poll_write(cx, b" world")).await;
        assert_eq!(written.unwrap(), 6);
        let to = SeekFrom::Start(4);
        assert_eq!(poll_fn(|cx| Pin::new(&mut file).poll_seek(cx, to)).await.unwrap(), 4);
        poll_fn(|cx| Pin::new(&mut file).poll_flush(cx)).await.unwrap();
        poll_fn(|cx| Pin::new(&mut file).poll_close(cx)).await.unwrap();
        let mut rest = String::new();
        file.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "o world");
    });
}

#[test]
fn small_pieces_go_through_the_buffers_for_any_stream() {
    alone(async {
        let (_dir, path) = file_with(b"").await;
        let mut writer = BufWriter::new(File::create(&path).await.unwrap());
        for number in 0..10_000 {
            writer.write_all(format!("line {number}\n").as_bytes()).await.unwrap();
        }
        writer.flush().await.unwrap();
        let mut reader = BufReader::new(File::open(&path).await.unwrap());
        for number in 0..10_000 {
            assert_eq!(reader.read_line().await.unwrap(), format!("line {number}\n").as_bytes());
        }
        assert!(reader.read_line().await.unwrap().is_empty());
    });
}

#[test]
fn clones_share_one_place_and_appending_goes_to_the_end() {
    alone(async {
        let (_dir, path) = file_with(b"0123").await;
        let mut one = File::open(&path).await.unwrap();
        let mut other = one.try_clone().await.unwrap();
        let mut two = [0; 2];
        one.read_exact(&mut two).await.unwrap();
        other.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"23");
        let mut log = OpenOptions::new().append(true).open(&path).await.unwrap();
        std::fs::write(&path, "012345").unwrap();
        log.write_all(b"6").await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"0123456");
    });
}

#[test]
fn a_file_becomes_that_of_std_and_back() {
    alone(async {
        let (_dir, path) = file_with(b"0123456789").await;
        let mut file = File::from(std::fs::File::open(&path).unwrap());
        file.read_exact(&mut [0; 4]).await.unwrap();
        assert_eq!(file.as_std().metadata().unwrap().len(), 10);
        let mut file = file.into_std().await.unwrap();
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut file, &mut rest).unwrap();
        assert_eq!(rest, "456789");
    });
}

#[test]
fn an_error_has_the_kind_of_std_and_names_the_path() {
    alone(async {
        let (dir, path) = file_with(b"\xFF").await;
        let none = dir.path().join("none");
        let named = none.to_string_lossy().into_owned();
        let errors = [
            fs::read(&none).await.unwrap_err(),
            File::open(&none).await.unwrap_err(),
            fs::read_dir(&none).await.unwrap_err(),
            fs::rename(&none, &path).await.unwrap_err(),
            fs::metadata(&none).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(error.to_string().contains(&named), "{error}");
        }
        assert_eq!(fs::read_to_string(&path).await.unwrap_err().kind(), ErrorKind::InvalidData);
        let error = File::create_new(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        // A file that may not be written says so with the write that fails.
        let mut file = File::open(&path).await.unwrap();
        assert!(file.write(b"x").await.is_err());
        assert!(file.flush().await.is_ok(), "an error is told once");
    });
}

#[test]
fn outside_of_a_runtime_there_is_an_error() {
    within_limit(|| {
        let error = super::polled_once(fs::read("file")).unwrap().unwrap_err();
        assert!(error.to_string().contains("runtime"), "{error}");
    });
}

#[test]
fn many_files_are_used_at_once() {
    alone(async {
        let (dir, _) = file_with(b"").await;
        let writers: Vec<_> = (0..50)
            .map(|number| {
                let path = dir.path().join(number.to_string());
                spawn(async move {
                    let mut file = File::create(&path).await.unwrap();
                    for piece in pattern(20_000).chunks(1000) {
                        file.write_all(piece).await.unwrap();
                    }
                    assert_eq!(fs::read(&path).await.unwrap(), pattern(20_000));
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        // The threads take what there is in any order, and each caller gets its own.
        let path = dir.path().join("1");
        let (read, metadata) = gather!(fs::read(path.clone()), fs::metadata(path)).await.unwrap();
        assert_eq!(read.len() as u64, metadata.len());
    });
}

#[test]
fn virtual_time_stands_still_while_a_file_is_used() {
    in_virtual_time(async {
        let (_dir, path) = file_with(b"").await;
        let using = async {
            fs::write(&path, pattern(LARGE)).await.unwrap();
            fs::read(&path).await.unwrap().len()
        };
        assert_eq!(timeout(Duration::from_nanos(1), using).await.unwrap(), LARGE);
    });
}

#[test]
fn a_deterministic_runtime_uses_files() {
    within_limit(|| {
        let runtime = Runtime::builder().deterministic(7).build().unwrap();
        runtime.block_on(async {
            let (_dir, path) = file_with(b"hello").await;
            let read = spawn(async move { fs::read(path).await.unwrap() });
            assert_eq!(read.await.unwrap(), b"hello");
        });
    });
}
