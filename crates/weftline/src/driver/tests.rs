//! Promises of the driver and its sources. The models run under every checker; what needs real
//! descriptors only in the real world.

use super::source::{Assume, Because, Direction, Source};
use super::{Driver, Key};
use crate::platform::model;
use crate::platform::poller::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Counts its wake-ups.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (count.clone(), count.into())
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn readable() -> Event {
    Event { readable: true, ..Event::default() }
}

fn source() -> Source {
    Source::new(Key::new(0, 0), Assume::NotReady)
}

/// Runs `body` on a second thread of the model.
fn beside(body: impl FnOnce() + Send + 'static) -> crate::platform::thread::JoinHandle<()> {
    crate::platform::thread::Builder::new().spawn(body).expect("a thread starts")
}

#[test]
fn readiness_arriving_between_check_and_wait_is_not_lost() {
    model(|| {
        let source = Arc::new(source());
        let (count, waker) = Count::new();
        let driver = beside({
            let source = source.clone();
            move || {
                let mut wakers = Vec::new();
                source.deliver(readable(), false, &mut wakers);
                wakers.into_iter().for_each(Waker::wake);
            }
        });
        let before = source.poll_ready(Direction::Read, &waker);
        driver.join().expect("the event is delivered");
        assert!(before.is_ready() || count.get() == 1, "pending, and nobody woke it");
        assert!(source.readiness().allows(Direction::Read));
    });
}

#[test]
fn a_listed_waiter_loses_no_readiness_either() {
    model(|| {
        let source = Arc::new(source());
        let (count, waker) = Count::new();
        let driver = beside({
            let source = source.clone();
            move || {
                let mut wakers = Vec::new();
                source.deliver(readable(), false, &mut wakers);
                wakers.into_iter().for_each(Waker::wake);
            }
        });
        let mut place = None;
        let before = source.poll_listed(Direction::Read, &mut place, &waker);
        driver.join().expect("the event is delivered");
        assert!(before.is_ready() || count.get() == 1, "pending, and nobody woke it");
        place.into_iter().for_each(|place| source.forget(place));
    });
}

#[test]
fn a_clear_with_an_old_tick_keeps_newer_readiness() {
    model(|| {
        let source = Arc::new(source());
        source.deliver(readable(), false, &mut Vec::new());
        let driver = beside({
            let source = source.clone();
            move || source.deliver(readable(), false, &mut Vec::new())
        });
        // What an operation does: look, try (the kernel says "nothing" before the second event),
        // take back.
        let seen = source.readiness();
        let saw_second = seen != {
            let first = Source::new(Key::new(0, 0), Assume::NotReady);
            first.deliver(readable(), false, &mut Vec::new());
            first.readiness()
        };
        source.clear(Direction::Read, seen, Because::WouldBlock);
        driver.join().expect("the event is delivered");
        assert!(
            saw_second || source.readiness().allows(Direction::Read),
            "the second event was taken back by somebody who had not seen it"
        );
    });
}

#[test]
fn closing_wakes_a_waiter_or_is_seen_by_it() {
    model(|| {
        let source = Arc::new(source());
        let (count, waker) = Count::new();
        let driver = beside({
            let source = source.clone();
            move || {
                let mut wakers = Vec::new();
                source.close(&mut wakers);
                wakers.into_iter().for_each(Waker::wake);
            }
        });
        let before = source.poll_ready(Direction::Write, &waker);
        driver.join().expect("the source is closed");
        assert!(before.is_ready() || count.get() == 1);
        assert!(source.readiness().is_closed());
    });
}

#[test]
fn a_notification_ends_the_turn_and_carries_what_was_written_before() {
    model(|| {
        let driver = Arc::new(Driver::new().expect("a driver"));
        let written = Arc::new(crate::platform::atomic::AtomicUsize::new(0));
        let notifier = beside({
            let (driver, written) = (driver.clone(), written.clone());
            move || {
                // Relaxed: the notification is what orders it.
                written.store(1, Ordering::Relaxed);
                driver.notify();
            }
        });
        driver.turn(None, &mut Vec::new()).expect("a turn");
        // Relaxed: as above.
        assert_eq!(written.load(Ordering::Relaxed), 1);
        notifier.join().expect("the notifier ends");
    });
}

#[test]
fn a_short_operation_keeps_an_end_of_stream_in_sight() {
    model(|| {
        let source = source();
        let event = Event { readable_lasts: true, ..readable() };
        source.deliver(event, false, &mut Vec::new());
        source.clear(Direction::Read, source.readiness(), Because::Short);
        assert!(source.readiness().allows(Direction::Read));
        source.clear(Direction::Read, source.readiness(), Because::WouldBlock);
        assert!(!source.readiness().allows(Direction::Read));
    });
}

#[test]
fn an_event_wakes_the_waiters_of_its_direction_only() {
    model(|| {
        let source = source();
        let (readers, reader) = Count::new();
        let (writers, writer) = Count::new();
        let mut places = [None, None];
        assert!(source.poll_ready(Direction::Read, &reader).is_pending());
        assert!(source.poll_ready(Direction::Write, &writer).is_pending());
        assert!(source.poll_listed(Direction::Read, &mut places[0], &reader).is_pending());
        assert!(source.poll_listed(Direction::Write, &mut places[1], &writer).is_pending());
        let mut wakers = Vec::new();
        source.deliver(readable(), false, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        assert_eq!((readers.get(), writers.get()), (2, 0));
        places.into_iter().flatten().for_each(|place| source.forget(place));
    });
}

#[test]
fn a_one_shot_event_wakes_both_directions_so_that_they_arm_again() {
    model(|| {
        let source = source();
        let (writers, writer) = Count::new();
        assert!(source.poll_ready(Direction::Write, &writer).is_pending());
        let mut wakers = Vec::new();
        source.deliver(readable(), true, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        assert_eq!(writers.get(), 1);
        assert!(!source.readiness().allows(Direction::Write));
    });
}

#[test]
fn a_forgotten_waiter_is_not_woken() {
    model(|| {
        let source = source();
        let (count, waker) = Count::new();
        let mut place = None;
        assert!(source.poll_listed(Direction::Read, &mut place, &waker).is_pending());
        source.forget(place.expect("it waits"));
        let mut wakers = Vec::new();
        source.deliver(readable(), false, &mut wakers);
        assert!(wakers.is_empty());
        assert_eq!(Arc::strong_count(&count), 2, "the source keeps a forgotten waker");
    });
}

#[test]
fn the_last_poll_of_a_slot_is_the_one_woken() {
    model(|| {
        let source = source();
        let (first, first_waker) = Count::new();
        let (second, second_waker) = Count::new();
        assert!(source.poll_ready(Direction::Read, &first_waker).is_pending());
        assert!(source.poll_ready(Direction::Read, &second_waker).is_pending());
        let mut wakers = Vec::new();
        source.deliver(readable(), false, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        assert_eq!((first.get(), second.get()), (0, 1));
    });
}

#[test]
fn keys_keep_their_halves_apart() {
    let key = Key::new(Key::MAX_HALF, Key::MAX_HALF);
    assert_eq!(key.index(), Key::MAX_HALF);
    assert_ne!(key.0, usize::MAX);
    assert_eq!(Key::new(7, 3).index(), 3);
    assert_ne!(Key::new(7, 3), Key::new(8, 3));
}

/// With descriptors that the checkers cannot follow.
#[cfg(all(unix, not(any(loom, miri))))]
mod real {
    use super::*;
    use crate::platform::poller::{EVENTS_PER_WAIT, descriptor};
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::task::Poll;
    use std::time::{Duration, Instant};

    const LONG: Duration = Duration::from_secs(20);

    fn pair() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        ours.set_nonblocking(true).expect("non-blocking");
        (ours, theirs)
    }

    /// Turns `driver` until something was woken.
    fn turn_until_woken(driver: &Driver) -> usize {
        let end = Instant::now() + LONG;
        let mut wakers = Vec::new();
        while wakers.is_empty() {
            assert!(Instant::now() < end, "no event came");
            driver.turn(Some(LONG), &mut wakers).expect("a turn");
        }
        let woken = wakers.len();
        wakers.into_iter().for_each(Waker::wake);
        woken
    }

    #[test]
    fn bytes_from_the_peer_wake_the_reader() {
        let driver = Driver::new().expect("a driver");
        assert!(driver.is_idle());
        let (mut ours, mut theirs) = pair();
        let source = driver.register(descriptor(&ours), Assume::NotReady).expect("registered");
        assert!(!driver.is_idle());
        let (count, waker) = Count::new();
        for round in 1..=3 {
            while let Poll::Ready(seen) = source.poll_ready(Direction::Read, &waker) {
                let error = ours.read(&mut [0; 8]).expect_err("nothing was sent yet");
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                source.clear(Direction::Read, seen, Because::WouldBlock);
            }
            driver.arm(&source, descriptor(&ours)).expect("armed");
            theirs.write_all(b"x").expect("sent");
            while count.get() < round {
                turn_until_woken(&driver);
            }
            assert_eq!(ours.read(&mut [0; 8]).expect("a byte"), 1);
        }
        driver.deregister(&source, descriptor(&ours)).expect("deregistered");
        assert!(driver.is_idle());
    }

    #[test]
    fn a_stale_event_does_not_touch_the_next_source_in_its_place() {
        let driver = Driver::new().expect("a driver");
        let (ours, _theirs) = pair();
        let old = driver.register(descriptor(&ours), Assume::NotReady).expect("registered");
        driver.deregister(&old, descriptor(&ours)).expect("deregistered");
        let new = driver.register(descriptor(&ours), Assume::NotReady).expect("registered");
        assert_eq!(old.key().index(), new.key().index());
        assert_ne!(old.key(), new.key());
        // Taking the old one out again does not take the new one's place away.
        driver.remove(&old);
        assert!(!driver.is_idle());
    }

    #[test]
    fn the_end_of_a_stream_outlasts_a_short_read() {
        let driver = Driver::new().expect("a driver");
        if !driver.trusts_short_operations() {
            return;
        }
        let (mut ours, mut theirs) = pair();
        let source = driver.register(descriptor(&ours), Assume::NotReady).expect("registered");
        theirs.write_all(b"last words").expect("sent");
        drop(theirs);
        driver.turn(Some(LONG), &mut Vec::new()).expect("a turn");
        let seen = source.readiness();
        assert_eq!(ours.read(&mut [0; 100]).expect("bytes"), 10);
        source.clear(Direction::Read, seen, Because::Short);
        assert!(source.readiness().allows(Direction::Read), "the end would never be seen");
    }

    #[test]
    fn a_turn_without_events_ends_at_its_timeout_and_not_before() {
        let driver = Driver::new().expect("a driver");
        for limit in [Duration::ZERO, Duration::from_micros(1500), Duration::from_millis(2)] {
            let start = Instant::now();
            driver.turn(Some(limit), &mut Vec::new()).expect("a turn");
            assert!(start.elapsed() >= limit);
        }
    }

    #[test]
    fn one_turn_takes_a_bounded_number_of_events() {
        let driver = Driver::new().expect("a driver");
        let total = EVENTS_PER_WAIT + 10;
        let (count, waker) = Count::new();
        let sockets: Vec<_> = (0..total)
            .map(|_| {
                let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
                socket.set_nonblocking(true).expect("non-blocking");
                let source = driver.register(descriptor(&socket), Assume::NotReady);
                let source = source.expect("registered");
                assert!(source.poll_ready(Direction::Write, &waker).is_pending());
                driver.arm(&source, descriptor(&socket)).expect("armed");
                (socket, source)
            })
            .collect();
        let mut wakers = Vec::new();
        driver.turn(Some(LONG), &mut wakers).expect("a turn");
        assert!(wakers.len() <= EVENTS_PER_WAIT);
        wakers.into_iter().for_each(Waker::wake);
        while count.get() < total {
            turn_until_woken(&driver);
        }
        for (socket, source) in &sockets {
            assert!(source.readiness().allows(Direction::Write));
            driver.deregister(source, descriptor(socket)).expect("deregistered");
        }
    }

    #[test]
    fn a_notification_without_a_waiter_ends_the_next_turn_only() {
        let driver = Driver::new().expect("a driver");
        driver.notify();
        driver.notify();
        driver.turn(None, &mut Vec::new()).expect("a turn");
        let start = Instant::now();
        let limit = Duration::from_millis(5);
        driver.turn(Some(limit), &mut Vec::new()).expect("a turn");
        assert!(start.elapsed() >= limit);
        driver.notify();
        driver.turn(None, &mut Vec::new()).expect("a turn");
    }

    #[test]
    fn a_closed_driver_registers_nothing_and_says_why() {
        let driver = Driver::new().expect("a driver");
        let (ours, _theirs) = pair();
        let source = driver.register(descriptor(&ours), Assume::NotReady).expect("registered");
        let (_count, waker) = Count::new();
        assert!(source.poll_ready(Direction::Read, &waker).is_pending());
        let mut wakers = Vec::new();
        driver.close(&mut wakers);
        assert_eq!(wakers.len(), 1);
        assert!(source.readiness().is_closed());
        let (more, _) = pair();
        let error = driver.register(descriptor(&more), Assume::Ready).expect_err("closed");
        assert!(error.to_string().contains("has shut down"), "{error}");
        driver.deregister(&source, descriptor(&ours)).expect("deregistered");
    }

    #[test]
    fn a_descriptor_that_cannot_be_watched_is_an_error_and_leaves_nothing_behind() {
        let driver = Driver::new().expect("a driver");
        let path = std::env::temp_dir().join(format!("weftline-driver-{}", std::process::id()));
        let file = std::fs::File::create(&path).expect("a file");
        let _ = std::fs::remove_file(path);
        if driver.register(descriptor(&file), Assume::Ready).is_err() {
            assert!(driver.is_idle());
        }
    }
}
