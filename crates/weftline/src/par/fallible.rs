//! Loops that an error ends.

use super::Split;
use super::drive::drive_unless;
use crate::platform::global::{AtomicBool, Ordering};

/// For so many results there is room before the first is there.
const MOST_AT_ONCE: usize = 1 << 16;

/// Calls `act` for each item until a call gives an error, which is given back.
///
/// No call begins once an error is known; those that have begun on other workers are waited for. Of
/// several errors the one of the earliest item is given, the others are dropped.
///
/// With [`checkpoint`](crate::checkpoint) as the error, work on all workers ends when its task is to:
/// a request is told to one fork alone, and this tells the others. It does so between calls: one that takes
/// long asks besides whether the task's [`cancelling`](crate::task::Task::cancelling) is above zero.
///
/// # Errors
///
/// What `act` gave.
///
/// # Panics
///
/// As [`for_each`](super::for_each).
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// let even = par::try_for_each(&[3, 5, 8], |n| if n % 2 == 0 { Err(*n) } else { Ok(()) });
/// assert_eq!(even, Err(8));
/// ```
///
/// Work that ends when somebody asks for that:
///
/// ```
/// use std::time::Duration;
/// use weftline::{checkpoint, compute, par, time};
///
/// weftline::run(async {
///     let endless = compute(|| par::try_for_each(0..u64::MAX, |_| checkpoint()));
///     time::sleep(Duration::from_millis(10)).await;
///     endless.cancel();
///     let ended_at_a_checkpoint = endless.await.unwrap();
///     assert!(ended_at_a_checkpoint.is_err());
/// });
/// ```
pub fn try_for_each<I, E>(items: I, act: impl Fn(I::Item) -> Result<(), E> + Sync) -> Result<(), E>
where
    I: IntoIterator<IntoIter: Split>,
    E: Send,
{
    try_drive(items, |_| (), |(), item| act(item), |(), ()| ())
}

/// Gives what `make` makes of each item, in the order of the items, or the error of a call, after which
/// no other begins.
///
/// Of several errors the one of the earliest item is given, the others are dropped, as is what was made.
///
/// # Errors
///
/// What `make` gave.
///
/// # Panics
///
/// As [`for_each`](super::for_each).
///
/// # Examples
///
/// ```
/// use weftline::par;
///
/// assert_eq!(par::try_map(vec!["1", "2"], str::parse::<u8>), Ok(vec![1, 2]));
/// assert!(par::try_map(vec!["1", "many"], str::parse::<u8>).is_err());
/// ```
pub fn try_map<I, R, E>(
    items: I,
    make: impl Fn(I::Item) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E>
where
    I: IntoIterator<IntoIter: Split>,
    R: Send,
    E: Send,
{
    let push = |mut made: Vec<R>, item| {
        made.push(make(item)?);
        Ok(made)
    };
    let append = |mut made: Vec<R>, mut more| {
        made.append(&mut more);
        made
    };
    // There may be fewer by far than items: an error ends it.
    let begin = |most: usize| Vec::with_capacity(most.min(MOST_AT_ONCE));
    try_drive(items, begin, push, append)
}

/// Takes items into values until that gives an error.
fn try_drive<I, A, E>(
    items: I,
    begin: impl Fn(usize) -> A + Sync,
    take: impl Fn(A, I::Item) -> Result<A, E> + Sync,
    combine: impl Fn(A, A) -> A + Sync,
) -> Result<A, E>
where
    I: IntoIterator<IntoIter: Split>,
    A: Send,
    E: Send,
{
    let failed = AtomicBool::new(false);
    // Relaxed: it only saves work. Errors come back with the values.
    let is_over = || failed.load(Ordering::Relaxed);
    let take = |value: Result<A, E>, item| {
        if is_over() {
            return value;
        }
        let taken = take(value?, item);
        if taken.is_err() {
            // Relaxed: see above.
            failed.store(true, Ordering::Relaxed);
        }
        taken
    };
    let combine = |first: Result<A, E>, second: Result<A, E>| Ok(combine(first?, second?));
    drive_unless(is_over, items.into_iter(), |most| Ok(begin(most)), take, combine)
}
