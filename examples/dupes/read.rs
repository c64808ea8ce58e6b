//! The blocking jobs that read a file. What they have read is hashed on the workers.

use super::findings::{File, Skipped};
use super::search::Search;
use blake3::{Hash, Hasher};
use rustix::fs::OFlags;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// How much of a file is compared before it is read whole, in bytes: what a disk gives in one go.
pub const FIRST_BLOCK: u64 = 16 * 1024;
/// How much is read before a worker hashes it, in bytes.
pub const PIECE: usize = 64 * 1024;

/// How much of a file to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first block.
    Start,
    /// Everything.
    Whole,
}

/// The hash of a part of a file. None where it could not be read, which is then noted, and once
/// the search is stopped.
pub fn hash(search: &Search, file: &File, part: Part) -> Option<Hash> {
    let path = &file.names[0];
    match try_hash(search, file, path, part) {
        Ok(hash) => Some(hash),
        Err(_) if search.is_stopped() => None,
        Err(Failure::Io(error)) => {
            search.problem(path, Skipped::by(&error), &error);
            None
        }
        Err(Failure::Changed(how)) => {
            search.problem(path, Skipped::Changed, how);
            None
        }
    }
}

/// Why there is no hash.
enum Failure {
    /// The system says no.
    Io(io::Error),
    /// It is no longer the file that was listed.
    Changed(&'static str),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

fn try_hash(search: &Search, file: &File, path: &Path, part: Part) -> Result<Hash, Failure> {
    let opened = open(path)?;
    let now = opened.metadata()?;
    if (now.dev(), now.ino()) != file.id {
        return Err(Failure::Changed("another file has taken its place"));
    }
    let wanted = match part {
        Part::Start => file.size.min(FIRST_BLOCK),
        Part::Whole => file.size,
    };
    let hasher = hash_pieces(Watched { search, part, file: (&opened).take(wanted) })?;
    if hasher.count() != wanted || now.len() != file.size {
        return Err(Failure::Changed("its size changes"));
    }
    Ok(hasher.finalize())
}

/// Hashes all that can be read. While a worker hashes a piece, this thread waits for the next one.
fn hash_pieces(mut file: impl Read) -> Result<Hasher, Failure> {
    let (mut hasher, mut other) = (Hasher::new(), Vec::new());
    let mut piece = read_piece(&mut file, Vec::new())?;
    while piece.len() == PIECE {
        let hashing = weftline::compute(move || {
            hasher.update(&piece);
            (hasher, piece)
        });
        let next = read_piece(&mut file, other)?;
        (hasher, other) = hashing.wait().map_err(io::Error::other)?;
        piece = next;
    }
    // Too little to be worth another thread.
    hasher.update(&piece);
    Ok(hasher)
}

/// The next piece, which is shorter only at the end of the file.
fn read_piece(file: &mut impl Read, mut piece: Vec<u8>) -> io::Result<Vec<u8>> {
    piece.clear();
    file.take(PIECE as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

/// Opens a file, and not what may have taken its place: opening a fifo would wait for a writer,
/// and a link leads elsewhere.
fn open(path: &Path) -> io::Result<fs::File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

/// A file that can be stopped reading between two pieces, and whose pieces are counted.
struct Watched<'a, R> {
    search: &'a Search,
    part: Part,
    file: R,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.search.is_stopped() {
            return Err(io::Error::other("the search is stopped"));
        }
        let read = self.file.read(buffer)?;
        if self.part == Part::Whole {
            self.search.progress.compared(read as u64);
        }
        Ok(read)
    }
}
