//! A layer of the runtime names only layers below it.
//!
//! The order is [`LAYERS`]. Modules of one layer are blind to each other, except in the top one.
//! The crate's root only re-exports, so nothing names an item through it. Test code may name
//! anything.

use crate::Finding;
use crate::source::{Code, Source, identifiers};

/// The folder whose order is kept.
pub const FOLDER: &str = "crates/weftline/src/";

/// The layer of the leaf types, whose modules may name each other.
pub const TOP: usize = 5;

/// Each module of the runtime and its layer.
pub const LAYERS: [(&str, usize); 19] = [
    ("platform", 0),
    ("job", 1),
    ("task", 2),
    ("driver", 2),
    ("scheduler", 3),
    ("runtime", 4),
    ("fork", 4),
    ("cancel", TOP),
    ("foundation", TOP),
    ("group", TOP),
    ("par", TOP),
    ("io", TOP),
    ("net", TOP),
    ("time", TOP),
    ("tls", TOP),
    ("sync", TOP),
    ("fs", TOP),
    ("process", TOP),
    ("signal", TOP),
];

/// The layer of a module.
fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

/// The module of the runtime that a file belongs to; none for its root and for other packages.
pub fn module_of_file(path: &str) -> Option<&str> {
    let inside = path.strip_prefix(FOLDER)?;
    let module =
        inside.split_once('/').map_or_else(|| inside.strip_suffix(".rs"), |(m, _)| Some(m))?;
    (module != "lib").then_some(module)
}

/// The layer that a file belongs to.
pub fn layer_of_file(path: &str) -> Option<usize> {
    layer(module_of_file(path)?)
}

/// Names that go upward or sideways, and modules without a layer.
pub fn check(source: &Source) -> Vec<Finding> {
    let Some(own) = module_of_file(&source.path) else { return Vec::new() };
    let Some(own_layer) = layer(own) else {
        let text = format!("`{own}` has no layer: give it one in the table of the layers");
        return vec![Finding::whole(&source.path, text)];
    };
    let code = source.code();
    let mut findings = Vec::new();
    for (at, name) in named(&source.path, &code) {
        let index = code.line_of(at);
        if source.lines[index].is_test || name == own {
            continue;
        }
        let text = match layer(&name) {
            None => format!("`crate::{name}` is not in a layer: name the module it lives in"),
            Some(l) if l > own_layer => format!("`{own}` is below `{name}` and may not name it"),
            Some(l) if l == own_layer && l != TOP => {
                format!("`{own}` and `{name}` are in one layer and blind to each other")
            }
            Some(_) => continue,
        };
        findings.push(Finding::at(&source.path, index, text));
    }
    for (at, _) in code.text.match_indices("super::super") {
        let index = code.line_of(at);
        if !source.lines[index].is_test {
            let text = "`super::super` hides the layer: write the path from `crate`";
            findings.push(Finding::at(&source.path, index, text));
        }
    }
    findings
}

/// Every name taken from the crate's root, with its place.
fn named(path: &str, code: &Code) -> Vec<(usize, String)> {
    let mut roots: Vec<_> = after(code, "crate::");
    if is_child_of_the_root(path) {
        let outside = |at: &usize| !is_in_inline_module(code, *at);
        roots.extend(after(code, "super::").into_iter().filter(outside));
    }
    roots.into_iter().flat_map(|at| first_names(code, at)).collect()
}

/// The offsets right after each `prefix` that is not the end of a longer word, nor a macro's
/// `$crate`, which is a path from where the macro is used.
fn after(code: &Code, prefix: &str) -> Vec<usize> {
    let whole = |at: &usize| {
        !code.text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$')
    };
    let found = code.text.match_indices(prefix).map(|(at, _)| at).filter(whole);
    found.map(|at| at + prefix.len()).collect()
}

/// The first name of a path, or of each path of a `{…}` group, that starts at `at`.
fn first_names(code: &Code, at: usize) -> Vec<(usize, String)> {
    let text = &code.text;
    if !text[at..].starts_with('{') {
        let first = identifiers(&text[at..]).next().filter(|(offset, _)| *offset == 0);
        return first.map(|(_, name)| (at, name.to_string())).into_iter().collect();
    }
    let end = code.matching(at);
    let mut names = Vec::new();
    let (mut depth, mut wanted) = (0, true);
    for (offset, c) in text[at..end].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => wanted = true,
            _ => {}
        }
        if wanted && depth == 1 && (c.is_alphabetic() || c == '_') {
            wanted = false;
            names.extend(first_names(code, at + offset));
        }
    }
    names
}

/// Whether `super` means the crate's root in the file.
fn is_child_of_the_root(path: &str) -> bool {
    let inside = path.strip_prefix(FOLDER).unwrap_or(path);
    !inside.contains('/') || inside.split_once('/').is_some_and(|(_, file)| file == "mod.rs")
}

/// Whether the byte at `offset` lies within `mod name { … }`.
fn is_in_inline_module(code: &Code, offset: usize) -> bool {
    let words = code.identifiers().take_while(|(at, _)| *at < offset);
    words.filter(|(_, word)| *word == "mod").any(|(at, _)| {
        let body = code.body_or_end(at);
        code.text[body..].starts_with('{') && body < offset && offset < code.matching(body)
    })
}
