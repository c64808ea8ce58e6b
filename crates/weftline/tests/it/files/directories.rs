//! Directories, links, permissions, and what is temporary.

use super::{file_with, try_once};
use crate::rig::{alone, eventually, within_limit};
use futures_core::Stream;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use weftline::fs::{self, NamedTempFile, TempDir};

#[test]
fn a_directory_is_read_to_its_end_each_entry_once() {
    alone(async {
        let dir = TempDir::new().await.unwrap();
        for count in [0, 1, 64, 65, 300] {
            let path = dir.path().join(count.to_string());
            fs::create_dir(&path).await.unwrap();
            let expected: BTreeSet<String> = (0..count).map(|number| number.to_string()).collect();
            for name in &expected {
                std::fs::write(path.join(name), name).unwrap();
            }
            let mut entries = fs::read_dir(&path).await.unwrap();
            let (mut found, mut given) = (BTreeSet::new(), 0);
            while let Some(entry) =
                poll_fn(|cx| Pin::new(&mut entries).poll_next(cx)).await.transpose().unwrap()
            {
                assert!(entry.file_type().await.unwrap().is_file());
                assert_eq!(entry.path(), path.join(entry.file_name()));
                found.insert(entry.file_name().into_string().unwrap());
                given += 1;
            }
            assert_eq!((found, given), (expected, count));
            assert!(entries.next_entry().await.unwrap().is_none());
        }
    });
}

#[test]
fn a_cancelled_wait_for_an_entry_loses_none() {
    alone(async {
        let dir = TempDir::new().await.unwrap();
        for number in 0..200 {
            std::fs::write(dir.path().join(number.to_string()), "").unwrap();
        }
        let mut entries = fs::read_dir(dir.path()).await.unwrap();
        let mut given = 0;
        while given < 200 {
            // Whether this one waits or not: each entry is given out once.
            let polled = try_once(entries.next_entry()).await;
            given += usize::from(matches!(polled, Some(Ok(Some(_)))));
            if polled.is_none() {
                given += usize::from(entries.next_entry().await.unwrap().is_some());
            }
        }
        assert!(entries.next_entry().await.unwrap().is_none());
    });
}

#[test]
fn what_is_made_is_found_renamed_and_removed() {
    alone(async {
        let (dir, path) = file_with(b"hello").await;
        let deep = dir.path().join("a/b/c");
        assert!(fs::create_dir(&deep).await.is_err());
        fs::create_dir_all(&deep).await.unwrap();
        let (new, third) = (deep.join("new"), deep.join("third"));
        fs::hard_link(&path, &new).await.unwrap();
        fs::rename(&path, &third).await.unwrap();
        assert!(!fs::try_exists(&path).await.unwrap());
        assert_eq!(fs::read_to_string(&new).await.unwrap(), "hello");
        assert_eq!(fs::remove_dir(&deep).await.unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
        fs::remove_file(&new).await.unwrap();
        fs::remove_file(&third).await.unwrap();
        fs::remove_dir(&deep).await.unwrap();
        fs::remove_dir_all(dir.path().join("a")).await.unwrap();
        assert!(!fs::try_exists(dir.path().join("a")).await.unwrap());
        dir.close().await.unwrap();
    });
}

#[cfg(unix)]
#[test]
fn links_and_permissions_are_as_in_std() {
    use std::os::unix::fs::PermissionsExt;

    alone(async {
        let (dir, path) = file_with(b"hello").await;
        let link = dir.path().join("link");
        fs::symlink(&path, &link).await.unwrap();
        assert_eq!(fs::read_link(&link).await.unwrap(), path);
        assert!(fs::symlink_metadata(&link).await.unwrap().is_symlink());
        assert!(fs::metadata(&link).await.unwrap().is_file());
        assert_eq!(fs::canonicalize(&link).await.unwrap(), std::fs::canonicalize(&path).unwrap());
        let permissions = fs::Permissions::from_mode(0o640);
        fs::set_permissions(&path, permissions.clone()).await.unwrap();
        assert_eq!(fs::metadata(&path).await.unwrap().permissions().mode() & 0o777, 0o640);
        let file = fs::File::open(&path).await.unwrap();
        file.set_permissions(fs::Permissions::from_mode(0o600)).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().permissions().mode() & 0o777, 0o600);
        let mode = fs::metadata(dir.path()).await.unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "others may not look into a temporary directory");
    });
}

#[test]
fn a_temporary_directory_goes_when_it_is_closed_dropped_or_never_given_out() {
    within_limit(|| {
        let runtime = crate::rig::runtime();
        runtime.block_on(async {
            let outer = TempDir::new().await.unwrap();
            let count = || std::fs::read_dir(outer.path()).unwrap().count();
            let inner = TempDir::new_in(outer.path()).await.unwrap();
            fs::write(inner.path().join("file"), "x").await.unwrap();
            inner.close().await.unwrap();
            assert_eq!(count(), 0);
            let inner = TempDir::new_in(outer.path()).await.unwrap();
            fs::write(inner.path().join("file"), "x").await.unwrap();
            drop(inner);
            assert_eq!(count(), 0);
            try_once(TempDir::new_in(outer.path())).await;
            try_once(TempDir::new_in(outer.path()).await.unwrap().close()).await;
            try_once(NamedTempFile::new_in(outer.path())).await;
            eventually("all of them are gone", || count() == 0);
            let kept = TempDir::new_in(outer.path()).await.unwrap().keep();
            assert!(fs::try_exists(kept).await.unwrap());
        });
    });
}

#[test]
fn a_file_is_replaced_as_a_whole_or_not_at_all() {
    alone(async {
        let (dir, path) = file_with(b"old").await;
        let mut file = NamedTempFile::new_in(dir.path()).await.unwrap();
        file.as_file_mut().write_all(b"new").await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        let mut file = file.persist(&path).await.unwrap();
        file.write_all(b"er").await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"newer");

        let file = NamedTempFile::new_in(dir.path()).await.unwrap();
        let error = file.persist(dir.path().join("none/settings")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "the rest was removed");
    });
}
