//! The wheel beside a sorted map that tells what is right, under a long random run; and what the
//! wheel promises about wake-ups and memory.

use super::wheel::{TICK_SHIFT, TimerKey, Wheel};
use crate::driver::clock::NEVER_NS;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Wake, Waker};

const TICK_NS: u64 = 1 << TICK_SHIFT;
const YEAR_NS: u64 = 365 * 24 * 3600 * 1_000_000_000;

/// Told apart by its address.
struct Target(#[expect(dead_code, reason = "gives the target an address of its own")] u8);

impl Wake for Target {
    fn wake(self: Arc<Self>) {}
}

fn target() -> Waker {
    Arc::new(Target(0)).into()
}

#[test]
fn long_deadlines_cause_no_wake_ups_before_they_are_due() {
    let mut wheel = Wheel::new();
    for second in [30, 31, 33, 60, 61] {
        wheel.insert(second * 1_000_000_000, target());
    }
    let mut looks = 0;
    while wheel.next_ns() != NEVER_NS {
        let now_ns = wheel.next_ns();
        wheel.expire(now_ns, 10, &mut Vec::new());
        looks += 1;
    }
    assert_eq!(looks, 5);
}

#[test]
fn entries_that_wait_to_move_down_are_not_forgotten() {
    let mut wheel = Wheel::new();
    for _ in 0..20 {
        wheel.insert(100 * TICK_NS, target());
    }
    // In the same slot of level 1, and the last to move down.
    wheel.insert(70 * TICK_NS, target());
    let mut wakers = Vec::new();
    let mut calls = 0;
    while wakers.is_empty() {
        assert!(wheel.next_ns() <= 71 * TICK_NS);
        wheel.expire(71 * TICK_NS, 1, &mut wakers);
        calls += 1;
    }
    assert!(calls > 1, "the limit did not hold anything back");
    assert!(wheel.next_ns() >= 100 * TICK_NS);
}

#[test]
fn memory_is_given_back_after_a_peak() {
    let mut wheel = Wheel::new();
    let mut round = |count: u64| {
        let keys: Vec<_> =
            (0..count).map(|i| wheel.insert(i * 1_000, Waker::noop().clone())).collect();
        assert_eq!(wheel.len() as u64, count);
        for key in keys {
            assert!(wheel.remove(key).is_some());
        }
        wheel.capacity()
    };
    let peak = round(if cfg!(miri) { 5_000 } else { 100_000 });
    assert_eq!(round(peak as u64 / 2), peak, "what is used is kept");
    for _ in 0..20 {
        round(10);
    }
    assert!(round(10) <= 2048);
}

/// A deterministic pseudo random generator (xorshift with a multiplication).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A span whose size is spread over all powers of two up to `bits`.
    fn span(&mut self, bits: u64) -> u64 {
        let size = self.below(bits) + 1;
        self.next() >> (64 - size)
    }
}

/// An entry as the reference knows it.
struct Reference {
    deadline_ns: u64,
    key: TimerKey,
    waker: Waker,
    /// The deadline, or when it was given if it lay behind then.
    due_ns: u64,
}

/// The wheel beside a sorted map that tells what is right.
struct Compared {
    wheel: Wheel,
    random: Random,
    now_ns: u64,
    /// By the address that the waker points to.
    reference: BTreeMap<usize, Reference>,
    /// The widest span of a step of time and of a deadline, in bits.
    bits: u64,
}

impl Compared {
    fn new(seed: u64, bits: u64) -> Self {
        let wheel = Wheel::new();
        Self { wheel, random: Random(seed), now_ns: 0, reference: BTreeMap::new(), bits }
    }

    fn note(&mut self, deadline_ns: u64, key: TimerKey, waker: Waker) {
        let due_ns = deadline_ns.max(self.now_ns);
        let entry = Reference { deadline_ns, key, waker, due_ns };
        self.reference.insert(entry.waker.data() as usize, entry);
    }

    fn insert(&mut self) {
        let span_ns = self.random.span(self.bits);
        let deadline_ns = match self.random.below(20) {
            0 => self.now_ns.saturating_sub(span_ns),
            1 => NEVER_NS,
            2 => self.now_ns | (TICK_NS - 1),
            _ => self.now_ns.saturating_add(span_ns),
        };
        let waker = target();
        let key = self.wheel.insert(deadline_ns, waker.clone());
        self.note(deadline_ns, key, waker);
    }

    /// Removes, updates or postpones an entry.
    fn change(&mut self) {
        let at = self.random.below(self.reference.len().max(1) as u64) as usize;
        let Some(&picked) = self.reference.keys().nth(at) else { return };
        let Reference { deadline_ns, key, waker, .. } =
            self.reference.remove(&picked).expect("it was just picked");
        match self.random.below(3) {
            0 => {
                assert!(self.wheel.remove(key).is_some_and(|kept| kept.will_wake(&waker)));
                assert!(self.wheel.remove(key).is_none());
            }
            1 => {
                let other = target();
                *self.wheel.waker(key).expect("it has not expired") = other.clone();
                self.note(deadline_ns, key, other);
            }
            _ => {
                let by_ns = self.random.span(self.bits);
                assert!(self.wheel.postpone(key, by_ns));
                self.note(deadline_ns.saturating_add(by_ns), key, waker);
            }
        }
    }

    /// Lets time pass, expires in bites, and checks what comes out and that nothing due stays.
    fn step(&mut self) {
        self.now_ns = match self.random.below(3) {
            0 => self.wheel.next_ns().max(self.now_ns),
            _ => self.now_ns.saturating_add(self.random.span(self.bits)),
        };
        self.now_ns = self.now_ns.min(NEVER_NS - 1);
        let mut calls_left = 10 * self.reference.len() + 10;
        let mut latest_tick = 0;
        while self.wheel.next_ns() <= self.now_ns {
            let limit = self.random.below(30) as usize + 1;
            let mut wakers = Vec::new();
            self.wheel.expire(self.now_ns, limit, &mut wakers);
            assert!(wakers.len() <= limit);
            for waker in wakers {
                let entry = self.reference.remove(&(waker.data() as usize));
                let entry = entry.expect("an entry came out twice or after its removal");
                assert!(entry.deadline_ns <= self.now_ns, "early");
                let tick = entry.due_ns >> TICK_SHIFT;
                assert!(latest_tick <= tick, "out of order");
                latest_tick = tick;
            }
            calls_left = calls_left.checked_sub(1).expect("expiring makes no progress");
        }
        self.check();
    }

    fn check(&self) {
        let earliest_ns =
            self.reference.values().map(|entry| entry.due_ns).min().unwrap_or(NEVER_NS);
        assert!(self.wheel.next_ns() <= earliest_ns | (TICK_NS - 1), "late");
        assert_eq!(self.wheel.len(), self.reference.len());
    }
}

#[test]
fn random_use_agrees_with_a_sorted_map() {
    let rounds = if cfg!(miri) { 200 } else { 20_000 };
    let mut most = 0;
    for bits in [16, 18, 24, 31, 40, 50, 57, 63, 64] {
        // Rare steps let many entries gather.
        for rarity in [4, 20, 2_000] {
            let mut compared = Compared::new(bits * rarity, bits);
            for _ in 0..rounds {
                match compared.random.below(rarity) {
                    0 => compared.step(),
                    i if i % 7 < 4 => compared.insert(),
                    _ => compared.change(),
                }
                most = most.max(compared.reference.len());
                if compared.now_ns > NEVER_NS - YEAR_NS || compared.reference.len() > 1_500 {
                    compared.step();
                    compared = Compared::new(compared.random.next(), bits);
                }
            }
        }
    }
    assert!(cfg!(miri) || most > 1_000, "only {most} entries at once");
}

#[test]
fn a_time_that_jumps_finds_each_deadline_to_the_nanosecond() {
    for seed in 1..if cfg!(miri) { 4 } else { 200 } {
        let mut random = Random(seed);
        let mut wheel = Wheel::new();
        let mut expected = Vec::new();
        let (mut now_ns, mut wakers) = (0, Vec::new());
        for round in 0..50 {
            // Many within one tick, others years away; some are taken back.
            for _ in 0..if round < 20 { random.below(8) } else { 0 } {
                let bits = if random.below(2) == 0 { 12 } else { 56 };
                let deadline_ns = now_ns + random.span(bits);
                let key = wheel.insert(deadline_ns, target());
                if random.below(4) == 0 {
                    assert!(wheel.remove(key).is_some());
                } else {
                    expected.push(deadline_ns);
                }
            }
            let Some(earliest_ns) = expected.iter().copied().min() else { continue };
            let found_ns = loop {
                let bound_ns = wheel.next_ns();
                match wheel.earliest_ns(bound_ns) {
                    Some(found_ns) if found_ns <= bound_ns => break found_ns,
                    _ => assert!(wheel.next_ns() > bound_ns, "no progress"),
                }
            };
            assert_eq!(found_ns, earliest_ns, "seed {seed}");
            now_ns = found_ns;
            wheel.expire_exactly(now_ns, &mut wakers);
            let before = expected.len();
            expected.retain(|deadline_ns| *deadline_ns > now_ns);
            assert_eq!(wakers.drain(..).len(), before - expected.len());
            assert_eq!(wheel.len(), expected.len());
        }
    }
}
