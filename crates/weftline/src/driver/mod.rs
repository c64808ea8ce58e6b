//! The kernel's events, delivered to wakers.
//!
//! [`Driver`] keeps every registered descriptor as a [`Source`] under a key and turns what the
//! kernel reports into recorded readiness and a list of wakers to call. It knows nothing of tasks
//! or workers: it collects wakers and never calls one. Timers live beside it, in `timers`; who
//! turns the driver, and when, is the scheduler's business. Next: `source`, then `docs/io.md`.

pub(crate) mod clock;
pub(crate) mod source;
#[cfg(test)]
mod tests;
pub(crate) mod timers;

use crate::platform::Mutex;
use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::platform::fork::{Generation, IN_A_FORK};
use crate::platform::poller::{Descriptor, EVENTS_PER_WAIT, Event, Poller};
use slab::Slab;
use source::{Assume, Source};
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// The registered descriptors of one runtime, and the queue on which the kernel reports them.
pub(crate) struct Driver {
    /// The kernel's event queue.
    poller: Poller,
    /// Room for what one turn finds. Whoever turns the driver holds it; only one caller does.
    events: Mutex<Vec<Event>>,
    /// Every registered descriptor.
    sources: Mutex<Sources>,
    /// How many there are, to be asked without the lock.
    registered: AtomicUsize,
    /// The process that has registered them.
    generation: Generation,
}

/// The table of registered descriptors.
struct Sources {
    /// By the index half of their [`Key`].
    table: Slab<Arc<Source>>,
    /// Tells two sources that follow each other in one place of the table apart.
    generation: usize,
    /// The runtime has ended: nothing can be registered any more.
    closed: bool,
}

/// What the kernel hands back with an event.
///
/// ```text
///   high half of the bits      low half of the bits
/// +------------------------+------------------------+
/// |       generation       |    index in `table`    |
/// +------------------------+------------------------+
/// ```
///
/// The generation guards against stale events: one that was taken from the kernel before its
/// descriptor was deregistered names a place that another descriptor may have by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(usize);

impl Key {
    /// How many bits the index has.
    const INDEX_BITS: u32 = usize::BITS / 2;
    /// The largest index; also how far generations count before they begin again. The last one is
    /// left out, so that no key has all bits set, which pollers keep for themselves.
    const MAX_HALF: usize = (1 << Self::INDEX_BITS) - 2;

    fn new(generation: usize, index: usize) -> Self {
        Self(generation << Self::INDEX_BITS | index)
    }

    fn index(self) -> usize {
        self.0 & (usize::MAX >> Self::INDEX_BITS)
    }
}

impl Driver {
    /// A driver with nothing registered.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            events: Mutex::new(Vec::with_capacity(EVENTS_PER_WAIT)),
            sources: Mutex::new(Sources { table: Slab::new(), generation: 0, closed: false }),
            registered: AtomicUsize::new(0),
            generation: Generation::watch(),
        })
    }

    /// Waits for events (`None`: without limit, zero: looks only), records the readiness they
    /// tell of and appends the wakers to call to `wakers`. Handles a bounded number of events. One
    /// caller at a time. May return early and with nothing: an interrupted wait is an empty one.
    pub(crate) fn turn(
        &self,
        timeout: Option<Duration>,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<()> {
        let mut events = self.events.lock();
        self.poller.wait(&mut events, timeout)?;
        if events.is_empty() {
            return Ok(());
        }
        let sources = self.sources.lock();
        for event in events.drain(..) {
            let key = Key(event.key);
            // Another key in that place, or none: the event is older than a deregistration.
            let found = sources.table.get(key.index());
            if let Some(source) = found.filter(|source| source.key() == key) {
                source.deliver(event, !self.poller.is_edge(), wakers);
            }
        }
        Ok(())
    }

    /// Makes the current or the next [`Driver::turn`] return.
    pub(crate) fn notify(&self) {
        // The only failure would be a full counter, that is, a notification already pending.
        let _ = self.poller.notify();
    }

    /// Begins to watch a descriptor. It must be in non-blocking mode, and must be given to
    /// [`Driver::deregister`] before it is closed.
    pub(crate) fn register(
        &self,
        descriptor: Descriptor<'_>,
        assume: Assume,
    ) -> io::Result<Arc<Source>> {
        if !self.generation.is_current() {
            // A forked child shares the kernel's queue with its parent, which would get the events.
            return Err(io::Error::other(IN_A_FORK));
        }
        let source = self.insert(assume)?;
        match self.poller.add(descriptor, source.key().0) {
            Ok(()) => Ok(source),
            Err(error) => {
                self.remove(&source);
                Err(error)
            }
        }
    }

    /// Stops watching a descriptor. Never fails for one that is registered.
    pub(crate) fn deregister(&self, source: &Source, descriptor: Descriptor<'_>) -> io::Result<()> {
        if !self.generation.is_current() {
            // A forked child shares the kernel's queue with its parent: what it takes out is gone
            // for the parent too.
            return Ok(());
        }
        let deleted = self.poller.delete(descriptor);
        self.remove(source);
        deleted
    }

    /// Asks for the events that the waiters of `source` wait for, where the kernel has to be asked
    /// each time. To be called after a waiter was added.
    #[inline]
    pub(crate) fn arm(&self, source: &Source, descriptor: Descriptor<'_>) -> io::Result<()> {
        if self.poller.is_edge() {
            return Ok(());
        }
        source.with_interest(|interest| self.poller.arm(descriptor, source.key().0, interest))
    }

    /// Whether a stream that was read or written short of what was asked for reports its next
    /// readiness, its end included, so that nobody needs to ask the kernel first.
    #[inline]
    pub(crate) fn trusts_short_operations(&self) -> bool {
        self.poller.is_edge() && self.poller.tells_hang_ups()
    }

    /// Nothing is registered: nobody needs to look.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        // Relaxed: the answer may be old as soon as it is given. A descriptor registered meanwhile
        // is reported by whichever turn comes next, since the kernel keeps its events.
        self.registered.load(Ordering::Relaxed) == 0
    }

    /// Marks every source closed and hands out all waiting wakers: operations on them fail from
    /// now on, as does registering another.
    pub(crate) fn close(&self, wakers: &mut Vec<Waker>) {
        let mut sources = self.sources.lock();
        sources.closed = true;
        for (_, source) in &sources.table {
            source.close(wakers);
        }
    }

    fn insert(&self, assume: Assume) -> io::Result<Arc<Source>> {
        let mut sources = self.sources.lock();
        if sources.closed {
            return Err(closed_error());
        }
        let generation = sources.generation;
        sources.generation = if generation == Key::MAX_HALF { 0 } else { generation + 1 };
        let entry = sources.table.vacant_entry();
        if entry.key() > Key::MAX_HALF {
            return Err(io::Error::other(format!(
                "{} descriptors are registered, which is the most a runtime can have",
                entry.key()
            )));
        }
        let source = Arc::new(Source::new(Key::new(generation, entry.key()), assume));
        entry.insert(source.clone());
        // Relaxed: see `is_idle`.
        self.registered.store(sources.table.len(), Ordering::Relaxed);
        Ok(source)
    }

    fn remove(&self, source: &Source) {
        let mut sources = self.sources.lock();
        let index = source.key().index();
        let removed = match sources.table.get(index) {
            Some(found) if found.key() == source.key() => Some(sources.table.remove(index)),
            _ => None,
        };
        // Relaxed: see `is_idle`.
        self.registered.store(sources.table.len(), Ordering::Relaxed);
        // Whatever wakers it still holds are foreign code when dropped: not under the lock.
        drop(sources);
        drop(removed);
    }
}

/// Why an operation on a descriptor of an ended runtime fails.
#[cold]
pub(crate) fn closed_error() -> io::Error {
    io::Error::other("the runtime that this descriptor was registered with has shut down")
}
