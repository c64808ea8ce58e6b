//! What the figures were taken on and with: machine, kernel, compiler, versions, settings.

use std::fs;

use crate::{echo::client, suite::Setup};

/// The header of a run, one fact per line.
pub fn header(setup: &Setup, samples: usize) -> Vec<String> {
    vec![
        format!("machine: {}", processor()),
        format!("kernel: {}", first_words("/proc/version", 3)),
        format!("compiler: {}, {}", env!("BENCHES_RUSTC"), profile()),
        format!("versions: {}", env!("BENCHES_VERSIONS")),
        format!(
            "echo client: at {} priority",
            if client::has_priority() { "real-time" } else { "the usual" }
        ),
        format!("settings: {} workers, {samples} samples, scale {}", setup.workers, setup.scale),
    ]
}

/// The processor's name and how many the kernel shows.
fn processor() -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = about
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, name)| name);
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{count} × {}", name.unwrap_or(std::env::consts::ARCH))
}

/// The first words of a file, or the operating system's name where there is no such file.
fn first_words(path: &str, count: usize) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|_| std::env::consts::OS.to_owned());
    text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}

/// How this program was built.
fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "DEBUG BUILD: the figures mean nothing, use --release"
    } else {
        "release"
    }
}
