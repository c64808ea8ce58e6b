//! How exactly a sleep ends.
//!
//! Linux lets each timed wait of a thread last a little longer than asked, by 50 µs unless the program
//! says otherwise, to end several with one interrupt. Almost always it takes all of that. So who has a
//! time to keep asks for as much less; where the kernel was quicker, the rest is waited for again.
//!
//! To have the kernel be exact instead costs each wait more: measured, 2.4 µs of the 15.6 that it takes
//! to wake a worker from outside, on a virtual machine.

use std::time::Duration;

/// How much longer than asked a timed wait of the calling thread may last.
#[cfg(all(target_os = "linux", not(any(miri, loom))))]
pub(crate) fn of_this_thread() -> Duration {
    rustix::thread::current_timer_slack().map_or(Duration::ZERO, Duration::from_nanos)
}

/// Nobody knows.
#[cfg(not(all(target_os = "linux", not(any(miri, loom)))))]
pub(crate) fn of_this_thread() -> Duration {
    Duration::ZERO
}

/// How long to wait so that it ends, most likely, after `left` and not much later.
pub(crate) fn wait_for(left: Duration, slack: Duration) -> Duration {
    if left > slack { left - slack } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_asked_for_without_what_the_kernel_adds() {
        let us = Duration::from_micros;
        assert_eq!(wait_for(us(1000), us(50)), us(950));
        assert_eq!(wait_for(us(1000), us(0)), us(1000));
        assert_eq!(wait_for(us(51), us(50)), us(1));
        assert_eq!(wait_for(us(50), us(50)), us(50), "the rest, after all: no wait would spin");
        assert_eq!(wait_for(us(0), us(50)), us(0));
    }
}
