//! Models of the queue: each runs as a stress test, under loom and under Miri.

use super::error::TryGetError;
use super::{Queue, Shutdown};
use crate::platform::{model, thread};
use crate::sync::waiter::Waiter;

#[test]
fn an_item_put_while_a_getter_begins_to_wait_is_not_lost() {
    model(|| {
        let queue = Queue::new(None);
        let putting = queue.clone();
        let puts = thread::spawn(move || putting.try_put(7).is_ok());
        let waiter = Waiter::begun(queue.get());
        assert!(puts.join().expect("the putter ends"));
        assert_eq!(waiter.outcome(), Ok(7));
    });
}

#[test]
fn room_made_while_a_putter_begins_to_wait_is_not_lost() {
    model(|| {
        let queue = Queue::new(1);
        queue.try_put(1).expect("there is room");
        let getting = queue.clone();
        let gets = thread::spawn(move || getting.try_get());
        let waiter = Waiter::begun(queue.put(2));
        assert_eq!(gets.join().expect("the getter ends"), Ok(1));
        assert_eq!(waiter.outcome(), Ok(()));
        assert_eq!(queue.try_get(), Ok(2));
    });
}

#[test]
fn a_getter_dropped_while_an_item_is_put_leaves_it_to_the_next() {
    model(|| {
        let queue = Queue::new(None);
        let (mut first, second) = (Waiter::waiting(queue.get()), Waiter::waiting(queue.get()));
        let putting = queue.clone();
        let puts = thread::spawn(move || putting.try_put(7).is_ok());
        first.leave();
        assert!(puts.join().expect("the putter ends"));
        assert_eq!(second.outcome(), Ok(7));
    });
}

#[test]
fn getters_that_begin_to_wait_while_the_queue_is_shut_down_are_told() {
    for how in [Shutdown::Drain, Shutdown::Immediate] {
        model(move || {
            let queue = Queue::<u32>::new(None);
            let shutting = queue.clone();
            let shuts = thread::spawn(move || shutting.shutdown(how));
            let waiter = Waiter::begun(queue.get());
            shuts.join().expect("the thread ends");
            assert!(waiter.outcome().is_err());
        });
    }
}

#[test]
fn putters_that_begin_to_wait_while_the_queue_is_shut_down_get_their_items_back() {
    model(|| {
        let queue = Queue::new(1);
        queue.try_put(1).expect("there is room");
        let shutting = queue.clone();
        let shuts = thread::spawn(move || shutting.shutdown(Shutdown::Drain));
        let waiter = Waiter::begun(queue.put(2));
        shuts.join().expect("the thread ends");
        assert_eq!(waiter.outcome().map_err(|error| error.0), Err(2));
        assert_eq!(queue.try_get(), Ok(1));
        assert_eq!(queue.try_get(), Err(TryGetError::ShutDown));
    });
}

#[test]
fn an_item_is_put_before_the_shutdown_or_comes_back() {
    model(|| {
        let queue = Queue::new(None);
        let putting = queue.clone();
        let puts = thread::spawn(move || putting.try_put(7).is_ok());
        queue.shutdown(Shutdown::Drain);
        // Nothing is put any more, so this is the last word.
        let got = queue.try_get();
        let put = puts.join().expect("the putter ends");
        assert_eq!(got.is_ok(), put, "one of the two has the item");
    });
}

#[test]
fn the_last_mark_made_while_somebody_begins_to_join_is_told() {
    model(|| {
        let queue = Queue::new(None);
        queue.try_put(1).expect("there is room");
        let marking = queue.clone();
        let marks = thread::spawn(move || {
            assert!(marking.task_done().is_ok());
            assert!(marking.try_put(2).is_ok()); // prolongs nothing
        });
        let waiter = Waiter::begun(queue.join());
        marks.join().expect("the thread ends");
        if waiter.must_wait() {
            // It began after the second was put.
            assert!(queue.task_done().is_ok());
        }
        waiter.outcome();
    });
}

#[test]
fn items_dropped_by_a_shutdown_end_the_wait_of_who_joins() {
    model(|| {
        let queue = Queue::new(None);
        queue.try_put(1).expect("there is room");
        let shutting = queue.clone();
        let shuts = thread::spawn(move || shutting.shutdown(Shutdown::Immediate));
        let waiter = Waiter::begun(queue.join());
        shuts.join().expect("the thread ends");
        waiter.outcome();
    });
}
