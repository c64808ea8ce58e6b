//! A signal that came belongs to those who caught it then.

use super::EndSignal;
use super::unix::{catch, note};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

#[test]
fn a_signal_that_was_caught_before_is_not_given_to_who_catches_next() {
    for _ in 0..200 {
        let before = catch(&[EndSignal::Terminate], |_| {}).expect("a thread starts");
        // As if it came: here the signal itself is not needed.
        (0..5).for_each(|_| note(libc::SIGTERM));
        drop(before.expect("nobody else catches signals in these tests"));
        let heard = Arc::new(AtomicUsize::new(0));
        let hears = heard.clone();
        let next = catch(&[EndSignal::Terminate], move |_| {
            hears.fetch_add(1, Ordering::SeqCst);
        });
        note(libc::SIGTERM);
        while heard.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        drop(next);
        assert_eq!(heard.load(Ordering::SeqCst), 1);
    }
}
