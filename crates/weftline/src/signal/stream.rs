//! Those who listen: a future for one Ctrl-C, a stream for any signal.

use super::Kind;
use crate::platform::signals::{Listening, listen};
use crate::task::{budget, wake_all};
use futures_core::Stream;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

/// Waits for the next Ctrl-C.
///
/// It is listened for from this call on until the future is ready or dropped. Meanwhile Ctrl-C does
/// nothing else: it neither ends the process nor cancels the main future of [`run`](crate::run).
/// Afterwards it does again, so that a program which is slow to end after the first Ctrl-C ends by
/// one more. To wait again and again, and to miss none in between, use [`signal()`] with
/// [`Kind::INTERRUPT`].
///
/// A request of the system to terminate (`SIGTERM`), as containers send it, is not heard by this: that is
/// [`Kind::TERMINATE`]. Where both are to end the program in good order, no signal need be listened for: under
/// [`#[weftline::main]`](macro@crate::main) both cancel the main future, which can
/// [catch that](crate::catch_cancel), as the example of [`Server`](crate::net::Server) does.
///
/// # Errors
///
/// If the system gives no thread or no socket.
///
/// # Cancel safety
///
/// A Ctrl-C that has come is lost with the future that was not polled after it.
///
/// # Examples
///
/// ```no_run
/// weftline::run(async {
///     println!("press Ctrl-C");
///     weftline::signal::ctrl_c().await?;
///     println!("thank you");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[must_use = "it stops listening when it is dropped"]
pub fn ctrl_c() -> impl Future<Output = io::Result<()>> + Send + 'static {
    let listening = signal(Kind::INTERRUPT);
    async move {
        listening?.recv().await;
        Ok(())
    }
}

/// Listens for a signal from now on, until the [`Signal`] is dropped. Needs no runtime.
///
/// Any number may listen, and all are told. [The module](mod@crate::signal) tells what becomes of
/// other handlers and of the default action.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for signals that cannot be caught (`SIGKILL`,
/// `SIGSTOP`), or not survived (`SIGSEGV`, `SIGBUS`, `SIGFPE`, `SIGILL`), and for those that this
/// system does not have; and if the system gives no thread or no socket.
///
/// # Examples
///
/// ```
/// use weftline::process::Command;
/// use weftline::signal::{Kind, signal};
///
/// # weftline::run(async {
/// let mut hangups = signal(Kind::HANGUP)?;
/// Command::shell("kill -HUP $PPID").status().await?;
/// hangups.recv().await;
///
/// let error = signal(Kind::KILL).unwrap_err();
/// assert!(error.to_string().starts_with("SIGKILL cannot be listened for"));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn signal(kind: Kind) -> io::Result<Signal> {
    kind.check_catchable()?;
    let heard = Arc::new(Heard::default());
    let tell = {
        let heard = heard.clone();
        Arc::new(move || heard.tell())
    };
    let listening = listen(kind.as_raw(), tell).map_err(|error| refused(kind, &error))?;
    Ok(Signal { kind, heard, _listening: listening })
}

/// The system's refusal, with what it is about.
pub(super) fn refused(kind: Kind, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{kind} cannot be listened for: {error}"))
}

/// What one listener has heard.
#[derive(Default)]
struct Heard(Mutex<State>);

#[derive(Default)]
struct State {
    /// One has come that was not received yet.
    came: bool,
    /// Who waits.
    waker: Option<Waker>,
}

impl Heard {
    fn tell(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.came = true;
        let waker = state.waker.take();
        drop(state);
        wake_all(waker);
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(budget::poll_proceed(cx));
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut state.came) {
            return Poll::Ready(());
        }
        let before = state.waker.replace(cx.waker().clone());
        drop(state);
        // Outside of the lock: a waker is foreign code.
        drop(before);
        Poll::Pending
    }
}

/// A signal that is listened for; made by [`signal()`].
///
/// An endless stream, of its own kind each time.
pub struct Signal {
    /// Which signal.
    kind: Kind,
    /// What came.
    heard: Arc<Heard>,
    /// Keeps it told.
    _listening: Listening,
}

impl Signal {
    /// Waits until the signal has come since it was received the last time, or since this listens.
    ///
    /// # Cancel safety
    ///
    /// Loses nothing: a signal is received by the poll that is ready.
    ///
    /// # Examples
    ///
    /// See [`signal()`].
    pub async fn recv(&mut self) {
        poll_fn(|cx| self.heard.poll(cx)).await;
    }

    /// Which signal it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl Stream for Signal {
    type Item = Kind;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Kind>> {
        self.heard.poll(cx).map(|()| Some(self.kind))
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("kind", &self.kind).finish_non_exhaustive()
    }
}
