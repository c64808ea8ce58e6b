//! The order of the layers is kept, whichever way a path is written.

use super::{lines, runtime_file};
use crate::layers::check;

#[test]
fn a_name_from_a_higher_layer_is_found() {
    let source = runtime_file("job/mod.rs", "use crate::platform::Mutex;\nuse crate::task::Task;");
    assert_eq!(lines(&check(&source)), [2]);
}

#[test]
fn modules_of_one_layer_are_blind_to_each_other() {
    let source = runtime_file("task/raw.rs", "fn f() {\n    crate::driver::turn();\n}");
    assert_eq!(lines(&check(&source)), [2]);
    let source = runtime_file("net/tcp.rs", "use crate::io::Async;\nuse crate::time::sleep;");
    assert_eq!(check(&source), []);
}

#[test]
fn every_name_of_a_group_is_looked_at() {
    let text = "use crate::{\n    job::{Job, Latch},\n    runtime::Handle,\n    task,\n};";
    assert_eq!(lines(&check(&runtime_file("scheduler/worker.rs", text))), [3]);
}

#[test]
fn the_root_is_reached_by_super_too() {
    let source = runtime_file("task/mod.rs", "use super::driver::Driver;");
    assert_eq!(lines(&check(&source)), [1]);
    let source = runtime_file("task/raw.rs", "use super::state::State;");
    assert_eq!(check(&source), []);
    let source = runtime_file("task/mod.rs", "mod inner {\n    use super::state::State;\n}");
    assert_eq!(check(&source), []);
}

#[test]
fn a_path_over_two_levels_up_is_found() {
    let source = runtime_file("task/raw.rs", "use super::super::job::Job;");
    assert_eq!(lines(&check(&source)), [1]);
}

#[test]
fn an_item_of_the_root_has_no_layer() {
    let source = runtime_file("runtime/mod.rs", "use crate::Handle;");
    assert_eq!(lines(&check(&source)), [1]);
}

#[test]
fn a_module_without_a_layer_is_found() {
    assert_eq!(lines(&check(&runtime_file("helpers.rs", "fn f() {}"))), [0]);
}

#[test]
fn tests_and_the_root_and_other_packages_may_name_anything() {
    let text = "use crate::runtime::Runtime;\nuse super::super::x;";
    for path in ["task/tests.rs", "task/tests/wake.rs", "lib.rs"] {
        assert_eq!(check(&runtime_file(path, text)), [], "{path}");
    }
    assert_eq!(check(&crate::source::Source::new("benches/src/main.rs", text)), []);
    let inline = "#[cfg(test)]\nmod tests {\n    use crate::runtime::Runtime;\n}";
    assert_eq!(check(&runtime_file("job/mod.rs", inline)), []);
}
