//! Models of the lanes: each runs as a stress test and under loom.

use super::{Own, Work};
use crate::platform::{Condvar, Mutex, lock, model, thread};
use std::sync::Arc;

/// Lanes of numbers for one thread.
type Lanes = super::Lanes<u32, (), Sleeper>;

/// Takes what there is.
fn find(lanes: &Lanes) -> Option<u32> {
    match lanes.find(None, Own::NewestFirst, true)? {
        Work::Job(job) => Some(job),
        Work::Fork(()) => panic!("nobody forks here"),
    }
}

/// How a thread that watches sleeps.
struct Sleeper {
    /// Whether it was woken.
    is_woken: Mutex<bool>,
    /// That it was.
    woken: Condvar,
}

impl Sleeper {
    fn new() -> Arc<Self> {
        Arc::new(Self { is_woken: Mutex::new(false), woken: Condvar::new() })
    }

    fn wake(&self) {
        *lock(&self.is_woken) = true;
        self.woken.notify_one();
    }

    fn sleep(&self) {
        let mut is_woken = lock(&self.is_woken);
        while !std::mem::take(&mut *is_woken) {
            is_woken = self.woken.wait(is_woken).expect("nobody panics");
        }
    }
}

#[test]
fn a_job_that_is_pushed_while_an_old_ticket_is_taken_is_found() {
    model(|| {
        let lanes = Arc::new(Lanes::new(1));
        // The ticket is on its way although somebody else has taken what it tells of.
        lanes.push(None, 1, Sleeper::wake);
        assert!(lanes.invite());
        assert_eq!(find(&lanes), Some(1));
        let pushed = lanes.clone();
        let pusher = thread::spawn(move || {
            pushed.push(None, 2, Sleeper::wake);
            pushed.invite()
        });
        lanes.accept();
        let found = find(&lanes);
        // Whoever gets the other ticket finds it, too.
        if pusher.join().unwrap() {
            assert_eq!(found.or_else(|| find(&lanes)), Some(2));
        } else {
            assert_eq!(found, Some(2), "no other ticket is on its way");
        }
    });
}

#[test]
fn a_job_that_is_pushed_while_a_watcher_falls_asleep_is_found() {
    model(|| {
        let lanes = Arc::new(Lanes::new(1));
        let pushed = lanes.clone();
        let pusher = thread::spawn(move || pushed.push(None, 1, Sleeper::wake));
        let sleeper = Sleeper::new();
        let found = loop {
            if let Some(job) = find(&lanes) {
                break job;
            }
            // As where a thread waits for a branch: after this it is told, and what came before is found
            // by another look.
            if !lanes.watch(&sleeper) {
                sleeper.sleep();
            }
        };
        lanes.unwatch(&sleeper);
        assert_eq!(found, 1);
        pusher.join().unwrap();
    });
}
