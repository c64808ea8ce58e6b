//! The event queue of every system but Linux, through the `polling` crate.
//!
//! Edge-triggered where the system can (kqueue); else one-shot: a descriptor reports one event and
//! then nothing, until [`Poller::arm`] asks for more.

use super::{Descriptor, EVENTS_PER_WAIT, Event, Interest};
use crate::platform::Mutex;
use polling::PollMode;
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

/// The system's event queue.
pub(crate) struct Poller {
    /// The `polling` crate's queue.
    queue: polling::Poller,
    /// Events are reported once per change; otherwise once per arming.
    edge: bool,
    /// Room for what one wait finds; held by the one who waits.
    records: Mutex<polling::Events>,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let queue = polling::Poller::new()?;
        let edge = queue.supports_edge() && !cfg!(weftline_portable);
        let room = NonZeroUsize::new(EVENTS_PER_WAIT).unwrap_or(NonZeroUsize::MIN);
        let records = Mutex::new(polling::Events::with_capacity(room));
        Ok(Self { queue, edge, records })
    }

    /// Whether events are reported once per change, without arming.
    pub(crate) fn is_edge(&self) -> bool {
        self.edge
    }

    /// Whether hang-ups are told apart from data; `polling` has no such flag on every system.
    pub(crate) fn tells_hang_ups(&self) -> bool {
        false
    }

    /// Reports the events of `descriptor` under `key`: from now on if edge-triggered, else after
    /// the first [`Poller::arm`].
    pub(crate) fn add(&self, descriptor: Descriptor<'_>, key: usize) -> io::Result<()> {
        let (event, mode) = if self.edge {
            (polling::Event::all(key), PollMode::Edge)
        } else {
            (polling::Event::none(key), PollMode::Oneshot)
        };
        // SAFETY: the descriptor is deleted before it is closed: only `Driver::register` calls
        // this, for `Async`, which owns what holds the descriptor and deletes it first.
        unsafe { self.queue.add_with_mode(&descriptor, event, mode) }
    }

    /// Asks for one event of the given kinds, in place of what was asked for before.
    pub(crate) fn arm(
        &self,
        descriptor: Descriptor<'_>,
        key: usize,
        interest: Interest,
    ) -> io::Result<()> {
        if self.edge {
            return Ok(());
        }
        let event = polling::Event::new(key, interest.readable, interest.writable);
        self.queue.modify_with_mode(descriptor, event, PollMode::Oneshot)
    }

    /// Reports no more events of `descriptor`.
    pub(crate) fn delete(&self, descriptor: Descriptor<'_>) -> io::Result<()> {
        self.queue.delete(descriptor)
    }

    /// Makes the current or the next [`Poller::wait`] return.
    pub(crate) fn notify(&self) -> io::Result<()> {
        self.queue.notify()
    }

    /// Replaces `events` by what happened, after at most `timeout`. One caller at a time.
    pub(crate) fn wait(
        &self,
        events: &mut Vec<Event>,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        events.clear();
        let mut records = self.records.lock();
        records.clear();
        match self.queue.wait(&mut records, timeout) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        events.extend(records.iter().map(translate));
        Ok(())
    }
}

/// What `polling` says, in our words.
fn translate(record: polling::Event) -> Event {
    let broken = record.is_err().unwrap_or(false) || record.is_interrupt();
    Event {
        key: record.key,
        readable: record.readable || broken,
        writable: record.writable || broken,
        readable_lasts: broken,
        writable_lasts: broken,
    }
}
