//! The event queue of Linux: polling's epoll instance, edge-triggered, one system call per wait.
//!
//! polling makes the instance and registers descriptors; to each registration the wish to be told
//! of hang-ups is added, which polling cannot say. Its own wait costs five system calls, so the wait
//! is ours, on the same instance: one `epoll_pwait2`. A notification is one write to an eventfd that
//! is registered edge-triggered, so it is never read back or armed again.

use super::{Descriptor, EVENTS_PER_WAIT, Event, Interest};
use crate::platform::atomic::{AtomicBool, Ordering};
use polling::PollMode;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
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
    /// The epoll instance, and its registrations.
    queue: polling::Poller,
    /// Written to by [`Poller::notify`]; registered edge-triggered, so that each write is one
    /// event and nothing has to be read.
    wake: OwnedFd,
    /// A notification was sent that no wait has reported yet; further ones need no system call.
    notified: AtomicBool,
    /// The kernel has no `epoll_pwait2` (before 5.11, or refused by a sandbox): the older
    /// `epoll_wait` is used, whose timeouts are whole milliseconds.
    coarse: AtomicBool,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let queue = polling::Poller::new()?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&queue, &wake, epoll::EventData::new_u64(NOTIFY_KEY), flags)?;
        let (notified, coarse) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { queue, wake, notified, coarse })
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
        // SAFETY: whoever registers a descriptor deregisters it before it is closed (the contract
        // of this function, kept by `Driver::register`'s callers).
        unsafe { self.queue.add_with_mode(&descriptor, polling::Event::all(key), PollMode::Edge)? };
        let flags = Flags::IN | Flags::OUT | Flags::RDHUP | Flags::PRI | Flags::ET;
        let data = epoll::EventData::new_u64(key as u64);
        epoll::modify(&self.queue, descriptor, data, flags)?;
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
        self.queue.delete(descriptor)
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
        let timeout = timeout.map(|timeout| timeout.min(LONGEST_WAIT));
        // Relaxed: a wrong answer costs one refused system call.
        let coarse = self.coarse.load(Ordering::Relaxed);
        let waited = if coarse {
            self.wait_coarse(events, timeout)
        } else {
            self.wait_fine(events, timeout)
        };
        match waited {
            Ok(notified) => {
                if notified {
                    // AcqRel: pairs with the exchange in `notify`; an exchange rather than a
                    // store, so that it reads from the notification it takes back.
                    self.notified.swap(false, Ordering::AcqRel);
                }
                Ok(())
            }
            Err(Errno::INTR) => Ok(()),
            // An empty wait: the caller comes again, and then with the older call.
            Err(Errno::NOSYS | Errno::PERM) if !coarse => {
                // Relaxed: as above.
                self.coarse.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// One `epoll_pwait2`. Says whether a notification was among the events.
    fn wait_fine(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> Result<bool, Errno> {
        let mut room = [const { MaybeUninit::uninit() }; EVENTS_PER_WAIT];
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let records = epoll::wait(&self.queue, &mut room, timeout.as_ref())?.0;
        let found = records.iter().map(|record| (record.data.u64(), record.flags));
        events.extend(found.filter_map(|(data, flags)| translate(data, flags)));
        Ok(events.len() < records.len())
    }

    /// One `epoll_wait`, for kernels that have nothing newer.
    #[cold]
    fn wait_coarse(
        &self,
        events: &mut Vec<Event>,
        timeout: Option<Duration>,
    ) -> Result<bool, Errno> {
        let mut room = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_PER_WAIT];
        let milliseconds = timeout.map_or(-1, round_up_to_milliseconds);
        let most = i32::try_from(room.len()).unwrap_or(i32::MAX);
        let queue = self.queue.as_fd().as_raw_fd();
        // SAFETY: `room` is valid for writes of `most` records, and `queue` is open.
        let count = unsafe { libc::epoll_wait(queue, room.as_mut_ptr(), most, milliseconds) };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            return Err(Errno::from_io_error(&error).unwrap_or(Errno::INVAL));
        };
        let found = room[..count]
            .iter()
            .map(|record| (record.u64, epoll::EventFlags::from_bits_retain(record.events)));
        events.extend(found.filter_map(|(data, flags)| translate(data, flags)));
        Ok(events.len() < count)
    }
}

/// The least whole number of milliseconds that is not shorter than `timeout`.
fn round_up_to_milliseconds(timeout: Duration) -> i32 {
    timeout.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(i32::MAX)
}

/// What the kernel says, in our words; nothing for a notification.
fn translate(data: u64, flags: epoll::EventFlags) -> Option<Event> {
    use epoll::EventFlags as Flags;
    if data == NOTIFY_KEY {
        return None;
    }
    let broken = flags.intersects(Flags::ERR | Flags::HUP);
    let readable_lasts = broken || flags.intersects(Flags::RDHUP | Flags::PRI);
    Some(Event {
        key: usize::try_from(data).ok()?,
        readable: readable_lasts || flags.contains(Flags::IN),
        writable: broken || flags.contains(Flags::OUT),
        readable_lasts,
        writable_lasts: broken,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn an_old_kernel_waits_in_whole_milliseconds_and_tells_the_same() {
        let poller = Poller::new().unwrap();
        poller.coarse.store(true, Ordering::Relaxed);
        let (mut here, mut there) = UnixStream::pair().unwrap();
        poller.add(here.as_fd(), 7).unwrap();
        let mut events = Vec::new();
        poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events[0].writable && !events[0].readable, "a new socket can be written");
        there.write_all(b"x").unwrap();
        poller.wait(&mut events, None).unwrap();
        assert!(events[0].key == 7 && events[0].readable);
        here.read_exact(&mut [0]).unwrap();
        poller.notify().unwrap();
        poller.wait(&mut events, None).unwrap();
        assert!(events.is_empty(), "a notification is no event");
        poller.wait(&mut events, Some(Duration::from_nanos(1))).unwrap();
        assert!(events.is_empty(), "and is told once");
        poller.delete(here.as_fd()).unwrap();
    }
}
