//! Weftline: a `Runtime` of its own with the given number of workers and every other setting as it
//! comes.

use std::{
    future::Future,
    io,
    net::{TcpListener as StdListener, TcpStream as StdStream},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use weftline::{
    Handle, JoinHandle, Runtime,
    net::{TcpListener, TcpStream},
};

use super::{
    AsyncPeer, BlockingPeer, ComputePeer, Drivers, EchoPeer, ForkPeer, HttpPeer, Peer, TimerPeer,
};
use crate::{http::stream::FuturesIo, record::SUBJECT};

/// A running runtime of ours.
pub struct Weftline {
    /// Stops the workers and waits for them when dropped.
    runtime: Runtime,
}

/// Gives the task's output itself, as the other peers' handles do.
pub struct Join<T>(JoinHandle<T>);

impl<T> Future for Join<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|result| result.expect("no task of a workload fails"))
    }
}

impl Peer for Weftline {
    const NAME: &'static str = SUBJECT;

    fn start(workers: usize, _drivers: Drivers) -> Weftline {
        let runtime = Runtime::builder().workers(workers).build().expect("weftline starts");
        Weftline { runtime }
    }
}

impl AsyncPeer for Weftline {
    type Join<T: Send + 'static> = Join<T>;
    type Remote = Handle;

    fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send,
    {
        self.runtime.block_on(future)
    }

    fn spawn<F>(future: F) -> Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Join(weftline::spawn(future))
    }

    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(weftline::spawn(future));
    }

    fn remote(&self) -> Handle {
        self.runtime.handle().clone()
    }

    fn spawn_remote<F>(remote: &Handle, future: F) -> Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Join(remote.spawn(future))
    }

    fn yield_now() -> impl Future<Output = ()> + Send + 'static {
        weftline::yield_now()
    }
}

impl BlockingPeer for Weftline {
    fn spawn_blocking<T, F>(job: F) -> impl Future<Output = T> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Join(weftline::spawn_blocking(job))
    }
}

impl TimerPeer for Weftline {
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        weftline::time::sleep(duration)
    }

    async fn timeout<F>(duration: Duration, future: F) -> bool
    where
        F: Future<Output = ()> + Send,
    {
        weftline::time::timeout(duration, future).await.is_ok()
    }
}

impl HttpPeer for Weftline {
    type Listener = TcpListener;
    type Stream = FuturesIo<TcpStream>;

    fn listen(listener: StdListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }

    async fn accept(listener: &TcpListener) -> io::Result<FuturesIo<TcpStream>> {
        let (stream, _) = listener.accept().await?;
        Ok(FuturesIo(stream))
    }
}

impl ForkPeer for Weftline {
    type Worker<'pool> = ();

    fn enter<F, R>(&self, body: F) -> R
    where
        F: FnOnce(&mut ()) -> R + Send + 'static,
        R: Send + 'static,
    {
        let result = self.runtime.handle().compute(|| body(&mut ()));
        result.wait().expect("no closure of a workload panics")
    }

    #[inline]
    fn join<A, B, RA, RB>(_worker: &mut (), a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut ()) -> RA + Send,
        B: FnOnce(&mut ()) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        weftline::join(|| a(&mut ()), || b(&mut ()))
    }
}

impl EchoPeer for Weftline {
    type Socket = TcpStream;

    fn adopt(stream: StdStream) -> io::Result<TcpStream> {
        TcpStream::from_std(stream)
    }

    async fn read(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        socket.read(buffer).await
    }

    async fn write_all(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        socket.write_all(bytes).await
    }
}

impl ComputePeer for Weftline {
    type Tasks = Weftline;
    type Pool = ();

    fn start(workers: usize) -> Weftline {
        Peer::start(workers, Drivers::On)
    }

    fn tasks(&self) -> &Weftline {
        self
    }

    fn pool(&self) {}

    async fn compute<F>(_pool: &(), job: F)
    where
        F: FnOnce() + Send + 'static,
    {
        weftline::compute(job).await.expect("no job of a workload fails");
    }

    fn join<A, B>(a: A, b: B)
    where
        A: FnOnce() + Send,
        B: FnOnce() + Send,
    {
        weftline::join(a, b);
    }
}
