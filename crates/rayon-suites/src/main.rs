//! Runs the tests of rayon's published packages against `crates/rayon-core`: `cargo run -p rayon-suites`.
//!
//! The packages are those that the benchmarks build; cargo has unpacked them. Each is copied to a folder
//! among cargo's output, as a workspace of its own:
//!
//! - rayon as it is, with `[patch.crates-io]`: its unit, integration and documentation tests.
//! - rayon-core's tests, around our own sources. Its unit tests stand inside of its modules, and name
//!   two functions there that are no part of its interface; [`HELPERS`] has them.
//!
//! What is said after `--` goes to `cargo test`, so that one test can be run alone:
//! `cargo run -p rayon-suites -- --lib scope`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs, io};

/// The packages, and the versions that are known to pass.
const RAYON: &str = "rayon-1.12.0";
const RAYON_CORE: &str = "rayon-core-1.13.0";

/// Modules of ours that have unit tests of the same name there.
const TESTED: [&str; 5] = ["broadcast", "join", "scope", "spawn", "thread_pool"];

/// What is added to the root of our sources for the tests there.
const HELPERS: &str = r#"
mod compile_fail;
#[cfg(test)]
mod test;

#[cfg(test)]
mod unwind {
    pub(crate) use crate::panics::catch as halt_unwinding;
}

#[cfg(test)]
mod registry {
    pub(crate) fn in_worker<R: Send>(call: impl FnOnce((), bool) -> R + Send) -> R {
        crate::install::in_current(|moved| call((), moved))
    }
}

#[cfg(test)]
impl pool::Registry {
    /// Waits until all threads have let go of it.
    fn wait_until_stopped(self: &std::sync::Arc<Self>) {
        while std::sync::Arc::strong_count(self) > 1 {
            std::thread::yield_now();
        }
    }
}
"#;

/// What is added to each of the modules that are tested.
const TEST_MODULE: &str = r#"
#[cfg(test)]
#[allow(unused_imports)]
use crate::unwind;
#[cfg(test)]
mod test;
"#;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the suites were not run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Both suites; whether all tests have passed.
fn run(arguments: &[String]) -> io::Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let folder = target.join("rayon-suites");
    let known = metadata(&root)?;
    let core = folder.join("rayon-core");
    lay_out_core(&root, &published(&known, RAYON_CORE)?, &core)?;
    let rayon = folder.join("rayon");
    lay_out_rayon(&root, &published(&known, RAYON)?, &rayon)?;
    // Both, whatever comes of the first.
    let passed = [core, rayon].map(|suite| test(&suite, &folder.join("build"), arguments));
    Ok(passed.into_iter().collect::<io::Result<Vec<_>>>()?.into_iter().all(|passed| passed))
}

/// What cargo knows of all packages in the lock file, fetched if need be.
fn metadata(root: &Path) -> io::Result<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["metadata", "--locked", "--format-version", "1"]);
    let output = cargo.output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}

/// The folder that cargo has unpacked a package to.
fn published(known: &str, package: &str) -> io::Result<PathBuf> {
    let end = format!("/{package}/Cargo.toml");
    let paths =
        known.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let found = paths.into_iter().find(|path| path.ends_with(&end));
    let manifest = found.ok_or_else(|| {
        io::Error::other(format!("{package} is not in Cargo.lock: its tests are known to pass"))
    })?;
    Ok(Path::new(manifest).with_file_name(""))
}

/// The package as it is, with our rayon-core.
fn lay_out_rayon(root: &Path, package: &Path, suite: &Path) -> io::Result<()> {
    renew(suite)?;
    for part in ["src", "tests", "README.md"] {
        copy(&package.join(part), &suite.join(part))?;
    }
    let manifest = fs::read_to_string(package.join("Cargo.toml"))?;
    let ours = root.join("crates/rayon-core");
    let patch = format!("[workspace]\n\n[patch.crates-io]\nrayon-core = {{ path = {ours:?} }}\n");
    fs::write(suite.join("Cargo.toml"), format!("{manifest}\n{patch}"))
}

/// Our sources, with the package's tests in the places where they stand there.
fn lay_out_core(root: &Path, package: &Path, suite: &Path) -> io::Result<()> {
    let ours = root.join("crates/rayon-core");
    renew(suite)?;
    for part in ["src", "build.rs"] {
        copy(&ours.join(part), &suite.join(part))?;
    }
    for part in ["tests", "src/test.rs", "src/compile_fail"] {
        copy(&package.join(part), &suite.join(part))?;
    }
    append(&suite.join("src/lib.rs"), HELPERS)?;
    for module in TESTED {
        copy(
            &package.join(format!("src/{module}/test.rs")),
            &suite.join(format!("src/{module}/test.rs")),
        )?;
        append(&suite.join(format!("src/{module}.rs")), TEST_MODULE)?;
    }
    // What the tests depend on is said there; the edition is that of our sources.
    let manifest = fs::read_to_string(package.join("Cargo.toml"))?;
    let manifest = manifest.replace("edition = \"2021\"", "edition = \"2024\"");
    let manifest = manifest.replace("rust-version = \"1.80\"", "rust-version = \"1.85\"");
    let weftline = root.join("crates/weftline");
    let more = format!("[dependencies.weftline]\npath = {weftline:?}\n\n[workspace]\n");
    fs::write(suite.join("Cargo.toml"), format!("{manifest}\n{more}"))
}

/// Runs `cargo test` in a suite; whether all tests have passed.
fn test(suite: &Path, build: &Path, arguments: &[String]) -> io::Result<bool> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(suite).args(["test", "--no-fail-fast", "--target-dir"]).arg(build);
    cargo.args(arguments);
    println!("+ cd {} && {cargo:?}", suite.display());
    Ok(cargo.status()?.success())
}

/// An empty folder.
fn renew(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}

/// Copies a file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        fs::create_dir_all(to.with_file_name(""))?;
        return fs::write(to, fs::read(from)?);
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

fn append(file: &Path, text: &str) -> io::Result<()> {
    let before = fs::read_to_string(file)?;
    fs::write(file, before + text)
}
