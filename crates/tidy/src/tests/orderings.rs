//! An ordering without a comment is found.

use super::{lines, runtime_file};
use crate::orderings::check;

#[test]
fn an_ordering_without_a_word_is_found() {
    let text =
        "fn f() {\n    // Counts.\n    N.fetch_add(1, Ordering::Relaxed);\n    N.load(Acquire);\n}";
    assert_eq!(lines(&check(&runtime_file("task/state.rs", text))), [3, 4]);
}

#[test]
fn a_comment_within_reach_explains() {
    let text = "fn f() {\n    // Release: pairs with the Acquire in `g`.\n    word.compare_exchange(\n        \
        old,\n        new,\n        Ordering::Release,\n        Ordering::Relaxed,\n    );\n}";
    assert_eq!(check(&runtime_file("task/state.rs", text)), []);
    let text = "N.load(Ordering::Relaxed); // a hint";
    assert_eq!(check(&runtime_file("task/state.rs", text)), []);
}

#[test]
fn a_comment_too_far_above_does_not_explain() {
    let text = "// Relaxed: a hint.\na();\nb();\nc();\nN.load(Ordering::Relaxed);";
    assert_eq!(lines(&check(&runtime_file("task/state.rs", text))), [5]);
}

#[test]
fn a_comment_on_a_function_explains_the_ordering_it_names() {
    let text = "/// Relaxed: the owner alone writes it.\n#[inline]\nfn f() {\n    a();\n    b();\n\
        \n\n\n    N.load(Relaxed);\n    N.load(Acquire);\n}\nfn g() {\n    a();\n    N.load(Relaxed);\n}";
    assert_eq!(lines(&check(&runtime_file("task/state.rs", text))), [10, 14]);
}

#[test]
fn imports_and_tests_need_no_explanation() {
    let text = "use Ordering::{\n    Acquire,\n    Release,\n};\nN.load(Acquire);";
    assert_eq!(lines(&check(&runtime_file("task/state.rs", text))), [5]);
    assert_eq!(check(&runtime_file("task/tests.rs", "N.load(Ordering::Relaxed);")), []);
}
