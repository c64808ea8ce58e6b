//! The same service on tokio, with a rayon pool beside it for fork-join work: as many threads each.

use super::work::{self, NUMBERS, PRIMES, Site, Tally, Work, is_prime};
use crate::Problem;
use rayon::prelude::{IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, spawn_blocking, yield_now};

/// Serves until the connections are closed and nobody crunches any more. `offloads`: what computes or
/// blocks is left to `spawn_blocking`.
pub fn serve(site: Site, offloads: bool) -> Result<(), Problem> {
    let pool = Arc::new(ThreadPoolBuilder::new().num_threads(site.workers).build()?);
    let runtime = Builder::new_multi_thread().worker_threads(site.workers).enable_all().build()?;
    runtime.block_on(async move {
        let mut tasks = JoinSet::new();
        for _ in 0..site.tasks {
            tasks.spawn(crunch(site.work, site.tally.clone(), pool.clone(), offloads));
        }
        site.listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(site.listener)?;
        for _ in 0..site.connections {
            let (stream, _) = listener.accept().await?;
            tasks.spawn(echo(stream));
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    })
}

/// Sends back what comes.
async fn echo(mut stream: TcpStream) -> Result<(), Problem> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length]).await?,
        }
    }
}

/// Does one job after the other.
async fn crunch(
    work: Work,
    tally: Arc<Tally>,
    pool: Arc<ThreadPool>,
    offloads: bool,
) -> Result<(), Problem> {
    while tally.goes_on() {
        match work {
            Work::Nothing => return Ok(()),
            Work::ForkJoin => {
                let (sender, primes) = oneshot::channel();
                pool.spawn(move || {
                    let primes = NUMBERS.into_par_iter().filter(|&n| is_prime(n)).count();
                    let _ = sender.send(primes);
                });
                assert_eq!(primes.await?, PRIMES);
            }
            Work::Loops if offloads => {
                assert_eq!(spawn_blocking(work::count_primes).await?, PRIMES)
            }
            Work::Loops => assert_eq!(work::count_primes(), PRIMES),
            Work::Sleeps if offloads => spawn_blocking(work::block).await?,
            Work::Sleeps => work::block(),
        }
        tally.add();
        yield_now().await;
    }
    Ok(())
}
