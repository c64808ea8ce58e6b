//! The event queue of Linux: epoll, edge-triggered, one system call per wait.
//!
//! A wait is one `epoll_pwait` (or `epoll_pwait2` for a timeout that is not a whole number of
//! milliseconds). A notification is one write to an eventfd that is registered edge-triggered, so
//! it is never read back or armed again.

use super::{Descriptor, EVENTS_PER_WAIT, Event, Interest};
use crate::platform::atomic::{AtomicBool, Ordering};
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// The key of the eventfd behind [`Poller::notify`].
const NOTIFY_KEY: u64 = u64::MAX;

/// The longest single wait; a longer one returns empty and is repeated by its caller. The kernel
/// counts plain timeouts in 31 bits of milliseconds, which is 24 days.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// An epoll instance and the eventfd that interrupts its wait.
#[derive(Debug)]
pub(crate) struct Poller {
    /// The epoll instance.
    epoll: OwnedFd,
    /// Written to by [`Poller::notify`]; registered edge-triggered, so that each write is one
    /// event and nothing has to be read.
    wake: OwnedFd,
    /// A notification was sent that no wait has reported yet; further ones need no system call.
    notified: AtomicBool,
    /// The kernel has no `epoll_pwait2` (before 5.11, or refused by a sandbox): timeouts are
    /// rounded up to milliseconds.
    whole_milliseconds: AtomicBool,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(NOTIFY_KEY), flags)?;
        let (notified, whole_milliseconds) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { epoll, wake, notified, whole_milliseconds })
    }

    /// Whether events are reported once per change, without arming.
    pub(crate) fn is_edge(&self) -> bool {
        true
    }

    /// Whether hang-ups are told apart from data, see [`Event::readable_lasts`].
    pub(crate) fn tells_hang_ups(&self) -> bool {
        true
    }

    /// Reports the events of `descriptor` under `key` from now on, until [`Poller::delete`].
    pub(crate) fn add(&self, descriptor: Descriptor<'_>, key: usize) -> io::Result<()> {
        use epoll::EventFlags as Flags;
        let flags = Flags::IN | Flags::OUT | Flags::RDHUP | Flags::PRI | Flags::ET;
        epoll::add(&self.epoll, descriptor, epoll::EventData::new_u64(key as u64), flags)?;
        Ok(())
    }

    /// Nothing to do: an edge-triggered descriptor is always armed.
    pub(crate) fn arm(
        &self,
        _descriptor: Descriptor<'_>,
        _key: usize,
        _interest: Interest,
    ) -> io::Result<()> {
        Ok(())
    }

    /// Reports no more events of `descriptor`.
    pub(crate) fn delete(&self, descriptor: Descriptor<'_>) -> io::Result<()> {
        epoll::delete(&self.epoll, descriptor)?;
        Ok(())
    }

    /// Makes the current or the next [`Poller::wait`] return.
    pub(crate) fn notify(&self) -> io::Result<()> {
        // AcqRel: pairs with the exchange in `wait`, so that whoever returns from a wait that
        // swallowed this notification sees what was written before it.
        if !self.notified.swap(true, Ordering::AcqRel) {
            rustix::io::write(&self.wake, &1u64.to_ne_bytes())?;
        }
        Ok(())
    }

    /// Replaces `events` by what happened, after at most `timeout`. One caller at a time.
    pub(crate) fn wait(
        &self,
        events: &mut Vec<Event>,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        events.clear();
        let mut room = [const { MaybeUninit::uninit() }; EVENTS_PER_WAIT];
        let records = match self.wait_once(&mut room, timeout) {
            Ok(records) => records,
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        events.extend(records.iter().filter_map(translate));
        if events.len() < records.len() {
            // AcqRel: pairs with the exchange in `notify`; an exchange rather than a store, so
            // that it reads from the notification it takes back.
            self.notified.swap(false, Ordering::AcqRel);
        }
        Ok(())
    }

    fn wait_once<'a>(
        &self,
        room: &'a mut [MaybeUninit<epoll::Event>],
        timeout: Option<Duration>,
    ) -> Result<&'a [epoll::Event], Errno> {
        let Some(timeout) = timeout.map(|timeout| timeout.min(LONGEST_WAIT)) else {
            return Ok(epoll::wait(&self.epoll, room, None)?.0);
        };
        // Relaxed: a wrong answer costs one refused system call.
        let whole_milliseconds = self.whole_milliseconds.load(Ordering::Relaxed);
        if whole_milliseconds || timeout.subsec_nanos() % 1_000_000 == 0 {
            let coarse = timespec(round_up_to_milliseconds(timeout));
            return Ok(epoll::wait(&self.epoll, room, Some(&coarse))?.0);
        }
        match epoll::wait(&self.epoll, &mut *room, Some(&timespec(timeout))) {
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => {
                // Relaxed: as above.
                self.whole_milliseconds.store(true, Ordering::Relaxed);
                // An empty wait: the caller comes again, and then with whole milliseconds.
                Ok(&[])
            }
            Err(error) => Err(error),
            Ok((records, _)) => Ok(records),
        }
    }
}

/// The least whole number of milliseconds that is not shorter than `timeout`.
fn round_up_to_milliseconds(timeout: Duration) -> Duration {
    let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(milliseconds.try_into().unwrap_or(u64::MAX))
}

fn timespec(timeout: Duration) -> Timespec {
    Timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    }
}

/// What the kernel says, in our words; nothing for a notification.
fn translate(record: &epoll::Event) -> Option<Event> {
    use epoll::EventFlags as Flags;
    let (data, flags) = (record.data, record.flags);
    if data.u64() == NOTIFY_KEY {
        return None;
    }
    let broken = flags.intersects(Flags::ERR | Flags::HUP);
    let readable_lasts = broken || flags.intersects(Flags::RDHUP | Flags::PRI);
    Some(Event {
        key: usize::try_from(data.u64()).ok()?,
        readable: readable_lasts || flags.contains(Flags::IN),
        writable: broken || flags.contains(Flags::OUT),
        readable_lasts,
        writable_lasts: broken,
    })
}
