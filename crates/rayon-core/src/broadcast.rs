//! `broadcast`: one call on each thread of a pool.

use crate::duty::End;
use crate::job::{Job, erase};
use crate::locked;
use crate::panics::catch;
use crate::place;
use crate::pool::Registry;
use std::fmt;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use weftline::foundation::Branch;

/// Calls `op` on each thread of the pool around the calling thread, or else of the global one, once
/// that has called the jobs it has pushed itself; returns what they gave, by their indices.
///
/// # Panics
///
/// If one of the calls does, once all have ended; if the runtime around the calling thread has been
/// shut down.
///
/// # Examples
///
/// ```
/// let indices = rayon_core::broadcast(|context| context.index());
/// assert!(indices.into_iter().eq(0..rayon_core::current_num_threads()));
/// ```
pub fn broadcast<OP, R>(op: OP) -> Vec<R>
where
    OP: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    place::current().broadcast(op)
}

/// As [`broadcast`], without waiting. A panic goes where that of a [`spawn`](crate::spawn()) goes.
pub fn spawn_broadcast<OP>(op: OP)
where
    OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    place::current().spawn_broadcast(op);
}

/// What the calls of a [`broadcast`] are told.
pub struct BroadcastContext<'a> {
    /// The pool.
    registry: &'a Arc<Registry>,
    /// The calling thread's place in it.
    index: usize,
    /// It stays on its thread.
    _stays: PhantomData<&'a mut dyn Fn()>,
}

impl BroadcastContext<'_> {
    /// Calls `call` as the thread with that index.
    pub(crate) fn with<R>(
        registry: &Arc<Registry>,
        index: usize,
        call: impl FnOnce(BroadcastContext<'_>) -> R,
    ) -> R {
        call(BroadcastContext { registry, index, _stays: PhantomData })
    }

    /// The thread's place among those of the pool, from 0 on.
    #[inline]
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many threads are called.
    #[inline]
    pub fn num_threads(&self) -> usize {
        self.registry.num_threads()
    }
}

impl fmt::Debug for BroadcastContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastContext")
            .field("index", &self.index())
            .field("num_threads", &self.num_threads())
            .finish_non_exhaustive()
    }
}

/// A call that is awaited; it is over when this is dropped.
struct Counted {
    /// How many are not.
    open: Arc<AtomicUsize>,
    /// The end of all.
    end: Arc<End>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        // AcqRel: the last one passes on what the others did.
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.end.note();
        }
    }
}

impl Registry {
    pub(crate) fn broadcast<OP, R>(self: &Arc<Self>, op: OP) -> Vec<R>
    where
        OP: Fn(BroadcastContext<'_>) -> R + Sync,
        R: Send,
    {
        let threads = self.num_threads();
        if self.is_played() {
            // One thread is all of them.
            return (0..threads).map(|index| BroadcastContext::with(self, index, &op)).collect();
        }
        let results: Vec<_> = (0..threads).map(|_| Mutex::new(None)).collect();
        let open = Arc::new(AtomicUsize::new(threads));
        let end = End::new();
        let jobs = results.iter().enumerate().map(|(index, place)| {
            let (registry, op) = (self, &op);
            let counted = Counted { open: open.clone(), end: end.clone() };
            let job = move || {
                let call = || BroadcastContext::with(registry, index, op);
                Branch::enter_none(|| *locked(place) = Some(catch(call)));
                drop(counted);
            };
            // SAFETY: this returns once each job has been called or dropped, after which none touches
            // anything of it.
            unsafe { erase(Box::new(job)) }
        });
        self.push_to_all(jobs);
        end.wait();
        let results =
            results.into_iter().map(|place| place.into_inner().unwrap_or_else(|e| e.into_inner()));
        match results.collect() {
            Some(Ok(results)) => results,
            Some(Err(panic)) => resume_unwind(panic),
            None => panic!("no broadcast to {threads} workers: their runtime has been shut down"),
        }
    }

    pub(crate) fn spawn_broadcast<OP>(self: &Arc<Self>, op: OP)
    where
        OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
    {
        let op = Arc::new(op);
        let job = |index| -> Job {
            let (registry, op) = (self.clone(), op.clone());
            self.job(move || BroadcastContext::with(&registry, index, &*op))
        };
        self.push_to_all((0..self.num_threads()).map(job));
    }
}
