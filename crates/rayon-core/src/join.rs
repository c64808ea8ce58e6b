//! `join`: Weftline's, which moves to a pool where there is none, and tells who was moved.
//!
//! A fork inside of another one is where it should be already, since the outermost was moved there. In
//! a pool the forks of the first levels are put up for whoever comes, and others while few are. So
//! almost all of them are Weftline's and nothing more.

use crate::place::{self, Ground, thread_mark};
use std::marker::PhantomData;

/// Calls both closures, possibly at the same time, and returns what they give.
///
/// Where the calling thread is in no pool and no runtime, both are called in the global pool. Whoever
/// waits for a closure that another thread has taken runs forks of that closure and, in a pool, jobs
/// that are queued.
///
/// # Panics
///
/// If one of the closures does, once both have ended; with the panic of `oper_a`, if both do.
///
/// # Examples
///
/// ```
/// fn sum(numbers: &[u64]) -> u64 {
///     if let [number] = numbers {
///         return *number;
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let (left, right) = rayon_core::join(|| sum(left), || sum(right));
///     left + right
/// }
///
/// assert_eq!(sum(&[1, 2, 3, 4]), 10);
/// ```
#[inline]
pub fn join<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    match place::ground() {
        Ground::Plain => weftline::join(oper_a, oper_b),
        Ground::Pool => in_pool(oper_a, oper_b),
        Ground::Outside => place::global().install(|_| in_pool(oper_a, oper_b)),
    }
}

/// As [`join`], and tells each closure whether it was moved to another thread.
///
/// # Examples
///
/// ```
/// let (a, b) = rayon_core::join_context(|a| a.migrated(), |b| b.migrated());
/// assert!(a && b, "both are moved to the global pool");
/// ```
#[inline]
pub fn join_context<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    let told = |moved: bool| {
        let mark = thread_mark();
        let a = move || oper_a(FnContext::new(moved));
        let b = move || oper_b(FnContext::new(moved || thread_mark() != mark));
        (a, b)
    };
    match place::ground() {
        Ground::Plain => {
            let (a, b) = told(false);
            weftline::join(a, b)
        }
        Ground::Pool => {
            let (a, b) = told(false);
            in_pool(a, b)
        }
        Ground::Outside => place::global().install(|moved| {
            let (a, b) = told(moved);
            in_pool(a, b)
        }),
    }
}

/// A fork of a thread of a pool that is put up for whoever comes, with all around it, since `a` may
/// count on that; or the oldest in its place, where it is further in than the first levels.
fn in_pool<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    let levels = place::levels();
    let (inner, mark) = (levels.saturating_sub(1), thread_mark());
    let offer_and_call = || {
        offer(levels > 0);
        place::with_levels(inner, a)
    };
    let call = move || {
        let levels = if thread_mark() == mark { inner } else { place::all_levels() };
        place::with_levels(levels, b)
    };
    weftline::join(offer_and_call, call)
}

/// Puts up the oldest fork of the calling thread that is not, or `all` of them.
#[cold]
fn offer(all: bool) {
    if let Some(member) = place::member() {
        if member.registry.num_threads() > 1 {
            while member.registry.offer_fork(member.index) && all {}
        }
    }
}

/// What a closure of [`join_context`] is told.
#[derive(Debug)]
pub struct FnContext {
    migrated: bool,
    /// It stays on its thread.
    _stays: PhantomData<*mut ()>,
}

impl FnContext {
    #[inline]
    fn new(migrated: bool) -> Self {
        Self { migrated, _stays: PhantomData }
    }

    /// Whether the closure is called by another thread than the one that gave it.
    #[inline]
    pub fn migrated(&self) -> bool {
        self.migrated
    }
}
