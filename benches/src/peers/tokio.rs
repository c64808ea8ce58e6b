//! tokio: the multi-thread runtime with `enable_all`, as `#[tokio::main]` and the documentation of
//! its builder have it.
//!
//! Without its drivers it is no faster in `spawn_await_one` and `request_reply_main`, which could
//! do without them.

use std::{
    future::Future,
    io,
    net::{TcpListener as StdListener, TcpStream as StdStream},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

use super::{AsyncPeer, BlockingPeer, Drivers, EchoPeer, HttpPeer, Peer, TimerPeer};

/// A running tokio runtime.
pub struct Tokio {
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

impl Peer for Tokio {
    const NAME: &'static str = "tokio";

    fn start(workers: usize, _drivers: Drivers) -> Tokio {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(workers).enable_all();
        Tokio { runtime: builder.build().expect("tokio starts") }
    }
}

impl AsyncPeer for Tokio {
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
        Join(tokio::spawn(future))
    }

    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(tokio::spawn(future));
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
        tokio::task::yield_now()
    }
}

impl BlockingPeer for Tokio {
    fn spawn_blocking<T, F>(job: F) -> impl Future<Output = T> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Join(tokio::task::spawn_blocking(job))
    }
}

impl TimerPeer for Tokio {
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        tokio::time::sleep(duration)
    }

    async fn timeout<F>(duration: Duration, future: F) -> bool
    where
        F: Future<Output = ()> + Send,
    {
        tokio::time::timeout(duration, future).await.is_ok()
    }
}

impl HttpPeer for Tokio {
    type Listener = TcpListener;
    type Stream = TokioIo<TcpStream>;

    fn listen(listener: StdListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }

    async fn accept(listener: &TcpListener) -> io::Result<TokioIo<TcpStream>> {
        let (stream, _) = listener.accept().await?;
        Ok(TokioIo::new(stream))
    }
}

impl EchoPeer for Tokio {
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
