//! What happens between listing a file and reading it, one step at a time.

use super::findings::{File, Skipped};
use super::options::Options;
use super::read::{self, PIECE, Part};
use super::search::Search;
use super::walk::{self, Folder, Listing};
use clap::Parser;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use weftline::{Handle, Runtime};

/// A search that has not begun.
fn search() -> Search {
    Search::new(&Options::parse_from(["dupes", "--min-size", "0", "."]))
}

fn list(search: &Search, path: &Path) -> Listing {
    walk::list(search, Folder { path: path.to_owned(), device: 0, is_root: true })
}

/// A listed file whose content is `content`.
fn listed(search: &Search, content: &[u8]) -> (TempDir, File) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), content).unwrap();
    let file = list(search, folder.path()).files.remove(0);
    (folder, file)
}

/// Reads a file that cannot be read, and gives the one problem that this makes.
#[track_caller]
fn refused(search: &Search, file: &File, part: Part) -> &'static str {
    assert_eq!(read::hash(search, file, part), None);
    let report = search.report();
    assert_eq!(report.problems.len(), 1);
    assert_eq!(report.problems[0].path.0, file.names[0]);
    report.problems[0].kind
}

#[test]
fn a_file_that_vanishes_is_told() {
    let search = search();
    let (_folder, file) = listed(&search, b"here");
    fs::remove_file(&file.names[0]).unwrap();
    assert_eq!(refused(&search, &file, Part::Whole), "vanished");
}

#[test]
fn a_folder_that_vanishes_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inner")).unwrap();
    let search = search();
    let inner = list(&search, folder.path()).folders.remove(0);
    fs::remove_dir(&inner.path).unwrap();
    let listing = walk::list(&search, inner);
    assert_eq!(listing.findings.problems[0].skipped, Skipped::Vanished);
    assert_eq!(listing.findings.folders, 0);

    // One that was given is missed more.
    let inner = list(&search, &folder.path().join("inner"));
    assert_eq!(inner.findings.problems[0].skipped, Skipped::Root);
}

#[test]
fn a_file_that_grows_or_shrinks_is_told() {
    for size in [0, 3, 5] {
        let search = search();
        let (_folder, file) = listed(&search, b"four");
        fs::write(&file.names[0], vec![b'x'; size]).unwrap();
        assert_eq!(refused(&search, &file, Part::Start), "changed", "now {size} bytes");
    }
}

#[test]
fn another_file_in_its_place_is_told() {
    let search = search();
    let (folder, file) = listed(&search, b"four");
    // Written before the first one is gone, which might otherwise leave it its inode.
    fs::write(folder.path().join("other"), b"four").unwrap();
    fs::rename(folder.path().join("other"), &file.names[0]).unwrap();
    assert_eq!(refused(&search, &file, Part::Whole), "changed");
}

#[test]
fn a_fifo_in_its_place_keeps_nobody_waiting() {
    let search = search();
    let (folder, file) = listed(&search, b"four");
    let fifo = folder.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
    fs::rename(&fifo, &file.names[0]).unwrap();
    assert_eq!(refused(&search, &file, Part::Start), "changed");
}

#[test]
fn a_link_in_its_place_is_not_followed() {
    let search = search();
    let (folder, file) = listed(&search, b"four");
    let moved = folder.path().join("moved");
    fs::rename(&file.names[0], &moved).unwrap();
    symlink(&moved, &file.names[0]).unwrap();
    assert_eq!(refused(&search, &file, Part::Whole), "unreadable");
}

#[test]
fn a_stopped_search_reads_nothing_and_blames_nobody() {
    let search = search();
    let (folder, file) = listed(&search, b"four");
    assert!(!search.stop(), "it was not stopped before");
    assert!(search.stop());
    assert_eq!(read::hash(&search, &file, Part::Whole), None);
    assert!(list(&search, folder.path()).files.is_empty());
    let report = search.report();
    assert!(report.problems.is_empty());
    assert!(report.interrupted);
}

#[test]
fn what_is_read_is_hashed_by_jobs_of_the_workers() {
    let search = search();
    let content = vec![b'x'; 3 * PIECE + 1];
    let (_folder, file) = listed(&search, &content);
    let jobs = Arc::new(AtomicUsize::new(0));
    let count = jobs.clone();
    let runtime = Runtime::builder().max_relief_workers(0).on_task_poll_start(move |_| {
        if Handle::current().worker_index().is_some() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let runtime = runtime.build().unwrap();
    let _entered = runtime.handle().enter();
    assert_eq!(read::hash(&search, &file, Part::Whole), Some(blake3::hash(&content)));
    // The rest that is no whole piece is not worth another thread.
    assert_eq!(jobs.load(Ordering::Relaxed), 3);
}

#[test]
fn sizes_have_letters() {
    let min_size =
        |text| Options::try_parse_from(["dupes", "--min-size", text, "."]).map(|o| o.min_size);
    assert_eq!(min_size("4096").unwrap(), 4096);
    assert_eq!(min_size("4K").unwrap(), 4096);
    assert_eq!(min_size("3m").unwrap(), 3 << 20);
    assert_eq!(min_size("1G").unwrap(), 1 << 30);
    for text in ["", "K", "1.5M", "-1", "4T", "18446744073709551616", "18446744073709551615K"] {
        assert!(min_size(text).is_err(), "{text:?}");
    }
}
