//! The model checkers and what they replace stay behind `platform/`.

use super::{lines, runtime_file};
use crate::platform::{check_checkers, check_swapped};

#[test]
fn a_checker_named_outside_the_platform_is_found() {
    let text =
        "// loom may be mentioned\n#[cfg(loom)]\nfn f() {}\nif cfg!(miri) {}\nlet s = \"loom\";";
    assert_eq!(lines(&check_checkers(&runtime_file("task/mod.rs", text))), [2, 4]);
}

#[test]
fn the_platform_and_tests_may_name_a_checker() {
    let text = "#[cfg(loom)]\nfn f() {}";
    assert_eq!(check_checkers(&runtime_file("platform/mod.rs", text)), []);
    assert_eq!(check_checkers(&runtime_file("task/tests.rs", text)), []);
    let text = "#[cfg(all(test, not(loom)))]\nmod stress;";
    assert_eq!(check_checkers(&runtime_file("task/mod.rs", text)), []);
}

#[test]
fn what_models_replace_is_found_below_the_top_layer() {
    let text = "use std::sync::atomic::AtomicBool;\nuse std::sync::Arc;\nuse parking_lot::Mutex;\n\
        std::thread::available_parallelism();\nstd::thread::park_timeout(limit);";
    assert_eq!(lines(&check_swapped(&runtime_file("scheduler/sleep.rs", text))), [1, 3, 5]);
    assert_eq!(check_swapped(&runtime_file("platform/real.rs", text)), []);
    assert_eq!(check_swapped(&runtime_file("net/resolve.rs", text)), []);
}
