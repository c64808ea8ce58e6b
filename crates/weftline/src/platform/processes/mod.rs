//! Child processes: how their end is noticed, signals to them, and pipes.
//!
//! On Linux an end is an event: a process has a descriptor that becomes readable. Elsewhere, and
//! where the kernel is too old for that or a sandbox refuses it, a thread waits for it. Neither way
//! takes the exit status away: that is left to the one who keeps the child. OpenBSD has no call that
//! does so, and Windows nothing of this. Next: `crate::process`.

mod unix;
pub(crate) use unix::{peek, send, send_to_group, starts_group, wait_for_end};

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod chosen;
#[cfg(not(target_os = "linux"))]
#[path = "absent.rs"]
mod chosen;

pub(crate) use chosen::{EndFd, pipe};
