//! [`Sleep`]: a future that is ready when an instant has come.
//!
//! It registers with the timers of the thread that first finds it pending and stays there until
//! it fires, is reset to an earlier instant or dropped; a task that moves on does not take it
//! along. If its entry is gone though the instant has not come (the runtime it was registered
//! with has ended), it registers anew where it is polled.

use crate::driver::timers::{TimerKey, Timers};
use crate::runtime::context;
use crate::task::{budget, is_woken};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Waits until `duration` has passed.
///
/// Zero is over at once, and a duration that reaches beyond what `Instant` can say, as
/// `Duration::MAX` does, never.
///
/// # Panics
///
/// This function does not; awaiting the [`Sleep`] outside of a runtime does.
///
/// # Cancel safety
///
/// Dropping the sleep loses nothing but the wait.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::time::sleep;
///
/// weftline::run(async {
///     sleep(Duration::from_millis(1)).await;
///     println!("a millisecond has passed");
/// });
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(after(duration))
}

/// The instant that is so far away; none, where `Instant` cannot say it.
pub(super) fn after(duration: Duration) -> Option<Instant> {
    context::now().checked_add(duration)
}

/// Waits until `deadline` has come; not at all if it has.
///
/// # Panics
///
/// This function does not; awaiting the [`Sleep`] outside of a runtime does.
///
/// # Cancel safety
///
/// Dropping the sleep loses nothing but the wait.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::time::{now, sleep_until};
///
/// weftline::run(async {
///     let deadline = now() + Duration::from_millis(1);
///     sleep_until(deadline).await;
///     assert!(now() >= deadline);
/// });
/// ```
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(Some(deadline))
}

/// Calls `waker` when `deadline` has come, by the timers of the calling thread; at once, if their
/// runtime ends before that. Gives it back outside of a runtime.
pub(crate) fn wake_at(deadline: Instant, waker: Waker) -> Result<(), Waker> {
    Entry::new(deadline, waker).map(drop)
}

/// A future that is ready when its deadline has come; made by [`sleep`] and [`sleep_until`].
///
/// It takes a place among the timers when it is first polled, and gives it back when it is ready
/// or dropped. Polled again after it was ready, it is ready again.
///
/// # Panics
///
/// Polling panics outside of a runtime: in no call of [`run`](crate::run), `block_on` or a task.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use weftline::time::{now, sleep};
///
/// weftline::run(async {
///     let mut idle = sleep(Duration::from_secs(3600));
///     // Something happened: the hour begins again, or ends.
///     idle.reset(now() + Duration::from_millis(1));
///     idle.await;
/// });
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    /// When to be ready; `None`: never.
    deadline: Option<Instant>,
    /// The entry that will wake the task, if there is one; it may have expired.
    entry: Option<Entry>,
}

/// A place among the timers.
#[derive(Debug)]
struct Entry {
    /// Whose timers.
    timers: Arc<Timers>,
    /// Which entry.
    key: TimerKey,
}

impl Sleep {
    pub(super) fn new(deadline: Option<Instant>) -> Self {
        Self { deadline, entry: None }
    }

    /// When the sleep is over; `None`: never, since the deadline lies beyond what `Instant` can
    /// say.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::time::{now, sleep, sleep_until};
    ///
    /// let noon = now() + Duration::from_secs(60);
    /// assert_eq!(sleep_until(noon).deadline(), Some(noon));
    /// assert_eq!(sleep(Duration::MAX).deadline(), None);
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the deadline has come, polled or not.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::time::sleep;
    ///
    /// assert!(sleep(Duration::ZERO).is_elapsed());
    /// assert!(!sleep(Duration::from_secs(3600)).is_elapsed());
    /// ```
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        self.deadline.is_some_and(|deadline| context::now() >= deadline)
    }

    /// Gives the sleep another deadline, earlier or later, also after it was ready.
    ///
    /// A task that already waits for this sleep goes on waiting, for the new deadline: the sleep
    /// need not be polled again, unless the old deadline had come. Moving a deadline to a later
    /// one is cheap, as a connection does that begins its idle time anew with each message.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::time::{now, sleep};
    ///
    /// weftline::run(async {
    ///     let mut sleep = sleep(Duration::ZERO);
    ///     for _ in 0..3 {
    ///         (&mut sleep).await;
    ///         sleep.reset(now() + Duration::from_millis(1));
    ///     }
    ///     assert!(!sleep.is_elapsed());
    /// });
    /// ```
    pub fn reset(&mut self, deadline: Instant) {
        self.set_deadline(Some(deadline));
    }

    /// [`Self::reset`], also to never.
    pub(super) fn set_deadline(&mut self, deadline: Option<Instant>) {
        let old = std::mem::replace(&mut self.deadline, deadline);
        let Some(entry) = &self.entry else { return };
        if let (Some(old), Some(new)) = (old, deadline) {
            if new >= old {
                let by_ns = u64::try_from((new - old).as_nanos()).unwrap_or(u64::MAX);
                if !entry.timers.postpone(entry.key, by_ns) {
                    self.entry = None;
                }
                return;
            }
        }
        // The owner of those timers may be asleep until the old deadline: register here instead.
        let waker = entry.timers.take(entry.key);
        self.entry = None;
        let (Some(waker), Some(deadline)) = (waker, deadline) else { return };
        match Entry::new(deadline, waker) {
            Ok(entry) => self.entry = Some(entry),
            // Outside of a runtime: the task itself must register.
            Err(waker) => waker.wake(),
        }
    }

    /// Gives the place among the timers back. The next poll takes one again.
    pub(super) fn disarm(&mut self) {
        if let Some(entry) = self.entry.take() {
            entry.timers.remove(entry.key);
        }
    }

    /// Polls for the sake of a future that is pending and will be polled before this each time.
    ///
    /// It does not ask for the task's time slice. It does not read the clock where `ahead` says that
    /// the deadline lay ahead a moment ago: if it has come, the timers notice. And it takes no place
    /// among the timers while the task is to be polled again anyway: then is time enough.
    #[inline]
    pub(super) fn poll_beside(&mut self, cx: &mut Context<'_>, ahead: bool) -> Poll<()> {
        match self.is_over(cx, !ahead) {
            Some(true) => return Poll::Ready(()),
            Some(false) if !is_woken(cx.waker()) => self.register(cx),
            Some(false) | None => {}
        }
        Poll::Pending
    }

    /// Whether the deadline has come, as far as the clock is asked: where `look` says so, and where
    /// the timers have dropped the entry. `None`: it wakes the task, or never comes.
    #[inline]
    fn is_over(&mut self, cx: &mut Context<'_>, mut look: bool) -> Option<bool> {
        let deadline = self.deadline?;
        if let Some(entry) = &self.entry {
            if entry.timers.update(entry.key, cx.waker()) {
                return None;
            }
            self.entry = None;
            look = true;
        }
        Some(look && context::now() >= deadline)
    }

    /// Takes a place among the timers.
    #[inline]
    fn register(&mut self, cx: &mut Context<'_>) {
        let entry = self.deadline.map(|deadline| Entry::new(deadline, cx.waker().clone()));
        self.entry = entry.map(|entry| entry.unwrap_or_else(|_| outside_of_a_runtime()));
    }
}

#[cold]
fn outside_of_a_runtime() -> ! {
    panic!(
        "a timer was polled outside of a runtime, or of one that has shut down: await it within \
         `weftline::run`, `Runtime::block_on` or a spawned task"
    )
}

impl Entry {
    /// Registers with the timers of this thread; gives the waker back if it has none.
    #[inline]
    fn new(deadline: Instant, waker: Waker) -> Result<Self, Waker> {
        let Some((timers, owner, deadline_ns)) = context::timers(deadline) else {
            return Err(waker);
        };
        let (key, earliest) = timers.insert(deadline_ns, waker);
        if earliest {
            owner.earliest_added();
        }
        Ok(Self { timers, key })
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.is_over(cx, true) {
            Some(true) => return budget::poll_proceed(cx),
            Some(false) => self.register(cx),
            None => {}
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}
