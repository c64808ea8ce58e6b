//! Short turns on the CPU: the threads that serve others ask for them, and where the kernel refuses
//! or does not know them, nothing else changes and nobody complains.
//!
//! Each test looks at the threads of a process of its own.

use crate::rig::{child, expect_success, holder, in_child, is_child, within_limit};
use crate::sandbox::refuse;
use std::collections::BTreeMap;
use std::io;
use std::thread;
use weftline::{Runtime, spawn_pinned};

/// What is asked for.
const SHORT_NS: u64 = 100_000;

/// The scheduling parameters of a thread; zero is the calling one.
fn parameters(thread: libc::pid_t) -> io::Result<libc::sched_attr> {
    let size = u32::try_from(size_of::<libc::sched_attr>()).unwrap();
    // SAFETY: a structure of integers, for which zero is a value.
    let mut found: libc::sched_attr = unsafe { std::mem::zeroed() };
    let place = &raw mut found;
    // SAFETY: `place` is valid for writes of `size` bytes, which is the most that is written.
    let result = unsafe { libc::syscall(libc::SYS_sched_getattr, thread, place, size, 0) };
    if result == 0 { Ok(found) } else { Err(io::Error::last_os_error()) }
}

/// Asks for short turns for the calling thread.
fn ask() -> io::Result<()> {
    let mut wanted = parameters(0)?;
    wanted.sched_runtime = SHORT_NS;
    let place = &raw const wanted;
    // SAFETY: `place` is valid for reads of as many bytes as its field `size` says.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, place, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The slices of this process's threads that are called so, by their names.
fn slices(prefix: &str) -> BTreeMap<String, u64> {
    let threads = std::fs::read_dir("/proc/self/task").expect("there is a process file system");
    let slices = threads.map(|thread| {
        let thread = thread.unwrap();
        let name = std::fs::read_to_string(thread.path().join("comm")).unwrap();
        let number = thread.file_name().to_string_lossy().parse().unwrap();
        (name.trim().to_owned(), parameters(number).unwrap().sched_runtime)
    });
    slices.filter(|(name, _)| name.starts_with(prefix)).collect()
}

/// Holds both workers of a runtime, has another task run meanwhile, and looks at its threads then.
fn slices_in_a_stall() -> BTreeMap<String, u64> {
    within_limit(|| {
        let runtime = Runtime::builder().workers(2).thread_name("sl").build().unwrap();
        let (holds, helds): (Vec<_>, Vec<_>) = (0..2).map(|_| holder()).unzip();
        let _entered = runtime.handle().enter();
        let held: Vec<_> =
            holds.into_iter().map(|hold| spawn_pinned(|| async move { hold() })).collect();
        helds.iter().for_each(|held| held.wait());
        runtime.spawn(async {}).wait().unwrap();
        let slices = slices("sl-");
        helds.iter().for_each(|held| held.release());
        held.into_iter().for_each(|task| task.wait().unwrap());
        slices
    })
}

/// As `in_child`, where the child must not say a word on standard error.
fn in_silent_child(name: &str) -> bool {
    if is_child() {
        return true;
    }
    let output = child(name).output().expect("the test binary runs");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    expect_success(name, output);
    assert_eq!(complaint, "", "{name}");
    false
}

/// A stall is mended, and no thread has short turns.
fn stalls_are_mended_without(error: i32) {
    // On standard output: this child is to be silent on the other.
    if let Err(refused) = refuse(libc::SYS_sched_setattr, error) {
        return println!("passed over: no system call can be refused here: {refused}");
    }
    assert_eq!(ask().unwrap_err().raw_os_error(), Some(error));
    let usual = parameters(0).unwrap().sched_runtime;
    let slices = slices_in_a_stall();
    assert!(slices.len() >= 4, "two workers, the monitor, one for relief: {slices:?}");
    assert!(slices.values().all(|&slice| slice == usual), "{slices:?}");
}

#[test]
fn stalls_are_mended_in_a_sandbox_that_refuses_short_turns() {
    if in_silent_child("slices::stalls_are_mended_in_a_sandbox_that_refuses_short_turns") {
        stalls_are_mended_without(libc::EPERM);
    }
}

#[test]
fn stalls_are_mended_by_a_kernel_that_knows_no_short_turns() {
    if in_silent_child("slices::stalls_are_mended_by_a_kernel_that_knows_no_short_turns") {
        stalls_are_mended_without(libc::ENOSYS);
    }
}

#[test]
fn those_who_serve_others_have_short_turns_where_the_kernel_grants_them() {
    if !in_child("slices::those_who_serve_others_have_short_turns_where_the_kernel_grants_them") {
        return;
    }
    let granted =
        thread::spawn(|| ask().is_ok() && parameters(0).unwrap().sched_runtime == SHORT_NS);
    if !granted.join().unwrap() {
        return eprintln!("passed over: this kernel grants no short turns");
    }
    let slices = slices_in_a_stall();
    for (name, slice) in &slices {
        let serves = name.contains("monitor") || name.contains("relief");
        assert_eq!(*slice == SHORT_NS, serves, "{slices:?}");
    }
    assert!(slices.keys().any(|name| name.contains("monitor")), "{slices:?}");
    assert!(slices.keys().any(|name| name.contains("relief")), "{slices:?}");
}
