//! Seeds of deterministic runtimes: where they come from, and how the one that failed is told.

use super::Runtime;
use crate::platform::signals::is_main_thread;
use std::collections::hash_map::RandomState;
use std::env;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::process::{ExitCode, Termination};
use std::thread;

/// The variable of the environment that chooses a seed.
const WEFTLINE_SEED: &str = "WEFTLINE_SEED";

/// A seed for [`Builder::deterministic`](super::Builder::deterministic): the value of
/// `WEFTLINE_SEED` in the environment, by which a failed run is replayed, or else one that the
/// system chooses by chance.
///
/// # Panics
///
/// If `WEFTLINE_SEED` is no number from 0 to 2^64 - 1, decimal or hexadecimal with `0x` before it.
///
/// # Examples
///
/// ```
/// let seed = weftline::runtime::seed();
/// println!("WEFTLINE_SEED={seed} replays this run");
/// weftline::Runtime::builder().deterministic(seed).run(async {
///     weftline::spawn(async {}).await.unwrap();
/// })?;
/// # Ok::<(), weftline::runtime::BuildError>(())
/// ```
#[must_use]
#[track_caller]
pub fn seed() -> u64 {
    chosen().unwrap_or_else(|| RandomState::new().build_hasher().finish())
}

/// The seed that the environment chooses.
#[track_caller]
fn chosen() -> Option<u64> {
    let text = env::var_os(WEFTLINE_SEED)?;
    let seed = text.to_str().and_then(parse);
    Some(seed.unwrap_or_else(|| {
        panic!("{WEFTLINE_SEED} is {text:?}, but must be a number from 0 to {}", u64::MAX)
    }))
}

fn parse(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Says how to replay a run, unless it ends well.
struct Replay(u64);

impl Replay {
    fn tell(&self) {
        eprintln!("weftline: {WEFTLINE_SEED}={} replays this run", self.0);
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if thread::panicking() {
            self.tell();
        }
    }
}

/// What `#[weftline::main]` and `#[weftline::test]` expand to.
#[doc(hidden)]
pub fn __macro_run<F: Future>(workers: Option<usize>, virtual_time: bool, main: F) -> F::Output {
    // A main function is run by the main thread; a test is not, and leaves the signals alone.
    let mut builder =
        Runtime::builder().virtual_time(virtual_time).cancel_on_terminate(is_main_thread());
    if let Some(workers) = workers {
        builder = builder.workers(workers);
    }
    match builder.run(main) {
        Ok(output) => output,
        Err(error) => panic!("no runtime: {error}"),
    }
}

/// What `#[weftline::main(deterministic)]` expands to.
#[doc(hidden)]
pub fn __macro_replay<F: Future>(
    workers: Option<usize>,
    seed: Option<u64>,
    main: impl FnOnce() -> F,
) -> F::Output {
    let seed = chosen().or(seed).unwrap_or_else(self::seed);
    let _replay = Replay(seed);
    let mut builder = Runtime::builder();
    if let Some(workers) = workers {
        builder = builder.workers(workers);
    }
    match builder.deterministic(seed).run(main()) {
        Ok(output) => output,
        Err(error) => panic!("no runtime: {error}"),
    }
}

/// What `#[weftline::test(deterministic)]` expands to: as many runs as `seeds` says, with `seed` and
/// those that follow it; just one where the environment chooses the seed.
///
/// # Panics
///
/// If a run panics, or returns what a test must not.
#[doc(hidden)]
pub fn __macro_explore<F: Future>(
    workers: Option<usize>,
    seed: Option<u64>,
    seeds: u64,
    test: impl Fn() -> F,
) where
    F::Output: Termination,
{
    let chosen = chosen();
    let first = chosen.or(seed).unwrap_or_else(self::seed);
    for offset in 0..if chosen.is_some() { 1 } else { seeds } {
        let seed = first.wrapping_add(offset);
        let code = __macro_replay(workers, Some(seed), &test).report();
        if code != ExitCode::SUCCESS {
            Replay(seed).tell();
            panic!("the test returned an error");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_seed_is_a_decimal_or_hexadecimal_number() {
        assert_eq!(parse("42"), Some(42));
        assert_eq!(parse("0x2a"), Some(42));
        assert_eq!(parse("18446744073709551615"), Some(u64::MAX));
        for text in ["", "-1", "0x", "seven", "18446744073709551616"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
