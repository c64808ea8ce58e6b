//! What a search has found so far; `report.rs` puts it in order.

use blake3::Hash;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;

/// A file, with all names it was found under.
#[derive(Clone, Debug)]
pub struct File {
    /// Its names in order: more than one where there are hard links.
    pub names: Vec<PathBuf>,
    /// Its size in bytes when it was listed.
    pub size: u64,
    /// The device and the inode number: what the names of one file have in common.
    pub id: (u64, u64),
}

/// Why something was not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skipped {
    /// A folder or file given that is not there, or is neither.
    Root,
    /// A folder or file given that is inside of another one given.
    Repeated,
    /// A folder or file that the system refuses to give.
    Unreadable,
    /// A file or folder that was listed, and was gone when its turn came.
    Vanished,
    /// A file that was not, or did not stay, as it was listed.
    Changed,
    /// Another name of a file: it takes no room of its own.
    HardLink,
    /// A symbolic link.
    SymbolicLink,
    /// A fifo, a socket or a device.
    Special,
    /// A folder on another file system.
    OtherFileSystem,
    /// A file without content.
    Empty,
    /// Another file below the least size.
    TooSmall,
}

impl Skipped {
    /// What an error in the middle of a search means.
    pub fn by(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Vanished,
            _ => Self::Unreadable,
        }
    }
}

/// Something skipped that its owner may want to look after.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What could not be compared.
    pub path: PathBuf,
    /// The kind of reason.
    pub skipped: Skipped,
    /// The reason.
    pub reason: String,
}

/// What was found in one place, or by one search.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The folders listed.
    pub folders: u64,
    /// Those of them with nothing in them.
    pub empty_folders: u64,
    /// The names of files that are large enough.
    pub files: u64,
    /// Their sizes in bytes, hard links counted each.
    pub bytes: u64,
    /// How often something was skipped.
    pub skipped: BTreeMap<Skipped, u64>,
    /// What was skipped that should not have been.
    pub problems: Vec<Problem>,
    /// The files that were read whole, by size and hash.
    pub same: HashMap<(u64, Hash), Vec<File>>,
}

impl Findings {
    /// Counts what is skipped.
    pub fn skip(&mut self, skipped: Skipped, count: usize) {
        if count > 0 {
            *self.skipped.entry(skipped).or_default() += count as u64;
        }
    }

    /// Counts what is skipped, and keeps the reason.
    pub fn problem(&mut self, path: PathBuf, skipped: Skipped, reason: impl ToString) {
        self.skip(skipped, 1);
        self.problems.push(Problem { path, skipped, reason: reason.to_string() });
    }

    /// Takes in what a listing has found; listings compare nothing.
    pub fn add_listing(&mut self, listing: Findings) {
        self.folders += listing.folders;
        self.empty_folders += listing.empty_folders;
        self.files += listing.files;
        self.bytes = self.bytes.saturating_add(listing.bytes);
        for (skipped, count) in listing.skipped {
            *self.skipped.entry(skipped).or_default() += count;
        }
        self.problems.extend(listing.problems);
    }
}
