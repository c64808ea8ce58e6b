//! What every Unix can do with a child.

use super::EndFd;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpgid, kill_process, kill_process_group,
    waitid,
};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

/// Waits until a child has ended, without taking its exit status.
pub(crate) fn wait_for_end(child: Pid) {
    let until_then = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    // Any other error says that the child is gone altogether.
    while waitid(WaitId::Pid(child), until_then).is_err_and(|error| error == Errno::INTR) {}
}

/// How a child has ended, if it has, without taking its exit status: its number stays its own.
pub(crate) fn peek(child: Pid) -> io::Result<Option<ExitStatus>> {
    let now = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    Ok(waitid(WaitId::Pid(child), now)?.map(|seen| as_std(&seen)))
}

/// An exit status as the classic calls pack it: the low seven bits are the signal, the one above
/// says that memory was dumped, and the next eight are the code.
fn as_std(seen: &WaitIdStatus) -> ExitStatus {
    const DUMPED: i32 = 0x80;
    let dumped = if seen.dumped() { DUMPED } else { 0 };
    let packed = match (seen.exit_status(), seen.terminating_signal()) {
        (Some(code), _) => (code & 0xFF) << 8,
        (None, Some(signal)) => signal | dumped,
        (None, None) => 0,
    };
    ExitStatus::from_raw(packed)
}

/// The number of a child, and whether it leads a group of processes.
pub(crate) fn starts_group(child: &Child) -> (Pid, bool) {
    let pid = Pid::from_child(child);
    (pid, getpgid(Some(pid)) == Ok(pid))
}

/// Sends a signal to a child whose exit status nobody takes meanwhile.
pub(crate) fn send(child: Pid, end: Option<&EndFd>, number: i32) -> io::Result<()> {
    let signal = named(number)?;
    match end {
        Some(end) => end.send(signal),
        None => Ok(kill_process(child, signal)?),
    }
}

/// Sends a signal to all processes of the group that a child leads, whose exit status nobody takes
/// meanwhile.
pub(crate) fn send_to_group(leader: Pid, number: i32) -> io::Result<()> {
    Ok(kill_process_group(leader, named(number)?)?)
}

/// The signals that may be sent are those with a name.
fn named(number: i32) -> io::Result<Signal> {
    Signal::from_named_raw(number).ok_or_else(|| {
        let text = format!("signal number is {number}, but only signals with a name can be sent");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}
