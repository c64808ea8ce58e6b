//! Hands the compiler's version and the peers' versions, as the lock file has them, to the
//! program's header.

use std::{env, fs, process::Command};

/// The crates whose versions decide what is measured.
const NAMED: &[&str] = &[
    "weftline",
    "tokio",
    "smol",
    "async-executor",
    "async-io",
    "rayon",
    "rayon-core",
    "chili",
    "forte",
    "hyper",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    let compiler = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version =
        Command::new(compiler).arg("-V").output().map(|output| output.stdout).unwrap_or_default();
    println!("cargo::rustc-env=BENCHES_RUSTC={}", String::from_utf8_lossy(&version).trim());

    let lock = fs::read_to_string("../Cargo.lock").unwrap_or_default();
    let versions: Vec<String> = lock
        .split("[[package]]")
        .filter_map(|package| Some((field(package, "name")?, field(package, "version")?)))
        .filter(|(name, _)| NAMED.contains(name))
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    println!("cargo::rustc-env=BENCHES_VERSIONS={}", versions.join(", "));
}

/// The value of `name = "value"` in one package's paragraph of the lock file.
fn field<'lock>(package: &'lock str, name: &str) -> Option<&'lock str> {
    package
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'))
}
