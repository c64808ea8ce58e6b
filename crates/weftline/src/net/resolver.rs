//! Host names to addresses, on a few threads of their own.
//!
//! The system's resolver blocks, for seconds when a name server is away, so it runs neither on the
//! workers nor among the threads of `spawn_blocking`, where slow look-ups would keep other work
//! waiting. The threads are shared by all runtimes of the process, bounded, and end when idle.

use crate::platform::fork::Generation;
use crate::runtime::context;
use crate::task::wake_all;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

/// How many look-ups run at once; more wait their turn. Value picked out of thin air: a machine
/// talks to a few name servers, and each look-up is one packet there and back.
const MAX_THREADS: usize = 4;

/// How long a thread without work stays.
const IDLE_TIME: Duration = Duration::from_secs(10);

/// The look-ups of the process.
static POOL: Pool = Pool { state: Mutex::new(State::EMPTY), work: Condvar::new() };

/// The threads and what they have to do.
struct Pool {
    /// The look-ups that wait, and who is there to do them.
    state: Mutex<State>,
    /// Signalled when a look-up is added.
    work: Condvar,
}

/// What the pool's lock protects.
struct State {
    /// Look-ups that no thread has begun. Whoever asked may be gone by now.
    waiting: VecDeque<Weak<Lookup>>,
    /// Threads that exist.
    threads: usize,
    /// Threads that wait for work.
    idle: usize,
    /// The process the threads are in: they do not survive a fork.
    generation: Option<Generation>,
}

impl State {
    const EMPTY: Self = Self { waiting: VecDeque::new(), threads: 0, idle: 0, generation: None };
}

/// One look-up.
struct Lookup {
    /// The name.
    host: String,
    /// Goes into each address.
    port: u16,
    /// What came of it, and who waits for that.
    outcome: Mutex<Outcome>,
}

/// Where a look-up stands.
enum Outcome {
    /// Not done; the waker of the task that polled last.
    Open(Option<Waker>),
    /// Done, and not yet fetched.
    Done(io::Result<Vec<SocketAddr>>),
}

/// A panic under one of these locks cannot leave anything half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks up the addresses of `host`, each with `port`, in the order in which to try them.
///
/// The system's resolver is asked, with its hosts file and configuration, on one of a few threads
/// kept for this. An address in text form is returned as it is. Needs no runtime.
///
/// # Errors
///
/// Whatever the resolver says, an unknown host above all; and when the system gives no thread.
///
/// # Cancel safety
///
/// A look-up that no thread has begun is taken back; one that has begun runs on, unheard.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// let addresses = weftline::net::resolve("localhost", 80).await?;
/// assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    // The answer comes from another thread, and takes none of the runtime's own time.
    let _held = context::hold_time();
    let outcome = Mutex::new(Outcome::Open(None));
    let lookup = Arc::new(Lookup { host: host.to_owned(), port, outcome });
    POOL.submit(&lookup)?;
    poll_fn(|cx| {
        let waker = cx.waker().clone();
        let mut outcome = lock(&lookup.outcome);
        let before = match std::mem::replace(&mut *outcome, Outcome::Open(Some(waker))) {
            Outcome::Done(result) => return Poll::Ready(result),
            Outcome::Open(before) => before,
        };
        // Dropped after the lock: a waker is foreign code.
        drop(outcome);
        drop(before);
        Poll::Pending
    })
    .await
}

impl Lookup {
    /// Asks the system. This is the call that blocks.
    fn run(&self) {
        let result = (self.host.as_str(), self.port).to_socket_addrs().map(Iterator::collect);
        let before = std::mem::replace(&mut *lock(&self.outcome), Outcome::Done(result));
        if let Outcome::Open(waker) = before {
            wake_all(waker);
        }
    }
}

impl Pool {
    fn submit(&'static self, lookup: &Arc<Lookup>) -> io::Result<()> {
        let mut state = lock(&self.state);
        let generation = Generation::watch();
        if state.generation != Some(generation) {
            *state = State { generation: Some(generation), ..State::EMPTY };
        }
        state.waiting.push_back(Arc::downgrade(lookup));
        if state.idle >= state.waiting.len() {
            self.work.notify_one();
        } else if state.threads < MAX_THREADS {
            let thread = thread::Builder::new().name("weftline-resolve".to_owned());
            match thread.spawn(|| self.work()) {
                Ok(_) => state.threads += 1,
                Err(error) if state.threads == 0 => {
                    state.waiting.pop_back();
                    return Err(error);
                }
                // Those that exist will come to it.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// The life of one thread.
    fn work(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(lookup) = state.waiting.pop_front() {
                drop(state);
                if let Some(lookup) = lookup.upgrade() {
                    lookup.run();
                }
                state = lock(&self.state);
                continue;
            }
            state.idle += 1;
            let (guard, waited) =
                self.work.wait_timeout(state, IDLE_TIME).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if waited.timed_out() && state.waiting.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}
