//! Every dependency has its reason on the page of the dependencies, and no reason outlives it.

use crate::Finding;
use crate::spans;
use crate::tree::{Page, Tree};
use std::collections::BTreeSet;

/// The page with one table row for each dependency, whose first cell holds the name.
pub const PAGE: &str = "docs/dependencies.md";

/// Dependencies without a row, and rows without a dependency.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.pages.iter().find(|page| page.path == PAGE) else {
        return vec![Finding::whole(PAGE, "the page does not exist")];
    };
    let explained = rows(page);
    let mut used = BTreeSet::new();
    let mut findings = Vec::new();
    for manifest in tree.manifests() {
        for (index, name) in dependencies(&manifest.text) {
            if !explained.iter().any(|(_, row)| *row == name) {
                let text = format!("`{name}` has no row in {PAGE}");
                findings.push(Finding::at(&manifest.path, index, text));
            }
            used.insert(name);
        }
    }
    let stale = explained.iter().filter(|(_, name)| !used.contains(name));
    findings.extend(stale.map(|(index, name)| {
        Finding::at(PAGE, *index, format!("`{name}` is no longer a dependency"))
    }));
    findings
}

/// The names in the first cells of a page's tables.
fn rows(page: &Page) -> Vec<(usize, String)> {
    let lines = spans::lines_outside_fences(page).into_iter();
    let name = |line: &str| {
        let cell = line.strip_prefix("| `")?.split('`').next()?;
        Some(cell.to_string())
    };
    lines.filter_map(|(index, line)| Some((index, name(line)?))).collect()
}

/// The packages a manifest takes from elsewhere, with their lines; those of the workspace are not.
pub fn dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut is_section = false;
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            is_section = section.ends_with("dependencies]");
        }
        let entry = line.split_once('=').filter(|_| is_section && !line.starts_with(['#', '[']));
        let Some((name, value)) = entry else { continue };
        if !value.contains("path =") && !value.contains("workspace = true") {
            found.push((index, renamed(value).unwrap_or(name.trim()).to_string()));
        }
    }
    found
}

/// The package behind an entry that goes by another name.
fn renamed(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("package = \"")?;
    rest.split('"').next()
}
