//! chili: a `ThreadPool` whose thread count, as its documentation counts, includes the thread that
//! opens the scope. It offers nothing but fork-join, so it takes part in those workloads only.

use std::num::NonZero;

use chili::{Config, Scope, ThreadPool};

use super::{Drivers, ForkPeer, Peer};

/// A running pool.
pub struct Chili {
    /// Ends its threads, the heartbeat's included, when dropped.
    pool: ThreadPool,
}

impl Peer for Chili {
    const NAME: &'static str = "chili";

    fn start(workers: usize, _drivers: Drivers) -> Chili {
        let config = Config { thread_count: NonZero::new(workers), ..Config::default() };
        Chili { pool: ThreadPool::with_config(config) }
    }
}

impl ForkPeer for Chili {
    type Worker<'pool> = Scope<'pool>;

    fn enter<F, R>(&self, body: F) -> R
    where
        F: FnOnce(&mut Scope<'_>) -> R + Send + 'static,
        R: Send + 'static,
    {
        body(&mut self.pool.scope())
    }

    fn join<A, B, RA, RB>(worker: &mut Scope<'_>, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Scope<'_>) -> RA + Send,
        B: FnOnce(&mut Scope<'_>) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        worker.join(a, b)
    }
}
