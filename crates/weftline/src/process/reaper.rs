//! Notices the end of every child, whoever waits for it, or nobody: one thread for all of them.
//!
//! It belongs to the process and not to a runtime, so that no child stays behind when tasks are
//! cancelled, runtimes are shut down or nobody ever awaits. It begins with the first child and goes
//! when there has been none for a while. Where the kernel does not tell of ends, each child has a
//! thread of its own instead.

use super::ward::Ward;
use crate::platform::fork::Generation;
use crate::platform::poller::{Interest, Poller, descriptor};
use crate::platform::processes::{EndFd, wait_for_end};
use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long the thread stays without children. Value picked out of thin air: a program that starts
/// processes now and then does not start a thread for each.
const IDLE_TIME: Duration = Duration::from_secs(10);

/// Room for what a thread does that waits for one child.
const WAITER_STACK: usize = 128 * 1024;

/// The reaper of the process.
static REAPER: Mutex<State> = Mutex::new(State::NEW);

/// The children that have not ended, and who waits for them.
struct State {
    /// Those that the queue tells of, each under its key.
    wards: BTreeMap<usize, Arc<Ward>>,
    /// The key of the next one.
    next: usize,
    /// What tells; none before the first child, and where children are no descriptors.
    queue: Option<Arc<Poller>>,
    /// There is a thread, which waits for the queue.
    is_running: bool,
    /// The process that all this is about: neither thread nor children survive a fork.
    generation: Option<Generation>,
}

impl State {
    const NEW: Self =
        Self { wards: BTreeMap::new(), next: 0, queue: None, is_running: false, generation: None };
}

fn state() -> MutexGuard<'static, State> {
    // A panic under this lock cannot leave anything half done.
    REAPER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on the end of a child will be noticed.
pub(super) fn take(ward: &Arc<Ward>) -> io::Result<()> {
    match ward.end_fd() {
        Some(end) => watch(ward, end).or_else(|_| give_a_thread(ward.clone())),
        None => give_a_thread(ward.clone()),
    }
}

/// Has the queue tell of the child.
fn watch(ward: &Arc<Ward>, end: &EndFd) -> io::Result<()> {
    let mut state = state();
    let generation = Generation::watch();
    if state.generation != Some(generation) {
        // What is known of the parent's children is the parent's.
        mem::forget(mem::replace(&mut *state, State::NEW));
        state.generation = Some(generation);
    }
    let queue = match &state.queue {
        Some(queue) => queue.clone(),
        None => state.queue.insert(Arc::new(Poller::new()?)).clone(),
    };
    if !state.is_running {
        let serves = queue.clone();
        thread::Builder::new().name("weftline-reaper".to_owned()).spawn(move || serve(&serves))?;
        state.is_running = true;
    }
    let key = state.next;
    state.next += 1;
    queue.add(descriptor(end), key)?;
    queue.arm(descriptor(end), key, Interest { readable: true, writable: false })?;
    // What is told of it before waits for the lock.
    state.wards.insert(key, ward.clone());
    Ok(())
}

/// The life of the thread.
fn serve(queue: &Poller) {
    let mut events = Vec::new();
    loop {
        let limit = state().wards.is_empty().then_some(IDLE_TIME);
        if let Err(error) = queue.wait(&mut events, limit) {
            panic!("the kernel does not tell which children have ended: {error}");
        }
        if events.is_empty() {
            let mut state = state();
            if state.wards.is_empty() {
                state.is_running = false;
                return;
            }
        }
        for event in &events {
            let ward = state().wards.remove(&event.key);
            ward.into_iter().for_each(|ward| finish(queue, ward));
        }
    }
}

/// Does what is to be done about the end of one child.
fn finish(queue: &Poller, ward: Arc<Ward>) {
    if let Some(end) = ward.end_fd() {
        // A failure means that its events are gone already.
        let _ = queue.delete(descriptor(end));
    }
    if !ward.has_ended() {
        // A debugger sees the end first. Where there is no thread for it, the next one who asks
        // for the child will see it.
        let _ = give_a_thread(ward);
    }
}

/// Has a thread of its own wait for the child.
fn give_a_thread(ward: Arc<Ward>) -> io::Result<()> {
    let thread = thread::Builder::new().name("weftline-waiter".to_owned()).stack_size(WAITER_STACK);
    let wait = move || {
        wait_for_end(ward.pid());
        ward.has_ended();
    };
    thread.spawn(wait).map(drop)
}
