//! Unix signals: a handler that writes a message to a socket, and a thread that waits for it.
//!
//! The thread is there so that Ctrl-C works also while every worker is busy. It begins with the
//! first catch and waits without a limit, so that it costs nothing.

use super::EndSignal;
use parking_lot::Mutex;
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::{mem, process, ptr, thread};

/// What is done about a signal that was caught.
type Act = Box<dyn Fn(EndSignal) + Send>;

/// Where the handler writes; negative before it exists.
static WIRE: AtomicI32 = AtomicI32::new(-1);
/// What is done about signals, while somebody catches them, and the catch that is.
static ACT: Mutex<Option<(u32, Act)>> = Mutex::new(None);
/// Which catch a signal is for, the latest: what one has left on the wire is not for the next.
static CATCH: AtomicU32 = AtomicU32::new(0);

impl EndSignal {
    fn number(self) -> libc::c_int {
        match self {
            EndSignal::Interrupt => libc::SIGINT,
            EndSignal::Terminate => libc::SIGTERM,
        }
    }

    fn of(number: u8) -> Self {
        if libc::c_int::from(number) == libc::SIGTERM {
            EndSignal::Terminate
        } else {
            EndSignal::Interrupt
        }
    }
}

/// Signals that are caught, until it is dropped.
pub(crate) struct Caught(Vec<EndSignal>);

/// Catches those of `signals` that nobody else handles or ignores, and calls `act` for each that
/// comes, on a thread of its own. `None`: somebody handles them all, here or elsewhere.
pub(crate) fn catch(
    signals: &[EndSignal],
    act: impl Fn(EndSignal) + Send + 'static,
) -> io::Result<Option<Caught>> {
    start_thread()?;
    let mut current = ACT.lock();
    if current.is_some() {
        return Ok(None);
    }
    let free = signals.iter().copied().filter(|signal| handler_of(*signal) == libc::SIG_DFL);
    let caught: Vec<_> = free.collect();
    if caught.is_empty() {
        return Ok(None);
    }
    // Relaxed: written before the handlers are installed.
    let catch = CATCH.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    caught.iter().for_each(|signal| set_handler(*signal, our_handler()));
    *current = Some((catch, Box::new(act)));
    Ok(Some(Caught(caught)))
}

impl Drop for Caught {
    fn drop(&mut self) {
        for signal in &self.0 {
            // Unless somebody else has taken it over meanwhile.
            if handler_of(*signal) == our_handler() {
                set_handler(*signal, libc::SIG_DFL);
            }
        }
        let act = ACT.lock().take();
        drop(act);
    }
}

/// Ends the process as the signal does where nobody catches it: whoever started the process can
/// see that.
pub(crate) fn end_by(signal: EndSignal) -> ! {
    set_handler(signal, libc::SIG_DFL);
    let process = libc::pid_t::try_from(process::id()).expect("the kernel gave this number");
    // SAFETY: a signal to this process itself; there are no pointers.
    unsafe { libc::kill(process, signal.number()) };
    // The signal is blocked, or on its way to another thread.
    process::exit(128 + signal.number())
}

/// Starts the thread that acts, once.
fn start_thread() -> io::Result<()> {
    static STARTED: OnceLock<io::Result<()>> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        let (reader, writer) = UnixDatagram::pair()?;
        // A handler must not wait for room.
        writer.set_nonblocking(true)?;
        // Never closed: a handler may run at any time. Relaxed: none is installed before.
        WIRE.store(writer.into_raw_fd(), Ordering::Relaxed);
        let name = String::from("weftline-signals");
        thread::Builder::new().name(name).spawn(move || act_on(&reader)).map(drop)
    });
    let refused = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
    started.as_ref().map_err(refused).copied()
}

fn act_on(reader: &UnixDatagram) {
    let mut message = [0; MESSAGE];
    loop {
        match reader.recv(&mut message) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // The writing end is never closed.
            Err(_) => return,
        }
        let [number, catch @ ..] = message;
        match &*ACT.lock() {
            Some((current, act)) if catch == current.to_ne_bytes() => act(EndSignal::of(number)),
            _ => {}
        }
    }
}

/// The length of what the handler writes: the signal's number, and the catch that it is for.
const MESSAGE: usize = 5;

/// The handler: nothing but what a handler may do.
pub(super) extern "C" fn write_to_wire(number: libc::c_int) {
    let number = u8::try_from(number).unwrap_or(u8::MAX);
    // Relaxed: written before the handler was installed. So is the wire.
    let [a, b, c, d] = CATCH.load(Ordering::Relaxed).to_ne_bytes();
    let message: [u8; MESSAGE] = [number, a, b, c, d];
    let fd = WIRE.load(Ordering::Relaxed);
    // SAFETY: bytes that are alive; `write` is async-signal-safe. It changes errno only where it
    // fails: on a full wire, and then the interrupted code may see that error in place of its own.
    unsafe { libc::write(fd, ptr::from_ref(&message).cast(), MESSAGE) };
}

/// [`write_to_wire`], as the C library takes it.
fn our_handler() -> libc::sighandler_t {
    write_to_wire as *const () as libc::sighandler_t
}

/// What is done about a signal by now.
fn handler_of(signal: EndSignal) -> libc::sighandler_t {
    // SAFETY: all zeroes is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: a null action changes nothing; the place for the old one is valid.
    unsafe { libc::sigaction(signal.number(), ptr::null(), &raw mut action) };
    action.sa_sigaction
}

fn set_handler(signal: EndSignal, handler: libc::sighandler_t) {
    // SAFETY: all zeroes is a valid `sigaction`, with an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the action is valid: the handler is the default one, or takes a number, as it must
    // with these flags, and does only what a handler may do.
    unsafe { libc::sigaction(signal.number(), &raw const action, ptr::null_mut()) };
}
