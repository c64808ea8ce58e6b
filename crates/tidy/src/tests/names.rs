//! Names in prose are told from commands, flags and the words of other crates.

use super::lines;
use crate::names::{check, check_list, known, names};
use crate::source::Source;
use crate::spans;
use crate::tree::{Page, Tree};
use std::collections::HashSet;

fn known_words(words: &[&str]) -> HashSet<String> {
    words.iter().map(ToString::to_string).collect()
}

#[test]
fn a_name_that_is_gone_is_found() {
    let text = "/// Uses `fur_or_next`\nfn next() {}\n// and `next`.\n";
    let spans = spans::of_comments(&Source::new("a.rs", text));
    assert_eq!(lines(&check("a.rs", &spans, &known_words(&["next"]), &[])), [1]);
    assert_eq!(check("a.rs", &spans, &known_words(&["next"]), &["fur_or_next"]), []);
}

#[test]
fn a_name_is_found_in_every_form_it_takes() {
    assert_eq!(names("Shared::push"), ["Shared", "push"]);
    assert_eq!(names("Handle::current()"), ["Handle", "current"]);
    assert_eq!(names("fence(SeqCst)"), ["fence", "SeqCst"]);
    assert_eq!(names("Option<Worker>"), ["Option", "Worker"]);
    assert_eq!(names("rt.block_on(async { weftline::run(x) })"), ["block_on", "weftline", "run"]);
    assert_eq!(names("&'a str"), Vec::<String>::new());
    assert_eq!(names("crossbeam-deque"), ["crossbeam_deque"]);
}

#[test]
fn commands_flags_paths_and_foreign_paths_are_no_names() {
    for span in [
        "cargo test --workspace",
        "--json",
        "-D warnings",
        "/usr/share",
        "std::thread::Builder",
        "tokio::spawn(f)",
        "Cargo.toml",
        "platform/",
        "n",
        "4",
        "a plain phrase",
        "\"example.org:443\"",
        "# Safety",
    ] {
        assert_eq!(names(span), Vec::<String>::new(), "{span}");
    }
}

#[test]
fn code_manifests_and_file_names_define_names() {
    let tree = Tree::new(vec![
        Page::new("a/src/state.rs", "// not `this`\nfn start_poll() { let s = \"nor_this\"; }"),
        Page::new("a/Cargo.toml", "[dependencies]\nfutures-io = \"0.3\""),
    ]);
    let known = known(&tree);
    for word in ["state", "start_poll", "futures_io"] {
        assert!(known.contains(word), "{word}");
    }
    assert!(!known.contains("nor_this") && !known.contains("this"));
}

#[test]
fn fenced_blocks_are_left_out() {
    let page = Page::new("a.md", "`one`\n```text\n`two`\n```\n``three``");
    let found: Vec<_> = spans::of_page(&page).into_iter().map(|span| span.text).collect();
    assert_eq!(found, ["one", "three"]);
    let source = Source::new("a.rs", "/// ```\n/// `two`\nfn f() {}\n/// `one`\n");
    assert_eq!(spans::of_comments(&source).len(), 1);
}

#[test]
fn a_foreign_word_that_nobody_needs_is_found() {
    let spans = spans::of_page(&Page::new("a.md", "`EMFILE` and `push`"));
    let foreign = ["EMFILE", "push", "ENFILE"];
    assert_eq!(check_list(&spans, &known_words(&["push"]), &foreign), ["push", "ENFILE"]);
    assert_eq!(check_list(&spans, &known_words(&["push"]), &["EM*", "EX*"]), ["EX*"]);
}
