//! What the tasks beside the service do, and what all servers are told.

use clap::ValueEnum;
use std::net::TcpListener;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What keeps the processors busy, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Work {
    /// Nothing does.
    #[value(skip)]
    Nothing,
    /// Tasks that split each job among the workers
    ForkJoin,
    /// Tasks that compute for some 25 ms between two awaits
    Loops,
    /// Tasks that block their threads for 25 ms at a time
    Sleeps,
}

impl Work {
    /// The name, the same in the table, in the picture and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Work::Nothing => "nothing else",
            Work::ForkJoin => "fork-join",
            Work::Loops => "loops",
            Work::Sleeps => "sleeps",
        }
    }
}

/// The numbers that a job looks for primes in: some 25 ms of work for one processor.
pub const NUMBERS: Range<u32> = 0..300_000;
/// How many primes there are.
pub const PRIMES: usize = 25_997;

/// Whether a number is prime.
pub fn is_prime(number: u32) -> bool {
    let has_divisor = (2..).take_while(|d| d * d <= number).any(|d| number % d == 0);
    number >= 2 && !has_divisor
}

/// Looks for the primes on one thread, with nothing that could interrupt it.
pub fn count_primes() -> usize {
    NUMBERS.filter(|&number| is_prime(number)).count()
}

/// Blocks the thread.
pub fn block() {
    thread::sleep(Duration::from_millis(25));
}

/// What a server is told.
pub struct Site {
    /// Where connections come from.
    pub listener: TcpListener,
    /// How many come.
    pub connections: usize,
    /// Threads that run tasks.
    pub workers: usize,
    /// What is done beside serving.
    pub work: Work,
    /// Tasks that do it.
    pub tasks: usize,
    /// What they share.
    pub tally: Arc<Tally>,
}

/// What the tasks that crunch share.
#[derive(Debug, Default)]
pub struct Tally {
    /// There is no next job.
    ended: AtomicBool,
    /// Jobs done so far.
    jobs: AtomicU64,
}

// Relaxed, all of them: a flag and a count that nothing else hangs on.
impl Tally {
    /// Makes all of them end with the job they are at.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether there is a next job.
    pub fn goes_on(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    /// One job more is done.
    pub fn add(&self) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
    }

    /// Jobs done so far.
    pub fn jobs(&self) -> u64 {
        self.jobs.load(Ordering::Relaxed)
    }
}
