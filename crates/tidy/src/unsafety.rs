//! Unsafe code lives only where it is listed, and each use is justified right above.
//!
//! The compiler and clippy hold the rest: `unsafe_code` is denied for the workspace, each module
//! that needs it says so with a reason, and a block holds one operation. Counted are blocks and
//! impls outside tests; a ceiling may only shrink.

use crate::Finding;
use crate::source::{Source, is_word};

/// A file that may contain unsafe code.
pub struct Place {
    /// The file, relative to the repository.
    pub path: &'static str,
    /// How many blocks and impls it may have.
    pub ceiling: usize,
    /// What for.
    pub reason: &'static str,
}

/// Unsafe code where none is listed, more of it than listed, or without a justification.
pub fn check(source: &Source, places: &[Place]) -> Vec<Finding> {
    let sites = sites(source);
    let unjustified = sites.iter().filter(|index| !is_justified(source, **index));
    let mut findings: Vec<_> = unjustified
        .map(|index| Finding::at(&source.path, *index, "no `SAFETY:` comment right above"))
        .collect();
    let outside_tests: Vec<_> = sites.iter().filter(|i| !source.lines[**i].is_test).collect();
    let count = outside_tests.len();
    match places.iter().find(|place| place.path == source.path) {
        None if count > 0 => {
            let first = *outside_tests[0];
            let text = format!("{count} uses of unsafe in a file that is not listed for it");
            findings.push(Finding::at(&source.path, first, text));
        }
        Some(place) if count > place.ceiling => {
            let text = format!("{count} uses of unsafe, the list allows {}", place.ceiling);
            findings.push(Finding::whole(&source.path, text));
        }
        _ => {}
    }
    findings
}

/// Rows of the list whose file is gone, or has no unsafe code any more.
pub fn check_list(sources: &[Source], places: &[Place]) -> Vec<Finding> {
    let is_used = |place: &&Place| {
        let file = sources.iter().find(|source| source.path == place.path);
        file.is_some_and(|source| !sites(source).is_empty())
    };
    let unused = places.iter().filter(|place| !is_used(place));
    unused
        .map(|place| Finding::whole(place.path, "listed for unsafe code, which it does not have"))
        .collect()
}

/// The lines with an unsafe block or an unsafe impl, once for each.
fn sites(source: &Source) -> Vec<usize> {
    let code = source.code();
    let mut sites = Vec::new();
    for (at, word) in code.identifiers() {
        let next = code.text[at + word.len()..].trim_start();
        let is_impl = next.strip_prefix("impl").is_some_and(|rest| !rest.starts_with(is_word));
        if word == "unsafe" && (next.starts_with('{') || is_impl) {
            sites.push(code.line_of(at));
        }
    }
    sites
}

/// Whether the comment on the line, or right above its statement, says why it is sound.
fn is_justified(source: &Source, index: usize) -> bool {
    let says = |index: usize| source.lines[index].comment.contains("SAFETY:");
    if says(index) {
        return true;
    }
    let start = source.statement_start(index);
    if (start..index).any(says) {
        return true;
    }
    let above = (0..start).rev().take_while(|above| {
        let line = &source.lines[*above];
        let code = line.code.trim();
        (code.is_empty() && !line.comment.is_empty()) || code.starts_with("#[")
    });
    above.into_iter().any(says)
}
