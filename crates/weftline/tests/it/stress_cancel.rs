//! Requests to end at random moments, in random nests of limits, regions and clean-ups, from tasks and
//! outside threads: each is delivered once, each clean-up begins once, and nothing is left.
//!
//! WEFTLINE_IT_CANCELS is the number of requests; by default a million, and fewer in a debug build.
//! WEFTLINE_IT_SEED replays the random choices of a run that has told its seed.

use crate::counting::bytes_in_use;
use crate::probe::{Probe, Token};
use crate::rig::{LONG, Random, amount, eventually, in_child, runtime_of, seed};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};
use weftline::runtime::Grace;
use weftline::time::{sleep, timeout};
use weftline::{
    Cancelled, JoinError, JoinHandle, Task, catch_cancel, exit_stack, finally, shield, spawn, task,
    uncancellable, yield_now,
};

/// How many tasks are asked to end, again and again, at once.
const VICTIMS: u64 = 64;
/// Threads and tasks that ask them.
const THREADS: u64 = 3;
const ASKING_TASKS: u64 = 1;
/// What a request of a task says; limits say nothing.
const REQUEST: &str = "a request";
/// How deep regions are nested.
const DEPTH: u32 = 6;

weftline::task_local! {
    static OWNED: Token;
}

fn requests_in_all() -> usize {
    amount("WEFTLINE_IT_CANCELS", 20_000, 1_000_000)
}

/// What all tasks have done together.
#[derive(Default)]
struct Tally {
    /// Bodies with a clean-up that were begun, and clean-ups begun, finished, and given up.
    bodies: AtomicUsize,
    begun: AtomicUsize,
    finished: AtomicUsize,
    given_up: AtomicUsize,
    /// Clean-ups that must not be given up: begun and finished.
    held: AtomicUsize,
    held_finished: AtomicUsize,
    /// Tasks behind a shield: begun and finished.
    shielded: AtomicUsize,
    shielded_finished: AtomicUsize,
    /// Limits that were over.
    expired: AtomicUsize,
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, SeqCst);
}

/// A task that is asked to end, and ignores it.
#[derive(Default)]
struct Victim {
    /// Requests that were made of it.
    asked: AtomicU64,
    /// Requests that were delivered to code which kept them.
    delivered: AtomicU64,
    /// Requests that were taken back after that.
    taken_back: AtomicU64,
    /// It has begun: before that, a request would end it.
    begun: AtomicBool,
    /// It is to return.
    stop: AtomicBool,
}

/// What a task's code has at hand.
#[derive(Clone)]
struct Scene {
    tally: Arc<Tally>,
    /// The task whose requests are counted; none in a task that another one awaits.
    victim: Option<Arc<Victim>>,
    /// Whether waiting for nothing but a request is allowed: another one will come.
    may_hang: bool,
    /// Whether other code of the same task runs beside this one. What one of them hands on, never to
    /// go on itself, the other must not keep.
    beside: bool,
}

type Block = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Scene {
    /// A request was delivered, and is kept. `answer`: it is taken back; a limit around this code
    /// would hand it on where it was not.
    fn keep(&self, cancelled: &Cancelled, answer: bool) {
        assert!(matches!(cancelled.reason(), Some(REQUEST) | None));
        let Some(victim) = &self.victim else { return };
        if answer {
            // Whoever asks waits for the count below: there is no later request to be hit.
            task::current().unwrap().uncancel();
            victim.taken_back.fetch_add(1, SeqCst);
        }
        victim.delivered.fetch_add(1, SeqCst);
    }

    /// What must end by itself.
    fn finite(&self) -> Self {
        Self { may_hang: false, ..self.clone() }
    }

    /// A random block of code.
    fn block(self, mut random: Random, depth: u32) -> Block {
        let own = random.fork();
        if depth == 0 {
            return Box::pin(self.leaf(own));
        }
        match random.below(9) {
            0 => Box::pin(self.limited(own, depth - 1)),
            1 => Box::pin(self.caught(own, depth - 1)),
            2 => Box::pin(self.cleaned(own, depth - 1)),
            3 => Box::pin(self.stacked(own, depth - 1)),
            4 => Box::pin(uncancellable(self.finite().block(own, depth - 1))),
            5 => Box::pin(self.shielded(own, depth - 1)),
            6 => Box::pin(self.awaited(own, depth - 1)),
            7 => Box::pin(self.both(own, depth - 1)),
            _ => Box::pin(self.in_turn(own, depth - 1)),
        }
    }

    async fn leaf(self, mut random: Random) {
        match random.below(4) {
            0 if self.may_hang => pending().await,
            0 | 1 => sleep(Duration::from_micros(random.below(60))).await,
            _ => {
                for _ in 0..random.below(4) {
                    yield_now().await;
                }
            }
        }
    }

    async fn in_turn(self, mut random: Random, depth: u32) {
        for _ in 0..2 {
            self.clone().block(random.fork(), depth).await;
        }
    }

    /// Two blocks side by side, polled together.
    async fn both(self, mut random: Random, depth: u32) {
        let scene = Self { beside: true, ..self };
        let mut blocks = [0, 1].map(|_| Some(scene.clone().block(random.fork(), depth)));
        poll_fn(|cx| {
            for place in &mut blocks {
                if place.as_mut().is_some_and(|block| block.as_mut().poll(cx).is_ready()) {
                    *place = None;
                }
            }
            if blocks.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    async fn limited(self, mut random: Random, depth: u32) {
        let limit = Duration::from_micros(random.below(80));
        let over = if random.below(4) == 0 {
            // Nothing else ends it, and nothing in it can swallow the end.
            timeout(limit, pending::<()>()).await.is_err()
        } else {
            timeout(limit, self.finite().block(random, depth)).await.is_err()
        };
        if over {
            count(&self.tally.expired);
        }
    }

    async fn caught(self, mut random: Random, depth: u32) {
        if let Err(cancelled) = catch_cancel(self.clone().block(random.fork(), depth)).await {
            if random.below(2) == 0 {
                self.finite().leaf(random.fork()).await;
            }
            // Whoever ignores a limit also ignores the request that it has interrupted the answer
            // to: nobody could count that.
            if cancelled.reason().is_none() || self.beside || random.below(2) == 0 {
                return cancelled.resume().await;
            }
            self.keep(&cancelled, true);
        }
    }

    async fn cleaned(self, mut random: Random, depth: u32) {
        let (tally, cleaning) = (self.tally.clone(), self.clone());
        let (of_body, of_cleanup) = (random.fork(), random.fork());
        let body = async move {
            count(&tally.bodies);
            self.block(of_body, depth).await;
        };
        finally(body, cleaning.cleanup(of_cleanup)).await;
    }

    async fn stacked(self, mut random: Random, depth: u32) {
        let body = |stack: weftline::ExitStack| async move {
            for _ in 0..random.below(3) {
                count(&self.tally.bodies);
                stack.push(self.clone().cleanup(random.fork()));
            }
            self.block(random.fork(), depth).await;
        };
        exit_stack(body).await;
    }

    async fn cleanup(self, mut random: Random) {
        let tally = self.tally.clone();
        count(&tally.begun);
        let mut ends = Ends { tally: self.tally.clone(), finished: false };
        let work = self.finite().leaf(random.fork());
        if random.below(2) == 0 {
            count(&tally.held);
            uncancellable(work).await;
            count(&tally.held_finished);
        } else {
            work.await;
        }
        ends.finished = true;
    }

    async fn shielded(self, random: Random, depth: u32) {
        count(&self.tally.shielded);
        let inner = Self { victim: None, beside: false, ..self.finite() };
        let mut inner: JoinHandle<()> = spawn(inner.block(random, depth));
        let own = inner.task();
        let waited = catch_cancel(shield(&mut inner)).await;
        if waited.is_err() {
            uncancellable(&mut inner).await.expect("nobody asked it to end");
        }
        assert_eq!(own.cancelling(), 0);
        count(&self.tally.shielded_finished);
        if let Err(cancelled) = waited {
            cancelled.resume::<()>().await;
        }
    }

    async fn awaited(self, random: Random, depth: u32) {
        let inner = Self { victim: None, beside: false, ..self.finite() };
        let ended = spawn(inner.block(random, depth)).await;
        // One that was asked to end, since this one was: then this one has ended as well, unless code
        // beside it still answers.
        let answers_beside = self.beside && ended.as_ref().is_err_and(JoinError::is_cancelled);
        assert!(answers_beside || ended.is_ok(), "asked by the one who awaits it alone: {ended:?}");
    }
}

/// Counts how a clean-up ends.
struct Ends {
    tally: Arc<Tally>,
    finished: bool,
}

impl Drop for Ends {
    fn drop(&mut self) {
        count(if self.finished { &self.tally.finished } else { &self.tally.given_up });
    }
}

/// Runs block after block until it is told to stop; keeps every request that comes so far.
async fn suffer(victim: Arc<Victim>, tally: Arc<Tally>, mut random: Random) {
    victim.begun.store(true, SeqCst);
    let own = Some(victim.clone());
    let scene = Scene { tally, victim: own, may_hang: true, beside: false };
    while !victim.stop.load(SeqCst) {
        let depth = u32::try_from(random.below(u64::from(DEPTH) + 1)).unwrap();
        let block = scene.clone().block(random.fork(), depth);
        if let Err(cancelled) = catch_cancel(block).await {
            scene.keep(&cancelled, random.below(2) == 0);
        }
    }
}

/// Asks a task to end, if it has seen all earlier requests. False: it has ended.
fn ask(victim: &Victim, task: &Task) -> bool {
    let (asked, delivered) = (victim.asked.load(SeqCst), victim.delivered.load(SeqCst));
    assert!(delivered <= asked, "{task:?}: {asked} asked, {delivered} delivered");
    if victim.begun.load(SeqCst) && delivered == asked {
        victim.asked.fetch_add(1, SeqCst);
        if !task.cancel_with(REQUEST) {
            victim.asked.fetch_sub(1, SeqCst);
            return false;
        }
    }
    !task.is_finished()
}

/// A victim and its task.
type Asked = (Arc<Victim>, Task);

/// The next look at each of the victims, until all have ended. They are told to stop when `left`
/// requests have been made.
fn ask_all(victims: &[Asked], left: usize, random: &mut Random) -> bool {
    let made: u64 = victims.iter().map(|(victim, _)| victim.asked.load(SeqCst)).sum();
    let enough = usize::try_from(made).unwrap() >= left;
    let mut alive = false;
    for (victim, task) in victims {
        if enough {
            victim.stop.store(true, SeqCst);
        }
        if enough || random.below(3) != 0 {
            alive |= ask(victim, task);
        } else {
            alive |= !task.is_finished();
        }
        for _ in 0..random.below(50) {
            std::hint::spin_loop();
        }
    }
    alive
}

/// Notices requests that are not delivered.
struct Patience {
    delivered: Vec<u64>,
    since: Instant,
}

impl Patience {
    fn new(victims: &[Asked]) -> Self {
        Self { delivered: Self::delivered(victims), since: Instant::now() }
    }

    fn delivered(victims: &[Asked]) -> Vec<u64> {
        victims.iter().map(|(victim, _)| victim.delivered.load(SeqCst)).collect()
    }

    /// Fails where a task that lives has seen nothing for long.
    fn check(&mut self, victims: &[Asked]) {
        if self.since.elapsed() < LONG {
            return;
        }
        let now = Self::delivered(victims);
        for ((victim, task), (now, before)) in victims.iter().zip(now.iter().zip(&self.delivered)) {
            let asked = victim.asked.load(SeqCst);
            let lost = asked > *now && now == before && !task.is_finished();
            assert!(!lost, "request {asked} of {task:?} was lost");
        }
        *self = Self::new(victims);
    }
}

/// One storm: gives the number of requests.
fn storm(requests: usize, seed: u64) -> u64 {
    let runtime = runtime_of(4);
    let (tally, values, mut random) = (Arc::new(Tally::default()), Probe::new(), Random::new(seed));
    let mut asked: Vec<Vec<Asked>> = (0..THREADS + ASKING_TASKS).map(|_| Vec::new()).collect();
    let mut handles = Vec::new();
    for n in 0..VICTIMS {
        let victim = Arc::new(Victim::default());
        let suffers = suffer(victim.clone(), tally.clone(), random.fork());
        let handle = OWNED.sync_scope(values.token(), || runtime.spawn(suffers));
        let place = usize::try_from(n).unwrap() % asked.len();
        asked[place].push((victim.clone(), handle.task()));
        handles.push((victim, handle));
    }
    let share = requests / asked.len() + 1;
    let by_task = asked.pop().expect("one list for each");
    let mut own = random.fork();
    let asks = runtime.spawn(async move {
        let mut patience = Patience::new(&by_task);
        while ask_all(&by_task, share, &mut own) {
            patience.check(&by_task);
            yield_now().await;
        }
    });
    thread::scope(|scope| {
        for victims in asked {
            let mut own = random.fork();
            scope.spawn(move || {
                let mut patience = Patience::new(&victims);
                while ask_all(&victims, share, &mut own) {
                    patience.check(&victims);
                }
            });
        }
    });
    asks.wait().unwrap();
    let mut made = 0;
    for (victim, handle) in handles {
        let task = handle.task();
        handle.wait().expect("it keeps what it is asked for, and returns");
        made += check(&victim, &task);
    }
    eventually("no task is left", || runtime.handle().tasks().is_empty());
    assert!(runtime.shutdown(Grace::Forever).is_clean());
    assert_eq!(values.drops() as u64, VICTIMS, "no context is left");
    check_tally(&tally, made);
    made
}

/// Every request was delivered once; the last one perhaps came when its task was about to return.
fn check(victim: &Victim, task: &Task) -> u64 {
    let (asked, delivered) = (victim.asked.load(SeqCst), victim.delivered.load(SeqCst));
    assert!(asked == delivered || asked == delivered + 1, "{asked} asked, {delivered} delivered");
    let taken_back = victim.taken_back.load(SeqCst);
    assert_eq!(u64::from(task.cancelling()), asked - taken_back);
    asked
}

fn check_tally(tally: &Tally, requests: u64) {
    let of = |counter: &AtomicUsize| counter.load(SeqCst);
    assert_eq!(of(&tally.bodies), of(&tally.begun), "a clean-up for each body, and no other");
    assert_eq!(of(&tally.begun), of(&tally.finished) + of(&tally.given_up));
    let interruptions = usize::try_from(requests).unwrap() + of(&tally.expired);
    assert!(of(&tally.given_up) <= interruptions, "given up without a second request");
    assert_eq!(of(&tally.held), of(&tally.held_finished));
    assert_eq!(of(&tally.shielded), of(&tally.shielded_finished));
    for counter in [&tally.finished, &tally.held, &tally.shielded, &tally.expired] {
        assert!(of(counter) > 0, "the storm was too weak to show anything");
    }
}

#[test]
fn a_million_requests_are_delivered_once_each_and_leave_nothing_behind() {
    const NAME: &str =
        "stress_cancel::a_million_requests_are_delivered_once_each_and_leave_nothing_behind";
    if !in_child(NAME) {
        return;
    }
    let seed = seed();
    storm(2000, seed);
    let bytes = bytes_in_use();
    let made = storm(requests_in_all(), seed);
    println!("{made} requests");
    // The queues' collector frees in the end, not at once.
    let kept = bytes_in_use() - bytes;
    assert!(kept < 1 << 20, "{kept} bytes are kept");
}
