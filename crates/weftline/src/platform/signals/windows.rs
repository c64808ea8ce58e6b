//! Windows: Ctrl-C and Ctrl-Break, which the console tells of on a thread of its own, so that nothing
//! needs to be passed on to another one.
//!
//! The handler is installed with the first catch and stays. Where nobody here catches what came it
//! says so, and the system asks the one that was there before, or ends the process.

use super::EndSignal;
use parking_lot::Mutex;
use std::ffi::c_int;
use std::io;
use std::process;
use std::sync::Arc;
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

/// What is done about a signal by the main future that catches it.
type Act = Arc<dyn Fn(EndSignal) + Send + Sync>;
/// What tells one who listens.
type Tell = Arc<dyn Fn() + Send + Sync>;

/// The number of Ctrl-C, as the C library has it.
pub(crate) const SIGINT: c_int = 2;
/// The number of Ctrl-Break, as the C library has it.
pub(crate) const SIGBREAK: c_int = 21;
/// The first number that is too large for a signal.
pub(crate) const NUMBERS: usize = 23;

/// The status of a process that Ctrl-C has ended, as the system tells it.
const CONTROL_C_EXIT: u32 = 0xC000_013A;

/// Who catches what.
static CATCHES: Mutex<Catches> =
    Mutex::new(Catches { is_installed: false, next: 0, reaction: None, listeners: Vec::new() });

/// Who catches signals.
struct Catches {
    /// The console calls our handler.
    is_installed: bool,
    /// The key of whoever catches next.
    next: u64,
    /// The reaction of a main future to Ctrl-C, one at a time.
    reaction: Option<(u64, Act)>,
    /// Those who listen.
    listeners: Vec<Listener>,
}

/// One who listens for one signal.
struct Listener {
    /// Which catch this is.
    key: u64,
    /// The signal.
    number: c_int,
    /// What tells them.
    tell: Tell,
}

/// Signals that a main future reacts to, until it is dropped.
pub(crate) struct Caught(u64);

/// Has `act` called for each Ctrl-C that comes while nobody listens for it; the system has no
/// request to terminate. `None`: somebody else's is called, or none is asked for.
pub(crate) fn catch(
    signals: &[EndSignal],
    act: impl Fn(EndSignal) + Send + Sync + 'static,
) -> io::Result<Option<Caught>> {
    let mut catches = CATCHES.lock();
    if catches.reaction.is_some() || !signals.contains(&EndSignal::Interrupt) {
        return Ok(None);
    }
    let key = catches.begin()?;
    catches.reaction = Some((key, Arc::new(act)));
    Ok(Some(Caught(key)))
}

impl Drop for Caught {
    fn drop(&mut self) {
        let reaction = CATCHES.lock().reaction.take_if(|(key, _)| *key == self.0);
        // Outside of the lock, since it is foreign code.
        drop(reaction);
    }
}

/// The right to be told of a signal, until it is dropped.
pub(crate) struct Listening {
    /// Which catch this is.
    key: u64,
}

/// Has `tell` called, on a thread of the console's, when the signal comes.
pub(crate) fn listen(number: c_int, tell: Tell) -> io::Result<Listening> {
    let mut catches = CATCHES.lock();
    let key = catches.begin()?;
    catches.listeners.push(Listener { key, number, tell });
    Ok(Listening { key })
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut catches = CATCHES.lock();
        let place = catches.listeners.iter().position(|listener| listener.key == self.key);
        let listener = place.map(|place| catches.listeners.swap_remove(place));
        drop(catches);
        // Outside of the lock, since it may hold a waker.
        drop(listener);
    }
}

/// Why nobody can listen for a signal; nothing where it can be listened for.
pub(crate) fn why_not_caught(number: c_int) -> Option<&'static str> {
    let is_known = [SIGINT, SIGBREAK].contains(&number);
    (!is_known).then_some("Windows tells of Ctrl-C and Ctrl-Break alone")
}

impl Catches {
    /// Somebody begins to catch; gives the key.
    fn begin(&mut self) -> io::Result<u64> {
        if !self.is_installed {
            // SAFETY: the handler is a plain function that lives as long as the program.
            let installed = unsafe { SetConsoleCtrlHandler(Some(note), 1) };
            if installed == 0 {
                return Err(io::Error::last_os_error());
            }
            self.is_installed = true;
        }
        self.next += 1;
        Ok(self.next)
    }
}

/// The handler, on a thread of the console's. Gives whether something was done about the event.
extern "system" fn note(event: u32) -> BOOL {
    let number = match event {
        CTRL_C_EVENT => SIGINT,
        CTRL_BREAK_EVENT => SIGBREAK,
        _ => return 0,
    };
    let catches = CATCHES.lock();
    let listening = catches.listeners.iter().filter(|listener| listener.number == number);
    let told: Vec<Tell> = listening.map(|listener| listener.tell.clone()).collect();
    let reaction = catches.reaction.as_ref().filter(|_| told.is_empty() && number == SIGINT);
    let act = reaction.map(|(_, act)| act.clone());
    drop(catches);
    // Outside of the lock: they may wake others.
    told.iter().for_each(|tell| tell());
    act.iter().for_each(|act| act(EndSignal::Interrupt));
    BOOL::from(!told.is_empty() || act.is_some())
}

/// Ends the process with the status that it has where nobody catches Ctrl-C.
pub(crate) fn end_by(_signal: EndSignal) -> ! {
    process::exit(i32::from_ne_bytes(CONTROL_C_EXIT.to_ne_bytes()))
}
