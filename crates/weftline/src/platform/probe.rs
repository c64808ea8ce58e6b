//! What the kernel says of another thread: whether it gets on, or waits for its turn on a CPU.
//!
//! A thread that stands still may compute, or block, or have been put aside for another process. Only
//! the first two are what its program does. Where the kernel does not tell, it is taken for granted.

use super::global::{AtomicU32, Ordering};
use std::time::Duration;

/// What a thread has been seen to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It waits in the kernel, for something else than a CPU; or nobody knows.
    Blocked,
    /// It runs, or would if it were its turn, and has used so much time on CPUs so far.
    Runs(Duration),
}

/// No thread has come yet.
const NONE: u32 = 0;

/// A thread to be asked about.
#[derive(Debug)]
pub(crate) struct Probe {
    /// The kernel's number for it, or [`NONE`].
    thread: AtomicU32,
}

impl Probe {
    pub(crate) fn new() -> Self {
        Self { thread: AtomicU32::new(NONE) }
    }

    /// It is the calling thread from now on.
    pub(crate) fn attach(&self) {
        // Relaxed: a number that is seen late is that of nobody.
        self.thread.store(this_thread(), Ordering::Relaxed);
    }

    /// The time that it has used on CPUs, if it has come and the kernel tells.
    pub(crate) fn used(&self) -> Option<Duration> {
        // Relaxed: as above.
        let thread = self.thread.load(Ordering::Relaxed);
        if thread == NONE { None } else { cpu_time(thread) }
    }

    /// What it does.
    pub(crate) fn standing(&self) -> Standing {
        // Relaxed: as above.
        let thread = self.thread.load(Ordering::Relaxed);
        if thread == NONE {
            // It waits for its first turn.
            return Standing::Runs(Duration::ZERO);
        }
        standing(thread).unwrap_or(Standing::Blocked)
    }
}

#[cfg(all(target_os = "linux", not(any(miri, loom))))]
fn this_thread() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

#[cfg(all(target_os = "linux", not(any(miri, loom))))]
fn standing(thread: u32) -> Option<Standing> {
    let record = std::fs::read(format!("/proc/self/task/{thread}/stat")).ok()?;
    // The name may hold anything, but is followed by the last parenthesis.
    let after_name = record.iter().rposition(|byte| *byte == b')')?;
    if record.get(after_name + 2) != Some(&b'R') {
        return Some(Standing::Blocked);
    }
    Some(Standing::Runs(cpu_time(thread)?))
}

/// The time that a thread of this process has used on CPUs.
#[cfg(all(target_os = "linux", not(any(miri, loom))))]
#[expect(unsafe_code, reason = "a thread's clock is read by a C call")]
fn cpu_time(thread: u32) -> Option<Duration> {
    /// In the number of a clock: that of one thread, as the scheduler counts.
    const OF_THREAD: libc::clockid_t = 6;
    let clock = !libc::clockid_t::try_from(thread).ok()? << 3 | OF_THREAD;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if result != 0 {
        return None;
    }
    let seconds = u64::try_from(time.tv_sec).ok()?;
    Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(not(all(target_os = "linux", not(any(miri, loom)))))]
fn this_thread() -> u32 {
    NONE + 1
}

#[cfg(not(all(target_os = "linux", not(any(miri, loom)))))]
fn cpu_time(_thread: u32) -> Option<Duration> {
    None
}

#[cfg(not(all(target_os = "linux", not(any(miri, loom)))))]
fn standing(_thread: u32) -> Option<Standing> {
    None
}

#[cfg(all(test, target_os = "linux", not(any(miri, loom))))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::{Arc, mpsc};
    use std::thread;

    #[test]
    fn a_thread_that_computes_is_told_from_one_that_blocks() {
        let probe = Arc::new(Probe::new());
        assert_eq!(probe.standing(), Standing::Runs(Duration::ZERO), "it has not begun");
        let (attached, stop) = (probe.clone(), Arc::new(AtomicBool::new(false)));
        let (until, (release, released)) = (stop.clone(), mpsc::channel::<()>());
        let asked = thread::spawn(move || {
            attached.attach();
            while !until.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            released.recv().unwrap();
        });
        let wait_for = |is_so: &dyn Fn() -> bool| {
            while !is_so() {
                thread::sleep(Duration::from_millis(1));
            }
        };
        let used = |standing| match standing {
            Standing::Runs(time) => time,
            Standing::Blocked => Duration::ZERO,
        };
        wait_for(&|| used(probe.standing()) > Duration::from_millis(5));
        let before = used(probe.standing());
        wait_for(&|| used(probe.standing()) > before);
        stop.store(true, Ordering::Relaxed);
        wait_for(&|| probe.standing() == Standing::Blocked);
        release.send(()).unwrap();
        asked.join().unwrap();
        assert_eq!(probe.standing(), Standing::Blocked, "one that is gone");
    }
}
