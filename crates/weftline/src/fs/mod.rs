//! Files and directories: std's functions and types, with what may block on threads that are there for it.
//!
//! Regular files cannot be waited for as sockets can, so each call is made by one of the runtime's threads for
//! blocking jobs, while the worker goes on. Names and meanings are those of `std::fs`.
//!
//! ```
//! use weftline::fs;
//! use weftline::io::BufReader;
//!
//! # weftline::run(async {
//! let dir = fs::TempDir::new().await?;
//! let path = dir.path().join("notes.txt");
//! fs::write(&path, "one\ntwo\n").await?;
//!
//! let mut lines = BufReader::new(fs::File::open(&path).await?);
//! assert_eq!(lines.read_line().await?, b"one\n");
//! assert_eq!(lines.read_line().await?, b"two\n");
//!
//! let error = fs::read(dir.path().join("none")).await.unwrap_err();
//! assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
//! dir.close().await
//! # }).unwrap();
//! ```
//!
//! # Guarantees
//!
//! - **What a write has taken is in the file.** A [`File`] holds nothing back, as std's does not: when a write
//!   returns, the system has the bytes. Dropping a file needs no flush before it. Whoever writes in small pieces
//!   puts a [`BufWriter`](crate::io::BufWriter) around it, or makes one trip to another thread for each.
//! - **Calls on one file happen in their order**, also those whose caller has gone.
//! - **A cancelled read loses no bytes**, and a cancelled write is made or not made; see [`File`].
//! - **What cleans up may use files.** While the runtime ends, calls are made as ever, until its grace is over.
//!
//! # Errors
//!
//! All functions here fail as std's do, with the same [`kind`](std::io::Error::kind). Where a path was given, the text names it, and
//! std's error, with its number, is the source:
//!
//! ```
//! # weftline::run(async {
//! let error = weftline::fs::read("/none").await.unwrap_err();
//! assert!(error.to_string().starts_with("cannot read /none: "));
//! let by_the_system = error.get_ref().and_then(|error| error.source()).unwrap();
//! assert!(by_the_system.is::<std::io::Error>());
//! # });
//! ```
//!
//! Outside of a runtime they fail, with an error that says so; so they do once it has shut down.
//!
//! # Cancel safety
//!
//! A call that has begun runs to its end on its thread, unheard; one that has not is not made. So what a cancelled function
//! was to do is done or not done, and nobody knows which. [`File`] and [`ReadDir`] say more.
//!
//! Inside: `errand` is one call, `file/trip.rs` what a file does on another thread; `docs/files.md` tells what runs where.

mod calls;
pub(crate) mod errand;
mod failure;
mod file;
mod open_options;
mod read_dir;
mod temporary;

#[cfg(unix)]
pub use calls::symlink;
pub use calls::{
    canonicalize, copy, create_dir, create_dir_all, hard_link, metadata, read, read_link,
    read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions,
    symlink_metadata, try_exists, write,
};
pub use file::File;
pub use open_options::OpenOptions;
pub use read_dir::{DirEntry, ReadDir, read_dir};
pub use std::fs::{FileType, Metadata, Permissions};
pub use temporary::{NamedTempFile, TempDir, tempfile};
