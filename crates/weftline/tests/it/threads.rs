//! The runtime's threads, as the system lists them. [`named`] is for other tests too.

use crate::probe::Gate;
use crate::rig::{eventually, settle};
use std::thread;
use weftline::Runtime;

/// How many characters of a thread's name the kernel keeps.
#[cfg(target_os = "linux")]
const KEPT: usize = 15;

/// The names, as far as the kernel keeps them, of this process's threads that begin with `prefix`.
#[cfg(target_os = "linux")]
pub(crate) fn named(prefix: &str) -> Vec<String> {
    let threads = std::fs::read_dir("/proc/self/task").expect("there is a process file system");
    // A thread that ends meanwhile has no name any more.
    let names = threads.filter_map(|thread| {
        let name = std::fs::read_to_string(thread.ok()?.path().join("comm")).ok()?;
        Some(name.trim_end().to_owned())
    });
    names.filter(|name| name.starts_with(prefix)).collect()
}

#[test]
fn threads_are_named_after_the_runtime_and_numbered() {
    let runtime = Runtime::builder().workers(3).thread_name("nm").build().unwrap();
    let _entered = runtime.handle().enter();
    let name = || thread::current().name().map(str::to_owned);
    let mut names: Vec<_> = (0..3)
        .map(|_| weftline::spawn_pinned(move || async move { name() }).wait().unwrap())
        .collect();
    names.sort_unstable();
    let expected = ["nm-0", "nm-1", "nm-2"].map(|name| Some(name.to_owned()));
    assert_eq!(names, expected);
    assert_eq!(weftline::spawn_blocking(name).wait().unwrap().as_deref(), Some("nm-blocking"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_runtime_has_its_workers_and_one_thread_that_looks_at_them() {
    let runtime = Runtime::builder().workers(4).thread_name("tw").build().unwrap();
    runtime.block_on(async { weftline::spawn(async {}).await.unwrap() });
    let mut names = Vec::new();
    eventually("all have begun", || named("tw-").len() == 5);
    names.extend(named("tw-"));
    names.sort_unstable();
    assert_eq!(names, ["tw-0", "tw-1", "tw-2", "tw-3", "tw-monitor"]);
    drop(runtime);
    eventually("all have ended", || named("tw-").is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_runtime_that_is_busy_elsewhere_ends_its_threads_in_the_end() {
    let runtime = Runtime::builder().workers(2).thread_name("tb").build().unwrap();
    let (begun, release) = (Gate::new(), Gate::new());
    let (begins, released) = (begun.clone(), release.clone());
    let blocked = runtime.spawn(async move {
        begins.open();
        released.block();
    });
    begun.block();
    drop(runtime);
    eventually("the free one has ended", || named("tb-").len() == 1);
    release.open();
    blocked.wait().unwrap();
    eventually("the other too", || named("tb-").is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernel_keeps_the_beginning_of_a_long_name() {
    let name = "long-enough-for-a-kernel";
    let runtime = Runtime::builder().workers(1).thread_name(name).build().unwrap();
    settle(&runtime);
    assert!(named("long-enough").iter().all(|kept| *kept == name[..KEPT]));
    assert!(!named("long-enough").is_empty());
}
