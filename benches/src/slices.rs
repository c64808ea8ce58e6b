//! `--without-slices`: the kernel refuses short slices to all of this process, as an old kernel or a
//! sandbox would. What they bring is the difference to a run without the option.
//!
//! A system call filter answers `sched_setattr`; all else goes on as before. The client, which is a process
//! of this one's, asks for its priority by another call.

use std::io;

/// Refuses them, for this thread and all that come from it, for good.
///
/// # Errors
///
/// If the kernel refuses the filter.
#[cfg(target_os = "linux")]
pub fn refuse() -> io::Result<()> {
    // A filter of one's own needs no privilege from then on.
    nix::sys::prctl::set_no_new_privs()?;
    let instruction = |code, if_not, operand| libc::sock_filter {
        // The operations are small numbers.
        code: code as u16,
        jt: 0,
        jf: if_not,
        k: operand,
    };
    // A call is told by its number, the first word of what the filter sees.
    let load = instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0);
    let is_meant =
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, libc::SYS_sched_setattr as u32);
    let answer = |operand| instruction(libc::BPF_RET | libc::BPF_K, 0, operand);
    let refused = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let mut filter = [load, is_meant, answer(refused), answer(libc::SECCOMP_RET_ALLOW)];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: `program` points to as many instructions as it says; the kernel copies them and checks
    // them itself.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// There are none to refuse.
///
/// # Errors
///
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn refuse() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
