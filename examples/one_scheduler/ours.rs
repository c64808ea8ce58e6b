//! The service on Weftline: connections and crunching tasks in one group, on one set of workers.

use super::work::{self, NUMBERS, PRIMES, Site, Tally, Work, is_prime};
use crate::Problem;
use std::sync::Arc;
use weftline::net::{TcpListener, TcpStream};
use weftline::{Runtime, compute, group, par, yield_now};

/// Serves until the connections are closed and nobody crunches any more.
pub fn serve(site: Site) -> Result<(), Problem> {
    let runtime = Runtime::builder().workers(site.workers).build()?;
    let served = runtime.block_on(group(|g| async move {
        for _ in 0..site.tasks {
            g.spawn(crunch(site.work, site.tally.clone()));
        }
        site.listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(site.listener)?;
        for _ in 0..site.connections {
            let (stream, _) = listener.accept().await?;
            g.spawn(echo(stream));
        }
        Ok::<_, Problem>(())
    }));
    Ok(served.map_err(|error| error.to_string())?)
}

/// Sends back what comes.
async fn echo(stream: TcpStream) -> Result<(), Problem> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length]).await?,
        }
    }
}

/// Does one job after the other. Nothing is set apart for those that compute or block.
async fn crunch(work: Work, tally: Arc<Tally>) -> Result<(), Problem> {
    while tally.goes_on() {
        match work {
            Work::Nothing => return Ok(()),
            Work::ForkJoin => {
                let primes = compute(|| par::sum(NUMBERS, |n| usize::from(is_prime(n)))).await?;
                assert_eq!(primes, PRIMES);
            }
            Work::Loops => assert_eq!(work::count_primes(), PRIMES),
            Work::Sleeps => work::block(),
        }
        tally.add();
        yield_now().await;
    }
    Ok(())
}
