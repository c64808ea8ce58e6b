//! What is to be started, and how.

use super::child::{Care, Child};
use super::ward::Ward;
use super::{ExitStatus, Output, PipeReader, PipeWriter, Stdio};
use crate::platform::processes::pipe;
use crate::runtime::Handle;
use std::ffi::OsStr;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process;

/// A process to be started, as [`std::process::Command`].
///
/// What is not here, such as another user or what is done between fork and exec, is set on std's,
/// which [becomes](#impl-From<Command>-for-Command) one of these.
///
/// # Examples
///
/// ```
/// use weftline::process::{Command, Stdio};
///
/// # weftline::run(async {
/// let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// let output = child.communicate("some data").await?;
/// assert_eq!(output.stdout, b"some data");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct Command {
    /// What is to be started.
    std: process::Command,
    /// The process is to end when its [`Child`] is dropped.
    kill_on_drop: bool,
    /// What goes to stderr goes where stdout goes, into a pipe.
    merges_output: bool,
    /// For stdin, stdout and stderr: the caller has said what it is.
    chosen: [bool; 3],
}

impl Command {
    /// A program, found as std finds it.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        process::Command::new(program).into()
    }

    /// A line for the shell, `/bin/sh`. Whoever puts text into it that comes from elsewhere must
    /// quote it; better pass such text by [`arg`](Self::arg) as `"$0"`, `"$1"` and so on.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::process::Command;
    ///
    /// # weftline::run(async {
    /// let output = Command::shell("echo $((2 * $0))").arg("21").output().await?;
    /// assert_eq!(output.stdout, b"42\n");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn shell(line: impl AsRef<OsStr>) -> Self {
        let mut shell = Self::new("/bin/sh");
        shell.arg("-c").arg(line);
        shell
    }

    /// One more argument.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg(argument);
        self
    }

    /// More arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.std.args(arguments);
        self
    }

    /// Sets an environment variable, among those that the child inherits.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.std.env(name, value);
        self
    }

    /// Sets environment variables.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Self {
        self.std.envs(variables);
        self
    }

    /// Keeps an environment variable from the child.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.std.env_remove(name);
        self
    }

    /// Keeps all environment variables from the child but those that are set from now on.
    pub fn env_clear(&mut self) -> &mut Self {
        self.std.env_clear();
        self
    }

    /// The directory in which the child begins. Give the program by an absolute path, then.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.std.current_dir(directory);
        self
    }

    /// Where the child's input comes from; by default where this process's does, and for
    /// [`output`](Self::output) from nowhere.
    pub fn stdin(&mut self, from: impl Into<Stdio>) -> &mut Self {
        self.chosen[0] = true;
        self.std.stdin(from);
        self
    }

    /// Where the child's output goes; by default where this process's does, and for
    /// [`output`](Self::output) into a pipe.
    pub fn stdout(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.chosen[1] = true;
        self.std.stdout(to);
        self
    }

    /// Where the child's errors go; by default where this process's do, and for
    /// [`output`](Self::output) into a pipe.
    pub fn stderr(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.chosen[2] = true;
        self.std.stderr(to);
        self
    }

    /// Whether stdout and stderr go into one pipe, in the order in which the child writes; it is
    /// read as stdout. Overrides what was chosen for the two.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::process::Command;
    ///
    /// # weftline::run(async {
    /// let mut both = Command::shell("echo one; echo two >&2; echo three");
    /// let output = both.merge_output(true).output().await?;
    /// assert_eq!(output.stdout, b"one\ntwo\nthree\n");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn merge_output(&mut self, merge: bool) -> &mut Self {
        self.merges_output = merge;
        self
    }

    /// The group of processes that the child belongs to; by default that of this process. Zero
    /// makes a new one, which the child leads: the terminal's Ctrl-C does not reach it, and
    /// [`Child::signal_group`] reaches all of it.
    pub fn process_group(&mut self, group: i32) -> &mut Self {
        self.std.process_group(group);
        self
    }

    /// Whether the process is sent `SIGKILL` when its [`Child`] is dropped before it has ended, as
    /// when the task that has it is cancelled. A child that leads a group takes that along. Not by
    /// default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    /// use weftline::process::Command;
    ///
    /// # weftline::run(async {
    /// let child = Command::new("sleep").arg("60").kill_on_drop(true).spawn()?;
    /// let end = child.wait();
    /// drop(child);
    /// assert_eq!(end.await?.signal(), Some(9));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.kill_on_drop = kill;
        self
    }

    /// Std's command inside.
    #[must_use]
    pub fn as_std(&self) -> &process::Command {
        &self.std
    }

    /// Starts the process. Blocks until the new program begins.
    ///
    /// # Errors
    ///
    /// Outside of a runtime; whatever the system says, as when there is no such program; and, where
    /// something is piped, when the runtime has shut down. Then no process is left.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::process::Command;
    ///
    /// # weftline::run(async {
    /// let child = Command::new("true").spawn()?;
    /// assert!(child.wait().await?.success());
    ///
    /// let error = Command::new("/no/such/program").spawn().unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn spawn(&mut self) -> io::Result<Child> {
        Handle::try_current().map_err(io::Error::other)?;
        let merged = if self.merges_output { Some(self.merge()?) } else { None };
        let started = self.std.spawn();
        if merged.is_some() {
            // Closes this side's copies of where the child writes; else the end would never come.
            self.std.stdout(Stdio::inherit()).stderr(Stdio::inherit());
        }
        let mut process = started?;
        let (stdin, stdout, stderr) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take());
        // Should a pipe be refused below, nobody knows of the process: it ends.
        let mut care = Care { ward: Ward::new(process)?, kill_on_drop: true };
        let stdin = stdin.map(PipeWriter::from_fd).transpose()?;
        let stdout = match merged {
            Some(merged) => Some(merged),
            None => stdout.map(PipeReader::from_fd).transpose()?,
        };
        let stderr = stderr.map(PipeReader::from_fd).transpose()?;
        care.kill_on_drop = self.kill_on_drop;
        Ok(Child { stdin, stdout, stderr, care })
    }

    /// One pipe for stdout and stderr.
    fn merge(&mut self) -> io::Result<PipeReader> {
        let (reader, writer) = pipe()?;
        self.std.stdout(writer.try_clone()?).stderr(writer);
        PipeReader::from_fd(reader)
    }

    /// Starts the process and waits for its end. It has begun when this returns; the future is its
    /// end. What is piped is closed.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Cancel safety
    ///
    /// When cancelled, the process goes on, unless [`kill_on_drop`](Self::kill_on_drop) was asked
    /// for.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// assert!(weftline::process::Command::new("true").status().await?.success());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + Send + use<> {
        let child = self.spawn();
        async move {
            let Child { stdin, stdout, stderr, care } = child?;
            drop((stdin, stdout, stderr));
            care.ward.clone().wait().await
        }
    }

    /// Starts the process, reads all that it says, and waits for its end. It has begun when this
    /// returns. Stdout and stderr are piped, and there is no input, unless something else was
    /// chosen.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Child::communicate`].
    ///
    /// # Cancel safety
    ///
    /// When cancelled, what was read is lost, and the process goes on, unless
    /// [`kill_on_drop`](Self::kill_on_drop) was asked for.
    ///
    /// # Examples
    ///
    /// ```
    /// # weftline::run(async {
    /// let output = weftline::process::Command::new("uname").output().await?;
    /// assert!(output.status.success() && !output.stdout.is_empty());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + Send + use<> {
        self.choose_where_nothing_is(Stdio::null, Stdio::piped);
        let child = self.spawn();
        self.choose_where_nothing_is(Stdio::inherit, Stdio::inherit);
        async move { child?.communicate([]).await }
    }

    /// Sets what the caller has left to us.
    fn choose_where_nothing_is(&mut self, from: fn() -> Stdio, to: fn() -> Stdio) {
        let [stdin, stdout, stderr] = self.chosen;
        if !stdin {
            self.std.stdin(from());
        }
        if !stdout {
            self.std.stdout(to());
        }
        if !stderr {
            self.std.stderr(to());
        }
    }
}

/// What was set on std's stays, except that [`Command::output`] does not know of pipes that were
/// chosen there.
impl From<process::Command> for Command {
    fn from(std: process::Command) -> Self {
        Self { std, kill_on_drop: false, merges_output: false, chosen: [false; 3] }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}
