//! tokio or smol with a rayon pool beside it, as both sides' documentation advises for code that
//! computes: `spawn` on the pool, and a oneshot channel that brings the result to the task.
//!
//! The pool has as many threads as the runtime, as both have by default.

use std::sync::Arc;

use futures_channel::oneshot;
use rayon::ThreadPool;

use super::{ComputePeer, Drivers, EchoPeer, JobPeer, Peer, rayon::Rayon};

/// A runtime and a pool.
pub struct BesideRayon<P> {
    /// Serves.
    tasks: P,
    /// Computes.
    pool: Rayon,
}

impl<P: EchoPeer> ComputePeer for BesideRayon<P> {
    type Tasks = P;
    type Pool = Arc<ThreadPool>;

    fn start(workers: usize) -> BesideRayon<P> {
        BesideRayon {
            tasks: P::start(workers, Drivers::On),
            pool: Rayon::start(workers, Drivers::Off),
        }
    }

    fn tasks(&self) -> &P {
        &self.tasks
    }

    fn pool(&self) -> Arc<ThreadPool> {
        self.pool.remote()
    }

    async fn compute<F>(pool: &Arc<ThreadPool>, job: F)
    where
        F: FnOnce() + Send + 'static,
    {
        let (sender, done) = oneshot::channel();
        pool.spawn(move || {
            job();
            // Whoever does not wait any more need not know.
            let _ = sender.send(());
        });
        done.await.expect("no job of a workload fails");
    }

    fn join<A, B>(a: A, b: B)
    where
        A: FnOnce() + Send,
        B: FnOnce() + Send,
    {
        rayon::join(a, b);
    }
}
