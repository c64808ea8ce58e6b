//! Child processes: what they are given and say, how they end, who hears of it, and what is left.

mod ends;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "SIGCHLD is ignored, and a process forks, by C calls")]
mod others;
mod pipes;
#[cfg(target_os = "linux")]
mod reaping;

use weftline::process::{Child, Command, Stdio};

/// A child that reads to the end of its input and says it all again.
fn cat() -> Child {
    let mut cat = Command::new("cat");
    cat.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    cat.spawn().expect("there is cat")
}

/// A child that does nothing for longer than any test takes.
fn sleeper() -> Child {
    Command::new("sleep").arg("1000").kill_on_drop(true).spawn().expect("there is sleep")
}

/// Whether a process is there, as a zombie at least.
#[cfg(target_os = "linux")]
fn is_there(id: u32) -> bool {
    std::path::Path::new(&format!("/proc/{id}")).exists()
}
