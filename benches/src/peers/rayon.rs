//! rayon: a `ThreadPool` of its own with the given number of threads. It runs closures, so it takes
//! part where a workload is about spawning and joining, not where tasks wait for each other.

use std::sync::Arc;

use rayon::{Scope, ThreadPool, ThreadPoolBuilder};

use super::{Drivers, ForkPeer, JobPeer, JobScope, Peer};

/// A running pool.
pub struct Rayon {
    /// Ends its threads when its last owner drops it.
    pool: Arc<ThreadPool>,
}

impl Peer for Rayon {
    const NAME: &'static str = "rayon";

    fn start(workers: usize, _drivers: Drivers) -> Rayon {
        let pool = ThreadPoolBuilder::new().num_threads(workers).build().expect("rayon starts");
        Rayon { pool: Arc::new(pool) }
    }
}

impl Rayon {
    /// Runs `body` on a worker of the pool.
    pub fn install<R: Send>(&self, body: impl FnOnce() -> R + Send) -> R {
        self.pool.install(body)
    }
}

impl<'scope> JobScope<'scope> for Scope<'scope> {
    fn spawn<F>(&self, job: F)
    where
        F: FnOnce(&Self) + Send + 'scope,
    {
        Scope::spawn(self, job);
    }
}

impl JobPeer for Rayon {
    type Scope<'scope> = Scope<'scope>;
    type Remote = Arc<ThreadPool>;

    fn scope<'scope, F, R>(&self, body: F) -> R
    where
        F: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        self.pool.scope(body)
    }

    fn on_worker<F, R>(&self, body: F) -> R
    where
        F: FnOnce(&Self) -> R + Send,
        R: Send,
    {
        self.pool.install(|| body(self))
    }

    fn remote(&self) -> Arc<ThreadPool> {
        Arc::clone(&self.pool)
    }

    fn spawn_remote<F>(remote: &Arc<ThreadPool>, job: F)
    where
        F: FnOnce() + Send + 'static,
    {
        remote.spawn(job);
    }
}

impl ForkPeer for Rayon {
    type Worker<'pool> = ();

    fn enter<F, R>(&self, body: F) -> R
    where
        F: FnOnce(&mut ()) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.pool.install(|| body(&mut ()))
    }

    fn join<A, B, RA, RB>(_worker: &mut (), a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut ()) -> RA + Send,
        B: FnOnce(&mut ()) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        rayon::join(|| a(&mut ()), || b(&mut ()))
    }
}
