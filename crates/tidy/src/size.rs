//! A file is at most 600 lines, a function at most 70.
//!
//! The number is not the point, the shape is: much body behind a small interface, and no function
//! that one screen does not hold. Lines of tests count too.

use crate::Finding;
use crate::source::{Code, Source};

/// How long a file may be, in lines.
pub const MAX_FILE_LINES: usize = 600;
/// How long a function may be, from `fn` to its closing brace, in lines.
pub const MAX_FUNCTION_LINES: usize = 70;

/// Files and functions that are longer than allowed.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let length = source.lines.len();
    if length > MAX_FILE_LINES {
        let text = format!("the file has {length} lines, at most {MAX_FILE_LINES} fit the eye");
        findings.push(Finding::whole(&source.path, text));
    }
    for function in functions(&source.code()) {
        let length = function.last - function.first + 1;
        if length > MAX_FUNCTION_LINES {
            let name = &function.name;
            let text = format!("`{name}` has {length} lines, at most {MAX_FUNCTION_LINES} fit");
            findings.push(Finding::at(&source.path, function.first, text));
        }
    }
    findings
}

/// A function with a body.
struct Function {
    /// Its name.
    name: String,
    /// The line with `fn`.
    first: usize,
    /// The line with its closing brace.
    last: usize,
}

/// Every function of a file, nested ones included.
fn functions(code: &Code) -> Vec<Function> {
    let words: Vec<_> = code.identifiers().collect();
    let mut functions = Vec::new();
    for pair in words.windows(2) {
        let [(at, "fn"), (name_at, name)] = *pair else { continue };
        let only_space_between = code.text[at + 2..name_at].trim().is_empty();
        let body = code.body_or_end(name_at);
        if only_space_between && code.text[body..].starts_with('{') {
            functions.push(Function {
                name: name.into(),
                first: code.line_of(at),
                last: code.line_of(code.matching(body)),
            });
        }
    }
    functions
}
