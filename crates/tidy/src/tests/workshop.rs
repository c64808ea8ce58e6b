//! The words of the workshop are found, and words that only look like them are not.

use super::lines;
use crate::tree::Page;
use crate::workshop::check;

#[test]
fn each_word_of_the_workshop_is_found() {
    for line in [
        "// TODO: later",
        "// FIXME",
        "// XXX why",
        "todo!()",
        "unimplemented!(\"x\")",
        "#[ignore]",
        "#[ignore = \"slow\"]",
        "see issue #3",
        "see ../shared/page.md",
        "cd /work/main",
        "\"/root/.cargo\"",
        "CARGO_TARGET_DIR=/tmp/target-x",
    ] {
        assert_eq!(check(&Page::new("a.rs", line)).len(), 1, "{line}");
    }
}

#[test]
fn words_that_only_look_like_it_pass() {
    let text = "mktemp XXXXXX\nAUTODO\nhttps://example.org/work/x\nthe issue is\n#[cfg_attr(a, ignore)]\n\
        crates/work/\n/usr/share\n/workers\nfn not_todo() {}";
    assert_eq!(check(&Page::new("a.md", text)), []);
}

#[test]
fn a_private_source_of_packages_is_found() {
    let text = "[source.crates-io]\nreplace-with = \"here\"\nurl = \"https://nexus.example.com/x\"";
    assert_eq!(lines(&check(&Page::new(".cargo/config.toml", text))), [1, 2, 3]);
    let text = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    assert_eq!(check(&Page::new("Cargo.lock", text)), []);
    assert_eq!(check(&Page::new("deny.toml", "[sources]")), []);
}
