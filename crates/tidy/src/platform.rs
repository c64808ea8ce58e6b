//! Only `platform/` knows that there are model checkers, and only it hands out what they replace.
//!
//! Above it everything is written once. Test code is free, and so are the leaf types of the top
//! layer where it comes to threads and locks: no model reaches them.

use crate::Finding;
use crate::layers;
use crate::source::{Source, identifiers};

/// The words that belong to `platform/`.
const CHECKERS: [&str; 2] = ["loom", "miri"];

/// What `platform/` hands out in place of the original.
const SWAPPED: [&str; 12] = [
    "std::sync::atomic",
    "std::sync::Mutex",
    "std::sync::Condvar",
    "std::cell::UnsafeCell",
    "std::thread::{",
    "std::thread::Builder",
    "std::thread::current",
    "std::thread::park",
    "std::thread::spawn",
    "std::thread::yield_now",
    "parking_lot",
    "crossbeam_deque",
];

/// Lines that name a model checker outside `platform/`.
pub fn check_checkers(source: &Source) -> Vec<Finding> {
    find(source, |code| {
        let named = identifiers(code).find(|(_, word)| CHECKERS.contains(word));
        named.map(|(_, word)| format!("`{word}` is named outside `platform/`"))
    })
}

/// Lines below the top layer that take what `platform/` swaps from somewhere else.
pub fn check_swapped(source: &Source) -> Vec<Finding> {
    if layers::layer_of_file(&source.path).is_none_or(|layer| layer == layers::TOP) {
        return Vec::new();
    }
    find(source, |code| {
        let swapped = SWAPPED.iter().find(|path| code.contains(**path));
        swapped.map(|path| format!("`{path}` is swapped in models: take it from `platform`"))
    })
}

/// The findings of `rule` in the code of a file outside `platform/`, tests left out.
fn find(source: &Source, rule: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    if layers::module_of_file(&source.path) == Some("platform") {
        return Vec::new();
    }
    let lines = source.lines.iter().enumerate().filter(|(_, line)| !line.is_test);
    let findings = lines.filter_map(|(index, line)| {
        rule(&line.code).map(|text| Finding::at(&source.path, index, text))
    });
    findings.collect()
}
