//! A sandbox around a test: the kernel refuses one system call, for this thread and all that it
//! starts from then on.

use std::io;

/// Has the kernel refuse `call` with `error`. What the filter says: load the number of the call;
/// the next but one, if it is another; refuse; allow.
pub(crate) fn refuse(call: libc::c_long, error: i32) -> io::Result<()> {
    let [load, compare, answer] = [
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    ]
    .map(|code| u16::try_from(code).unwrap());
    let call = u32::try_from(call).unwrap();
    let refusal = libc::SECCOMP_RET_ERRNO | u32::try_from(error).unwrap();
    let line = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let mut filter = [
        line(load, 0, 0),
        line(compare, 1, call),
        line(answer, 0, refusal),
        line(answer, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: five numbers, none of which is an address.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: `program` and the filter that it points to are valid for reads, and the kernel makes
    // a copy of them.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
