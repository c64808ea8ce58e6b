//! A child process in the reaper's care: whether it has ended, who waits for that, and the only
//! place that takes its exit status.
//!
//! Everything that needs the process to be still the one that was started (a signal to its number)
//! and everything that gives its number back to the system (taking the exit status) is done under
//! one lock. So a signal never reaches a stranger. `docs/processes.md` has the whole story.

use super::reaper;
use crate::platform::fork::Generation;
use crate::platform::processes::{EndFd, peek, send, send_to_group, starts_group};
use crate::signal::Kind;
use crate::task::{budget, wake_all};
use rustix::process::Pid;
use slab::Slab;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

/// A child process, from its start until its exit status is taken.
pub(super) struct Ward {
    /// Its number, its own until the exit status is taken.
    pid: Pid,
    /// It leads a group of processes, whose number is its own.
    leads_group: bool,
    /// What tells of its end, where the kernel has that.
    end_fd: Option<EndFd>,
    /// The process whose child it is: not one that was forked off later.
    generation: Generation,
    /// The rest.
    state: Mutex<State>,
}

/// What changes during a ward's life.
struct State {
    /// The process as std knows it.
    process: Child,
    /// How it has ended, once somebody has seen that.
    end: Option<End>,
    /// The user still has a `Child`. Then the number of a group's leader is kept, so that the group
    /// can be sent signals after its leader has ended.
    is_held: bool,
    /// Who waits for the end.
    waiting: Slab<Waker>,
}

/// How a child has ended.
#[derive(Clone, Copy, Debug)]
enum End {
    /// With this status.
    Status(ExitStatus),
    /// Somebody else has taken the status.
    Lost,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Lost => f.write_str("somebody else has its status"),
        }
    }
}

impl Ward {
    /// Takes a new child into care. Where nobody can wait for it, it is ended.
    pub(super) fn new(process: Child) -> io::Result<Arc<Self>> {
        let (pid, leads_group) = starts_group(&process);
        let state = State { process, end: None, is_held: true, waiting: Slab::new() };
        let ward = Arc::new(Self {
            pid,
            leads_group,
            end_fd: EndFd::open(pid).ok(),
            generation: Generation::watch(),
            state: Mutex::new(state),
        });
        if let Err(error) = reaper::take(&ward) {
            let mut state = ward.state();
            state.process.kill()?;
            state.process.wait()?;
            return Err(error);
        }
        Ok(ward)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock cannot leave anything half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    pub(super) fn end_fd(&self) -> Option<&EndFd> {
        self.end_fd.as_ref()
    }

    /// Looks whether the child has ended; if so, tells all who wait.
    pub(super) fn has_ended(&self) -> bool {
        self.look().is_some()
    }

    /// How the child has ended, if it has.
    pub(super) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.check_process()?;
        self.look().map(|end| self.status(end)).transpose()
    }

    fn look(&self) -> Option<End> {
        let mut state = self.state();
        if state.end.is_some() {
            return state.end;
        }
        let seen = match state.is_held && self.leads_group {
            true => peek(self.pid),
            false => state.process.try_wait(),
        };
        let end = match seen {
            Ok(None) => return None,
            Ok(Some(status)) => End::Status(status),
            Err(_) => End::Lost,
        };
        state.end = Some(end);
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        // Outside of the lock: a waker is foreign code.
        wake_all(waiting.into_iter().map(|(_, waker)| waker));
        Some(end)
    }

    fn status(&self, end: End) -> io::Result<ExitStatus> {
        match end {
            End::Status(status) => Ok(status),
            End::Lost => Err(io::Error::other(format!(
                "the exit status of process {} is lost: other code of this program has taken it, \
                 or has SIGCHLD ignored",
                self.pid
            ))),
        }
    }

    /// Waits for the end.
    pub(super) async fn wait(self: Arc<Self>) -> io::Result<ExitStatus> {
        self.check_process()?;
        let mut place = Place { ward: &self, key: None };
        let end = poll_fn(|cx| place.poll(cx)).await;
        self.status(end)
    }

    /// Sends a signal to the child.
    pub(super) fn signal(&self, kind: Kind) -> io::Result<()> {
        self.check_process()?;
        self.look();
        // Held while the signal is sent, so that nobody gives the number back.
        let state = self.state();
        match state.end {
            Some(end) => Err(self.gone(&end)),
            None => self.explain(send(self.pid, self.end_fd(), kind.as_raw())),
        }
    }

    /// Sends a signal to the group that the child leads.
    pub(super) fn signal_group(&self, kind: Kind) -> io::Result<()> {
        self.check_process()?;
        if !self.leads_group {
            let text = format!(
                "process {} leads no group: start it with `process_group(0)` to signal one",
                self.pid
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.look();
        // Held for the same reason. The number is the leader's while there is a `Child`.
        let state = self.state();
        match state.end {
            Some(end @ End::Lost) => Err(self.gone(&end)),
            _ => self.explain(send_to_group(self.pid, kind.as_raw())),
        }
    }

    /// The user has dropped the `Child`, after which nobody sends signals any more.
    pub(super) fn let_go(&self, kill: bool) {
        if !self.generation.is_current() {
            return;
        }
        if kill && !self.has_ended() {
            // It may have ended in between, and then there is nothing left to do.
            let _ = match self.leads_group {
                true => self.signal_group(Kind::KILL),
                false => self.signal(Kind::KILL),
            };
        }
        let mut state = self.state();
        state.is_held = false;
        if state.end.is_some() {
            // Of a leader that has ended only the number was kept.
            let _ = state.process.try_wait();
        }
    }

    /// Only the process that has started a child may deal with it.
    fn check_process(&self) -> io::Result<()> {
        if self.generation.is_current() {
            return Ok(());
        }
        let text =
            format!("process {} is a child of the process that this was forked from", self.pid);
        Err(io::Error::other(text))
    }

    /// A process that has ended gets no signals.
    fn gone(&self, how: &dyn fmt::Display) -> io::Error {
        let text = format!("no such process: {} has ended ({how})", self.pid);
        io::Error::new(io::ErrorKind::NotFound, text)
    }

    /// What the system says of a signal.
    fn explain(&self, sent: io::Result<()>) -> io::Result<()> {
        sent.map_err(|error| match error.raw_os_error() {
            Some(libc::ESRCH) => self.gone(&error),
            _ => error,
        })
    }
}

impl fmt::Debug for Ward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.state().end;
        f.debug_struct("Ward").field("id", &self.id()).field("end", &end).finish_non_exhaustive()
    }
}

/// One who waits for a child, until it is dropped.
struct Place<'a> {
    /// The child.
    ward: &'a Ward,
    /// The place among those who wait, once it has waited.
    key: Option<usize>,
}

impl Place<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        ready!(budget::poll_proceed(cx));
        let mut state = self.ward.state();
        if let Some(end) = state.end {
            return Poll::Ready(end);
        }
        let waker = cx.waker().clone();
        let before = match self.key {
            Some(key) => Some(mem::replace(&mut state.waiting[key], waker)),
            None => {
                self.key = Some(state.waiting.insert(waker));
                None
            }
        };
        drop(state);
        // Outside of the lock: a waker is foreign code.
        drop(before);
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let mut state = self.ward.state();
        // Once it has ended, all places are gone.
        let waker = if state.end.is_none() { state.waiting.try_remove(key) } else { None };
        drop(state);
        drop(waker);
    }
}
