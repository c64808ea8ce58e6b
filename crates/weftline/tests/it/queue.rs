//! Queues as a user sees them: orders, room, marks, shutdown, and who is woken.

use crate::probe::{Gate, Probe};
use crate::rig::{
    MS, alone, many_times, panic_on_purpose, panicking_waker, runtime_of, until_waiting,
    within_limit,
};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::thread;
use weftline::sync::queue::error::{GetError, PutError, TryGetError, TryPutError};
use weftline::sync::queue::{Queue, Shutdown};
use weftline::time::timeout;
use weftline::{spawn, yield_now};

/// Polls a future once, with a waker that nobody hears.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Whether everything says that the queue was shut down and is empty.
async fn is_over(queue: &Queue<u32>) -> bool {
    queue.put(1).await == Err(PutError(1))
        && queue.try_put(2) == Err(TryPutError::ShutDown(2))
        && queue.get().await.is_err()
        && queue.try_get() == Err(TryGetError::ShutDown)
}

/// A queue of each order with that capacity.
fn each_order(capacity: Option<usize>) -> [Queue<u32>; 3] {
    [Queue::new(capacity), Queue::lifo(capacity), Queue::priority(capacity)]
}

// AT-Q-01
#[test]
fn items_come_in_the_order_of_the_queue() {
    alone(async {
        let orders = [[1, 3, 2], [2, 3, 1], [1, 2, 3]];
        for (queue, order) in each_order(None).into_iter().zip(orders) {
            for n in [1, 3, 2] {
                queue.put(n).await.unwrap();
            }
            for n in order {
                assert_eq!(queue.get().await, Ok(n));
            }
            assert_eq!(queue.try_get(), Err(TryGetError::Empty));
        }
    });
}

// AT-Q-01, of equals
#[test]
fn of_items_of_one_priority_the_older_one_comes_first() {
    #[derive(Debug)]
    struct Job(u32, char);
    impl PartialEq for Job {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Job {}
    impl PartialOrd for Job {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Job {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            self.0.cmp(&other.0)
        }
    }
    let queue = Queue::priority(None);
    for (n, name) in "abcdefgh".chars().enumerate() {
        queue.try_put(Job(n as u32 % 2, name)).unwrap();
    }
    let order: String = std::iter::from_fn(|| queue.try_get().ok()).map(|job| job.1).collect();
    assert_eq!(order, "acegbdfh");
}

// AT-Q-03
#[test]
fn an_item_goes_to_the_next_getter_where_the_first_is_cancelled() {
    alone(async {
        let queue = Queue::new(None);
        let getter = |queue: &Queue<char>| {
            let queue = queue.clone();
            spawn(async move { queue.get().await })
        };
        let (first, second) = (getter(&queue), getter(&queue));
        until_waiting(&first).await;
        until_waiting(&second).await;
        first.cancel();
        assert!(first.await.is_err());
        queue.put('a').await.unwrap();
        assert_eq!(second.await.unwrap(), Ok('a'));
    });
}

// AT-Q-03, after the hand-over
#[test]
fn an_item_for_a_getter_that_gives_up_is_not_lost() {
    alone(async {
        let queue = Queue::new(None);
        let mut dropped = Box::pin(queue.get());
        assert!(poll_once(dropped.as_mut()).is_pending());
        let getting = queue.clone();
        let waits = spawn(async move { getting.get().await });
        until_waiting(&waits).await;
        queue.try_put(1).unwrap();
        assert_eq!(queue.try_get(), Err(TryGetError::Empty), "it is for one who waits");
        drop(dropped);
        assert_eq!(waits.await.unwrap(), Ok(1));

        // The same with several: which of them gets which is not said.
        let mut dropped = Box::pin(queue.get());
        assert!(poll_once(dropped.as_mut()).is_pending());
        let tasks = [(); 2].map(|()| {
            let getting = queue.clone();
            spawn(async move { getting.get().await.unwrap() })
        });
        for task in &tasks {
            until_waiting(task).await;
        }
        queue.try_put(1).unwrap();
        queue.try_put(2).unwrap();
        drop(dropped);
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        assert_eq!(sum, 3);
    });
}

// AT-Q-03, the order
#[test]
fn the_item_of_a_getter_that_gives_up_keeps_its_place() {
    alone(async {
        let orders = [[1, 3, 2], [2, 3, 1], [1, 2, 3]];
        for (queue, order) in each_order(None).into_iter().zip(orders) {
            let mut dropped = Box::pin(queue.get());
            assert!(poll_once(dropped.as_mut()).is_pending());
            for n in [1, 3, 2] {
                queue.try_put(n).unwrap();
            }
            drop(dropped);
            for n in order {
                assert_eq!(queue.try_get(), Ok(n));
            }
        }
    });
}

// AT-Q-03, by a limit
#[test]
fn a_getter_that_has_timed_out_waits_no_more() {
    alone(async {
        let queue = Queue::<u32>::new(5);
        assert!(timeout(MS, queue.get()).await.is_err());
        assert!(format!("{queue:?}").contains("getting: 0"));
        queue.put(1).await.unwrap();
        assert_eq!(queue.get().await, Ok(1));
    });
}

// AT-Q-05
#[test]
fn of_putters_that_wait_a_cancelled_one_puts_nothing() {
    alone(async {
        for called in [false, true] {
            let queue = Queue::new(1);
            queue.put('a').await.unwrap();
            let mut cancelled = Box::pin(queue.put('X'));
            assert!(poll_once(cancelled.as_mut()).is_pending());
            let putting = queue.clone();
            let puts = spawn(async move { putting.put('b').await });
            until_waiting(&puts).await;
            if called {
                assert_eq!(queue.try_get(), Ok('a'));
                drop(cancelled);
            } else {
                drop(cancelled);
                assert_eq!(queue.try_get(), Ok('a'));
            }
            assert_eq!(puts.await.unwrap(), Ok(()));
            assert_eq!(queue.try_get(), Ok('b'));
            assert!(queue.is_empty());
            assert!(format!("{queue:?}").contains("putting: 0"));
        }
    });
}

// AT-Q-05
#[test]
fn a_putter_that_was_cancelled_can_try_again() {
    alone(async {
        let queue = Queue::new(1);
        queue.put(1).await.unwrap();
        let mut dropped = Box::pin(queue.put(2));
        assert!(poll_once(dropped.as_mut()).is_pending());
        assert_eq!(queue.try_get(), Ok(1));
        drop(dropped);
        queue.put(2).await.unwrap();
        assert_eq!((queue.try_get(), queue.len()), (Ok(2), 0));
    });
}

// AT-Q-07
#[test]
fn joining_waits_for_the_mark_of_the_last_item() {
    alone(async {
        for queue in each_order(None) {
            assert!(queue.task_done().is_err());
            queue.join().await;
            queue.join().await;
            for n in 0..100 {
                queue.try_put(n).unwrap();
            }
            let sum = Arc::new(AtomicUsize::new(0));
            let workers = [(); 2].map(|()| {
                let (queue, sum) = (queue.clone(), sum.clone());
                spawn(async move {
                    while let Ok(n) = queue.get().await {
                        yield_now().await;
                        sum.fetch_add(n as usize, SeqCst);
                        queue.task_done().expect("it was put");
                    }
                })
            });
            queue.join().await;
            assert_eq!(sum.load(SeqCst), 99 * 100 / 2);
            assert!(queue.task_done().is_err());
            queue.shutdown(Shutdown::Drain);
            for worker in workers {
                worker.await.unwrap();
            }
        }
    });
}

// AT-Q-07
#[test]
fn what_is_put_after_all_was_done_does_not_prolong_a_join() {
    alone(async {
        let queue = Queue::new(None);
        queue.try_put(1).unwrap();
        let joining = queue.clone();
        let joins = spawn(async move { joining.join().await });
        until_waiting(&joins).await;
        queue.task_done().unwrap();
        queue.try_put(2).unwrap();
        joins.await.unwrap();
    });
}

// AT-Q-09
#[test]
fn a_queue_that_is_drained_gives_what_is_there_and_nothing_more() {
    alone(async {
        for queue in each_order(Some(1)) {
            queue.try_put(5).unwrap();
            let (joining, putting) = (queue.clone(), queue.clone());
            let joins = spawn(async move { joining.join().await });
            let puts = spawn(async move { putting.put(6).await });
            until_waiting(&joins).await;
            until_waiting(&puts).await;
            queue.shutdown(Shutdown::Drain);
            assert_eq!(queue.len(), 1);
            assert_eq!(puts.await.unwrap(), Err(PutError(6)));
            assert_eq!(queue.get().await, Ok(5));
            until_waiting(&joins).await;
            assert!(is_over(&queue).await);
            queue.task_done().unwrap();
            joins.await.unwrap();
            assert!(queue.task_done().is_err());
        }
    });
}

// AT-Q-09, an empty one
#[test]
fn getters_of_an_empty_queue_learn_that_it_was_shut_down() {
    alone(async {
        for how in [Shutdown::Drain, Shutdown::Immediate] {
            for queue in each_order(None) {
                let getting = queue.clone();
                let gets = spawn(async move { getting.get().await });
                until_waiting(&gets).await;
                queue.shutdown(how);
                queue.join().await;
                assert!(gets.await.unwrap().is_err());
                assert!(is_over(&queue).await);
            }
        }
    });
}

// AT-Q-10
#[test]
fn an_immediate_shutdown_drops_what_is_there_and_counts_it_as_done() {
    alone(async {
        for queue in each_order(None) {
            queue.try_put(1).unwrap();
            let joining = queue.clone();
            let joins = spawn(async move { joining.join().await });
            until_waiting(&joins).await;
            queue.shutdown(Shutdown::Immediate);
            assert_eq!(queue.len(), 0);
            joins.await.unwrap();
            assert!(is_over(&queue).await);
            assert!(queue.task_done().is_err());
        }
        let probe = Probe::new();
        let queue = Queue::new(None);
        assert!(queue.try_put(probe.token()).is_ok());
        queue.shutdown(Shutdown::Drain);
        assert_eq!(probe.drops(), 0);
        queue.shutdown(Shutdown::Immediate);
        assert_eq!(probe.drops(), 1);
    });
}

// AT-Q-10
#[test]
fn after_an_immediate_shutdown_a_join_waits_for_what_was_got() {
    alone(async {
        for queue in each_order(None) {
            queue.try_put(1).unwrap();
            queue.try_put(2).unwrap();
            let joining = queue.clone();
            let joins = spawn(async move { joining.join().await });
            until_waiting(&joins).await;
            assert!(queue.get().await.is_ok());
            queue.shutdown(Shutdown::Immediate);
            assert_eq!(queue.len(), 0);
            yield_now().await;
            until_waiting(&joins).await;
            assert!(is_over(&queue).await);
            queue.task_done().unwrap();
            assert!(queue.task_done().is_err());
            joins.await.unwrap();
        }
    });
}

// AT-Q-11
#[test]
fn a_producer_and_a_consumer_go_on_by_turns() {
    many_times(|| async {
        let queue = Queue::new(1);
        let producing = queue.clone();
        let produces = spawn(async move {
            for n in 0..5 {
                producing.put(n).await.unwrap();
            }
        });
        for n in 0..5 {
            assert_eq!(queue.get().await, Ok(n));
        }
        produces.await.unwrap();
    });
}

// AT-Q-11
#[test]
fn putters_that_wait_are_all_called_by_one_who_drains() {
    many_times(|| async {
        let queue = Queue::new(2);
        let putters = [0, 1, 2, 3].map(|n| {
            let queue = queue.clone();
            spawn(async move { queue.put(n).await })
        });
        while !queue.is_full() {
            yield_now().await;
        }
        for _ in 0..2 {
            queue.get().await.unwrap();
        }
        for putter in putters {
            assert_eq!(putter.await.unwrap(), Ok(()));
        }
    });
}

#[test]
fn a_full_queue_takes_nothing_until_something_is_got() {
    alone(async {
        let queue = Queue::new(2);
        assert_eq!((queue.capacity(), queue.is_full(), queue.is_empty()), (Some(2), false, true));
        let putting = queue.clone();
        let put = Arc::new(AtomicUsize::new(0));
        let counts = put.clone();
        let puts = spawn(async move {
            for n in 0..3 {
                putting.put(n).await.unwrap();
                counts.fetch_add(1, SeqCst);
            }
        });
        until_waiting(&puts).await;
        assert_eq!((put.load(SeqCst), queue.is_full(), queue.len()), (2, true, 2));
        assert_eq!(queue.try_put(9), Err(TryPutError::Full(9)));
        assert_eq!(queue.get().await, Ok(0));
        puts.await.unwrap();
        assert_eq!((queue.get().await, queue.get().await), (Ok(1), Ok(2)));
        let unbounded = Queue::new(None);
        unbounded.try_put(1).unwrap();
        assert_eq!((unbounded.capacity(), unbounded.is_full()), (None, false));
    });
}

#[test]
fn a_getter_or_putter_that_is_never_polled_again_does_not_block_the_others_for_ever() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let queue = Queue::new(1);
        let mut forgotten = Box::pin(queue.get());
        assert!(poll_once(forgotten.as_mut()).is_pending());
        let getting = queue.clone();
        let gets = runtime.spawn(async move { getting.get().await });
        queue.put_blocking(1).unwrap();
        assert_eq!(gets.wait().unwrap(), Ok(1));
        drop(forgotten);

        queue.put_blocking(2).unwrap();
        let mut forgotten = Box::pin(queue.put(3));
        assert!(poll_once(forgotten.as_mut()).is_pending());
        let putting = queue.clone();
        let puts = runtime.spawn(async move { putting.put(4).await });
        assert_eq!(queue.get_blocking(), Ok(2));
        assert_eq!(puts.wait().unwrap(), Ok(()));
        drop(forgotten);
        assert_eq!(queue.get_blocking(), Ok(4));
    });
}

#[test]
fn two_runtimes_and_plain_threads_share_a_queue() {
    within_limit(|| {
        const EACH: usize = 500;
        let queue = Queue::new(3);
        let runtimes = [runtime_of(1), runtime_of(1)];
        let gate = Gate::new();
        let got = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = runtimes
            .iter()
            .flat_map(|runtime| {
                let (putting, getting) = (queue.clone(), queue.clone());
                let (got, wait) = (got.clone(), gate.wait());
                let puts = runtime.spawn(async move {
                    wait.await;
                    for _ in 0..EACH {
                        putting.put(1).await.expect("it is open");
                    }
                });
                let gets = runtime.spawn(async move {
                    while let Ok(n) = getting.get().await {
                        got.fetch_add(n, SeqCst);
                        getting.task_done().expect("it was put");
                    }
                });
                [puts, gets]
            })
            .collect();
        let putting = queue.clone();
        let thread = thread::spawn(move || {
            for _ in 0..EACH {
                putting.put_blocking(1).expect("it is open");
            }
        });
        gate.open();
        thread.join().unwrap();
        for puts in tasks.iter().step_by(2) {
            while !puts.is_finished() {
                thread::yield_now();
            }
        }
        runtimes[0].block_on(queue.join());
        queue.shutdown(Shutdown::Drain);
        for task in tasks {
            task.wait().unwrap();
        }
        assert_eq!(got.load(SeqCst), 3 * EACH);
        assert!(matches!(queue.get_blocking(), Err(GetError { .. })));
    });
}

#[test]
fn a_comparison_that_panics_loses_no_item() {
    #[derive(PartialEq, Eq)]
    struct Item(u32);
    impl PartialOrd for Item {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Item {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            if self.0 == 13 || other.0 == 13 {
                panic_on_purpose("a comparison");
            }
            self.0.cmp(&other.0)
        }
    }
    let queue = Queue::priority(None);
    queue.try_put(Item(2)).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| queue.try_put(Item(13)))).is_err());
    assert_eq!(queue.len(), 2);
}

#[test]
fn a_putters_waker_that_panics_takes_no_item_with_it() {
    let queue = Queue::new(1);
    queue.try_put(1).unwrap();
    let mut put = pin!(queue.put(2));
    assert!(put.as_mut().poll(&mut Context::from_waker(&panicking_waker())).is_pending());
    assert_eq!(poll_once(pin!(queue.get())), Poll::Ready(Ok(1)));
    assert!(poll_once(put).is_ready());
    assert_eq!(queue.try_get(), Ok(2));
}

#[test]
fn a_queue_tells_who_waits_and_what_is_to_be_done() {
    let queue = Queue::new(1);
    let mut gets = Box::pin(queue.get());
    assert!(poll_once(gets.as_mut()).is_pending());
    assert!(format!("{queue:?}").contains("getting: 1"));
    drop(gets);
    queue.try_put(1).unwrap();
    let mut puts = Box::pin(queue.put(2));
    assert!(poll_once(puts.as_mut()).is_pending());
    assert_eq!(
        format!("{queue:?}"),
        "Queue { order: \"fifo\", len: 1, capacity: Some(1), undone: 1, getting: 0, putting: 1, \
         is_shut_down: false }"
    );
}

#[test]
fn a_queue_without_room_is_refused_where_it_is_made() {
    let refused = catch_unwind(|| Queue::<u32>::new(0)).unwrap_err();
    let text = refused.downcast_ref::<&str>().expect("a text");
    assert!(text.starts_with("the capacity of a queue is 0, but at least 1 is needed"));
}
