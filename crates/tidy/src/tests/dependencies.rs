//! A dependency without a reason is found, and a reason without a dependency.

use crate::dependencies::{check, dependencies};
use crate::tree::{Page, Tree};

const MANIFEST: &str = "[package]\nname = \"a\"\n[dependencies]\nslab = \"0.4\"\n\
    own = { path = \"../own\" }\n[target.'cfg(loom)'.dev-dependencies]\n\
    model = { package = \"loom\", version = \"0.7\" }\n[lints]\nworkspace = true\n";

#[test]
fn dependencies_are_read_from_every_section() {
    let names: Vec<_> = dependencies(MANIFEST).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["slab", "loom"]);
}

#[test]
fn a_missing_and_a_stale_row_are_found() {
    let tree = Tree::new(vec![
        Page::new("Cargo.toml", MANIFEST),
        Page::new("docs/dependencies.md", "# D\n| `slab` | numbers things |\n| `gone` | was |\n"),
    ]);
    let findings = check(&tree);
    let texts: Vec<_> = findings.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(
        texts,
        ["`loom` has no row in docs/dependencies.md", "`gone` is no longer a dependency"]
    );
}

#[test]
fn the_page_must_exist() {
    assert_eq!(check(&Tree::default()).len(), 1);
}
