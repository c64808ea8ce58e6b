//! 13, `rayon_on_weftline`: what do loops of unmodified rayon cost on Weftline's workers?
//!
//! A step of bodies that attract each other, the product of two matrices, the sort of ten million
//! numbers, a map and reduce of as many, and a recursion by `join` without a cut-off: once with rayon's own scheduler, once with
//! `crates/rayon-core` in its place.
//!
//! Fair, because it is one program, `benches/rayon/src/main.rs`, that is built twice, since of the two
//! crates one may be in a build. Each sample is a process that does the work twice and measures the
//! second time. Both use the global pool, with as many threads. Cargo builds the programs when the first
//! sample is taken.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::suite::{Case, Metric, Setup, Workload};

/// What the program can do.
const WORKS: [&str; 5] = ["n_body", "matrix", "sort", "map_reduce", "fib"];

/// The workload with its cases.
pub fn workload() -> Workload {
    let case = |work| {
        Case::new(format!("rayon_on_weftline/{work}"), Metric::only("ms"))
            .entry("weftline", move |setup| sample(weftlines(), work, setup))
            .entry("rayon", move |setup| sample(rayons(), work, setup))
    };
    Workload::new(13, "rayon_on_weftline", WORKS.map(case).into())
}

/// The program on Weftline's workers.
fn weftlines() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| build("weftline"))
}

/// The program with rayon as it is.
fn rayons() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| build("rayon"))
}

/// Builds the program with the scheduler of that name.
fn build(scheduler: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rayon").join(scheduler);
    let own = std::env::current_exe().expect("a program knows its place");
    let target = own.with_file_name("rayon_on_weftline").join(scheduler);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--target-dir"]).arg(&target);
    cargo.arg("--manifest-path").arg(folder.join("Cargo.toml"));
    let status = cargo.status().expect("cargo can be started");
    assert!(status.success(), "{cargo:?} failed");
    target.join("release").join("rayon-program")
}

/// Runs the program; says how many milliseconds the second run of the work took.
fn sample(program: &Path, work: &str, setup: &Setup) -> Vec<f64> {
    let mut command = Command::new(program);
    command.args([work, &setup.scale.to_string()]);
    let output = command.env("RAYON_NUM_THREADS", setup.workers.to_string()).output();
    let output = output.expect("the program can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    vec![text.trim().parse::<f64>().expect("it prints nanoseconds") / 1e6]
}
