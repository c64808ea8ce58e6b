//! Every name in prose exists in code.
//!
//! A name is what stands in backticks: a rename that forgets a comment fails the build. Words of
//! other worlds (the kernel's, other crates') are known by their first path segment or stand in a
//! short list, which may only hold what is really foreign.

use crate::Finding;
use crate::source::{identifiers, is_word};
use crate::spans::Span;
use crate::tree::Tree;
use std::collections::HashSet;

/// Words of the language that need no definition of ours.
const LANGUAGE: &str = "as async await bool box break c char const continue crate dyn else enum \
    extern f32 f64 false fn for if i8 i16 i32 i64 i128 impl in isize let loop match mod move mut \
    pub ref return self Self static str struct super trait true type u8 u16 u32 u64 u128 union \
    unsafe use usize where while std core alloc main test cfg yield compile_error";

/// Crates whose items are theirs to keep: a path that begins with one is not looked up.
const FOREIGN_ROOTS: &str = "std core alloc libc tokio smol rayon chili loom polling rustix \
    crossbeam_deque crossbeam_utils parking_lot clippy rustdoc asyncio proc_macro futures";

/// The first words of shell commands; what follows one is not a name.
const COMMANDS: &str = "cargo rustup rustc git apt-get apt strace valgrind perf curl wrk ulimit \
    taskset sudo sh bash python3 miri export";

/// Every identifier of the workspace's code, and every name its manifests and files give.
pub fn known(tree: &Tree) -> HashSet<String> {
    let mut known: HashSet<String> = LANGUAGE.split_whitespace().map(String::from).collect();
    for source in &tree.sources {
        let code = source.code();
        known.extend(code.identifiers().map(|(_, word)| word.to_string()));
    }
    for manifest in tree.manifests() {
        known.extend(identifiers(&manifest.text.replace('-', "_")).map(|(_, w)| w.to_string()));
    }
    for page in &tree.pages {
        known.extend(page.path.split(['/', '.']).map(|part| part.replace('-', "_")));
    }
    known
}

/// Spans that name what is neither `known` nor `foreign`.
pub fn check(
    path: &str,
    spans: &[Span],
    known: &HashSet<String>,
    foreign: &[&str],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for span in spans {
        let missing = names(&span.text)
            .into_iter()
            .find(|name| !known.contains(name) && !is_foreign(name, foreign));
        let Some(name) = missing else { continue };
        let text = if name == span.text {
            format!("`{name}` does not exist in code")
        } else {
            format!("`{name}`, in `{}`, does not exist in code", span.text)
        };
        findings.push(Finding::at(path, span.line, text));
    }
    findings
}

/// Whether `name` is one of the `foreign` words; one that ends with `*` stands for all that begin
/// with what is before it.
fn is_foreign(name: &str, foreign: &[&str]) -> bool {
    foreign.iter().any(|word| match word.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *word,
    })
}

/// Foreign words that nobody mentions, or that have become names of ours.
pub fn check_list(
    spans: &[Span],
    known: &HashSet<String>,
    foreign: &[&'static str],
) -> Vec<&'static str> {
    let mentioned: HashSet<String> = spans.iter().flat_map(|span| names(&span.text)).collect();
    let unknown: Vec<_> = mentioned.iter().filter(|name| !known.contains(*name)).collect();
    let is_needed = |word: &str| unknown.iter().any(|name| is_foreign(name, &[word]));
    foreign.iter().copied().filter(|word| !is_needed(word)).collect()
}

/// The names in one span that code must define.
pub fn names(span: &str) -> Vec<String> {
    let is_word_of = |list: &str, word: &str| list.split_whitespace().any(|known| known == word);
    let first = span.split_whitespace().next().unwrap_or("");
    let is_other = first.starts_with(['-', '$', '"', '#']) && !first.starts_with("#[");
    if is_other || span.contains('/') || is_word_of(COMMANDS, first) || is_file_name(span) {
        return Vec::new();
    }
    let single = !span.contains(char::is_whitespace);
    if single && span.contains('-') && span.chars().all(|c| is_word(c) || c == '-') {
        return vec![span.replace('-', "_")];
    }
    let mut names = Vec::new();
    let mut is_foreign = false;
    for (at, word) in identifiers(span) {
        let continues_path = span[..at].ends_with("::");
        is_foreign = if continues_path { is_foreign } else { is_word_of(FOREIGN_ROOTS, word) };
        let before = span[..at].chars().next_back();
        let after = span[at + word.len()..].chars().next();
        let looks_like_code = single
            || continues_path
            || matches!(before, Some('.'))
            || matches!(after, Some('(' | ':' | '<' | '!'))
            || word.contains('_')
            || is_camel_case(word);
        if looks_like_code && !is_foreign && word.chars().count() > 1 {
            names.push(word.to_string());
        }
    }
    names
}

/// Whether `word` looks like the name of a type.
fn is_camel_case(word: &str) -> bool {
    word.starts_with(char::is_uppercase) && word.contains(char::is_lowercase)
}

/// Whether a span is the name of a file, which another rule looks up.
pub fn is_file_name(span: &str) -> bool {
    let extension = span.rsplit_once('.').map(|(_, extension)| extension);
    let is_one = matches!(extension, Some("rs" | "md" | "toml" | "lock" | "csv" | "json" | "yml"));
    is_one && !span.contains(char::is_whitespace)
}
