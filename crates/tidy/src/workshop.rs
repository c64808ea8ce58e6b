//! No word of the workshop: what is committed speaks of the project, not of how it came about.
//!
//! No note to oneself, no test put aside, no path of one machine, no private source of packages.

use crate::Finding;
use crate::source::is_word;
use crate::tree::Page;

/// Texts that must not be committed, and what to do instead.
const WORDS: [(&str, &str); 12] = [
    ("TODO", "do it, or say where the flaw is that it exists"),
    ("FIXME", "fix it, or say where the flaw is that it exists"),
    ("XXX", "say what the matter is"),
    ("todo!", "write the body"),
    ("unimplemented!", "write the body"),
    ("#[ignore]", "let the test run, or remove it"),
    ("#[ignore =", "let the test run, or remove it"),
    ("issue #", "state the fact itself"),
    ("../shared", "state the fact itself"),
    ("/work", "name the path inside the repository"),
    ("/root", "name the path inside the repository"),
    ("/tmp/target", "name the path inside the repository"),
];

/// Parts of host names that only private sources of packages have.
const PRIVATE_HOSTS: [&str; 6] =
    ["artifactory", "nexus", "mirror", "proxy", "registry", ".internal"];

/// The one source of packages.
const PUBLIC_INDEX: &str = "https://github.com/rust-lang/crates.io-index";

/// Every place of a file that speaks of the workshop.
pub fn check(page: &Page) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in page.text.lines().enumerate() {
        for (word, instead) in WORDS {
            if contains_word(line, word) {
                let text = format!("`{word}` does not belong here: {instead}");
                findings.push(Finding::at(&page.path, index, text));
            }
        }
        if let Some(source) = private_source(&page.path, line) {
            let text = format!("`{source}` is not a public source of packages");
            findings.push(Finding::at(&page.path, index, text));
        }
    }
    findings
}

/// Whether `line` holds `word` and neither end of it is the middle of something longer.
fn contains_word(line: &str, word: &str) -> bool {
    let is_path = word.starts_with('/');
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins_before = |c: char| is_word(c) || is_path && "./}-".contains(c);
        let starts = !before.is_some_and(joins_before);
        let ends = !word.ends_with(is_word) || !after.is_some_and(is_word);
        (starts || !word.starts_with(is_word) && !is_path) && ends
    })
}

/// The place other than the public index that a line takes packages from.
fn private_source<'a>(path: &str, line: &'a str) -> Option<&'a str> {
    let is_cargo_file = path.ends_with(".toml") || path.ends_with("Cargo.lock");
    let redirects = ["replace-with", "[registries", "[source.", "[source]"];
    if is_cargo_file && redirects.iter().any(|word| line.trim_start().starts_with(word)) {
        return Some(line.trim());
    }
    let (_, rest) = line.split_once("://")?;
    let host = rest.split(['/', '"', '\'', ')', '>', ' ', ':']).next().unwrap_or("");
    let is_private = PRIVATE_HOSTS.iter().any(|part| host.contains(part));
    (is_private && !line.contains(PUBLIC_INDEX)).then_some(host)
}
