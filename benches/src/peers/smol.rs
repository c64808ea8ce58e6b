//! smol: one static `Executor`, run by as many threads as there are workers, as its documentation
//! shows for more than one thread.
//!
//! The threads and the main thread wait in `smol::block_on` where drivers are needed and in the
//! lighter `future::block_on` where they are not.

use std::{
    future::Future,
    io,
    net::{TcpListener as StdListener, TcpStream as StdStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use smol::{
    Async, Executor, Task, Timer, channel, future,
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{AsyncPeer, BlockingPeer, Drivers, EchoPeer, HttpPeer, Peer, TimerPeer};
use crate::http::stream::FuturesIo;

/// The executor of the process, static as smol's own is.
static EXECUTOR: Executor<'static> = Executor::new();

/// Threads that run the executor.
pub struct Smol {
    /// Whether threads that wait also look after the reactor.
    drivers: Drivers,
    /// Closed to end the threads.
    stop: channel::Sender<()>,
    /// The worker threads.
    threads: Vec<JoinHandle<()>>,
}

/// Waits for a future with or without the reactor.
fn wait<T>(drivers: Drivers, future: impl Future<Output = T>) -> T {
    match drivers {
        Drivers::On => smol::block_on(future),
        Drivers::Off => future::block_on(future),
    }
}

impl Drop for Smol {
    fn drop(&mut self) {
        self.stop.close();
        for thread in self.threads.drain(..) {
            thread.join().expect("no task of a workload fails");
        }
    }
}

impl Peer for Smol {
    const NAME: &'static str = "smol";

    fn start(workers: usize, drivers: Drivers) -> Smol {
        let (stop, stopped) = channel::bounded::<()>(1);
        let run = move |stopped: channel::Receiver<()>| {
            wait(drivers, EXECUTOR.run(async move { stopped.recv().await }))
                .expect_err("stopping is closing");
        };
        let threads = (0..workers)
            .map(|_| stopped.clone())
            .map(|stopped| thread::spawn(move || run(stopped)))
            .collect();
        Smol { drivers, stop, threads }
    }
}

impl AsyncPeer for Smol {
    type Join<T: Send + 'static> = Task<T>;
    type Remote = ();

    fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send,
    {
        wait(self.drivers, future)
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        EXECUTOR.spawn(future)
    }

    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        EXECUTOR.spawn(future).detach();
    }

    fn remote(&self) {}

    fn spawn_remote<F>(_remote: &(), future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        EXECUTOR.spawn(future)
    }

    fn yield_now() -> impl Future<Output = ()> + Send + 'static {
        future::yield_now()
    }
}

impl BlockingPeer for Smol {
    fn spawn_blocking<T, F>(job: F) -> impl Future<Output = T> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        smol::unblock(job)
    }
}

impl TimerPeer for Smol {
    async fn sleep(duration: Duration) {
        Timer::after(duration).await;
    }

    fn timeout<F>(duration: Duration, future: F) -> impl Future<Output = bool> + Send
    where
        F: Future<Output = ()> + Send,
    {
        let done = async {
            future.await;
            true
        };
        future::or(done, async move {
            Timer::after(duration).await;
            false
        })
    }
}

impl HttpPeer for Smol {
    type Listener = TcpListener;
    type Stream = FuturesIo<TcpStream>;

    fn listen(listener: StdListener) -> io::Result<TcpListener> {
        Async::new(listener).map(TcpListener::from)
    }

    async fn accept(listener: &TcpListener) -> io::Result<FuturesIo<TcpStream>> {
        let (stream, _) = listener.accept().await?;
        Ok(FuturesIo(stream))
    }
}

impl EchoPeer for Smol {
    type Socket = TcpStream;

    fn adopt(stream: StdStream) -> io::Result<TcpStream> {
        Async::new(stream).map(TcpStream::from)
    }

    async fn read(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        socket.read(buffer).await
    }

    async fn write_all(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        socket.write_all(bytes).await
    }
}
