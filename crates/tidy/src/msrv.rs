//! The oldest supported compiler can read the code.
//!
//! Clippy's `incompatible_msrv` knows which items of the standard library are too new. It does not
//! know syntax; the one thing that today's compilers accept in this edition and 1.85 does not is a
//! chain of `let` conditions.

use crate::Finding;
use crate::source::{Code, Source};

/// Conditions that mix `let` with `&&`.
pub fn check(source: &Source) -> Vec<Finding> {
    let code = source.code();
    let conditions = code.identifiers().filter(|(_, word)| matches!(*word, "if" | "while"));
    let chained = conditions.filter(|(at, word)| is_chain(&code, at + word.len()));
    chained
        .map(|(at, _)| {
            let text = "a chain of `let` conditions needs Rust 1.88, the oldest supported is 1.85";
            Finding::at(&source.path, code.line_of(at), text)
        })
        .collect()
}

/// Whether the condition from `from` on has both a `let` and a `&&` outside of parentheses.
fn is_chain(code: &Code, from: usize) -> bool {
    let mut flat = String::new();
    let mut at = from;
    while let Some(c) = code.text[at..].chars().next() {
        match c {
            '{' | ';' => break,
            '(' | '[' => at = code.matching(at) + 1,
            '=' if code.text[at..].starts_with("=>") => break,
            _ => {
                flat.push(c);
                at += c.len_utf8();
            }
        }
    }
    flat.split("&&").count() > 1 && flat.split("&&").any(|part| part.trim().starts_with("let "))
}
