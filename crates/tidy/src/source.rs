//! Rust source, split into what is code, what is comment and what is only compiled for tests.
//!
//! A scanner, not a parser: it knows comments, strings, characters and braces. In `code` each
//! comment and each string's content is blank, so a search there finds code and nothing else;
//! columns stay as they are in the file. Next: any of the rules.

use std::ops::Range;

/// One line of a file.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// The code of the line, everything else blank.
    pub code: String,
    /// The comments of the line, markers included, without the code.
    pub comment: String,
    /// Whether the line is compiled only for tests.
    pub is_test: bool,
}

/// One Rust file.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, relative to the repository, with `/` between its parts.
    pub path: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

impl Source {
    /// Reads `text` as the file `path`.
    pub fn new(path: &str, text: &str) -> Self {
        let mut source = Self { path: path.into(), lines: Scanner::run(text) };
        if path.contains("/tests/") || path.ends_with("/tests.rs") {
            source.mark_all_as_test();
        }
        source.mark_test_items();
        source
    }

    /// Says that the whole file is compiled only for tests.
    pub fn mark_all_as_test(&mut self) {
        self.lines.iter_mut().for_each(|line| line.is_test = true);
    }

    /// The code of all lines, joined; comments and strings are blank.
    pub fn code(&self) -> Code {
        let mut text = String::new();
        let mut starts = Vec::new();
        for line in &self.lines {
            starts.push(text.len());
            text.push_str(&line.code);
            text.push('\n');
        }
        Code { text, starts }
    }

    /// The line where the statement around `index` begins.
    pub fn statement_start(&self, index: usize) -> usize {
        let mut start = index;
        while let Some(above) = start.checked_sub(1) {
            let code = self.lines[above].code.trim();
            if code.is_empty() || code.ends_with([';', '{', '}']) || code.starts_with("#[") {
                break;
            }
            start = above;
        }
        start
    }

    /// The modules declared in this file with `mod name;` for tests alone.
    pub fn test_modules(&self) -> Vec<String> {
        let declared = |line: &Line| {
            let name = line.code.trim().strip_suffix(';')?.rsplit_once("mod ")?.1;
            line.is_test.then(|| name.to_string())
        };
        self.lines.iter().filter_map(declared).collect()
    }

    /// Marks each item below `#[test]`, `#[cfg(test)]` or `#[cfg(all(test, …))]`.
    fn mark_test_items(&mut self) {
        let code = self.code();
        for attribute in ["#[test]", "#[cfg(test)]", "#[cfg(all(test"] {
            for (at, _) in code.text.match_indices(attribute) {
                let last = code.line_of(code.item_end(at));
                for line in &mut self.lines[code.line_of(at)..=last] {
                    line.is_test = true;
                }
            }
        }
    }
}

/// The code of a file as one text.
#[derive(Debug)]
pub struct Code {
    /// The text, with comments and strings blank.
    pub text: String,
    /// The offset at which each line starts.
    starts: Vec<usize>,
}

impl Code {
    /// The line, counted from 0, that holds the byte at `offset`.
    pub fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) - 1
    }

    /// The offset of the brace, bracket or parenthesis that closes the one at `open`.
    pub fn matching(&self, open: usize) -> usize {
        let mut depth = 0;
        for (at, c) in self.text[open..].char_indices() {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return open + at;
            }
        }
        self.text.len() - 1
    }

    /// The offset of the first `{` or `;` after `from` that no parenthesis or bracket holds.
    pub fn body_or_end(&self, from: usize) -> usize {
        let mut at = from;
        while let Some(c) = self.text[at..].chars().next() {
            match c {
                '{' | ';' => return at,
                '(' | '[' => at = self.matching(at) + 1,
                _ => at += c.len_utf8(),
            }
        }
        self.text.len() - 1
    }

    /// The offset at which the item that starts at `from` ends.
    pub fn item_end(&self, from: usize) -> usize {
        let end = self.body_or_end(from);
        if self.text[end..].starts_with('{') { self.matching(end) } else { end }
    }

    /// Every identifier, with its place.
    pub fn identifiers(&self) -> impl Iterator<Item = (usize, &str)> {
        identifiers(&self.text)
    }
}

/// Every identifier of `text`, with the byte where it starts; numbers and lifetimes are none.
pub fn identifiers(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let Range { start, end } = next_word(text, rest)?;
        rest = end;
        Some((start, &text[start..end]))
    })
    .filter(move |(at, word)| {
        !word.starts_with(|c: char| c.is_ascii_digit()) && !text[..*at].ends_with('\'')
    })
}

/// The first run of letters, digits and `_` in `text` from `from` on.
fn next_word(text: &str, from: usize) -> Option<Range<usize>> {
    let start = from + text[from..].find(is_word)?;
    let length = text[start..].find(|c| !is_word(c)).unwrap_or(text.len() - start);
    Some(start..start + length)
}

/// Whether `c` may stand in an identifier.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Splits a text into the lines of a [`Source`].
struct Scanner<'a> {
    /// What is left to read.
    rest: &'a str,
    /// The lines so far; the last is being written.
    lines: Vec<Line>,
}

impl<'a> Scanner<'a> {
    fn run(text: &'a str) -> Vec<Line> {
        let mut scanner = Self { rest: text, lines: vec![Line::default()] };
        while !scanner.rest.is_empty() {
            scanner.step();
        }
        if scanner.lines.last().is_some_and(|l| l.code.is_empty() && l.comment.is_empty()) {
            scanner.lines.pop();
        }
        scanner.lines
    }

    /// Reads one comment, literal, word or character.
    fn step(&mut self) {
        let rest = self.rest;
        if rest.starts_with("//") {
            self.comment(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.comment(block_comment(rest));
        } else if let Some((open, length)) = string(rest) {
            self.literal(open, length);
        } else if let Some(length) = character(rest) {
            self.literal(1, length);
        } else if rest.starts_with(is_word) {
            self.code(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
        } else {
            self.code(rest.chars().next().map_or(0, char::len_utf8));
        }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn line(&mut self) -> &mut Line {
        let last = self.lines.len() - 1;
        &mut self.lines[last]
    }

    fn code(&mut self, length: usize) {
        for c in self.take(length).chars() {
            if c == '\n' {
                self.lines.push(Line::default());
            } else {
                self.line().code.push(c);
            }
        }
    }

    fn comment(&mut self, length: usize) {
        for c in self.take(length).chars() {
            if c == '\n' {
                self.lines.push(Line::default());
            } else {
                self.line().comment.push(c);
                self.line().code.push(' ');
            }
        }
    }

    /// Keeps the first `open` bytes and the last one of a literal, blanks what is between.
    fn literal(&mut self, open: usize, length: usize) {
        self.code(open);
        for c in self.take(length - open - 1).chars() {
            if c == '\n' {
                self.lines.push(Line::default());
            } else {
                self.line().code.push(' ');
            }
        }
        self.code(1);
    }
}

/// The length of the block comment that `text` starts with.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let here = &text[at..];
        let step = if here.starts_with("/*") {
            depth += 1;
            2
        } else if here.starts_with("*/") {
            depth -= 1;
            2
        } else {
            here.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The bytes before the content and the whole length of the string that `text` starts with.
fn string(text: &str) -> Option<(usize, usize)> {
    let prefix = text.find(|c| !is_word(c))?;
    let raw = matches!(&text[..prefix], "r" | "br" | "cr");
    let hashes = text[prefix..].len() - text[prefix..].trim_start_matches('#').len();
    let quoted = text[prefix + hashes..].starts_with('"');
    let plain = matches!(&text[..prefix], "" | "b" | "c") && hashes == 0;
    if !quoted || !(raw || plain) {
        return None;
    }
    let open = prefix + hashes + 1;
    if raw {
        let close = format!("\"{}", "#".repeat(hashes));
        let content = text[open..].find(&close)?;
        return Some((open, open + content + close.len()));
    }
    Some((open, open + unescaped(&text[open..], '"')? + 1))
}

/// The length of the character literal that `text` starts with; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let content = text.strip_prefix('\'')?;
    let first = content.chars().next()?;
    let length = if first == '\\' { unescaped(content, '\'')? } else { first.len_utf8() };
    content[length..].starts_with('\'').then_some(length + 2)
}

/// Where `end` first stands in `text` without a backslash before it.
fn unescaped(text: &str, end: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == end && !escaped {
            return Some(at);
        }
        escaped = c == '\\' && !escaped;
    }
    None
}
