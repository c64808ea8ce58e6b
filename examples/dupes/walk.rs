//! The blocking jobs that list: the folders given, and what is in a folder.

use super::findings::{File, Findings, Skipped};
use super::search::Search;
use std::fs::{self, DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A folder to be listed.
#[derive(Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// The device of the folder given that it is in.
    pub device: u64,
    /// Whether it is that folder itself.
    pub is_root: bool,
}

/// What is in a folder, or was given.
#[derive(Debug, Default)]
pub struct Listing {
    /// The files to be compared.
    pub files: Vec<File>,
    /// The folders to be listed next.
    pub folders: Vec<Folder>,
    /// Counts and problems.
    pub findings: Findings,
}

/// Looks at what was given on the command line. Links are followed here, and only here: whoever
/// gives one means what it leads to.
pub fn roots(search: &Search, given: Vec<PathBuf>) -> Listing {
    let mut listing = Listing::default();
    let mut real = Vec::new();
    for path in given {
        match path.canonicalize().and_then(|real| Ok((real, path.metadata()?))) {
            Ok((at, metadata)) => real.push((at, path, metadata)),
            Err(error) => listing.findings.problem(path, Skipped::Root, error),
        }
    }
    // Whatever holds another one comes before it.
    real.sort_by(|a, b| a.0.cmp(&b.0));
    let mut kept: Vec<(PathBuf, u64)> = Vec::new();
    for (at, path, metadata) in real {
        // A folder on another device may be one that the search of the outer one does not enter.
        let device = metadata.dev();
        if kept.iter().any(|(outer, of)| at.starts_with(outer) && *of == device) {
            listing.findings.skip(Skipped::Repeated, 1);
            continue;
        }
        kept.push((at, device));
        if metadata.is_dir() {
            listing.folders.push(Folder { path, device, is_root: true });
        } else if metadata.is_file() {
            listing.file(search, path, &metadata);
        } else {
            listing.findings.problem(path, Skipped::Root, "neither a folder nor a file");
        }
    }
    listing
}

/// Lists a folder. Ends early, with what it has, once the search is stopped.
pub fn list(search: &Search, folder: Folder) -> Listing {
    let mut listing = Listing::default();
    let entries = match fs::read_dir(&folder.path) {
        Ok(entries) => entries,
        Err(error) => {
            let skipped = if folder.is_root { Skipped::Root } else { Skipped::by(&error) };
            listing.findings.problem(folder.path, skipped, error);
            return listing;
        }
    };
    listing.findings.folders = 1;
    listing.findings.empty_folders = 1;
    for entry in entries {
        if search.is_stopped() {
            break;
        }
        listing.findings.empty_folders = 0;
        match entry {
            Ok(entry) => listing.entry(search, folder.device, &entry),
            Err(error) => {
                // The rest of this folder is lost: going on could repeat the error for ever.
                listing.findings.problem(folder.path, Skipped::by(&error), error);
                break;
            }
        }
    }
    search.progress.listed(listing.findings.files);
    listing
}

impl Listing {
    /// Takes in one entry of a folder.
    fn entry(&mut self, search: &Search, device: u64, entry: &DirEntry) {
        let path = entry.path();
        // Of the entry itself: a link is not followed.
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                if search.one_file_system && metadata.dev() != device {
                    return self.findings.skip(Skipped::OtherFileSystem, 1);
                }
                self.folders.push(Folder { path, device, is_root: false });
            }
            Ok(metadata) if metadata.is_file() => self.file(search, path, &metadata),
            Ok(metadata) if metadata.is_symlink() => self.findings.skip(Skipped::SymbolicLink, 1),
            Ok(_) => self.findings.skip(Skipped::Special, 1),
            Err(error) => self.findings.problem(path, Skipped::by(&error), error),
        }
    }

    /// Takes in a file.
    fn file(&mut self, search: &Search, path: PathBuf, metadata: &Metadata) {
        let size = metadata.len();
        if size < search.min_size {
            let skipped = if size == 0 { Skipped::Empty } else { Skipped::TooSmall };
            return self.findings.skip(skipped, 1);
        }
        self.findings.files += 1;
        self.findings.bytes = self.findings.bytes.saturating_add(size);
        let id = (metadata.dev(), metadata.ino());
        self.files.push(File { names: vec![path], size, id });
    }
}
