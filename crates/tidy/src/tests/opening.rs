//! A file without an opening is found.

use crate::opening::check;
use crate::tree::Page;

#[test]
fn a_file_without_an_opening_is_found() {
    for (path, text) in [
        ("a.rs", "use std::fmt;\n//! Late."),
        ("a.rs", "//!\nfn f() {}"),
        ("a.rs", ""),
        ("a.md", "Text first."),
    ] {
        assert_eq!(check(&Page::new(path, text)).len(), 1, "{path}: {text}");
    }
}

#[test]
fn a_file_with_an_opening_passes() {
    for (path, text) in
        [("a.rs", "\n//! What it is.\n"), ("a.md", "# Title\n"), ("a.toml", "[package]")]
    {
        assert_eq!(check(&Page::new(path, text)), [], "{path}");
    }
}
