//! Unlinked pages, dead links and vanished paths are found.

use super::lines;
use crate::pages::{check_index, check_links, check_paths};
use crate::spans;
use crate::tree::{Page, Tree};

fn tree() -> Tree {
    Tree::new(vec![
        Page::new("README.md", "# R\n[docs](docs/README.md) [no](docs/gone.md)\n"),
        Page::new("docs/README.md", "# D\n[task](task.md#the-states)\n[d](decisions/README.md)"),
        Page::new("docs/task.md", "# T\n## The states\n[up](../README.md) [no](#the-end)"),
        Page::new("docs/lost.md", "# L\n"),
        Page::new("docs/decisions/README.md", "# D\n[one](001-one.md)\n"),
        Page::new("docs/decisions/001-one.md", "# 1\n"),
        Page::new("docs/decisions/002-two.md", "# 2\n"),
        Page::new("crates/weftline/src/task/state.rs", "//! S."),
    ])
}

#[test]
fn a_page_that_no_index_links_to_is_found() {
    let findings = check_index(&tree());
    let paths: Vec<_> = findings.iter().map(|finding| finding.path.as_str()).collect();
    assert_eq!(paths, ["docs/decisions/002-two.md", "docs/lost.md"]);
}

#[test]
fn a_link_to_nowhere_is_found() {
    let tree = tree();
    let findings: Vec<_> = tree.markdown().flat_map(|page| check_links(&tree, page)).collect();
    let places: Vec<_> = findings.iter().map(|f| (f.path.as_str(), f.line)).collect();
    assert_eq!(places, [("README.md", 2), ("docs/task.md", 3)]);
}

#[test]
fn a_path_that_does_not_exist_is_found() {
    let text = "`task/state.rs` `state.rs` `crates/weftline/`\n`task/gone.rs`\n`driver/`\n`a / b` `/usr/share/` `.ci/run all` `.csv`";
    let page = Page::new("docs/task.md", text);
    let spans = spans::of_page(&page);
    assert_eq!(lines(&check_paths(&tree(), &page.path, &spans, &[])), [2, 3]);
    assert_eq!(lines(&check_paths(&tree(), &page.path, &spans, &["driver/"])), [2]);
}
