//! Tests that are not where the page says, and IDs without a counterpart, are found.

use super::lines;
use crate::behaviours::check;
use crate::tree::{Page, Tree};

fn findings(page: &str, tests: &str) -> Vec<usize> {
    let page = Page::new("docs/behaviours.md", page);
    let tree = Tree::new(vec![page.clone(), Page::new("crates/weftline/tests/it/a.rs", tests)]);
    lines(&check(&tree, &page))
}

#[test]
fn a_page_and_tests_that_agree_pass() {
    let page = "| AT-A-01 | `one` | a |\n|  | `two` | a |\n| F-A-01 | `three` | b |\n";
    assert_eq!(findings(page, "// AT-A-01\nfn one() {}\nfn two() {}\n"), []);
}

#[test]
fn a_test_that_is_not_in_its_module_is_found() {
    let page = "| AT-A-01 | `one` | a |\n|  | `gone` | a |\n|  | `one` | b::c |\n";
    assert_eq!(findings(page, "// AT-A-01, and more\nfn one() {}\n"), [2, 3]);
}

#[test]
fn an_id_that_stands_on_one_side_alone_is_found() {
    assert_eq!(findings("| AT-A-01 | `one` | a |", "fn one() {}\n"), [0]);
    let more = "// AT-A-01\nfn one() {}\n// AT-A-03\nlet text = \"AT-A-05\";\n";
    assert_eq!(findings("| AT-A-01 | `one` | a |", more), [3]);
}
