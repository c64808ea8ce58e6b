//! A stand-in for the event queue that loom and Miri can see into: no events, only waiting and
//! being notified.

use super::{Descriptor, Event, Interest};
use crate::platform::{Condvar, Mutex};
use std::io;
use std::time::Duration;

/// A flag under a lock.
#[derive(Debug)]
pub(crate) struct Poller {
    /// A notification was sent that no wait has returned for.
    notified: Mutex<bool>,
    /// Signalled when `notified` becomes true.
    changed: Condvar,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { notified: Mutex::new(false), changed: Condvar::new() })
    }

    /// Whether events are reported once per change, without arming.
    pub(crate) fn is_edge(&self) -> bool {
        true
    }

    /// Whether hang-ups are told apart from data.
    pub(crate) fn tells_hang_ups(&self) -> bool {
        true
    }

    /// Accepted; nothing is ever reported.
    pub(crate) fn add(&self, _descriptor: Descriptor<'_>, _key: usize) -> io::Result<()> {
        Ok(())
    }

    /// Nothing to do.
    pub(crate) fn arm(
        &self,
        _descriptor: Descriptor<'_>,
        _key: usize,
        _interest: Interest,
    ) -> io::Result<()> {
        Ok(())
    }

    /// Nothing to do.
    pub(crate) fn delete(&self, _descriptor: Descriptor<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Makes the current or the next [`Poller::wait`] return.
    pub(crate) fn notify(&self) -> io::Result<()> {
        *self.notified.lock() = true;
        self.changed.notify_all();
        Ok(())
    }

    /// Waits for a notification. One caller at a time. A model knows no time: any timeout but
    /// zero is waited out only where time passes.
    pub(crate) fn wait(
        &self,
        events: &mut Vec<Event>,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        events.clear();
        let mut notified = self.notified.lock();
        match timeout {
            None => {
                while !*notified {
                    self.changed.wait(&mut notified);
                }
            }
            Some(Duration::ZERO) => {}
            Some(limit) => {
                if !*notified {
                    let _ = self.changed.wait_for(&mut notified, limit);
                }
            }
        }
        *notified = false;
        Ok(())
    }
}
