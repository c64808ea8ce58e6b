//! What keeps the processors busy: arithmetic that nothing shortens, in pieces of a known length.

use std::{
    hint::black_box,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How much there is to do, in steps of arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Toil {
    steps: u64,
}

impl Toil {
    /// As much as one processor does in `time` when nothing else runs there. The processor is
    /// measured once, so equal times are equal work for all peers.
    pub fn lasting(time: Duration) -> Toil {
        static STEPS_PER_S: OnceLock<f64> = OnceLock::new();
        let rate = *STEPS_PER_S.get_or_init(|| {
            let trial = Toil { steps: 2_000_000 };
            let seconds = |_| {
                let begun = Instant::now();
                trial.run();
                begun.elapsed().as_secs_f64()
            };
            // The quickest of some: the others were disturbed.
            let best = (0..15).map(seconds).fold(f64::INFINITY, f64::min);
            trial.steps as f64 / best
        });
        Toil { steps: (rate * time.as_secs_f64()) as u64 }
    }

    /// One of so many equal parts.
    pub fn part(self, parts: u64) -> Toil {
        Toil { steps: self.steps / parts }
    }

    /// Does it, on this thread.
    pub fn run(self) {
        let mut number = black_box(1_u64);
        for _ in 0..self.steps {
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
        }
        assert_ne!(black_box(number), 0, "no step of this kind ends in zero");
    }
}

/// What all who toil share.
#[derive(Debug, Default)]
pub struct Tally {
    /// Nobody begins anything any more.
    ended: AtomicBool,
    /// Jobs done.
    jobs: AtomicU64,
}

impl Tally {
    /// Makes all end with what they do.
    pub fn end(&self) {
        // Relaxed: nothing but the end hangs on it.
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether to end.
    pub fn has_ended(&self) -> bool {
        // Relaxed: as in `end`.
        self.ended.load(Ordering::Relaxed)
    }

    /// One job more is done.
    pub fn add(&self) {
        // Relaxed: a count.
        self.jobs.fetch_add(1, Ordering::Relaxed);
    }

    /// Jobs done so far.
    pub fn jobs(&self) -> u64 {
        // Relaxed: a count.
        self.jobs.load(Ordering::Relaxed)
    }
}
