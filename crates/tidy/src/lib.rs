//! The rules of the project that a machine can hold.
//!
//! A rule is a function from text to [`Finding`]s, so that each can be shown a violation (the
//! unit tests do) before it is trusted with the repository (`tests/repository.rs` does that).
//! Rust is read by a line scanner, [`source`], not by a parser: it tells code from comments and
//! strings, and that is enough. Begin with [`tree`], then read any rule.

use std::fmt;

pub mod behaviours;
pub mod dependencies;
pub mod layers;
pub mod msrv;
pub mod names;
pub mod opening;
pub mod orderings;
pub mod pages;
pub mod platform;
pub mod size;
pub mod source;
pub mod spans;
pub mod tree;
pub mod unsafety;
pub mod workshop;

#[cfg(test)]
mod tests;

/// One place that breaks one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to the repository.
    pub path: String,
    /// The line, counted from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// What is wrong there, naming the value and, where there is one, the limit.
    pub text: String,
}

impl Finding {
    /// A finding in `path` at `index`, a line counted from 0.
    pub fn at(path: &str, index: usize, text: impl Into<String>) -> Self {
        Self { path: path.into(), line: index + 1, text: text.into() }
    }

    /// A finding about the file `path` as a whole.
    pub fn whole(path: &str, text: impl Into<String>) -> Self {
        Self { path: path.into(), line: 0, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}
