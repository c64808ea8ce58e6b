//! Forte: one static pool, resized at the start and emptied at the end of a sample. The calling
//! thread becomes a member while it waits in `block_on`, as Forte intends, so the pool is given one
//! thread less than there are workers.

use std::future::Future;

use forte::{Task, ThreadPool};
use smol::future;

use super::{AsyncPeer, Drivers, Peer};

/// The pool of the process; Forte's pools are static.
static POOL: ThreadPool = ThreadPool::new();

/// The pool while it has members.
pub struct Forte;

impl Drop for Forte {
    fn drop(&mut self) {
        POOL.depopulate();
    }
}

impl Peer for Forte {
    const NAME: &'static str = "forte";

    fn start(workers: usize, _drivers: Drivers) -> Forte {
        POOL.resize_to(workers - 1);
        Forte
    }
}

impl AsyncPeer for Forte {
    type Join<T: Send + 'static> = Task<T>;
    type Remote = ();

    fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send,
    {
        POOL.block_on(future)
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        POOL.spawn(future)
    }

    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        POOL.spawn(future).detach();
    }

    fn remote(&self) {}

    fn spawn_remote<F>(_remote: &(), future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        POOL.spawn(future)
    }

    fn yield_now() -> impl Future<Output = ()> + Send + 'static {
        future::yield_now()
    }
}
