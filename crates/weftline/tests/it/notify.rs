//! Notifications as a user sees them: for whom they are, and that none is lost.

use crate::rig::{Diary, alone, until_waiting};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use weftline::spawn;
use weftline::sync::Notify;

/// Polls a future once, with a waker that nobody hears.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_notification_that_nobody_waits_for_is_kept_once() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_one();
    assert_eq!(format!("{notify:?}"), "Notify { waiters: 0, is_kept: true }");
    assert!(poll_once(pin!(notify.notified())).is_ready());
    assert!(poll_once(pin!(notify.notified())).is_pending());
    notify.notify_waiters();
    assert!(poll_once(pin!(notify.notified())).is_pending(), "that is for those who were there");
}

#[test]
fn who_waits_is_notified_one_by_one_in_turn_or_all_at_once() {
    alone(async {
        let (notify, diary) = (Arc::new(Notify::new()), Diary::default());
        let mut tasks = Vec::new();
        for name in ["a", "b", "c", "d"] {
            let (notify, diary) = (notify.clone(), diary.clone());
            let task = spawn(async move {
                notify.notified().await;
                diary.note(name);
            });
            until_waiting(&task).await;
            tasks.push(task);
        }
        let mut tasks = tasks.into_iter();
        for name in ["a", "b"] {
            notify.notify_one();
            tasks.next().expect("a task").await.unwrap();
            assert_eq!(diary.read().last().map(String::as_str), Some(name));
        }
        notify.notify_waiters();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(diary.read().len(), 4);
        assert_eq!(format!("{notify:?}"), "Notify { waiters: 0, is_kept: false }");
    });
}

#[test]
fn a_wait_has_its_place_from_the_first_poll_or_from_when_it_is_asked_for() {
    let notify = Notify::new();
    let (mut first, mut second) = (pin!(notify.notified()), pin!(notify.notified()));
    assert!(!second.as_mut().enable());
    assert!(poll_once(first.as_mut()).is_pending());
    notify.notify_one();
    assert!(poll_once(first.as_mut()).is_pending(), "the second took its place first");
    assert!(second.as_mut().enable() && second.as_mut().enable());
    assert!(poll_once(second.as_mut()).is_ready());
    notify.notify_one();
    assert!(poll_once(first.as_mut()).is_ready());
}

#[test]
fn a_notification_of_a_wait_that_is_dropped_goes_to_the_next_or_is_kept() {
    let notify = Notify::new();
    let mut second = pin!(notify.notified());
    {
        let mut first = pin!(notify.notified());
        assert!(poll_once(first.as_mut()).is_pending() && poll_once(second.as_mut()).is_pending());
        notify.notify_one();
    }
    assert!(poll_once(second).is_ready());
    {
        let mut only = pin!(notify.notified());
        assert!(poll_once(only.as_mut()).is_pending());
        notify.notify_one();
    }
    assert!(poll_once(pin!(notify.notified())).is_ready());
    {
        let mut one_of_all = pin!(notify.notified());
        assert!(poll_once(one_of_all.as_mut()).is_pending());
        notify.notify_waiters();
    }
    assert!(poll_once(pin!(notify.notified())).is_pending(), "nothing of that is kept");
}
