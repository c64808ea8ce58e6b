//! From a future to a finished program: build, run, end by a signal, shut down.

use super::builder::BuildError;
use super::{Builder, Runtime, shutdown};
use crate::platform::atomic::{AtomicBool, Ordering};
use crate::platform::signals::{self, Caught, EndSignal};
use crate::task::{self, JoinError, Task};
use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Runs a future to its end on a new runtime; then cancels the tasks that are left, waits until
/// they are gone, and closes the runtime. The way into most programs.
///
/// Tasks that do not end within ten seconds of being cancelled are reported and left behind;
/// [`Builder::grace`] gives them another time.
///
/// On the program's main thread the first Ctrl-C [cancels](Task::cancel) the future, so that it can
/// clean up; the runtime then shuts down as usual, and the process ends as it does where nobody
/// catches the signal: `run` does not return then. A second Ctrl-C ends it at once. [`Builder::cancel_on_ctrl_c`] has the
/// details.
///
/// # Panics
///
/// If the future panics or is cancelled, or if the system refuses threads or an event queue. Use
/// [`Builder::try_run`] to be told by an error.
///
/// # Examples
///
/// ```
/// let answer = weftline::run(async {
///     let task = weftline::spawn(async { 6 * 7 });
///     task.await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// ```
pub fn run<F: Future>(main: F) -> F::Output {
    match Runtime::builder().run(main) {
        Ok(output) => output,
        Err(error) => panic!("no runtime: {error}"),
    }
}

/// Which signals cancel the main future.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndSignals {
    /// Ctrl-C; `None`: on the program's main thread.
    pub(super) interrupt: Option<bool>,
    /// The system's request to terminate.
    pub(super) terminate: bool,
}

impl EndSignals {
    fn chosen(self) -> Vec<EndSignal> {
        let interrupt = self.interrupt.unwrap_or_else(signals::is_main_thread);
        let both = [(interrupt, EndSignal::Interrupt), (self.terminate, EndSignal::Terminate)];
        both.into_iter().filter(|(chosen, _)| *chosen).map(|(_, signal)| signal).collect()
    }
}

impl Builder {
    /// Builds the runtime and runs a future to its end on it; see [`run`].
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    ///
    /// # Panics
    ///
    /// If the future panics or is cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// let answer = weftline::Runtime::builder().workers(1).run(async { 42 })?;
    /// assert_eq!(answer, 42);
    /// # Ok::<(), weftline::runtime::BuildError>(())
    /// ```
    pub fn run<F: Future>(self, main: F) -> Result<F::Output, BuildError> {
        match self.try_run(main) {
            Ok(output) => Ok(output),
            Err(RunError::Build(error)) => Err(error),
            Err(RunError::Interrupted) => signals::end_by(EndSignal::Interrupt),
            Err(RunError::Terminated) => signals::end_by(EndSignal::Terminate),
            Err(RunError::Cancelled(error)) => panic!("the main future was cancelled: {error}"),
        }
    }

    /// As [`run`](Self::run), with an error where the future was cancelled.
    ///
    /// # Errors
    ///
    /// [`RunError`] says which: no runtime, a signal, or code that cancelled it.
    ///
    /// # Panics
    ///
    /// If the future panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use weftline::runtime::RunError;
    ///
    /// let error = weftline::Runtime::builder().try_run(async {
    ///     weftline::task::current().unwrap().cancel();
    ///     pending::<()>().await
    /// });
    /// assert!(matches!(error, Err(RunError::Cancelled(_))));
    /// ```
    pub fn try_run<F: Future>(self, main: F) -> Result<F::Output, RunError> {
        let wanted = self.end_signals.chosen();
        let mut runtime = self.build().map_err(RunError::Build)?;
        let mut watch = Watch::default();
        let result = runtime.handle().try_block_on(async {
            watch.begin(&wanted);
            main.await
        });
        if let Some(handle) = runtime.handle.take() {
            shutdown::shut_down_and_report(handle);
        }
        result.map_err(|error| match error.into_panic() {
            Ok(payload) => resume_unwind(payload),
            Err(error) => watch.explain(error),
        })
    }
}

/// Signals that cancel a main future, until it is dropped.
#[derive(Default)]
struct Watch {
    /// The main future, and what came for it.
    main: Option<(Task, Arc<Came>)>,
    /// Keeps the signals caught; a second one ends the process, also while the runtime shuts down.
    _caught: Option<Caught>,
}

/// Signals that come within this time of the first one are that one: programs that pass signals on
/// to those they have started send what these have got as well, as `timeout` does.
const SAME_SIGNAL: Duration = Duration::from_millis(100);

/// Which signals came.
#[derive(Default)]
struct Came {
    /// When the first one did.
    first: OnceLock<Instant>,
    interrupt: AtomicBool,
    terminate: AtomicBool,
}

impl Came {
    fn of(&self, signal: EndSignal) -> &AtomicBool {
        match signal {
            EndSignal::Interrupt => &self.interrupt,
            EndSignal::Terminate => &self.terminate,
        }
    }
}

impl Watch {
    /// Called by the main future. A system that refuses leaves the signals as they are.
    fn begin(&mut self, signals: &[EndSignal]) {
        let Some(main) = task::current().filter(|_| !signals.is_empty()) else { return };
        let came = Arc::new(Came::default());
        self.main = Some((main.clone(), came.clone()));
        let act = move |signal| cancel_or_end(&main, &came, signal);
        self._caught = signals::catch(signals, act).ok().flatten();
    }

    /// Why the main future was cancelled: by a signal, if it was the only request.
    fn explain(&self, error: JoinError) -> RunError {
        let Some((main, came)) = &self.main else { return RunError::Cancelled(error) };
        // Acquire: pairs with the Release in `cancel_or_end`.
        let came = |signal| came.of(signal).load(Ordering::Acquire);
        if main.cancelling() > 1 {
            RunError::Cancelled(error)
        } else if came(EndSignal::Interrupt) {
            RunError::Interrupted
        } else if came(EndSignal::Terminate) {
            RunError::Terminated
        } else {
            RunError::Cancelled(error)
        }
    }
}

/// The first signal cancels; one more, or one that comes too late to cancel anything, ends.
fn cancel_or_end(main: &Task, came: &Came, signal: EndSignal) {
    let is_first = came.first.set(Instant::now()).is_ok();
    if !is_first && came.first.get().is_some_and(|first| first.elapsed() < SAME_SIGNAL) {
        return;
    }
    // Release: pairs with the Acquire in `explain`.
    came.of(signal).store(true, Ordering::Release);
    let reason = match signal {
        EndSignal::Interrupt => "Ctrl-C",
        EndSignal::Terminate => "asked to terminate",
    };
    if !is_first || !main.cancel_with(reason) {
        signals::end_by(signal);
    }
}

/// Why a main future gave no value.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// There was no runtime to run it on.
    Build(BuildError),
    /// Ctrl-C cancelled it.
    Interrupted,
    /// A request of the system to terminate cancelled it.
    Terminated,
    /// Other code cancelled it.
    Cancelled(JoinError),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Build(_) => f.write_str("there is no runtime to run on"),
            RunError::Interrupted => f.write_str("interrupted by Ctrl-C"),
            RunError::Terminated => f.write_str("asked to terminate"),
            RunError::Cancelled(_) => f.write_str("the main future was cancelled"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RunError::Build(error) => Some(error),
            RunError::Cancelled(error) => Some(error),
            RunError::Interrupted | RunError::Terminated => None,
        }
    }
}
