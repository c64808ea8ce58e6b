//! Every file says in its first lines what it is.
//!
//! Rust files open with a module comment, pages with a title.

use crate::Finding;
use crate::tree::Page;

/// The finding for a Rust or Markdown file that opens with something else.
pub fn check(page: &Page) -> Vec<Finding> {
    let first = page.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    let says = |marker| first.strip_prefix(marker).is_some_and(|rest| !rest.trim().is_empty());
    let text = if page.path.ends_with(".rs") && !says("//!") {
        "the file does not open with a `//!` comment that says what it is"
    } else if page.path.ends_with(".md") && !says("# ") {
        "the page does not open with a title, `# …`"
    } else {
        return Vec::new();
    };
    vec![Finding::at(&page.path, 0, text)]
}
