//! Every ordering of an atomic access is explained.
//!
//! The comment stands on the line of the access, or at most three lines above its statement and
//! then uses the words of the matter: the ordering, its partner, or why none is needed. A comment on
//! a function that names the ordering stands for all of its accesses. Whether it is true, only a
//! reader can tell.

use crate::Finding;
use crate::source::{Source, identifiers};

/// The orderings.
const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

/// One of these words makes a comment an explanation.
const WORDS: [&str; 8] =
    ["relaxed", "acquire", "release", "acqrel", "seqcst", "fence", "pairs", "ordering"];

/// How many lines above its statement a comment may begin to explain an ordering.
const REACH_LINES: usize = 3;

/// Uses of an ordering, tests left out, that no comment explains.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_use = false;
    for (index, line) in source.lines.iter().enumerate() {
        let code = line.code.trim();
        in_use |= ["use ", "pub use ", "pub(crate) use "].iter().any(|u| code.starts_with(u));
        let named = identifiers(code).find(|(_, word)| ORDERINGS.contains(word));
        let named = named.filter(|_| !in_use && !line.is_test);
        in_use &= !code.ends_with(';');
        let Some((_, ordering)) = named else { continue };
        if !is_explained(source, index) && !function_explains(source, index, ordering) {
            let text = format!("`{ordering}` has no comment that names its partner or its reason");
            findings.push(Finding::at(&source.path, index, text));
        }
    }
    findings
}

/// Whether the line has a comment, or one within reach speaks of orderings.
fn is_explained(source: &Source, index: usize) -> bool {
    if !source.lines[index].comment.is_empty() {
        return true;
    }
    let start = source.statement_start(index);
    let above = (start.saturating_sub(REACH_LINES)..=index)
        .map(|at| source.lines[at].comment.to_lowercase());
    above.into_iter().any(|comment| WORDS.iter().any(|word| comment.contains(word)))
}

/// Whether the comment right above the function around the line names the ordering.
fn function_explains(source: &Source, index: usize, ordering: &str) -> bool {
    let is_head = |at: &usize| identifiers(&source.lines[*at].code).any(|(_, word)| word == "fn");
    let Some(head) = (0..=index).rev().find(is_head) else { return false };
    let above = (0..head).rev().map(|at| &source.lines[at]);
    let comment = above.take_while(|line| {
        let code = line.code.trim();
        code.starts_with("#[") || code.is_empty() && !line.comment.is_empty()
    });
    comment.into_iter().any(|line| line.comment.contains(ordering))
}
