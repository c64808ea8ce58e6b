//! Unix signals: a handler that notes which one came and rings, and a thread that is rung for.
//!
//! The thread is there so that Ctrl-C works also while every worker is busy. It begins with the
//! first signal that is caught and waits without a limit, so that it costs nothing. Whoever listens
//! for a signal is told; the reaction of a main future comes in where nobody listens. When the last
//! one has gone, what was done about the signal before is done again.

use super::EndSignal;
use crate::platform::fork::Generation;
use parking_lot::Mutex;
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixDatagram;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::{mem, process, ptr, thread};

/// What is done about a signal by the main future that catches it.
type Act = Box<dyn Fn(EndSignal) + Send>;
/// What tells one who listens.
type Tell = Arc<dyn Fn() + Send + Sync>;

/// The first number that is too large for a signal.
pub(crate) const NUMBERS: usize = 65;

/// Where the handler rings; negative before it exists.
static BELL: AtomicI32 = AtomicI32::new(-1);
/// The process whose thread is rung for: a forked one has the handlers, and not the thread.
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// It was rung, and the thread has not looked since.
static RUNG: AtomicBool = AtomicBool::new(false);
/// Which signals have come since the thread looked.
static CAME: [AtomicBool; NUMBERS] = [const { AtomicBool::new(false) }; NUMBERS];
/// Who catches what.
static CATCHES: Mutex<Catches> = Mutex::new(Catches {
    generation: None,
    next: 0,
    reaction: None,
    listeners: Vec::new(),
    before: Vec::new(),
});

/// Who catches signals, and what was done about them before.
struct Catches {
    /// The process in which the thread waits; none before it does.
    generation: Option<Generation>,
    /// The key of whoever catches next.
    next: u64,
    /// The reaction of a main future, one at a time.
    reaction: Option<Reaction>,
    /// Those who listen.
    listeners: Vec<Listener>,
    /// The signals that have our handler, and what each had before.
    before: Vec<(libc::c_int, libc::sigaction)>,
}

/// What a main future does about signals.
struct Reaction {
    /// Which catch this is.
    key: u64,
    /// The signals it is about.
    signals: Vec<EndSignal>,
    /// What is done about them.
    act: Act,
}

/// One who listens for one signal.
struct Listener {
    /// Which catch this is.
    key: u64,
    /// The signal.
    number: libc::c_int,
    /// What tells them.
    tell: Tell,
}

impl EndSignal {
    fn number(self) -> libc::c_int {
        match self {
            EndSignal::Interrupt => libc::SIGINT,
            EndSignal::Terminate => libc::SIGTERM,
        }
    }
}

/// Signals that a main future reacts to, until it is dropped.
pub(crate) struct Caught(u64);

/// Has `act` called, on a thread of its own, for each of `signals` that comes while nobody listens
/// for it, as far as nobody else handles or ignores them. `None`: somebody handles them all, here
/// or elsewhere.
pub(crate) fn catch(
    signals: &[EndSignal],
    act: impl Fn(EndSignal) + Send + 'static,
) -> io::Result<Option<Caught>> {
    let mut catches = CATCHES.lock();
    catches.start()?;
    if catches.reaction.is_some() {
        return Ok(None);
    }
    let free = |signal: &EndSignal| catches.underneath(signal.number()) == libc::SIG_DFL;
    let signals: Vec<_> = signals.iter().copied().filter(free).collect();
    if signals.is_empty() {
        return Ok(None);
    }
    signals.iter().try_for_each(|signal| catches.install(signal.number()))?;
    let key = catches.new_key();
    catches.reaction = Some(Reaction { key, signals, act: Box::new(act) });
    Ok(Some(Caught(key)))
}

impl Drop for Caught {
    fn drop(&mut self) {
        let mut catches = CATCHES.lock();
        // Another one than this is there only after a fork.
        if let Some(reaction) = catches.reaction.take_if(|reaction| reaction.key == self.0) {
            reaction.signals.iter().for_each(|signal| catches.restore(signal.number()));
            drop(catches);
            drop(reaction);
        }
    }
}

/// Why nobody can listen for a signal; nothing where it can be listened for.
pub(crate) fn why_not_caught(number: libc::c_int) -> Option<&'static str> {
    match number {
        libc::SIGKILL | libc::SIGSTOP => {
            Some("the system lets no program have its own way with it")
        }
        libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL => {
            Some("it tells of a fault of the program, which cannot go on after that")
        }
        _ => None,
    }
}

/// The right to be told of a signal, until it is dropped.
pub(crate) struct Listening {
    /// Which catch this is.
    key: u64,
    /// The signal.
    number: libc::c_int,
}

/// Has `tell` called, on a thread of its own, when the signal comes, whoever handled or ignored it
/// before. Signals that come close together count as one.
pub(crate) fn listen(
    number: libc::c_int,
    tell: Arc<dyn Fn() + Send + Sync>,
) -> io::Result<Listening> {
    let mut catches = CATCHES.lock();
    catches.start()?;
    catches.install(number)?;
    let key = catches.new_key();
    catches.listeners.push(Listener { key, number, tell });
    Ok(Listening { key, number })
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut catches = CATCHES.lock();
        let place = catches.listeners.iter().position(|listener| listener.key == self.key);
        // There is none only after a fork.
        let listener = place.map(|place| catches.listeners.swap_remove(place));
        catches.restore(self.number);
        drop(catches);
        // Outside of the lock, since it may hold a waker.
        drop(listener);
    }
}

impl Catches {
    fn new_key(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Starts the thread, once in each process.
    fn start(&mut self) -> io::Result<()> {
        let generation = Generation::watch();
        if self.generation == Some(generation) {
            return Ok(());
        }
        // What was caught before a fork is the parent's, down to the destructors.
        for (number, before) in mem::take(&mut self.before) {
            let _ = exchange(number, Some(&before));
        }
        mem::forget((self.reaction.take(), mem::take(&mut self.listeners)));
        let (reader, writer) = UnixDatagram::pair()?;
        // A handler must not wait for room.
        writer.set_nonblocking(true)?;
        let name = String::from("weftline-signals");
        thread::Builder::new().name(name).spawn(move || wait_for_bell(&reader))?;
        // Never closed, since a handler may run at any time.
        let bell = writer.into_raw_fd();
        // Relaxed, all three: no handler is installed before.
        BELL.store(bell, Ordering::Relaxed);
        PROCESS.store(process::id(), Ordering::Relaxed);
        RUNG.store(false, Ordering::Relaxed);
        self.generation = Some(generation);
        Ok(())
    }

    /// What is done about a signal where we do nothing.
    fn underneath(&self, number: libc::c_int) -> libc::sighandler_t {
        let now = exchange(number, None).map_or(libc::SIG_IGN, |action| action.sa_sigaction);
        let before = self.before.iter().find(|(saved, _)| *saved == number);
        match before {
            Some((_, before)) if now == our_handler() => before.sa_sigaction,
            _ => now,
        }
    }

    /// Makes our handler a signal's, if it is not yet.
    fn install(&mut self, number: libc::c_int) -> io::Result<()> {
        let before = exchange(number, None)?;
        if before.sa_sigaction == our_handler() {
            return Ok(());
        }
        if let Some(came) = came(number) {
            // What came before is not for who begins now. Relaxed: the handler is not installed.
            came.store(false, Ordering::Relaxed);
        }
        // SAFETY: all zeroes is a valid `sigaction`, with an empty mask.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction = our_handler();
        action.sa_flags = libc::SA_RESTART;
        exchange(number, Some(&action))?;
        self.before.retain(|(saved, _)| *saved != number);
        self.before.push((number, before));
        Ok(())
    }

    /// Gives a signal back to whom it belonged, if nobody here catches it any more, and nobody else
    /// has taken it over meanwhile.
    fn restore(&mut self, number: libc::c_int) {
        let mut reacts = self.reaction.iter().flat_map(|reaction| &reaction.signals);
        let is_caught = self.listeners.iter().any(|listener| listener.number == number)
            || reacts.any(|signal| signal.number() == number);
        let saved = self.before.iter().position(|(saved, _)| *saved == number);
        if let Some(place) = saved.filter(|_| !is_caught) {
            let (_, before) = self.before.swap_remove(place);
            if exchange(number, None).is_ok_and(|now| now.sa_sigaction == our_handler()) {
                let _ = exchange(number, Some(&before));
            }
        }
    }
}

/// Ends the process as the signal does where nobody catches it: whoever started the process can
/// see that.
pub(crate) fn end_by(signal: EndSignal) -> ! {
    act_by_default(signal.number());
    // The signal is blocked, or on its way to another thread.
    process::exit(128 + signal.number())
}

/// What the thread does.
fn wait_for_bell(reader: &UnixDatagram) {
    let mut message = [0; 1];
    loop {
        match reader.recv(&mut message) {
            Ok(_) => tell_of_what_came(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The writing end is never closed.
            Err(_) => return,
        }
    }
}

fn tell_of_what_came() {
    // Acquire: pairs with the Release in `note`, so that what rang is seen below. Before the look:
    // what comes during it rings again.
    RUNG.swap(false, Ordering::AcqRel);
    let mut told: Vec<Tell> = Vec::new();
    let catches = CATCHES.lock();
    for (number, came) in (0..).zip(&CAME) {
        // Relaxed: ordered by the swap above.
        if !came.swap(false, Ordering::Relaxed) {
            continue;
        }
        let listening = catches.listeners.iter().filter(|listener| listener.number == number);
        let before = told.len();
        told.extend(listening.map(|listener| listener.tell.clone()));
        if told.len() > before {
            continue;
        }
        if let Some(reaction) = &catches.reaction {
            let caught = reaction.signals.iter().find(|signal| signal.number() == number);
            // Under the lock, so that nothing is done any more once `Caught` was dropped.
            caught.into_iter().for_each(|signal| (reaction.act)(*signal));
        }
    }
    drop(catches);
    for tell in told {
        // What a listener gave may panic, above all when it is dropped. The panic hook has told of it
        // by then, and the payload might panic as well.
        catch_unwind(AssertUnwindSafe(move || tell())).unwrap_or_else(mem::forget);
    }
}

/// The handler: nothing but what a handler may do.
pub(super) extern "C" fn note(number: libc::c_int) {
    // Relaxed: written before the handler was installed. The number is asked of the system, which a
    // handler may do.
    if PROCESS.load(Ordering::Relaxed) != process::id() {
        // A forked process: there is nobody to tell in it, and the parent is none of its business.
        return act_by_default(number);
    }
    let Some(came) = came(number) else { return };
    // Relaxed: ordered by the swap below.
    came.store(true, Ordering::Relaxed);
    // Release: pairs with the Acquire in `tell_of_what_came`, also where it was rung before.
    if RUNG.swap(true, Ordering::AcqRel) {
        return;
    }
    let message = [0_u8];
    // Relaxed: written before the handler was installed.
    let bell = BELL.load(Ordering::Relaxed);
    // Whoever was interrupted may be about to look why a call of its own has failed.
    let errno = errno::errno();
    // SAFETY: bytes that are alive; `write` is async-signal-safe. It does not wait: a message is
    // written only where the one before was read.
    let written = unsafe { libc::write(bell, message.as_ptr().cast(), message.len()) };
    if written < 0 {
        errno::set_errno(errno);
        // A system without memory: the next signal rings for this one as well. Relaxed: it rang for
        // nobody.
        RUNG.store(false, Ordering::Relaxed);
    }
}

/// Whether a signal has come.
fn came(number: libc::c_int) -> Option<&'static AtomicBool> {
    usize::try_from(number).ok().and_then(|number| CAME.get(number))
}

/// Does what is done about a signal where nobody catches it; in a handler, when that returns. Calls
/// nothing but what a handler may call.
fn act_by_default(number: libc::c_int) {
    // SAFETY: the default action installs no code.
    unsafe { libc::signal(number, libc::SIG_DFL) };
    let process = libc::pid_t::try_from(process::id()).expect("the kernel gave this number");
    // SAFETY: a signal to this process itself; there are no pointers.
    unsafe { libc::kill(process, number) };
}

/// [`note`], as the C library takes it.
fn our_handler() -> libc::sighandler_t {
    note as *const () as libc::sighandler_t
}

/// What is done about a signal by now, and from now on, if there is something new.
fn exchange(number: libc::c_int, new: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    // SAFETY: all zeroes is a valid `sigaction`.
    let mut old: libc::sigaction = unsafe { mem::zeroed() };
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the place for the old action is valid. The new one is null, which changes nothing, or
    // an action that was in force before, or holds our handler, which takes a number, as it must
    // with these flags, and does only what a handler may do.
    let result = unsafe { libc::sigaction(number, new, &raw mut old) };
    if result == 0 { Ok(old) } else { Err(io::Error::last_os_error()) }
}
