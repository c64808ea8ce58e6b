//! Who looks after those that were called: a timer of the runtime around the code that called them
//! or that waits behind them, or else a thread that is there for this.
//!
//! At most one timer is under way for a line, and none where nobody waits behind somebody who was
//! called. It is not taken back when that changes: a line that is passed on all the time takes a
//! timer once in [`CALL_LIMIT`], which costs nothing.

use super::crowd::Crowd;
use super::keeper;
use crate::platform::TIME_PASSES;
use crate::runtime::context;
use crate::time::wake_at;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// How long somebody who was called may take to come, at least, before the next one is called: long
/// against the time that a task waits for its turn on a worker, short for those who wait behind one
/// that never comes. They come after at most twice this. See `docs/locks.md`.
pub(in crate::sync) const CALL_LIMIT: Duration = Duration::from_millis(10);

/// Looks after the crowd in [`CALL_LIMIT`]. Not to be called under its lock. In a model nobody
/// does: there the test says that time has passed.
pub(super) fn begin(crowd: &Arc<Crowd>) {
    if !TIME_PASSES {
        return;
    }
    let due = context::now() + CALL_LIMIT;
    let alarm = Waker::from(Arc::new(Alarm { crowd: crowd.clone(), due }));
    if wake_at(due, alarm).is_err() {
        keeper::add(crowd);
    }
}

/// What the timers call.
struct Alarm {
    /// To be looked after.
    crowd: Arc<Crowd>,
    /// When.
    due: Instant,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        if context::now() >= self.due {
            self.crowd.look();
        } else {
            // The timers belong to a runtime that ends, and call everybody.
            self.crowd.look_elsewhere();
        }
    }
}
