//! What is true of a whole process, and so asked of one of its own: the environment's say in the number
//! of threads, and what ends the process. Each test calls itself again in a child.

use std::process::{Command, Output};
use std::thread;
use std::time::Duration;
use weftline::Runtime;

/// Tells a child that it is one, and what it is to do.
const CHILD: &str = "RAYON_CORE_TEST_CHILD";
/// How many threads a pool has that was told nothing.
const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"];

/// Runs that test of this module in a child, with these values of [`VARIABLES`] and no others.
fn child(name: &str, task: &str, values: [Option<&str>; 2]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", &format!("environment::{name}")]).env(CHILD, task);
    for (variable, value) in VARIABLES.into_iter().zip(values) {
        match value {
            Some(value) => command.env(variable, value),
            None => command.env_remove(variable),
        };
    }
    command.output().unwrap()
}

/// What a child is to do; `None`: this is none.
fn task() -> Option<String> {
    std::env::var(CHILD).ok()
}

#[test]
fn the_environment_says_how_many_threads_a_pool_has_that_was_told_nothing() {
    let name = "the_environment_says_how_many_threads_a_pool_has_that_was_told_nothing";
    let pool = |threads| {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        builder.build().unwrap().install(rayon::current_num_threads)
    };
    if let Some(expected) = task() {
        let expected: usize = expected.parse().unwrap();
        assert_eq!(rayon::current_num_threads(), expected, "the global pool");
        assert_eq!(pool(0), expected, "one that was told nothing");
        assert_eq!(pool(2), 2, "one that was told");
        // A runtime of others is what it is.
        let runtime = Runtime::builder().workers(1).build().unwrap();
        assert_eq!(runtime.block_on(async { rayon::current_num_threads() }), 1);
        return;
    }
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let cases = [
        ([Some("3"), None], 3),
        // The old name, which the new one goes before.
        ([None, Some("4")], 4),
        ([Some("3"), Some("4")], 3),
        // Zero is what it is to `num_threads`: as many as there are processors.
        ([Some("0"), Some("4")], processors),
        ([None, Some("0")], processors),
        ([Some("many"), Some("4")], 4),
        ([None, None], processors),
    ];
    for (values, expected) in cases {
        let output = child(name, &expected.to_string(), values);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{values:?}: {said}");
    }
}

#[cfg(unix)]
#[test]
fn a_spawned_closure_that_panics_ends_the_process_and_tells_how_to_be_told() {
    use std::os::unix::process::ExitStatusExt;

    let name = "a_spawned_closure_that_panics_ends_the_process_and_tells_how_to_be_told";
    let in_task = |call: fn()| {
        let runtime = Runtime::builder().workers(1).build().unwrap();
        runtime.spawn(async move { call() }).wait().unwrap();
        // The process ends before that, unless there is a handler.
        thread::sleep(Duration::from_secs(60));
    };
    match task().as_deref() {
        Some("in a task") => return in_task(|| rayon::spawn(|| panic!("on purpose"))),
        Some("in a task, with a handler") => {
            let builder = rayon::ThreadPoolBuilder::new().num_threads(1);
            let handler = |_| {
                println!("told");
                std::process::exit(0);
            };
            builder.panic_handler(handler).build_global().unwrap();
            return in_task(|| rayon::spawn(|| panic!("on purpose")));
        }
        Some(other) => panic!("no such task: {other}"),
        None => {}
    }
    let output = child(name, "in a task", [None, None]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(6), "{said}");
    for told in ["on purpose", "panic_handler", "the process is aborted"] {
        assert!(said.contains(told), "{told} is in: {said}");
    }
    let output = child(name, "in a task, with a handler", [None, None]);
    assert!(output.status.success(), "{}", output.status);
    assert!(String::from_utf8_lossy(&output.stdout).contains("told"));
}
