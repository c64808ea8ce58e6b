//! The report for people.

use super::findings::Skipped;
use super::report::{Group, Report, Totals};
use indicatif::{HumanBytes, HumanCount};
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

/// How many problems are listed; the report as JSON has all.
const MAX_PROBLEMS: usize = 20;

/// Writes groups, sums, what was skipped, and what should not have been.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for group in &report.groups {
        write_group(group, out)?;
    }
    write_totals(&report.totals, out)?;
    write_skipped(report, out)?;
    if report.interrupted {
        writeln!(out, "Interrupted: this is what was known by then, and there may be more.")?;
    }
    Ok(())
}

fn write_group(group: &Group, out: &mut impl Write) -> io::Result<()> {
    let (count, size) = (HumanCount(group.files.len() as u64), HumanBytes(group.size));
    writeln!(out, "{count} files of {size} each, {} wasted", HumanBytes(group.wasted))?;
    for file in &group.files {
        writeln!(out, "    {}", name(&file.path.0))?;
        for link in &file.hard_links {
            writeln!(out, "        also {} (hard link)", name(&link.0))?;
        }
    }
    writeln!(out)
}

fn write_totals(totals: &Totals, out: &mut impl Write) -> io::Result<()> {
    write!(out, "Searched {}", counted(totals.folders, "folder", "folders"))?;
    if totals.empty_folders > 0 {
        write!(out, " ({} empty)", HumanCount(totals.empty_folders))?;
    }
    let files = counted(totals.files, "file", "files");
    writeln!(out, " with {files}, {}.", HumanBytes(totals.bytes))?;
    if totals.groups == 0 {
        return writeln!(out, "Found no duplicates.");
    }
    let groups = counted(totals.groups, "group", "groups");
    let files = counted(totals.duplicates, "file", "files");
    let wasted = HumanBytes(totals.wasted);
    writeln!(out, "Found {groups} with {files} more than needed, {wasted} wasted.")
}

fn write_skipped(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.skipped.is_empty() {
        return Ok(());
    }
    writeln!(out, "Skipped:")?;
    for count in &report.skipped {
        let (one, many) = words(count.skipped);
        writeln!(out, "    {}", counted(count.count, one, many))?;
    }
    if report.problems.is_empty() {
        return Ok(());
    }
    writeln!(out, "Could not be compared:")?;
    for problem in report.problems.iter().take(MAX_PROBLEMS) {
        writeln!(out, "    {}: {}", name(&problem.path.0), problem.reason)?;
    }
    match report.problems.len().saturating_sub(MAX_PROBLEMS) {
        0 => Ok(()),
        more => writeln!(out, "    … and {more} more (all of them with --json)"),
    }
}

/// What was skipped, for one and for many.
fn words(skipped: Skipped) -> (&'static str, &'static str) {
    match skipped {
        Skipped::Root => ("argument that cannot be searched", "arguments that cannot be searched"),
        Skipped::Repeated => ("argument inside of another one", "arguments inside of others"),
        Skipped::Unreadable => ("unreadable file or folder", "unreadable files or folders"),
        Skipped::Vanished => ("file or folder that vanished", "files or folders that vanished"),
        Skipped::Changed => ("file that changed meanwhile", "files that changed meanwhile"),
        Skipped::HardLink => {
            ("hard link to a file counted already", "hard links to files counted already")
        }
        Skipped::SymbolicLink => ("symbolic link, not followed", "symbolic links, not followed"),
        Skipped::Special => ("fifo, socket or device", "fifos, sockets or devices"),
        Skipped::OtherFileSystem => {
            ("folder on another file system", "folders on other file systems")
        }
        Skipped::Empty => ("empty file", "empty files"),
        Skipped::TooSmall => ("file that is too small", "files that are too small"),
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", HumanCount(count), if count == 1 { one } else { many })
}

/// A path for a terminal: one with control characters is quoted, so that it does nothing there.
pub fn name(path: &Path) -> Cow<'_, str> {
    let shown = path.to_string_lossy();
    if shown.chars().any(char::is_control) { format!("{path:?}").into() } else { shown }
}
