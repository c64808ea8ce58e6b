//! What stands in backticks in prose: in the comments of Rust files and in Markdown.
//!
//! Fenced blocks are left out: they are programs, drawings or transcripts, and the programs are
//! compiled as doctests.

use crate::source::Source;
use crate::tree::Page;

/// A piece of prose in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The line it stands on, counted from 0.
    pub line: usize,
    /// What is between the backticks.
    pub text: String,
}

/// The spans in the comments of a Rust file.
pub fn of_comments(source: &Source) -> Vec<Span> {
    let lines = source.lines.iter().map(|line| {
        let comment = line.comment.trim_start();
        (!comment.is_empty()).then(|| comment.trim_start_matches(['/', '!', '*']))
    });
    collect(lines)
}

/// The spans in a Markdown page.
pub fn of_page(page: &Page) -> Vec<Span> {
    collect(page.text.lines().map(Some))
}

/// The lines of a Markdown page outside its fenced blocks, with their numbers.
pub fn lines_outside_fences(page: &Page) -> Vec<(usize, &str)> {
    outside_fences(page.text.lines().map(Some))
}

fn collect<'a>(lines: impl Iterator<Item = Option<&'a str>>) -> Vec<Span> {
    let mut spans = Vec::new();
    for (line, text) in outside_fences(lines) {
        let text = text.replace("``", "`");
        for part in text.split('`').skip(1).step_by(2) {
            spans.push(Span { line, text: part.trim().into() });
        }
    }
    spans
}

/// The lines of prose, `None` ending a comment and with it any fence left open.
fn outside_fences<'a>(lines: impl Iterator<Item = Option<&'a str>>) -> Vec<(usize, &'a str)> {
    let mut prose = Vec::new();
    let mut is_fenced = false;
    for (index, line) in lines.enumerate() {
        match line {
            None => is_fenced = false,
            Some(text) if text.trim_start().starts_with("```") => is_fenced = !is_fenced,
            Some(text) if !is_fenced => prose.push((index, text)),
            Some(_) => {}
        }
    }
    prose
}
