//! The command line.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use std::fmt::Display;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Example: cargo run --release --bin dupes -- /usr/share

Exit codes: 0 everything was searched (whatever could not be read is told); 1 a folder given could \
not be searched, or the report could not be written; 2 the command line is wrong; 130 Ctrl-C, and \
the report holds what was known by then.";

/// Finds files with the same content
///
/// Compares sizes first, then the first block of each file, and reads only those files whole that
/// still look alike. Symbolic links are not followed; hard links to one file are one file. Nothing
/// is ever changed.
#[derive(Debug, Parser)]
#[command(name = "dupes", version, after_help = AFTER_HELP)]
pub struct Options {
    /// Folders to search; a file is compared with what is in them
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,

    /// Write the report as JSON
    #[arg(long)]
    pub json: bool,

    /// Leave out files smaller than this many bytes; K, M and G are 1024, its square and its cube
    #[arg(long, value_name = "SIZE", default_value = "1", value_parser = parse_size)]
    pub min_size: u64,

    /// Do not enter folders that are on another file system than the folder given
    #[arg(short = 'x', long)]
    pub one_file_system: bool,

    /// How many files to have open at a time [default: 64, or what the system allows]
    #[arg(long, value_name = "NUMBER")]
    pub open_files: Option<usize>,

    /// Tell of each duplicate on standard error as soon as it is found
    #[arg(short, long)]
    pub verbose: bool,
}

impl Options {
    /// Ends the program as a wrong command line does.
    pub fn refuse(kind: ErrorKind, error: impl Display) -> ! {
        Options::command().error(kind, error).exit()
    }
}

/// A number of bytes with or without one of the letters K, M and G.
fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: u64 =
        digits.parse().map_err(|_| "not a size such as 4096, 4K or 1M".to_string())?;
    number.checked_mul(factor).ok_or_else(|| format!("more than {} bytes", u64::MAX))
}
