//! While one worker is inside a long poll and others are idle, nothing that could run waits for it.

use crate::probe::Gate;
use crate::rig::{LONG, eventually, holder, runtime_of, settle, within_limit};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};
use std::{net, thread};
use weftline::net::UdpSocket;
use weftline::task::{self, budget};
use weftline::{Runtime, spawn, spawn_pinned, yield_now};

/// A runtime whose workers have all fallen asleep, and long ago stopped to watch.
fn asleep(workers: usize) -> Runtime {
    let runtime = runtime_of(workers);
    settle(&runtime);
    thread::sleep(Duration::from_millis(50));
    runtime
}

#[test]
fn a_job_in_a_slot_is_taken_although_the_watcher_goes_off_with_another() {
    within_limit(|| {
        for workers in [3, 4, 8] {
            let runtime = asleep(workers);
            let spawner = runtime.spawn(async {
                let release = Gate::new();
                let held = release.clone();
                // Displaced from the slot by the next one, and stolen by whoever was to watch.
                let first = spawn(async move { held.block() });
                let second = spawn(async {});
                second.wait().unwrap();
                release.open();
                first.wait().unwrap();
            });
            spawner.wait().unwrap();
        }
    });
}

#[test]
fn two_jobs_of_a_blocked_task_that_need_each_other_both_run() {
    within_limit(|| {
        let runtime = asleep(4);
        let spawner = runtime.spawn(async {
            let gate = Gate::new();
            let held = gate.clone();
            let first = spawn(async move { held.block() });
            let _second = spawn(async move { gate.open() });
            first.wait().unwrap();
        });
        spawner.wait().unwrap();
    });
}

/// A task that answers each datagram, and the thread that asks.
struct Echo {
    client: net::UdpSocket,
    server: net::SocketAddr,
}

impl Echo {
    fn new(runtime: &Runtime) -> Self {
        let echo = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).unwrap();
        let server = echo.local_addr().unwrap();
        let _echoing = runtime.spawn(async move {
            loop {
                let mut bytes = [0; 8];
                let (count, from) = echo.recv_from(&mut bytes).await.unwrap();
                echo.send_to(&bytes[..count], from).await.unwrap();
            }
        });
        let client = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(LONG / 2)).unwrap();
        Self { client, server }
    }

    #[track_caller]
    fn ask(&self) {
        self.client.send_to(b"echo", self.server).unwrap();
        self.client.recv_from(&mut [0; 8]).expect("an idle worker answers");
    }
}

#[test]
fn events_reach_an_idle_worker_while_the_one_that_waited_for_them_is_held() {
    within_limit(|| {
        let runtime = asleep(3);
        let echo = Echo::new(&runtime);
        let socket = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).unwrap();
        let address = socket.local_addr().unwrap();
        let (hold, held) = holder();
        let holding = runtime.spawn(async move {
            socket.recv_from(&mut [0; 8]).await.unwrap();
            hold();
        });
        settle(&runtime);
        echo.client.send_to(b"hold", address).unwrap();
        held.wait();
        echo.ask();
        held.release();
        holding.wait().unwrap();
    });
}

#[test]
fn events_reach_an_idle_worker_while_any_one_is_held_by_a_pinned_task() {
    within_limit(|| {
        let runtime = asleep(3);
        let echo = Echo::new(&runtime);
        let _entered = runtime.handle().enter();
        // Each worker in turn, so that one of them is the one that waits for events.
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(20));
            let (hold, held) = holder();
            let holding = spawn_pinned(move || async move { hold() });
            held.wait();
            echo.ask();
            held.release();
            holding.wait().unwrap();
        }
    });
}

#[test]
fn events_reach_an_idle_worker_while_another_is_held_by_a_foreign_waker() {
    /// Holds whoever wakes it.
    struct Holds(Mutex<Option<Box<dyn FnOnce() + Send>>>);
    impl Wake for Holds {
        fn wake(self: Arc<Self>) {
            let hold = self.0.lock().unwrap().take();
            hold.expect("it is woken once")();
        }
    }
    within_limit(|| {
        let runtime = asleep(3);
        let echo = Echo::new(&runtime);
        let _entered = runtime.handle().enter();
        let (hold, held) = holder();
        let waker = Waker::from(Arc::new(Holds(Mutex::new(Some(Box::new(hold))))));
        let mut timer = pin!(weftline::time::sleep(Duration::from_millis(20)));
        assert!(timer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        held.wait();
        echo.ask();
        let others = [runtime.spawn(async {}), runtime.spawn(async {})];
        others.into_iter().for_each(|other| other.wait().unwrap());
        held.release();
    });
}

#[test]
fn a_timer_of_a_worker_that_is_held_is_served_by_an_idle_one() {
    within_limit(|| {
        let runtime = asleep(3);
        let holding = runtime.spawn(async {
            let gate = Gate::new();
            let opens = gate.clone();
            // Polled here at once, so that the timer is this worker's.
            let _sleeping = task::Builder::new().eager(true).spawn(async move {
                weftline::time::sleep(Duration::from_millis(20)).await;
                opens.open();
            });
            gate.block();
        });
        holding.wait().unwrap();
    });
}

#[test]
fn a_timer_of_a_nested_block_on_is_served_by_an_idle_worker() {
    within_limit(|| {
        let runtime = asleep(3);
        let handle = runtime.handle().clone();
        let nested = runtime.spawn(async move {
            weftline::time::sleep(Duration::from_millis(5)).await;
            handle.block_on(weftline::time::sleep(Duration::from_millis(5)));
        });
        nested.wait().unwrap();
    });
}

/// A flag that is waited for by one task.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    fn ring(&self) {
        self.rung.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|cx| {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            match self.rung.swap(false, Ordering::SeqCst) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    }
}

#[test]
fn a_pinned_task_has_its_turns_beside_a_cycle_of_two_polls() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let (bell, stop) = (Arc::new(Bell::default()), Arc::new(AtomicBool::new(false)));
        let (heard, until) = (bell.clone(), stop.clone());
        let woken = runtime.spawn(async move {
            while !until.load(Ordering::SeqCst) {
                heard.wait().await;
            }
        });
        let (rings, until) = (bell.clone(), stop.clone());
        let ringing = runtime.spawn(async move {
            while !until.load(Ordering::SeqCst) {
                rings.ring();
                yield_now().await;
            }
        });
        let polls = Arc::new(AtomicU64::new(0));
        let (count, until) = (polls.clone(), stop.clone());
        let _entered = runtime.handle().enter();
        let pinned = spawn_pinned(move || async move {
            while !until.load(Ordering::SeqCst) {
                count.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
            }
        });
        eventually("the pinned task has had many turns", || polls.load(Ordering::SeqCst) > 1000);
        stop.store(true, Ordering::SeqCst);
        ringing.wait().unwrap();
        pinned.wait().unwrap();
        bell.ring();
        woken.wait().unwrap();
    });
}

#[test]
fn dropping_a_runtime_runs_no_destructor_behind_a_held_worker() {
    /// Needs a lock to be dropped.
    struct Locks(Arc<Mutex<()>>);
    impl Drop for Locks {
        fn drop(&mut self) {
            drop(self.0.lock());
        }
    }
    within_limit(|| {
        let runtime = runtime_of(1);
        let (hold, held) = holder();
        let holding = runtime.spawn(async move { hold() });
        held.wait();
        let lock = Arc::new(Mutex::new(()));
        let locks = Locks(lock.clone());
        let behind = runtime.spawn(async move { drop(locks) });
        let guard = lock.lock().unwrap();
        drop(runtime);
        drop(guard);
        held.release();
        holding.wait().unwrap();
        assert!(behind.wait().unwrap_err().is_cancelled());
    });
}

/// Another executor inside of a poll, which begins no slices.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn another_executor_inside_of_a_task_gets_on_after_the_slice() {
    within_limit(|| {
        let runtime = runtime_of(1);
        let foreign = runtime.spawn(async {
            let waker = Waker::from(Arc::new(Unpark(thread::current())));
            let mut cx = Context::from_waker(&waker);
            let mut long = pin!(async {
                for _ in 0..200 {
                    let began = Instant::now();
                    while began.elapsed() < Duration::from_micros(20) {}
                    poll_fn(budget::poll_proceed).await;
                }
            });
            while long.as_mut().poll(&mut cx).is_pending() {
                thread::park();
            }
        });
        foreign.wait().unwrap();
    });
}
