//! A callback of the runtime for each signal.

use super::Kind;
use super::stream::refused;
use crate::platform::signals::{Listening, listen};
use crate::runtime::Handle;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Has the current runtime call a function for each signal of a kind that comes from now on, until
/// the [`Registration`] is dropped.
///
/// It is called as by [`Handle::call_soon`]: by a worker, one callback after the other, and it may
/// use the runtime: spawn, cancel, open a gate. A panic of it is reported, and the next signal
/// calls it again. Once the runtime has ended it is not called any more, and the signal still does
/// nothing else until the registration is dropped. Otherwise as [`signal()`](super::signal()).
///
/// # Errors
///
/// As [`signal()`](super::signal()), and outside of a runtime.
///
/// # Examples
///
/// ```
/// use weftline::process::Command;
/// use weftline::signal::{Kind, on_signal};
///
/// # weftline::run(async {
/// let (sender, receiver) = std::sync::mpsc::channel();
/// let registration = on_signal(Kind::USER1, move || sender.send("again").unwrap())?;
/// Command::shell("kill -USR1 $PPID").status().await?;
/// let heard = weftline::spawn_blocking(move || receiver.recv()).await.unwrap();
/// assert_eq!(heard, Ok("again"));
/// drop(registration);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn on_signal(
    kind: Kind,
    function: impl Fn() + Send + Sync + 'static,
) -> io::Result<Registration> {
    let at = Location::caller();
    kind.check_catchable()?;
    let handle = Handle::try_current().map_err(io::Error::other)?;
    let function = Arc::new(function);
    let is_over = Arc::new(AtomicBool::new(false));
    let tell = {
        let is_over = is_over.clone();
        Arc::new(move || {
            let (function, is_over) = (function.clone(), is_over.clone());
            handle.call_soon_for(at, move || {
                // Acquire: pairs with the Release in `drop` of `Registration`.
                if !is_over.load(Ordering::Acquire) {
                    function();
                }
            });
        })
    };
    let listening = listen(kind.as_raw(), tell).map_err(|error| refused(kind, &error))?;
    Ok(Registration { kind, is_over, _listening: listening })
}

/// A function that is called for each signal, until this is dropped; made by [`on_signal`].
///
/// Once it is dropped no call begins any more. Where the last one is dropped, the signal does again
/// what it did before.
#[must_use = "the function is not called any more once this is dropped"]
pub struct Registration {
    /// Which signal.
    kind: Kind,
    /// No call is to begin any more.
    is_over: Arc<AtomicBool>,
    /// Keeps it told.
    _listening: Listening,
}

impl Registration {
    /// Which signal it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Release: pairs with the Acquire in what `on_signal` registers.
        self.is_over.store(true, Ordering::Release);
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("kind", &self.kind).finish_non_exhaustive()
    }
}
