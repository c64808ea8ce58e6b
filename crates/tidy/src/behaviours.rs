//! The page of behaviours and the tests agree: each test that it names is in the module that it names,
//! and the IDs beside the tests are those of the page.

use crate::Finding;
use crate::tree::{Page, Tree};
use std::collections::BTreeSet;

/// Where the modules lie that the page names.
const TESTS: &str = "crates/weftline/tests/it/";
/// What the ID of a behaviour begins with; an area and a number follow.
const PREFIX: &str = "AT-";

/// Rows of `page` that name a test which is not there, and IDs that stand on one side alone.
pub fn check(tree: &Tree, page: &Page) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in page.text.lines().enumerate() {
        let Some((test, module)) = row(text) else { continue };
        let path = format!("{TESTS}{}.rs", module.replace("::", "/"));
        let wanted = format!("fn {test}(");
        if !tree.text(&path).is_some_and(|text| text.contains(&wanted)) {
            findings.push(Finding::at(&page.path, line, format!("no `{test}` in {path}")));
        }
    }
    let in_page: BTreeSet<_> = page.text.lines().flat_map(ids).collect();
    let mut in_tests = BTreeSet::new();
    for source in tree.sources_in(TESTS) {
        for (line, text) in source.lines.iter().enumerate() {
            for id in ids(&text.comment) {
                if !in_page.contains(&id) {
                    let text = format!("{id} is not in {}", page.path);
                    findings.push(Finding::at(&source.path, line, text));
                }
                in_tests.insert(id);
            }
        }
    }
    let untested = in_page.difference(&in_tests);
    findings.extend(untested.map(|id| Finding::whole(&page.path, format!("{id} has no test"))));
    findings
}

/// The test and the module of a row: `| ID | test | module |`, the test in backticks.
fn row(text: &str) -> Option<(&str, &str)> {
    let mut cells = text.strip_prefix('|')?.split('|').map(str::trim);
    let id = cells.next()?;
    let test = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
    let is_row = id.is_empty() || id.starts_with(PREFIX);
    is_row.then_some((test, cells.next()?))
}

/// The IDs in a piece of text.
fn ids(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let is_id = |word: &&str| {
        let rest = word.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        rest.is_some_and(|(area, number)| {
            area.chars().all(char::is_uppercase) && number.chars().all(|c| c.is_ascii_digit())
        })
    };
    words.filter(is_id).map(str::to_owned).collect()
}
