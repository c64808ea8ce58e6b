//! Each rule is shown something it must find and something it must let pass.

mod behaviours;
mod dependencies;
mod layers;
mod msrv;
mod names;
mod opening;
mod orderings;
mod pages;
mod platform;
mod size;
mod source;
mod unsafety;
mod workshop;

use crate::Finding;
use crate::source::Source;

/// A file of the runtime.
fn runtime_file(path: &str, text: &str) -> Source {
    Source::new(&format!("crates/weftline/src/{path}"), text)
}

/// The lines of the findings, counted from 1.
fn lines(findings: &[Finding]) -> Vec<usize> {
    findings.iter().map(|finding| finding.line).collect()
}
