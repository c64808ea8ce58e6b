//! What the storms stand on: tasks that give up what they wait for in all ways there are, at random
//! moments. Whatever is lost then, somebody waits for it for ever.
//!
//! WEFTLINE_IT_OPERATIONS is how often a storm tries something; by default so often that all of
//! them try ten million times together, and less often in a debug build. WEFTLINE_IT_SEED replays the
//! random choices of a run that has told its seed.

use crate::rig::{LONG, Random, amount, runtime_of, seed, within};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::thread;
use std::time::Duration;
use weftline::time::{sleep, timeout};
use weftline::{JoinHandle, Runtime, catch_cancel, uncancellable, yield_now};

/// Tasks of a storm, which give up.
pub(crate) const TASKS: usize = 6;
/// Threads of a storm, which do not.
pub(crate) const THREADS: usize = 2;
/// Fewer than tasks, more than processors.
pub(crate) const WORKERS: usize = 3;

/// How often a storm tries something.
pub(crate) fn operations() -> usize {
    amount("WEFTLINE_IT_OPERATIONS", 20_000, 850_000)
}

/// How often something was tried, by all storms of this process.
static TRIED: AtomicUsize = AtomicUsize::new(0);

/// Runs a storm, which must be over some time.
#[track_caller]
pub(crate) fn over(storm: impl FnOnce(Runtime, Random) + Send + 'static) {
    let random = Random::new(seed());
    within(4 * LONG, || storm(runtime_of(WORKERS), random));
    println!("all storms so far have tried something {} times", TRIED.load(SeqCst));
}

/// Awaits a future, or gives it up: when its task is asked to end, after some polls, after some time in
/// which it is not polled, or after some nanoseconds. Half of them are never given up.
pub(crate) async fn with_patience<F: Future>(random: &mut Random, future: F) -> Option<F::Output> {
    TRIED.fetch_add(1, SeqCst);
    match random.below(8) {
        0..=3 => uncancellable(async { Some(future.await) }).await,
        4 => catch_cancel(future).await.ok(),
        5 => {
            let limit = Duration::from_nanos(random.below(20_000));
            uncancellable(async { timeout(limit, future).await.ok() }).await
        }
        way => uncancellable(polled_some_times(random, future, way == 6)).await,
    }
}

/// Polls a future until it is ready or was polled so often; or once, and then not for a while.
async fn polled_some_times<F: Future>(
    random: &mut Random,
    future: F,
    is_forgotten: bool,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = if is_forgotten { 1 } else { 1 + random.below(3) };
    let ended = poll_fn(|cx| {
        polls -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    if ended.is_none() && is_forgotten {
        for _ in 0..random.below(8) {
            yield_now().await;
        }
    }
    ended
}

/// Lets others run, whoever asks this task to end.
pub(crate) async fn give_way() {
    uncancellable(yield_now()).await;
}

/// Tasks with a generator each, and one more that asks them to end again and again. They wait
/// by [`with_patience`] and [`give_way`] alone, and so are not ended by that.
pub(crate) struct Storm {
    tasks: Vec<JoinHandle<()>>,
    /// Set when they are not to be asked any more.
    is_over: Arc<AtomicBool>,
    asking: JoinHandle<()>,
}

impl Storm {
    pub(crate) fn begin<F: Future<Output = ()> + Send + 'static>(
        runtime: &Runtime,
        random: &mut Random,
        body: impl Fn(Random) -> F,
    ) -> Self {
        let begun = Arc::new(AtomicUsize::new(0));
        let begin = |random| {
            let (body, begun) = (body(random), begun.clone());
            runtime.spawn(async move {
                begun.fetch_add(1, SeqCst);
                body.await;
            })
        };
        let tasks: Vec<_> = (0..TASKS).map(|_| begin(random.fork())).collect();
        let victims: Vec<_> = tasks.iter().map(|task| task.task().clone()).collect();
        let (mut random, is_over) = (random.fork(), Arc::new(AtomicBool::new(false)));
        let stop = is_over.clone();
        let asking = runtime.spawn(async move {
            // One that is asked before it has begun never begins.
            while begun.load(SeqCst) < TASKS {
                yield_now().await;
            }
            while !stop.load(SeqCst) {
                victims[random.below(TASKS as u64) as usize].cancel();
                sleep(Duration::from_nanos(random.below(50_000))).await;
            }
        });
        Self { tasks, is_over, asking }
    }

    /// Whether all its tasks have ended.
    pub(crate) fn is_over(&self) -> bool {
        self.tasks.iter().all(JoinHandle::is_finished)
    }

    /// Waits until its tasks have ended by themselves.
    pub(crate) fn wait(self) {
        for task in self.tasks {
            task.wait().expect("a task of the storm ends by itself");
        }
        self.is_over.store(true, SeqCst);
        self.asking.wait().expect("it ends");
    }
}

/// As [`Storm`], with threads that do `thread` as often as a task tries something.
pub(crate) fn storm<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    random: &mut Random,
    body: impl Fn(Random) -> F,
    thread: impl Fn() + Clone + Send + 'static,
) {
    let count = operations() / (TASKS + THREADS);
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let thread = thread.clone();
            thread::spawn(move || (0..count).for_each(|_| thread()))
        })
        .collect();
    Storm::begin(runtime, random, body).wait();
    for thread in threads {
        thread.join().expect("a thread ends");
    }
}

/// How often a task of a [`storm`] tries something.
pub(crate) fn operations_of_a_task() -> usize {
    operations() / (TASKS + THREADS)
}

/// How many are patient in [`in_rounds`].
pub(crate) const PATIENT: usize = 3;

/// A storm in rounds. In each, everybody who is patient does `patient` once, which is told who that is; everybody
/// else does `other` some times, by chance in one of many ways, may give it up, and waits for the next round. So
/// what those who give up have lost is not made good by what they do next: a patient one waits for it for ever.
pub(crate) fn in_rounds<P, F>(
    runtime: &Runtime,
    random: &mut Random,
    patient: impl Fn(usize) -> P + Clone + Send + 'static,
    other: impl Fn(usize) -> F + Clone + Send + 'static,
) where
    P: Future<Output = ()> + Send,
    F: Future<Output = ()> + Send,
{
    let turns = Arc::new(AtomicUsize::new(0));
    let patients: Vec<_> = (0..PATIENT)
        .map(|number| {
            let (turns, patient) = (turns.clone(), patient.clone());
            runtime.spawn(async move {
                loop {
                    patient(number).await;
                    let turn = turns.fetch_add(1, SeqCst);
                    while is_round(&turns, turn / PATIENT) {
                        yield_now().await;
                    }
                }
            })
        })
        .collect();
    Storm::begin(runtime, random, |mut random| {
        let (turns, other) = (turns.clone(), other.clone());
        async move {
            let mut left = operations() / TASKS;
            while left > 0 {
                let round = turns.load(SeqCst) / PATIENT;
                // Many make a storm; after one, nobody makes good what was lost.
                let tries = left.min(if round % 2 == 0 { 1 } else { 16 });
                left -= tries;
                for _ in 0..tries {
                    let way = random.below(60) as usize;
                    with_patience(&mut random, other(way)).await;
                }
                while is_round(&turns, round) {
                    give_way().await;
                }
            }
        }
    })
    .wait();
    for patient in patients {
        patient.cancel();
        let _: Result<(), _> = patient.wait();
    }
}

/// Whether this round is not over.
fn is_round(turns: &AtomicUsize, round: usize) -> bool {
    turns.load(SeqCst) / PATIENT <= round
}
