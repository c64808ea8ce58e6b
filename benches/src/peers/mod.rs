//! The runtimes under measurement, each behind the traits of this file.
//!
//! A workload is written once, generic over one of these traits, and compiled for each peer: no
//! call is boxed or looked up for one peer only. Each peer is set up as its own documentation
//! recommends; the file of the peer says how. A peer's `start` begins its threads and its `Drop`
//! ends them. Next: `peers/tokio.rs` for the plainest example.

use ::std::{
    future::Future,
    io,
    net::{TcpListener, TcpStream},
    time::Duration,
};

pub mod beside_rayon;
pub mod chili;
#[cfg(feature = "forte")]
pub mod forte;
pub mod rayon;
pub mod smol;
pub mod std;
pub mod tokio;
pub mod weftline;

/// Whether a workload makes use of input, output or timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drivers {
    /// Only tasks: a peer that can do without its drivers is started without them.
    Off,
    /// Input, output or timers are used.
    On,
}

/// Anything that is measured.
pub trait Peer: Sized + 'static {
    /// The name in the tables.
    const NAME: &'static str;

    /// Starts the worker threads.
    fn start(workers: usize, drivers: Drivers) -> Self;
}

/// A runtime for futures. The thread that calls `block_on` is not one of its workers unless the
/// peer's file says so.
pub trait AsyncPeer: Peer {
    /// What awaits a spawned future's output.
    type Join<T: Send + 'static>: Future<Output = T> + Send + 'static;
    /// What another thread spawns through.
    type Remote: Clone + Send + 'static;

    /// Waits on this thread, in the peer's own way, until `future` is done.
    fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send;

    /// Spawns from within a task or from within `block_on`.
    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Spawns like [`AsyncPeer::spawn`] a task that nobody waits for.
    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static;

    /// The way in for threads that are not the peer's own.
    fn remote(&self) -> Self::Remote;

    /// Spawns from a thread that is not the peer's own.
    fn spawn_remote<F>(remote: &Self::Remote, future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Lets the other tasks of the worker run first.
    fn yield_now() -> impl Future<Output = ()> + Send + 'static;
}

/// A runtime with threads for closures that may block.
pub trait BlockingPeer: AsyncPeer {
    /// Runs `job` on one of them. Called within a task.
    fn spawn_blocking<T, F>(job: F) -> impl Future<Output = T> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;
}

/// A runtime with timers.
pub trait TimerPeer: AsyncPeer {
    /// Waits for `duration`.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static;

    /// Waits for `future`, at most for `duration`; true if it was done in time.
    fn timeout<F>(duration: Duration, future: F) -> impl Future<Output = bool> + Send
    where
        F: Future<Output = ()> + Send;
}

/// A runtime with sockets, from which hyper can be served.
pub trait HttpPeer: AsyncPeer {
    /// Where connections come from.
    type Listener: Send + Sync + 'static;
    /// A connection, as hyper wants it.
    type Stream: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static;

    /// Takes over a listener that does not block. Called within a task.
    fn listen(listener: TcpListener) -> io::Result<Self::Listener>;

    /// Waits for the next connection.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// A runtime with sockets.
pub trait EchoPeer: AsyncPeer {
    /// A connection.
    type Socket: Send + 'static;

    /// Takes over a connection that does not block. Called within a task.
    fn adopt(stream: TcpStream) -> io::Result<Self::Socket>;

    /// Waits for bytes; 0 of them are the end.
    fn read(
        socket: &mut Self::Socket,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send;

    /// Sends all of `bytes`.
    fn write_all(
        socket: &mut Self::Socket,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>> + Send;
}

/// A runtime with sockets and what its users compute on while it serves.
pub trait ComputePeer: Sized + 'static {
    /// The runtime.
    type Tasks: EchoPeer;
    /// The way to whatever computes.
    type Pool: Clone + Send + Sync + 'static;

    /// Starts the worker threads, as many for each of both where they are two.
    fn start(workers: usize) -> Self;

    /// The runtime.
    fn tasks(&self) -> &Self::Tasks;

    /// The way to whatever computes.
    fn pool(&self) -> Self::Pool;

    /// Waits within a task until `job` is done elsewhere.
    fn compute<F>(pool: &Self::Pool, job: F) -> impl Future<Output = ()> + Send
    where
        F: FnOnce() + Send + 'static;

    /// Runs both closures, possibly at the same time. Called within a job.
    fn join<A, B>(a: A, b: B)
    where
        A: FnOnce() + Send,
        B: FnOnce() + Send;
}

/// A pool that runs closures.
pub trait JobPeer: Peer {
    /// What jobs are spawned into, and what is left only when all are done.
    type Scope<'scope>: JobScope<'scope>;
    /// What another thread spawns through.
    type Remote: Clone + Send + 'static;

    /// Runs `body` on a worker and returns when it and all jobs of its scope are done. On a worker
    /// it runs in place.
    fn scope<'scope, F, R>(&self, body: F) -> R
    where
        F: FnOnce(&Self::Scope<'scope>) -> R + Send,
        R: Send;

    /// Runs `body` on a worker.
    fn on_worker<F, R>(&self, body: F) -> R
    where
        F: FnOnce(&Self) -> R + Send,
        R: Send;

    /// The way in for threads that are not the pool's own.
    fn remote(&self) -> Self::Remote;

    /// Spawns a job that nobody waits for, from a thread that is not the pool's own.
    fn spawn_remote<F>(remote: &Self::Remote, job: F)
    where
        F: FnOnce() + Send + 'static;
}

/// The scope of a [`JobPeer`].
pub trait JobScope<'scope>: Sync {
    /// Spawns a job that ends before the scope does.
    fn spawn<F>(&self, job: F)
    where
        F: FnOnce(&Self) + Send + 'scope;
}

/// A pool that splits work in two.
pub trait ForkPeer: Peer {
    /// What `join` is called through.
    type Worker<'pool>;

    /// Runs `body` on one of the workers, of which the calling thread may be one.
    fn enter<F, R>(&self, body: F) -> R
    where
        F: FnOnce(&mut Self::Worker<'_>) -> R + Send + 'static,
        R: Send + 'static;

    /// Runs both closures, possibly at the same time.
    fn join<A, B, RA, RB>(worker: &mut Self::Worker<'_>, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Self::Worker<'_>) -> RA + Send,
        B: FnOnce(&mut Self::Worker<'_>) -> RB + Send,
        RA: Send,
        RB: Send;
}
