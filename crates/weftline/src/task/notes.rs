//! [`Notes`]: what few regions have, beside their frame: those that something was asked of, and
//! those in which somebody is polled only when it was woken. Made when the first of these is needed.
//!
//! All of it is read and written inside of polls of one task, which follow one another; the locks
//! are there so that a future with a region in it may be shared between threads.

use super::bells::{Bells, OwnBell};
use super::delivery::NOBODY;
use crate::platform::Mutex;

/// What few regions have.
#[derive(Debug)]
pub(super) struct Notes {
    /// Its name, once something was asked of it; `NOBODY` before.
    pub(super) name: u64,
    /// What was said of it.
    pub(super) said: Mutex<Said>,
    /// The bells of the regions inside.
    pub(super) bells: Mutex<Bells>,
    /// Its own.
    pub(super) bell: OwnBell,
}

/// What was asked of a region, and what its inside has taken.
#[derive(Debug)]
pub(super) struct Said {
    /// It was asked to end, and nobody has taken the delivery.
    pub(super) asked: bool,
    /// Whoever took that took a request of the task with it, which had so many then; zero, if not.
    pub(super) goes_with: u32,
    /// How often that was taken.
    pub(super) deliveries: u32,
    /// Of whom a request was made that was delivered inside and not handed on: `NOBODY`, `TASK`, or
    /// the name of a region around this one.
    pub(super) took: u64,
}

impl Default for Notes {
    fn default() -> Self {
        let said = Said { asked: false, goes_with: 0, deliveries: 0, took: NOBODY };
        Self {
            name: NOBODY,
            said: Mutex::new(said),
            bells: Mutex::default(),
            bell: OwnBell::default(),
        }
    }
}

impl Said {
    /// The number of the next delivery of what is asked of the region.
    pub(super) fn next_number(&mut self) -> u32 {
        self.deliveries = self.deliveries.wrapping_add(1);
        self.deliveries
    }
}
