//! Holds the repository to its rules, one test for each.
//!
//! Each exception is a row in a list of this file, with its reason. Lists may only shrink: a row
//! that is no longer needed fails too.

use std::fmt::Write;
use tidy::source::Source;
use tidy::spans::{self, Span};
use tidy::tree::{Page, Tree};
use tidy::unsafety::Place;
use tidy::{
    Finding, behaviours, dependencies, layers, msrv, names, opening, orderings, pages, platform,
    size, unsafety, workshop,
};

/// Where unsafe code may live, how much of it, and what for.
const UNSAFE_PLACES: [Place; 40] = [
    place("benches/src/http/stream.rs", 3, "hyper's read cursor is unsafe to use"),
    place("benches/src/slices.rs", 1, "a system call filter is installed by a C call"),
    place("crates/rayon-core/src/broadcast.rs", 1, "jobs borrow from a caller that waits for them"),
    place("crates/rayon-core/src/install.rs", 1, "a job borrows from a caller that waits for it"),
    place("crates/rayon-core/src/job.rs", 2, "jobs that borrow are kept as if they did not"),
    place("crates/rayon-core/src/scope.rs", 4, "jobs borrow from a scope that waits for them"),
    place(
        "crates/weftline/src/fork/frame.rs",
        7,
        "a closure in its caller's stack, run by another",
    ),
    place("crates/weftline/src/fork/join.rs", 5, "a closure is noted in its caller's stack"),
    place("crates/weftline/src/fork/promotion.rs", 9, "a job holds a counted reference"),
    place("crates/weftline/src/fork/team.rs", 6, "jobs that borrow are kept as if they did not"),
    place("crates/weftline/src/job/call.rs", 6, "a closure is a type-erased pointer"),
    place("crates/weftline/src/job/latent.rs", 4, "a list through the stack"),
    place("crates/weftline/src/job/mod.rs", 5, "a job is a type-erased pointer"),
    place(
        "crates/weftline/src/par/merge.rs",
        22,
        "elements are moved between two slices by their bits",
    ),
    place(
        "crates/weftline/src/platform/fork.rs",
        1,
        "a fork handler is registered with the C library",
    ),
    place(
        "crates/weftline/src/platform/signals/unix.rs",
        6,
        "a signal handler is installed by C calls",
    ),
    place(
        "crates/weftline/src/platform/signals/windows.rs",
        1,
        "a console handler is installed by a C call",
    ),
    place("crates/weftline/src/platform/probe.rs", 1, "a thread's clock is read by a C call"),
    place("crates/weftline/src/platform/slice.rs", 3, "the kernel's scheduler is asked by C calls"),
    place(
        "crates/weftline/src/platform/poller/portable.rs",
        1,
        "a descriptor is given to the kernel's event queue",
    ),
    place(
        "crates/weftline/src/platform/poller/linux.rs",
        2,
        "a descriptor is given to the kernel's event queue",
    ),
    place("crates/weftline/src/scheduler/queues.rs", 1, "a job passes through an atomic pointer"),
    place(
        "crates/weftline/src/task/current.rs",
        2,
        "reads the header of the task that is being polled",
    ),
    place("crates/weftline/src/sync/mutex/guard.rs", 3, "a guard reaches what its permit allows"),
    place("crates/weftline/src/sync/mutex/mod.rs", 2, "who has the permit has the value"),
    place("crates/weftline/src/sync/mutex/owned.rs", 3, "a guard reaches what its permit allows"),
    place(
        "crates/weftline/src/sync/oneshot/ends.rs",
        34,
        "two ends share one allocation without a lock",
    ),
    place("crates/weftline/src/sync/rwlock/guard.rs", 7, "a guard reaches what its permits allow"),
    place("crates/weftline/src/sync/rwlock/mod.rs", 2, "who has the permits has the value"),
    place("crates/weftline/src/sync/rwlock/owned.rs", 8, "a guard reaches what its permits allow"),
    place(
        "crates/weftline/src/task/driven.rs",
        4,
        "the future of a `block_on` is a task on its caller's thread",
    ),
    place("crates/weftline/src/task/handle.rs", 13, "a handle holds a counted reference"),
    place("crates/weftline/src/task/harness.rs", 67, "acts on tasks as the state word allows"),
    place("crates/weftline/src/task/hooks.rs", 1, "hooks are given references to tasks"),
    place("crates/weftline/src/task/mod.rs", 7, "a task reference is counted"),
    place("crates/weftline/src/task/raw.rs", 46, "one allocation with a hand-written vtable"),
    place(
        "crates/weftline/src/task/region.rs",
        1,
        "a poll reaches the regions around it through its stack",
    ),
    place(
        "crates/weftline/src/task/roster.rs",
        2,
        "lists tasks without holding references to them",
    ),
    place("crates/weftline/src/task/spawn.rs", 18, "a new task is owned by its spawner"),
    place("crates/weftline/src/task/waker.rs", 9, "a waker has a hand-written vtable"),
];

/// A row of the table above.
const fn place(path: &'static str, ceiling: usize, reason: &'static str) -> Place {
    Place { path, ceiling, reason }
}

/// Words in backticks that belong to other worlds: the kernel, the tool chain, other crates. One
/// that ends with `*` stands for all that begin so.
const FOREIGN_WORDS: [&str; 7] =
    ["IPV6_*", "IP_*", "RAYON_*", "SO_*", "TCP_*", "epoll_*", "rust_src"];

/// Paths in backticks that exist only after a build, or in another project.
const FOREIGN_PATHS: [&str; 0] = [];

/// The pages whose names are Python's or tokio's as much as ours; their code is compiled and run.
const SPEAK_OF_PEERS: [&str; 2] = ["docs/asyncio.md", "docs/tokio.md"];

/// The file that lists the words of the workshop, and the one that shows them to the rule.
const SPEAKS_OF_THE_WORKSHOP: [&str; 2] =
    ["crates/tidy/src/workshop.rs", "crates/tidy/src/tests/workshop.rs"];

/// Fails with every finding on a line of its own.
#[track_caller]
fn expect_none(findings: Vec<Finding>) {
    let mut report = String::new();
    for finding in &findings {
        let _ = write!(report, "\n{finding}");
    }
    assert!(findings.is_empty(), "{} findings:{report}", findings.len());
}

/// Applies a rule to every Rust file of the runtime.
fn in_the_runtime(rule: impl Fn(&Source) -> Vec<Finding>) -> Vec<Finding> {
    Tree::of_the_repository().sources_in(layers::FOLDER).flat_map(rule).collect()
}

/// Applies a rule to every Rust file.
fn everywhere(rule: impl Fn(&Source) -> Vec<Finding>) -> Vec<Finding> {
    Tree::of_the_repository().sources.iter().flat_map(rule).collect()
}

/// Everything in backticks that must stay true: the comments of the runtime, and all pages but the
/// decisions and the changelog, which keep what was true when they were written.
fn prose(tree: &Tree) -> Vec<(&str, Vec<Span>)> {
    let is_living =
        |page: &&Page| page.path != "CHANGELOG.md" && !page.path.starts_with("docs/decisions/");
    let comments = tree
        .sources_in("crates/")
        .filter(|source| !source.path.starts_with("crates/tidy/"))
        .map(|source| (source.path.as_str(), spans::of_comments(source)));
    let pages = tree.markdown().filter(is_living);
    comments.chain(pages.map(|page| (page.path.as_str(), spans::of_page(page)))).collect()
}

#[test]
fn only_the_platform_names_loom() {
    expect_none(in_the_runtime(platform::check_checkers));
}

#[test]
fn what_models_replace_comes_from_the_platform() {
    expect_none(in_the_runtime(platform::check_swapped));
}

#[test]
fn a_layer_names_only_layers_below_it() {
    expect_none(in_the_runtime(layers::check));
}

#[test]
fn files_and_functions_fit_the_eye() {
    expect_none(everywhere(size::check));
}

#[test]
fn every_file_says_what_it_is() {
    expect_none(Tree::of_the_repository().pages.iter().flat_map(opening::check).collect());
}

#[test]
fn the_oldest_compiler_can_read_it() {
    expect_none(everywhere(msrv::check));
}

#[test]
fn every_name_in_prose_exists_in_code() {
    let tree = Tree::of_the_repository();
    let known = names::known(&tree);
    let prose = prose(&tree);
    expect_none(
        prose
            .iter()
            .filter(|(path, _)| !SPEAK_OF_PEERS.contains(path))
            .flat_map(|(path, spans)| names::check(path, spans, &known, &FOREIGN_WORDS))
            .collect(),
    );
    let spans: Vec<Span> = prose.into_iter().flat_map(|(_, spans)| spans).collect();
    let unneeded = names::check_list(&spans, &known, &FOREIGN_WORDS);
    assert!(unneeded.is_empty(), "foreign words that need no row: {unneeded:?}");
}

#[test]
fn every_behaviour_has_the_tests_that_its_page_names() {
    let tree = Tree::of_the_repository();
    let page = tree.markdown().find(|page| page.path == "docs/behaviours.md");
    expect_none(behaviours::check(&tree, page.expect("the page is there")));
}

#[test]
fn every_page_is_reachable() {
    expect_none(pages::check_index(&Tree::of_the_repository()));
}

#[test]
fn every_link_leads_somewhere() {
    let tree = Tree::of_the_repository();
    expect_none(tree.markdown().flat_map(|page| pages::check_links(&tree, page)).collect());
}

#[test]
fn every_path_in_prose_exists() {
    let tree = Tree::of_the_repository();
    let check =
        |(path, spans): (&str, Vec<Span>)| pages::check_paths(&tree, path, &spans, &FOREIGN_PATHS);
    expect_none(prose(&tree).into_iter().flat_map(check).collect());
}

#[test]
fn unsafe_lives_only_where_it_is_listed() {
    let tree = Tree::of_the_repository();
    let mut findings = unsafety::check_list(&tree.sources, &UNSAFE_PLACES);
    findings.extend(tree.sources.iter().flat_map(|s| unsafety::check(s, &UNSAFE_PLACES)));
    expect_none(findings);
}

#[test]
fn every_ordering_is_explained() {
    expect_none(in_the_runtime(orderings::check));
}

#[test]
fn every_dependency_has_its_reason() {
    expect_none(dependencies::check(&Tree::of_the_repository()));
}

#[test]
fn no_word_of_the_workshop() {
    let tree = Tree::of_the_repository();
    let others = |page: &&Page| !SPEAKS_OF_THE_WORKSHOP.contains(&page.path.as_str());
    expect_none(tree.pages.iter().filter(others).flat_map(workshop::check).collect());
}
