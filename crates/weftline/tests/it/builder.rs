//! Building a runtime: what is refused and how it is said, what is chosen, and what of the machine
//! is honoured.

use crate::probe::Probe;
use crate::rig::{
    child_of, eventually, expect_success, in_child, is_child, panic_on_purpose, within_limit,
};
use std::future::pending;
use std::process::Command;
use std::time::Duration;
use weftline::runtime::{BuildError, Builder};
use weftline::{Runtime, spawn};

/// The words with which `builder` is refused.
#[track_caller]
fn refusal(builder: Builder) -> String {
    let error: BuildError = builder.build().expect_err("a bad value is refused");
    let text = error.to_string();
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::InvalidInput);
    text
}

#[test]
fn a_bad_value_is_refused_by_name_value_and_bound() {
    let build = Runtime::builder;
    let workers = "but must be between 1 and 65535";
    assert_eq!(refusal(build().workers(0)), format!("the number of workers is 0, {workers}"));
    assert_eq!(
        refusal(build().workers(65_536)),
        format!("the number of workers is 65536, {workers}")
    );
    assert_eq!(
        refusal(build().max_blocking_threads(0)),
        "the number of blocking threads is 0, but must be at least 1"
    );
    assert_eq!(
        refusal(build().thread_stack_size(16_383)),
        "the stack size in bytes is 16383, but must be at least 16384"
    );
    assert_eq!(
        refusal(build().workers(2).max_relief_workers(65_534)),
        "the number of relief workers is 65534, but must be between 0 and 65533"
    );
    assert_eq!(
        refusal(build().slow_poll_threshold(Duration::from_micros(999))),
        "the threshold of slow polls is 999µs, but must be at least 1ms"
    );
    assert_eq!(
        refusal(build().thread_name("a\0b")),
        "the thread name is \"a\\0b\", but must not contain a null byte"
    );
}

#[test]
fn a_refusal_of_the_system_is_an_error_and_leaves_nothing_behind() {
    within_limit(|| {
        // No address space has room for such a stack.
        let error = Runtime::builder().workers(2).thread_stack_size(1 << 60).build().unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("the system refuses a thread or an event queue: "), "{text}");
        assert!(std::error::Error::source(&error).is_some());
    });
}

/// Leaves room for some of the stacks only.
#[cfg(target_os = "linux")]
const LITTLE_ROOM: &str = "ulimit -v 4000000; exec \"$0\" \"$@\"";

#[test]
#[cfg(target_os = "linux")]
fn a_runtime_that_starts_half_way_ends_what_its_hooks_have_spawned() {
    let name = "builder::a_runtime_that_starts_half_way_ends_what_its_hooks_have_spawned";
    if !is_child() {
        let mut shell = Command::new("sh");
        shell.args(["-c", LITTLE_ROOM]).arg(std::env::current_exe().expect("a path"));
        return expect_success(name, child_of(shell, name).output().expect("a shell"));
    }
    let (hook_ran, dropped) = (Probe::new(), Probe::new());
    let (ran, held) = (hook_ran.clone(), dropped.clone());
    let builder = Runtime::builder().workers(8).thread_stack_size(1 << 30);
    let started = builder.on_thread_start(move || {
        let token = held.token();
        drop(spawn(async move {
            let _token = token;
            pending::<()>().await;
        }));
        drop(ran.token());
    });
    assert!(started.build().is_err());
    eventually("some thread has started", || hook_ran.drops() > 0);
    eventually("all that was spawned has ended", || dropped.drops() == hook_ran.drops());
}

#[test]
fn the_bounds_themselves_are_good() {
    let runtime = Runtime::builder()
        .workers(1)
        .max_blocking_threads(1)
        .thread_name("")
        .blocking_keep_alive(Duration::ZERO)
        .max_relief_workers(0)
        .relief_keep_alive(Duration::ZERO)
        .slow_poll_threshold(Duration::from_millis(1))
        .grace(Duration::MAX)
        .build()
        .unwrap();
    assert_eq!(runtime.handle().workers(), 1);
    let _entered = runtime.handle().enter();
    weftline::spawn_blocking(|| ()).wait().unwrap();
    assert_eq!(spawn(async { 1 }).wait().unwrap(), 1);
}

#[test]
fn the_smallest_stack_is_enough_for_a_small_task() {
    // An overflow would end the process.
    if !in_child("builder::the_smallest_stack_is_enough_for_a_small_task") {
        return;
    }
    let smallest = std::env::var("STACK").map_or(16 * 1024, |bytes| bytes.parse().unwrap());
    let runtime = Runtime::builder().workers(1).thread_stack_size(smallest).build().unwrap();
    let _entered = runtime.handle().enter();
    weftline::spawn_blocking(|| ()).wait().unwrap();
    spawn(weftline::time::sleep(Duration::from_millis(1))).wait().unwrap();
    let waits = spawn(std::future::pending::<()>());
    waits.cancel();
    assert!(waits.wait().unwrap_err().is_cancelled());
    let panics = spawn(async { panic_on_purpose("in a small stack") });
    assert!(panics.wait().map(|(): ()| ()).unwrap_err().is_panic());
}

#[test]
fn many_workers_work() {
    within_limit(|| {
        let runtime = Runtime::builder().workers(100).build().unwrap();
        let tasks: Vec<_> = (0..1000).map(|n| runtime.spawn(async move { n })).collect();
        let sum: u64 = tasks.into_iter().map(|task| task.wait().unwrap()).sum();
        assert_eq!(sum, (0..1000).sum());
    });
}

#[test]
fn a_stack_is_as_large_as_was_asked_for() {
    #[inline(never)]
    fn deep(bytes: usize) -> usize {
        let room = std::hint::black_box([1_u8; 16 * 1024]);
        let below = if bytes > room.len() { deep(bytes - room.len()) } else { 0 };
        below + usize::from(std::hint::black_box(room)[bytes % 100])
    }
    let runtime = Runtime::builder().workers(1).thread_stack_size(64 << 20).build().unwrap();
    assert_eq!(runtime.spawn(async { deep(8 << 20) }).wait().unwrap(), 512);
    assert_eq!(runtime.handle().spawn_blocking(|| deep(8 << 20)).wait().unwrap(), 512);
}

#[test]
fn a_runtime_starts_on_another_build_of_the_same_options() {
    for _ in 0..20 {
        let value = Runtime::builder().workers(1).run(async { spawn(async { 1 }).await.unwrap() });
        assert_eq!(value.unwrap(), 1);
    }
}

/// The prefix with which a child says how many workers it chose.
const WORKERS: &str = "workers: ";

/// How many workers a runtime chooses in a child process that `command` starts.
fn chosen_in_child(name: &str, command: Command) -> usize {
    let output = child_of(command, name).output().expect("the command runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    expect_success(name, output);
    let line = said.lines().find_map(|line| line.split_once(WORKERS)).expect("it says so");
    line.1.trim().parse().expect("a number")
}

fn say_workers() {
    println!("{WORKERS}{}", Runtime::new().unwrap().handle().workers());
}

/// A command that runs this test binary through another program.
fn through(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(std::env::current_exe().unwrap());
    command
}

#[test]
fn as_many_workers_as_cpus_by_default() {
    let cpus = std::thread::available_parallelism().unwrap().get();
    assert_eq!(Runtime::new().unwrap().handle().workers(), cpus);
}

#[cfg(target_os = "linux")]
#[test]
fn workers_honour_the_affinity_mask() {
    const NAME: &str = "builder::workers_honour_the_affinity_mask";
    if is_child() {
        return say_workers();
    }
    if Command::new("taskset").arg("--version").output().is_err() {
        return eprintln!("{NAME}: skipped, there is no `taskset`");
    }
    assert_eq!(chosen_in_child(NAME, through("taskset", &["-c", "0"])), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn workers_honour_the_quota_of_the_control_group() {
    const NAME: &str = "builder::workers_honour_the_quota_of_the_control_group";
    if is_child() {
        return say_workers();
    }
    let cpus = std::thread::available_parallelism().unwrap().get();
    let (Some(group), true) = (QuotaGroup::of_one_cpu(), cpus > 1) else {
        return eprintln!("{NAME}: skipped, no control group with a CPU quota can be made here");
    };
    let script = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.0);
    assert_eq!(chosen_in_child(NAME, through("sh", &["-c", &script])), 1);
}

/// A control group that may use one CPU, for the length of a test.
#[cfg(target_os = "linux")]
struct QuotaGroup(String);

#[cfg(target_os = "linux")]
impl QuotaGroup {
    fn of_one_cpu() -> Option<Self> {
        let name = format!("weftline-test-{}", std::process::id());
        // Version 2 first, then version 1; each with a file that only the kernel would make.
        type Limits = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
        let limits: [Limits; 2] = [
            ("/sys/fs/cgroup", "cgroup.controllers", &[("cpu.max", "100000 100000")]),
            (
                "/sys/fs/cgroup/cpu",
                "cpu.cfs_quota_us",
                &[("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "100000")],
            ),
        ];
        limits.iter().find_map(|(root, marker, files)| {
            if !std::path::Path::new(root).join(marker).exists() {
                return None;
            }
            let group = Self(format!("{root}/{name}"));
            std::fs::create_dir(&group.0).ok()?;
            let write =
                |(file, text): &(&str, &str)| std::fs::write(format!("{}/{file}", group.0), text);
            let set = files.iter().try_for_each(write).is_ok();
            set.then_some(group)
        })
    }
}

#[cfg(target_os = "linux")]
impl Drop for QuotaGroup {
    fn drop(&mut self) {
        // The kernel takes a moment to see that the group is empty.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
