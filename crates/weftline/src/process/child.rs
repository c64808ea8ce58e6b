//! A process that was started, as its user sees it.

use super::ward::Ward;
use super::{PipeReader, PipeWriter};
use crate::signal::Kind;
use std::future::Future;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;

/// A process that was started; made by [`Command::spawn`](super::Command::spawn).
///
/// All methods but [`communicate`](Self::communicate) take it by shared reference: one task may
/// wait while others send signals. Dropping it lets the process go on, unseen, unless
/// [`kill_on_drop`](super::Command::kill_on_drop) was asked for. Either way nothing of it stays
/// behind once it has ended.
#[derive(Debug)]
pub struct Child {
    /// Where the child's input is written, if it is piped. To close it, take and drop it.
    pub stdin: Option<PipeWriter>,
    /// Where the child's output is read, if it is piped.
    pub stdout: Option<PipeReader>,
    /// Where the child's errors are read, if they are piped.
    pub stderr: Option<PipeReader>,
    /// The process.
    pub(super) care: Care,
}

/// The user's part in a child; what dropping a [`Child`] does.
#[derive(Debug)]
pub(super) struct Care {
    /// The process.
    pub(super) ward: Arc<Ward>,
    /// It is to end with its [`Child`].
    pub(super) kill_on_drop: bool,
}

impl Drop for Care {
    fn drop(&mut self) {
        self.ward.let_go(self.kill_on_drop);
    }
}

impl Child {
    /// The number that the system gave the process. Once the process has ended it may be another
    /// one's: to send a signal, use [`signal`](Self::signal).
    #[must_use]
    pub fn id(&self) -> u32 {
        self.care.ward.id()
    }

    /// Waits until the process has ended. Closes nothing: a child that reads its input to the end
    /// needs that closed before, as [`communicate`](Self::communicate) does it.
    ///
    /// Any number may wait, before and after the end, from any task, thread and runtime, also when
    /// this [`Child`] is gone. All get the same.
    ///
    /// # Errors
    ///
    /// If other code of this program has taken the exit status, by a `wait` for any child, or by
    /// having `SIGCHLD` ignored; and in a process that was forked off.
    ///
    /// # Cancel safety
    ///
    /// To stop waiting changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::process::Command;
    ///
    /// # weftline::run(async {
    /// let child = Command::shell("exit 3").spawn()?;
    /// let other = weftline::spawn(child.wait());
    /// assert_eq!(child.wait().await?.code(), Some(3));
    /// assert_eq!(other.await.unwrap()?.code(), Some(3));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn wait(&self) -> impl Future<Output = io::Result<ExitStatus>> + Send + use<> {
        self.care.ward.clone().wait()
    }

    /// How the process has ended, if it has.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::process::Command;
    ///
    /// # weftline::run(async {
    /// let child = Command::new("sleep").arg("60").kill_on_drop(true).spawn()?;
    /// assert_eq!(child.try_wait()?, None);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.care.ward.try_wait()
    }

    /// Sends a signal to the process.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound), *no such process*, if it has ended;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a signal without a name; whatever the
    /// system says, as for a process that has become another user's; and in a process that was
    /// forked off.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    /// use weftline::{process::Command, signal::Kind};
    ///
    /// # weftline::run(async {
    /// let child = Command::new("sleep").arg("60").spawn()?;
    /// child.signal(Kind::HANGUP)?;
    /// assert_eq!(child.wait().await?.signal(), Some(Kind::HANGUP.as_raw()));
    ///
    /// let error = child.signal(Kind::HANGUP).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn signal(&self, kind: Kind) -> io::Result<()> {
        self.care.ward.signal(kind)
    }

    /// Asks the process to end: sends `SIGTERM`.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Kind::TERMINATE)
    }

    /// Ends the process: sends `SIGKILL`, which it cannot refuse. [`wait`](Self::wait) tells when
    /// it is gone.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn kill(&self) -> io::Result<()> {
        self.signal(Kind::KILL)
    }

    /// Sends a signal to the process and to all that it has started, and that are still in its
    /// group. For a child that leads one: see [`process_group`](super::Command::process_group).
    ///
    /// The child itself may have ended before: what it has left behind gets the signal. Where
    /// nothing is left, nothing happens.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the child leads no group; otherwise as
    /// [`signal`](Self::signal).
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::process::{Command, Stdio};
    /// use weftline::signal::Kind;
    ///
    /// # weftline::run(async {
    /// let mut shell = Command::shell("sleep 60 & exit 0");
    /// let child = shell.process_group(0).stdout(Stdio::piped()).spawn()?;
    /// child.wait().await?;
    /// // The shell has ended, and its `sleep` goes on, with the shell's output still open.
    /// child.signal_group(Kind::TERMINATE)?;
    /// let mut rest = Vec::new();
    /// child.stdout.as_ref().unwrap().read_to_end(&mut rest).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn signal_group(&self, kind: Kind) -> io::Result<()> {
        self.care.ward.signal_group(kind)
    }

    /// Ends the process and all that it has started: [`signal_group`](Self::signal_group) with
    /// `SIGKILL`.
    ///
    /// # Errors
    ///
    /// As [`signal_group`](Self::signal_group).
    pub fn kill_group(&self) -> io::Result<()> {
        self.signal_group(Kind::KILL)
    }
}
