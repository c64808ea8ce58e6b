//! How many files may be open at a time.

use rustix::process::{Resource, getrlimit};
use std::fs;

/// As many as are useful where nothing else is chosen: more make no disk faster.
const DEFAULT: usize = 64;
/// What is left for the runtime's event queue, the terminal, and whatever a library opens.
const RESERVED: usize = 16;

/// The bound: the one chosen, or a default that fits what the system allows.
pub fn bound(chosen: Option<usize>) -> Result<usize, String> {
    let limit = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit as usize);
    // Inherited descriptors count too.
    let open = fs::read_dir("/dev/fd").map_or(0, |open| open.count());
    let free = limit.saturating_sub(open + RESERVED).max(1);
    match chosen {
        None => Ok(DEFAULT.min(free)),
        Some(chosen) if (1..=free).contains(&chosen) => Ok(chosen),
        Some(chosen) => Err(format!(
            "--open-files is {chosen}, but must be between 1 and {free}: the limit of open files \
             is {limit} (see `ulimit -n`), and some are needed otherwise"
        )),
    }
}
