//! Short turns on the CPU, for threads that have little to do each time and must do it soon.
//!
//! Linux gives each thread a slice, some milliseconds, before another one has its turn; since 6.12 a
//! thread may ask for a shorter one, which takes no privilege and no share of the CPU: it is
//! scheduled sooner after it woke, and more often. Where the kernel does not know that, or a sandbox
//! refuses it, all goes on as it was.

/// The slice of a thread that serves others: enough for some polls and a turn of the driver, and the
/// shortest that the kernel grants.
#[cfg(all(target_os = "linux", not(miri)))]
const SHORT_NS: u64 = 100_000;

/// Asks for short turns for the calling thread. Whether it has them now.
#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) fn shorten() -> bool {
    linux::set_slice(SHORT_NS).is_ok()
}

/// There is nothing to ask for.
#[cfg(not(all(target_os = "linux", not(miri))))]
pub(crate) fn shorten() -> bool {
    false
}

#[cfg(all(target_os = "linux", not(miri)))]
#[expect(unsafe_code, reason = "the kernel's scheduler is asked by C calls")]
mod linux {
    use std::io;
    use std::mem;

    /// The scheduling parameters of the calling thread.
    pub(super) fn parameters() -> io::Result<libc::sched_attr> {
        let (this_thread, no_flags) = (0, 0);
        let size = u32::try_from(mem::size_of::<libc::sched_attr>()).unwrap_or(0);
        // SAFETY: a structure of integers, for which zero is a value.
        let mut parameters: libc::sched_attr = unsafe { mem::zeroed() };
        let pointer = &raw mut parameters;
        // SAFETY: `pointer` is valid for writes of `size` bytes, which is the most that is written.
        let result =
            unsafe { libc::syscall(libc::SYS_sched_getattr, this_thread, pointer, size, no_flags) };
        if result == 0 { Ok(parameters) } else { Err(io::Error::last_os_error()) }
    }

    /// Asks for a slice, and changes nothing else. A thread that its program has given another policy
    /// is left alone.
    pub(super) fn set_slice(nanoseconds: u64) -> io::Result<()> {
        let mut parameters = parameters()?;
        if i64::from(parameters.sched_policy) != i64::from(libc::SCHED_OTHER) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        parameters.sched_runtime = nanoseconds;
        let (this_thread, no_flags) = (0, 0);
        let pointer = &raw const parameters;
        // SAFETY: `pointer` is valid for reads of as many bytes as its field `size` says, which the
        // kernel has filled in.
        let result =
            unsafe { libc::syscall(libc::SYS_sched_setattr, this_thread, pointer, no_flags) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_slice_is_granted_or_refused_and_nothing_else_changes() {
            // On a thread of its own, since it stays so.
            let asked = std::thread::spawn(|| {
                let before = parameters().unwrap();
                let granted = super::super::shorten();
                (before, granted, parameters().unwrap())
            });
            let (before, granted, after) = asked.join().unwrap();
            assert_eq!(before.sched_nice, after.sched_nice);
            assert_eq!(before.sched_policy, after.sched_policy);
            let expected = if granted { super::super::SHORT_NS } else { before.sched_runtime };
            // A kernel that knows no slices of threads says zero, whatever it was asked for.
            assert!([expected, 0].contains(&after.sched_runtime), "{}", after.sched_runtime);
        }

        #[test]
        fn a_slice_that_no_kernel_grants_is_not_what_a_thread_gets() {
            let asked = std::thread::spawn(|| (set_slice(1), parameters().unwrap().sched_runtime));
            let (_, slice_ns) = asked.join().unwrap();
            assert!(slice_ns != 1);
        }
    }
}
