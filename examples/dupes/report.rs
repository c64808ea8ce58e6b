//! What comes out of a search, in an order that depends on nothing but the files, and as JSON.

use super::findings::{File, Findings, Problem, Skipped};
use serde::{Serialize, Serializer};
use std::cmp::Reverse;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What was found, skipped, and could not be read.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether the search was stopped: then more may be the same.
    pub interrupted: bool,
    /// Files with the same content, the most wasteful group first.
    pub groups: Vec<Group>,
    /// The sums.
    pub totals: Totals,
    /// Counts of what was not compared, and why.
    pub skipped: Vec<Count>,
    /// What was not compared and should have been.
    pub problems: Vec<Trouble>,
}

/// Files with the same content.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Group {
    /// The bytes that all but one of them take.
    pub wasted: u64,
    /// The size of each in bytes.
    pub size: u64,
    /// BLAKE3 of the content.
    pub hash: String,
    /// At least two, by name.
    pub files: Vec<Same>,
}

/// A file of a group.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Same {
    /// Its name.
    #[serde(flatten)]
    pub path: Name,
    /// Its other names, which take no room of their own.
    pub hard_links: Vec<Name>,
}

/// The sums of a search.
#[derive(Debug, Serialize)]
pub struct Totals {
    /// The folders listed.
    pub folders: u64,
    /// Those of them with nothing in them.
    pub empty_folders: u64,
    /// The names of files that were large enough.
    pub files: u64,
    /// Their sizes in bytes, hard links counted each.
    pub bytes: u64,
    /// The groups.
    pub groups: u64,
    /// The files that could go: all but one of each group.
    pub duplicates: u64,
    /// The bytes that those take.
    pub wasted: u64,
}

/// How often something was skipped.
#[derive(Debug, Serialize)]
pub struct Count {
    /// Why.
    pub kind: &'static str,
    /// How often.
    pub count: u64,
    /// The same, to count by.
    #[serde(skip)]
    pub skipped: Skipped,
}

/// Something that could not be compared.
#[derive(Debug, Serialize)]
pub struct Trouble {
    /// What.
    #[serde(flatten)]
    pub path: Name,
    /// The kind of reason.
    pub kind: &'static str,
    /// The reason.
    pub reason: String,
}

/// A path. In JSON a text; where the path is none, its bytes stand beside what can be shown of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(pub PathBuf);

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            path: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            path_bytes: Option<&'a [u8]>,
        }
        let path = &self.0.to_string_lossy();
        let path_bytes = self.0.to_str().is_none().then(|| self.0.as_os_str().as_bytes());
        Shown { path, path_bytes }.serialize(serializer)
    }
}

impl Report {
    pub fn new(findings: &Findings, interrupted: bool) -> Self {
        let same = findings.same.iter().filter(|(_, files)| files.len() > 1);
        let mut groups: Vec<Group> =
            same.map(|((size, hash), files)| Group::new(*size, hash.to_string(), files)).collect();
        groups.sort_by(|a, b| {
            let order = |group: &Group| (Reverse(group.wasted), Reverse(group.size));
            order(a).cmp(&order(b)).then_with(|| a.files.cmp(&b.files))
        });
        let mut problems: Vec<_> = findings.problems.iter().map(Trouble::new).collect();
        problems.sort_by(|a, b| a.path.cmp(&b.path));
        let count = |(skipped, count): (&Skipped, &u64)| Count {
            kind: skipped.word(),
            count: *count,
            skipped: *skipped,
        };
        Self {
            interrupted,
            totals: Totals {
                folders: findings.folders,
                empty_folders: findings.empty_folders,
                files: findings.files,
                bytes: findings.bytes,
                groups: groups.len() as u64,
                duplicates: groups.iter().map(Group::duplicates).sum(),
                wasted: groups.iter().map(|group| group.wasted).fold(0, u64::saturating_add),
            },
            groups,
            skipped: findings.skipped.iter().map(count).collect(),
            problems,
        }
    }

    /// Whether something given could not be searched at all.
    pub fn lacks_a_root(&self) -> bool {
        self.skipped.iter().any(|count| count.skipped == Skipped::Root)
    }

    /// Writes it as JSON.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}

impl Group {
    fn new(size: u64, hash: String, files: &[File]) -> Self {
        let mut files: Vec<_> = files.iter().map(Same::new).collect();
        files.sort();
        let wasted = size.saturating_mul(files.len() as u64 - 1);
        Self { wasted, size, hash, files }
    }

    /// The files that could go.
    pub fn duplicates(&self) -> u64 {
        self.files.len() as u64 - 1
    }
}

impl Same {
    fn new(file: &File) -> Self {
        let mut names = file.names.iter().cloned().map(Name);
        let path = names.next().expect("a file was found under a name");
        Self { path, hard_links: names.collect() }
    }
}

impl Trouble {
    fn new(problem: &Problem) -> Self {
        let path = Name(problem.path.clone());
        Self { path, kind: problem.skipped.word(), reason: problem.reason.clone() }
    }
}

impl Skipped {
    /// The word for it in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Root => "not_searchable",
            Self::Repeated => "given_twice",
            Self::Unreadable => "unreadable",
            Self::Vanished => "vanished",
            Self::Changed => "changed",
            Self::HardLink => "hard_link",
            Self::SymbolicLink => "symbolic_link",
            Self::Special => "special_file",
            Self::OtherFileSystem => "other_file_system",
            Self::Empty => "empty_file",
            Self::TooSmall => "too_small",
        }
    }
}
